"""Action potentials that change during a recording: movement, fatigue, jittering end-plates.

Parameters move, not waveforms: the forward model is evaluated at several values of the moving parameter
(electrode position, muscle length, conduction velocity), and at the time of every discharge the action
potential is read at the parameter's value then, by the polynomial through the four nearest of them. How
many values it takes is a setting (`nodes`), to be judged by the forward model itself at values in between.
During one action potential nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from muemg.errors import InvalidArgumentError
from muemg.muscle.motor_units import MotorUnits, MuscleArchitecture
from muemg.muscle.pathology import SLOWEST_DISEASED_FIBRE
from muemg.simulation.geometry import Scene, make_array
from muemg.simulation.muaps import lead_field, muscle_potentials, window_length
from muemg.simulation.scenario import Scenario
from muemg.simulation.sections import Electrodes, Movement

__all__ = ["Templates", "interpolation", "potentials_of", "shortened"]

# A blocked fibre carries no current; the model wants a diameter.
_NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Templates:
    """Action potentials at several values of one parameter.

    Parameters
    ----------
    muaps : ndarray of float32, shape (n_nodes, n_units, n_channels, n_lags)
        In volts.
    course : ndarray, shape (n_samples,), or None
        The parameter in time, 0 … 1 from first to last node; None draws a node for each discharge.
    name : str
        What the course is called.
    """

    muaps: np.ndarray
    course: np.ndarray | None
    name: str

    @property
    def reference(self) -> np.ndarray:
        """The action potentials at the start, or on average where nodes are drawn."""
        return self.muaps[0] if self.course is not None else self.muaps.mean(axis=0)

    def mixture(self, discharge: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """First node and weights of it and those after it, for discharges at some samples."""
        n_nodes = len(self.muaps)
        if self.course is None:
            node = rng.integers(0, n_nodes, discharge.size)
            return node, np.ones((discharge.size, 1))
        return interpolation(self.course[discharge] * (n_nodes - 1), n_nodes)


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

    Raises
    ------
    InvalidArgumentError
        If more than one of movement, fatigue and jitter is wanted.
    """
    rate, disease = plan.recording.sampling_rate, plan.pathology
    shaking = bool(disease.jitter or disease.blocking)
    if plan.movement.moves + bool(plan.fatigue.velocity_loss) + shaking > 1:
        raise InvalidArgumentError(
            "only one of movement, fatigue and pathology (jitter_us, blocking) can change the action "
            "potentials of one recording"
        )
    slowing = 1 - plan.fatigue.velocity_loss
    if disease.kind == "myopathic":
        slowing = SLOWEST_DISEASED_FIBRE / architecture.slowest_fibre
    n_lags = window_length(architecture, rate, slowing=slowing)
    times = np.arange(plan.n_samples) / rate
    if plan.movement.moves:
        muaps = _moving(plan, scene, motor_units, architecture, n_lags)
        course = (1 - np.cos(2 * np.pi * plan.movement.frequency * times)) / 2
        return Templates(muaps, course, "movement")
    field = lead_field(scene, architecture.extent)

    def potentials(units: MotorUnits, delay: np.ndarray | None = None) -> np.ndarray:
        return muscle_potentials(units, scene, field, rate, n_lags, delay=delay)

    if plan.fatigue.velocity_loss:
        factors = np.linspace(1, slowing, plan.fatigue.nodes)
        tired = [
            potentials(replace(motor_units, fibre_velocity=motor_units.fibre_velocity * factor))
            for factor in factors
        ]
        return Templates(np.array(tired), times / plan.recording.duration, "fatigue")
    if shaking:
        variants = []
        for stream in rng.spawn(disease.variants):
            n = motor_units.unit.size
            delay = disease.jitter * np.clip(stream.standard_normal(n), -3, 3)
            blocked = stream.random(n) < disease.blocking
            diameter = np.where(blocked, _NOTHING, motor_units.fibre_diameter)
            variants.append(potentials(replace(motor_units, fibre_diameter=diameter), delay))
        return Templates(np.array(variants), None, "variant")
    return potentials(motor_units)


def _moving(
    plan: Scenario, scene: Scene, motor_units: MotorUnits, architecture: MuscleArchitecture, n_lags: int
) -> np.ndarray:
    movement = plan.movement
    arrays = [
        make_array(_displaced(plan, movement, part), plan.conductor, scene.limb)
        for part in np.linspace(0, 1, movement.nodes)
    ]
    nodes = []
    for part, array in zip(np.linspace(0, 1, movement.nodes), arrays):
        units = shortened(motor_units, movement.shortening * part, architecture.extent[0])
        field = lead_field(scene, architecture.extent, array, shift=abs(movement.shift_along))
        nodes.append(muscle_potentials(units, scene, field, plan.recording.sampling_rate, n_lags))
    return np.array(nodes)


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
