"""The folder of a data set: whose it is, which recordings are there, and what is left of interrupted writing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from muemg.errors import MuemgError
from muemg.io._atomic import atomic_write
from muemg.simulation._recording_job import belongs_to, file_checksum
from muemg.simulation.plan import Draft, Plan, json_ready

__all__ = ["DESCRIPTION", "MANIFEST", "DataSetError", "Store"]

DESCRIPTION, MANIFEST = "dataset.json", "manifest.jsonl"
_FORMAT = "muemg-dataset"


class DataSetError(MuemgError):
    """A data set cannot be made, or is not whole: recordings failed, or workers are gone. What was made stays."""


class Store:
    """An open data-set folder; only one run at a time has it open.

    The manifest is a journal while a run is at work (a line is added as each recording is there) and is
    written anew, in the order of the plan, when it is opened and when it is whole.

    Parameters
    ----------
    folder : Path
        The folder.
    plan : Plan
        What belongs into it.
    drafts : tuple of Draft
        Its recordings.
    """

    def __init__(self, folder: Path, plan: Plan, drafts: tuple[Draft, ...]) -> None:
        self.folder, self.plan, self.drafts = folder, plan, drafts
        self._entries: dict[int, dict[str, Any]] = {}
        self._journal: TextIO | None = None

    @classmethod
    @contextmanager
    def opened(
        cls, folder: Path, plan: Plan, drafts: tuple[Draft, ...], versions: Mapping[str, str]
    ) -> Iterator[Store]:
        """The folder, made if need be, locked until the block ends.

        Raises
        ------
        DataSetError
            If it belongs to another plan or to other versions, or a run is at work in it.
        """
        folder = folder.absolute()
        if folder.exists() and not folder.is_dir():
            raise DataSetError(f"cannot make a data set in {folder}: it is not a folder")
        description = {
            "format": _FORMAT,
            "format_version": 1,
            "plan": plan.to_dict(),
            "plan_sha256": plan.checksum,
            "versions": dict(versions),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(_described(folder / DESCRIPTION, description)):
                _check_same(folder, description)
                store = cls(folder, plan, drafts)
                store._clean()
                try:
                    yield store
                finally:
                    store._close()
                    store._clean()
        except PermissionError as error:
            raise DataSetError(f"cannot write to {folder}: {error.strerror}") from error

    # ------------------------------------------------------------------ recordings

    def file_name(self, draft: Draft) -> str:
        """Name of a recording's file in the folder."""
        return f"{draft.name}.h5"

    def entry(self, draft: Draft) -> dict[str, Any]:
        """A recording's line in the manifest, but for its checksum."""
        return {
            "index": draft.index,
            "file": self.file_name(draft),
            "subject": draft.subject,
            "recording": draft.recording,
            "seed": draft.seed,
            "subject_seed": draft.subject_seed,
            "settings": json_ready(draft.settings),
        }

    def missing(self, tell: Callable[[float], None]) -> list[Draft]:
        """Recordings that are not there with the checksum of the manifest.

        Raises
        ------
        DataSetError
            If a file of somebody else has the name of one of them.
        """
        listed = self._listed()
        left = []
        for i, draft in enumerate(self.drafts):
            tell(i / len(self.drafts))
            path, entry = self.folder / self.file_name(draft), listed.get(draft.index)
            if entry is not None and {**entry, **self.entry(draft)} == entry and _holds(path, entry):
                self._entries[draft.index] = entry
                continue
            identity = {"plan": self.plan.checksum, "index": draft.index}
            # One that the manifest lists is ours even if it is damaged.
            if entry is None and os.path.lexists(path) and not belongs_to(path, identity):
                raise DataSetError(
                    f"{path} is in the way: it does not belong to this data set; choose another folder"
                )
            if entry is not None:
                # Gone from disk before it is gone from the manifest: nobody would know it for ours afterwards.
                with suppress(FileNotFoundError):
                    path.unlink()
            left.append(draft)
        self._rewrite()
        return left

    def add(self, entry: dict[str, Any]) -> None:
        """List a recording that is there."""
        self._entries[entry["index"]] = entry
        if self._journal is None:
            self._journal = open(self.folder / MANIFEST, "a", encoding="utf-8")  # noqa: SIM115  closed by _close
        self._journal.write(_line(entry))
        self._journal.flush()
        os.fsync(self._journal.fileno())

    def finish(self) -> tuple[Mapping[str, Any], ...]:
        """Write the manifest in the order of the plan; its entries."""
        self._close()
        self._rewrite()
        return tuple(self._entries[index] for index in sorted(self._entries))

    # ------------------------------------------------------------------ manifest

    def _listed(self) -> dict[int, dict[str, Any]]:
        """Entries of the manifest; lines that a sudden end has torn are passed over."""
        listed = {}
        with suppress(FileNotFoundError):
            for line in (self.folder / MANIFEST).read_bytes().splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    listed[int(entry["index"])] = entry
        return listed

    def _rewrite(self) -> None:
        with atomic_write(self.folder / MANIFEST) as stream:
            for index in sorted(self._entries):
                stream.write(_line(self._entries[index]).encode())

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _clean(self) -> None:
        """Remove the temporary files of writers that were killed: of our own names only."""
        ours = {DESCRIPTION, MANIFEST, *(self.file_name(draft) for draft in self.drafts)}
        for path in self.folder.glob(".*.part"):
            parts = re.fullmatch(r"\.(.+)\.[0-9a-f]{12}\.part", path.name)
            if parts and parts[1] in ours:
                with suppress(FileNotFoundError):
                    path.unlink()


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry) + "\n"


def _holds(path: Path, entry: Mapping[str, Any]) -> bool:
    """Whether the file is there, as the manifest knows it."""
    try:
        return path.stat().st_size == entry["bytes"] and file_checksum(path) == entry["sha256"]
    except (OSError, KeyError):
        return False


# ------------------------------------------------------------------ whose folder


def _described(path: Path, description: Mapping[str, Any]) -> Path:
    """The file that says whose folder it is, written if there is none."""
    if not path.exists():
        others = path.parent / MANIFEST
        if others.exists():
            raise DataSetError(f"{others} is in the way: it does not belong to this data set")
        with atomic_write(path) as stream:
            stream.write((json.dumps(description, indent=1) + "\n").encode())
    return path


def _check_same(folder: Path, description: Mapping[str, Any]) -> None:
    path = folder / DESCRIPTION
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = found["format"] == _FORMAT and found["format_version"] == 1
        plan, versions = found["plan"], found["versions"]
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise DataSetError(f"{path} is in the way: it does not describe a data set of muemg")
    changed = _changed(plan, description["plan"])
    if changed:
        raise DataSetError(
            f"{folder} holds a data set of another plan ({', '.join(changed[:5])} changed): choose another folder, "
            "or go on with the plan it was begun with"
        )
    other = _changed(versions, description["versions"])
    if other:
        said = ", ".join(
            f"{name} {versions.get(name)}, now {description['versions'].get(name)}" for name in other
        )
        raise DataSetError(
            f"{folder} was begun with other versions ({said}), whose bytes may differ: choose another folder, or "
            "go on with those"
        )


def _changed(one: Any, other: Any, label: str = "") -> list[str]:
    """Names of the settings in which two tables differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return [
            name
            for key in sorted({*one, *other})
            for name in _changed(one.get(key), other.get(key), f"{label}.{key}".lstrip("."))
        ]
    return [] if one == other else [label]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder: a lock that ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(path, "rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataSetError(f"another run is at work in {path.parent}") from None
        # Begun at the same moment, the other run may have put its own file in the place of the locked one.
        if os.fstat(stream.fileno()).st_ino != path.stat().st_ino:
            raise DataSetError(f"another run is at work in {path.parent}")
        yield
