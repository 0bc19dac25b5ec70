"""The muscle's cross-section: which points (x, y) lie in the muscle.

x runs across the fibres and y out of the tissue, as everywhere; here y = 0 is the muscle's surface under the
fat, and the muscle lies at y ≤ 0. A new shape is a class with `contains` and `bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from muemg.errors import InvalidArgumentError, check_positive

__all__ = ["CrossSection", "Ellipse", "LabelMap", "Polygon", "Rectangle", "area", "sample_points"]


class CrossSection(Protocol):
    """A region of the plane across the fibres."""

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point (x, y) in metres, shape (n, 2), lies in the muscle; bool, shape (n,)."""

    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest x, largest x, smallest y, largest y in metres."""


@dataclass(frozen=True)
class _UnderTheSurface:
    """A shape of some width and thickness that touches the muscle's surface, centred on x = 0.

    Parameters
    ----------
    width, thickness : float
        Metres across and into the limb.
    """

    width: float
    thickness: float

    def __post_init__(self) -> None:
        check_positive("width", self.width, "m")
        check_positive("thickness", self.thickness, "m")

    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest x, largest x, smallest y, largest y in metres."""
        return -self.width / 2, self.width / 2, -self.thickness, 0.0


class Ellipse(_UnderTheSurface):
    """An ellipse that touches the muscle's surface at x = 0; a circle if width and thickness are equal.

    Parameters
    ----------
    width, thickness : float
        Axes in metres, across and into the limb.
    """

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point (x, y) in metres, shape (n, 2), lies in the muscle; bool, shape (n,)."""
        x, y = points[:, 0] / (self.width / 2), points[:, 1] / (self.thickness / 2) + 1
        return x**2 + y**2 <= 1


class Rectangle(_UnderTheSurface):
    """A rectangle under the muscle's surface, centred on x = 0.

    Parameters
    ----------
    width, thickness : float
        Sides in metres, across and into the limb.
    """

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point (x, y) in metres, shape (n, 2), lies in the muscle; bool, shape (n,)."""
        x, y = points[:, 0], points[:, 1]
        return (np.abs(x) <= self.width / 2) & (y <= 0) & (y >= -self.thickness)


def sample_points(
    region: CrossSection,
    n_points: int,
    rng: np.random.Generator,
    *,
    center: tuple[float, float] | None = None,
    radius: float = np.inf,
) -> np.ndarray:
    """Points drawn uniformly from a cross-section, or from the part of it within a circle.

    Parameters
    ----------
    region : CrossSection
        Where.
    n_points : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.
    center, radius : (float, float) and float
        Circle in metres; its centre must lie in the region.

    Returns
    -------
    ndarray of float64, shape (n_points, 2)
    """
    left, right, bottom, top = region.bounds()
    if center is not None:
        left, right = max(left, center[0] - radius), min(right, center[0] + radius)
        bottom, top = max(bottom, center[1] - radius), min(top, center[1] + radius)
    drawn = np.zeros((0, 2))
    while len(drawn) < n_points:
        more = rng.uniform((left, bottom), (right, top), size=(2 * n_points, 2))
        keep = region.contains(more)
        if center is not None:
            keep &= np.hypot(more[:, 0] - center[0], more[:, 1] - center[1]) <= radius
        drawn = np.concatenate([drawn, more[keep]])
    return drawn[:n_points]


@dataclass(frozen=True, eq=False)
class Polygon:
    """A region bounded by straight lines; y ≤ 0.

    Parameters
    ----------
    vertices : array_like, shape (n_vertices ≥ 3, 2)
        Corners (x, y) in metres, in order, the first not repeated.

    Raises
    ------
    InvalidArgumentError
        If there are fewer than three corners, one is not finite or above y = 0, or they enclose no area.
    """

    vertices: np.ndarray

    def __post_init__(self) -> None:
        corners = np.array(self.vertices, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise InvalidArgumentError(f"vertices must have shape (n_vertices ≥ 3, 2), got {corners.shape}")
        if not np.isfinite(corners).all() or corners[:, 1].max() > 0:
            raise InvalidArgumentError("vertices must be finite and lie at y ≤ 0, in metres")
        x, y = corners.T
        if abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) < 2e-10:
            raise InvalidArgumentError("vertices must enclose an area (metres expected)")
        corners.flags.writeable = False
        object.__setattr__(self, "vertices", corners)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point (x, y) in metres, shape (n, 2), lies in the muscle; bool, shape (n,)."""
        inside = np.zeros(len(points), dtype=bool)
        for (x0, y0), (x1, y1) in zip(self.vertices, np.roll(self.vertices, -1, axis=0)):
            # An odd number of edges lies to the right of a point inside.
            crosses = (y0 > points[:, 1]) != (y1 > points[:, 1])
            with np.errstate(divide="ignore", invalid="ignore"):
                at = x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0)
            inside ^= crosses & (points[:, 0] < at)
        return inside

    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest x, largest x, smallest y, largest y in metres."""
        (left, bottom), (right, top) = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return float(left), float(right), float(bottom), float(top)


@dataclass(frozen=True, eq=False)
class LabelMap:
    """One label of an image of the cross-section, such as a segmented slice.

    Parameters
    ----------
    labels : array_like of int, shape (n_rows, n_columns)
        Row 0 is at the top; rows run down (−y), columns to +x.
    label : int
        The muscle's label.
    pixel : float
        Side of a pixel in metres.
    top : float, optional
        y in metres of the image's upper edge; by default the muscle's highest pixel touches y = 0.

    Raises
    ------
    InvalidArgumentError
        If the image is not of whole numbers, or no pixel carries the label.
    """

    labels: np.ndarray
    label: int
    pixel: float
    top: float | None = None

    def __post_init__(self) -> None:
        image = np.array(self.labels)
        if image.ndim != 2 or not np.issubdtype(image.dtype, np.integer):
            raise InvalidArgumentError(
                f"labels must be whole numbers of shape (n_rows, n_columns), got {image.dtype} {image.shape}"
            )
        if not (image == self.label).any():
            raise InvalidArgumentError(
                f"label must be one of {np.unique(image).tolist()}, got {self.label!r}"
            )
        check_positive("pixel", self.pixel, "m")
        image.flags.writeable = False
        object.__setattr__(self, "labels", image)
        if self.top is None:
            object.__setattr__(self, "top", float(np.nonzero(image == self.label)[0].min() * self.pixel))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point (x, y) in metres, shape (n, 2), lies in the muscle; bool, shape (n,)."""
        n_rows, n_columns = self.labels.shape
        row = np.floor((self._top - points[:, 1]) / self.pixel).astype(np.int64)
        column = np.floor(points[:, 0] / self.pixel + n_columns / 2).astype(np.int64)
        inside = (row >= 0) & (row < n_rows) & (column >= 0) & (column < n_columns)
        found = np.zeros(len(points), dtype=bool)
        found[inside] = self.labels[row[inside], column[inside]] == self.label
        return found

    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest x, largest x, smallest y, largest y in metres."""
        rows, columns = np.nonzero(self.labels == self.label)
        middle = self.labels.shape[1] / 2
        return (
            float((columns.min() - middle) * self.pixel),
            float((columns.max() + 1 - middle) * self.pixel),
            float(self._top - (rows.max() + 1) * self.pixel),
            float(self._top - rows.min() * self.pixel),
        )

    @property
    def _top(self) -> float:
        return 0.0 if self.top is None else self.top


def area(region: CrossSection, *, n_raster: int = 300) -> float:
    """Area in m² of a cross-section, counted on a raster over its bounds (within some 0.5 %)."""
    left, right, bottom, top = region.bounds()
    x = left + (np.arange(n_raster) + 0.5) / n_raster * (right - left)
    y = bottom + (np.arange(n_raster) + 0.5) / n_raster * (top - bottom)
    inside = region.contains(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    return float(inside.mean() * (right - left) * (top - bottom))
