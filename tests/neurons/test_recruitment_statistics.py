"""Recruitment, rate–force curves and twitches as they show in discharges, over five seeds."""

import numpy as np
import pytest

from muemg.neurons import (
    IntegrateAndFirePool,
    MotorNeuronPool,
    OnionSkinPool,
    Twitches,
    discharges,
    excitation_for,
    follow_force,
)

FS = 1024.0
SEEDS = range(5)
N_UNITS = 60


@pytest.mark.parametrize(
    "pool", [MotorNeuronPool(N_UNITS), OnionSkinPool(N_UNITS)], ids=["fuglevand", "onion"]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_ramp_recruits_units_at_exponentially_spread_thresholds(pool, seed):
    seconds = 100
    ramp = np.linspace(0, 1, int(seconds * FS))
    trains = discharges(pool.rates(ramp), FS, rng=np.random.default_rng(seed))
    met = np.array([ramp[train[0]] for train in trains])
    # A unit's first discharge comes within its first interval, at the rate at recruitment or faster.
    slowest = min(pool.rates([threshold])[i, 0] for i, threshold in enumerate(pool.thresholds * (1 + 1e-9)))
    late = met - pool.thresholds
    assert late.min() >= -1 / (seconds * FS)
    assert late.max() <= 1.0 / (slowest * seconds) + 1e-3
    # Fuglevand et al. 1993: thresholds as exp(i ln(30) / n); half of the units below the geometric mean.
    slope = np.polyfit(np.arange(N_UNITS)[20:], np.log(met[20:]), 1)[0]
    assert slope == pytest.approx(np.log(30) / N_UNITS, rel=0.04)
    assert np.mean(met < pool.thresholds[-1] / np.sqrt(30)) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("seed", SEEDS)
def test_noisy_membranes_are_recruited_in_order_and_near_their_rheobase(seed):
    pool = IntegrateAndFirePool(N_UNITS)
    ramp = np.linspace(0, 1, int(60 * FS))
    streams = np.random.default_rng(seed).spawn(N_UNITS)
    met = np.array([ramp[pool.train(ramp, FS, unit=i, rng=streams[i])[0]] for i in range(N_UNITS)])
    # Noise of a tenth of the threshold depolarisation lifts a membrane over it early: five of these at most,
    # two or three as a rule.
    assert np.all(met / pool.thresholds > 0.45)
    assert 0.65 < np.median(met / pool.thresholds) < 1
    assert np.all(met - pool.thresholds < 0.02)
    assert np.corrcoef(met, pool.thresholds)[0, 1] > 0.97


@pytest.mark.parametrize(
    "pool", [MotorNeuronPool(N_UNITS), OnionSkinPool(N_UNITS)], ids=["fuglevand", "onion"]
)
@pytest.mark.parametrize("seed", SEEDS)
def test_rates_rise_with_force_along_the_curve_of_the_source(pool, seed):
    twitches = Twitches(N_UNITS)
    forces = np.array([0.1, 0.3, 0.6, 0.9])
    held = slice(int(4 * FS), int(14 * FS))
    for force, stream in zip(forces, np.random.default_rng(seed).spawn(len(forces))):
        made = follow_force(pool, twitches, np.full(held.stop, force), FS, rng=stream)
        expected = pool.rates(excitation_for(pool, twitches, [force]))[:, 0]
        counted = np.array([np.sum((t >= held.start) & (t < held.stop)) for t in made.samples]) / 10
        # Units well above their threshold; one close to it comes and goes with the loop.
        steady = expected > 0
        steady[max(0, steady.sum() - 3) :] = False
        # In 10 s a renewal process strays by 0.15 √n of n ≥ 60 discharges, 2 %: four of these, and over all
        # units the loop's own error.
        assert counted[steady] == pytest.approx(expected[steady], rel=0.08)
        assert counted[steady].mean() == pytest.approx(expected[steady].mean(), rel=0.03)
        assert made.force[held].mean() == pytest.approx(force, rel=0.02)
