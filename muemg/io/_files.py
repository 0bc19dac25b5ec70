"""Reading and writing any file or BIDS folder: content tells the format to read, the name that to write."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.io import bids
from muemg.io._atomic import atomic_write
from muemg.io._contents import Contents, as_contents
from muemg.io._registry import FORMATS, FileFormat
from muemg.recording import Recording
from muemg.results import Decomposition, Simulation
from muemg.spikes import SpikeTrains

__all__ = ["is_folder_name", "read", "write"]

_HEAD = 2048

# What people pass by mistake, by its first bytes.
_OTHER_FORMATS = (
    (b"\x93NUMPY", "a bare NumPy array; save it as .npz with the keys 'emg' and 'fs'"),
    (b"\x80", "perhaps a Python pickle, which muemg does not open because it could run code"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"<", "an XML or HTML document"),
    (b"Rar!", "a RAR archive"),
)


def read(path: str | os.PathLike[str]) -> Contents:
    """Read a recording, spike trains, a decomposition or a simulation from a file.

    The format is told by the content: a native file named ``.mat`` is read as what it is.

    Parameters
    ----------
    path : path-like
        A native HDF5 file, an ``.npz``, EDF, BDF, a ``.mat`` exported by OTBioLab+, a JSON file of openhdemg,
        or a BIDS folder with one recording. A data file of a BIDS folder is read with its sidecars; of a
        folder with several recordings, `muemg.io.read_bids` reads the one that has the given labels.

    Returns
    -------
    Contents
        What the file holds, always the same record; ``contents.require("recording")`` gives a part or says
        what the file holds instead.

    Raises
    ------
    FileFormatError
        If there is no such file, or it is empty, truncated, damaged, of no known format, of a newer version,
        or holds values that no recording can have.
    """
    file = Path(path)
    if file.is_dir():
        return replace(bids.read_bids(file), format="bids", path=file)
    file_format = _tell(file, _first_bytes(file))
    in_bids = file_format.name in ("edf", "bdf") and bids.is_bids_file(file)
    try:
        with warnings.catch_warnings():
            # Parsers warn about damage that the checks below turn into an error.
            warnings.simplefilter("ignore")
            contents = bids.read_bids_file(file) if in_bids else file_format.read(file)
        return replace(contents, format="bids" if in_bids else file_format.name, path=file)
    except Exception as error:  # parsers of damaged files raise nearly anything
        reason = str(error) or type(error).__name__
        if isinstance(error, MemoryError):
            reason = f"its arrays do not fit into memory, or the file is damaged ({reason})"
        elif not isinstance(error, FileFormatError | InvalidArgumentError):
            reason = f"the file is truncated or damaged ({type(error).__name__}: {reason})"
        raise FileFormatError(f"cannot read {file} as {file_format.description}: {reason}") from error


def write(
    path: str | os.PathLike[str], what: Recording | SpikeTrains | Decomposition | Simulation | Contents
) -> Path:
    """Write a record to a file; the extension chooses the format.

    ``.h5`` and ``.hdf5`` (native) and ``.npz`` keep everything exactly. ``.json`` (openhdemg) keeps the
    recording, the spike trains, the sources and the silhouettes, and needs a recording. ``.edf`` and ``.bdf``
    keep the recording, within one step of the converter, and the spike trains. A path that ends in ``/``, or
    has no extension, is a BIDS folder, for which `muemg.io.write_bids` takes the labels. A file, and a new
    folder, appears whole or not at all, and the same input gives the same bytes.

    Parameters
    ----------
    path : path-like
        Where to; an older file of that name is replaced in one step.
    what : Recording, SpikeTrains, Decomposition, Simulation or Contents
        What to write. ``Contents(recording=…, decomposition=…, spikes=…)`` puts several into one file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If the extension is none that muemg writes, or `what` is none of these records, or cannot be
        expressed in that format.
    OutputError
        If the file cannot be written; the older file is unchanged.
    """
    file = Path(path)
    contents = as_contents(what)
    if is_folder_name(path):
        return bids.write_bids(file, contents)
    file_format = _by_extension(file)
    writer = file_format.write
    if writer is None:
        raise InvalidArgumentError(
            f"path must end in {_writable()}; muemg only reads {file_format.description}"
        )
    with atomic_write(file) as stream:
        writer(stream, contents)
    return file


def is_folder_name(path: str | os.PathLike[str]) -> bool:
    """Whether this names a folder: it ends in a slash, has no extension, or is a folder of no known format."""
    file = Path(path)
    if any(file.suffix.lower() in known.extensions for known in FORMATS):
        return False
    return os.fspath(path).endswith(("/", os.sep)) or not file.suffix or file.is_dir()


def _by_extension(file: Path) -> FileFormat:
    for file_format in FORMATS:
        if file.suffix.lower() in file_format.extensions:
            return file_format
    raise InvalidArgumentError(f"path must end in {_writable()}; got {file.name!r}")


def _writable() -> str:
    return ", ".join(ending for known in FORMATS if known.write is not None for ending in known.extensions)


def _first_bytes(file: Path) -> bytes:
    try:
        if not file.exists():
            raise FileFormatError(f"cannot read {file}: there is no such file")
        if not file.is_file():
            raise FileFormatError(f"cannot read {file}: it is not a regular file")
        with open(file, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise FileFormatError(f"cannot read {file}: {error.strerror}") from error
    if not head:
        raise FileFormatError(f"cannot read {file}: the file is empty")
    return head


def _tell(file: Path, head: bytes) -> FileFormat:
    """The format whose first bytes these are."""
    for file_format in FORMATS:
        if file_format.recognises(head):
            return file_format
    named = [known.description for known in FORMATS if file.suffix.lower() in known.extensions]
    seen = next(
        (what for magic, what in _OTHER_FORMATS if head.startswith(magic)), f"it begins with {head[:8]!r}"
    )
    known = "; ".join(f"{item.description} ({', '.join(item.extensions)})" for item in FORMATS)
    claim = f"it is not the {named[0]} that its name says" if named else "its format is unknown"
    raise FileFormatError(f"cannot read {file}: {claim} ({seen}). muemg reads: {known}")
