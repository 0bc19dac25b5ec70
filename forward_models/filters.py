"""Spatial filters: montages of an electrode array as matrices, filtered = matrix @ signal.

Each function returns ``(n_outputs, n_channels)`` float64. Differential montages follow the array's grid
(`ElectrodeArray.grid_index`; rows run along the fibres) and leave out every output that would need an
electrode the grid does not have, such as a missing corner.
"""

from __future__ import annotations

import numpy as np

from forward_models._checks import ForwardModelError
from forward_models.electrodes import ElectrodeArray

__all__ = [
    "common_average",
    "concentric_needle",
    "double_differential",
    "monopolar",
    "normal_double_differential",
    "single_differential",
]


def monopolar(electrodes: ElectrodeArray) -> np.ndarray:
    """Every electrode against a distant reference: the identity."""
    return np.eye(len(electrodes))


def common_average(electrodes: ElectrodeArray) -> np.ndarray:
    """Every electrode against the mean of all of them."""
    n = len(electrodes)
    return np.eye(n) - 1 / n


def single_differential(electrodes: ElectrodeArray, axis: str = "along") -> np.ndarray:
    """Each electrode's next neighbour minus itself.

    Parameters
    ----------
    electrodes : ElectrodeArray
        A grid.
    axis : {"along", "across"}
        Neighbours in the next row (along the fibres) or the next column.

    Raises
    ------
    ForwardModelError
        If the array is no grid, the axis is unknown, or no pair of neighbours exists.
    """
    return _stencil(electrodes, {(0, 0): -1.0, _step(axis): 1.0})


def double_differential(electrodes: ElectrodeArray, axis: str = "along") -> np.ndarray:
    """Second difference over three neighbours, 1, −2, 1; parameters as for `single_differential`."""
    row, column = _step(axis)
    return _stencil(electrodes, {(-row, -column): 1.0, (0, 0): -2.0, (row, column): 1.0})


def normal_double_differential(electrodes: ElectrodeArray) -> np.ndarray:
    """Four neighbours minus four times the centre, a Laplacian (sign: neighbours +)."""
    return _stencil(electrodes, {(0, 0): -4.0, (1, 0): 1.0, (-1, 0): 1.0, (0, 1): 1.0, (0, -1): 1.0})


def concentric_needle(electrodes: ElectrodeArray) -> np.ndarray:
    """Core minus cannula of `ElectrodeArray.needle`: channel 0 against the mean of the others."""
    n = len(electrodes)
    if n < 2:
        raise ForwardModelError(f"electrodes must hold a core and its cannula, at least 2 points; got {n}")
    return np.concatenate([[1.0], np.full(n - 1, -1 / (n - 1))])[None]


def _step(axis: str) -> tuple[int, int]:
    steps = {"along": (1, 0), "across": (0, 1)}
    if axis not in steps:
        raise ForwardModelError(f"axis must be 'along' or 'across', got {axis!r}")
    return steps[axis]


def _stencil(electrodes: ElectrodeArray, weights: dict[tuple[int, int], float]) -> np.ndarray:
    if electrodes.grid_index is None:
        raise ForwardModelError("electrodes must be a grid (grid_index given) for a differential montage")
    channel = {(int(r), int(c)): i for i, (r, c) in enumerate(electrodes.grid_index)}
    rows = []
    for row, column in channel:
        cells = {(row + r, column + c): w for (r, c), w in weights.items()}
        if all(cell in channel for cell in cells):
            output = np.zeros(len(electrodes))
            for cell, weight in cells.items():
                output[channel[cell]] = weight
            rows.append(output)
    if not rows:
        raise ForwardModelError(
            "electrodes must hold at least one complete set of neighbours; "
            f"its grid is {electrodes.grid_shape}"
        )
    return np.array(rows)
