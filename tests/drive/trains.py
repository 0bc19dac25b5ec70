"""Spike trains made without any method of the package: gamma-like intervals of a rate that may change in time."""

import numpy as np

from muemg import SpikeTrains

RATE = 1000.0


def trains_of(rates, duration, *, cov=0.15, seed=0, sampling_rate=RATE):
    """Trains whose rates (Hz) are numbers, or functions of time; by operational time with Gaussian intervals."""
    rng = np.random.default_rng(seed)
    n = int(duration * sampling_rate)
    time = np.arange(n) / sampling_rate
    trains = []
    for rate in rates:
        course = np.clip(rate(time) if callable(rate) else np.full(n, float(rate)), 0, None)
        operational = np.cumsum(course) / sampling_rate
        intervals = np.clip(1 + cov * rng.standard_normal(int(operational[-1] * 2) + 5), 0.2, None)
        at = np.cumsum(intervals) - rng.uniform()
        trains.append(np.unique(np.searchsorted(operational, at[(at > 0) & (at < operational[-1])])))
    return SpikeTrains(tuple(trains), sampling_rate, n)
