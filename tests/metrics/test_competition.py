"""The competition's score, worked by hand, and what must hold for all spike trains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muemg import Decomposition, SpikeTrains
from muemg._table import Table
from muemg.errors import InvalidArgumentError
from muemg.metrics import munitquest_score, pulse_to_noise_variant, silhouette_variant

FS, N = 1000.0, 20_000  # 1 ms is one sample


def trains(*samples, ids=()):
    return SpikeTrains(samples, FS, N, ids)


def irregular(first, n_spikes, seed=0):
    """Intervals of 80–140 ms that no other train shares."""
    gaps = np.random.default_rng(seed).integers(80, 140, n_spikes)
    return (first + np.cumsum(gaps)).tolist()


A, B, C = irregular(1000, 20, 1), irregular(5000, 20, 2), irregular(9000, 20, 3)


def test_complete_labels_by_hand():
    found = trains(
        [*A[:16], 7000, 7321],  # 16 of A's 20 and two false ones: F1 = 32 / (18 + 20)
        [
            spike + 5 for spike in A[:12]
        ],  # A again, 5 ms late: shares 12 of the larger train's 18, a duplicate
        [*B[:6], 12_000, 12_113, 12_240, 12_333, 12_471, 12_555],  # 6 of B's 20: F1 = 12 / (12 + 20) < 0.5
        [spike + 40 for spike in C],  # C, 40 ms late: F1 = 1
    )
    result = munitquest_score(found, trains(A, B, C, ids=("a", "b", "c")))
    assert result.units["status"].tolist() == ["matched", "duplicate", "unmatched", "matched"]
    assert result.units["match"].tolist() == ["a", "", "", "c"]
    assert result.units["points"].tolist() == pytest.approx([32 / 38, 0, 0, 1])
    assert (result.label_score, result.model_score) == (result.score, 0)
    assert result.score == pytest.approx(32 / 38 + 1)
    assert "2 matched, 1 unmatched, 1 duplicate, 0 rejected" in repr(result)


def test_duplicates_share_30_percent_of_the_larger_train_within_10_ms():
    # 6 of 20 spikes in common are 30 %, 6 of 21 are not; 12 ms apart is not the same unit.
    other = irregular(12_000, 15, 4)
    status = [
        munitquest_score(trains(A, second), trains(C)).units["status"][1]
        for second in (A[:6] + other[:14], A[:6] + other[:15], [spike + 12 for spike in A])
    ]
    assert status == ["duplicate", "unmatched", "unmatched"]


def test_a_copy_of_a_duplicate_is_one_too():
    # The second is half A and half C; the third, all C, shares with the second only. The first of each stays.
    result = munitquest_score(trains(A, A[:10] + C[:10], C), trains(A, C))
    assert result.units["status"].tolist() == ["matched", "duplicate", "duplicate"]
    assert result.score == 1


def test_units_are_assigned_before_weak_pairs_are_refused():
    # X holds 12 of A and 11 of B: F1 24/43 and 22/43. Y holds 8 of A and 8 false: F1 16/36 with A.
    # The largest sum is X with B and Y with A, 0.512 + 0.444; Y is then refused, and X stays with B.
    late = irregular(14_000, 8, 5)
    result = munitquest_score(trains(A[:12] + B[:11], A[12:] + late), trains(A, B))
    assert result.units["status"].tolist() == ["matched", "unmatched"]
    assert result.units["match"].tolist() == [1, -1]
    assert result.score == pytest.approx(22 / 43)


@pytest.mark.parametrize(
    ("sil", "pnr", "cod", "points"),
    [
        (0.95, 37.1, 0.05, (1 + 1 + 1) / 3),
        (0.949, 37.0, 0.197, (0.75 + 0.75 + 0.75) / 3),
        (0.925, 33.9, 0.371, (0.75 + 0.75 + 0.75) / 3),
        (0.924, 33.8, 0.372, (0.5 + 0.5 + 0.5) / 3),
        (0.9, 30.0, 0.729, (0.5 + 0.5 + 0.5) / 3),
        (0.9, 29.9, 0.73, 0.5 / 3),
        (1.0, np.inf, 0.049, 2 / 3),
        (0.98, np.nan, np.nan, 1 / 3),
        (0.899, 40.0, 0.1, 0),  # rejected
        (np.nan, 40.0, 0.1, 0),
    ],
)
def test_confidence_of_an_unmatched_unit(sil, pnr, cod, points):
    quality = {"sil": [sil], "pnr": [pnr], "cod": [cod]}
    result = munitquest_score(trains(A), trains(C), complete=False, quality=quality)
    assert result.units["points"][0] == pytest.approx(points)
    assert result.units["status"][0] == ("unmatched" if points else "rejected")
    assert (result.label_score, result.model_score) == (0, pytest.approx(points))


def test_matched_units_and_those_of_few_spikes_get_no_confidence():
    quality = {"sil": [1, 1, 1], "pnr": [50, 50, 50], "cod": [0.1, 0.1, 0.1]}
    found = trains(A[:15], B[:9], C[:10])
    result = munitquest_score(found, trains(A), complete=False, quality=quality)
    assert result.units["status"].tolist() == ["matched", "rejected", "unmatched"]
    assert result.units["points"].tolist() == pytest.approx([30 / 35, 0, 1])
    assert np.isnan(result.units["sil"]).tolist() == [True, False, False]


def test_a_decomposition_brings_its_own_quality():
    rng = np.random.default_rng(0)
    sources = 0.02 * rng.normal(size=(2, N))
    for source, train in zip(sources, (A, C)):
        source[train] += 1
    found = Decomposition(trains(A, C), sources, np.zeros((2, 1, 3)), Table({"sil": [0.9, 0.9]}))
    units = munitquest_score(found, trains(A), complete=False).units
    assert units["status"].tolist() == ["matched", "unmatched"]
    kept = found.sources[1]  # as float32
    assert units["sil"][1] == silhouette_variant(kept, np.array(C), FS, "muniverse")
    assert units["pnr"][1] == pulse_to_noise_variant(kept, np.array(C), "muniverse")
    intervals = np.diff(C)
    middle = np.median(intervals)
    assert units["cod"][1] == pytest.approx(np.median(np.abs(intervals - middle)) / middle)


def test_incomplete_labels_need_sources_or_quality():
    with pytest.raises(InvalidArgumentError, match=r"must be a Decomposition with sources.*missing: pnr"):
        munitquest_score(trains(A), trains(C), complete=False, quality={"sil": [1]})
    with pytest.raises(InvalidArgumentError, match=r"quality\['sil'\] must have shape \(1,\)"):
        munitquest_score(trains(A), trains(C), complete=False, quality={"sil": [1, 1], "pnr": [1]})


@pytest.mark.parametrize(("n_found", "n_true"), [(0, 2), (2, 0), (0, 0)])
def test_nothing_found_or_nothing_labelled(n_found, n_true):
    result = munitquest_score(trains(*(A, C)[:n_found]), trains(*(A, C)[:n_true]))
    assert result.score == 0
    assert result.units.n_rows == n_found


POOL = st.lists(st.lists(st.integers(0, 400), unique=True, max_size=12).map(sorted), max_size=4)


@settings(max_examples=40, deadline=None)
@given(POOL, POOL)
def test_no_unit_counts_more_than_once(found, truth):
    quality = {name: np.full(len(found), value) for name, value in (("sil", 1), ("pnr", 50), ("cod", 0.1))}
    result = munitquest_score(trains(*found), trains(*truth), complete=False, quality=quality)
    points, status = result.units["points"], result.units["status"]
    assert np.all((points >= 0) & (points <= 1))
    assert np.all(points[np.isin(status, ("duplicate", "rejected"))] == 0)
    assert result.label_score <= min(len(found), len(truth))
    assert munitquest_score(trains(*found), trains(*truth)).score == result.label_score


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(5)), st.integers(-100, 100))
def test_the_order_of_labels_and_a_common_delay_do_not_matter(order, shift):
    labels = [irregular(1000, 30, seed) for seed in range(5)]
    found = [np.array(label[: 20 + 2 * i]) + shift for i, label in enumerate(labels)]
    result = munitquest_score(trains(*found), trains(*[labels[i] for i in order]))
    # 20, 22, … 28 of 30 spikes found, none false
    assert result.units["f1"].tolist() == pytest.approx([2 * n / (n + 30) for n in range(20, 30, 2)])
    assert [order[match] for match in result.units["match"]] == list(range(5))
