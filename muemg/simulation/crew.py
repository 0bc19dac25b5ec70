"""The motor units of a scenario: which muscle each belongs to, which command reaches it, and how it fires.

A command is one course of excitation. Several muscles of a limb take the commands in turn; in one muscle
they are intermixed, as after targeted reinnervation: every unit belongs to one command, and a stated
fraction also hears the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muemg.errors import InvalidArgumentError
from muemg.muscle.cross_section import area
from muemg.muscle.motor_units import MotorUnits, make_motor_units
from muemg.muscle.pathology import myopathic, neurogenic
from muemg.neurons.force_control import Pool, excitation_for, strongest
from muemg.neurons.twitch import Twitches
from muemg.simulation.geometry import Scene
from muemg.simulation.neural import course_of, fire
from muemg.simulation.scenario import Scenario

__all__ = ["Crew", "recruit"]


@dataclass(frozen=True, eq=False)
class Crew:
    """Motor units with what makes them fire.

    Parameters
    ----------
    motor_units : MotorUnits
        All of them, muscle after muscle.
    muscle, command, second_command : ndarray of int64, shape (n_units,)
        Index of each unit's muscle and commands; −1 is no second command.
    healthy : ndarray of int64, shape (n_units,)
        Index of each unit before a neurogenic loss.
    samples : list of ndarray of int64
        Discharges.
    forces : ndarray, shape (n_muscles, n_samples)
        Force of each muscle as a fraction of its maximum (before a disease).
    targets : ndarray, shape (n_muscles, n_samples), or None
        The force that was asked of each muscle, as a fraction of the same maximum.
    thresholds, peak_rates, twitch_forces, contraction_times : ndarray, shape (n_units,)
        Of their neurons and twitches.
    """

    motor_units: MotorUnits
    muscle: np.ndarray
    command: np.ndarray
    second_command: np.ndarray
    healthy: np.ndarray
    samples: list[np.ndarray]
    forces: np.ndarray
    targets: np.ndarray | None
    thresholds: np.ndarray
    peak_rates: np.ndarray
    twitch_forces: np.ndarray
    contraction_times: np.ndarray


def recruit(
    plan: Scenario,
    scene: Scene,
    anatomy: np.random.Generator,
    neural: np.random.Generator,
    slow: np.random.Generator,
    choice: np.random.Generator,
) -> Crew:
    """Draw the motor units of all muscles and let them discharge.

    Parameters
    ----------
    plan : Scenario
        Settings.
    scene : Scene
        The muscles' cross-sections.
    anatomy, neural, slow, choice : numpy.random.Generator
        Sources of the fibres, of the intervals, of the inputs' fluctuations, and of commands and disease.
    """
    split, ill = choice.spawn(2)
    motor_units, muscle = _anatomy(plan, scene, anatomy)
    n_units = len(motor_units)
    command, second = _commands(plan, muscle, split)
    healthy, fibres_before = np.arange(n_units), motor_units.n_fibres
    disease = plan.pathology
    if disease.kind == "myopathic":
        motor_units = myopathic(motor_units, disease.severity, ill, diameter_scatter=disease.diameter_scatter)
    elif disease.kind == "neurogenic":
        if plan.muscle.most_fibres:
            raise InvalidArgumentError(
                "muscle.most_fibres must be 0 (all fibres) with pathology.kind 'neurogenic': "
                f"orphaned fibres are adopted one by one; got {plan.muscle.most_fibres}"
            )
        motor_units, healthy = neurogenic(
            motor_units, disease.severity, ill, adoption=disease.reinnervation, groups=muscle
        )
    if plan.electrodes.layout == "intramuscular":
        motor_units = _beside_lines(motor_units, scene.electrodes.positions, plan.electrodes.diameter / 2)
    strengths = np.zeros(n_units)
    strengths[healthy] = motor_units.n_fibres / fibres_before[healthy]
    fired = _fire_all(plan, muscle, command, second, strengths, neural, slow)
    return Crew(motor_units, muscle[healthy], command[healthy], second[healthy], healthy, **fired(healthy))


def _anatomy(plan: Scenario, scene: Scene, rng: np.random.Generator) -> tuple[MotorUnits, np.ndarray]:
    settings, regions = plan.muscle, list(scene.regions.values())
    sizes = (
        np.array([area(region) for region in regions]) if settings.fibre_density or len(regions) > 1 else None
    )
    counts = _shares(settings.n_units, sizes) if sizes is not None else np.array([settings.n_units])
    streams = [rng] if len(regions) == 1 else rng.spawn(len(regions))
    made = []
    for i, (region, count, stream) in enumerate(zip(regions, counts, streams)):
        architecture = settings.architecture()
        if settings.fibre_density and sizes is not None:
            mean = settings.fibre_density * float(sizes[i]) / int(count)
            architecture = replace(architecture, mean_innervation_number=mean)
        made.append(
            make_motor_units(
                int(count),
                region,
                architecture,
                stream,
                most_fibres=settings.most_fibres or None,
                assignment=settings.assignment,
            )
        )
    return MotorUnits.concatenate(made), np.repeat(np.arange(len(regions)), counts)


def _beside_lines(motor_units: MotorUnits, contacts: np.ndarray, radius: float) -> MotorUnits:
    """Fibres that lie where a line of contacts runs, pushed aside: none comes nearer than it is thick."""
    xy = motor_units.fibre_xy.copy()
    clear = motor_units.fibre_diameter / 2 + radius
    for x in np.unique(contacts[:, 0]):
        low, high = contacts[contacts[:, 0] == x, 1].min(), contacts[contacts[:, 0] == x, 1].max()
        aside = xy[:, 0] - x
        near = (np.abs(aside) < clear) & (xy[:, 1] > low - clear) & (xy[:, 1] < high + clear)
        xy[near, 0] = x + np.where(aside[near] < 0, -clear[near], clear[near])
    return replace(motor_units, fibre_xy=xy)


def _shares(total: int, sizes: np.ndarray) -> np.ndarray:
    """`total` divided in proportion to `sizes`, at least one each, by largest remainders."""
    if total < sizes.size:
        raise InvalidArgumentError(
            f"muscle.n_units must be at least one for each muscle, {sizes.size}; got {total}"
        )
    exact = (total - sizes.size) * sizes / sizes.sum()
    counts = np.floor(exact).astype(int)
    rest = total - sizes.size - counts.sum()
    counts[np.argsort(counts - exact, kind="stable")[:rest]] += 1
    return counts + 1


def _commands(plan: Scenario, muscle: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n_commands, n_units = plan.commands.count, len(muscle)
    none = np.full(n_units, -1)
    if muscle.max() > 0 or n_commands == 1:
        return muscle % n_commands, none
    # Evenly many units for each, at random places in the order of recruitment.
    command = rng.permutation(np.arange(n_units) % n_commands)
    shared = np.zeros(n_units, dtype=bool)
    shared[rng.permutation(n_units)[: round(plan.commands.shared_fraction * n_units)]] = True
    return command, np.where(shared, (command + 1) % n_commands, none)


def _courses(plan: Scenario) -> np.ndarray:
    """One row of excitation for each command, shape (n_commands, n_samples)."""
    base = course_of(plan.drive, plan.n_samples, plan.recording.sampling_rate)
    rows = []
    for k in range(plan.commands.count):
        delay = plan.commands.delays[k] if plan.commands.delays else 0.0
        level = plan.commands.levels[k] if plan.commands.levels else 1.0
        late = min(round(delay * plan.recording.sampling_rate), plan.n_samples)
        shifted = np.concatenate([np.full(late, base[0]), base[: plan.n_samples - late]])
        rows.append(level * shifted)
    return np.array(rows)


def _fire_all(
    plan: Scenario,
    muscle: np.ndarray,
    command: np.ndarray,
    second: np.ndarray,
    strengths: np.ndarray,
    neural: np.random.Generator,
    slow: np.random.Generator,
) -> Callable[[np.ndarray], dict[str, Any]]:
    """Discharges, forces and neurons of all units; what is returned selects those that are left."""
    courses = _courses(plan)
    groups = sorted(set(zip(muscle.tolist(), command.tolist())))
    follows = plan.drive.controls == "force"
    if follows and len(groups) > int(muscle.max()) + 1:
        raise InvalidArgumentError(
            "drive.controls must be 'excitation' with several commands in one muscle, whose force does not say "
            "what each of them should do; got 'force'"
        )
    neurals = neural.spawn(len(groups)) if len(groups) > 1 else [neural]
    slows = slow.spawn(len(groups)) if len(groups) > 1 else [slow]
    samples: list[np.ndarray] = [np.zeros(0, dtype=np.int64)] * len(muscle)
    forces = np.zeros((int(muscle.max()) + 1, plan.n_samples))
    targets = np.zeros_like(forces) if follows else None
    threshold, rate, twitch, time = (np.zeros(len(muscle)) for _ in range(4))
    for (of_muscle, of_command), stream, slow_stream in zip(groups, neurals, slows):
        members = np.flatnonzero((muscle == of_muscle) & (command == of_command))
        pool, twitches, strong = plan.neurons.pool(members.size), Twitches(members.size), strengths[members]
        rows, index = courses[of_command][None], np.zeros(members.size, dtype=int)
        if (second[members] >= 0).any():
            other = courses[(of_command + 1) % plan.commands.count]
            rows = np.vstack([rows, np.minimum(1, rows[0] + other)])
            index = (second[members] >= 0).astype(int)
        if (strong != 1).any() and plan.pathology.compensation and not follows:
            rows = _compensated(rows, pool, twitches, strong)
        if follows and not plan.pathology.compensation:
            rows = rows * min(1.0, strongest(pool, twitches, strong))
        made = fire(
            pool,
            twitches,
            plan.neurons,
            rows,
            index,
            plan.drive.controls,
            plan.recording.sampling_rate,
            stream,
            slow_stream,
            strengths=strong,
        )
        for place, train in zip(members, made.samples):
            samples[place] = train
        forces[of_muscle] += made.force * members.size / np.count_nonzero(muscle == of_muscle)
        if targets is not None:
            targets[of_muscle] = made.target
        threshold[members], rate[members] = pool.thresholds, pool.peak_rates
        twitch[members], time[members] = twitches.peak_forces * strong, twitches.contraction_times

    def select(units: np.ndarray) -> dict[str, Any]:
        return {
            "samples": [samples[i] for i in units],
            "forces": forces,
            "targets": targets,
            "thresholds": threshold[units],
            "peak_rates": rate[units],
            "twitch_forces": twitch[units],
            "contraction_times": time[units],
        }

    return select


def _compensated(rows: np.ndarray, pool: Pool, twitches: Twitches, strengths: np.ndarray) -> np.ndarray:
    """The excitation that makes the diseased muscle as strong as the healthy one, as far as it goes."""
    levels = np.linspace(0, 1, 513)
    healthy = np.array([twitches.steady_force(rates) for rates in pool.rates(levels).T])
    wanted = np.interp(rows, levels, healthy / healthy[-1])
    return excitation_for(pool, twitches, wanted, strengths=strengths)
