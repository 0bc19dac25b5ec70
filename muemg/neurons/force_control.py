"""A closed loop in which a person follows a force target: excitation from an error seen a while ago.

The controller asks for the force

    u(t) = target(t) + K_p e(t − δ) + K_i ∫ e(t − δ) dt,    e = target − force,

and excites the pool as much as that force needs in a steady contraction. Motor neurons discharge, their
twitches add up (Fuglevand et al. 1993), and the force comes back δ later. Gains and δ are schematic: slow
enough for a visual loop to be stable (crossover near 0.15 Hz), fast enough to correct within a few seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_positive
from muemg.neurons.common_input import CommonInput
from muemg.neurons.discharge import check_intervals
from muemg.neurons.integrate_and_fire import IntegrateAndFirePool, steps_per_sample
from muemg.neurons.twitch import Twitches

__all__ = ["FollowedForce", "Pool", "excitation_for", "follow_force", "strongest"]

_N_LEVELS = 513


class Pool(Protocol):
    """What a motor-neuron pool answers: `MotorNeuronPool`, `OnionSkinPool` and `IntegrateAndFirePool` do."""

    @property
    def n_units(self) -> int:
        """Number of motor neurons."""

    @property
    def thresholds(self) -> np.ndarray:
        """Recruitment thresholds as fractions of the maximal excitation, shape (n_units,)."""

    @property
    def peak_rates(self) -> np.ndarray:
        """Rates in Hz at maximal excitation, shape (n_units,)."""

    def rates(self, excitation: npt.ArrayLike, *, unit: int | None = None) -> np.ndarray:
        """Rates in Hz for courses of excitation, shape (n_units, n_samples)."""


@dataclass(frozen=True, eq=False)
class FollowedForce:
    """What following a target gave.

    Parameters
    ----------
    samples : tuple of ndarray of int64
        Discharges of each unit.
    excitation : ndarray, shape (n_samples,)
        Common excitation, a fraction of the maximum.
    force : ndarray, shape (n_samples,)
        Fraction of the maximal force.
    """

    samples: tuple[np.ndarray, ...]
    excitation: np.ndarray
    force: np.ndarray


def excitation_for(
    pool: Pool, twitches: Twitches, force: npt.ArrayLike, *, strengths: npt.ArrayLike = 1.0
) -> np.ndarray:
    """Excitation whose steady force is `force` (fractions of the maxima), by inverting the pool's curve.

    `strengths` are factors on the twitches; the force that is 1 stays that without them. More than the pool
    can give asks for the maximal excitation.
    """
    levels, forces = _steady_forces(pool, twitches, strengths)
    return np.interp(np.asarray(force, dtype=np.float64), forces, levels)


def strongest(pool: Pool, twitches: Twitches, strengths: npt.ArrayLike) -> float:
    """Largest steady force of a weakened pool as a fraction of the healthy one's."""
    return float(_steady_forces(pool, twitches, strengths)[1][-1])


def follow_force(
    pool: Pool,
    twitches: Twitches,
    target: npt.ArrayLike,
    sampling_rate: float,
    *,
    isi_cov: float = 0.15,
    refractory: float = 5e-3,
    fluctuations: CommonInput | None = None,
    strengths: npt.ArrayLike = 1.0,
    proportional_gain: float = 0.2,
    integral_gain: float = 0.8,
    delay: float = 0.15,
    rng: np.random.Generator,
) -> FollowedForce:
    """Discharges, excitation and force while a force target is followed.

    Parameters
    ----------
    pool : Pool
        Motor neurons.
    twitches : Twitches
        Twitch of each unit.
    target : array_like, shape (n_samples,)
        Fraction of the maximal voluntary force, 0 … 1.
    sampling_rate : float
        In Hz.
    isi_cov, refractory : float
        As for `discharges`; an `IntegrateAndFirePool` has noise and refractory times of its own.
    fluctuations : CommonInput, optional
        Relative fluctuations of the units' inputs.
    strengths : array_like, shape (n_units,) or scalar
        Factor on each unit's twitch, as for `force`: the target is a fraction of the force without it. Units
        of strength 0 are lost and do not discharge.
    proportional_gain, integral_gain : float
        K_p, and K_i in 1/s.
    delay : float
        δ in seconds.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    FollowedForce

    Raises
    ------
    InvalidArgumentError
        If the target leaves 0 … 1 or an interval distribution is impossible.
    """
    wanted = np.asarray(target, dtype=np.float64)
    if wanted.ndim != 1 or not ((wanted >= 0) & (wanted <= 1)).all():
        raise InvalidArgumentError(
            "target must be fractions of the maximal force, 0 … 1, of shape (n_samples,)"
        )
    fs = check_positive("sampling_rate", sampling_rate, "Hz")
    check_intervals(pool.peak_rates, isi_cov, refractory)
    n_units = pool.n_units
    strong = np.broadcast_to(np.asarray(strengths, dtype=np.float64), n_units)
    levels, forces = _steady_forces(pool, twitches, strong)
    thresholds = pool.thresholds
    table = np.array(
        [pool.rates(np.maximum(levels, thresholds[i] * (1 + 1e-9))[None], unit=i)[0] for i in range(n_units)]
    )
    membrane = np.zeros((n_units, 3))
    spiking = isinstance(pool, IntegrateAndFirePool)
    if isinstance(pool, IntegrateAndFirePool):
        membrane[:] = [pool.step(i, fs) for i in range(n_units)]
    knots = fluctuations.knots if fluctuations is not None else np.zeros((n_units, 2))
    knot_rate = fluctuations.rate if fluctuations is not None else 0.0
    scale = 1 / twitches.steady_force(pool.peak_rates)
    unit, at, excitation, force = _follow(
        wanted,
        fs,
        spiking,
        np.where(strong > 0, thresholds, np.inf),
        table,
        membrane,
        steps_per_sample(fs),
        isi_cov,
        max(1, int(np.ceil(refractory * fs))),
        knots,
        knot_rate / fs,
        levels,
        forces,
        twitches.peak_forces * strong * scale,
        twitches.contraction_times,
        check_positive("proportional_gain", proportional_gain, allow_zero=True),
        check_positive("integral_gain", integral_gain, "1/s", allow_zero=True) / fs,
        round(check_positive("delay", delay, "s", allow_zero=True) * fs),
        rng,
    )
    return FollowedForce(tuple(at[unit == i] for i in range(n_units)), excitation, force)


def _steady_forces(pool: Pool, twitches: Twitches, strengths: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Levels of excitation and the steady forces they make, as fractions of the healthy; both increasing."""
    levels = np.linspace(0, 1, _N_LEVELS)
    forces = np.array([twitches.steady_force(rates, strengths) for rates in pool.rates(levels).T])
    # Equal forces, before the first unit and after saturation, would leave the inverse undefined.
    return levels, np.maximum.accumulate(forces) / twitches.steady_force(pool.peak_rates) + 1e-9 * levels


@numba.njit(cache=True)
def _fusion_gain(x):
    # The gain of `muemg.neurons.twitch`, one number at a time.
    x = max(x, 0.4)
    return np.expm1(-2 * x**3) / x / (np.expm1(-2 * 0.4**3) / 0.4)


@numba.njit(cache=True)
def _follow(
    target,
    fs,
    spiking,
    thresholds,
    table,
    membrane,
    n_steps,
    isi_cov,
    shortest,
    knots,
    knot_step,
    levels,
    forces,
    peaks,
    contraction,
    k_p,
    k_i,
    lag,
    rng,
):
    n_samples, n_units = target.size, thresholds.size
    excitation, force = np.zeros(n_samples), np.zeros(n_samples)
    capacity = 1024
    unit, at, count = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64), 0
    # Twitches as recursions of two terms; the impulse of one sample arrives in the next.
    decay = np.exp(-1 / (contraction * fs))
    gain = np.e / (contraction * fs) * decay
    one, two, impulse = np.zeros(n_units), np.zeros(n_units), np.zeros(n_units)
    # Operational time until the next discharge, or depolarisation and refractory steps left.
    state, left = np.zeros(n_units), np.zeros(n_units, np.int64)
    last = np.full(n_units, -1, np.int64)
    for i in range(n_units):
        state[i] = membrane[i, 1] * rng.standard_normal() if spiking else rng.uniform(0.0, 1.0)
    integral = 0.0
    for k in range(n_samples):
        total = 0.0
        for i in range(n_units):
            now = 2 * decay[i] * one[i] - decay[i] ** 2 * two[i] + gain[i] * impulse[i]
            two[i], one[i], impulse[i] = one[i], now, 0.0
            total += now
        force[k] = total
        seen = k - lag
        error = target[seen] - force[seen] if seen >= 0 else 0.0
        demand = target[k] + k_p * error + integral
        # Where the pool can give no more, or is silent, the integral waits.
        if 0 < demand < forces[-1]:
            integral += k_i * error
        if target[k] == 0:
            demand = 0.0
            integral = 0.0
        common = np.interp(demand, forces, levels) if demand > 0 else 0.0
        excitation[k] = common
        knot = k * knot_step
        whole = int(knot)
        part = knot - whole
        for i in range(n_units):
            fluctuation = knots[i, whole] * (1 - part) + knots[i, whole + 1] * part
            drive = common * (1 + fluctuation)
            fired = False
            if spiking:
                x = drive / thresholds[i]
                for _ in range(n_steps):
                    if left[i] > 0:
                        left[i] -= 1
                        continue
                    noise = membrane[i, 1] * max(1.0, x) * rng.standard_normal()
                    state[i] = membrane[i, 0] * state[i] + (1 - membrane[i, 0]) * x + noise
                    if state[i] >= 1:
                        fired = True
                        state[i] = 0.0
                        left[i] = int(membrane[i, 2])
            elif drive >= thresholds[i]:
                place = min(max(drive, 0.0), 1.0) * (levels.size - 1)
                below = min(int(place), levels.size - 2)
                rate = table[i, below] + (place - below) * (table[i, below + 1] - table[i, below])
                state[i] -= rate / fs
                if state[i] <= 0 and (last[i] < 0 or k - last[i] >= shortest):
                    fired = True
                    deviate = min(max(rng.standard_normal(), -3.0), 3.0)
                    state[i] += 1 + isi_cov * deviate
            if fired:
                if count == capacity:
                    capacity *= 2
                    unit = np.concatenate((unit, np.zeros(count, np.int64)))
                    at = np.concatenate((at, np.zeros(count, np.int64)))
                unit[count], at[count] = i, k
                count += 1
                fused = contraction[i] * fs / (k - last[i]) if last[i] >= 0 else 0.0
                impulse[i] = peaks[i] * _fusion_gain(fused)
                last[i] = k
    return unit[:count], at[:count], excitation, force
