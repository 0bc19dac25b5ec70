"""Recruitment, rate coding and drive against the equations and numbers of their source."""

import numpy as np
import pytest

from muemg.errors import InvalidArgumentError
from muemg.neurons import MotorNeuronPool, constant, trapezoid


def test_thresholds_of_the_published_pool():
    # Fuglevand et al. 1993: 120 units, range 30, T_i = exp(i ln(30)/120): from 1.029 to 30.
    # Maximal excitation: 30 + (35 − 8)/1 = 57, where the last unit reaches its peak rate of 45 − 10 Hz.
    pool = MotorNeuronPool(120)
    assert pool.thresholds[0] * 57 == pytest.approx(1.0287, abs=1e-4)
    assert pool.thresholds[-1] * 57 == pytest.approx(30)
    ratios = pool.thresholds[1:] / pool.thresholds[:-1]
    assert ratios == pytest.approx(30 ** (1 / 120))
    # Exponential: half of the units lie below the geometric mean of 1 and 30.
    assert np.count_nonzero(pool.thresholds * 57 <= np.sqrt(30) + 1e-9) == 60


def test_rates_by_hand():
    pool = MotorNeuronPool(
        2, recruitment_range=4, minimum_rate=8, peak_rate=40, peak_rate_difference=10, gain=2
    )
    # T = 2 and 4; peaks 40 − 10·2/4 = 35 and 30; maximal excitation 4 + (30 − 8)/2 = 15.
    assert pool.thresholds == pytest.approx([2 / 15, 4 / 15])
    assert pool.peak_rates == pytest.approx([35, 30])
    rates = pool.rates(np.array([1.9, 2, 3, 4, 15]) / 15)
    assert rates[0] == pytest.approx([0, 8, 10, 12, 34])
    assert rates[1] == pytest.approx([0, 0, 0, 8, 30])


def test_rates_grow_with_excitation_and_later_units_stay_slower():
    pool = MotorNeuronPool(50)
    rates = pool.rates(np.linspace(0, 1, 200))
    assert np.all(np.diff(rates, axis=1) >= 0)
    assert np.all(np.diff(rates, axis=0) <= 1e-9)
    assert np.all(rates[:, -1] <= pool.peak_rates + 1e-9)
    assert np.all((rates == 0) | (rates >= pool.minimum_rate - 1e-9))


def test_units_may_have_excitations_of_their_own():
    pool = MotorNeuronPool(2)
    course = np.array([[0.5, 0.5], [0.0, 1.0]])
    rates = pool.rates(course)
    assert rates[0] == pytest.approx(pool.rates(course[0])[0])
    assert rates[1] == pytest.approx(pool.rates(course[1])[1])
    with pytest.raises(
        InvalidArgumentError, match=r"excitation must have shape \(n_samples,\) or \(2, n_samples\)"
    ):
        pool.rates(np.zeros((3, 5)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_units": 0}, "n_units"),
        ({"n_units": 5, "recruitment_range": 0.5}, "recruitment_range must be ≥ 1"),
        ({"n_units": 5, "minimum_rate": 40}, "must be above minimum_rate"),
        ({"n_units": 5, "gain": -1}, "gain"),
    ],
)
def test_impossible_pools_are_refused(settings, message):
    with pytest.raises(InvalidArgumentError, match=message):
        MotorNeuronPool(**settings)


def test_trapezoid_by_hand():
    # 10 s at 10 Hz: rest to 1 s, up to 0.4 until 3 s, down from 7 s, rest from 9 s.
    course = trapezoid(100, 10.0, level=0.4, rest=1, ramp=2)
    assert course[[0, 10, 15, 20, 30, 50, 70, 80, 90, 99]] == pytest.approx(
        [0, 0, 0.1, 0.2, 0.4, 0.4, 0.4, 0.2, 0, 0]
    )
    step = trapezoid(100, 10.0, level=0.4, rest=1, ramp=0)
    assert step[9:12].tolist() == [0, 0, 0.4]
    assert constant(3, level=0.2).tolist() == [0.2, 0.2, 0.2]


def test_impossible_courses_are_refused():
    with pytest.raises(
        InvalidArgumentError, match="rest and ramp, twice each, must be shorter than the 10 s"
    ):
        trapezoid(100, 10.0, level=0.4, rest=3, ramp=2)
    with pytest.raises(InvalidArgumentError, match="level must be between 0 and 1"):
        constant(10, level=1.5)
