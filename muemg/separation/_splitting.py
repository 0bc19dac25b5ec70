"""Two motor units caught by one filter: found by the two kinds of observation at its discharges, and told apart.

Units with similar potentials can pass through the same filter as one train. Some of its intervals are then too short
for one unit, and the whitened observations at its discharges form two clouds. They are split only if the clouds stay
apart when each observation is judged by the others (noise alone always splits in sample), and if each part fires more
regularly than the whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
from scipy.cluster.vq import kmeans2

from muemg.metrics.quality import cov_isi

__all__ = ["split_train"]

_N_COMPONENTS = 6
# Two units of 10 Hz make a fifth of their common intervals shorter than this; one unit, save for doublets, none.
_SHORT = 30e-3  # s
_LEAST_SHORT = 0.05
_LEAST_DISTANCE = 4.0  # in standard deviations along the line between the two means


def split_train(
    train: np.ndarray, alone: Callable[[], np.ndarray], sampling_rate: float, *, min_spikes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """The two trains that one train holds, or None.

    Parameters
    ----------
    train : ndarray of int64, shape (n_spikes,)
    alone : callable()
        Gives the whitened observations at the discharges, other units removed, shape (n_spikes, rank).
    sampling_rate : float
        In Hz.
    min_spikes : int
        Least discharges of either part.
    """
    short = np.mean(np.diff(train) < _SHORT * sampling_rate) if len(train) > 1 else 0.0
    if len(train) < 2 * min_spikes or short < _LEAST_SHORT:
        return None
    observed = alone()
    centred = observed - observed.mean(axis=0)
    # Principal components through the small n × n Gram matrix.
    values, vectors = scipy.linalg.eigh(centred @ centred.T, check_finite=False)
    scores = vectors[:, -_N_COMPONENTS:] * np.sqrt(np.maximum(values[-_N_COMPONENTS:], 0))
    best_spread, label = np.inf, None
    for attempt in range(8):
        centres, assigned = kmeans2(scores, 2, minit="++", seed=attempt, missing="raise")
        spread = float(np.sum((scores - centres[assigned]) ** 2))
        if spread < best_spread:
            best_spread, label = spread, assigned.astype(bool)
    if label is None or min(label.sum(), (~label).sum()) < min_spikes:
        return None
    if _held_out_distance(observed, label) < _LEAST_DISTANCE:
        return None
    first, second = train[~label], train[label]
    parts = (len(first) * cov_isi(first, sampling_rate) + len(second) * cov_isi(second, sampling_rate)) / len(
        train
    )
    return (first, second) if parts < cov_isi(train, sampling_rate) else None


def _held_out_distance(observed: np.ndarray, label: np.ndarray) -> float:
    """Distance of two clouds along the line between their means, each observation left out of its own mean."""
    means = {side: observed[label == side].mean(axis=0) for side in (False, True)}
    projections: dict[bool, np.ndarray] = {}
    for side in (False, True):
        cloud = observed[label == side]
        n = len(cloud)
        # mean without i = (n·mean − z_i)/(n−1)
        left_out = (n * means[side] - cloud) / (n - 1)
        line = left_out - means[not side]
        if side is False:
            line = -line
        line /= np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-12)
        projections[side] = np.einsum("ij,ij->i", line, cloud)
    pooled = np.sqrt((projections[False].var() + projections[True].var()) / 2)
    return float((projections[True].mean() - projections[False].mean()) / max(pooled, 1e-12))
