"""Twitches and their sum against closed forms."""

import numpy as np
import pytest

from muemg.neurons import MotorNeuronPool, Twitches, force

FS = 2000.0


def test_twitches_of_the_published_pool():
    # Fuglevand et al. 1993: forces range over 100, contraction times from 90 ms down to 30 ms.
    twitches = Twitches(120)
    assert twitches.peak_forces[-1] == pytest.approx(100)
    assert twitches.contraction_times[-1] == pytest.approx(30e-3)
    assert twitches.contraction_times[0] == pytest.approx(90e-3, rel=0.01)  # 90 ms belongs to unit 0
    # T_i = T_longest P_i^(−1/4.19), as printed in the source for a range of 3
    assert twitches.contraction_times == pytest.approx(90e-3 * twitches.peak_forces ** (-1 / 4.19), rel=2e-3)


def test_one_discharge_gives_one_twitch():
    twitches = Twitches(1, force_range=5.0)
    peak, time = twitches.peak_forces[0], twitches.contraction_times[0]
    course = force([[100]], twitches, 4000, FS, maximal_rates=[20.0]) * twitches.steady_force([20.0])
    t = (np.arange(4000) - 100) / FS
    expected = np.where(t > 0, peak * t / time * np.exp(1 - t / time), 0)
    assert course == pytest.approx(expected, abs=1e-9 * peak)


@pytest.mark.parametrize("rate", [2.0, 8.0, 20.0, 40.0])
def test_a_regular_train_gives_the_steady_force(rate):
    twitches = Twitches(1, force_range=3.0)
    train = np.arange(0, 8000, int(FS / rate))
    course = force([train], twitches, 8000, FS, maximal_rates=[rate])
    whole_periods = slice(4000, 8000 - 8000 % int(FS / rate))
    # The force of the maximal rate is 1; a sampled twitch's area differs from its integral by less than 1e-3.
    assert course[whole_periods].mean() == pytest.approx(1, abs=2e-3)


def test_force_grows_and_saturates_with_rate():
    twitches = Twitches(1)
    rates = np.arange(1, 80)
    forces = np.array([twitches.steady_force([rate]) for rate in rates])
    assert np.all(np.diff(forces) > 0)
    x = rates * twitches.contraction_times[0]
    slow = x <= 0.4
    assert forces[slow] / rates[slow] == pytest.approx(forces[0], rel=1e-9)  # no fusion: linear
    # Fused: S(x) → 1, so force → P e / 0.4 · 0.4/S(0.4)
    assert forces[-1] == pytest.approx(
        twitches.peak_forces[0] * np.e * 0.4 / -np.expm1(-2 * 0.4**3), rel=1e-4
    )


def test_the_maximal_contraction_is_one_and_silence_is_nothing():
    pool, twitches = MotorNeuronPool(30), Twitches(30)
    trains = [np.arange(0, 8000, FS / rate).astype(int) for rate in pool.peak_rates]
    course = force(trains, twitches, 8000, FS, maximal_rates=pool.peak_rates)
    assert course[4000:].mean() == pytest.approx(1, abs=5e-3)  # intervals are whole samples
    assert not force([[]] * 30, twitches, 100, FS, maximal_rates=pool.peak_rates).any()
