"""What units share: against SciPy and scikit-learn, and on trains that were built to share."""

import numpy as np
import pytest
from scipy.signal import coherence, csd
from sklearn.metrics import mutual_info_score

from muemg import SpikeTrains
from muemg.drive import (
    NeuralModes,
    common_drive_index,
    count_frames,
    cross_correlogram,
    mutual_information,
    pairwise_coherence,
    pooled_coherence,
    shift_trains,
    shuffle_intervals,
    synchrony,
)
from muemg.errors import InvalidArgumentError
from tests.drive.trains import RATE, trains_of


def slow(t):
    return 12 + 3 * np.sin(2 * np.pi * 1.3 * t) + 2 * np.sin(2 * np.pi * 0.9 * t + 1)


def other(t):
    return 12 + 3 * np.sin(2 * np.pi * 1.7 * t + 2) + 2 * np.sin(2 * np.pi * 0.6 * t)


@pytest.fixture(scope="module")
def alone():
    """Six units that share nothing."""
    return trains_of([9, 10, 11, 12, 13, 14], 40, seed=1)


@pytest.fixture(scope="module")
def together():
    """Three units that follow one course and three that follow another."""
    return trains_of([slow] * 3 + [other] * 3, 40, seed=2)


# ------------------------------------------------------------------ coherence


def test_coherence_is_that_of_scipy(together):
    found, pairs = pairwise_coherence(together, resolution=1.0)
    dense = together.to_dense().astype(float)
    dense -= dense.mean(axis=1, keepdims=True)
    options = {"fs": RATE, "window": np.hanning(1000), "noverlap": 500, "detrend": False}
    frequencies, expected = coherence(dense[0], dense[2], **options)
    np.testing.assert_allclose(found.frequencies, frequencies[:101])
    np.testing.assert_allclose(pairs[0, 2], expected[:101], rtol=1e-6)
    np.testing.assert_allclose(pairs, pairs.swapaxes(0, 1), rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(pairs), 1, rtol=1e-9)


def test_pooled_coherence_of_two_units_is_theirs_and_of_many_a_ratio_of_sums(together):
    _, pairs = pairwise_coherence(together, resolution=1.0)
    two = pooled_coherence(together.select_units([0, 2]), resolution=1.0)
    np.testing.assert_allclose(two.values, pairs[0, 2], rtol=1e-9)
    # Of four units there are three divisions in halves.
    four = pooled_coherence(together.select_units([0, 1, 2, 3]), resolution=1.0)
    dense = together.to_dense().astype(float)
    options = {"fs": RATE, "window": np.hanning(1000), "noverlap": 500, "detrend": False}
    cross, power = 0, [0, 0]
    dense -= dense.mean(axis=1, keepdims=True)
    for halves in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))):
        x, y = (dense[list(half)].sum(axis=0) for half in halves)
        cross = cross + csd(x, y, **options)[1][:101]
        power = [p + csd(s, s, **options)[1][:101] for p, s in zip(power, (x, y))]
    expected = np.abs(cross) ** 2 / (power[0] * power[1]).real
    np.testing.assert_allclose(four.values[1:], expected[1:], rtol=1e-6)


def test_shared_courses_stand_out_and_independent_trains_do_not(alone, together):
    shared = pooled_coherence(together.select_units([0, 1, 2]), n_units_each=1).bands()
    apart = pooled_coherence(alone.select_units([0, 1, 2]), n_units_each=1).bands()
    assert shared["mean"][0] > 0.15 > 3 * apart["mean"][0]  # delta, where the courses are
    assert shared["mean"][2] < 0.1
    independent, pairs = pairwise_coherence(alone, resolution=2.0)
    one, two = np.triu_indices(6, 1)
    # 750 values; neighbours 2 Hz apart and pairs that share a unit are nearly independent: 5 ± 2.4 %.
    above = np.mean(pairs[one, two][:, 1:] > independent.limit(0.95))
    assert 0.02 < above < 0.09


def test_segments_without_overlap_count_as_they_are(alone):
    found, _ = pairwise_coherence(alone, overlap=0.0, resolution=5.0)
    assert found.n_segments == 40
    assert found.limit(0.95) == pytest.approx(1 - 0.05 ** (1 / 39))
    half, _ = pairwise_coherence(alone, overlap=0.5, resolution=5.0)
    # Welch 1967: half-overlapping Hann segments are worth 18/19 of their number in the limit, each next one 1/36.
    assert half.n_segments == pytest.approx(79 / (1 + 2 * (78 / 79) / 36), rel=1e-3)
    assert half.z.shape == half.values.shape


def test_bands_without_frequencies_are_undefined(alone):
    found, _ = pairwise_coherence(alone, resolution=5.0, max_frequency=20)
    table = found.bands({"there": (5, 15), "beyond": (30, 40)})
    assert np.isnan(table["mean"][1])
    assert table["peak_frequency"][0] in (5.0, 10.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segment": 30}, "two in the 40 s"),
        ({"overlap": 1.0}, "below 1"),
        ({"max_frequency": 501}, "at most half the sampling rate"),
        ({"n_units_each": 4}, "at most half of the 6"),
    ],
)
def test_bad_coherence_is_refused(alone, changes, said):
    with pytest.raises(InvalidArgumentError, match=said):
        pooled_coherence(alone, **changes)


def test_coherence_needs_two_active_units():
    silent = SpikeTrains(([1, 5], []), 100.0, 1000)
    with pytest.raises(InvalidArgumentError, match="two active units, got 1"):
        pooled_coherence(silent, max_frequency=10)
    three = SpikeTrains(([1, 500], [], [2, 700]), 100.0, 1000)
    _, pairs = pairwise_coherence(three, max_frequency=10)
    assert np.isnan(pairs[1]).all()
    assert np.isfinite(pairs[0, 2]).all()


# ------------------------------------------------------------------ common drive


def test_common_drive_is_that_of_who_shares_it(together, alone):
    table = common_drive_index(together)
    same = (table["unit_a"] < 3) == (table["unit_b"] < 3)
    assert table["index"][same].min() > 0.6
    assert table["index"][~same].max() < 0.4
    assert np.abs(common_drive_index(alone)["index"]).max() < 0.5


def test_the_lag_is_that_of_who_follows(together):
    train = together[0]
    later = SpikeTrains((train[:-40], train[:-40] + 30), RATE, together.n_samples)
    row = common_drive_index(later).row(0)
    assert row["lag"] == pytest.approx(0.03)
    assert row["index"] > 0.999
    assert common_drive_index(later.select_units([1, 0]))["lag"][0] == pytest.approx(-0.03)


def test_common_drive_of_silent_units_and_short_stretches(alone):
    few = SpikeTrains((alone[0], [5, 9]), RATE, alone.n_samples)
    assert np.isnan(common_drive_index(few)["index"]).all()
    assert common_drive_index(alone.select_units([0])).n_rows == 0
    with pytest.raises(InvalidArgumentError, match="longer than twice the window"):
        common_drive_index(alone, start=1.0, stop=1.5)


# ------------------------------------------------------------------ synchrony


def test_a_correlogram_by_hand():
    spikes = SpikeTrains(([10, 100], [8, 10, 13, 104]), 1000.0, 200)
    lags, counts = cross_correlogram(spikes, 0, 1, max_lag=4e-3)
    assert np.rint(1e3 * lags).tolist() == list(range(-4, 5))
    assert counts.tolist() == [0, 0, 1, 0, 1, 0, 0, 1, 1]
    _, mirrored = cross_correlogram(spikes, 1, 0, max_lag=4e-3)
    assert mirrored.tolist() == counts.tolist()[::-1]


def test_synchrony_recovers_what_was_put_in():
    # 1.5 of each unit's discharges a second are shared, moved by ± 2 ms.
    base = trains_of([8, 8], 300, seed=4, cov=0.25)
    rng = np.random.default_rng(0)
    shared = np.sort(rng.integers(1000, 299_000, 450))
    trains = tuple(np.unique(np.concatenate([t, shared + rng.integers(-2, 3, 450)])) for t in base)
    row = synchrony(SpikeTrains(trains, RATE, base.n_samples)).row(0)
    assert row["significant"]
    assert row["cis"] == pytest.approx(1.5, abs=0.35)
    n_fewer = min(map(len, trains))
    assert row["excess"] == pytest.approx(row["cis"] * 300 / n_fewer, rel=0.02)
    assert row["peak_begin"] < 0 < row["peak_end"] < 6e-3
    assert row["k_prime"] > 2
    assert row["z"] > 10


def test_independent_units_are_not_synchronous(alone):
    table = synchrony(alone)
    assert np.abs(table["cis"]).max() < 0.6
    assert np.abs(table["k_prime"] - 1).max() < 0.6
    silent = synchrony(SpikeTrains((alone[0], []), RATE, alone.n_samples))
    assert np.isnan(silent["cis"]).all()
    assert not silent["significant"].any()
    assert synchrony(SpikeTrains((), RATE, 10)).n_rows == 0


def test_synchrony_refuses_lags_out_of_order(alone):
    with pytest.raises(InvalidArgumentError, match="search ≤ baseline < max_lag"):
        synchrony(alone, baseline=0.2)
    with pytest.raises(InvalidArgumentError, match="at least one sample"):
        cross_correlogram(alone, 0, 1, bin_width=1e-4)
    with pytest.raises(InvalidArgumentError, match=r"other must lie in 0\.\.5"):
        cross_correlogram(alone, 0, 6)


# ------------------------------------------------------------------ information


def test_information_is_that_of_scikit_learn(together, alone):
    counts = count_frames(together, 10.0).astype(int)
    bits = mutual_information(together, corrected=False)
    for a in range(3):
        expected = mutual_info_score(counts[:, a], counts[:, 5]) / np.log(2)
        assert bits[a, 5] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_array_equal(bits, bits.T)
    one, two = np.triu_indices(6, 1)
    plain, corrected = (mutual_information(alone, corrected=c)[one, two].mean() for c in (False, True))
    # Without correction 15 unrelated pairs seem to share bits.
    assert abs(corrected) < 0.3 * plain
    same = mutual_information(together)[[0, 0, 1], [1, 2, 2]]
    assert same.min() > 4 * abs(corrected)


def test_information_needs_a_unit():
    with pytest.raises(InvalidArgumentError, match="at least one unit"):
        mutual_information(SpikeTrains((), 100.0, 100))


# ------------------------------------------------------------------ surrogates and modes


def test_surrogates_keep_what_each_unit_does_alone(together):
    for made in (shuffle_intervals(together, 3), shift_trains(together, 3)):
        assert made.n_spikes.tolist() == together.n_spikes.tolist()
        assert made != together
    shuffled = shuffle_intervals(together, 3)
    for train, original in zip(shuffled, together):
        assert sorted(np.diff(train)) == sorted(np.diff(original))
        assert (train[0], train[-1]) == (original[0], original[-1])
    shifted = shift_trains(SpikeTrains(([0, 10, 30],), 100.0, 100), 0)[0]
    assert sorted(np.diff(np.append(shifted, shifted[0] + 100))) == [10, 20, 70]
    few = SpikeTrains(([], [4], [4, 9]), 100.0, 100)
    assert shuffle_intervals(few) == few


@pytest.mark.parametrize("surrogate", ["shift", "shuffle"])
def test_parallel_analysis_counts_the_commands(together, surrogate):
    settings = {"surrogate": surrogate, "n_surrogates": 40, "frame_rate": 50.0}
    assert NeuralModes(**settings).fit(count_frames(together, 50.0)).n_components_ == 2
    found = []
    for seed in range(6):
        counts = count_frames(trains_of([9, 10, 11, 12, 13, 14], 20, seed=seed), 50.0)
        model = NeuralModes(**settings | {"n_surrogates": 100, "seed": seed}).fit(counts)
        found.append(model.n_components_)
        assert model.transform(counts).shape == (1000, model.n_components_)
    # One in twenty by design (6 of 200 such recordings have one): two or more of six in 3 % of all cases.
    assert np.count_nonzero(found) <= 1


@pytest.mark.parametrize("method", ["pca", "factor_analysis", "nmf"])
def test_modes_follow_the_commands(together, method):
    counts = count_frames(together, 50.0)
    model = NeuralModes(method, n_surrogates=20, frame_rate=50.0).fit(counts)
    courses = model.transform(counts)
    time = (np.arange(len(counts)) + 0.5) / 50
    commands = np.column_stack([slow(time), other(time), np.ones(len(time))])
    inside = slice(25, -25)  # away from the ends, where windows are cut
    for command in commands.T[:2]:
        design = np.column_stack([courses, np.ones(len(time))])[inside]
        rest = command[inside] - design @ np.linalg.lstsq(design, command[inside], rcond=None)[0]
        # The window of 0.4 s takes a fifth of the amplitude at 1.7 Hz; what remains is noise of the intervals.
        assert 1 - rest.var() / command[inside].var() > 0.8
    assert model.loadings_.shape == (2, 6)
    assert model.eigenvalues_.sum() == pytest.approx(6)


def test_units_that_never_vary_are_no_mode():
    counts = np.zeros((200, 4))
    model = NeuralModes(n_surrogates=5).fit(counts)
    assert model.n_components_ == 0
    assert model.eigenvalues_.tolist() == [0, 0, 0, 0]
