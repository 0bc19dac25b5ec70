"""Silhouettes and pulse-to-noise ratios of other tools, worked by hand from what each of them computes."""

import numpy as np
import pytest

from muemg.errors import InvalidArgumentError
from muemg.metrics import (
    PNR_VARIANTS,
    SILHOUETTE_VARIANTS,
    pulse_to_noise_ratio,
    pulse_to_noise_variant,
    separability,
    silhouette,
    silhouette_variant,
)

FS = 1000.0
SPIKES = [10, 30]


@pytest.fixture(scope="module")
def source():
    """Silence but for two spikes of 4 and 6, a peak of 2, and a dip to −5 with a local maximum of −3 in it."""
    values = np.zeros(100)
    values[[10, 30, 50, 69, 70, 71]] = [4, 6, 2, -5, -3, -5]
    return values


def test_muemg_takes_positive_peaks(source):
    # s·|s|: spikes 16 and 36, mean 26, within 100 + 100. The only other positive peak is 4: between 144 + 1024.
    assert silhouette_variant(source, SPIKES, FS, "muemg") == pytest.approx((1168 - 200) / 1168)
    assert silhouette_variant(source, SPIKES, FS, "muemg") == silhouette(source, SPIKES, FS)


def test_muniverse_takes_negative_peaks_too(source):
    # Other peaks 4 and −9, mean −2.5: between 18.5² + 38.5²; within as before.
    between = 18.5**2 + 38.5**2
    assert silhouette_variant(source, SPIKES, FS, "muniverse") == pytest.approx((between - 200) / between)


def test_muniverse_counts_a_peak_beside_the_spike_as_background(source):
    # A spike reported 2 ms late lies at 0, and the peak of 16 that it means becomes background.
    # Spikes 0 and 36: within 18² + 18²; others 16, 4, −9, mean 11/3.
    between = (11 / 3) ** 2 + (36 - 11 / 3) ** 2
    late = silhouette_variant(source, [12, 30], FS, "muniverse")
    assert late == pytest.approx((between - 648) / max(between, 648))
    # muemg: the peak within 5 ms of the spike is nobody's; the other is 4.
    between = 4**2 + 32**2
    assert silhouette_variant(source, [12, 30], FS, "muemg") == pytest.approx((between - 648) / between)


def test_openhdemg_takes_the_source_itself(source):
    # Spikes 4 and 6: within 1 + 1. All local maxima: 2 and −3, mean −0.5: between 4.5² + 6.5².
    assert silhouette_variant(source, SPIKES, FS, "openhdemg") == pytest.approx((62.5 - 2) / 62.5)


def test_old_openhdemg_takes_all_other_samples(source):
    # The other 98 samples sum to 2 − 5 − 3 − 5 = −11.
    between = (4 + 11 / 98) ** 2 + (6 + 11 / 98) ** 2
    assert silhouette_variant(source, SPIKES, FS, "openhdemg-0.1") == pytest.approx((between - 2) / between)


def test_emgdecompy_takes_absolute_distances_of_both_classes(source):
    # s²: spikes 16 and 36, mean 26; the other 98 samples 4, 25, 9, 25 and 94 zeros, mean m = 63/98.
    m = 63 / 98
    within = (10 + 10) + (94 * m + 63 - 4 * m)
    between = (16 - m + 36 - m) + (94 * 26 + 22 + 1 + 17 + 1)
    value = silhouette_variant(source, SPIKES, FS, "emgdecompy")
    assert value == pytest.approx((between - within) / between)


def test_emgdecomp_takes_the_silhouette_coefficient(source):
    # s²: spikes 16 and 36; other maxima at least 15 ms apart: 4, and one of the two equal ones of 25.
    coefficients = [
        (10.5 - 20) / 20,  # 16: 20 to its own, (12 + 9)/2 to the others
        (21.5 - 20) / 21.5,  # 36: 20 and (32 + 11)/2
        (22 - 21) / 22,  # 4: 21 and (12 + 32)/2
        (10 - 21) / 21,  # 25: 21 and (9 + 11)/2
    ]
    value = silhouette_variant(source, SPIKES, FS, "emgdecomp")
    assert value == pytest.approx(np.mean(coefficients))


def test_the_silhouette_coefficient_is_scikit_learns():
    from sklearn.metrics import silhouette_score

    rng = np.random.default_rng(0)
    values = np.abs(rng.normal(size=4000))
    spikes = np.arange(40, 4000, 80)
    values[spikes] += rng.normal(5, 1, len(spikes))
    squares = values**2
    from scipy.signal import find_peaks

    others = np.setdiff1d(find_peaks(squares, distance=15)[0], spikes)
    heights = np.concatenate([squares[spikes], squares[others]])
    labels = np.repeat([1, 0], [len(spikes), len(others)])
    expected = silhouette_score(heights[:, None], labels)
    assert silhouette_variant(values, spikes, FS, "emgdecomp") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("variant", SILHOUETTE_VARIANTS)
def test_no_silhouette_without_two_spikes_and_another_class(source, variant):
    assert np.isnan(silhouette_variant(source, [10], FS, variant))
    assert np.isnan(silhouette_variant(source, [], FS, variant))


def test_pulse_to_noise_ratios_by_hand():
    source = np.array([0, 1, 10, 2, 0, 0, 3, -4, 0, 0, 1, 10, 0, 5.0])
    spikes = [2, 11]
    # s²: 100 at the spikes; the twelve others sum to 1 + 4 + 9 + 16 + 1 + 25 = 56.
    assert pulse_to_noise_variant(source, spikes, "muemg") == pytest.approx(10 * np.log10(100 / (56 / 12)))
    assert pulse_to_noise_variant(source, spikes, "emgdecompy") == pulse_to_noise_ratio(source, spikes)
    # s⁴ at 1, 2, 3 and 10, 11, 12: (1 + 10⁴ + 16 + 1 + 10⁴ + 0)/6; the eight others sum to 81 + 256 + 625.
    pulse, noise = (2e4 + 18) / 6, 962 / 8
    assert pulse_to_noise_variant(source, spikes, "muniverse") == pytest.approx(10 * np.log10(pulse / noise))
    # From 2 to 11, further than 3 samples from both, not negative: samples 6 and 7, of which −4 is left out.
    assert pulse_to_noise_variant(source, spikes, "openhdemg") == pytest.approx(10 * np.log10(100 / 9))


@pytest.mark.parametrize("variant", PNR_VARIANTS)
def test_no_pulse_to_noise_ratio_without_pulse_or_noise(variant):
    assert np.isnan(pulse_to_noise_variant(np.ones(5), [], variant))
    assert np.isnan(pulse_to_noise_variant(np.ones(5), [0, 1, 2, 3, 4], variant))


def test_separability_by_hand():
    # Spikes 8, 9, 10, 11, 12: tenth percentile 8.4, mean 10. Others 0.5, 1, 1.5, 2, 2.5: ninetieth percentile 2.3.
    source = np.zeros(1000)
    at = np.arange(50, 1000, 100)
    source[at] = [8, 0.5, 9, 1, 10, 1.5, 11, 2, 12, 2.5]
    assert separability(source, at[::2], FS) == pytest.approx((8.4 - 2.3) / 10)
    assert np.isnan(separability(source, [], FS))
    assert np.isnan(separability(source, at, FS))


def test_unknown_variants_are_listed():
    with pytest.raises(
        InvalidArgumentError, match="variant must be one of 'muemg', 'muniverse', 'openhdemg'"
    ):
        silhouette_variant(np.ones(9), [1, 2], FS, "best")
    with pytest.raises(InvalidArgumentError, match="variant must be one of"):
        pulse_to_noise_variant(np.ones(9), [1, 2], "emgdecomp")
