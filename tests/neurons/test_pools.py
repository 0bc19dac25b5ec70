"""Onion skin and integrate-and-fire pools against their formulas, over five seeds."""

import numpy as np
import pytest

from muemg.errors import InvalidArgumentError
from muemg.neurons import IntegrateAndFirePool, MotorNeuronPool, OnionSkinPool

FS = 2048.0
POOLS = [MotorNeuronPool(30), OnionSkinPool(30), IntegrateAndFirePool(30)]


def test_onion_skin_rates_by_hand():
    # First dorsal interosseous, last unit of one: τ = 0.67, φ = 1:
    # 6.93 + (−23 − 85 e^(−1/0.32)) 0.67 + 20.9 = 6.93 + (−23 − 3.735) 0.67 + 20.9 = 9.918
    pool = OnionSkinPool(1, "first_dorsal_interosseous")
    assert pool.thresholds == pytest.approx([0.67])
    assert pool.rates([1.0])[0, 0] == pytest.approx(9.918, abs=2e-3)
    assert pool.rates([0.669])[0, 0] == 0


@pytest.mark.parametrize("muscle", ["first_dorsal_interosseous", "vastus_lateralis", "tibialis_anterior"])
def test_earlier_units_fire_faster_at_every_force(muscle):
    # De Luca & Contessa 2012: at any excitation, recruitment included, rate falls with threshold.
    pool = OnionSkinPool(60, muscle)
    rates = pool.rates(np.linspace(0, 1, 300))
    active = (rates[1:] > 0) & (rates[:-1] > 0)
    assert np.all(np.diff(rates, axis=0)[active] < 0)
    assert np.all((rates == 0) | (rates > 1))
    assert 20 < rates.max() < 45


def test_integrate_and_fire_cells_are_those_of_the_source():
    pool = IntegrateAndFirePool(100)
    # Caillet et al. 2022: areas over 2.4-fold, AHP of some 70 to 270 ms
    assert pool.areas[-1] / pool.areas[0] == pytest.approx(2.4, rel=0.02)
    ahp = 3 * pool.time_constants
    assert (ahp[-1], ahp[0]) == (pytest.approx(0.074, rel=0.03), pytest.approx(0.275, rel=0.03))
    assert pool.peak_rates == pytest.approx(45 - 10 * pool.thresholds / 0.6, rel=1e-6)


@pytest.mark.parametrize("unit", [0, 12, 29])
def test_without_noise_the_membrane_fires_at_the_rate_of_the_formula(unit):
    pool = IntegrateAndFirePool(30, noise=0.0)
    for level in (0.7, 0.9):
        train = pool.train(np.full(8192, level), FS, unit=unit, rng=np.random.default_rng(0))
        rate = FS / np.diff(train).mean()
        # an interval is a whole number of steps of a quarter millisecond or less: two of these in 20 ms
        assert rate == pytest.approx(pool.rates([level])[unit, 0], rel=0.025)
        assert np.diff(train).std() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_noise_makes_the_intervals_vary(seed):
    pool = IntegrateAndFirePool(30)
    variations = []
    for unit in (0, 10, 20):
        train = pool.train(np.full(40 * 2048, 0.6), FS, unit=unit, rng=np.random.default_rng(seed))
        intervals = np.diff(train)
        variations.append(intervals.std() / intervals.mean())
        assert np.all(intervals >= np.floor(pool.refractory_times[unit] * FS))
    # voluntary contractions show 0.1 to 0.3
    assert min(variations) > 0.1
    assert max(variations) < 0.3
    silent = pool.train(np.zeros(2048), FS, unit=0, rng=np.random.default_rng(seed))
    assert silent.size == 0


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: type(pool).__name__)
def test_every_pool_recruits_in_order_and_one_unit_is_a_row_of_all(pool):
    thresholds = pool.thresholds
    assert np.all(np.diff(thresholds) > 0)
    assert 0 < thresholds[0] < thresholds[-1] < 1
    assert thresholds[1:] / thresholds[:-1] == pytest.approx(thresholds[1] / thresholds[0])
    course = np.linspace(0, 1, 50)
    rates = pool.rates(course)
    assert np.array_equal(pool.rates(course, unit=7)[0], rates[7])
    # A unit that has been recruited gets faster with more excitation.
    both = (rates[:, 1:] > 0) & (rates[:, :-1] > 0)
    assert np.all(np.diff(rates, axis=1)[both] >= -1e-9)
    assert np.array_equal(pool.rates(np.full(1, 0.999))[:, 0] > 0, thresholds < 0.999)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: OnionSkinPool(3, "heart"), "muscle must be one of"),
        (lambda: OnionSkinPool(3, recruitment_range=0.1), "recruitment_range must be ≥ 1"),
        (lambda: IntegrateAndFirePool(3, last_threshold=1.0), "last_threshold must lie between 0 and 1"),
        (lambda: IntegrateAndFirePool(3, peak_rate=5.0), "peak_rate must be above"),
        (lambda: IntegrateAndFirePool(3, noise=-1.0), "noise"),
        (lambda: IntegrateAndFirePool(3, recruitment_range=0.5), "recruitment_range must be ≥ 1"),
    ],
)
def test_impossible_pools_are_refused(make, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make()
