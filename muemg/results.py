"""Decomposition and Simulation: what separating a recording, and simulating one, returns.

They are frozen records of the two currencies, `Recording` and `SpikeTrains`, with what belongs to each unit.
They stand low in the package so that files can be read and written without loading a method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_count, check_instance, check_positive
from muemg.recording import Recording
from muemg.spikes import SpikeTrains

__all__ = ["Decomposition", "SeparationFilters", "Simulation"]


@dataclass(frozen=True, eq=False)
class SeparationFilters:
    """The linear filters that turn a recording into the sources of its motor units, ready to be applied anywhere.

    With the channels band-passed causally (Butterworth, second order, `low` to `high`), in volts, the source of
    unit u is a bank of finite impulse responses, s_u(t) = Σ_c Σ_r taps[u, c, r] x_c(t − r), of unit variance on the
    recording it was learned on. It peaks `lags[u]` samples after the unit's discharge.

    Parameters
    ----------
    taps : ndarray of float32, shape (n_units, n_used, n_taps)
        In 1/V; the first tap weighs the newest sample.
    responses : ndarray of float32, shape (n_units, n_used, n_taps)
        Mean of the band-passed channels at the peaks, x_c(t − r), in volts: taps = C⁻¹ responses, scaled.
    lags : ndarray of int64, shape (n_units,)
        In samples.
    spike_heights, background_heights : ndarray of float64, shape (n_units,)
        Mean of s·|s| at the discharges, and at the peaks that are none.
    thresholds : ndarray of float64, shape (n_units,)
        Height of s·|s| above which a peak is a discharge.
    channels : ndarray of int64, shape (n_used,)
        Which channels of the recording are used.
    n_channels : int
        Channels of the recording, unused ones included.
    covariance : ndarray of float32, shape (n_taps, n_used, n_used)
        E[x(t) xᵀ(t − r)] of the band-passed channels, V².
    noise_floor : float
        Added to the diagonal of the extended covariance, V².
    sampling_rate : float
        In Hz.
    low, high : float
        Edges of the causal band-pass in Hz.
    min_interval : float
        Least distance in seconds of two discharges of one unit.

    Raises
    ------
    InvalidArgumentError
        If the arrays do not fit each other.
    """

    taps: np.ndarray
    responses: np.ndarray
    lags: np.ndarray
    spike_heights: np.ndarray
    background_heights: np.ndarray
    thresholds: np.ndarray
    channels: np.ndarray
    n_channels: int
    covariance: np.ndarray
    noise_floor: float
    sampling_rate: float
    low: float = 20.0
    high: float = 500.0
    min_interval: float = 10e-3

    def __post_init__(self) -> None:
        for name in ("taps", "responses", "covariance"):
            object.__setattr__(self, name, _frozen_float32(name, getattr(self, name), 3))
        for name, kind in (("lags", np.int64), ("channels", np.int64), ("spike_heights", np.float64)):
            object.__setattr__(self, name, _frozen_vector(name, getattr(self, name), kind))
        for name in ("background_heights", "thresholds"):
            object.__setattr__(self, name, _frozen_vector(name, getattr(self, name), np.float64))
        n_units, n_used, n_taps = self.taps.shape
        wanted = {
            "responses": (n_units, n_used, n_taps),
            "covariance": (n_taps, n_used, n_used),
            "channels": (n_used,),
        } | dict.fromkeys(("lags", "spike_heights", "background_heights", "thresholds"), (n_units,))
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise InvalidArgumentError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")
        for name in ("sampling_rate", "low", "high", "min_interval"):
            object.__setattr__(self, name, check_positive(name, getattr(self, name)))
        object.__setattr__(self, "noise_floor", check_positive("noise_floor", self.noise_floor, "V²"))
        object.__setattr__(self, "n_channels", check_count("n_channels", self.n_channels))
        if n_used and not 0 <= self.channels.min() <= self.channels.max() < self.n_channels:
            raise InvalidArgumentError(f"channels must lie in 0..{self.n_channels - 1}, got {self.channels}")

    def __len__(self) -> int:
        return len(self.taps)

    def select_units(self, units: npt.ArrayLike) -> SeparationFilters:
        """The filters of some units (indices or a boolean mask), in the order given."""
        keep = np.asarray(units) if len(np.atleast_1d(units)) else np.zeros(0, dtype=np.int64)
        return replace(self, **{name: getattr(self, name)[keep] for name in _PER_UNIT})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SeparationFilters):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, item.name), getattr(other, item.name)) for item in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        n_units, n_used, n_taps = self.taps.shape
        return f"<SeparationFilters: {n_units} units, {n_used} channels × {n_taps} taps>"


_PER_UNIT = ("taps", "responses", "lags", "spike_heights", "background_heights", "thresholds")


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
    filters : SeparationFilters, optional
        What decodes further recordings of the same units; `muemg.learn_filters` makes them.
    history : tuple of mappings
        Edits by hand, first to last, as `muemg.Editor` keeps them: JSON values and arrays by name.
    anatomy : Table, one row per unit, optional
        Where each unit lies and how fast it conducts, with intervals, in SI units: what BMISS adds.

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
    filters: SeparationFilters | None = None
    history: tuple[Mapping[str, Any], ...] = ()
    anatomy: Table | None = None

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
        object.__setattr__(self, "history", tuple(self.history))
        if self.filters is not None:
            check_instance("filters", self.filters, SeparationFilters)
            if len(self.filters) != n_units:
                raise InvalidArgumentError(
                    f"filters must be those of the {n_units} units, got {len(self.filters)}"
                )
        if self.anatomy is not None and self.anatomy.columns and self.anatomy.n_rows != n_units:
            raise InvalidArgumentError(
                f"anatomy must have one row for each of the {n_units} units, got {self.anatomy.n_rows}"
            )

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
            filters=None if self.filters is None else self.filters.select_units(keep),
            anatomy=None if self.anatomy is None else self.anatomy.select(keep),
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
            and self.filters == other.filters
            and _same(self.history, other.history)
            and self.anatomy == other.anatomy
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


def _frozen_vector(name: str, values: npt.ArrayLike, kind: type) -> np.ndarray:
    array: np.ndarray = np.array(values, dtype=kind)
    if array.ndim != 1:
        raise InvalidArgumentError(f"{name} must have one dimension, got shape {array.shape}")
    array.flags.writeable = False
    return array


def _same(one: Any, other: Any) -> bool:
    """Whether two nests of mappings, sequences and arrays hold the same."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        a, b = np.asarray(one), np.asarray(other)
        return np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f")
    return bool(one == other)
