"""Comparison of found and true units: cases worked by hand, and what must hold for all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muemg import Decomposition, SpikeTrains, compare
from muemg._table import Table
from muemg.errors import InvalidArgumentError
from muemg.metrics import find_duplicates

FS, N = 1000.0, 10_000  # 1 ms is one sample
SCORES = ("f1", "precision", "recall", "rate_of_agreement")


def trains(*samples, ids=()):
    return SpikeTrains(samples, FS, N, ids)


def regular(rng, n_units, n_samples=N):
    """Units with Gaussian intervals around 100 samples."""
    gaps = np.maximum(20, rng.normal(100, 15, (n_units, n_samples // 60)).astype(int))
    return [
        row[row < n_samples - 200] for row in np.cumsum(gaps, axis=1) + rng.integers(200, 300, (n_units, 1))
    ]


def test_worked_case():
    truth = trains(
        [1000, 1100, 1215, 1320, 1450],  # A
        [2000, 2130, 2240],  # B: nobody finds it
        [3000, 3110, 3250, 3370],  # C
        [],  # D: not recruited
        ids=("A", "B", "C", "D"),
    )
    found = trains(
        [3007, 3118, 3256, 3377, 3500],  # C, 7 ms late with ±1 ms of jitter, and one false spike
        [5000, 5100],  # nothing
        [1000, 1100, 1320, 1900],  # A: misses 1215 and 1450, and 1900 is false
    )
    result = compare(found, truth)

    frame = result.to_frame().set_index("unit")
    # A: TP 3 (1000, 1100, 1320), FP 1 (1900), FN 2 (1215, 1450).
    a = frame.loc["A"]
    assert (a.match, a.tp, a.fp, a.fn, a.n_spikes, a.delay) == (2, 3, 1, 2, 5, 0)
    assert (a.precision, a.recall) == (3 / 4, 3 / 5)
    assert a.f1 == pytest.approx(6 / 9)
    assert a.rate_of_agreement == 3 / 6
    # C: at a delay of 7 ms the spikes lie 0, +1, −1 and 0 ms apart: TP 4, FP 1 (3500), FN 0.
    c = frame.loc["C"]
    assert (c.match, c.tp, c.fp, c.fn, c.delay) == (0, 4, 1, 0, 7e-3)
    assert (c.precision, c.recall, c.f1, c.rate_of_agreement) == (4 / 5, 1, 8 / 9, 4 / 5)
    # B was missed: zeros. D never discharged, so nothing can be said of it.
    b, d = frame.loc["B"], frame.loc["D"]
    assert not b.matched
    assert (b.match, b.tp, b.fp, b.fn) == (-1, 0, 0, 3)
    assert [b[name] for name in SCORES] == [0, 0, 0, 0]
    assert np.isnan(b.delay)
    assert all(np.isnan(d[name]) for name in SCORES)

    assert result.missed == ["B"]
    assert result.extra == [1]
    assert result.n_matched == 2
    assert result.found["match"].tolist() == ["C", "", "A"]
    assert result.found["fp"].tolist() == [1, 2, 1]
    assert result.found["f1"].tolist() == [8 / 9, 0, 6 / 9]
    assert "2 of 3 active true units found" in repr(result)


def test_one_found_spike_counts_for_one_true_spike_only():
    # Found 1001 lies within 1 ms of both 1000 and 1002, yet only one of them is found.
    result = compare(trains([1001]), trains([1000, 1002]), max_delay=0, min_f1=0)
    assert result.truth.row(0)["tp"] == 1
    assert result.truth.row(0)["fn"] == 1


def test_a_merged_unit_goes_to_the_true_unit_it_resembles_most():
    # The found train holds all of A (6) and half of B (3 of 6): F1 12/15 with A, 6/15 with B.
    a = [1000, 1110, 1230, 1350, 1440, 1560]
    b = [5000, 5120, 5210, 5340, 5470, 5560]
    result = compare(trains(sorted(a + b[:3])), trains(a, b))
    assert result.truth["matched"].tolist() == [True, False]
    assert result.f1[:, 0] == pytest.approx([12 / 15, 6 / 15])


def test_assignment_is_the_best_overall_not_the_best_first():
    # Found 0 resembles both true units, found 1 only the first: giving 0 its best would waste 1.
    a = list(range(1000, 2000, 100))
    b = list(range(5030, 6030, 103))
    result = compare(trains(sorted(a + b[:7]), a[:7]), trains(a, b))
    assert result.truth["match"].tolist() == [1, 0]


def test_the_second_copy_of_a_unit_is_extra_and_a_duplicate():
    rng = np.random.default_rng(1)
    a, b = regular(rng, 2)
    found = trains(a, b, a[::2] + 5)
    result = compare(found, trains(a, b))
    assert result.extra == [2]
    assert find_duplicates(found) == ((0, 2),)
    assert find_duplicates(trains(a, b)) == ()
    assert find_duplicates(trains([], [])) == ()
    assert find_duplicates(trains()) == ()


def test_unrelated_trains_do_not_match():
    rng = np.random.default_rng(2)
    result = compare(trains(*regular(rng, 10)), trains(*regular(rng, 10)))
    assert result.n_matched == 0
    # yet by chance each pair agrees a little: the reason for min_f1
    assert 0.05 < np.median(result.f1) < 0.2
    assert compare(trains(*regular(rng, 3)), trains(*regular(rng, 3)), min_f1=0).n_matched == 3


@pytest.mark.parametrize(("n_found", "n_true"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_found_or_nothing_true(n_found, n_true):
    found, truth = trains(*[[100, 200]] * n_found), trains(*[[100, 200]] * n_true)
    result = compare(found, truth)
    assert result.truth.n_rows == n_true
    assert result.found.n_rows == n_found
    assert result.n_matched == 0
    assert len(result.missed) == n_true
    assert len(result.extra) == n_found
    assert "0 of" in repr(result)
    assert result.to_frame().shape == (n_true, 12)


def test_a_decomposition_is_compared_by_its_spikes():
    spikes = trains([100, 300, 500])
    made = Decomposition(spikes, np.zeros((1, N)), np.zeros((1, 2, 3)), Table({"sil": [0.9]}))
    assert compare(made, spikes).truth.row(0)["f1"] == 1


def test_tolerance_is_not_widened_by_rounding():
    # 1 ms at 2048 Hz is 2.048 samples: two, not three.
    truth, found = [100, 1100, 1900], [100, 1100, 1903]
    made = [SpikeTrains((train,), 2048.0, 4096) for train in (found, truth)]
    assert compare(*made, max_delay=0).truth["tp"].tolist() == [2]


def test_different_clocks_and_wrong_types_are_refused():
    one = trains([1, 2])
    with pytest.raises(InvalidArgumentError, match="one sampling rate, got 2048 and 1000 Hz"):
        compare(SpikeTrains(((1, 2),), 2048.0, N), one)
    with pytest.raises(InvalidArgumentError, match="one length, got 5000 and 10000 samples"):
        compare(SpikeTrains(((1, 2),), FS, 5000), one)
    with pytest.raises(InvalidArgumentError, match="found must be SpikeTrains"):
        compare([[1, 2]], one)
    with pytest.raises(InvalidArgumentError, match="tolerance"):
        compare(one, one, tolerance=-1e-3)
    with pytest.raises(InvalidArgumentError, match="min_f1"):
        compare(one, one, min_f1=2)


# ---------------------------------------------------------------- what must hold for all trains

POOL = st.lists(st.lists(st.integers(0, 400), unique=True, max_size=12).map(sorted), max_size=4)


def pool(lists):
    return SpikeTrains(tuple(np.array(train, dtype=int) for train in lists), FS, 1000)


@settings(max_examples=60, deadline=None)
@given(POOL, POOL)
def test_scores_lie_between_0_and_1_and_counts_add_up(found, truth):
    result = compare(pool(found), pool(truth), min_f1=0)
    for table in (result.truth, result.found):
        for name in SCORES:
            values = table[name][~np.isnan(table[name])]
            assert np.all((values >= 0) & (values <= 1))
    assert np.array_equal(result.truth["tp"] + result.truth["fn"], result.truth["n_spikes"])
    assert np.array_equal(result.found["tp"] + result.found["fp"], result.found["n_spikes"])
    assert result.truth["tp"].sum() == result.found["tp"].sum()


@settings(max_examples=60, deadline=None)
@given(POOL, POOL)
def test_agreement_is_symmetric(found, truth):
    one, other = compare(pool(found), pool(truth)), compare(pool(truth), pool(found))
    assert np.array_equal(one.f1, other.f1.T)


@settings(max_examples=60, deadline=None)
@given(POOL, POOL, st.randoms())
def test_the_order_of_units_does_not_matter(found, truth, random):
    shuffled = random.sample(range(len(found)), len(found))
    one = compare(pool(found), pool(truth))
    other = compare(pool([found[i] for i in shuffled]), pool(truth))
    assert np.array_equal(one.f1[:, shuffled], other.f1)
    # where pairs tie, another one of equal total may be chosen
    assert np.nansum(one.truth["f1"]) == pytest.approx(np.nansum(other.truth["f1"]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(-100, 100))
def test_a_common_shift_changes_only_the_delay(seed, shift):
    true = regular(np.random.default_rng(seed), 3)
    result = compare(trains(*[train + shift for train in true]), trains(*true))
    assert result.truth["f1"].tolist() == [1, 1, 1]
    assert result.truth["delay"] == pytest.approx(shift / FS)


@settings(max_examples=60, deadline=None)
@given(POOL.filter(len), POOL.filter(len))
def test_a_false_spike_never_raises_precision(found, truth):
    # 900 lies further from every true spike (≤ 400) than delay and tolerance reach.
    before = compare(pool(found), pool(truth), max_delay=0.05)
    after = compare(pool([[*found[0], 900], *found[1:]]), pool(truth), max_delay=0.05)
    tp = before.f1 * (np.add.outer([len(t) for t in truth], [len(f) for f in found])) / 2
    tp_after = (
        after.f1 * (np.add.outer([len(t) for t in truth], [len(found[0]) + 1, *map(len, found[1:])])) / 2
    )
    assert tp_after == pytest.approx(tp)
    assert np.all(after.f1[:, 0] <= before.f1[:, 0])
