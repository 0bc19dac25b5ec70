"""Atomic files and folders: they appear whole under their name, or what was there stays as it was."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from muemg.errors import MuemgError

__all__ = ["OutputError", "atomic_folder", "atomic_write"]


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
def atomic_folder(path: Path) -> Iterator[Path]:
    """Make a folder under a temporary name beside `path` that becomes `path` when the block ends well.

    Only a missing or an empty folder is replaced: what a full one holds may belong to somebody.

    Raises
    ------
    OutputError
        If the system refuses, or something that is not an empty folder has that name.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise OutputError(f"cannot write {path}: it exists and is not an empty folder")
        temporary.mkdir()
        try:
            yield temporary
            _sync_folder(temporary)
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _sync_folder(target.parent)
    except OSError as error:
        if isinstance(error, MuemgError):
            raise
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


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
