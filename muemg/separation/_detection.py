"""Spikes of many sources at once: peaks of s·|s|, split into discharges and background by two classes.

The same definition as `muemg.metrics.quality.detect_spikes`, compiled and parallel over sources.
"""

from __future__ import annotations

import numba
import numpy as np

from muemg.separation._threads import in_pieces

__all__ = ["detect_spikes"]


def detect_spikes(sources: np.ndarray, min_distance: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Discharges and silhouette of every source.

    Parameters
    ----------
    sources : ndarray of float32, shape (n_sources, n_samples)
        Innervation pulse trains; discharges are positive peaks.
    min_distance : int
        Least distance in samples between two discharges of one unit.

    Returns
    -------
    spikes : list of ndarray of int64
        Sample indices, one array per source.
    silhouettes : ndarray, shape (n_sources,)
    """
    found = in_pieces(lambda source: _detect(source, max(1, min_distance)), sources)
    return [spikes for spikes, _ in found], np.array([silhouette for _, silhouette in found], dtype=float)


@numba.njit(cache=True, nogil=True)
def _peaks(source, min_distance, positions, heights):
    """Positive local maxima, highest first claiming `min_distance` on either side; heights are squared."""
    n_samples = len(source)
    candidates = np.empty(n_samples // 2 + 1, dtype=np.int32)
    count = 0
    for t in range(n_samples):
        value = source[t]
        if value <= 0:
            continue
        if t > 0 and value <= source[t - 1]:
            continue
        if t < n_samples - 1 and value < source[t + 1]:
            continue
        candidates[count] = t
        count += 1
    candidates = candidates[:count]
    # 0 undecided, 1 kept, −1 claimed. A peak above all undecided ones within reach is kept; a few sweeps decide
    # all, with the outcome of taking them in order of height but without sorting.
    fate = np.zeros(count, dtype=np.int8)
    undecided = count
    while undecided:
        for i in range(count):
            if fate[i]:
                continue
            at = candidates[i]
            value = source[at]
            highest = True
            j = i - 1
            while j >= 0 and at - candidates[j] < min_distance:
                if fate[j] == 0 and source[candidates[j]] > value:
                    highest = False
                    break
                j -= 1
            if not highest:
                continue
            j = i + 1
            while j < count and candidates[j] - at < min_distance:
                # Of equal peaks the later one stays.
                if fate[j] == 0 and source[candidates[j]] >= value:
                    highest = False
                    break
                j += 1
            if not highest:
                continue
            fate[i] = 1
            undecided -= 1
            j = i - 1
            while j >= 0 and at - candidates[j] < min_distance:
                if fate[j] == 0:
                    fate[j] = -1
                    undecided -= 1
                j -= 1
            j = i + 1
            while j < count and candidates[j] - at < min_distance:
                if fate[j] == 0:
                    fate[j] = -1
                    undecided -= 1
                j += 1
    kept = 0
    for i in range(count):
        if fate[i] == 1:
            positions[kept] = candidates[i]
            height = np.float64(source[candidates[i]])
            heights[kept] = height * height
            kept += 1
    return kept


@numba.njit(cache=True, nogil=True)
def _two_classes(heights):
    """Threshold between two classes of heights: the split of least within-class sum of squares."""
    ordered = np.sort(heights)
    n = len(ordered)
    total = 0.0
    for value in ordered:
        total += value
    below = 0.0
    best = -1.0
    split = n
    for i in range(n - 1):
        below += ordered[i]
        if ordered[i + 1] == ordered[i]:
            continue
        low = below / (i + 1)
        high = (total - below) / (n - 1 - i)
        between = (i + 1.0) * (n - 1.0 - i) * (high - low) ** 2
        if between > best:
            best = between
            split = i + 1
    if split == n:
        return np.inf
    return 0.5 * (ordered[split - 1] + ordered[split])


@numba.njit(cache=True, nogil=True)
def _detect(source, min_distance):
    capacity = len(source) // min_distance + 2
    positions = np.empty(capacity, dtype=np.int64)
    heights = np.empty(capacity)
    n = _peaks(source, min_distance, positions, heights)
    heights = heights[:n]
    if n < 2:
        return positions[:0].copy(), 0.0
    threshold = _two_classes(heights)
    n_spikes = 0
    spike_mean = 0.0
    other_mean = 0.0
    for i in range(n):
        if heights[i] > threshold:
            spike_mean += heights[i]
            n_spikes += 1
        else:
            other_mean += heights[i]
    if n_spikes == 0 or n_spikes == n:
        return positions[:0].copy(), 0.0
    spike_mean /= n_spikes
    other_mean /= n - n_spikes
    within = 0.0
    between = 0.0
    k = 0
    for i in range(n):
        if heights[i] > threshold:
            within += (heights[i] - spike_mean) ** 2
            between += (heights[i] - other_mean) ** 2
            positions[k] = positions[i]
            k += 1
    larger = max(within, between)
    # One discharge is its own centroid: no measure of anything.
    silhouette = (between - within) / larger if k > 1 and larger > 0 else 0.0
    return positions[:k].copy(), silhouette
