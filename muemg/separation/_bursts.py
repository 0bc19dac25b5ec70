"""Bursts that are no EMG: movement of electrodes or cable, told by an activity that no motor unit keeps up.

The activity |z(t)|² of whitened observations has the number of dimensions as its mean. Discharges of motor units
raise it for as long as an action potential lasts, and two to four times in what was recorded or simulated so far; a
moved electrode array raises it tenfold and more for a tenth of a second and longer. One such burst attracts every
source: it is the least Gaussian part of the recording.
"""

from __future__ import annotations

import numpy as np

from muemg.separation._extension import Extended, Whitening

__all__ = ["find_bursts"]

_STEP = 10e-3  # s between the observations looked at
_SHORTEST = 60e-3  # s; longer than an action potential
_TIMES_MEDIAN = 6.0
_MARGIN = 60e-3  # s left out on either side


def find_bursts(signal: Extended, whitening: Whitening, sampling_rate: float) -> list[tuple[int, int]]:
    """First sample and one past the last of every burst.

    Parameters
    ----------
    signal : Extended
    whitening : Whitening
        Of the signal.
    sampling_rate : float
        In Hz.
    """
    step = max(1, round(_STEP * sampling_rate))
    samples = np.arange(0, signal.n_samples, step)
    whitened = signal.project(whitening.matrix, samples)
    activity = np.einsum("ij,ij->i", whitened, whitened)
    loud = np.concatenate([[0], (activity > _TIMES_MEDIAN * np.median(activity)).astype(int), [0]])
    edges = np.flatnonzero(np.diff(loud))
    margin = round(_MARGIN * sampling_rate)
    bursts: list[tuple[int, int]] = []
    for first, last in zip(edges[::2], edges[1::2]):
        if (last - first) * step < _SHORTEST * sampling_rate:
            continue
        low = max(0, int(first) * step - margin)
        high = min(signal.n_samples, int(last) * step + margin)
        if bursts and low <= bursts[-1][1]:
            low = bursts.pop()[0]
        bursts.append((low, high))
    return bursts
