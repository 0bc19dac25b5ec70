"""Layered cylinder: against a boundary-value problem, closed forms, and the half-space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import ive, ivp, kv, kve

from forward_models import (
    CurvedFibres,
    CylinderConductor,
    ElectrodeArray,
    Fibres,
    PlanarConductor,
    single_fibre_potentials,
)
from forward_models._bessel import i_ratios, k_ratios, log_i0, log_k0
from tests.oracles.cylinder_boundary_problem import skin_potential

pytestmark = pytest.mark.usefixtures("float64")

LAYERS = {"fat": 1e-3, "skin": 1e-3}
TISSUE = {"muscle_across": 0.1, "muscle_along": 0.5, "fat_conductivity": 0.05, "skin_conductivity": 1.0}
UNIFORM = dict.fromkeys(TISSUE, 0.3)
ONE_DEPTH = 1e-3


def on_top(radius):
    return ElectrodeArray([[0.0, radius, 0.0]])


def orders(lead, rho):
    """Contribution of every order at angle 0, (n_orders, n_k), a source at radius rho."""
    regular = np.asarray(lead._regular(jnp.array([rho**2])))[:, 0]
    n = np.arange(len(regular))[:, None]
    total = regular * (rho / float(lead.muscle_radius)) ** n
    return total if lead.bone_radius is None else total + np.asarray(lead._from_bone(jnp.array([rho])))[:, 0]


@pytest.mark.parametrize("x", [1e-2, 1.0, 30.0, 400.0])
def test_ratios_of_bessel_functions(x):
    # Up to order 128 and argument 400, where I and K themselves leave the range of numbers.
    n = np.arange(129)
    with np.errstate(all="ignore"):
        ratio_i, ratio_k = ive(n + 1, x) / (x * ive(n, x)), x * kve(n + 1, x) / kve(n, x)
    known = np.isfinite(ratio_i) & np.isfinite(ratio_k) & (ive(n + 1, x) > 1e-280)
    np.testing.assert_allclose(np.asarray(i_ratios(jnp.array(x**2), 129))[known], ratio_i[known], rtol=1e-10)
    np.testing.assert_allclose(np.asarray(k_ratios(jnp.array(x), 129))[known], ratio_k[known], rtol=1e-10)
    assert known[:20].all()  # `scipy` holds 1e-10 there
    np.testing.assert_allclose(log_i0(jnp.array(x**2)), np.log(ive(0, x)) + x, atol=1e-14, rtol=1e-12)
    np.testing.assert_allclose(log_k0(jnp.array(x)), np.log(kve(0, x)) - x, rtol=1e-12)


@pytest.mark.parametrize(
    ("radius", "bone", "skin_conductivity"),
    [(8.5e-3, None, 1.0), (8.5e-3, 2e-3, 4.88e-4), (60e-3, 15e-3, 1.0)],
)
def test_orders_solve_the_boundary_problem(radius, bone, skin_conductivity):
    tissue = {**TISSUE, "skin_conductivity": skin_conductivity}
    core = {} if bone is None else {"bone_radius": bone, "bone_conductivity": 0.02}
    muscle = radius - 2e-3
    conductor = CylinderConductor(muscle_radius=muscle, n_max=128, **LAYERS, **tissue, **core)
    lead = conductor.lead_field(on_top(radius))
    rho = muscle - ONE_DEPTH
    found = orders(lead, rho)
    for n, nodes in ((0, (2, 85)), (1, (30,)), (7, (2, 60)), (128, (30, 85))):
        for i in nodes:
            solved = skin_potential(
                n,
                float(lead.k[i]),
                rho,
                radii=(muscle, muscle + 1e-3, radius),
                sx=0.1,
                sz=0.5,
                sf=0.05,
                ss=skin_conductivity,
                bone=bone,
                sb=0.02,
            )
            # 1e-5 of the peak is asked for; each order alone is right to rounding.
            np.testing.assert_allclose(found[n, i], solved * (1 if n == 0 else 2) / (2 * np.pi), rtol=1e-10)


def test_uniform_cylinder_has_a_closed_form():
    # H = I_n(kR)/(σ k d I_n′(kd)): source at R, surface at d.
    conductor = CylinderConductor(muscle_radius=10e-3, n_max=40, **LAYERS, **UNIFORM)
    lead = conductor.lead_field(on_top(12e-3))
    found = orders(lead, 7e-3)
    k = np.asarray(lead.k)[20:60]
    for n in (0, 1, 5, 20):
        expected = ivp(n, k * 7e-3, 0) / (0.3 * k * 12e-3 * ivp(n, k * 12e-3))
        np.testing.assert_allclose(found[n, 20:60] * 2 * np.pi / (1 if n == 0 else 2), expected, rtol=1e-10)


def test_addition_theorem():
    # Σ_n I_n(kR) K_n(kρ) cos nθ = K₀(k · distance), with the ratios that the conductor is built of.
    k, inner, outer, angle = 400.0, 6e-3, 9e-3, 0.7
    n = np.arange(200)
    i = np.cumsum(np.log(np.append(1, np.asarray(i_ratios(jnp.array((k * inner) ** 2), 199)) * k * inner)))
    q = np.cumsum(np.log(np.append(1, np.asarray(k_ratios(jnp.array(k * outer), 199)) / (k * outer))))
    terms = np.exp(i + q + float(log_i0(jnp.array((k * inner) ** 2))) + float(log_k0(jnp.array(k * outer))))
    total = (terms * np.where(n == 0, 1, 2) * np.cos(n * angle)).sum()
    distance = np.sqrt(inner**2 + outer**2 - 2 * inner * outer * np.cos(angle))
    np.testing.assert_allclose(total, kv(0, k * distance), rtol=1e-12)


def test_a_wide_limb_is_flat():
    # B at 0.3 rad/mm, 5 mm under the muscle's surface: the excess over the half-space is curvature, 1/radius.
    where = 7e-3
    flat = PlanarConductor(**LAYERS, **TISSUE, k_max=1.5e3).lead_field(ElectrodeArray([[0.0, 0.0, 0.0]]))
    spectrum = np.asarray(flat.spectrum([[0.0, -where]]))[0, 0]
    radii = np.array([10e-3, 50e-3, 200e-3])
    excess = []
    for radius in radii:
        conductor = CylinderConductor(muscle_radius=radius - 2e-3, n_max=230, k_max=1.5e3, **LAYERS, **TISSUE)
        lead = conductor.lead_field(on_top(radius))
        node = int(np.abs(np.asarray(lead.k) - 300).argmin())
        excess.append(float(lead.spectrum([[0.0, radius - where]])[0, 0, node]) / spectrum[node] - 1)
    excess = np.array(excess)
    assert (np.diff(excess) < 0).all()
    assert 0.15 < excess[0] < 0.30
    assert 0 < excess[-1] < 12e-3
    scaled = excess * radii
    # The next order is depth over radius, 14 % at 50 mm.
    np.testing.assert_allclose(scaled[1:], scaled[-1], rtol=0.14)


def test_electrodes_anywhere_around_see_the_same_turned():
    conductor = CylinderConductor(muscle_radius=20e-3, n_max=48, **LAYERS, **TISSUE)
    bracelet = ElectrodeArray.bracelet(2, 7, 10e-3, limb_radius=22e-3)
    turn = 2 * np.pi / 7
    lead = conductor.lead_field(bracelet)
    c, s = np.cos(turn), np.sin(turn)
    here, there = lead.spectrum([[3e-3, 15e-3], [3e-3 * c + 15e-3 * s, 15e-3 * c - 3e-3 * s]])
    np.testing.assert_allclose(here[:6], there[1:], atol=1e-12 * float(here.max()))


@pytest.mark.parametrize("core", [{}, {"bone_radius": 4e-3, "bone_conductivity": 0.02}])
def test_curved_path_that_is_straight_and_single_precision(core):
    def seen(fibres):
        conductor = CylinderConductor(muscle_radius=12e-3, n_max=48, **LAYERS, **TISSUE, **core)
        lead = conductor.lead_field(ElectrodeArray.bracelet(2, 2, 10e-3, limb_radius=14e-3))
        return np.asarray(single_fibre_potentials(lead, fibres(), sampling_rate=2048.0, n_samples=50))

    def straight():
        return Fibres([[1e-3, 8e-3]], 2e-3, [40e-3, 30e-3])

    def polyline():
        path = np.zeros((1, 281, 3))
        path[0, :, 0], path[0, :, 1], path[0, :, 2] = 1e-3, 8e-3, np.linspace(-28e-3, 42e-3, 281)
        return CurvedFibres(path, 30e-3)

    expected = seen(straight)
    peak = np.abs(expected).max()
    # 2e-3: nodes 0.25 mm apart, at a distance of 6 mm.
    np.testing.assert_allclose(seen(polyline), expected, atol=2e-3 * peak)
    with jax.enable_x64(False):
        single = seen(straight)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=2e-4 * peak)
