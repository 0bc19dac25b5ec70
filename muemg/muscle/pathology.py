"""Diseases of muscle and of motor nerve as changes of a healthy muscle's motor units.

Myopathic: fibres die at random, the others vary in diameter and with it in velocity. Neurogenic: whole
motor units die, and fibres that lost their neuron are adopted by units whose fibres lie beside them, so
that fibres of one unit come to lie in groups (fibre-type grouping).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from muemg.errors import check_fraction, check_positive
from muemg.muscle.innervation import diameter_of_velocity, velocity_of_diameter
from muemg.muscle.motor_units import MotorUnits

__all__ = ["SLOWEST_DISEASED_FIBRE", "myopathic", "neurogenic"]

SLOWEST_DISEASED_FIBRE = 1.5
"""m/s: atrophied fibres conduct no slower here; 11 µm by Nandedkar & Stålberg 1983."""
_FASTEST = 8.0
# Collateral sprouts come from one of so many nearest fibres that still have a neuron.
_NEIGHBOURS = 4


def myopathic(
    healthy: MotorUnits, severity: float, rng: np.random.Generator, *, diameter_scatter: float = 0.35
) -> MotorUnits:
    """Fibres lost at random, the rest of unequal diameter.

    Parameters
    ----------
    healthy : MotorUnits
        Before.
    severity : float
        Fraction of the fibres that are lost; every unit keeps one at least.
    rng : numpy.random.Generator
        Source of randomness.
    diameter_scatter : float
        Standard deviation of the logarithm of the diameter (atrophy and hypertrophy side by side) at
        severity 1, less in proportion; 0.35 is schematic.

    Returns
    -------
    MotorUnits
    """
    lost = check_fraction("severity", severity)
    n_units = len(healthy)
    left = np.maximum(1, healthy.n_fibres - rng.binomial(healthy.n_fibres, lost))
    # Of the simulated fibres as many in proportion; those that stay are a random choice.
    simulated = np.bincount(healthy.unit, minlength=n_units)
    stay = np.maximum(1, np.rint(simulated * left / healthy.n_fibres)).astype(np.int64)
    keep = np.zeros(healthy.unit.size, dtype=bool)
    starts = np.cumsum(simulated) - simulated
    for start, of, n in zip(starts, simulated, stay):
        keep[start + rng.permutation(of)[:n]] = True
    few = _select(healthy, keep)
    spread = check_positive("diameter_scatter", diameter_scatter, allow_zero=True) * lost
    thick = few.fibre_diameter * np.exp(spread * rng.standard_normal(few.fibre_diameter.size))
    velocity = np.clip(velocity_of_diameter(thick), SLOWEST_DISEASED_FIBRE, _FASTEST)
    return replace(
        few,
        n_fibres=left,
        fibre_velocity=velocity,
        fibre_diameter=diameter_of_velocity(velocity),
    )


def neurogenic(
    healthy: MotorUnits,
    severity: float,
    rng: np.random.Generator,
    *,
    adoption: float = 0.8,
    groups: np.ndarray | None = None,
) -> tuple[MotorUnits, np.ndarray]:
    """Motor units lost at random, their fibres adopted by neighbours.

    Parameters
    ----------
    healthy : MotorUnits
        Before, with all its fibres simulated.
    severity : float
        Fraction of the motor units that are lost; one at least is left in every group.
    rng : numpy.random.Generator
        Source of randomness.
    adoption : float
        Chance of an orphaned fibre to be adopted; those that are not are silent.
    groups : ndarray of int, shape (n_units,), optional
        Muscle of each unit; adoption crosses no border.

    Returns
    -------
    (motor_units, kept) : MotorUnits, and ndarray of int64
        The units that are left, and their indices before.
    """
    lost = check_fraction("severity", severity)
    muscle = np.zeros(len(healthy), dtype=np.int64) if groups is None else np.asarray(groups)
    alive = np.ones(len(healthy), dtype=bool)
    owner = healthy.unit.copy()
    for name in np.unique(muscle):
        members = np.flatnonzero(muscle == name)
        n_lost = min(members.size - 1, round(lost * members.size))
        alive[rng.permutation(members)[:n_lost]] = False
        of_muscle = muscle[owner] == name
        orphans = np.flatnonzero(of_muscle & ~alive[healthy.unit])
        hosts = np.flatnonzero(of_muscle & alive[healthy.unit])
        near = min(_NEIGHBOURS, hosts.size)
        _, nearest = cKDTree(healthy.fibre_xy[hosts]).query(
            healthy.fibre_xy[orphans], k=[*range(1, near + 1)]
        )
        choice = nearest[np.arange(orphans.size), rng.integers(0, near, orphans.size)]
        adopted = rng.random(orphans.size) < check_fraction("adoption", adoption)
        owner[orphans] = np.where(adopted, healthy.unit[hosts[choice]], -1)
    kept = np.flatnonzero(alive)
    place = np.full(len(healthy) + 1, -1)
    place[kept] = np.arange(kept.size)
    unit = place[owner]
    order = np.argsort(unit, kind="stable")
    order = order[unit[order] >= 0]
    n_fibres = np.bincount(unit[order], minlength=kept.size)
    # The fibres keep position, diameter and end-plate; what belongs to the unit is what is left of the old
    # one.
    fibres = {
        name: getattr(healthy, name)[order]
        for name in (
            "fibre_xy",
            "fibre_end_plate",
            "fibre_proximal_end",
            "fibre_distal_end",
            "fibre_velocity",
            "fibre_diameter",
        )
    }
    return (
        MotorUnits(
            n_fibres=n_fibres,
            territory_center=healthy.territory_center[kept],
            territory_radius=healthy.territory_radius[kept],
            innervation_zone=healthy.innervation_zone[kept],
            velocity=healthy.velocity[kept],
            unit=unit[order],
            **fibres,
        ),
        kept,
    )


def _select(units: MotorUnits, keep: np.ndarray) -> MotorUnits:
    return replace(
        units,
        unit=units.unit[keep],
        fibre_xy=units.fibre_xy[keep],
        fibre_end_plate=units.fibre_end_plate[keep],
        fibre_proximal_end=units.fibre_proximal_end[keep],
        fibre_distal_end=units.fibre_distal_end[keep],
        fibre_velocity=units.fibre_velocity[keep],
        fibre_diameter=units.fibre_diameter[keep],
    )
