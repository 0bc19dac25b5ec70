"""SpikeTrains: what a pool of motor neurons gives, or what a decomposition found.

Per motor unit the sorted sample indices of its discharges, on the clock of the recording they belong to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_positive
from muemg.recording import _as_index, time_window

__all__ = ["SpikeTrains"]


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Discharge times of several motor units as sample indices.

    Parameters
    ----------
    samples : sequence of array_like of int
        One strictly increasing sequence of sample indices per unit, each in 0 … n_samples − 1; a unit
        without discharges is an empty one.
    sampling_rate : float
        In Hz.
    n_samples : int
        Length of the recording in samples.
    unit_ids : sequence of int or str, optional
        Names of the units, by default 0, 1, 2, …; the position in the sequence is the index.

    Raises
    ------
    InvalidArgumentError
        If a spike lies outside the recording, a train is not strictly increasing, or ids repeat.
    """

    samples: tuple[np.ndarray, ...]
    sampling_rate: float
    n_samples: int
    unit_ids: tuple[int | str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "sampling_rate", check_positive("sampling_rate", self.sampling_rate, "Hz"))
        object.__setattr__(self, "n_samples", check_count("n_samples", self.n_samples))
        if isinstance(self.samples, np.ndarray) and self.samples.ndim != 1 and self.samples.dtype != object:
            raise InvalidArgumentError(
                "samples must be one sequence of sample indices per unit; for a binary matrix use "
                "SpikeTrains.from_dense"
            )
        trains = tuple(_as_train(i, train, self.n_samples) for i, train in enumerate(self.samples))
        object.__setattr__(self, "samples", trains)
        ids = tuple(
            int(unit) if isinstance(unit, int | np.integer) else str(unit) for unit in self.unit_ids
        ) or tuple(range(len(trains)))
        if len(ids) != len(trains) or len(set(ids)) != len(ids):
            raise InvalidArgumentError(f"unit_ids must be {len(trains)} different names, got {list(ids)}")
        object.__setattr__(self, "unit_ids", ids)

    # ------------------------------------------------------------------ constructors

    @classmethod
    def from_times(cls, times: Iterable[npt.ArrayLike], sampling_rate: float, n_samples: int) -> SpikeTrains:
        """Trains from discharge times in seconds, each rounded to the nearest sample."""
        rate = check_positive("sampling_rate", sampling_rate, "Hz")
        rounded = [np.rint(np.asarray(train, dtype=np.float64) * rate) for train in times]
        return cls(tuple(rounded), rate, n_samples)

    @classmethod
    def from_dense(cls, matrix: npt.ArrayLike, sampling_rate: float) -> SpikeTrains:
        """Trains from an array of shape (n_units, n_samples) that is non-zero where a unit discharges."""
        dense = np.asarray(matrix)
        if dense.ndim != 2:
            raise InvalidArgumentError(f"matrix must have shape (n_units, n_samples), got {dense.shape}")
        return cls(tuple(np.flatnonzero(row) for row in dense), sampling_rate, dense.shape[1])

    # ------------------------------------------------------------------ views

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.samples[index]

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.samples)

    @property
    def n_units(self) -> int:
        """Number of motor units."""
        return len(self.samples)

    @property
    def n_spikes(self) -> np.ndarray:
        """Number of discharges of each unit, shape (n_units,)."""
        return np.array([len(train) for train in self.samples], dtype=np.int64)

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate

    def times(self, index: int) -> np.ndarray:
        """Discharge times of one unit in seconds."""
        return self.samples[index] / self.sampling_rate

    def to_dense(self) -> np.ndarray:
        """Array of uint8, shape (n_units, n_samples), 1 where a unit discharges."""
        dense = np.zeros((len(self), self.n_samples), dtype=np.uint8)
        for row, train in zip(dense, self.samples):
            row[train] = 1
        return dense

    # ------------------------------------------------------------------ slices

    def time_slice(self, start: float = 0.0, stop: float | None = None) -> SpikeTrains:
        """The discharges from `start` (included) to `stop` (excluded), in seconds, counted from `start`."""
        first, last = time_window(start, stop, self.sampling_rate, self.n_samples)
        cut = tuple(
            train[np.searchsorted(train, first) : np.searchsorted(train, last)] - first for train in self
        )
        return SpikeTrains(cut, self.sampling_rate, last - first, self.unit_ids)

    def select_units(self, units: npt.ArrayLike) -> SpikeTrains:
        """The trains of some units (indices or a boolean mask), in the order given; ids stay with them."""
        keep = _as_index("units", units, len(self))
        return SpikeTrains(
            tuple(self.samples[i] for i in keep),
            self.sampling_rate,
            self.n_samples,
            tuple(self.unit_ids[i] for i in keep),
        )

    # ------------------------------------------------------------------ comparison and display

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpikeTrains):
            return NotImplemented
        return (
            self.sampling_rate == other.sampling_rate
            and self.n_samples == other.n_samples
            and self.unit_ids == other.unit_ids
            and all(np.array_equal(a, b) for a, b in zip(self.samples, other.samples))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = self.n_spikes
        spread = f", {counts.min()}–{counts.max()} spikes each" if len(self) else ""
        return (
            f"<SpikeTrains: {len(self)} units × {self.duration:.4g} s at {self.sampling_rate:g} Hz{spread}>"
        )


def _as_train(unit: int, train: npt.ArrayLike | Sequence[int], n_samples: int) -> np.ndarray:
    """One unit's sample indices as a read-only, checked int64 array."""
    values = np.asarray(train)
    if values.ndim != 1:
        raise InvalidArgumentError(f"samples[{unit}] must have one dimension, got shape {values.shape}")
    if values.size == 0:
        values = values.astype(np.int64)
    if np.issubdtype(values.dtype, np.floating):
        if not np.array_equal(values, np.rint(values)):
            raise InvalidArgumentError(
                f"samples[{unit}] must be whole sample indices; for times in seconds use SpikeTrains.from_times"
            )
    elif not np.issubdtype(values.dtype, np.integer):
        raise InvalidArgumentError(f"samples[{unit}] must be integers, got {values.dtype}")
    indices = values.astype(np.int64)
    if indices.size and (indices.min() < 0 or indices.max() >= n_samples):
        raise InvalidArgumentError(
            f"samples[{unit}] must lie in 0..{n_samples - 1}, got {indices.min()}..{indices.max()}"
        )
    if np.any(np.diff(indices) <= 0):
        raise InvalidArgumentError(f"samples[{unit}] must be strictly increasing")
    indices.flags.writeable = False
    return indices
