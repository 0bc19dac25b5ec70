"""Silhouette and pulse-to-noise ratio as other tools define them: one name, numbers that do not compare.

Published values of 0.9 and 30 dB were computed in different ways: of the source or of its square, against other peaks
or against all other samples, with squared or absolute distances, over the spikes alone or over both classes. Each
way is here under the name of the tool whose released version computes it, so that its numbers can be reproduced.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks

from muemg.errors import check_option, check_positive
from muemg.metrics.quality import _as_source, _as_spikes, pulse_to_noise_ratio, silhouette

__all__ = ["PNR_VARIANTS", "SILHOUETTE_VARIANTS", "pulse_to_noise_variant", "silhouette_variant"]

SILHOUETTE_VARIANTS = ("muemg", "muniverse", "openhdemg", "openhdemg-0.1", "emgdecompy", "emgdecomp")
PNR_VARIANTS = ("muemg", "muniverse", "openhdemg", "emgdecompy")

_SAME_PEAK = 1e-3  # s within which muniverse takes a peak for the spike itself
_LEAST_DISTANCES = {"muniverse": 10e-3, "emgdecomp": 15e-3}  # s between two peaks
_FLANK = 3  # samples beside a spike that openhdemg counts neither as pulse nor as noise


def silhouette_variant(
    source: npt.ArrayLike, spikes: npt.ArrayLike, sampling_rate: float, variant: str
) -> float:
    """Silhouette of a source (SIL) as another tool computes it.

    =================  ========  ================================================  ========  ===========
    variant            values    the class that is not spikes                      distance  summed over
    =================  ========  ================================================  ========  ===========
    ``muemg``          s·abs(s)  positive peaks ≥ 10 ms apart, ≥ 5 ms from spikes  squared   spikes
    ``muniverse``      s·abs(s)  peaks ≥ 10 ms apart, > 1 ms from every spike      squared   spikes
    ``openhdemg``      s         all local maxima that are no spikes               squared   spikes
    ``openhdemg-0.1``  s         all samples that are no spikes                    squared   spikes
    ``emgdecompy``     s²        all samples that are no spikes                    absolute  both
    ``emgdecomp``      s²        peaks ≥ 15 ms apart that are no spikes            absolute  both
    =================  ========  ================================================  ========  ===========

    The first five compare the distances to the two centroids, (between − within) / max(between, within).
    ``emgdecomp`` is the silhouette coefficient of Rousseeuw (1987): of every peak the mean distance a to the other
    peaks of its own class and b to those of the other, averaged (b − a) / max(a, b).

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter, positive at the discharges; no unit.
    spikes : array_like of int, shape (n_spikes,)
        Sample indices of the discharges.
    sampling_rate : float
        In Hz.
    variant : str
        One of `SILHOUETTE_VARIANTS`: muniverse-emg 0.1.4, openhdemg 0.2.0b1, openhdemg 0.1.2, emgdecompy 0.6.7 and
        emgdecomp 0.1.0.

    Returns
    -------
    float
        Not-a-number with fewer than two spikes or without the other class, where some tools return 0 or 1.

    Raises
    ------
    InvalidArgumentError
        If the variant is unknown or a spike lies outside the source.
    """
    check_option("variant", variant, SILHOUETTE_VARIANTS)
    if variant == "muemg":
        return silhouette(source, spikes, sampling_rate)
    values = _as_source(source)
    rate = check_positive("sampling_rate", sampling_rate, "Hz")
    at = np.unique(_as_spikes(spikes, values.size))
    if variant == "muniverse":
        values = values * np.abs(values)
    elif variant in ("emgdecompy", "emgdecomp"):
        values = values**2
    if variant in ("openhdemg-0.1", "emgdecompy"):
        others = np.delete(values, at)
    else:
        peaks, _ = find_peaks(values, distance=max(1, round(_LEAST_DISTANCES.get(variant, 0) * rate)))
        same = round(_SAME_PEAK * rate) if variant == "muniverse" else 0
        others = values[peaks[_distance(peaks, at) > same]]
    pulses = values[at]
    if pulses.size < 2 or not others.size:
        return float("nan")
    if variant == "emgdecomp":
        return _silhouette_coefficient(pulses, others)
    if variant == "emgdecompy":
        within = _absolute(pulses, pulses) + _absolute(others, others)
        between = _absolute(pulses, others) + _absolute(others, pulses)
    else:
        within = float(np.sum((pulses - pulses.mean()) ** 2))
        between = float(np.sum((pulses - others.mean()) ** 2))
    larger = max(within, between)
    return (between - within) / larger if larger > 0 else float("nan")


def pulse_to_noise_variant(source: npt.ArrayLike, spikes: npt.ArrayLike, variant: str) -> float:
    """Pulse-to-noise ratio (PNR) in dB as another tool computes it: 10·log₁₀ of mean power at pulses over noise.

    ==============  =====  =======================================  ==============================================
    variant         power  pulse                                    noise
    ==============  =====  =======================================  ==============================================
    ``muemg``       s²     the spikes                               all other samples
    ``muniverse``   s⁴     the spikes and a sample on either side   all other samples
    ``openhdemg``   s²     the spikes                               samples ≥ 0 from the first to the last spike,
                                                                    more than 3 samples from every spike
    ``emgdecompy``  s²     the spikes                               all other samples
    ==============  =====  =======================================  ==============================================

    The fourth power about doubles the decibels: thresholds of one variant mean nothing for another.

    Parameters
    ----------
    source : array_like, shape (n_samples,)
        Output of a separation filter; no unit.
    spikes : array_like of int, shape (n_spikes,)
        Sample indices of the discharges.
    variant : str
        One of `PNR_VARIANTS`; versions as for `silhouette_variant`.

    Returns
    -------
    float
        In dB; not-a-number where either class is empty.

    Raises
    ------
    InvalidArgumentError
        If the variant is unknown or a spike lies outside the source.
    """
    check_option("variant", variant, PNR_VARIANTS)
    if variant in ("muemg", "emgdecompy"):
        return pulse_to_noise_ratio(source, spikes)
    values = _as_source(source)
    at = np.unique(_as_spikes(spikes, values.size))
    if not at.size:
        return float("nan")
    samples = np.arange(values.size)
    gap = _distance(samples, at)
    if variant == "muniverse":
        power, pulse, noise = values**4, gap <= 1, gap > 1
    else:
        between = (samples >= at[0]) & (samples <= at[-1])
        power, pulse, noise = values**2, gap == 0, between & (gap > _FLANK) & (values >= 0)
    if not noise.any():
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(10 * np.log10(power[pulse].mean() / power[noise].mean()))


def _distance(points: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """Samples from each point to the nearest spike; far away if there is none."""
    if not spikes.size:
        return np.full(points.size, np.iinfo(np.int64).max)
    after = np.clip(np.searchsorted(spikes, points), 0, spikes.size - 1)
    return np.minimum(np.abs(spikes[after] - points), np.abs(points - spikes[np.maximum(after - 1, 0)]))


def _absolute(values: np.ndarray, centre_of: np.ndarray) -> float:
    return float(np.abs(values - centre_of.mean()).sum())


def _silhouette_coefficient(one: np.ndarray, other: np.ndarray) -> float:
    """Mean silhouette coefficient (Rousseeuw 1987) of two classes of numbers; a class of one counts 0."""
    coefficients = []
    for own, foreign in ((one, other), (other, one)):
        if own.size < 2:
            coefficients.append(np.zeros(own.size))
            continue
        a = _total_distance(own, own) / (own.size - 1)
        b = _total_distance(own, foreign) / foreign.size
        larger = np.maximum(a, b)
        coefficients.append(np.divide(b - a, larger, out=np.zeros(own.size), where=larger > 0))
    return float(np.concatenate(coefficients).mean())


def _total_distance(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Sum of the distances from each point to all targets, by sorting instead of all pairs."""
    ordered = np.sort(targets)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    below = np.searchsorted(ordered, points)
    return points * (2 * below - ordered.size) + sums[-1] - 2 * sums[below]
