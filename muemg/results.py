"""Decomposition and Simulation: what separating a recording, and simulating one, returns.

Both are frozen records of the two currencies, `Recording` and `SpikeTrains`, with what belongs to each unit.
They stand low in the package so that files can be read and written without loading a method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError
from muemg.recording import Recording
from muemg.spikes import SpikeTrains

__all__ = ["Decomposition", "Simulation"]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Motor units found in a recording.

    Parameters
    ----------
    spikes : SpikeTrains
        Discharges of the units, on the clock of the recording.
    sources : ndarray of float32, shape (n_units, n_samples)
        Innervation pulse train of each unit: the output of its separation filter, without unit, positive at
        its discharges.
    muaps : ndarray of float32, shape (n_units, n_channels, n_lags)
        Motor-unit action potentials in volts on every channel of the recording; not-a-number on excluded
        channels.
    quality : Table, one row per unit
        ``sil`` (silhouette), ``pnr`` (dB), ``cov_isi``, ``rate`` (mean discharge rate, Hz), ``n_spikes`` and
        ``accepted``.
    muap_offset : int
        Sample within a MUAP at which its discharge lies.
    excluded_channels : mapping of int to str
        Channels left out, with the reason.
    parameters : mapping of str to JSON values
        Method, its parameters, seed and versions: what it takes to make this again.
    notes : tuple of str
        What a person should know about the run: exclusions, limits reached, lack of convergence.

    Raises
    ------
    InvalidArgumentError
        If the arrays do not agree about the number of units or samples.
    """

    spikes: SpikeTrains
    sources: np.ndarray
    muaps: np.ndarray
    quality: Table
    muap_offset: int = 0
    excluded_channels: Mapping[int, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sources = _frozen_float32("sources", self.sources, 2)
        muaps = _frozen_float32("muaps", self.muaps, 3)
        n_units = len(self.spikes)
        rows = self.quality.n_rows if self.quality.columns else n_units
        if not (len(sources) == len(muaps) == rows == n_units):
            raise InvalidArgumentError(
                f"spikes, sources, muaps and quality must describe the same units, got {n_units}, "
                f"{len(sources)}, {len(muaps)} and {rows}"
            )
        if n_units and sources.shape[1] != self.spikes.n_samples:
            raise InvalidArgumentError(
                f"sources must have the {self.spikes.n_samples} samples of the spikes, got {sources.shape[1]}"
            )
        object.__setattr__(self, "sources", sources)
        object.__setattr__(self, "muaps", muaps)
        excluded = {int(channel): str(reason) for channel, reason in self.excluded_channels.items()}
        object.__setattr__(self, "excluded_channels", excluded)
        object.__setattr__(self, "notes", tuple(self.notes))

    def __len__(self) -> int:
        return len(self.spikes)

    @property
    def n_units(self) -> int:
        """Number of motor units."""
        return len(self.spikes)

    def select_units(self, units: npt.ArrayLike) -> Decomposition:
        """The decomposition restricted to some units (indices or a boolean mask), in the order given."""
        spikes = self.spikes.select_units(units)
        keep = np.asarray(units) if len(np.atleast_1d(units)) else np.zeros(0, dtype=np.int64)
        return replace(
            self,
            spikes=spikes,
            sources=self.sources[keep],
            muaps=self.muaps[keep],
            quality=self.quality.select(keep),
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decomposition):
            return NotImplemented
        return (
            self.spikes == other.spikes
            and np.array_equal(self.sources, other.sources, equal_nan=True)
            and np.array_equal(self.muaps, other.muaps, equal_nan=True)
            and self.quality == other.quality
            and self.muap_offset == other.muap_offset
            and self.excluded_channels == other.excluded_channels
            and dict(self.parameters) == dict(other.parameters)
            and self.notes == other.notes
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        method = self.parameters.get("method", "unknown method")
        head = f"<Decomposition by {method}: {len(self)} motor units × {self.spikes.duration:.4g} s>"
        return f"{head}\n{self.quality}" if len(self) else head


@dataclass(frozen=True, eq=False)
class Simulation:
    """A synthetic recording and everything that made it.

    Parameters
    ----------
    recording : Recording
        What the electrodes saw, noise included.
    spikes : SpikeTrains
        The true discharges of every motor unit, recruited or not.
    muaps : ndarray of float32, shape (n_units, n_channels, n_lags)
        True motor-unit action potentials in volts, before filtering and noise.
    motor_units : Table, one row per unit
        Anatomy and physiology of each unit in SI units: recruitment threshold, position, depth, innervation
        zone, conduction velocity, number of fibres, and so on.
    muap_offset : int
        Sample within a MUAP at which its discharge lies.
    parameters : mapping of str to JSON values
        Scenario, seed and versions.

    Raises
    ------
    InvalidArgumentError
        If the arrays do not agree about the number of units, channels or samples.
    """

    recording: Recording
    spikes: SpikeTrains
    muaps: np.ndarray
    motor_units: Table
    muap_offset: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        muaps = _frozen_float32("muaps", self.muaps, 3)
        if not (len(muaps) == len(self.spikes) == self.motor_units.n_rows):
            raise InvalidArgumentError(
                f"spikes, muaps and motor_units must describe the same units, got {len(self.spikes)}, "
                f"{len(muaps)} and {self.motor_units.n_rows}"
            )
        if muaps.shape[1] != self.recording.n_channels:
            raise InvalidArgumentError(
                f"muaps must have the {self.recording.n_channels} channels of the recording, got {muaps.shape[1]}"
            )
        if self.spikes.n_samples != self.recording.n_samples:
            raise InvalidArgumentError("spikes must have the length of the recording")
        object.__setattr__(self, "muaps", muaps)

    def __len__(self) -> int:
        return len(self.spikes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Simulation):
            return NotImplemented
        return (
            self.recording == other.recording
            and self.spikes == other.spikes
            and np.array_equal(self.muaps, other.muaps)
            and self.motor_units == other.motor_units
            and self.muap_offset == other.muap_offset
            and dict(self.parameters) == dict(other.parameters)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        active = int(np.count_nonzero(self.spikes.n_spikes))
        return f"<Simulation: {len(self)} motor units, {active} active; {self.recording!r}>"


def _frozen_float32(name: str, values: npt.ArrayLike, n_dimensions: int) -> np.ndarray:
    array = np.array(values, dtype=np.float32)
    if array.ndim != n_dimensions:
        raise InvalidArgumentError(f"{name} must have {n_dimensions} dimensions, got shape {array.shape}")
    array.flags.writeable = False
    return array
