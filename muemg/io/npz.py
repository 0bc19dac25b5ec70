"""NumPy ``.npz``: the native tree as plain arrays without pickle, and other tools' ``emg`` with ``fs``."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from muemg.errors import FileFormatError
from muemg.io._contents import Contents
from muemg.io._tree import Tree, contents_from_tree, tree_from_contents
from muemg.recording import Recording

__all__ = ["read", "recognises", "write"]

FORMAT_VERSION = 1
_MARK = "muemg_format_version"

# Accepted names, and volts per unit, of arrays that other tools wrote.
_SIGNAL_KEYS = ("emg", "signal")
_RATE_KEYS = ("fs", "sampling_rate", "fsamp")
_UNITS = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6}


def recognises(head: bytes) -> bool:
    """Whether these are the first bytes of a zip archive, which is what an ``.npz`` is."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read(path: Path) -> Contents:
    """Read an ``.npz`` of muemg, or one that holds a signal and its sampling rate."""
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        if not names:
            raise FileFormatError("it is a zip archive that holds no NumPy arrays")
        arrays = {}
        for name in names:
            with archive.open(f"{name}.npy") as member:
                arrays[name] = np.lib.format.read_array(member, allow_pickle=False)
    return _own(arrays) if _MARK in arrays else _foreign(arrays)


def _own(arrays: dict[str, np.ndarray]) -> Contents:
    version = arrays.pop(_MARK)
    if version.shape != () or version.dtype.kind not in "iu":
        raise FileFormatError(f"{_MARK} must be one integer")
    if int(version) > FORMAT_VERSION:
        raise FileFormatError(
            f"it has format version {version}, this muemg reads up to {FORMAT_VERSION}; "
            "upgrade muemg to read it"
        )
    tree: Tree = {}
    for name, array in arrays.items():
        *groups, leaf = name.split("/")
        branch = tree
        for group in groups:
            inner = branch.setdefault(group, {})
            if not isinstance(inner, dict):
                raise FileFormatError(f"{group!r} is both an array and a group")
            branch = inner
        branch[leaf] = str(array) if array.dtype.kind == "U" else array
    return contents_from_tree(tree)


def _foreign(arrays: dict[str, np.ndarray]) -> Contents:
    signal = next((arrays[key] for key in _SIGNAL_KEYS if key in arrays), None)
    rate = next((arrays[key] for key in _RATE_KEYS if key in arrays), None)
    if signal is None or rate is None:
        missing = "signal" if signal is None else "sampling rate"
        raise FileFormatError(
            f"it holds no {missing}: the accepted keys are {' or '.join(map(repr, _SIGNAL_KEYS))} (channels, "
            f"samples) in volts with {' or '.join(map(repr, _RATE_KEYS))} in Hz, and 'unit' if not volts; "
            f"it holds {', '.join(map(repr, arrays))}"
        )
    if rate.size != 1 or rate.dtype.kind not in "iuf":
        raise FileFormatError(f"the sampling rate must be one number, got {rate.dtype} of shape {rate.shape}")
    metadata: dict[str, str] = {}
    scale = 1.0
    if "unit" in arrays:
        unit = str(arrays["unit"])
        if unit not in _UNITS:
            raise FileFormatError(f"unit must be one of {', '.join(_UNITS)}, got {unit!r}")
        scale = _UNITS[unit]
    else:
        metadata["unit"] = "V (assumed; the file does not say)"
    if scale != 1.0 and signal.dtype.kind in "iuf":
        signal = signal * scale
    return Contents(recording=Recording(signal, rate.item(), metadata=metadata))


def write(stream: BinaryIO, contents: Contents) -> None:
    """Write the contents as an uncompressed ``.npz``."""
    arrays: dict[str, np.ndarray] = {_MARK: np.array(FORMAT_VERSION)}
    _flatten("", tree_from_contents(contents), arrays)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            # A ZipInfo of its own carries the zip epoch instead of the time of writing.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _flatten(prefix: str, tree: Tree, arrays: dict[str, np.ndarray]) -> None:
    for name, value in tree.items():
        if isinstance(value, dict):
            _flatten(f"{prefix}{name}/", value, arrays)
        else:
            arrays[f"{prefix}{name}"] = np.asarray(value)
