"""Electrode arrays and spatial filters: where electrodes come to lie, and what montages cancel."""

import numpy as np
import pytest

from forward_models import ElectrodeArray, filters


def test_line_bracelet_and_wrapped_grid_lie_where_they_should():
    film = ElectrodeArray.line(40, 0.5e-3, start=(0.0, -5e-3, 0.0), direction=(0.0, -1.0, 1.0))
    steps = np.linalg.norm(np.diff(film.positions, axis=0), axis=1)
    np.testing.assert_allclose(steps, 0.5e-3)
    ring = ElectrodeArray.bracelet(2, 8, 10e-3, limb_radius=40e-3)
    np.testing.assert_allclose(np.hypot(*ring.positions[:, :2].T), 40e-3)
    np.testing.assert_allclose(
        ring.positions[2, :2], [40e-3, 0.0], atol=1e-15
    )  # a quarter turn from +y is +x
    half = ElectrodeArray.bracelet(1, 3, 10e-3, limb_radius=40e-3, span=np.pi)
    np.testing.assert_allclose(half.positions[:, 0], [0.0, 40e-3, 0.0], atol=1e-15)
    wrapped = ElectrodeArray.grid(3, 5, 8e-3).wrapped(40e-3)
    neighbours = np.linalg.norm(wrapped.positions[1] - wrapped.positions[0])
    np.testing.assert_allclose(neighbours, 2 * 40e-3 * np.sin(8e-3 / 40e-3 / 2))
    assert wrapped.grid_shape == (3, 5)


def test_filters_cancel_what_they_must():
    grid = ElectrodeArray.from_code("GR08MM1305")
    row, column = grid.grid_index.T.astype(float)
    flat, slope, saddle = np.ones(64), 3 * row - 2 * column, row**2 - column**2
    for axis, step in (("along", 3.0), ("across", -2.0)):
        single = filters.single_differential(grid, axis)
        np.testing.assert_allclose(single @ flat, 0, atol=1e-12)
        np.testing.assert_allclose(single @ slope, step)
        np.testing.assert_allclose(filters.double_differential(grid, axis) @ slope, 0, atol=1e-12)
    assert filters.single_differential(grid).shape == (
        59,
        64,
    )  # 12 pairs in 5 columns, less the missing corner's
    assert filters.normal_double_differential(grid).shape == (
        33,
        64,
    )  # 11 × 3 inner electrodes, no corner among them
    np.testing.assert_allclose(filters.normal_double_differential(grid) @ saddle, 0, atol=1e-12)
    np.testing.assert_allclose(filters.common_average(grid).sum(axis=1), 0, atol=1e-12)
    np.testing.assert_array_equal(filters.monopolar(grid), np.eye(64))


def test_concentric_needle_is_core_minus_cannula():
    needle = ElectrodeArray.needle((1e-3, -10e-3, 0.0), n_cannula=4, cannula_length=8e-3)
    np.testing.assert_allclose(needle.positions[0], [1e-3, -10e-3, 0.0])
    np.testing.assert_allclose(needle.positions[-1], [1e-3, -2e-3, 0.0])
    assert filters.concentric_needle(needle) @ [1.0, 4.0, 4.0, 2.0, 2.0] == pytest.approx(-2.0)
