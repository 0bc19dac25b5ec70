"""The quadrature against all fibres one by one, its derivatives against differences, the skin's coordinates."""

import numpy as np
import pytest

import forward_models as fm
from forward_models import presets
from forward_models.units import mm
from muemg.errors import InvalidArgumentError
from muemg.inversion.parameters import PARAMETERS
from muemg.inversion.skin import Skin


def cosines(a, b):
    a, b = a.reshape(len(a), -1).astype(float), b.reshape(len(b), -1).astype(float)
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_eight_fibres_stand_for_a_territory_of_many(true_units, at_truth):
    # 0.985: what 150 fibres drawn at random may differ from the integral over their spreads.
    assert cosines(at_truth.muaps, true_units.muaps).min() > 0.985


def test_derivatives_are_those_of_the_potentials(model, at_truth):
    latency = np.zeros(3)
    _, jacobian = model.derivatives(at_truth.unbounded, latency)
    assert jacobian.shape == (len(PARAMETERS) + 1, 3, 32, 96)
    step = 0.012
    for i in range(len(PARAMETERS) + 1):
        u, t = np.zeros_like(at_truth.unbounded), np.zeros(3)
        if i < len(PARAMETERS):
            u[:, i] = step
        else:
            t[:] = step / model.sampling_rate
        up = model.muaps(at_truth.unbounded + u, latency + t).astype(float)
        down = model.muaps(at_truth.unbounded - u, latency - t).astype(float)
        # 2 %: single precision and the second order of a difference over ±0.012.
        assert np.abs((up - down) / (2 * step) - jacobian[i]).max() < 0.02 * np.abs(jacobian[i]).max()


def test_ranges_hold_the_electrodes_and_keep_parameters_inside(model, electrodes):
    x, z = electrodes.positions[:, 0], electrodes.positions[:, 2]
    low, high = model.ranges.low, model.ranges.high
    assert low[0] < x.min()
    assert high[0] > x.max()
    assert low[2] < z.min()
    assert high[2] > z.max()
    far = np.asarray(model.ranges.physical(np.full(len(low), -50.0)))
    # Single precision of numbers up to 0.1.
    assert np.all(far >= low - 1e-7)


def test_on_the_cylinder_depth_is_counted_from_its_surface_and_lateral_along_it():
    conductor = presets.cylinder(radius=50 * mm, fat=3 * mm, skin=1 * mm)
    array = fm.ElectrodeArray.grid(4, 5, 8 * mm).wrapped(50 * mm)
    skin = Skin.of(conductor, array)
    assert np.allclose(np.unique(np.round(skin.lateral, 6)), np.array([-16, -8, 0, 8, 16]) * mm)
    xy = np.asarray(skin.transverse(np.array([0.0, 25e-3 * np.pi]), np.array([10 * mm, 20 * mm])))
    # Single precision of 0.05 m.
    assert np.allclose(xy, [[0, 40 * mm], [30 * mm, 0]], atol=1e-7)


def test_an_outline_of_any_shape_gives_the_circle_back():
    array = fm.ElectrodeArray.grid(2, 9, 4 * mm).wrapped(50 * mm)
    circle = Skin.of(presets.cylinder(radius=50 * mm), array)
    polygon = Skin.of(_Unknown(), array)
    lateral, depth = np.array([-9 * mm, 0.0, 5 * mm]), np.array([6 * mm, 10 * mm, 14 * mm])
    # 0.3 mm: chords of 4 mm instead of arcs.
    gap = np.asarray(circle.transverse(lateral, depth)) - np.asarray(polygon.transverse(lateral, depth))
    assert np.abs(gap).max() < 0.3 * mm


def test_an_outline_needs_three_places_across_the_fibres():
    with pytest.raises(InvalidArgumentError, match="three different places"):
        Skin.of(_Unknown(), fm.ElectrodeArray.grid(8, 2, 8 * mm))


class _Unknown(fm.VolumeConductor):
    def lead_field(self, electrodes):
        raise NotImplementedError
