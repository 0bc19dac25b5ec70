"""What cannot be is refused where it enters, with the argument's name and what is allowed."""

import numpy as np
import pytest

from forward_models import (
    ActionPotential,
    CurvedFibres,
    CylinderConductor,
    ElectrodeArray,
    Fibres,
    ForwardModelError,
    PlanarConductor,
    UnboundedConductor,
    filters,
    motor_unit_potentials,
    presets,
    single_fibre_potentials,
)

WINDOW = {"sampling_rate": 2048.0, "n_samples": 20}
GRID = ElectrodeArray.grid(2, 2, 8e-3)
TISSUE = {
    "fat": 1e-3,
    "skin": 1e-3,
    "muscle_across": 0.1,
    "muscle_along": 0.5,
    "fat_conductivity": 0.05,
    "skin_conductivity": 1.0,
}


def planar_lead():
    return PlanarConductor(**TISSUE).lead_field(GRID)


def cylinder_lead():
    conductor = CylinderConductor(**TISSUE, muscle_radius=18e-3, bone_radius=4e-3, bone_conductivity=0.02)
    return conductor.lead_field(ElectrodeArray([[0.0, 20e-3, 0.0]]))


def fibre(y=-5e-3, **changes):
    return Fibres([[0.0, y]], **{"end_plate": 0.0, "half_lengths": 50e-3, **changes})


REFUSED = {
    "fat must be finite and ≥ 0": lambda: PlanarConductor(**{**TISSUE, "fat": -1e-3}),
    "skin_conductivity must be finite and > 0": lambda: PlanarConductor(
        **{**TISSUE, "skin_conductivity": 0.0}
    ),
    "muscle_along must be finite and > 0": lambda: CylinderConductor(
        **{**TISSUE, "muscle_along": np.nan}, muscle_radius=0.02
    ),
    "bone_radius must be below muscle_radius": lambda: CylinderConductor(
        **TISSUE, muscle_radius=0.02, bone_radius=0.03, bone_conductivity=0.02
    ),
    "given together": lambda: CylinderConductor(**TISSUE, muscle_radius=0.02, bone_radius=0.003),
    "electrodes of a PlanarConductor lie on the skin": lambda: PlanarConductor(**TISSUE).lead_field(
        ElectrodeArray([[0.0, -3e-3, 0.0]])
    ),
    "electrodes of this CylinderConductor lie on the skin": lambda: CylinderConductor(
        **TISSUE, muscle_radius=18e-3
    ).lead_field(GRID),
    "are points, radius 0": lambda: UnboundedConductor(muscle_across=0.1, muscle_along=0.5).lead_field(
        ElectrodeArray.grid(1, 1, 8e-3, radius=1e-3)
    ),
    "electrodes must be an ElectrodeArray": lambda: PlanarConductor(**TISSUE).lead_field(np.zeros((2, 3))),
    "velocity must be finite and > 0": lambda: fibre(velocity=0.0),
    "half_lengths must be finite and > 0": lambda: fibre(half_lengths=-50e-3),
    "diameter must be a scalar or have shape": lambda: fibre(diameter=[1e-5, 2e-5]),
    r"transverse must have shape \(n_fibres, 2\)": lambda: Fibres([0.0, 0.0], 0.0, 0.05),
    "end_plate must lie between 0 and the arc length": lambda: CurvedFibres([[[0, 0, 0], [0, 0, 0.1]]], 0.2),
    "must lie in the muscle, y ≤ -2.000 mm": lambda: single_fibre_potentials(
        planar_lead(), fibre(-1e-3), **WINDOW
    ),
    "must lie in the muscle, 4.000 to 18.000 mm": lambda: single_fibre_potentials(
        cylinder_lead(), fibre(2e-3), **WINDOW
    ),
    "build it with a longer reach": lambda: single_fibre_potentials(
        planar_lead(), fibre(half_lengths=0.2), **WINDOW
    ),
    "unit must be integers of shape": lambda: motor_unit_potentials(planar_lead(), fibre(), [0.5], **WINDOW),
    "unit must lie in 0 … 1": lambda: motor_unit_potentials(planar_lead(), fibre(), [2], n_units=2, **WINDOW),
    "sampling_rate must be": lambda: single_fibre_potentials(
        planar_lead(), fibre(), sampling_rate=0, n_samples=9
    ),
    "n_samples must be an integer": lambda: single_fibre_potentials(
        planar_lead(), fibre(), sampling_rate=2048, n_samples=0
    ),
    "lead_field must come from": lambda: single_fibre_potentials(GRID, fibre(), **WINDOW),
    "or the potential jumps": lambda: ActionPotential([1e3], [[0.1, 0.0]]),
    "tissue must be one of": lambda: presets.planar("rubber"),
    "must be a grid": lambda: filters.single_differential(ElectrodeArray([[0.0, 0.0, 0.0]])),
    "at least one complete set of neighbours": lambda: filters.double_differential(GRID),
    "axis must be 'along' or 'across'": lambda: filters.single_differential(GRID, "up"),
    "span must be at most": lambda: ElectrodeArray.bracelet(1, 8, 1e-2, limb_radius=0.04, span=7.0),
    "direction must be three numbers": lambda: ElectrodeArray.line(4, 1e-3, direction=(0, 0, 0)),
    "circumference": lambda: ElectrodeArray.grid(1, 9, 10e-3).wrapped(10e-3),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_a_clear_message(message):
    with pytest.raises(ForwardModelError, match=message):
        REFUSED[message]()
