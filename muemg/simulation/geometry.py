"""Where everything lies: tissue, electrodes and muscles of a scenario in the frame of its conductor.

Muscles on their own are drawn with y = 0 at their surface; `Scene.surface` is that surface in the conductor's
frame.
The muscles of a limb's cross-section are already in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from forward_models import CrossSection as LimbConductor
from forward_models import ElectrodeArray, VolumeConductor, anatomy, presets
from muemg.errors import InvalidArgumentError
from muemg.muscle.cross_section import CrossSection, Ellipse, LabelMap, Polygon, Rectangle
from muemg.simulation.label_maps import read_label_map
from muemg.simulation.sections import LIMBS, Conductor, Electrodes, Muscle

__all__ = ["Scene", "make_array", "make_scene"]


@dataclass(frozen=True, eq=False)
class Scene:
    """Tissue, electrodes and muscles.

    Parameters
    ----------
    conductor : Conductor
        Settings of the tissue.
    limb : LabelledSlice or None
        Cross-section of a limb, where the conductor is one.
    electrodes : ElectrodeArray
        In the conductor's frame.
    regions : dict of str to CrossSection
        Each muscle's cross-section, by name.
    surface : (float, float)
        What to add to a muscle's (x, y) in metres to get the conductor's.
    """

    conductor: Conductor
    limb: Any
    electrodes: ElectrodeArray
    regions: dict[str, CrossSection]
    surface: tuple[float, float]
    _made: dict[str, Any] = field(default_factory=dict, repr=False)

    def tissue(self, reach: float) -> VolumeConductor:
        """The volume conductor that resolves sources up to `reach` metres along z from the electrodes."""
        # A limb's mesh takes seconds: the last conductor is kept.
        if self._made.get("reach") != reach:
            self._made.update(reach=reach, tissue=self._tissue(reach))
        return self._made["tissue"]

    def _tissue(self, reach: float) -> VolumeConductor:
        c = self.conductor
        if c.kind == "planar":
            return presets.planar(c.conductivities, fat=c.fat, skin=c.skin, reach=reach)
        if c.kind == "cylinder":
            return presets.cylinder(c.conductivities, radius=c.radius, fat=c.fat, skin=c.skin, reach=reach)
        if c.kind == "unbounded":
            return presets.unbounded(c.conductivities)
        conductivity: dict[str, Any] = dict(anatomy.limb_conductivities(c.conductivities).items())
        return LimbConductor(
            self.limb,
            conductivity,
            edge=c.mesh,
            inner_edge=2 * c.mesh,
            reach=reach,
        )

    def depth(self, xy: np.ndarray) -> np.ndarray:
        """Depth below the skin in metres of points (x, y) in the conductor's frame, shape (n,)."""
        if self.conductor.kind == "cylinder":
            return self.conductor.radius - np.hypot(*xy.T)
        if self.limb is None:
            return -xy[:, 1]
        line = self.limb.outline()
        start, step = line[:-1], np.diff(line, axis=0)
        offset = xy[:, None] - start
        share = np.clip((offset * step).sum(-1) / (step**2).sum(-1), 0, 1)
        return np.hypot(*np.moveaxis(offset - share[..., None] * step, -1, 0)).min(axis=1)


# Side of the squares by which points of a limb are told apart, but for those on a border.
_PIXEL = 0.25e-3


class _LimbMap:
    """A limb's slice as an image: the label of each square, −2 where a border passes near."""

    def __init__(self, limb: Any) -> None:
        self.limb = limb
        self.corner = limb.points.min(axis=0) - 2 * _PIXEL
        shape = np.ceil((limb.points.max(axis=0) + 2 * _PIXEL - self.corner) / _PIXEL).astype(int)
        x, y = np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij")
        centers = self.corner + _PIXEL * np.column_stack([x.ravel(), y.ravel()])
        self.labels = limb.label_at(centers).reshape(shape)
        around = np.pad(self.labels, 1, mode="edge")
        near = [np.roll(around, (i, j), (0, 1))[1:-1, 1:-1] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        self.squares = np.where(np.all([each == self.labels for each in near], axis=0), self.labels, -2)

    def label_at(self, points: np.ndarray) -> np.ndarray:
        """As the slice's own `label_at`, but looked up where no border is near."""
        place = np.floor((points - self.corner) / _PIXEL).astype(int)
        inside = ((place >= 0) & (place < self.squares.shape)).all(axis=1)
        found = np.full(len(points), -1)
        found[inside] = self.squares[tuple(place[inside].T)]
        unsure = found == -2
        if unsure.any():
            found[unsure] = self.limb.label_at(points[unsure])
        return found


@dataclass(frozen=True, eq=False)
class _LimbRegion:
    """One muscle of a limb's slice as a cross-section."""

    image: _LimbMap
    label: int
    box: tuple[float, float, float, float]
    margin: float

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Whether each point (x, y), shape (n, 2), lies in the muscle, a hair's breadth from its border."""
        inside = self.image.label_at(points) == self.label
        # Triangles cut the corners of curved borders: what is nearer to one than that stays out.
        for step in self.margin * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]]):
            at = np.flatnonzero(inside)
            inside[at] = self.image.label_at(points[at] + step) == self.label
        return inside

    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest x, largest x, smallest y, largest y in metres."""
        return self.box


def make_scene(conductor: Conductor, electrodes: Electrodes, muscle: Muscle) -> Scene:
    """Lay out tissue, electrodes and muscles.

    Raises
    ------
    InvalidArgumentError
        If settings contradict each other, such as muscle labels without a limb.
    """
    limb = None
    if conductor.kind in LIMBS:
        limb = getattr(anatomy, conductor.kind)(
            girth=conductor.girth, fat_thickness=conductor.fat, skin_thickness=conductor.skin
        )
    if bool(muscle.labels) != (limb is not None):
        raise InvalidArgumentError(
            "muscle.labels must name muscles of a limb exactly where conductor.kind is one of "
            f"{', '.join(LIMBS)}; "
            f"got {list(muscle.labels)} and {conductor.kind!r}"
        )
    if limb is not None:
        unknown = [name for name in muscle.labels if name not in limb.muscles]
        if unknown:
            raise InvalidArgumentError(
                f"muscle.labels must be among {', '.join(limb.muscles)}; got {', '.join(unknown)}"
            )
        image = _LimbMap(limb)
        regions: dict[str, CrossSection] = {
            name: _limb_region(image, name, conductor.mesh) for name in muscle.labels
        }
        surface = (0.0, 0.0)
    else:
        regions = {"muscle": cross_section(muscle)}
        surface = {
            "planar": (0.0, -(conductor.fat + conductor.skin)),
            "cylinder": (0.0, conductor.radius - conductor.fat - conductor.skin),
            "unbounded": (0.0, 0.0),
        }[conductor.kind]
    return Scene(conductor, limb, make_array(electrodes, conductor, limb), regions, surface)


def cross_section(muscle: Muscle) -> CrossSection:
    """The shape of a muscle on its own."""
    if muscle.shape == "circle":
        return Ellipse(muscle.width, muscle.width)
    if muscle.shape == "ellipse":
        return Ellipse(muscle.width, muscle.thickness)
    if muscle.shape == "rectangle":
        return Rectangle(muscle.width, muscle.thickness)
    if muscle.shape == "label_map":
        return _labelled(muscle)
    if len(muscle.vertices_x) != len(muscle.vertices_y):
        raise InvalidArgumentError(
            "muscle.vertices_x_mm and muscle.vertices_y_mm must be as many, "
            f"got {len(muscle.vertices_x)} and "
            f"{len(muscle.vertices_y)}"
        )
    return Polygon(np.column_stack([muscle.vertices_x, muscle.vertices_y]))


def _labelled(muscle: Muscle) -> LabelMap:
    if not muscle.label_map:
        raise InvalidArgumentError("muscle.label_map must name a file where muscle.shape is 'label_map'")
    labels, pixel = read_label_map(muscle.label_map, muscle.label_slice)
    side = muscle.pixel or pixel
    if side is None:
        raise InvalidArgumentError(
            f"muscle.pixel_mm must be > 0: {muscle.label_map} does not say how large its pixels are"
        )
    try:
        return LabelMap(labels, muscle.label, side)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"muscle.{error} ({muscle.label_map})") from None


def _limb_region(image: _LimbMap, name: str, mesh: float) -> CrossSection:
    label = image.limb.label(name)
    where = np.argwhere(image.labels == label)
    low = image.corner + _PIXEL * (where.min(axis=0) - 1)
    high = image.corner + _PIXEL * (where.max(axis=0) + 2)
    # Height of an arc over its chord, for a radius of 20 mm.
    margin = 0.05e-3 + mesh**2 / (8 * 20e-3)
    return _LimbRegion(image, label, (float(low[0]), float(high[0]), float(low[1]), float(high[1])), margin)


def make_array(electrodes: Electrodes, conductor: Conductor, limb: Any) -> ElectrodeArray:
    """The electrodes in the conductor's frame.

    Raises
    ------
    InvalidArgumentError
        If the layout does not fit the conductor.
    """
    e = electrodes
    if (e.layout == "intramuscular") != (conductor.kind == "unbounded"):
        raise InvalidArgumentError(
            "electrodes.layout 'intramuscular' and conductor.kind 'unbounded' go together, got "
            f"{e.layout!r} and {conductor.kind!r}"
        )
    if e.layout == "intramuscular":
        return _intramuscular(e)
    if e.layout == "bracelet":
        name = f"bracelet of {e.rows} × {e.columns}"
        if limb is not None:
            made = limb.bracelet(
                e.rows, e.columns, e.spacing, radius=e.diameter / 2, z=e.center_z, start=e.rotation
            )
            return ElectrodeArray(made.positions, made.radius, name, made.grid_index)
        if conductor.kind != "cylinder":
            raise InvalidArgumentError(
                "electrodes.layout 'bracelet' needs conductor.kind 'cylinder' or a limb, got 'planar'"
            )
        return ElectrodeArray.bracelet(
            e.rows,
            e.columns,
            e.spacing,
            limb_radius=conductor.radius,
            radius=e.diameter / 2,
            angle=e.rotation,
            center=e.center_z,
            name=name,
        )
    if limb is not None:
        raise InvalidArgumentError("electrodes.layout must be 'bracelet' on a limb, got 'grid'")
    grid = _tiled(e)
    return grid.wrapped(conductor.radius) if conductor.kind == "cylinder" else grid


def _tiled(e: Electrodes) -> ElectrodeArray:
    center = (e.center_x, e.center_z)
    if e.code:
        one = ElectrodeArray.from_code(e.code)
        rows, columns = one.grid_shape or (1, 1)
        spacing = float(np.ptp(one.positions[:, 2])) / max(rows - 1, 1)
        if e.tiles_along == e.tiles_across == 1:
            return ElectrodeArray.from_code(e.code, rotation=e.rotation, center=center)
        across, name = spacing, f"{e.tiles_along} × {e.tiles_across} of {e.code}"
    else:
        rows, columns, spacing = e.rows, e.columns, e.spacing
        across = e.column_spacing or spacing
        name = f"{rows * e.tiles_along} × {columns * e.tiles_across} grid, {spacing * 1e3:g} mm"
        one = ElectrodeArray.grid(rows, columns, (spacing, across), radius=e.diameter / 2)
    if one.grid_index is None:
        raise InvalidArgumentError(f"electrodes.code must be a grid, got {e.code!r}")
    positions, index = [], []
    for along in range(e.tiles_along):
        for beside in range(e.tiles_across):
            shift = np.array(
                [
                    (beside - (e.tiles_across - 1) / 2) * columns * across,
                    0.0,
                    (along - (e.tiles_along - 1) / 2) * rows * spacing,
                ]
            )
            positions.append(one.positions + shift)
            index.append(one.grid_index + np.array([along * rows, beside * columns]))
    x, _, z = np.concatenate(positions).T
    cosine, sine = math.cos(e.rotation), math.sin(e.rotation)
    turned = np.column_stack(
        [center[0] + cosine * x + sine * z, np.zeros_like(x), center[1] - sine * x + cosine * z]
    )
    return ElectrodeArray(turned, one.radius, name, np.concatenate(index))


def _intramuscular(e: Electrodes) -> ElectrodeArray:
    gap = e.column_spacing or e.spacing
    direction = (0.0, -math.sin(e.insertion), math.cos(e.insertion))
    half = (e.rows - 1) / 2 * e.spacing * math.cos(e.insertion)
    lines = [
        ElectrodeArray.line(
            e.rows,
            e.spacing,
            start=(e.center_x + (column - (e.columns - 1) / 2) * gap, -e.depth, e.center_z - half),
            direction=direction,
        )
        for column in range(e.columns)
    ]
    index = [np.column_stack([np.arange(e.rows), np.full(e.rows, column)]) for column in range(e.columns)]
    return ElectrodeArray(
        np.concatenate([line.positions for line in lines]),
        0.0,
        f"{e.columns} intramuscular lines of {e.rows}",
        np.concatenate(index),
    )
