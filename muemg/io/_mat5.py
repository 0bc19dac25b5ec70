"""MATLAB 5 files: numeric arrays, text and cell arrays, as the MathWorks description of the format says.

Not `scipy.io.loadmat`, because that ends the whole Python process on some damaged files; here every length is
checked against what is there.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from muemg.errors import FileFormatError

__all__ = ["load"]

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
# Storage types of data elements (table 1-1), as NumPy codes without byte order.
_STORAGE = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_ENCODING = {16: "utf-8", 17: "utf-16", 18: "utf-32"}
# Array classes (table 1-3).
_CELL, _CHAR = 1, 4
_NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX_FLAG = 0x0800
_MAX_DEPTH = 4


def load(path: Path, names: Collection[str]) -> dict[str, Any]:
    """The variables of these names, as far as the file holds them.

    Numbers come as arrays with MATLAB's shape, text as an array of one string per row, and cell arrays as
    object arrays of these.

    Raises
    ------
    FileFormatError
        If the file is truncated or damaged, or such a variable is of another kind.
    """
    content = memoryview(path.read_bytes())
    order = {b"IM": "<", b"MI": ">"}.get(bytes(content[126:128]))
    if len(content) < _HEADER or order is None:
        raise FileFormatError("its MATLAB header is truncated or damaged")
    variables = {}
    for kind, data in _elements(content[_HEADER:], order):
        if kind == _COMPRESSED:
            try:
                inner = memoryview(zlib.decompress(data))
            except zlib.error as error:
                raise FileFormatError(f"a compressed variable is damaged: {error}") from error
            kind, data = _only(inner, order)
        if kind == _MATRIX:
            name, value = _matrix(data, order, 0, names)
            if name in names:
                variables[name] = value
    return variables


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """The type and data of one element after another."""
    position = 0
    while position < len(content):
        if len(content) - position < 8:
            raise FileFormatError("it ends within an element: the file is truncated")
        kind, size = struct.unpack_from(order + "II", content, position)
        if kind >> 16:  # up to four bytes of data stand inside the tag itself
            kind, size = kind & 0xFFFF, kind >> 16
            if size > 4:
                raise FileFormatError(f"a small element claims {size} bytes: the file is damaged")
            yield kind, content[position + 4 : position + 4 + size]
            position += 8
            continue
        start, position = position + 8, position + 8 + size
        if position > len(content):
            raise FileFormatError("it ends within an element: the file is truncated")
        yield kind, content[start:position]
        if kind != _COMPRESSED:
            position += -size % 8


def _only(content: memoryview, order: str) -> tuple[int, memoryview]:
    for element in _elements(content, order):
        return element
    raise FileFormatError("a variable is empty: the file is damaged")


def _matrix(content: memoryview, order: str, depth: int, names: Collection[str] = ()) -> tuple[str, Any]:
    """Name and value of an array; the value is None at the top level if `names` do not ask for it."""
    if not len(content):
        return "", np.zeros((0, 0))
    parts = _elements(content, order)

    def numbers() -> np.ndarray:
        kind, data = next(parts, (0, content[:0]))
        if kind not in _STORAGE or len(data) % np.dtype(_STORAGE[kind]).itemsize:
            raise FileFormatError(
                f"an array has data of type {kind} in {len(data)} bytes: the file is damaged"
            )
        return np.frombuffer(data, dtype=order + _STORAGE[kind])

    flags, shape, letters = numbers(), [int(size) for size in numbers()], numbers()
    if not len(flags) or len(shape) < 2 or min(shape) < 0:
        raise FileFormatError("an array has no valid size: the file is damaged")
    name, array_class, n_values = letters.tobytes().decode("latin-1"), int(flags[0]) & 0xFF, math.prod(shape)
    if depth == 0 and name not in names:
        return name, None
    if int(flags[0]) & _COMPLEX_FLAG:
        raise FileFormatError(f"variable {name!r} holds complex numbers")
    if array_class == _CELL:
        return name, _cell(parts, shape, n_values, order, depth)
    if array_class == _CHAR:
        return name, _text(parts, shape, n_values, order)
    if array_class not in _NUMERIC:
        raise FileFormatError(
            f"variable {name!r} holds neither numbers nor text nor cells (class {array_class})"
        )
    values = numbers()
    if len(values) != n_values:
        raise FileFormatError(f"an array of {n_values} values holds {len(values)}: the file is damaged")
    # MATLAB stores numbers in the smallest type that holds them; columns run fastest.
    return name, values.astype(_NUMERIC[array_class], copy=False).reshape(shape, order="F")


def _cell(
    parts: Iterator[tuple[int, memoryview]], shape: list[int], n_values: int, order: str, depth: int
) -> np.ndarray:
    if depth >= _MAX_DEPTH:
        raise FileFormatError("its cell arrays are nested too deep")
    found: list[Any] = []
    for kind, data in parts:
        if kind != _MATRIX or len(found) == n_values:
            raise FileFormatError("a cell array holds something else than its cells: the file is damaged")
        found.append(_matrix(data, order, depth + 1)[1])
    if len(found) != n_values:
        raise FileFormatError(f"a cell array of {n_values} cells holds {len(found)}: the file is damaged")
    cells = np.empty(n_values, dtype=object)
    for position, value in enumerate(found):  # one by one: NumPy would take equal arrays apart
        cells[position] = value
    return cells.reshape(shape, order="F")


def _text(parts: Iterator[tuple[int, memoryview]], shape: list[int], n_values: int, order: str) -> np.ndarray:
    kind, data = next(parts, (0, memoryview(b"")))
    if kind in _ENCODING:
        byte_order = "" if kind == 16 else ("-le" if order == "<" else "-be")
        letters = bytes(data).decode(_ENCODING[kind] + byte_order)
    elif kind in _STORAGE and kind in (1, 2, 3, 4):
        codes = np.frombuffer(
            data[: len(data) // 2 * 2] if kind in (3, 4) else data, dtype=order + _STORAGE[kind]
        )
        letters = "".join(map(chr, codes.astype(np.uint16).tolist()))
    else:
        raise FileFormatError(f"text has data of type {kind}: the file is damaged")
    if len(shape) != 2 or len(letters) != n_values:
        raise FileFormatError(f"a text of {n_values} letters holds {len(letters)}: the file is damaged")
    rows = shape[0]
    return np.array(["".join(letters[row::rows]) for row in range(rows)], dtype=np.str_)
