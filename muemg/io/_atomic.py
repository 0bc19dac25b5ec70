"""Atomic files: a file appears whole under its name, or the one that was there stays as it was."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muemg.errors import MuemgError

__all__ = ["OutputError", "atomic_write"]


class OutputError(MuemgError, OSError):
    """A file could not be written: no such folder, no permission, no space; what was there is unchanged."""


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a stream whose bytes become the file `path` when the block ends without an error.

    The bytes go to a temporary name in the same folder, reach the disk (``fsync``) and are then renamed,
    which replaces an older file in one step. Whatever ends the block early, an interruption included,
    removes the temporary file and leaves the older file.

    Raises
    ------
    OutputError
        If the system refuses: a missing or unwritable folder, a full disk, a folder under that name.
    """
    target = Path(os.path.realpath(path))  # a link stays a link; the file it names is replaced
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        if target.is_dir():
            raise OutputError(f"cannot write {path}: it is a folder")
        if target.exists() and not target.is_file():
            raise OutputError(f"cannot write {path}: it is not a regular file")
        with _removed_on_failure(temporary) as stream:
            if target.exists():
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, MuemgError):
            raise
        reason = error.strerror or str(error)
        kept = "; the file that was there is unchanged" if os.path.isfile(target) else ""
        raise OutputError(f"cannot write {path}: {reason}{kept}") from error


@contextmanager
def _removed_on_failure(temporary: Path) -> Iterator[BinaryIO]:
    stream = open(temporary, "x+b")  # noqa: SIM115  closed on both ways out below
    try:
        yield stream
    except BaseException:
        with suppress(OSError):  # the error that ended the block is the one to report
            stream.close()
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _sync_folder(folder: Path) -> None:
    """Make the rename itself last; where folders cannot be opened (Windows) there is nothing to do."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
