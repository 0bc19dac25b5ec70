"""The native file: HDF5, every record exactly, each array with its unit and meaning beside it.

Root attributes ``format = "muemg"`` and ``format_version = "major.minor"``; groups ``recording``, ``spikes``,
``decomposition`` and ``simulation`` as far as the file holds them. A reader refuses a newer major version and
ignores what a newer minor version has added.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from muemg.errors import FileFormatError
from muemg.io._contents import Contents
from muemg.io._tree import FIELDS, Tree, contents_from_tree, tree_from_contents

if TYPE_CHECKING:
    import h5py

__all__ = ["FORMAT_VERSION", "read", "recognises", "write"]

FORMAT_VERSION = (1, 1)

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_DEPTH = 8


def recognises(head: bytes) -> bool:
    """Whether these are the first bytes of an HDF5 file."""
    return head.startswith(_HDF5_MAGIC)


def read(path: Path) -> Contents:
    """Read a native file."""
    import h5py

    with h5py.File(path, "r") as file:
        if _text_attribute(file, "format") != "muemg":
            raise FileFormatError(
                "it is an HDF5 file, but not one that muemg wrote (no root attribute format = 'muemg')"
            )
        version = _text_attribute(file, "format_version")
        major, dot, minor = version.partition(".")
        if not (dot and major.isdigit() and minor.isdigit()):
            raise FileFormatError(f"format_version must be 'major.minor', got {version!r}")
        if int(major) > FORMAT_VERSION[0]:
            raise FileFormatError(
                f"it has format version {version}, this muemg reads up to {FORMAT_VERSION[0]}.x; "
                "upgrade muemg to read it"
            )
        tree = _tree_from_group(file, 0)
    return contents_from_tree(tree)


def _text_attribute(file: h5py.File, name: str) -> str:
    """An attribute of fixed-length text, or nothing.

    Text of variable length lies in HDF5's global heap, which the library (1.14) can search for ever in a
    damaged file; so muemg writes none and reads none.
    """
    if name not in file.attrs or file.attrs.get_id(name).dtype.kind != "S":
        return ""
    return bytes(file.attrs[name]).decode("ascii")


def _tree_from_group(group: h5py.Group, depth: int) -> Tree:
    import h5py

    if depth > _MAX_DEPTH:
        raise FileFormatError("its groups are nested too deep")
    tree: Tree = {}
    for name in group:
        # Links to elsewhere are not ours, and could name any file of this machine.
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            tree[name] = _tree_from_group(item, depth + 1)
        elif item.dtype.kind == "S" and item.shape == ():
            tree[name] = bytes(item[()]).decode("ascii")
        elif item.dtype.kind in "biuf":
            tree[name] = np.asarray(item[()])
    return tree


def write(stream: BinaryIO, contents: Contents) -> None:
    """Write a native file to a stream."""
    import h5py

    steady = _SteadyStream(stream)
    # Without times the same input gives the same bytes.
    with h5py.File(steady, "w", libver=("v110", "v110"), track_order=False) as file:
        file.attrs["format"] = np.bytes_(b"muemg")
        file.attrs["format_version"] = np.bytes_(".".join(map(str, FORMAT_VERSION)).encode("ascii"))
        _write_group(file, tree_from_contents(contents))
    steady.raise_first_error()


def _write_group(group: h5py.Group, tree: Tree) -> None:
    for name, value in tree.items():
        if isinstance(value, dict):
            _write_group(group.create_group(name), value)
            continue
        # JSON text is ASCII, so fixed-length bytes hold it; contiguous and uncompressed is fastest both ways.
        data = np.bytes_(value.encode("ascii")) if isinstance(value, str) else value
        dataset = group.create_dataset(name, data=data, track_times=False)
        unit, dimensions, meaning = FIELDS.get(name, ("", "", ""))
        for key, said in (("unit", unit), ("dimensions", dimensions), ("meaning", meaning)):
            if said:
                dataset.attrs[key] = np.bytes_(said.encode("ascii"))


class _SteadyStream:
    """A stream that never fails HDF5: the first error is kept, later bytes are dropped.

    When a write fails inside HDF5 (a full disk), its file cannot be closed any more and the library tries
    again when Python ends, and may crash. So HDF5 is let finish into nothing and the error is raised
    afterwards.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._error: BaseException | None = None

    def raise_first_error(self) -> None:
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if self._error is None:
            try:
                self._stream.write(data)
            except BaseException as error:  # an interruption too is raised once HDF5 has finished
                self._error = error
        return size

    def flush(self) -> None:
        if self._error is None:
            try:
                self._stream.flush()
            except BaseException as error:
                self._error = error

    def truncate(self, size: int | None = None) -> int:
        if self._error is None:
            try:
                return self._stream.truncate(size)
            except BaseException as error:
                self._error = error
        return size or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        if self._error is None:
            try:
                return self._stream.seek(offset, whence)
            except BaseException as error:
                self._error = error
        return 0

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:  # h5py tells a stream from a path by this method
        return self._stream.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._stream.readinto(buffer)  # type: ignore[attr-defined]
