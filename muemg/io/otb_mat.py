"""The ``.mat`` that OTBioLab+ exports: EMG, force, and the vendor's decomposition kept apart.

One matrix holds everything, a column per track; `Description` names each column and, in brackets, its unit.
MATLAB 5 files and, as HDF5, MATLAB 7.3 files have the same five variables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forward_models import ElectrodeArray
from muemg._table import Table
from muemg.errors import FileFormatError
from muemg.io._contents import Contents
from muemg.io._mat5 import load
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["read", "recognises"]

_VARIABLES = ("Data", "Description", "SamplingFrequency", "Time")
_VOLTS_PER = {"V": 1.0, "mV": 1e-3, "uV": 1e-6, "µV": 1e-6, "μV": 1e-6, "nV": 1e-9}
_LABEL = re.compile(r"^(?P<label>.*?)\s*(?:\((?P<number>\d+)\))?\s*\[(?P<unit>[^\]]*)\]\s*$", re.DOTALL)
_GRID_CODE = re.compile(r"\b(?:GR|HD)\d{2}MM\d{4}\b")


@dataclass(frozen=True)
class _Column:
    """One track: its index in the matrix, what it is, and how its description reads."""

    index: int
    role: str  # "emg", "firing", "source", "force", "path" or "other"
    label: str
    number: int | None
    unit: str

    @property
    def grid(self) -> str:
        """The vendor's grid code in the label, or nothing."""
        match = _GRID_CODE.search(self.label)
        return match.group() if match else ""


def recognises(head: bytes) -> bool:
    """Whether these are the first bytes of a MATLAB 5 or 7.3 file."""
    return head.startswith((b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"))


def read(path: Path) -> Contents:
    """Read an export of OTBioLab+."""
    with open(path, "rb") as stream:
        is_hdf5 = stream.read(10) == b"MATLAB 7.3"
    variables = _load_hdf5(path) if is_hdf5 else load(path, _VARIABLES)
    missing = [name for name in _VARIABLES[:3] if name not in variables]
    if missing:
        raise FileFormatError(
            f"it is a MATLAB file, but not an export of OTBioLab+: it has no variable {', '.join(missing)}"
        )
    data = _matrix(variables["Data"])
    columns = [_parse(index, text) for index, text in enumerate(_texts(variables["Description"]))]
    if len(columns) != data.shape[1]:
        raise FileFormatError(f"Description names {len(columns)} tracks, Data has {data.shape[1]}")
    rates = np.unique(np.concatenate([np.ravel(rate) for rate in _cells(variables["SamplingFrequency"])]))
    if len(rates) != 1:
        raise FileFormatError(f"SamplingFrequency must be one number, got {rates.tolist()}")
    rate = float(rates[0])

    metadata: dict[str, Any] = {"source": "OTBioLab+"}
    if "Time" in variables:
        # A cut-out keeps the times of the whole recording; sample 0 of what is returned lies at this one.
        metadata["start_time_s"] = float(np.ravel(_cells(variables["Time"])[0])[0])
    recording = _recording(data, columns, rate, metadata)
    spikes, decomposition = _vendor_units(data, columns, rate, recording.n_channels)
    return Contents(recording=recording, spikes=spikes, decomposition=decomposition)


# ---------------------------------------------------------------------- signal and force


def _recording(data: np.ndarray, columns: list[_Column], rate: float, metadata: dict[str, Any]) -> Recording:
    emg = [column for column in columns if column.role == "emg"]
    if any(column.grid for column in emg):
        # Beside a grid, other tracks in volts are auxiliary inputs.
        emg = [column for column in emg if column.grid]
    if not emg:
        raise FileFormatError("no track is an EMG signal: none has a unit of volts in its description")
    scale = np.array([_VOLTS_PER[column.unit] for column in emg], dtype=np.float64)
    signal = np.ascontiguousarray((data[:, [column.index for column in emg]] * scale).T, dtype=np.float32)
    signal.flags.writeable = False

    auxiliary: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}
    for column in columns:
        if column.role in ("firing", "source") or column in emg:
            continue
        name = {"force": "force", "path": "performed_path"}.get(column.role, _name(column))
        while name in auxiliary:
            name += "'"
        auxiliary[name] = data[:, column.index].astype(np.float64)
        units[name] = column.unit
    if units:
        metadata["auxiliary_units"] = units
    labels = sorted({column.label for column in emg})
    metadata["emg_labels"] = labels
    numbered = len(labels) == 1 and all(column.number is not None for column in emg)
    names = [str(column.number) if numbered else _name(column) for column in emg]
    if len(set(names)) != len(names):
        names = [f"track {column.index}" for column in emg]
    return Recording(signal, rate, _electrodes(emg), auxiliary, tuple(names), metadata)


def _electrodes(emg: list[_Column]) -> ElectrodeArray | None:
    """The grid, if all channels lie on one that is known; channels that were not exported are left out."""
    if len({column.label for column in emg}) != 1 or emg[0].grid not in ElectrodeArray.codes():
        return None
    array = ElectrodeArray.from_code(emg[0].grid)
    numbers = [column.number for column in emg]
    if any(number is None or not 1 <= number <= len(array) for number in numbers):
        return None
    positions = [number - 1 for number in numbers if number is not None]
    return array if positions == list(range(len(array))) else array.select(positions)


# ---------------------------------------------------------------------- the vendor's motor units


def _vendor_units(
    data: np.ndarray, columns: list[_Column], rate: float, n_channels: int
) -> tuple[SpikeTrains | None, Decomposition | None]:
    """The firings as they were exported, and, if there are as many sources, both as a decomposition."""
    firing = [column for column in columns if column.role == "firing"]
    if not firing:
        return None, None
    binary = data[:, [column.index for column in firing]]
    if not np.isin(binary, (0, 1)).all():
        raise FileFormatError("the tracks of the vendor's decomposition must be 0 or 1 at every sample")
    spikes = SpikeTrains.from_dense(binary.T, rate)
    chosen = [column for column in columns if column.role == "source"]
    if len(chosen) != len(firing):
        return spikes, None
    sources = data[:, [column.index for column in chosen]].T.astype(np.float32)
    lead = _source_lead(sources, spikes)
    n_units = len(spikes)
    unknown = np.full(n_units, np.nan)
    decomposition = Decomposition(
        spikes,
        _later(sources, lead),
        np.zeros((n_units, n_channels, 0)),
        Table(
            {
                "sil": unknown,
                "pnr": unknown,
                "cov_isi": unknown,
                "rate": unknown,
                "n_spikes": spikes.n_spikes,
                "accepted": np.ones(n_units, dtype=bool),
            }
        ),
        parameters={
            "method": "OTBioLab+",
            "labels": [f"{column.label} ({column.number})" for column in firing],
            "source_lead_samples": lead,
        },
        notes=(
            "the vendor's export holds no MUAPs and no quality measures",
            f"the vendor's sources peak {lead} samples before its firings; they were delayed by that much",
        ),
    )
    return spikes, decomposition


def _source_lead(sources: np.ndarray, spikes: SpikeTrains, largest: int = 64) -> int:
    """How many samples the sources peak before the firings, the same for all units; 0 if that is unclear."""
    profile = np.zeros(2 * largest + 1)
    for source, train in zip(sources, spikes):
        inside = train[(train >= largest) & (train < len(source) - largest)]
        if len(inside):
            windows = source[inside[:, None] + np.arange(-largest, largest + 1)]
            profile += windows.mean(axis=0) / (np.abs(source).max() or 1.0)
    best = int(np.argmax(profile))
    return largest - best if profile[best] > 0 else 0


def _later(sources: np.ndarray, lead: int) -> np.ndarray:
    """The sources moved `lead` samples later, zero where nothing is known."""
    moved = np.zeros_like(sources)
    if lead >= 0:
        moved[:, lead:] = sources[:, : sources.shape[1] - lead]
    else:
        moved[:, :lead] = sources[:, -lead:]
    return moved


# ---------------------------------------------------------------------- descriptions and MATLAB variables


def _parse(index: int, text: str) -> _Column:
    match = _LABEL.match(text)
    label, number, unit = (text, None, "") if match is None else match.group("label", "number", "unit")
    if "Source for decomposition" in text:
        role = "source"
    elif "Decomposition of" in text:
        role = "firing"
    elif "acquired data" in text:
        role = "force"
    elif "performed path" in text:
        role = "path"
    else:
        role = "emg" if unit.strip() in _VOLTS_PER else "other"
    return _Column(index, role, label.strip(), None if number is None else int(number), unit.strip())


def _name(column: _Column) -> str:
    label = column.label or f"track {column.index}"
    return label if column.number is None else f"{label} ({column.number})"


def _cells(value: Any) -> list[np.ndarray]:
    """The arrays of a MATLAB cell array, or the one array that stands without a cell."""
    array = np.asarray(value)
    return [np.asarray(cell) for cell in array.ravel()] if array.dtype == object else [array]


def _matrix(value: Any) -> np.ndarray:
    """The tracks, shape (n_samples, n_tracks)."""
    blocks = [block for block in _cells(value) if block.size]
    if not blocks or any(block.ndim != 2 or block.dtype.kind not in "fiu" for block in blocks):
        raise FileFormatError("Data must be a matrix of numbers, a column per track")
    if len({len(block) for block in blocks}) > 1:
        raise FileFormatError("the tracks of Data differ in length")
    return blocks[0] if len(blocks) == 1 else np.hstack(blocks)


def _texts(value: Any) -> list[str]:
    array = np.asarray(value)
    if array.dtype == object:
        return [str(np.ravel(cell)[0]) if np.size(cell) else "" for cell in array.ravel()]
    if array.dtype.kind != "U":
        raise FileFormatError("Description must be text, one per track")
    return [str(text) for text in array.ravel()]


def _load_hdf5(path: Path) -> dict[str, Any]:
    """The variables of a MATLAB 7.3 file; HDF5 lists dimensions in the opposite order of MATLAB."""
    import h5py

    with h5py.File(path, "r") as file:

        def value(dataset: h5py.Dataset) -> np.ndarray:
            if dataset.attrs.get("MATLAB_empty", 0):
                return np.zeros((0, 0))
            if dataset.dtype == h5py.ref_dtype:
                cells = np.empty(dataset.shape, dtype=object)
                for position in np.ndindex(dataset.shape):
                    cells[position] = value(file[dataset[position]])
                return cells.T
            array = np.asarray(dataset[()]).T
            if dataset.attrs.get("MATLAB_class", b"") in (b"char", "char"):
                return np.array(["".join(map(chr, row)) for row in np.atleast_2d(array)])
            return array

        return {name: value(file[name]) for name in _VARIABLES if isinstance(file.get(name), h5py.Dataset)}
