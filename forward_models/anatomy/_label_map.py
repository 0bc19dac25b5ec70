"""What a label map, of pixels or voxels, must be: integers that a legend names, in one piece, with a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from forward_models._checks import ForwardModelError, positive

__all__ = ["check_label_map"]

_SHAPES = {2: ("(n_x, n_y)", "pixels"), 3: ("(n_x, n_y, n_z)", "voxels")}


def check_label_map(
    labels: np.ndarray, spacing: Sequence[float] | np.ndarray, legend: Mapping[int, object], background: int
) -> None:
    """Raise `ForwardModelError` unless `labels` is an integer map with as many axes as `spacing` has numbers.

    Parameters
    ----------
    labels : ndarray
        Label of every cell.
    spacing : sequence of float
        Edges of a cell in metres; two or three of them.
    legend : mapping of int
        Labels that have a name.
    background : int
        Label of the air.

    Raises
    ------
    ForwardModelError
        If shape or type do not fit, an edge is not positive, the legend lacks a label, or the tissue is not
        one connected piece.
    """
    shape, cells = _SHAPES[len(spacing)]
    if labels.ndim != len(spacing) or not np.issubdtype(labels.dtype, np.integer):
        raise ForwardModelError(
            f"label_map must be integers of shape {shape}, got {labels.dtype} {labels.shape}"
        )
    for value in spacing:
        positive("spacing", value, "m")
    unknown = [int(v) for v in np.unique(labels) if v != background and int(v) not in legend]
    if unknown:
        raise ForwardModelError(
            f"label_map holds labels {unknown} that the legend does not name: {sorted(legend)}"
        )
    pieces, n_pieces = ndimage.label(labels != background)
    if n_pieces != 1:
        sizes = sorted(map(int, np.bincount(pieces.ravel())[1:]), reverse=True)
        raise ForwardModelError(
            f"label_map must hold one connected piece of tissue, got {n_pieces} (of {sizes[:6]} {cells}): "
            "keep the largest, or fill the gaps"
        )
