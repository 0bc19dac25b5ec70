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

# Fibres that are summed at once, and sums that are computed at once: enough of them to keep the processor
# busy, few enough for memory.
_FIBRES, _ROWS = 16, 64

# Diameter in metres of a place that no fibre fills: its share of a sum is below single precision's smallest
# step by many orders.
_NOTHING = 1e-12

# Distances along the fibres are resolved in steps of this many metres: electrodes that lie a little
# differently do not need anything compiled anew.
_REACH_STEP = 10e-3


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
    reach = _REACH_STEP * math.ceil(reach / _REACH_STEP - 1e-9)
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
    result = np.zeros((len(m), field.n_channels, n_samples), dtype=np.float32)
    if not m.unit.size:
        return result
    rows, counted, owner = _rows(m.unit)
    late = np.broadcast_to(0.0 if delay is None else delay, m.unit.shape)
    half = np.column_stack([m.fibre_distal_end - m.fibre_end_plate, m.fibre_end_plate - m.fibre_proximal_end])
    n_rows, size = min(_ROWS, len(rows)), rows.shape[1]
    try:
        for first in range(0, len(rows), n_rows):
            batch = slice(first, first + n_rows)
            one = rows[batch].ravel()
            fibres = Fibres(
                transverse=m.fibre_xy[one] + np.array(scene.surface),
                end_plate=m.fibre_end_plate[one],
                half_lengths=half[one],
                velocity=m.fibre_velocity[one],
                diameter=np.where(counted[batch].ravel(), m.fibre_diameter[one], _NOTHING),
                delay=late[one],
            )
            potentials = motor_unit_potentials(
                field,
                fibres,
                np.repeat(np.arange(n_rows), size),
                sampling_rate=sampling_rate,
                n_samples=n_samples,
                n_units=n_rows,
            )
            np.add.at(result, owner[batch], np.asarray(potentials))
    except ForwardModelError as error:
        raise InvalidArgumentError(f"the forward model cannot take this scenario: {error}") from error
    result *= m.weight[:, None, None].astype(np.float32)
    return result


def _rows(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fibres of one unit in rows of equal length: their indices, whether they count, and each row's unit.

    As many rows as a power of 2, or a multiple of a batch: what is compiled once serves other muscles.
    """
    counts = np.bincount(unit)
    size = min(_FIBRES, 1 << (int(counts.max()) - 1).bit_length())
    n_rows = -(-counts // size)
    total = int(n_rows.sum())
    padded = -(-total // _ROWS) * _ROWS if total > _ROWS else 1 << (total - 1).bit_length()
    order = np.argsort(unit, kind="stable")
    rank = np.arange(unit.size) - np.repeat(np.cumsum(counts) - counts, counts)
    slot = np.repeat((np.cumsum(n_rows) - n_rows) * size, counts) + rank
    index, counted = np.full(padded * size, order[0]), np.zeros(padded * size, dtype=bool)
    index[slot], counted[slot] = order, True
    owner = np.zeros(padded, dtype=np.int64)
    owner[:total] = np.repeat(np.arange(counts.size), n_rows)
    return index.reshape(padded, size), counted.reshape(padded, size), owner
