"""Derivatives: against central differences for every parameter, and finite where geometry has a corner."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forward_models import (
    CylinderConductor,
    ElectrodeArray,
    Fibres,
    PlacedElectrodes,
    PlanarConductor,
    UnboundedConductor,
    motor_unit_potentials,
    rosenfalck,
)

pytestmark = pytest.mark.usefixtures("float64")

WINDOW = {"sampling_rate": 2048.0, "n_samples": 70}
FIBRE = {
    "x": 2e-3,
    "end_plate": 3e-3,
    "right": 60e-3,
    "left": 52e-3,
    "velocity": 4.1,
    "diameter": 50e-6,
    "delay": 1e-3,
    "decay_length": 1e-3,
}
LAYERS = {
    "fat": 2e-3,
    "skin": 1e-3,
    "muscle_across": 0.1,
    "muscle_along": 0.5,
    "fat_conductivity": 0.05,
    "skin_conductivity": 1.0,
}
# 1e-5 is asked for. Steps of 1e-4 of each value leave an error of second order about 1e-8, except in the
# lengths: the spike starts with a third power, so that the second derivative of a potential jumps as a wave
# dies.
TOLERANCE = 1e-5


def fibre(p):
    return Fibres(
        jnp.stack([p["x"], p["y"]])[None],
        p["end_plate"],
        jnp.stack([p["right"], p["left"]]),
        p["velocity"],
        p["diameter"],
        p["delay"],
    )


def seen(lead, p):
    source = rosenfalck(decay_length=p["decay_length"])
    return motor_unit_potentials(lead, fibre(p), np.zeros(1, int), action_potential=source, **WINDOW)


def planar(p):
    placed = PlacedElectrodes.of(ElectrodeArray.grid(4, 2, 8e-3, radius=1e-3))
    placed = placed.shift(jnp.stack([p["shift_x"], 0 * p["shift_x"], p["shift_z"]])).rotate(p["rotation"])
    return seen(PlanarConductor(**{name: p[name] for name in LAYERS}).lead_field(placed), p)


def cylinder(p):
    names = [*LAYERS, "muscle_radius", "bone_radius", "bone_conductivity"]
    placed = PlacedElectrodes.of(ElectrodeArray.bracelet(2, 5, 8e-3, limb_radius=18e-3, radius=1e-3))
    placed = placed.turn_around_limb(p["turn"])
    # All the array as tracers: where the electrodes sit by radius is for the caller to keep.
    conductor = CylinderConductor(**{name: p[name] for name in names if name in p}, n_max=20, k_max=1.5e3)
    return seen(conductor.lead_field(placed), p)


def unbounded(p):
    placed = PlacedElectrodes.of(ElectrodeArray.line(4, 5e-3, start=(6e-3, 2e-3, -5e-3)))
    conductor = UnboundedConductor(muscle_across=p["muscle_across"], muscle_along=p["muscle_along"])
    return seen(
        conductor.lead_field(placed.shift(jnp.stack([p["shift_x"], 0 * p["shift_x"], p["shift_z"]]))), p
    )


MOVED = {"shift_x": 1e-3, "shift_z": 2e-3}
CASES = {
    "planar": (planar, {**FIBRE, **LAYERS, **MOVED, "y": -8e-3, "rotation": 0.1}),
    "cylinder": (cylinder, {**FIBRE, **LAYERS, "y": 9e-3, "muscle_radius": 15e-3, "turn": 0.1}),
    "cylinder with bone": (
        cylinder,
        {
            **FIBRE,
            **LAYERS,
            "y": 9e-3,
            "muscle_radius": 15e-3,
            "turn": 0.1,
            "bone_radius": 4e-3,
            "bone_conductivity": 0.02,
        },
    ),
    "unbounded": (unbounded, {**FIBRE, **MOVED, "y": 1e-3, "muscle_across": 0.06, "muscle_along": 0.33}),
}


@functools.cache
def value_and_gradient(case, double=True):
    """Of a weighted sum of all potentials, by all parameters in the order of the case; compiled once.

    Each precision has its own: what JAX has seen of `weights` in one it does not look at again in the other.
    """
    model, values = CASES[case]
    weights = np.random.default_rng(0).normal(size=(1, 1, WINDOW["n_samples"]))

    def loss(vector):
        potentials = model(dict(zip(values, vector)))
        ramp = 1 + jnp.arange(potentials.shape[1])[None, :, None]
        return jnp.sum(potentials * weights * ramp) * 1e6

    return jax.jit(jax.value_and_grad(loss))


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_the_central_difference(case):
    evaluate, values = value_and_gradient(case), CASES[case][1]
    point = jnp.array(list(values.values()))
    gradient = np.asarray(evaluate(point)[1])
    for i, name in enumerate(values):
        step = 1e-4 * abs(float(point[i])) if name not in ("delay", "rotation", "turn") else 1e-6
        above, below = (float(evaluate(point.at[i].add(sign * step))[0]) for sign in (1, -1))
        difference = (above - below) / (2 * step)
        assert abs(gradient[i] - difference) <= TOLERANCE * abs(difference), name


CORNERS = {
    "fibre touching the fat": ("planar", {"y": -3e-3}),
    "no fat": ("planar", {"fat": 0.0, "y": -4e-3}),
    "no fat, no skin, fibre on the surface": ("planar", {"fat": 0.0, "skin": 0.0, "y": 0.0}),
    "equal conductivities": (
        "planar",
        {"muscle_across": 0.3, "muscle_along": 0.3, "fat_conductivity": 0.3, "skin_conductivity": 0.3},
    ),
    "equal conductivities in a limb": (
        "cylinder",
        {"muscle_across": 0.3, "muscle_along": 0.3, "fat_conductivity": 0.3, "skin_conductivity": 0.3},
    ),
    "fibre on the axis": ("cylinder", {"x": 0.0, "y": 0.0}),
    "fibre touching the fat of a limb": ("cylinder", {"x": 0.0, "y": 15e-3}),
    "no fat around a limb": ("cylinder", {"fat": 0.0}),
}


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("corner", CORNERS)
def test_derivatives_are_finite_at_corners(corner, double):
    case, changes = CORNERS[corner]
    values = {**CASES[case][1], **changes}
    with jax.enable_x64(double):
        value, gradient = value_and_gradient(case, double)(jnp.array(list(values.values())))
    assert np.isfinite(value)
    assert value != 0
    for name, slope in zip(values, gradient):
        assert np.isfinite(slope), name


def test_gradient_on_the_axis_points_to_the_electrode():
    # By symmetry the potential under one electrode grows along its radius only.
    lead = CylinderConductor(**LAYERS, muscle_radius=15e-3, n_max=4).lead_field(
        ElectrodeArray([[0.0, 18e-3, 0.0]])
    )
    slope = jax.jit(jax.grad(lambda xy: jnp.sum(lead.spectrum(xy[None])[:, :, 20:60])))(jnp.zeros(2))
    assert slope[1] > 0
    assert abs(slope[0]) < 1e-12 * slope[1]


def test_vmap_over_conductors_and_units():
    def peak(fat, y):
        conductor = PlanarConductor(**{**LAYERS, "fat": fat})
        lead = conductor.lead_field(ElectrodeArray.grid(2, 1, 8e-3))
        fibres = Fibres(jnp.stack([jnp.zeros_like(y), y])[None], 0.0, 60e-3)
        return jnp.max(jnp.abs(motor_unit_potentials(lead, fibres, np.zeros(1, int), **WINDOW)))

    fat, y = jnp.array([1e-3, 3e-3]), jnp.array([-6e-3, -9e-3])
    together = jax.jit(jax.vmap(peak))(fat, y)
    np.testing.assert_allclose(together, [peak(f, d) for f, d in zip(fat, y)], rtol=1e-10)
