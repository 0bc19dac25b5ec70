"""The amplifier: dead electrodes, montage, electrode offsets, and the converter's steps and limits."""

from __future__ import annotations

import numpy as np

from forward_models import ElectrodeArray, ForwardModelError, filters
from muemg.errors import InvalidArgumentError, check_count, check_positive

__all__ = ["montage", "quantise"]

_MONTAGES = {
    "common_average": filters.common_average,
    "single_differential": filters.single_differential,
    "single_differential_across": lambda array: filters.single_differential(array, "across"),
    "double_differential": filters.double_differential,
    "laplacian": filters.normal_double_differential,
}


def montage(name: str, electrodes: ElectrodeArray) -> tuple[np.ndarray | None, ElectrodeArray]:
    """Matrix of a montage, outputs = matrix @ electrodes, and where the outputs lie.

    Parameters
    ----------
    name : str
        ``"monopolar"`` (no matrix), ``"common_average"``, ``"single_differential"`` (along the fibres),
        ``"single_differential_across"``, ``"double_differential"`` or ``"laplacian"``.
    electrodes : ElectrodeArray
        The grid.

    Returns
    -------
    (matrix, electrodes) : ndarray of float32, shape (n_outputs, n_channels), or None; and ElectrodeArray
        A differential output lies at the middle of its electrodes, weighted by their size in it; on the
        grid it keeps row and column of the electrode it is named after.

    Raises
    ------
    InvalidArgumentError
        If the array has no such neighbours.
    """
    if name == "monopolar":
        return None, electrodes
    try:
        matrix = _MONTAGES[name](electrodes)
    except ForwardModelError as error:
        raise InvalidArgumentError(f"amplifier.montage {name!r} cannot be had: {error}") from error
    if name == "common_average":
        return matrix.astype(np.float32), electrodes
    share = np.abs(matrix) / np.abs(matrix).sum(axis=1, keepdims=True)
    index = electrodes.grid_index
    # The electrode with the most negative weight is the one that neighbours are compared with.
    cells = None if index is None else index[matrix.argmin(axis=1)]
    if cells is not None:
        cells = cells - cells.min(axis=0)
    label = f"{electrodes.name}, {name.replace('_', ' ')}".lstrip(", ")
    return matrix.astype(np.float32), ElectrodeArray(
        share @ electrodes.positions, electrodes.radius, label, cells
    )


def quantise(signal: np.ndarray, *, bits: int, full_scale: float) -> float:
    """Round a signal to the converter's steps and cut it off at its limits, in place.

    Parameters
    ----------
    signal : ndarray of float32, shape (n_channels, n_samples)
        In volts; changed.
    bits : int
        Of the converter: 2^bits steps from −full_scale to just below +full_scale; 0 does not round.
    full_scale : float
        Largest voltage of either sign; 0 is no limit.

    Returns
    -------
    float
        One step in volts, 0 without rounding.

    Raises
    ------
    InvalidArgumentError
        If `bits` is above 24 (float32 holds no more) or rounds without a full scale.
    """
    depth = check_count("bits", bits, minimum=0)
    limit = check_positive("full_scale", full_scale, "V", allow_zero=True)
    if depth > 24 or (depth and not limit):
        raise InvalidArgumentError(
            f"bits must be ≤ 24 and need a full_scale > 0, got {bits} and {full_scale:g} V"
        )
    step = limit / 2 ** (depth - 1) if depth else 0.0
    for row in signal:
        if depth:
            row[:] = np.clip(np.rint(row / step), -(2 ** (depth - 1)), 2 ** (depth - 1) - 1) * step
        elif limit:
            np.clip(row, -limit, limit, out=row)
    return step
