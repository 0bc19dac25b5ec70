"""Spike matching against brute force, and delays that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from muemg.errors import InvalidArgumentError
from muemg.metrics import best_delay, match_spikes

TRAIN = st.lists(st.integers(0, 60), unique=True, max_size=20).map(sorted)


@settings(deadline=None)  # the first call compiles
@given(TRAIN, TRAIN, st.integers(0, 6))
def test_matching_is_the_largest_there_is(truth, found, tolerance):
    left, right = match_spikes(truth, found, tolerance)
    gaps = np.abs(np.subtract.outer(np.array(truth, dtype=int), np.array(found, dtype=int)))
    assert np.all(gaps[left, right] <= tolerance)
    assert len(set(left)) == len(left)
    assert len(set(right)) == len(right)
    largest = 0
    if gaps.size:
        largest = np.count_nonzero(maximum_bipartite_matching(csr_array(gaps <= tolerance)) >= 0)
    assert len(left) == largest


def test_nearest_neighbour_greed_would_lose_a_pair():
    # Tolerance 2. 10 is nearest to 11, which leaves 13 without partner: matched in order all four pair up.
    left, right = match_spikes([8, 10], [9, 11], 2)
    assert (left.tolist(), right.tolist()) == ([0, 1], [0, 1])
    left, right = match_spikes([10, 13], [8, 12], 2)
    assert (left.tolist(), right.tolist()) == ([0, 1], [0, 1])


def brute_force_delay(truth, found, tolerance, max_delay):
    """The definition, word by word."""
    lags = np.subtract.outer(np.array(found, dtype=int), np.array(truth, dtype=int)).ravel()

    def key(delay):
        gap = np.abs(lags - delay)
        near = gap[gap <= tolerance]
        moved = [sample - delay for sample in found]
        return (
            len(near),
            np.sum(tolerance + 1 - near),
            -abs(delay),
            len(match_spikes(truth, moved, tolerance)[0]),
        )

    best = max(map(key, range(-max_delay, max_delay + 1)))
    return max(d for d in range(-max_delay, max_delay + 1) if key(d) == best) if best[0] else 0


@settings(max_examples=150, deadline=None)
@given(TRAIN, TRAIN, st.integers(0, 3), st.integers(0, 15))
def test_delay_is_the_best_of_all(truth, found, tolerance, max_delay):
    assert best_delay(truth, found, tolerance, max_delay) == brute_force_delay(
        truth, found, tolerance, max_delay
    )


@pytest.mark.parametrize("shift", [-100, -3, 0, 1, 100])
def test_a_pure_shift_is_found_exactly(shift):
    # Every delay within the tolerance of the shift matches all spikes; the one in their middle must win.
    truth = np.cumsum(np.random.default_rng(0).integers(150, 300, 40)) + 200
    assert best_delay(truth, truth + shift, 2, 100) == shift


def test_delays_beyond_reach_are_not_taken():
    assert best_delay([1000], [1103], 2, 100) == 0  # one further than tolerance and reach together
    assert best_delay([1000], [1102], 2, 100) == 100


def test_unsorted_trains_are_refused():
    with pytest.raises(InvalidArgumentError, match="found must be strictly increasing"):
        match_spikes([1, 2], [2, 1], 1)
    with pytest.raises(InvalidArgumentError, match="tolerance"):
        match_spikes([1], [1], -1)
