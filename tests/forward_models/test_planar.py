"""Layered half-space: the closed form against its boundary-value problem, the quadrature against K₀."""

import jax
import numpy as np
import pytest
from scipy.special import j1

from forward_models import ElectrodeArray, PlacedElectrodes, PlanarConductor
from forward_models._bessel import disc_average
from forward_models.conductors import planar
from forward_models.conductors.planar import surface_transfer
from tests.oracles.layered_half_space import homogeneous_spectrum, transfer

pytestmark = pytest.mark.usefixtures("float64")

LAYERS = {"fat": 1e-3, "skin": 1e-3}
TISSUE = {"muscle_across": 0.1, "muscle_along": 0.5, "fat_conductivity": 0.05, "skin_conductivity": 1.0}
ONE_ELECTRODE = ElectrodeArray([[0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("fat", "skin", "skin_conductivity"), [(1e-3, 1e-3, 1.0), (8e-3, 2e-3, 5e-4), (0, 0, 1.0)]
)
def test_closed_form_solves_the_boundary_problem(fat, skin, skin_conductivity):
    # 1e-10: rounding of a 4 × 4 system whose columns are scaled.
    for kx in (0.0, 20.0, 700.0, 3000.0):
        for kz in (1.0, 300.0, 2000.0):
            closed = surface_transfer(
                kx, kz, 4e-3, fat=fat, skin=skin, **{**TISSUE, "skin_conductivity": skin_conductivity}
            )
            solved = transfer(kx, kz, 4e-3, fat=fat, skin=skin, sx=0.1, sz=0.5, sf=0.05, ss=skin_conductivity)
            np.testing.assert_allclose(float(closed), solved, rtol=1e-10)


def test_equal_layers_are_a_homogeneous_half_space():
    k = np.array([1.0, 100.0, 1000.0])
    conductivity = dict.fromkeys(TISSUE, 0.3)
    closed = surface_transfer(k, 2 * k, 5e-3, **LAYERS, **conductivity)
    total = k * np.sqrt(5)
    np.testing.assert_allclose(closed, np.exp(-total * 7e-3) / (0.3 * total), rtol=1e-12)


def test_spectrum_without_cover_is_twice_the_unbounded_one():
    # No fat, no skin: the insulated surface is a mirror, and the integral across the fibres is K₀.
    conductor = PlanarConductor(fat=0, skin=0, **TISSUE)
    lead = conductor.lead_field(ONE_ELECTRODE)
    for x, depth in ((0.0, 5e-3), (10e-3, 4e-3), (30e-3, 8e-3)):
        expected = homogeneous_spectrum(np.asarray(lead.k), x, depth, sx=0.1, sz=0.5)
        found = np.asarray(lead.spectrum([[x, -depth]]))[0, 0]
        # Relative to the largest: where B has decayed by e^−10 the quadrature's absolute error is left.
        # Below 10 rad/m a potential weighs B by k², so that a per cent there is nothing.
        assert np.abs(found - expected)[lead.k > 10].max() < 2e-4 * expected.max()


def test_twice_the_nodes_across_change_nothing(monkeypatch):
    where = [[0.0, -3e-3], [12e-3, -6e-3], [30e-3, -10e-3]]
    conductor = PlanarConductor(**LAYERS, **TISSUE)
    coarse = np.asarray(conductor.lead_field(ONE_ELECTRODE).spectrum(where))
    monkeypatch.setattr(planar, "_across", _twice_as_fine)
    jax.clear_caches()
    fine = np.asarray(conductor.lead_field(ONE_ELECTRODE).spectrum(where))
    jax.clear_caches()
    assert (coarse != fine).any()
    # Below 10 rad/m B itself is less certain, and k² makes that invisible in a potential.
    seen = np.square(np.asarray(conductor.lead_field(ONE_ELECTRODE).k) / 10).clip(max=1)
    assert (np.abs(coarse - fine) * seen).max() < 1e-3 * np.abs(fine).max(axis=-1).min()


def _twice_as_fine(k_max):
    """Four times the nodes, up to twice the wave number, crowding twice as close to 0."""
    step = np.arcsinh(2 * k_max / 50) / 300
    u = (np.arange(300) + 0.5) * step
    return 50 * np.sinh(u), 50 * np.cosh(u) * step


def test_disc_averages_by_bessel():
    q = np.linspace(1e-6, 30, 200)
    np.testing.assert_allclose(disc_average(q), 2 * j1(q) / q, atol=1e-13)


def test_disc_is_the_mean_of_the_points_it_covers():
    conductor = PlanarConductor(**LAYERS, **TISSUE)
    disc = conductor.lead_field(ElectrodeArray([[0.0, 0.0, 0.0]], radius=3e-3))
    rings = np.sqrt((np.arange(6) + 0.5) / 6) * 3e-3
    angles = (np.arange(12) + 0.5) * np.pi / 6
    covered = [(r * np.sin(a), 0.0, r * np.cos(a)) for r in rings for a in angles]
    points = conductor.lead_field(ElectrodeArray(covered))
    where = [[1e-3, -4e-3, z] for z in (0.0, 3e-3, 9e-3)]
    slope = [np.diff(np.asarray(lead.at(where)), axis=1) for lead in (disc, points)]
    # 72 points sample the disc to about 1e-3.
    np.testing.assert_allclose(slope[0][0], slope[1].mean(axis=0), rtol=3e-3)


def test_turned_grid_is_the_same_grid_placed_turned():
    conductor = PlanarConductor(**LAYERS, **TISSUE)
    plain = ElectrodeArray.grid(4, 3, 8e-3)
    placed = PlacedElectrodes.of(plain).rotate(0.3).shift([2e-3, 0.0, -1e-3])
    ready_made = ElectrodeArray.grid(4, 3, 8e-3, rotation=0.3, center=(2e-3, -1e-3))
    np.testing.assert_allclose(placed.positions, ready_made.positions, atol=1e-15)
    where = [[1e-3, -5e-3, 4e-3]]
    np.testing.assert_allclose(
        conductor.lead_field(placed).at(where), conductor.lead_field(ready_made).at(where), rtol=1e-9
    )
