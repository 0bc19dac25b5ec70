"""Who fires when in a scenario: excitation in time, and the discharges and force that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.neurons.common_input import CommonInput
from muemg.neurons.discharge import discharge_train
from muemg.neurons.drive import ballistic, constant, points, sine, staircase, trapezoid, triangle
from muemg.neurons.force_control import Pool, follow_force
from muemg.neurons.integrate_and_fire import IntegrateAndFirePool
from muemg.neurons.twitch import Twitches, force
from muemg.simulation.sections import Drive, Neurons

__all__ = ["Firing", "course_of", "fire"]


@dataclass(frozen=True, eq=False)
class Firing:
    """Discharges of a pool and the force they make.

    Parameters
    ----------
    samples : list of ndarray of int64
        Discharges of each unit.
    force : ndarray, shape (n_samples,)
        Fraction of the maximal force.
    target : ndarray, shape (n_samples,), or None
        The force that was asked for, where one was followed.
    """

    samples: list[np.ndarray]
    force: np.ndarray
    target: np.ndarray | None = None


def course_of(drive: Drive, n_samples: int, sampling_rate: float) -> np.ndarray:
    """The course that a drive asks for, shape (n_samples,), as a fraction of the maximum."""
    d, clock = drive, (n_samples, sampling_rate)
    if d.profile == "constant":
        return constant(n_samples, level=d.level)
    if d.profile == "triangle":
        return triangle(*clock, level=d.level, rest=d.rest)
    if d.profile == "sine":
        return sine(*clock, level=d.level, frequency=d.frequency, depth=d.depth, rest=d.rest)
    if d.profile == "ballistic":
        return ballistic(*clock, level=d.level, interval=d.interval, time_to_peak=d.time_to_peak, rest=d.rest)
    if d.profile == "staircase":
        return staircase(*clock, level=d.level, steps=d.steps, rest=d.rest)
    if d.profile == "points":
        return points(*clock, levels=d.levels, times=d.times or None)
    return trapezoid(*clock, level=d.level, rest=d.rest, ramp=d.ramp)


def fire(
    pool: Pool,
    twitches: Twitches,
    neurons: Neurons,
    courses: np.ndarray,
    course_index: np.ndarray,
    controls: str,
    sampling_rate: float,
    rng: np.random.Generator,
    slow: np.random.Generator,
    *,
    strengths: np.ndarray,
) -> Firing:
    """Discharges and force of one pool.

    Parameters
    ----------
    pool : Pool
        Motor neurons.
    twitches : Twitches
        Their units' twitches.
    neurons : Neurons
        Variation of intervals and fluctuation of inputs.
    courses : ndarray, shape (n_courses, n_samples)
        Excitation, or the force target in its only row.
    course_index : ndarray of int, shape (n_units,)
        Which course excites each unit.
    controls : str
        ``"excitation"`` or ``"force"``.
    sampling_rate : float
        In Hz.
    rng, slow : numpy.random.Generator
        Sources of the intervals and of the inputs' fluctuations.
    strengths : ndarray, shape (n_units,)
        Factor on each unit's twitch; units of strength 0 are lost and do not discharge.
    """
    n_samples = courses.shape[1]
    shared = None
    if neurons.input_deviation:
        shared = CommonInput.draw(
            pool.n_units,
            n_samples / sampling_rate,
            deviation=neurons.input_deviation,
            correlation=neurons.input_correlation,
            cutoff=neurons.input_cutoff,
            rng=slow,
        )
    if controls == "force":
        made = follow_force(
            pool,
            twitches,
            courses[0],
            sampling_rate,
            isi_cov=neurons.isi_cov,
            refractory=neurons.refractory,
            fluctuations=shared,
            strengths=strengths,
            rng=rng,
        )
        return Firing(list(made.samples), made.force, courses[0])
    trains = []
    # One unit at a time: rates of all of them would take more memory than the recording.
    for unit, stream in enumerate(rng.spawn(pool.n_units)):
        if not strengths[unit]:
            trains.append(np.zeros(0, dtype=np.int64))
            continue
        course = courses[course_index[unit]]
        if shared is not None:
            course = course * (1 + shared.row(unit, n_samples, sampling_rate))
        if isinstance(pool, IntegrateAndFirePool):
            trains.append(pool.train(course, sampling_rate, unit=unit, rng=stream))
            continue
        trains.append(
            discharge_train(
                pool.rates(course, unit=unit)[0],
                sampling_rate,
                isi_cov=neurons.isi_cov,
                refractory=neurons.refractory,
                rng=stream,
            )
        )
    total = force(
        trains, twitches, n_samples, sampling_rate, maximal_rates=pool.peak_rates, strengths=strengths
    )
    return Firing(trains, total)
