"""A labelled slice: the plane across a limb, divided into muscles, bones, fat and skin by closed curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from forward_models._checks import ForwardModelError, positive
from forward_models.conductors._triangulation import chains, node_segments
from forward_models.electrodes import ElectrodeArray

__all__ = ["LabelledSlice", "Region", "inside_polygon"]


@dataclass(frozen=True, eq=False)
class Region:
    """One painted area of a slice.

    Parameters
    ----------
    name : str
        What it is, for example ``"flexor carpi radialis"``.
    tissue : str
        What it is made of, for example ``"muscle"``: regions of one tissue share a conductivity.
    polygon : array_like, shape (n_vertices, 2)
        Closed curve (x, y) in metres, without repeating the first vertex; either sense of rotation.

    Raises
    ------
    ForwardModelError
        If the polygon has fewer than three vertices, a non-finite one, or no area.
    """

    name: str
    tissue: str
    polygon: np.ndarray

    def __post_init__(self) -> None:
        polygon = np.array(self.polygon, dtype=np.float64)
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise ForwardModelError(
                f"polygon of {self.name!r} must have shape (n_vertices ≥ 3, 2), got {polygon.shape}"
            )
        if not np.isfinite(polygon).all():
            raise ForwardModelError(f"polygon of {self.name!r} must be finite, in metres")
        if np.allclose(polygon[0], polygon[-1]):
            polygon = polygon[:-1]
        if abs(_signed_area(polygon)) < 1e-10:
            raise ForwardModelError(f"polygon of {self.name!r} encloses no area (metres expected)")
        polygon.flags.writeable = False
        object.__setattr__(self, "polygon", polygon)


@dataclass(frozen=True, eq=False)
class LabelledSlice:
    """The plane across a limb as a division into labelled faces.

    Build it from polygons (`from_polygons`), from an image (`forward_models.anatomy.slice_from_label_map`,
    `slice_from_nifti`), or take a parametric limb (`forearm`, `lower_leg`, `thigh`).

    Parameters
    ----------
    names : tuple of str
        Name of label 0, 1, …
    tissues : tuple of str
        Tissue of each label.
    points : ndarray, shape (n_points, 2)
        Vertices (x, y) in metres of the curves between labels.
    segments : ndarray of int, shape (n_segments, 2)
        Edges of these curves; they meet at vertices only.
    on_outline : ndarray of bool, shape (n_segments,)
        Whether an edge borders the air.
    label_at : callable
        Label at points of shape (n, 2); −1 outside the limb.
    description : str
        Where the shape comes from.
    """

    names: tuple[str, ...]
    tissues: tuple[str, ...]
    points: np.ndarray = field(repr=False)
    segments: np.ndarray = field(repr=False)
    on_outline: np.ndarray = field(repr=False)
    label_at: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    description: str = ""

    @classmethod
    def from_polygons(cls, regions: Sequence[Region], description: str = "") -> LabelledSlice:
        """Paint regions one over the other: a later region covers what lies under it.

        Parameters
        ----------
        regions : sequence of Region
            From the skin inwards; the first must contain all others. Two regions with the same name are one
            label.
        description : str
            Where the shape comes from.

        Raises
        ------
        ForwardModelError
            If there is no region, one name has two tissues, a region reaches outside the first one, or a
            region is covered completely.
        """
        if not regions:
            raise ForwardModelError("regions must hold at least one Region")
        tissue_of: dict[str, str] = {}
        for region in regions:
            if tissue_of.setdefault(region.name, region.tissue) != region.tissue:
                raise ForwardModelError(f"region {region.name!r} is given two tissues")
        names = tuple(tissue_of)
        codes = [names.index(region.name) for region in regions]
        outline = regions[0].polygon
        for region in regions[1:]:
            outside = ~inside_polygon(region.polygon, outline)
            if outside.any() and _distance_to_polygon(region.polygon[outside], outline).max() > 1e-7:
                raise ForwardModelError(
                    f"region {region.name!r} reaches outside {regions[0].name!r}: "
                    "tissue must be one connected piece"
                )

        def label_at(points: np.ndarray) -> np.ndarray:
            out = np.full(len(points), -1)
            for code, region in zip(codes, regions, strict=True):
                out[inside_polygon(points, region.polygon)] = code
            return out

        points, segments = [], []
        count = 0
        for region in regions:
            index = np.arange(len(region.polygon))
            points.append(region.polygon)
            segments.append(np.column_stack([index, np.roll(index, -1)]) + count)
            count += len(index)
        nodes, edges = node_segments(np.vstack(points), np.vstack(segments))
        sides = label_at(_beside(nodes, edges).reshape(-1, 2)).reshape(-1, 2)
        shown = sides[:, 0] != sides[:, 1]
        edges, sides = edges[shown], sides[shown]
        hidden = [name for code, name in enumerate(names) if code not in sides]
        if hidden:
            raise ForwardModelError(f"regions {hidden} are covered completely by later ones")
        outer = (sides < 0).any(axis=1)
        return cls(names, tuple(tissue_of.values()), nodes, edges, outer, label_at, description)

    # ------------------------------------------------------------------ views

    def label(self, name: str) -> int:
        """Label of a region by its name.

        Raises
        ------
        ForwardModelError
            If there is no such region.
        """
        if name not in self.names:
            raise ForwardModelError(f"name must be one of {', '.join(self.names)}; got {name!r}")
        return self.names.index(name)

    @property
    def muscles(self) -> tuple[str, ...]:
        """Names of the regions made of muscle."""
        return tuple(
            name for name, tissue in zip(self.names, self.tissues, strict=True) if tissue == "muscle"
        )

    def outline(self) -> np.ndarray:
        """The skin, counter-clockwise, closed (first vertex repeated): (n, 2) in metres."""
        edges = self.segments[self.on_outline]
        paths = chains(len(self.points), edges)
        longest = max(paths, key=lambda path: np.ptp(self.points[path], axis=0).sum())
        line = self.points[longest]
        return line if _signed_area(line[:-1]) > 0 else line[::-1]

    def on_skin(self, angle: npt.ArrayLike) -> np.ndarray:
        """Points where rays from the limb's middle leave the skin.

        Parameters
        ----------
        angle : array_like, shape (n,)
            Radians from +y towards +x.

        Returns
        -------
        ndarray, shape (n, 2)
            (x, y) in metres.
        """
        line = self.outline()
        middle = _centroid(line[:-1])
        bearing = np.arctan2(line[:-1, 0] - middle[0], line[:-1, 1] - middle[1])
        reach = np.hypot(*(line[:-1] - middle).T)
        order = np.argsort(bearing)
        distance = np.interp(np.atleast_1d(angle), bearing[order], reach[order], period=2 * np.pi)
        return middle + distance[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])

    def bracelet(
        self,
        n_rows: int,
        n_columns: int,
        row_spacing: float,
        *,
        radius: float = 0.0,
        z: float = 0.0,
        start: float = 0.0,
    ) -> ElectrodeArray:
        """Electrodes in rings on the skin, evenly spaced by arc length.

        Parameters
        ----------
        n_rows, n_columns : int
            Rings along the limb, and electrodes in each ring.
        row_spacing : float
            Distance in metres between rings.
        radius : float
            Disc radius in metres.
        z : float
            Position in metres of the middle of the rings.
        start : float
            Angle in radians, from +y towards +x, of the first column; columns follow in that sense.
        """
        self._check_counts(n_rows, n_columns)
        positive("row_spacing", row_spacing, "m")
        return self._rows(
            self._along_skin(start, np.arange(n_columns) / n_columns, relative=True),
            n_rows,
            row_spacing,
            radius,
            z,
        )

    def skin_grid(
        self,
        n_rows: int,
        n_columns: int,
        spacing: float | tuple[float, float],
        *,
        angle: float = 0.0,
        radius: float = 0.0,
        z: float = 0.0,
    ) -> ElectrodeArray:
        """Rectangular grid bent round the skin.

        Parameters
        ----------
        n_rows, n_columns : int
            Rows follow one another along the limb, columns around it.
        spacing : float or (float, float)
            Distance in metres along the limb, and along the skin around it.
        angle : float
            Angle in radians of the grid's middle, from +y towards +x.
        radius : float
            Disc radius in metres.
        z : float
            Position in metres of the grid's middle along the limb.
        """
        self._check_counts(n_rows, n_columns)
        along, around = spacing if isinstance(spacing, tuple) else (spacing, spacing)
        positive("spacing", along, "m")
        positive("spacing", around, "m")
        offsets = (np.arange(n_columns) - (n_columns - 1) / 2) * around
        return self._rows(self._along_skin(angle, offsets, relative=False), n_rows, along, radius, z)

    @staticmethod
    def _check_counts(n_rows: int, n_columns: int) -> None:
        for label, count in (("n_rows", n_rows), ("n_columns", n_columns)):
            if int(count) != count or count < 1:
                raise ForwardModelError(f"{label} must be an integer ≥ 1, got {count!r}")

    def _along_skin(self, angle: float, offsets: np.ndarray, *, relative: bool) -> np.ndarray:
        line = self.outline()[::-1]  # from +y towards +x is clockwise
        arc = np.r_[0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T))]
        begin = self.on_skin(np.array([angle]))[0]
        span = np.diff(line, axis=0)
        along = np.clip(((begin - line[:-1]) * span).sum(1) / (span**2).sum(1), 0, 1)
        nearest = np.hypot(*(begin - line[:-1] - along[:, None] * span).T).argmin()
        place = arc[nearest] + along[nearest] * np.hypot(*span[nearest])
        place = np.mod(place + (offsets * arc[-1] if relative else offsets), arc[-1])
        return np.column_stack([np.interp(place, arc, line[:, i]) for i in (0, 1)])

    @staticmethod
    def _rows(columns: np.ndarray, n_rows: int, spacing: float, radius: float, z: float) -> ElectrodeArray:
        row, column = np.divmod(np.arange(n_rows * len(columns)), len(columns))
        height = z + (row - (n_rows - 1) / 2) * spacing
        return ElectrodeArray(
            np.column_stack([columns[column], height]), radius, "", np.column_stack([row, column])
        )


# ---------------------------------------------------------------------- geometry


def inside_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Whether points (n, 2) lie inside a closed polygon (even–odd rule)."""
    inside = np.zeros(len(points), dtype=bool)
    box = ((points >= polygon.min(axis=0)) & (points <= polygon.max(axis=0))).all(axis=1)
    x, y = points[box].T
    odd = np.zeros(len(x), dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    inside[box] = odd
    return inside


def _signed_area(polygon: np.ndarray) -> float:
    x, y = (polygon - polygon.mean(axis=0)).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def _centroid(polygon: np.ndarray) -> np.ndarray:
    origin = polygon.mean(axis=0)
    x, y = (polygon - origin).T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    moment = np.array([((x + np.roll(x, -1)) * cross).sum(), ((y + np.roll(y, -1)) * cross).sum()])
    return origin + moment / (3 * cross.sum())


def _distance_to_polygon(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    span = np.roll(polygon, -1, axis=0) - polygon
    offset = points[:, None] - polygon
    along = np.clip((offset * span).sum(-1) / (span**2).sum(-1), 0, 1)
    return np.hypot(*np.moveaxis(offset - along[..., None] * span, -1, 0)).min(axis=1)


def _beside(points: np.ndarray, segments: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """A point a micrometre to the left and to the right of every segment's middle: (n, 2, 2)."""
    a, b = points[segments[:, 0]], points[segments[:, 1]]
    normal = np.column_stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]])
    normal = step * normal / np.hypot(*normal.T)[:, None]
    return (a + b)[:, None] / 2 + np.stack([normal, -normal], axis=1)
