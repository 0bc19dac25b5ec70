"""Which spike trains are one motor unit: duplicates, delayed copies, and fragments of another train."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muemg.metrics.matching import match_all_pairs

__all__ = ["distinct_trains", "is_new", "shared_spikes"]

# Rate of agreement above which two trains are one unit, as in Negro et al. 2016 and MUniverse.
SAME_UNIT = 0.3
# Share of the smaller train's discharges that coincide with the larger one's: chance gives some
# 2·tolerance·rate·√… ≈ 0.1–0.2 at the best delay, a fragment or an echo of a unit nearly 1.
FRAGMENT = 0.5


def shared_spikes(
    train: np.ndarray, others: Sequence[np.ndarray], tolerance: int, reach: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rate of agreement and overlap of one train with others, each at its best delay.

    Parameters
    ----------
    train : ndarray of int64
    others : sequence of ndarray of int64
    tolerance, reach : int
        Samples that matched discharges may differ by, and the largest delay searched.

    Returns
    -------
    agreement : ndarray, shape (n_others,)
        Matched over all discharges of either train.
    overlap : ndarray, shape (n_others,)
        Matched over the discharges of the shorter train.
    """
    if not len(others):
        return np.zeros(0), np.zeros(0)
    matched, _ = match_all_pairs([train], list(others), tolerance, reach)
    sizes = np.array([len(other) for other in others])
    union = len(train) + sizes - matched[0]
    return matched[0] / np.maximum(union, 1), matched[0] / np.maximum(np.minimum(len(train), sizes), 1)


def is_new(train: np.ndarray, known: Sequence[np.ndarray], tolerance: int, reach: int) -> bool:
    """Whether a train is no duplicate, delayed copy or fragment of a known one."""
    agreement, overlap = shared_spikes(train, known, tolerance, reach)
    return not len(agreement) or bool(agreement.max() < SAME_UNIT and overlap.max() < FRAGMENT)


def distinct_trains(
    trains: Sequence[np.ndarray], order: Sequence[int] | np.ndarray, tolerance: int, reach: int
) -> list[int]:
    """Indices, best first, of the trains that repeat none before them in `order`."""
    keep: list[int] = []
    for index in order:
        if is_new(trains[index], [trains[k] for k in keep], tolerance, reach):
            keep.append(int(index))
    return keep
