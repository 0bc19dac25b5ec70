"""Action potentials that change during a recording: movement, fatigue, jittering end-plates.

Parameters move, not waveforms: the forward model is evaluated at several values of the moving parameter
(electrode position, muscle length, conduction velocity), and at the time of every discharge the action
potential is read at the parameter's value then, by the polynomial through the four nearest of them. How
many values it takes is a setting (`nodes`), to be judged by the forward model itself at values in between.
Movement, fatigue and jitter may come together: nodes are then all combinations. During one action potential
nothing moves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from forward_models import LeadField
from muemg.muscle.motor_units import MotorUnits, MuscleArchitecture
from muemg.muscle.pathology import SLOWEST_DISEASED_FIBRE
from muemg.simulation.geometry import Scene, make_array
from muemg.simulation.muaps import lead_field, muscle_potentials, window_length
from muemg.simulation.scenario import Scenario
from muemg.simulation.sections import Electrodes, Movement, Pathology

__all__ = ["Axis", "Templates", "interpolation", "potentials_of", "shortened"]

# A blocked fibre carries no current; the model wants a diameter.
_NOTHING = 1e-9
# Jitter beyond so many standard deviations is cut off.
_CLIP = 3.0


@dataclass(frozen=True, eq=False)
class Axis:
    """One thing that changes, and the values at which action potentials were computed.

    Parameters
    ----------
    name : str
        What it is called.
    n_nodes : int
        How many values.
    course : ndarray, shape (n_samples,), or None
        It in time, 0 … 1 from first to last node; None draws a node for each discharge.
    """

    name: str
    n_nodes: int
    course: np.ndarray | None

    def read(self, discharge: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """First node, shape (n,), and weights of it and those after it, shape (n, order)."""
        if self.course is None:
            return rng.integers(0, self.n_nodes, discharge.size), np.ones((discharge.size, 1))
        return interpolation(self.course[discharge] * (self.n_nodes - 1), self.n_nodes)


@dataclass(frozen=True, eq=False)
class Templates:
    """Action potentials at the values of everything that changes.

    Parameters
    ----------
    muaps : ndarray of float32, shape (n_nodes, n_units, n_channels, n_lags)
        In volts, for all combinations of the axes' nodes; those of the last axis follow one another.
    axes : tuple of Axis
        What changes.
    """

    muaps: np.ndarray
    axes: tuple[Axis, ...]

    @property
    def courses(self) -> dict[str, np.ndarray]:
        """What goes on in time, by name."""
        return {axis.name: axis.course for axis in self.axes if axis.course is not None}

    @property
    def reference(self) -> np.ndarray:
        """The action potentials at the start, and on average where nodes are drawn."""
        # Axes that are drawn come first: their nodes are as many steps apart as the others have combinations.
        step = int(np.prod([axis.n_nodes for axis in self.axes if axis.course is not None]))
        return self.muaps[::step].mean(axis=0) if step < len(self.muaps) else self.muaps[0]

    def mixture(
        self, discharge: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What to add for discharges at some samples: (samples, first node, weights from that node on).

        Nodes of several axes do not all follow one another, so that a discharge may come several times.
        """
        first = np.zeros((1, discharge.size), dtype=np.int64)
        weights = np.ones((1, discharge.size, 1))
        for axis in self.axes:
            node, share = axis.read(discharge, rng)
            # Each of the nodes so far begins a row of this axis' nodes.
            order = weights.shape[2]
            rows = (len(first) * order, discharge.size)
            begins = first[:, None] + np.arange(order)[:, None]
            first = (begins * axis.n_nodes + node).reshape(rows)
            weights = np.moveaxis(weights, 2, 1).reshape(*rows, 1) * share
        samples = np.tile(discharge, len(first))
        return samples, first.ravel(), weights.reshape(samples.size, weights.shape[2])


def interpolation(place: np.ndarray, n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Lagrange's polynomial through the (up to) four nearest of the nodes 0 … n_nodes − 1.

    Parameters
    ----------
    place : ndarray, shape (n,)
        Where to read, 0 … n_nodes − 1.
    n_nodes : int
        Number of nodes.

    Returns
    -------
    (first, weights) : ndarray of int64, shape (n,); ndarray, shape (n, min(4, n_nodes))
        Value ≈ Σ_j weights[:, j] · node[first + j].
    """
    order = min(4, n_nodes)
    first = np.clip(np.floor(place).astype(np.int64) - (order // 2 - 1), 0, n_nodes - order)
    x = place - first
    weights = np.ones((place.size, order))
    for j in range(order):
        for m in range(order):
            if m != j:
                weights[:, j] *= (x - m) / (j - m)
    return first, weights


def shortened(motor_units: MotorUnits, fraction: float, origin: float) -> MotorUnits:
    """A muscle that is shorter: fibres and end-plates draw nearer to `origin`, fibres keep their volume.

    Parameters
    ----------
    motor_units : MotorUnits
        At full length.
    fraction : float
        Of the length that is gone.
    origin : float
        z in metres that stays.
    """
    m, length = motor_units, 1 - fraction

    def moved(z: np.ndarray) -> np.ndarray:
        return origin + length * (z - origin)

    return replace(
        m,
        innervation_zone=moved(m.innervation_zone),
        fibre_end_plate=moved(m.fibre_end_plate),
        fibre_proximal_end=moved(m.fibre_proximal_end),
        fibre_distal_end=moved(m.fibre_distal_end),
        fibre_diameter=m.fibre_diameter / np.sqrt(length),
    )


def potentials_of(
    plan: Scenario,
    scene: Scene,
    motor_units: MotorUnits,
    architecture: MuscleArchitecture,
    rng: np.random.Generator,
) -> np.ndarray | Templates:
    """Action potentials of a scenario: one per unit where nothing changes, templates where something does.

    Parameters
    ----------
    plan, scene, motor_units, architecture
        The scenario, its geometry, its units, and what they were drawn from.
    rng : numpy.random.Generator
        Source of jitter and blocking.

    Returns
    -------
    ndarray of float32, shape (n_units, n_channels, n_lags), or Templates
        With one set of nodes for each of movement, fatigue and jitter that the scenario asks for; of several
        all combinations are computed.
    """
    rate, disease, movement = plan.recording.sampling_rate, plan.pathology, plan.movement
    shaking = bool(disease.jitter or disease.blocking)
    slowing = 1 - plan.fatigue.velocity_loss
    slowest = SLOWEST_DISEASED_FIBRE / architecture.slowest_fibre if disease.kind == "myopathic" else 1.0
    # The latest end-plate, and the slowest fibre of the most tired muscle, still fit.
    n_lags = window_length(architecture, rate, slowing=slowing * slowest)
    n_lags += math.ceil(_CLIP * disease.jitter * rate)
    times = np.arange(plan.n_samples) / rate
    axes = []
    shakes: list[tuple[np.ndarray | None, np.ndarray]] = [(None, motor_units.fibre_diameter)]
    if shaking:
        shakes = [_shaken(motor_units, disease, stream) for stream in rng.spawn(disease.variants)]
        axes.append(Axis("variant", len(shakes), None))
    places = np.zeros(1)
    if movement.moves:
        places = np.linspace(0, 1, movement.nodes)
        swing = (1 - np.cos(2 * np.pi * movement.frequency * times)) / 2
        axes.append(Axis("movement", len(places), swing))
    factors = np.ones(1)
    if plan.fatigue.velocity_loss:
        factors = np.linspace(1, slowing, plan.fatigue.nodes)
        axes.append(Axis("fatigue", len(factors), times / plan.recording.duration))

    if not axes:
        return muscle_potentials(motor_units, scene, lead_field(scene, architecture.extent), rate, n_lags)
    shape = (len(shakes), len(places), len(factors), len(motor_units), len(scene.electrodes), n_lags)
    nodes = np.zeros(shape, dtype=np.float32)
    for i, part in enumerate(places):
        field = _lead_field_at(plan, scene, architecture, part)
        for k, (delay, diameter) in enumerate(shakes):
            units = replace(motor_units, fibre_diameter=diameter)
            if movement.moves:
                units = shortened(units, movement.shortening * part, architecture.extent[0])
            for j, factor in enumerate(factors):
                tired = replace(units, fibre_velocity=units.fibre_velocity * factor)
                nodes[k, i, j] = muscle_potentials(tired, scene, field, rate, n_lags, delay=delay)
    return Templates(nodes.reshape(-1, *nodes.shape[3:]), tuple(axes))


def _shaken(
    motor_units: MotorUnits, disease: Pathology, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Delays of the end-plates, and diameters, where a fibre that is blocked has none."""
    n = motor_units.unit.size
    delay = disease.jitter * np.clip(rng.standard_normal(n), -_CLIP, _CLIP)
    return delay, np.where(rng.random(n) < disease.blocking, _NOTHING, motor_units.fibre_diameter)


def _lead_field_at(plan: Scenario, scene: Scene, architecture: MuscleArchitecture, part: float) -> LeadField:
    """Lead field of the electrodes after a part of their way."""
    if not plan.movement.moves:
        return lead_field(scene, architecture.extent)
    array = make_array(_displaced(plan, plan.movement, part), plan.conductor, scene.limb)
    return lead_field(scene, architecture.extent, array, shift=abs(plan.movement.shift_along))


def _displaced(plan: Scenario, movement: Movement, part: float) -> Electrodes:
    e = plan.electrodes
    moved: dict[str, Any] = {"center_z": e.center_z + part * movement.shift_along}
    across = part * movement.shift_across
    if e.layout == "bracelet":
        around = (
            plan.conductor.radius if plan.conductor.kind == "cylinder" else plan.conductor.girth / (2 * np.pi)
        )
        moved["rotation"] = e.rotation + across / around
    else:
        moved["center_x"] = e.center_x + across
    return replace(e, **moved)
