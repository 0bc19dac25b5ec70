"""The file formats that muemg knows. A new one is one module and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from muemg.io import edf, native, npz, openhdemg_json, otb_mat
from muemg.io._contents import Contents

__all__ = ["FORMATS", "FileFormat"]


@dataclass(frozen=True)
class FileFormat:
    """One file format.

    Parameters
    ----------
    name : str
        Short name, kept in `Contents.format`.
    description : str
        What messages call it.
    extensions : tuple of str
        Lower-case name endings, with the dot.
    recognises : callable
        Whether the first 2048 bytes of a file are those of this format.
    read : callable
        From a path to `Contents`; whatever it raises becomes a `FileFormatError` that names the file.
    write : callable, optional
        Writes `Contents` to a seekable binary stream; absent where muemg only reads the format.
    """

    name: str
    description: str
    extensions: tuple[str, ...]
    recognises: Callable[[bytes], bool]
    read: Callable[[Path], Contents]
    write: Callable[[BinaryIO, Contents], None] | None = None


# In the order in which they are asked whether they recognise a file.
FORMATS = (
    FileFormat("muemg-hdf5", "native HDF5", (".h5", ".hdf5"), native.recognises, native.read, native.write),
    FileFormat("npz", "NumPy .npz", (".npz",), npz.recognises, npz.read, npz.write),
    FileFormat("otb-mat", "OTBioLab+ .mat export", (".mat",), otb_mat.recognises, otb_mat.read),
    FileFormat(
        "openhdemg-json",
        "openhdemg JSON",
        (".json",),
        openhdemg_json.recognises,
        openhdemg_json.read,
        openhdemg_json.write,
    ),
    FileFormat("edf", "EDF", (".edf",), edf.recognises_edf, edf.read_edf, edf.write_edf),
    FileFormat("bdf", "BDF", (".bdf",), edf.recognises_bdf, edf.read_bdf, edf.write_bdf),
)
