"""Quality of a motor unit without ground truth: silhouette, pulse-to-noise ratio, regularity of discharge.

All of them read one source (the output of a separation filter, positive at the discharges) or the discharge
times alone. A measure that too few spikes leave undefined is not-a-number, never a flattering 0 or 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks

from muemg.errors import InvalidArgumentError, check_positive

__all__ = [
    "LONGEST_INTERVAL",
    "REFRACTORY_PERIOD",
    "coefficient_of_dispersion",
    "cov_isi",
    "detect_spikes",
    "interspike_intervals",
    "mean_discharge_rate",
    "pulse_to_noise_ratio",
    "separability",
    "silhouette",
    "silhouette_of_heights",
    "source_peaks",
    "two_class_threshold",
]

REFRACTORY_PERIOD = 10e-3
"""Shortest distance in seconds between two candidate spikes: 100 Hz, above any steady contraction."""

LONGEST_INTERVAL = 0.5
"""Inter-spike intervals in seconds above this are pauses (2 Hz; motor units start at some 5–8 Hz)."""


def source_peaks(
    source: npt.ArrayLike, sampling_rate: float, *, min_distance: float = REFRACTORY_PERIOD
) -> tuple[np.ndarray, np.ndarray]:
    """Positive peaks of s·|s|, at least `min_distance` apart.

    The signed square keeps the order of the positive samples and drives spikes and noise apart; of two peaks
    that are too close the higher one stays. The first and the last sample may be peaks.

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter; no unit.
    sampling_rate : float
        In Hz.
    min_distance : float
        In seconds.

    Returns
    -------
    samples : ndarray of int64, shape (n_peaks,)
        Where the peaks are.
    heights : ndarray of float64, shape (n_peaks,)
        s·|s| there.

    Raises
    ------
    InvalidArgumentError
        If the source is not one-dimensional and finite.
    """
    values = _as_source(source)
    rate = check_positive("sampling_rate", sampling_rate, "Hz")
    gap = check_positive("min_distance", min_distance, "s", allow_zero=True)
    # Framed by −∞, so that a discharge on the first or last sample is a peak too.
    framed = np.full(values.size + 2, -np.inf)
    framed[1:-1] = values * np.abs(values)
    peaks, _ = find_peaks(framed, height=np.finfo(np.float64).tiny, distance=max(1, round(gap * rate)))
    return peaks.astype(np.int64) - 1, framed[peaks]


def two_class_threshold(heights: npt.ArrayLike) -> float:
    """Threshold of the best split of numbers into two classes: exact 2-means in one dimension.

    In one dimension the optimal classes are separated by a threshold, so sorting and trying every split
    finds the global minimum of the squared distances to the two centroids; nothing is random.

    Parameters
    ----------
    heights : array_like, shape (n,)
        Peak heights.

    Returns
    -------
    float
        Halfway between the two classes; not-a-number with fewer than two different values.
    """
    ordered = np.sort(np.asarray(heights, dtype=np.float64))
    if ordered.size < 2 or ordered[0] == ordered[-1]:
        return float("nan")
    below = np.cumsum(ordered)[:-1]
    n_below = np.arange(1, ordered.size)
    n_above = ordered.size - n_below
    distance = below / n_below - (ordered.sum() - below) / n_above
    # Least scatter within the classes is most scatter between their means.
    split = int(np.argmax(n_below * n_above * distance**2))
    return float((ordered[split] + ordered[split + 1]) / 2)


def detect_spikes(
    source: npt.ArrayLike, sampling_rate: float, *, min_distance: float = REFRACTORY_PERIOD
) -> tuple[np.ndarray, float]:
    """Discharges of a source by two-class clustering of its peaks, with their silhouette.

    The candidates are `source_peaks`; the higher of the two classes of `two_class_threshold` are the spikes;
    the silhouette is `silhouette_of_heights` of the two classes (Negro et al. 2016).

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter, positive at the discharges; no unit.
    sampling_rate : float
        In Hz.
    min_distance : float
        Shortest distance in seconds between two spikes.

    Returns
    -------
    spikes : ndarray of int64, shape (n_spikes,)
        Sample indices, increasing.
    silhouette : float
        Between 0 and 1, or not-a-number (see `silhouette_of_heights`).
    """
    peaks, heights = source_peaks(source, sampling_rate, min_distance=min_distance)
    is_spike = heights > two_class_threshold(heights)
    return peaks[is_spike], silhouette_of_heights(heights[is_spike], heights[~is_spike])


def silhouette_of_heights(spike_heights: npt.ArrayLike, other_heights: npt.ArrayLike) -> float:
    """Silhouette of a source (SIL) from the heights of its peaks.

    With the centroids c₁ of the spikes' heights h and c₀ of the other peaks' heights,

        within = Σ (h − c₁)²,   between = Σ (h − c₀)²,   SIL = (between − within) / max(between, within),

    both sums over the spikes (Negro et al. 2016; squared Euclidean distances). Since between = within + n (c₁
    − c₀)², it is never negative.

    Parameters
    ----------
    spike_heights, other_heights : array_like, shape (n,) and (m,)
        s·|s| at the spikes and at the peaks that are not spikes.

    Returns
    -------
    float
        Between 0 and 1; not-a-number with fewer than two spikes, no other peak, or all heights equal.
    """
    spikes = np.asarray(spike_heights, dtype=np.float64)
    others = np.asarray(other_heights, dtype=np.float64)
    if spikes.size < 2 or others.size < 1:
        return float("nan")
    within = float(np.sum((spikes - spikes.mean()) ** 2))
    between = float(np.sum((spikes - others.mean()) ** 2))
    return (between - within) / between if between > 0 else float("nan")


def silhouette(
    source: npt.ArrayLike,
    spikes: npt.ArrayLike,
    sampling_rate: float,
    *,
    min_distance: float = REFRACTORY_PERIOD,
) -> float:
    """Silhouette of a source (SIL) whose spikes are given.

    The spike class is s·|s| at the given spikes; the other class are the `source_peaks` with no given spike
    nearer than half of `min_distance`. Of spikes that `detect_spikes` found the value is the one it returned.

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter; no unit.
    spikes : array_like of int, shape (n_spikes,)
        Sample indices of the discharges.
    sampling_rate : float
        In Hz.
    min_distance : float
        Shortest distance in seconds between two peaks.

    Returns
    -------
    float
        Between 0 and 1, or not-a-number (see `silhouette_of_heights`).

    Raises
    ------
    InvalidArgumentError
        If a spike lies outside the source.
    """
    values = _as_source(source)
    at = _as_spikes(spikes, values.size)
    others = values[_other_peaks(values, at, sampling_rate, min_distance)]
    return silhouette_of_heights(values[at] * np.abs(values[at]), others**2)


def separability(
    source: npt.ArrayLike,
    spikes: npt.ArrayLike,
    sampling_rate: float,
    *,
    min_distance: float = REFRACTORY_PERIOD,
) -> float:
    """Gap between the low spikes and the high other peaks of a source, over the mean height of the spikes.

    (p₁₀ of s at the spikes − p₉₀ of s at the other peaks) / mean of s at the spikes, the percentiles interpolated
    linearly (Mamidanna et al. 2025). It is 1 for spikes of one height above silence and negative where the lowest
    tenth of the spikes and the highest tenth of the other peaks overlap. Spikes and other peaks as for `silhouette`,
    but the source enters as it is, not squared.

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter; no unit.
    spikes : array_like of int, shape (n_spikes,)
        Sample indices of the discharges.
    sampling_rate : float
        In Hz.
    min_distance : float
        Shortest distance in seconds between two peaks.

    Returns
    -------
    float
        At most 1; not-a-number without spikes or other peaks, or where the spikes' mean is not positive.

    Raises
    ------
    InvalidArgumentError
        If a spike lies outside the source.
    """
    values = _as_source(source)
    at = _as_spikes(spikes, values.size)
    others = values[_other_peaks(values, at, sampling_rate, min_distance)]
    if not at.size or not others.size or values[at].mean() <= 0:
        return float("nan")
    gap = np.percentile(values[at], 10) - np.percentile(others, 90)
    return float(gap / values[at].mean())


def pulse_to_noise_ratio(source: npt.ArrayLike, spikes: npt.ArrayLike) -> float:
    """Pulse-to-noise ratio (PNR) in dB: 10·log₁₀ of mean s² at the spikes over mean s² elsewhere.

    The source enters linearly, squared once (Holobar, Minetto & Farina 2014); "elsewhere" is every
    sample that is not a spike.

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter; no unit.
    spikes : array_like of int, shape (n_spikes,)
        Sample indices of the discharges.

    Returns
    -------
    float
        In dB; not-a-number without spikes, without other samples, or where the source is zero at both;
        infinite where it is zero elsewhere only.

    Raises
    ------
    InvalidArgumentError
        If a spike lies outside the source.
    """
    power = _as_source(source) ** 2
    at = np.unique(_as_spikes(spikes, power.size))
    n_elsewhere = power.size - at.size
    if not at.size or not n_elsewhere:
        return float("nan")
    pulse = power[at].mean()
    power[at] = 0
    noise = power.sum() / n_elsewhere
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(10 * (np.log10(pulse) - np.log10(noise)))


def interspike_intervals(
    spikes: npt.ArrayLike, sampling_rate: float, *, longest: float = LONGEST_INTERVAL
) -> np.ndarray:
    """Inter-spike intervals in seconds, shape (≤ n_spikes − 1,), without the pauses.

    An interval above `longest` is a pause: the unit was derecruited or the spikes in between were not found.
    Neither says anything about the regularity of its discharge, so it is left out.

    Parameters
    ----------
    spikes : array_like of int, shape (n_spikes,)
        Sample indices of the discharges, increasing.
    sampling_rate : float
        In Hz.
    longest : float
        In seconds; infinity keeps every interval.
    """
    rate = check_positive("sampling_rate", sampling_rate, "Hz")
    intervals = np.diff(np.asarray(spikes, dtype=np.float64)) / rate
    return intervals[intervals <= longest]


def cov_isi(spikes: npt.ArrayLike, sampling_rate: float, *, longest: float = LONGEST_INTERVAL) -> float:
    """Coefficient of variation of the inter-spike intervals: sample standard deviation over mean.

    Parameters and pauses as for `interspike_intervals`. Not-a-number with fewer than two intervals.
    """
    intervals = interspike_intervals(spikes, sampling_rate, longest=longest)
    return float(np.std(intervals, ddof=1) / np.mean(intervals)) if intervals.size > 1 else float("nan")


def coefficient_of_dispersion(
    spikes: npt.ArrayLike, sampling_rate: float, *, longest: float = LONGEST_INTERVAL
) -> float:
    """Median absolute deviation of the inter-spike intervals from their median, over the median.

    The robust sibling of `cov_isi`: single missed or false spikes hardly move it. Of Gaussian intervals
    it is 0.674 times the coefficient of variation.
    Parameters and pauses as for `interspike_intervals`. Not-a-number with fewer than two intervals.
    """
    intervals = interspike_intervals(spikes, sampling_rate, longest=longest)
    if intervals.size < 2:
        return float("nan")
    median = np.median(intervals)
    return float(np.median(np.abs(intervals - median)) / median)


def mean_discharge_rate(
    spikes: npt.ArrayLike, sampling_rate: float, *, longest: float = LONGEST_INTERVAL
) -> float:
    """Mean discharge rate in Hz while the unit is active: one over the mean inter-spike interval.

    Parameters and pauses as for `interspike_intervals`. Not-a-number without an interval.
    """
    intervals = interspike_intervals(spikes, sampling_rate, longest=longest)
    return float(1 / intervals.mean()) if intervals.size else float("nan")


def _as_source(source: npt.ArrayLike) -> np.ndarray:
    values = np.asarray(source, dtype=np.float64)
    if values.ndim != 1:
        raise InvalidArgumentError(f"source must have shape (n_samples,), got {values.shape}")
    if not np.isfinite(values).all():
        raise InvalidArgumentError("source must be finite, got not-a-number or infinite samples")
    return values


def _as_spikes(spikes: npt.ArrayLike, n_samples: int) -> np.ndarray:
    at = np.asarray(spikes)
    if at.size == 0:
        return np.zeros(0, dtype=np.int64)
    if at.ndim != 1 or not np.issubdtype(at.dtype, np.integer):
        raise InvalidArgumentError(
            f"spikes must be sample indices of shape (n_spikes,), got {at.dtype} {at.shape}"
        )
    if at.min() < 0 or at.max() >= n_samples:
        raise InvalidArgumentError(f"spikes must lie in 0..{n_samples - 1}, got {at.min()}..{at.max()}")
    return at.astype(np.int64)


def _other_peaks(values: np.ndarray, at: np.ndarray, sampling_rate: float, min_distance: float) -> np.ndarray:
    """Peaks of a source with no spike nearer than half of `min_distance`."""
    peaks, _ = source_peaks(values, sampling_rate, min_distance=min_distance)
    return peaks[_distance_to_nearest(peaks, at) >= 0.5 * min_distance * sampling_rate]


def _distance_to_nearest(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Distance from each point to the nearest target, infinite where there is none."""
    if not targets.size:
        return np.full(points.size, np.inf)
    ordered = np.sort(targets)
    after = np.clip(np.searchsorted(ordered, points), 0, ordered.size - 1)
    before = np.maximum(after - 1, 0)
    return np.minimum(np.abs(ordered[after] - points), np.abs(points - ordered[before]))
