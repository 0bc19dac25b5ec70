"""Duplicates, fragments, double trains and wrong discharges: what makes a list of trains a list of motor units."""

import numpy as np
import pytest

from muemg.metrics import silhouette
from muemg.separation._cancellation import _held_out, redetect
from muemg.separation._extension import Extended, whiten
from muemg.separation._search import SearchSettings
from muemg.separation._splitting import split_train
from muemg.separation._templates import add_templates, fit_templates
from muemg.separation._trains import distinct_trains, is_new, shared_spikes
from muemg.separation._verdict import _MOST_SHORT, _short_intervals
from tests.separation._scenes import N_LAGS, OFFSET, RATE, convolved, regular_trains, smooth_templates

SETTINGS = SearchSettings(RATE, 32, 8, 20_480, 10, 20, 2, 60)


def test_shared_spikes_by_hand():
    train = np.array([100, 300, 500, 700])
    later = np.array([110, 310, 510, 900])  # three of them 10 samples later
    agreement, overlap = shared_spikes(train, [later], 1, 20)
    assert agreement[0] == pytest.approx(3 / (4 + 4 - 3))
    assert overlap[0] == pytest.approx(3 / 4)
    assert shared_spikes(train, [], 1, 20)[0].size == 0


def test_copies_and_fragments_are_not_new():
    rng = np.random.default_rng(0)
    one, other = regular_trains(rng, 2, 40_000)
    assert is_new(other, [one], 2, 60)
    assert not is_new(one + 15, [one], 2, 60)  # delayed copy
    assert not is_new(one[::5], [one], 2, 60)  # a fifth of it: agreement only 0.2
    assert distinct_trains([one[::5], one, other, one + 3], [1, 0, 2, 3], 2, 60) == [1, 2]


def cloud(rng, n_spikes, mean):
    return (mean + rng.normal(size=(n_spikes, len(mean)))).astype(np.float32)


def test_a_train_of_two_units_is_split_by_unit():
    rng = np.random.default_rng(1)
    first, second = regular_trains(rng, 2, 40_000)
    second = np.setdiff1d(second, first)
    means = rng.normal(size=(2, 200)) / np.sqrt(200) * 7
    train = np.concatenate([first, second])
    alone = np.concatenate([cloud(rng, len(first), means[0]), cloud(rng, len(second), means[1])])
    order = np.argsort(train)
    parts = split_train(train[order], lambda: alone[order], RATE, min_spikes=10)
    assert parts is not None
    assert {tuple(part) for part in parts} == {tuple(first), tuple(second)}


@pytest.mark.parametrize("seed", range(10))
def test_noise_alone_does_not_split_one_cloud(seed):
    rng = np.random.default_rng(seed)
    train = np.unique(np.concatenate(regular_trains(rng, 2, 20_000)))  # short intervals, but one potential
    alone = cloud(rng, len(train), rng.normal(size=600) / np.sqrt(600) * 9)
    assert split_train(train, lambda: alone, RATE, min_spikes=10) is None


def test_a_train_without_short_intervals_is_one_unit():
    rng = np.random.default_rng(1)
    train = regular_trains(rng, 1, 60_000)[0]
    means = rng.normal(size=(2, 200)) / np.sqrt(200) * 7
    half = len(train) // 2
    # its potential changes in the middle of the recording: drift, not a second unit
    alone = np.concatenate([cloud(rng, half, means[0]), cloud(rng, len(train) - half, means[1])])
    assert split_train(train, lambda: alone, RATE, min_spikes=10) is None


def seen_again(trains_used, seed=0):
    """Redetection of unit 0 when the joint fit was given other trains than the true ones."""
    rng = np.random.default_rng(seed)
    n_samples = 30_000
    templates = smooth_templates(rng, 3, 8)
    truth = regular_trains(rng, 3, n_samples)
    signal = convolved(templates, truth, n_samples)
    signal = (signal / signal.std() + 0.1 * rng.normal(size=signal.shape)).astype(np.float32)
    used = trains_used(truth)
    residual = Extended.of(signal.T, 10)
    fitted = fit_templates(residual.by_sample, used, N_LAGS, OFFSET)
    add_templates(residual.by_sample, fitted, used, OFFSET, sign=-1)
    whitening, _ = whiten(residual.covariance())
    return truth, redetect(residual, fitted, used, whitening, OFFSET, SETTINGS)


def test_true_trains_are_a_fixed_point_of_the_cancellation():
    truth, seen = seen_again(lambda truth: truth)
    for true, found in zip(truth, seen.trains):
        assert shared_spikes(true, [found], 2, 0)[0][0] > 0.97
    assert (seen.held_out > 0.9).all()


def test_a_missed_discharge_is_found_and_a_wrong_one_dropped():
    missed, wrong = 12, 5_000

    def spoiled(truth):
        kept = np.delete(truth[0], missed)
        gap = kept[np.argmin(np.abs(kept - wrong))] + 80  # between two discharges
        return [np.sort(np.append(kept, gap)), truth[1], truth[2]]

    truth, seen = seen_again(spoiled)
    true = truth[0]
    assert np.abs(seen.trains[0] - true[missed]).min() <= 2
    extra = [t for t in seen.trains[0] if np.abs(true - t).min() > 2]
    assert len(extra) <= 0.02 * len(true)


def test_a_few_noise_peaks_do_not_pass_for_a_unit():
    """Twelve columns of pure noise, and the source of their own mean: high in sample, nothing held out."""
    rng = np.random.default_rng(5)
    alone = rng.normal(size=(12, 300)).astype(np.float32)
    mean = alone.mean(axis=0)
    source = rng.normal(size=30_000).astype(np.float32)
    found = np.arange(1000, 25_000, 2000)
    source[found] = alone @ mean / np.linalg.norm(mean)
    assert silhouette(source, found, RATE) > 0.8
    score, survival = _held_out(alone, source, found, SETTINGS)
    assert score < 0.2
    assert survival < 0.1
    # the same peaks with a potential in them stand
    potential = rng.normal(size=300) / np.sqrt(300) * 12
    alone = (alone + potential).astype(np.float32)
    mean = alone.mean(axis=0)
    source[found] = alone @ mean / np.linalg.norm(mean)
    score, survival = _held_out(alone, source, found, SETTINGS)
    assert score > 0.8
    assert survival > 0.75


@pytest.mark.parametrize("seed", range(5))
def test_the_intervals_tell_one_unit_from_two(seed):
    rng = np.random.default_rng(seed)
    first, second = regular_trains(rng, 2, 60_000, cov=0.2)
    assert max(_short_intervals(first), _short_intervals(second)) < 0.5 * _MOST_SHORT
    both = np.unique(np.concatenate([first, second]))
    assert _short_intervals(both[np.diff(both, prepend=-100) >= 20]) > _MOST_SHORT
