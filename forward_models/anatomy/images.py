"""Slices from images: a label per pixel becomes smooth curves between tissues.

Curves run along pixel edges first; each stretch between two junctions is then smoothed without shrinking
(Taubin 1995), so that neighbours keep one common boundary and no staircase is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from forward_models._checks import ForwardModelError
from forward_models.anatomy._label_map import check_label_map
from forward_models.anatomy._labelled_slice import LabelledSlice
from forward_models.conductors._triangulation import chains

__all__ = ["slice_from_label_map", "slice_from_nifti"]


def slice_from_label_map(
    label_map: npt.ArrayLike,
    spacing: float | tuple[float, float],
    legend: Mapping[int, tuple[str, str]],
    *,
    background: int = 0,
    n_smoothings: int = 20,
    description: str = "",
) -> LabelledSlice:
    """A slice from an image of labels.

    Parameters
    ----------
    label_map : array_like of int, shape (n_x, n_y)
        Label of every pixel; the first axis is x (across), the second y (out of the tissue).
    spacing : float or (float, float)
        Pixel size in metres along x and y.
    legend : mapping of int to (str, str)
        Name and tissue of every label in the map.
    background : int
        Label of the air around the limb.
    n_smoothings : int
        Steps by which the pixel staircase is smoothed; 0 keeps it.
    description : str
        Where the image comes from.

    Returns
    -------
    LabelledSlice
        With the middle of the image at x = y = 0.

    Raises
    ------
    ForwardModelError
        If a label is not in the legend, the tissue is not one connected piece, or shapes or types do not fit.
    """
    image = np.asarray(label_map)
    pixel = np.array(spacing if isinstance(spacing, tuple) else (spacing, spacing), dtype=float)
    check_label_map(image, pixel, legend, background)
    values = [int(v) for v in np.unique(image) if v != background]
    names = tuple(dict.fromkeys(legend[v][0] for v in values))
    tissue_of: dict[str, str] = {}
    for value in values:
        name, tissue = legend[value]
        if tissue_of.setdefault(name, tissue) != tissue:
            raise ForwardModelError(f"legend gives {name!r} two tissues")
    code = np.full(image.shape, -1)
    for value in values:
        code[image == value] = names.index(legend[value][0])
    code = np.pad(code, 1, constant_values=-1)
    origin = -pixel * np.array(image.shape) / 2 - pixel

    points, segments, air = _pixel_edges(code)
    points = _smooth(points.astype(float), segments, n_smoothings) * pixel + origin

    def label_at(where: np.ndarray) -> np.ndarray:
        cell = np.floor((where - origin) / pixel).astype(int)
        known = ((cell >= 0) & (cell < code.shape)).all(axis=1)
        out = np.full(len(where), -1)
        out[known] = code[tuple(cell[known].T)]
        return out

    tissues = tuple(tissue_of[name] for name in names)
    return LabelledSlice(names, tissues, points, segments, air, label_at, description or "label map")


def slice_from_nifti(
    path: str | Path,
    slice_index: int,
    legend: Mapping[int, tuple[str, str]],
    *,
    axis: int = 2,
    background: int = 0,
    n_smoothings: int = 20,
) -> LabelledSlice:
    """A slice of a label volume in a NIfTI file (needs ``nibabel``: ``pip install muemg[mri]``).

    The volume is first turned to its closest axes right–anterior–superior; of the two axes left after the
    cut, the first becomes x and the second y.

    Parameters
    ----------
    path : str or Path
        NIfTI file with an integer label per voxel.
    slice_index : int
        Which slice to take.
    legend : mapping of int to (str, str)
        Name and tissue of every label in the slice.
    axis : int
        Axis along the limb: 0, 1 or 2.
    background, n_smoothings
        As for `slice_from_label_map`.

    Raises
    ------
    ForwardModelError
        If nibabel is missing, the file holds no 3-D integer labels, or the slice lies outside it; and as
        `slice_from_label_map`.
    """
    try:
        import nibabel
    except ImportError:
        raise ForwardModelError("slice_from_nifti needs nibabel: pip install 'muemg[mri]'") from None
    if axis not in (0, 1, 2):
        raise ForwardModelError(f"axis must be 0, 1 or 2, got {axis!r}")
    volume = nibabel.as_closest_canonical(nibabel.load(Path(path)))
    if len(volume.shape) != 3:
        raise ForwardModelError(
            f"path must hold a 3-D label volume, {Path(path).name} has shape {volume.shape}"
        )
    if not 0 <= slice_index < volume.shape[axis]:
        raise ForwardModelError(f"slice_index must be in 0 … {volume.shape[axis] - 1}, got {slice_index}")
    cut = np.asarray(np.take(volume.dataobj, slice_index, axis=axis))
    labels = np.rint(cut).astype(np.int64)
    if not np.array_equal(labels, cut):
        raise ForwardModelError(f"path must hold integer labels, {Path(path).name} holds fractions")
    unit = {"mm": 1e-3, "micron": 1e-6, "meter": 1.0}.get(volume.header.get_xyzt_units()[0], 1e-3)
    size = [float(s) * unit for i, s in enumerate(volume.header.get_zooms()[:3]) if i != axis]
    return slice_from_label_map(
        labels,
        (size[0], size[1]),
        legend,
        background=background,
        n_smoothings=n_smoothings,
        description=f"{Path(path).name}, slice {slice_index} along axis {axis}",
    )


def _pixel_edges(code: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges between pixels of different labels: corners, segments between them, whether one side is air."""
    n_y = code.shape[1]
    i, j = np.nonzero(code[1:] != code[:-1])
    upright = np.stack([np.column_stack([i + 1, j]), np.column_stack([i + 1, j + 1])], axis=1)
    air = np.minimum(code[1:], code[:-1])[i, j] < 0
    i, j = np.nonzero(code[:, 1:] != code[:, :-1])
    level = np.stack([np.column_stack([i, j + 1]), np.column_stack([i + 1, j + 1])], axis=1)
    air = np.concatenate([air, np.minimum(code[:, 1:], code[:, :-1])[i, j] < 0])
    ends = np.concatenate([upright, level])
    key = ends[..., 0] * (n_y + 1) + ends[..., 1]
    corners, segments = np.unique(key, return_inverse=True)
    return np.column_stack(np.divmod(corners, n_y + 1)), segments.reshape(-1, 2), air


def _smooth(points: np.ndarray, segments: np.ndarray, n_steps: int) -> np.ndarray:
    out = points.copy()
    for path in chains(len(points), segments):
        closed = path[0] == path[-1]
        line = points[path[:-1] if closed else path]
        if len(line) < 4:
            continue
        for _ in range(n_steps):
            for factor in (0.5, -0.52):
                if closed:
                    pull = (np.roll(line, 1, axis=0) + np.roll(line, -1, axis=0)) / 2 - line
                else:
                    pull = np.zeros_like(line)
                    pull[1:-1] = (line[:-2] + line[2:]) / 2 - line[1:-1]
                line = line + factor * pull
        out[path[:-1] if closed else path] = line
    return out
