"""Data sets: many simulated recordings, made side by side by Dask workers, in a folder that can be gone on with.

A recording is decided by its plan alone, so it does not matter which worker makes it, when, or how often: it
has the same bytes. The folder's manifest says which recordings are there, with the SHA-256 of each; whatever
stops a run, the next one makes what is not there with the right checksum, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muemg._workers import ATTEMPTS, dask_client, require_distributed
from muemg.errors import check_count
from muemg.simulation._recording_job import make_recording, versions
from muemg.simulation._store import DataSetError, Store
from muemg.simulation.plan import Draft, Plan, json_ready

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["DataSet", "DataSetError", "simulate_dataset", "worker_memory"]

# Bytes that a worker takes before it holds any recording: Python, JAX and what it has compiled.
_BASE = 1.0e9

# Seconds after which a scheduler that does not answer counts as gone.
_PATIENCE = 20


@dataclass(frozen=True)
class DataSet:
    """A folder of recordings.

    Parameters
    ----------
    folder : Path
        Where they are.
    entries : tuple of mapping
        One for each recording, as in ``manifest.jsonl``: ``file``, ``subject``, ``recording``, ``seed``,
        ``subject_seed``, ``settings``, ``bytes``, ``sha256``.
    n_made : int
        How many this run made; the others were there.
    """

    folder: Path
    entries: tuple[Mapping[str, Any], ...]
    n_made: int

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def files(self) -> tuple[Path, ...]:
        """The recordings' files, for `muemg.read`."""
        return tuple(self.folder / entry["file"] for entry in self.entries)

    def __repr__(self) -> str:
        size = sum(entry["bytes"] for entry in self.entries)
        return f"<DataSet: {len(self)} recordings, {size / 1e6:.1f} MB, {self.n_made} of them made now>"


def simulate_dataset(
    plan: str | Path | Mapping[str, Any] | Plan,
    folder: str | Path,
    scheduler: str | None = None,
    n_workers: int = 2,
    *,
    progress: Callable[[float, str], None] | None = None,
) -> DataSet:
    """Simulate all recordings of a plan into a folder, or those that are not there yet.

    Parameters
    ----------
    plan : str, Path, mapping or Plan
        A TOML file, tables like those in one, or a `Plan`.
    folder : str or Path
        Made if it does not exist. It gets ``dataset.json`` (the plan and the versions of the libraries),
        ``manifest.jsonl`` (one line for each recording) and the recordings, ``subject-…_recording-….h5``.
        Nothing else in it is touched.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``"tcp://10.0.0.1:8786"``, whose workers see the same folder.
        By default workers of one thread each are started on this machine.
    n_workers : int
        How many; of no meaning with a `scheduler`.
    progress : callable, optional
        Called with the fraction done, 0 … 1, and what is being done.

    Returns
    -------
    DataSet
        The whole of it. The same plan gives the same bytes, however many workers there are and whatever
        happened to them.

    Raises
    ------
    InvalidArgumentError, FileFormatError
        If the plan is impossible; before anything is made.
    DataSetError
        If the folder belongs to another plan or other versions, a run is at work in it, files of others are in
        the way, recordings failed, or the scheduler cannot be reached (any more). The same call goes on where
        this one ended.

    Notes
    -----
    Workers are processes, started by ``spawn``: a script that calls this needs the usual
    ``if __name__ == "__main__":``. A worker of this machine is stopped, and its recording tried again, when
    it exceeds `worker_memory`.
    """
    tell = progress if progress is not None else _quiet
    check_count("n_workers", n_workers)
    chosen = Plan.load(plan)
    tell(0.0, "reading the plan")
    drafts = chosen.drafts()
    memory = worker_memory(drafts)
    require_distributed("data sets are made with")
    with Store.opened(Path(folder), chosen, drafts, versions()) as store:
        missing = store.missing(lambda share: tell(0.05 * share, "checking what is there"))
        done = len(drafts) - len(missing)
        if missing:
            n_useful = min(n_workers, len(missing))
            with dask_client(scheduler, n_useful, memory, patience=_PATIENCE, error=DataSetError) as client:
                for entry in _made(client, store, chosen, missing, memory):
                    store.add(entry)
                    done += 1
                    tell(0.05 + 0.95 * done / len(drafts), f"{done} of {len(drafts)} recordings")
        entries = store.finish()
    tell(1.0, "done")
    return DataSet(store.folder, entries, len(missing))


def worker_memory(drafts: tuple[Draft, ...]) -> int:
    """Bytes that a worker may take: 1 GB, and three times the largest recording with its action potentials.

    Parameters
    ----------
    drafts : tuple of Draft
        From `Plan.drafts`.
    """
    from muemg.simulation._size import recording_bytes

    return int(_BASE + 3 * max(recording_bytes(draft.scenario) for draft in drafts))


def _made(
    client: Client, store: Store, plan: Plan, missing: list[Draft], memory: int
) -> Iterator[dict[str, Any]]:
    """Entries of recordings as the workers finish them."""
    from distributed import as_completed

    ours = versions()
    jobs = {}
    for draft in missing:
        job = {
            "folder": str(store.folder),
            "file": store.file_name(draft),
            "plan": plan.checksum,
            "scenario": json_ready(draft.scenario.to_dict()),
            "entry": store.entry(draft),
            "memory": memory,
        }
        # By value: scattered data would be lost with the worker that holds it.
        jobs[client.submit(make_recording, job, pure=False, key=f"{draft.name}-{os.urandom(8).hex()}")] = (
            draft
        )
    failed: list[str] = []
    finished = as_completed(list(jobs), loop=client.loop)
    for future in finished:
        draft = jobs.pop(future)
        try:
            state = future.status
            made = future.result() if state == "finished" else None
            error = future.exception() if state == "error" else None
        except OSError:  # the connection, Dask's CommClosedError; what a worker raises comes as `error`
            state = "lost"
        if state == "finished" and made is not None:
            future.release()
            theirs = made.pop("versions")
            if theirs != ours:
                raise DataSetError(f"a worker has other versions: {_difference(ours, theirs)}")
            if not (store.folder / made["file"]).is_file():
                raise DataSetError(
                    f"the workers do not write to {store.folder}: do they see the same folder?"
                )
            yield made
        elif state == "error" and error is not None:
            if isinstance(error, OSError):
                raise DataSetError(f"{draft.name}: {error}") from error
            failed.append(f"{draft.name}: {_said(error, memory)}")
        else:
            raise DataSetError(
                f"the scheduler is gone with {len(jobs) + 1} recordings still to be made; the same command, with a "
                "scheduler that is there, goes on"
            )
    if failed:
        more = f" … and {len(failed) - 3} more" if len(failed) > 3 else ""
        raise DataSetError(f"{len(failed)} recordings failed: {'; '.join(failed[:3])}{more}")


def _said(error: BaseException, memory: int) -> str:
    if type(error).__name__ == "KilledWorker":
        return (
            f"{ATTEMPTS} workers died over it (killed from outside, or by the system, or above the limit of "
            f"{memory / 1e9:.1f} GB)"
        )
    return str(error) or type(error).__name__


def _difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    names = [name for name in sorted({*ours, *theirs}) if ours.get(name) != theirs.get(name)]
    return ", ".join(
        f"{name} {theirs.get(name, 'none')} instead of {ours.get(name, 'none')}" for name in names
    )


def _quiet(fraction: float, what: str) -> None:
    """Report nothing."""
