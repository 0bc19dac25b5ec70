"""Motor unit action potentials of a muscle under electrodes: where the toolkit meets the forward model."""

from __future__ import annotations

import math

import numpy as np

from forward_models import ElectrodeArray, Fibres, ForwardModelError, LeadField, motor_unit_potentials
from muemg.errors import InvalidArgumentError
from muemg.muscle.motor_units import MotorUnits, MuscleArchitecture
from muemg.simulation.geometry import Scene

__all__ = ["lead_field", "muscle_potentials", "window_length"]

# Length in metres behind the wave front after which the membrane is at rest again: 96 s³ e^(−s), s in mm,
# falls below 1e-4 of its peak after 18 mm (Rosenfalck 1969).
_WAVE = 20e-3


def window_length(architecture: MuscleArchitecture, sampling_rate: float, *, slowing: float = 1.0) -> int:
    """Samples until the slowest possible fibre's wave has died at its tendon.

    Its bounds set the length, not the fibres that happened to be drawn: every seed gives arrays of one
    shape, and nothing is compiled twice. `slowing` is the smallest factor that velocities will be
    multiplied by.
    """
    duration = (architecture.longest_half + _WAVE) / (architecture.slowest_fibre * slowing)
    return math.ceil(duration * sampling_rate)


def lead_field(
    scene: Scene,
    extent: tuple[float, float],
    electrodes: ElectrodeArray | None = None,
    *,
    shift: float = 0.0,
) -> LeadField:
    """Lead field of the electrodes for fibres between two z in metres, resolved after a further `shift` too.

    Raises
    ------
    InvalidArgumentError
        If the forward model cannot take the geometry.
    """
    array = scene.electrodes if electrodes is None else electrodes
    # Of where they are when nothing has moved, so that moved electrodes meet the same conductor.
    z = scene.electrodes.positions[:, 2]
    reach = shift + max(extent[1] - float(z.min()), float(z.max()) - extent[0])
    try:
        return scene.tissue(reach).lead_field(array)
    except ForwardModelError as error:
        raise InvalidArgumentError(f"the forward model cannot take this scenario: {error}") from error


def muscle_potentials(
    motor_units: MotorUnits,
    scene: Scene,
    field: LeadField,
    sampling_rate: float,
    n_samples: int,
    *,
    delay: np.ndarray | None = None,
) -> np.ndarray:
    """Action potentials of motor units in volts; the first sample is the discharge.

    Parameters
    ----------
    motor_units : MotorUnits
        Units and fibres, in the muscle's frame.
    scene : Scene
        Where the muscle's frame lies.
    field : LeadField
        From `lead_field`.
    sampling_rate : float
        In Hz.
    n_samples : int
        Length, from `window_length`.
    delay : ndarray, shape (n_simulated,), optional
        From the discharge to the start of each fibre's waves, in seconds.

    Returns
    -------
    ndarray of float32, shape (n_units, n_channels, n_samples)

    Raises
    ------
    InvalidArgumentError
        If the forward model cannot take the geometry.
    """
    m = motor_units
    try:
        fibres = Fibres(
            transverse=m.fibre_xy + np.array(scene.surface),
            end_plate=m.fibre_end_plate,
            half_lengths=np.column_stack(
                [m.fibre_distal_end - m.fibre_end_plate, m.fibre_end_plate - m.fibre_proximal_end]
            ),
            velocity=m.fibre_velocity,
            diameter=m.fibre_diameter,
            delay=0.0 if delay is None else delay,
        )
        potentials = motor_unit_potentials(
            field, fibres, m.unit, sampling_rate=sampling_rate, n_samples=n_samples, n_units=len(m)
        )
    except ForwardModelError as error:
        raise InvalidArgumentError(f"the forward model cannot take this scenario: {error}") from error
    return np.asarray(potentials, dtype=np.float32) * m.weight[:, None, None].astype(np.float32)
