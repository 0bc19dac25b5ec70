"""The upper bounds on scenes in which it is known what a filter can see."""

from functools import partial

import numpy as np
import pytest

from muemg import Recording, SpikeTrains, compare
from muemg.errors import InvalidArgumentError, UnusableRecordingError
from muemg.preprocessing import band_pass
from muemg.separation import cancelling_upper_bound as cancelling
from muemg.separation import linear_upper_bound as linear

FS, SECONDS, N_LAGS = 2000.0, 8, 40
N = int(SECONDS * FS)
linear_upper_bound = partial(linear, n_delays=12)  # few delays: fast
cancelling_upper_bound = partial(cancelling, n_delays=12)


def potentials(rng, n_units, n_channels):
    """Propagating waves of random place, speed and width, one size."""
    time = (np.arange(N_LAGS) - N_LAGS / 2) / FS
    place = np.linspace(0, 1, n_channels)[:, None]
    shapes = []
    for _ in range(n_units):
        late = rng.uniform(-4e-3, 4e-3) * (place - rng.uniform(0, 1))
        weight = np.exp(-(((place - rng.uniform(0, 1)) / 0.4) ** 2))
        width = rng.uniform(1e-3, 2e-3)
        shape = weight * (time - late) * np.exp(-(((time - late) / width) ** 2))
        shapes.append(1e-4 * shape / np.abs(shape).max())
    return np.array(shapes)


def scene(n_units=4, n_channels=6, sizes=None, noise=2e-6, seed=0):
    rng = np.random.default_rng(seed)
    muaps = potentials(rng, n_units, n_channels)
    muaps *= np.ones(n_units)[:, None, None] if sizes is None else np.array(sizes)[:, None, None]
    starts = [np.cumsum(rng.normal(FS / 12, FS / 90, 200)).astype(int) for _ in range(n_units)]
    trains = [train[train < N - N_LAGS] for train in starts]
    signal = noise * rng.normal(size=(n_channels, N))
    for muap, train in zip(muaps, trains):
        for start in train:
            signal[:, start : start + N_LAGS] += muap
    spikes = SpikeTrains(trains, FS, N, tuple("abcdefgh"[:n_units]))
    return Recording(signal, FS), spikes, muaps


@pytest.fixture(scope="module")
def easy():
    return scene()


@pytest.fixture(scope="module")
def crowded():
    """Two channels and eight units, from strong to weak: more than a linear filter can tell apart."""
    return scene(8, 2, sizes=0.6 ** np.arange(8), noise=2e-7, seed=1)


@pytest.fixture(scope="module")
def bounds(crowded):
    return [bound(*crowded, accepted_only=False) for bound in (linear_upper_bound, cancelling_upper_bound)]


def test_units_that_can_be_told_apart_are_all_found(easy):
    _, spikes, muaps = easy
    found = linear_upper_bound(*easy)
    assert found.spikes.unit_ids == spikes.unit_ids
    comparison = compare(found, spikes)
    assert np.all(comparison.truth["rate_of_agreement"] > 0.98)
    # The agreement in the table is the one that comparing gives: the last spikes may lie beyond the filter's window.
    assert found.quality["rate_of_agreement"] == pytest.approx(comparison.truth["rate_of_agreement"])
    assert found.quality["accepted"].all()
    assert np.all(np.abs(comparison.truth["delay"]) <= 1e-3)
    assert np.array_equal(found.muaps, muaps.astype(np.float32))


def test_the_filter_is_the_linear_minimum_mean_square_error_estimator(easy):
    # Word by word with dense matrices: every delay, the covariance of all extended observations, one inverse.
    recording, spikes, muaps = easy
    n_delays = 6
    found = linear_upper_bound(
        *easy, n_delays=n_delays, delay_spacing=1, min_agreement=0, accepted_only=False
    )
    x = band_pass(recording).signal.astype(float)

    def extend(values):
        padded = np.pad(values, ((0, 0), (n_delays - 1, 0)))
        return np.concatenate([padded[:, n_delays - 1 - r : padded.shape[1] - r] for r in range(n_delays)])

    extended = extend(x)
    covariance = extended @ extended.T / N
    values = np.linalg.eigvalsh(covariance)
    covariance += values[: len(values) // 2].mean() * np.eye(len(values))
    for unit in range(len(spikes)):
        framed = Recording(np.pad(muaps[unit], ((0, 0), (200, 200))), FS)
        response = extend(band_pass(framed).signal.astype(float))
        gain = np.einsum("ij,ij->j", response, np.linalg.solve(covariance, response))
        source = np.linalg.solve(covariance, response[:, np.argmax(gain)]) @ extended
        delay = np.argmax(gain) - 200
        expected = source[max(0, delay) : N + min(0, delay)]
        got = found.sources[unit][max(0, -delay) : N - max(0, delay)]
        # float32 products against float64, and the edges of the frames of the band-pass
        assert np.corrcoef(expected, got)[0, 1] > 0.9999
        assert found.quality["deflection"][unit] == pytest.approx(np.sqrt(gain.max()), rel=1e-2)


def test_the_sample_of_the_discharge_within_the_potential_is_a_convention(easy):
    recording, spikes, muaps = easy
    later = np.pad(muaps, ((0, 0), (0, 0), (7, 3)))
    one, other = linear_upper_bound(*easy), linear_upper_bound(recording, spikes, later, muap_offset=7)
    assert one.spikes == other.spikes
    assert other.muap_offset == 7


def test_scale_and_order_of_channels_do_not_matter(easy):
    recording, spikes, muaps = easy
    order = [3, 0, 5, 1, 4, 2]
    shuffled = Recording(1e3 * recording.signal[order], FS)
    again = linear_upper_bound(shuffled, spikes, 1e3 * muaps[:, order])
    agreement = compare(again, linear_upper_bound(*easy)).truth["rate_of_agreement"]
    # rounding may move a peak at the threshold
    assert np.all(agreement > 0.98)


def test_a_bad_channel_is_left_out(easy):
    recording, spikes, muaps = easy
    signal = recording.signal.copy()
    signal[2] = 0
    muaps = muaps.copy()
    muaps[:, 2] = np.nan
    found = linear_upper_bound(Recording(signal, FS), spikes, muaps)
    assert list(found.excluded_channels) == [2]
    assert len(found) == len(spikes)
    assert np.isnan(found.muaps[:, 2]).all()


def test_units_of_few_discharges_are_not_looked_for(easy):
    recording, spikes, muaps = easy
    few = SpikeTrains((spikes[0][:9], *spikes.samples[1:]), FS, N)
    assert 0 not in linear_upper_bound(recording, few, muaps).spikes.unit_ids
    kept = linear_upper_bound(recording, few, muaps, accepted_only=False)
    assert kept.spikes.n_spikes[0] == 0
    assert kept.quality["accepted"].tolist() == [False, True, True, True]
    silent = SpikeTrains(([],) * 4, FS, N)
    assert len(linear_upper_bound(recording, silent, muaps)) == 0
    assert len(cancelling_upper_bound(recording, silent, muaps)) == 0


def test_cancelling_finds_weak_units_behind_strong_ones(bounds):
    plain, better = (bound.quality for bound in bounds)
    assert 0 < plain["accepted"].sum() < better["accepted"].sum()
    assert np.all(better["rate_of_agreement"] >= plain["rate_of_agreement"])
    # What the linear bound finds is found in the first round, and all else later.
    assert np.array_equal(better["round"] == 1, plain["accepted"])
    assert better["round"].max() >= 2
    assert np.array_equal(better["round"] > 0, better["accepted"])


def test_a_found_unit_is_judged_with_the_others_removed(crowded, bounds):
    # All other found units gone, the strongest unit is as clear as in a recording of its own.
    recording, spikes, muaps = crowded
    accepted = bounds[1].quality["accepted"]
    signal = recording.signal.astype(float)
    for unit in np.flatnonzero(accepted)[1:]:
        for start in spikes[unit]:
            signal[:, start : start + N_LAGS] -= muaps[unit]
    alone = linear_upper_bound(Recording(signal, FS), spikes.select_units([0]), muaps[:1])
    assert accepted[0]
    assert bounds[1].quality["rate_of_agreement"][0] >= alone.quality["rate_of_agreement"][0] - 0.02


def test_the_best_threshold_is_never_worse_than_clustering(crowded, bounds):
    clustered = linear_upper_bound(*crowded, threshold="two-class", accepted_only=False).quality
    assert np.all(bounds[0].quality["rate_of_agreement"] >= clustered["rate_of_agreement"])


def test_what_does_not_fit_is_refused(easy):
    recording, spikes, muaps = easy
    with pytest.raises(
        InvalidArgumentError, match=r"muaps must have shape \(4, 6, n_lags\), got \(3, 6, 40\)"
    ):
        linear_upper_bound(recording, spikes, muaps[:3])
    with pytest.raises(InvalidArgumentError, match="spikes must be on the clock of the recording"):
        linear_upper_bound(recording, spikes.time_slice(0, 1), muaps)
    with pytest.raises(InvalidArgumentError, match="threshold must be one of 'best', 'two-class'"):
        cancelling_upper_bound(recording, spikes, muaps, threshold="mine")
    with pytest.raises(InvalidArgumentError, match="muaps must be finite"):
        linear_upper_bound(recording, spikes, np.full_like(muaps, np.nan))
    with pytest.raises(UnusableRecordingError, match="fewer than its 6 channels × 3000 delays"):
        linear_upper_bound(recording, spikes, muaps, n_delays=3000)
