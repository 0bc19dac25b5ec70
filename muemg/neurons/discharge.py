"""Times of discharges: a renewal process with Gaussian intervals whose rate follows a course in time.

Intervals are drawn in operational time, in which the rate is 1, and mapped back through the integral of the
rate; so the coefficient of variation is the one asked for at every rate, ramps included (Fuglevand et al.
1993 draw the intervals of a steady rate in the same way).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_positive

__all__ = ["check_intervals", "discharge_train", "discharges"]

# Beyond three standard deviations the source's Gaussian would give intervals near zero, or below.
_LARGEST_DEVIATE = 3.0


def discharges(
    rates: npt.ArrayLike,
    sampling_rate: float,
    *,
    isi_cov: float = 0.15,
    refractory: float = 5e-3,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Discharges of motor neurons from their rates in time.

    Parameters
    ----------
    rates : array_like, shape (n_units, n_samples)
        In Hz; 0 where a unit is silent.
    sampling_rate : float
        In Hz.
    isi_cov : float
        Standard deviation over mean of the inter-spike intervals at a steady rate: 0.1 … 0.3 in voluntary
        contractions, 0.2 in Fuglevand et al. 1993. Deviates are clipped at ±3, which lowers it by 0.5 %.
    refractory : float
        Shortest interval in seconds; a discharge that would come earlier is put off until then.
    rng : numpy.random.Generator
        Source of randomness. Every unit draws from a stream of its own, so that its discharges do not depend
        on the number of units after it.

    Returns
    -------
    list of ndarray of int64
        Strictly increasing sample indices, one array per unit. A unit's first discharge comes after a random
        part of an interval: units recruited together do not start in step.

    Raises
    ------
    InvalidArgumentError
        If rates are negative or not finite, or `isi_cov` is 1/3 or more (intervals would not stay positive).
    """
    courses = np.asarray(rates, dtype=np.float64)
    if courses.ndim != 2:
        raise InvalidArgumentError("rates must be finite and ≥ 0, of shape (n_units, n_samples)")
    return [
        discharge_train(rate, sampling_rate, isi_cov=isi_cov, refractory=refractory, rng=stream)
        for rate, stream in zip(courses, rng.spawn(len(courses)))
    ]


def check_intervals(rates: np.ndarray, isi_cov: float, refractory: float) -> None:
    """Raise `InvalidArgumentError` if intervals of such rates and variation are impossible."""
    gap = check_positive("refractory", refractory, "s", allow_zero=True)
    if check_positive("isi_cov", isi_cov, allow_zero=True) * _LARGEST_DEVIATE >= 1:
        raise InvalidArgumentError(f"isi_cov must be below 1/3, got {isi_cov!r}")
    if gap and rates.max(initial=0) * gap >= 1:
        raise InvalidArgumentError(
            f"refractory must be shorter than the shortest mean interval, {1 / rates.max():.4g} s, "
            f"got {gap:g} s"
        )


def discharge_train(
    rate: npt.ArrayLike,
    sampling_rate: float,
    *,
    isi_cov: float = 0.15,
    refractory: float = 5e-3,
    rng: np.random.Generator,
) -> np.ndarray:
    """Discharges of one motor neuron; parameters as for `discharges`, with `rate` of shape (n_samples,)."""
    rate = np.asarray(rate, dtype=np.float64)
    if rate.ndim != 1 or not np.isfinite(rate).all() or (rate < 0).any():
        raise InvalidArgumentError("rates must be finite and ≥ 0, of shape (n_units, n_samples)")
    sampling_rate = check_positive("sampling_rate", sampling_rate, "Hz")
    check_intervals(rate, isi_cov, refractory)
    n_samples = rate.size
    # Operational time at the end of each sample.
    operational = np.cumsum(rate) / sampling_rate
    total = operational[-1] if n_samples else 0.0
    if total == 0:
        return np.zeros(0, dtype=np.int64)
    n_most = int(total / (1 - _LARGEST_DEVIATE * isi_cov)) + 2
    deviates = np.clip(rng.standard_normal(n_most), -_LARGEST_DEVIATE, _LARGEST_DEVIATE)
    at = np.cumsum(1 + isi_cov * deviates)
    at += rng.uniform() - at[0]
    samples = np.searchsorted(operational, at[at < total], side="right")
    shortest = max(1, int(np.ceil(refractory * sampling_rate)))
    return _keep_apart(samples, shortest, n_samples)


def _keep_apart(samples: np.ndarray, shortest: int, n_samples: int) -> np.ndarray:
    """Each sample at least `shortest` after the one before, by putting it off, to the end if need be."""
    # s_k = max(s_k, s_{k−1} + d) is a running maximum once k d is taken off.
    steps = shortest * np.arange(samples.size)
    apart = np.maximum.accumulate(samples - steps) + steps
    return apart[apart < n_samples].astype(np.int64)
