"""Coherence of motor units: at which frequencies the spinal cord sends the same to all of them.

Spectra are averaged over Hann-tapered segments (Welch 1967). The spectrum of a sum of trains is the sum of the
spectra and cross-spectra of its trains, so that all pairs, and all ways of dividing the pool into two halves,
come from one Fourier transform per unit and segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_count, check_instance, check_positive
from muemg.spikes import SpikeTrains

__all__ = ["BANDS", "Coherence", "pairwise_coherence", "pooled_coherence"]

BANDS = {"delta": (1.0, 5.0), "alpha": (5.0, 15.0), "beta": (15.0, 35.0), "gamma": (35.0, 60.0)}


@dataclass(frozen=True, eq=False)
class Coherence:
    """Magnitude-squared coherence.

    Attributes
    ----------
    frequencies : ndarray, shape (n_frequencies,)
        In Hz.
    values : ndarray, shape (n_frequencies,)
        0 … 1; not-a-number where a spectrum vanishes.
    n_segments : float
        Effective number of independent segments.
    """

    frequencies: np.ndarray
    values: np.ndarray
    n_segments: float

    def limit(self, level: float = 0.95) -> float:
        """What independent trains exceed at a frequency with probability 1 − `level`: 1 − (1 − level)^(1/(L − 1)).

        L is the number of segments (Rosenberg, Amjad, Breeze, Brillinger & Halliday 1989,
        10.1016/0079-6107(89)90004-7). Of a pooled coherence it is an upper bound on chance: pooling averages over
        dependent divisions.
        """
        if not 0 < level < 1:
            raise InvalidArgumentError(f"level must lie between 0 and 1, got {level!r}")
        if self.n_segments <= 1:
            return 1.0
        return float(1 - (1 - level) ** (1 / (self.n_segments - 1)))

    @property
    def z(self) -> np.ndarray:
        """Fisher's z of the coherence, √(2L) · artanh √C, of unit variance where the coherence is not near 0."""
        return np.sqrt(2 * self.n_segments) * np.arctanh(np.sqrt(np.minimum(self.values, 1 - 1e-15)))

    def bands(self, bands: dict[str, tuple[float, float]] | None = None, *, level: float = 0.95) -> Table:
        """Mean and peak of the coherence in frequency bands.

        Parameters
        ----------
        bands : dict of str to (float, float), optional
            From (included) and to (excluded) in Hz, by default `BANDS`.
        level : float
            Of the limit.

        Returns
        -------
        Table, one row per band
            ``band``, ``low``, ``high``, ``mean``, ``peak``, ``peak_frequency``, ``share_above``: the share of
            frequencies above the limit. A band without frequencies has not-a-numbers.
        """
        rows: dict[str, list[object]] = {name: [] for name in _BAND_COLUMNS}
        for name, (low, high) in (BANDS if bands is None else bands).items():
            inside = (self.frequencies >= low) & (self.frequencies < high) & np.isfinite(self.values)
            values = self.values[inside]
            measured: tuple[float, ...] = (np.nan,) * 4
            if len(values):
                top = int(values.argmax())
                above = float(np.mean(values > self.limit(level)))
                measured = (
                    float(values.mean()),
                    float(values[top]),
                    float(self.frequencies[inside][top]),
                    above,
                )
            for column, value in zip(_BAND_COLUMNS, (name, low, high, *measured)):
                rows[column].append(value)
        return Table(rows)  # type: ignore[arg-type]


_BAND_COLUMNS = ("band", "low", "high", "mean", "peak", "peak_frequency", "share_above")


def pairwise_coherence(
    spikes: SpikeTrains,
    *,
    segment: float = 1.0,
    overlap: float = 0.5,
    max_frequency: float = 100.0,
    resolution: float = 0.1,
) -> tuple[Coherence, np.ndarray]:
    """Coherence of all pairs of motor units, and pooled over the pairs.

    Parameters
    ----------
    spikes : SpikeTrains
        At least two units; those without discharges are left out.
    segment : float
        Length in seconds of a segment: frequencies closer than about 2 / `segment` are not told apart.
    overlap : float
        Share of a segment that the next one overlaps, 0 ≤ overlap < 1.
    max_frequency : float
        Highest frequency in Hz.
    resolution : float
        Distance in Hz of the frequencies given, reached by zeros behind each segment.

    Returns
    -------
    pooled : Coherence
        |Σ S_xy|² / (Σ S_xx Σ S_yy), the sums over all pairs (Amjad, Halliday, Rosenberg & Conway 1997,
        10.1016/S0165-0270(96)02214-5). Each pair counts in both orders, so that the estimate does not depend on
        the order of the units: of the cross-spectra the real part remains.
    pairs : ndarray, shape (n_units, n_units, n_frequencies)
        Of each pair; 1 on the diagonal, not-a-number for units without discharges.

    Raises
    ------
    InvalidArgumentError
        If fewer than two units discharge, the recording is shorter than two segments, or a parameter is out of range.
    """
    spectra, frequencies, n_segments, active = _cross_spectra(
        spikes, segment, overlap, max_frequency, resolution
    )
    power = np.einsum("fuu->fu", spectra).real
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.abs(spectra) ** 2 / (power[:, :, None] * power[:, None, :])
        n = len(active)
        cross = (spectra.sum(axis=(1, 2)) - power.sum(axis=1)).real
        pooled = (cross / ((n - 1) * power.sum(axis=1))) ** 2
    pairs = np.full((len(spikes), len(spikes), len(frequencies)), np.nan)
    pairs[np.ix_(active, active)] = np.moveaxis(each, 0, 2)
    return Coherence(frequencies, pooled, n_segments), pairs


def pooled_coherence(
    spikes: SpikeTrains,
    *,
    n_units_each: int | None = None,
    n_divisions: int = 100,
    segment: float = 1.0,
    overlap: float = 0.5,
    max_frequency: float = 100.0,
    resolution: float = 0.1,
    seed: int = 0,
) -> Coherence:
    """Coherence of two cumulative spike trains, pooled over random divisions of the pool into two groups.

    The more units a cumulative spike train sums, the more of the common input and the less of each unit's own
    noise it holds (Negro & Farina 2012, 10.1371/journal.pone.0044894).

    Parameters
    ----------
    spikes : SpikeTrains
        At least two units; those without discharges are left out.
    n_units_each : int, optional
        Units in each group; by default half of them.
    n_divisions : int
        Number of random divisions; where there are no more different ones, each is taken once.
    segment, overlap, max_frequency, resolution
        As for `pairwise_coherence`.
    seed : int
        Of the divisions.

    Returns
    -------
    Coherence
        |Σ S_xy|² / (Σ S_xx Σ S_yy), the sums over the divisions.

    Raises
    ------
    InvalidArgumentError
        As for `pairwise_coherence`, or if a group would hold more than half of the units.
    """
    spectra, frequencies, n_segments, active = _cross_spectra(
        spikes, segment, overlap, max_frequency, resolution
    )
    half = len(active) // 2
    size = half if n_units_each is None else check_count("n_units_each", n_units_each)
    if size > half:
        raise InvalidArgumentError(
            f"n_units_each must be at most half of the {len(active)} active units, got {size}"
        )
    one, other = _divisions(len(active), size, check_count("n_divisions", n_divisions), seed)
    sums = [
        np.einsum("du,fuv,dv->f", a, spectra, b, optimize=True)
        for a, b in ((one, other), (one, one), (other, other))
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.abs(sums[0]) ** 2 / (sums[1].real * sums[2].real)
    return Coherence(frequencies, values, n_segments)


def _divisions(n_units: int, size: int, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of disjoint groups as two arrays of 0 and 1, shape (n_divisions, n_units)."""
    if comb(n_units, size) * comb(n_units - size, size) // 2 <= most:
        pairs = [
            (group, rest)
            for group in combinations(range(n_units), size)
            for rest in combinations(sorted(set(range(n_units)) - set(group)), size)
            if group < rest
        ]
    else:
        rng = np.random.default_rng(seed)
        orders = [rng.permutation(n_units) for _ in range(most)]
        pairs = [(tuple(order[:size]), tuple(order[-size:])) for order in orders]
    one, other = np.zeros((len(pairs), n_units)), np.zeros((len(pairs), n_units))
    for row, (group, rest) in enumerate(pairs):
        one[row, list(group)] = 1
        other[row, list(rest)] = 1
    return one, other


def _cross_spectra(
    spikes: SpikeTrains, segment: float, overlap: float, max_frequency: float, resolution: float
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Cross-spectra of the active units (frequencies, units, units), the frequencies, L, and which are active.

    A train is Σ_i δ(t − t_i) minus its mean rate, both over the whole recording.
    """
    check_instance("spikes", spikes, SpikeTrains)
    rate = spikes.sampling_rate
    n_segment = round(check_positive("segment", segment, "s") * rate)
    if not 0 <= check_positive("overlap", overlap, allow_zero=True) < 1:
        raise InvalidArgumentError(f"overlap must be at least 0 and below 1, got {overlap!r}")
    if check_positive("max_frequency", max_frequency, "Hz") > rate / 2:
        raise InvalidArgumentError(
            f"max_frequency must be at most half the sampling rate, {rate / 2:g} Hz, got {max_frequency:g}"
        )
    check_positive("resolution", resolution, "Hz")
    active = np.flatnonzero(spikes.n_spikes > 0)
    if len(active) < 2:
        raise InvalidArgumentError(f"spikes must hold at least two active units, got {len(active)}")
    step = max(1, n_segment - round(overlap * segment * rate))
    starts = np.arange(0, spikes.n_samples - n_segment + 1, step)
    if len(starts) < 2 or n_segment < 2:
        raise InvalidArgumentError(
            f"segment must be short enough for two in the {spikes.duration:.4g} s of the recording, got {segment:g} s"
        )
    taper = np.hanning(n_segment)
    frequencies = np.arange(0, max_frequency + 1e-9 * resolution, resolution)
    # A discharge is a delta: the transform of a segment is a short sum over its discharges.
    time = np.arange(n_segment) / rate
    waves = np.exp(-2j * np.pi * frequencies[:, None] * time[None]) * taper
    mean_wave = waves.sum(axis=1)
    transforms = np.empty((len(frequencies), len(active), len(starts)), dtype=complex)
    for i, unit in enumerate(active):
        train = spikes.samples[unit]
        mean = len(train) / spikes.n_samples
        first, last = np.searchsorted(train, starts), np.searchsorted(train, starts + n_segment)
        for k, start in enumerate(starts):
            inside = train[first[k] : last[k]] - start
            transforms[:, i, k] = waves[:, inside].sum(axis=1) - mean * mean_wave
    spectra = np.einsum("fuk,fvk->fuv", transforms, transforms.conj(), optimize=True)
    return spectra, frequencies, _independent_segments(taper, step, len(starts)), active


def _independent_segments(taper: np.ndarray, step: int, n_segments: int) -> float:
    """K / (1 + 2 Σ_j (1 − j/K) ρ_j²), ρ_j the correlation of the tapers of segments j apart (Welch 1967)."""
    energy = taper @ taper
    total = 1.0
    for j in range(1, n_segments):
        if j * step >= len(taper):
            break
        overlap = float(taper[: len(taper) - j * step] @ taper[j * step :] / energy)
        total += 2 * (1 - j / n_segments) * overlap**2
    return n_segments / total
