"""Quality measures on sources whose value can be worked out by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from muemg.errors import InvalidArgumentError
from muemg.metrics import (
    coefficient_of_dispersion,
    cov_isi,
    detect_spikes,
    interspike_intervals,
    mean_discharge_rate,
    pulse_to_noise_ratio,
    silhouette,
    silhouette_of_heights,
    source_peaks,
    two_class_threshold,
)

FS = 1000.0
# Whole numbers of 1/8 keep sums of squares exact enough to compare splits that tie.
HEIGHTS = arrays(np.float64, st.integers(1, 9), elements=st.integers(0, 80).map(lambda n: n / 8))


def pulses(n_samples, heights, at):
    source = np.zeros(n_samples)
    source[list(at)] = heights
    return source


def test_silhouette_by_hand():
    # Spikes 9 and 11: centroid 10, within = 1 + 1. Others 1 and 3: centroid 2, between = 49 + 81 = 130.
    assert silhouette_of_heights([9, 11], [1, 3]) == pytest.approx((130 - 2) / 130)


def test_silhouette_is_small_where_the_classes_overlap():
    # Spikes 0 and 10: within 25 + 25; the others' mean is 5.5: between 30.25 + 20.25.
    assert silhouette_of_heights([0, 10], [5.5]) == pytest.approx(0.5 / 50.5)
    assert silhouette_of_heights([0, 10], [5, 5]) == 0


@pytest.mark.parametrize(
    ("spikes", "others"), [([], [1.0]), ([2.0], [1.0]), ([2.0, 3.0], []), ([4.0, 4.0], [4.0])]
)
def test_silhouette_is_undefined_without_two_spikes_and_another_peak(spikes, others):
    assert np.isnan(silhouette_of_heights(spikes, others))


def test_peaks_are_signed_squares_and_reach_the_edges():
    source = pulses(100, [2, 3, -5, 1], [0, 40, 60, 99])
    at, heights = source_peaks(source, FS)
    assert at.tolist() == [0, 40, 99]  # the negative peak is none
    assert heights.tolist() == [4, 9, 1]


def test_of_two_near_peaks_the_higher_stays():
    at, _ = source_peaks(pulses(100, [2, 3, 2], [40, 48, 70]), FS, min_distance=10e-3)
    assert at.tolist() == [48, 70]


def test_spikes_are_found_and_scored_alike():
    source = pulses(400, [10, 9, 11, 1, 2, 1.5], [0, 100, 399, 50, 150, 250])
    spikes, sil = detect_spikes(source, FS)
    assert spikes.tolist() == [0, 100, 399]
    # Heights 100, 81, 121 (centroid 302/3) and 1, 4, 2.25 (centroid 7.25/3).
    h, c1, c0 = np.array([100, 81, 121]), 302 / 3, 7.25 / 3
    within, between = np.sum((h - c1) ** 2), np.sum((h - c0) ** 2)
    assert sil == pytest.approx((between - within) / between)
    assert silhouette(source, spikes, FS) == sil


@settings(deadline=None)
@given(HEIGHTS)
def test_two_classes_are_the_best_of_all_splits(heights):
    threshold = two_class_threshold(heights)
    if len(np.unique(heights)) < 2:
        assert np.isnan(threshold)
        return
    above = heights > threshold
    assert 0 < above.sum() < len(heights)

    def scatter(mask):
        return sum(np.sum((part - part.mean()) ** 2) for part in (heights[mask], heights[~mask]))

    every = (np.array(mask) for mask in itertools.product([False, True], repeat=len(heights)))
    best = min(scatter(mask) for mask in every if 0 < mask.sum() < len(heights))
    assert scatter(above) == pytest.approx(best, abs=1e-9)  # rounding of sums up to 1e4


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1e-3, 1e6]))
def test_quality_does_not_depend_on_scale(seed, scale):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=2000) + pulses(2000, 8, range(50, 2000, 90))
    spikes, sil = detect_spikes(source, FS)
    scaled, scaled_sil = detect_spikes(scale * source, FS)
    assert np.array_equal(spikes, scaled)
    assert scaled_sil == pytest.approx(sil, rel=1e-9)
    assert pulse_to_noise_ratio(scale * source, spikes) == pytest.approx(
        pulse_to_noise_ratio(source, spikes), rel=1e-9
    )


def test_a_flat_source_has_no_spikes():
    for level in (0.0, 1.0, -1.0):
        spikes, sil = detect_spikes(np.full(500, level), FS)
        assert not len(spikes)
        assert np.isnan(sil)


def test_pulse_to_noise_ratio_by_hand():
    # Mean square 100 at the two spikes, 1 at the eight other samples: 20 dB.
    source = np.array([1, -1, 10, 1, 1, -10, 1, 1, -1, 1.0])
    assert pulse_to_noise_ratio(source, [2, 5]) == pytest.approx(20)
    assert np.isnan(pulse_to_noise_ratio(source, []))
    assert np.isnan(pulse_to_noise_ratio(source, np.arange(10)))
    assert np.isnan(pulse_to_noise_ratio(np.zeros(10), [2]))
    assert pulse_to_noise_ratio(pulses(10, 1, [2]), [2]) == np.inf


def test_intervals_by_hand_and_the_rule_of_pauses():
    # Intervals 100, 80, 120 ms, a pause of 700 ms, 100 ms. Without the pause: mean 100, deviations 0 20 20 0.
    spikes = np.cumsum([10, 100, 80, 120, 700, 100])
    assert interspike_intervals(spikes, FS) == pytest.approx([0.1, 0.08, 0.12, 0.1])
    assert mean_discharge_rate(spikes, FS) == pytest.approx(10)
    assert cov_isi(spikes, FS) == pytest.approx(np.sqrt(800 / 3) / 100)
    assert coefficient_of_dispersion(spikes, FS) == pytest.approx(
        0.1
    )  # deviations 0 0 20 20, median 10 of 100
    assert len(interspike_intervals(spikes, FS, longest=np.inf)) == 5


@pytest.mark.parametrize("spikes", [[], [5], [5, 105]])
def test_regularity_needs_two_intervals(spikes):
    assert np.isnan(cov_isi(spikes, FS))
    assert np.isnan(coefficient_of_dispersion(spikes, FS))
    assert np.isnan(mean_discharge_rate(spikes, FS)) == (len(spikes) < 2)


def test_bad_sources_and_spikes_are_named():
    with pytest.raises(InvalidArgumentError, match="source must be finite"):
        detect_spikes(np.array([0.0, np.nan]), FS)
    with pytest.raises(InvalidArgumentError, match=r"source must have shape \(n_samples,\)"):
        detect_spikes(np.zeros((2, 5)), FS)
    with pytest.raises(InvalidArgumentError, match=r"spikes must lie in 0\.\.9"):
        silhouette(np.zeros(10), [10], FS)
    with pytest.raises(InvalidArgumentError, match="sampling_rate"):
        cov_isi([1, 2, 3], 0)
