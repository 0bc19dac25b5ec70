"""Statistics of discharges over five seeds, and what holds for every one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from muemg.errors import InvalidArgumentError
from muemg.neurons import discharges

FS = 2048.0
SEEDS = range(5)


def steady(seed, rate=12.0, isi_cov=0.15, n_units=20, seconds=60):
    rates = np.full((n_units, int(seconds * FS)), rate)
    return discharges(rates, FS, isi_cov=isi_cov, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("isi_cov", [0.1, 0.2, 0.3])
def test_intervals_have_the_mean_and_variation_asked_for(seed, isi_cov):
    intervals = np.concatenate([np.diff(train) for train in steady(seed, isi_cov=isi_cov)]) / FS
    n = intervals.size  # some 14,000
    assert intervals.mean() == pytest.approx(1 / 12, rel=4 * isi_cov / np.sqrt(n))  # four standard errors
    # Clipping at three deviations takes 0.5 %; four standard errors of a deviation are 2.4 %.
    assert intervals.std() / intervals.mean() == pytest.approx(isi_cov, rel=0.03)


@pytest.mark.parametrize("seed", SEEDS)
def test_intervals_are_gaussian_and_independent(seed):
    trains = [np.diff(train) / FS for train in steady(seed)]
    intervals = np.concatenate(trains)
    distance = stats.kstest(intervals, stats.norm(1 / 12, 0.15 / 12).cdf).statistic
    # 0.016 is the 0.1 % quantile of chance at this number; whole samples add up to 0.008.
    assert distance < 0.025
    pairs = np.concatenate([np.column_stack([train[:-1], train[1:]]) for train in trains])
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 4 / np.sqrt(len(pairs))


@pytest.mark.parametrize("seed", SEEDS)
def test_units_recruited_together_do_not_start_in_step(seed):
    first = np.array([train[0] for train in steady(seed, n_units=400, seconds=1)]) / FS * 12
    assert stats.kstest(first, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("seed", SEEDS)
def test_discharges_follow_a_changing_rate(seed):
    rate = np.concatenate(
        [np.zeros(2048), np.linspace(8, 30, 10 * 2048), np.zeros(2048), np.full(4096, 15.0)]
    )
    (train,) = discharges(rate[None], FS, isi_cov=0.15, rng=np.random.default_rng(seed))
    counts = np.searchsorted(train, np.arange(rate.size))
    expected = np.cumsum(rate) / FS
    # A renewal process of n intervals strays by isi_cov √n: 2.3 at the end; four times that, and the phase.
    assert np.max(np.abs(counts - expected)) < 4 * 0.15 * np.sqrt(expected[-1]) + 1
    silent = rate == 0
    assert not np.any(silent[train])


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0, 100), min_size=1, max_size=5),
    st.floats(0, 0.33),
    st.floats(0, 9e-3),
)
def test_trains_are_increasing_and_keep_the_refractory_period(seed, levels, isi_cov, refractory):
    rates = np.repeat(levels, 512)[None]
    (train,) = discharges(rates, FS, isi_cov=isi_cov, refractory=refractory, rng=np.random.default_rng(seed))
    assert train.dtype == np.int64
    assert np.all((train >= 0) & (train < rates.size))
    assert np.all(np.diff(train) >= max(1, refractory * FS))


def test_the_same_seed_gives_the_same_discharges_whatever_comes_after():
    few, many = steady(3, n_units=2, seconds=5), steady(3, n_units=5, seconds=5)
    assert all(np.array_equal(a, b) for a, b in zip(few, many))
    assert not np.array_equal(many[0], many[1])


def test_silent_units_have_empty_trains():
    (train,) = discharges(np.zeros((1, 100)), FS, rng=np.random.default_rng(0))
    assert train.size == 0


@pytest.mark.parametrize(
    ("rates", "settings_", "message"),
    [
        (np.full((1, 9), -1.0), {}, "rates must be finite and ≥ 0"),
        (np.full(9, 1.0), {}, "rates"),
        (np.full((1, 9), 10.0), {"isi_cov": 0.4}, "isi_cov must be below 1/3"),
        (np.full((1, 9), 50.0), {"refractory": 20e-3}, "refractory must be shorter than .* 0.02 s"),
    ],
)
def test_impossible_requests_are_refused(rates, settings_, message):
    with pytest.raises(InvalidArgumentError, match=message):
        discharges(rates, FS, rng=np.random.default_rng(0), **settings_)
