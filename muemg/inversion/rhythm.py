"""Discharges by height and rhythm: motor neurons discharge regularly, errors of detection do not.

A threshold takes every peak of a source by itself. But after one discharge the next is due within a narrow range of
intervals, so that a low peak at the right time is likelier a discharge than a higher one at a wrong time. With heights
a_p of the peaks, Gaussian for discharges (μ₁) and background (μ₀) with a common deviation s, and a renewal process
of intervals about their local median m with coefficient of variation c, the most probable train maximises

    Σ_i (μ₁ − μ₀)/s² · (a_i − (μ₁ + μ₀)/2)  +  Σ_i log f(t_i − t_{i−1}),   f = (1−ε) N(m, cm) + ε(1−ε) N(2m, √2 cm) + …,

where the later terms of f are intervals in which discharges were missed. Dynamic programming over the peaks finds it.

The rhythm also tells how good a train is, without the truth: `expected_agreement`.
"""

from __future__ import annotations

import numba
import numpy as np

from muemg.metrics.quality import source_peaks

__all__ = ["expected_agreement", "regular_train"]

_NEIGHBOURS = 5  # intervals on either side in the local median
_PAUSE = 5.0  # local medians; longer is no missed discharge but a pause
_SHORT = 0.55  # of the local median: one of the two intervals that a false discharge makes of one
_VARIATION = (0.1, 0.35)  # limits of the coefficient of variation
_MISSED = 0.04  # ε
_LEAST = 5  # discharges from which there is a rhythm


def expected_agreement(train: np.ndarray) -> float:
    """Rate of agreement with the truth that the intervals of a train let expect, (n − false) / (n + missed).

    An interval of k local medians hides k − 1 missed discharges; a false one makes two intervals of one.
    With a coefficient of variation of 0.2 a train without a mistake has some 0.98; merged or invented
    trains, whose intervals are nearly random, have 0.5–0.8.

    Parameters
    ----------
    train : ndarray of int64, shape (n_spikes,)
        Sample indices.
    """
    if len(train) < _LEAST:
        return 0.0
    intervals = np.diff(train)
    ratio = intervals / _local_median(intervals.astype(np.float64))
    missed = np.maximum(np.round(ratio[ratio < _PAUSE]) - 1, 0).sum()
    false = np.sum(ratio < _SHORT) / 2
    return float((len(train) - false) / (len(train) + missed))


def regular_train(source: np.ndarray, train: np.ndarray, sampling_rate: float) -> np.ndarray:
    """The most probable train given the heights of the peaks and the rhythm of the discharges detected so far.

    Parameters
    ----------
    source : ndarray, shape (n_samples,)
        Discharges are positive peaks.
    train : ndarray of int64
        Discharges detected by height, of which heights, local intervals and their variation are taken.
    sampling_rate : float
        In Hz.
    """
    peaks, heights = source_peaks(source, sampling_rate)
    order = np.argsort(peaks)
    peaks, heights = peaks[order].astype(np.int64), np.sqrt(heights[order])
    chosen = np.isin(peaks, train)
    if chosen.sum() < _LEAST or chosen.all():
        return train
    above, below = heights[chosen].mean(), heights[~chosen].mean()
    spread = np.where(chosen, heights - above, heights - below)
    evidence = (above - below) / np.mean(spread**2) * (heights - (above + below) / 2)
    intervals = np.diff(train).astype(np.float64)
    single = intervals / np.maximum(np.round(intervals / _local_median(intervals)), 1)
    local = _local_median(single)
    variation = float(np.clip(1.4826 * np.median(np.abs(single / local - 1)), *_VARIATION))
    due = np.interp(peaks, (train[1:] + train[:-1]) / 2, local)
    return peaks[_most_probable(peaks, evidence, due, variation, len(source))]


def _local_median(intervals: np.ndarray) -> np.ndarray:
    """Median of each interval and its neighbours."""
    padded = np.pad(intervals, _NEIGHBOURS, constant_values=np.nan)
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1), axis=1)


@numba.njit(cache=True)
def _log_density(interval, due, variation):
    """log f of an interval, with up to three missed discharges, over a small floor for pauses."""
    ratio = interval / due
    density = 1e-4
    share = 1.0 - _MISSED
    for k in range(1, 5):
        deviation = variation * np.sqrt(k)
        density += share / (2.5066 * deviation) * np.exp(-0.5 * ((ratio - k) / deviation) ** 2)
        share *= _MISSED
    return np.log(density / due)


@numba.njit(cache=True)
def _most_probable(peaks, evidence, due, variation, n_samples):
    """Indices of the peaks of the train of highest probability."""
    n_peaks = len(peaks)
    best = np.empty(n_peaks)
    previous = np.full(n_peaks, -1)
    for i in range(n_peaks):
        # Before the first and after the last discharge each interval that would have fitted counts as missed.
        value = np.log(_MISSED) * (peaks[i] // due[i]) - np.log(due[i])
        for j in range(i - 1, -1, -1):
            interval = peaks[i] - peaks[j]
            if interval > 8 * due[i] and j < i - 1:
                break
            after = best[j] + _log_density(interval, due[i], variation)
            if after > value:
                value = after
                previous[i] = j
        best[i] = value + evidence[i]
    last, highest = 0, -np.inf
    for i in range(n_peaks):
        value = best[i] + np.log(_MISSED) * ((n_samples - peaks[i]) // due[i])
        if value > highest:
            last, highest = i, value
    chain = []
    while last >= 0:
        chain.append(last)
        last = previous[last]
    return np.array(chain[::-1])
