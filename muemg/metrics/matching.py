"""Do two spike trains agree: their delay by cross-correlation, then a one-to-one matching of their spikes.

The kernels work on all pairs of two sets of trains at once; a set travels as the concatenated samples of its
trains and the offsets at which each begins.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count

__all__ = ["best_delay", "match_all_pairs", "match_spikes"]


def match_spikes(truth: npt.ArrayLike, found: npt.ArrayLike, tolerance: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest one-to-one matching of two sorted spike trains within a tolerance.

    Both trains are walked in order: the two earliest unmatched spikes are matched if they are near enough,
    otherwise the earlier one of them is given up. It is given up rightly, since every later spike of the
    other train is further away; and matching the two earliest costs nothing, since in any matching they can
    be exchanged for whatever they are matched with. So no other matching has more pairs.

    Parameters
    ----------
    truth, found : array_like of int, shapes (n,) and (m,)
        Strictly increasing sample indices.
    tolerance : int
        Largest distance in samples of two matched spikes.

    Returns
    -------
    truth_index, found_index : ndarray of int64, both of shape (n_matched,)
        Spike ``truth[truth_index[k]]`` is matched with ``found[found_index[k]]``; both increase.

    Raises
    ------
    InvalidArgumentError
        If a train is not strictly increasing or the tolerance negative.
    """
    width = check_count("tolerance", tolerance, minimum=0)
    return _matching(_as_train("truth", truth), _as_train("found", found), width)


def best_delay(truth: npt.ArrayLike, found: npt.ArrayLike, tolerance: int, max_delay: int) -> int:
    """Delay of `found` behind `truth`, in samples, by cross-correlation of the two trains.

    At each delay within ± `max_delay` the cross-correlogram is summed over ± `tolerance`: the number of spike
    pairs that coincide there. The delay with most of them wins. Of several, as trains that jitter less than
    the tolerance always have, the one at which the pairs lie closest together wins (weights falling linearly
    from 1 at the centre towards 0 beyond the tolerance), and then the one nearest zero. Of two opposite
    delays that are still equal, the one with the larger one-to-one matching wins, and else the positive one.

    Parameters
    ----------
    truth, found : array_like of int, shapes (n,) and (m,)
        Strictly increasing sample indices.
    tolerance, max_delay : int
        In samples.

    Returns
    -------
    int
        Positive where `found` comes later; 0 where no pair of spikes comes within reach.
    """
    width = check_count("tolerance", tolerance, minimum=0)
    reach = check_count("max_delay", max_delay, minimum=0)
    trains = [_as_train("truth", truth)], [_as_train("found", found)]
    _, delay = match_all_pairs(*trains, width, reach)
    return int(delay[0, 0])


def match_all_pairs(
    truth: list[np.ndarray] | tuple[np.ndarray, ...],
    found: list[np.ndarray] | tuple[np.ndarray, ...],
    tolerance: int,
    max_delay: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Number of matched spikes and delay, both for every pair of two sets of trains.

    Parameters
    ----------
    truth, found : sequences of ndarray of int64
        Strictly increasing sample indices of each train.
    tolerance, max_delay : int
        In samples, as for `best_delay`.

    Returns
    -------
    matched : ndarray of int64, shape (n_truth, n_found)
        Spikes of the largest one-to-one matching at the pair's delay.
    delay : ndarray of int64, shape (n_truth, n_found)
        The delays in samples.
    """
    return _all_pairs(*_flatten(truth), *_flatten(found), int(tolerance), int(max_delay))


def _flatten(trains: list[np.ndarray] | tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(len(trains) + 1, dtype=np.int64)
    np.cumsum([len(train) for train in trains], out=offsets[1:])
    samples = np.concatenate([np.zeros(0, dtype=np.int64), *trains]).astype(np.int64)
    return samples, offsets


def _as_train(name: str, train: npt.ArrayLike) -> np.ndarray:
    samples = np.asarray(train)
    if samples.size == 0:
        return np.zeros(0, dtype=np.int64)
    if samples.ndim != 1 or not np.issubdtype(samples.dtype, np.integer) or np.any(np.diff(samples) <= 0):
        raise InvalidArgumentError(f"{name} must be strictly increasing sample indices of shape (n_spikes,)")
    return samples.astype(np.int64)


@numba.njit(cache=True)
def _matching(truth: np.ndarray, found: np.ndarray, tolerance: int) -> tuple[np.ndarray, np.ndarray]:
    longest = min(truth.size, found.size)
    left = np.empty(longest, dtype=np.int64)
    right = np.empty(longest, dtype=np.int64)
    i = j = n = 0
    while i < truth.size and j < found.size:
        gap = found[j] - truth[i]
        if abs(gap) <= tolerance:
            left[n] = i
            right[n] = j
            n += 1
            i += 1
            j += 1
        elif gap > 0:
            i += 1
        else:
            j += 1
    return left[:n].copy(), right[:n].copy()


@numba.njit(cache=True)
def _n_matched(truth: np.ndarray, found: np.ndarray, delay: int, tolerance: int) -> int:
    i = j = n = 0
    while i < truth.size and j < found.size:
        gap = found[j] - delay - truth[i]
        if abs(gap) <= tolerance:
            n += 1
            i += 1
            j += 1
        elif gap > 0:
            i += 1
        else:
            j += 1
    return n


@numba.njit(cache=True)
def _correlogram(truth: np.ndarray, found: np.ndarray, reach: int, counts: np.ndarray) -> None:
    """Counts of the differences found − truth within ± reach; counts[reach] is difference 0."""
    counts[:] = 0
    first = 0
    for i in range(truth.size):
        while first < found.size and found[first] < truth[i] - reach:
            first += 1
        j = first
        while j < found.size and found[j] <= truth[i] + reach:
            counts[found[j] - truth[i] + reach] += 1
            j += 1


@numba.njit(cache=True)
def _score(counts: np.ndarray, centre: int, tolerance: int) -> tuple[int, int]:
    """Pairs within the tolerance of a lag, and the same with triangular weights."""
    pairs = 0
    closeness = 0
    for k in range(-tolerance, tolerance + 1):
        pairs += counts[centre + k]
        closeness += counts[centre + k] * (tolerance + 1 - abs(k))
    return pairs, closeness


@numba.njit(cache=True)
def _delay_and_matched(
    truth: np.ndarray, found: np.ndarray, tolerance: int, max_delay: int, counts: np.ndarray
) -> tuple[int, int]:
    reach = max_delay + tolerance
    _correlogram(truth, found, reach, counts)
    pairs, closeness = _score(counts, reach, tolerance)
    delay, tied = 0, False
    # Outwards from zero, so that a later delay must be strictly better.
    for size in range(1, max_delay + 1):
        for signed in (size, -size):
            new_pairs, new_closeness = _score(counts, reach + signed, tolerance)
            if new_pairs > pairs or (new_pairs == pairs and new_closeness > closeness):
                pairs, closeness, delay, tied = new_pairs, new_closeness, signed, False
            elif signed == -delay and new_pairs == pairs and new_closeness == closeness:
                tied = True
    if pairs == 0:
        return 0, 0
    matched = _n_matched(truth, found, delay, tolerance)
    if tied:
        opposite = _n_matched(truth, found, -delay, tolerance)
        if opposite > matched:
            return -delay, opposite
    return delay, matched


@numba.njit(cache=True)
def _all_pairs(
    truth: np.ndarray,
    truth_offsets: np.ndarray,
    found: np.ndarray,
    found_offsets: np.ndarray,
    tolerance: int,
    max_delay: int,
) -> tuple[np.ndarray, np.ndarray]:
    n_truth, n_found = truth_offsets.size - 1, found_offsets.size - 1
    matched = np.zeros((n_truth, n_found), dtype=np.int64)
    delays = np.zeros((n_truth, n_found), dtype=np.int64)
    counts = np.zeros(2 * (max_delay + tolerance) + 1, dtype=np.int64)
    for i in range(n_truth):
        one = truth[truth_offsets[i] : truth_offsets[i + 1]]
        for j in range(n_found):
            other = found[found_offsets[j] : found_offsets[j + 1]]
            delays[i, j], matched[i, j] = _delay_and_matched(one, other, tolerance, max_delay, counts)
    return matched, delays
