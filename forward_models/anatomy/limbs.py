"""Parametric limbs: forearm, lower leg and thigh as schematic slices whose girth, fat and skin can be set.

Which muscles and bones lie where, and which neighbours touch, follows the plates of cross-sections in
Gray (1918), "Anatomy of the human body". Their sizes are schematic choices of
this module, not measurements: within the muscle compartment every muscle takes the cell of a power diagram
(Aurenhammer 1987) around a seed, so that borders are straight and no gap is left. Girth and layer thickness
are a schematic choice within the range of adults. For a real limb use a segmented image
(`slice_from_label_map`, `slice_from_nifti`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from forward_models._checks import ForwardModelError, positive
from forward_models.anatomy._labelled_slice import LabelledSlice, Region

__all__ = ["forearm", "layered_cylinder", "lower_leg", "thigh"]


@dataclass(frozen=True)
class _Seed:
    """A muscle's place: (x, y) in half-axes of the compartment, and size (difference of squared radii)."""

    name: str
    x: float
    y: float
    size: float = 0.0


@dataclass(frozen=True)
class _Bone:
    """An elliptic bone: centre (x, y) and half-axes in half-axes of the compartment, tilt in degrees."""

    name: str
    x: float
    y: float
    half_width: float
    half_height: float
    tilt: float = 0.0


# Right forearm at the end of its proximal third, seen from the elbow towards the hand, palm up:
# x towards the thumb's side, y towards the palm.
_FOREARM_MUSCLES = (
    _Seed("brachioradialis", 0.75, 0.30, 0.02),
    _Seed("extensor carpi radialis", 0.78, -0.28, 0.02),
    _Seed("extensor digitorum", 0.30, -0.75, 0.02),
    _Seed("extensor carpi ulnaris", -0.28, -0.76, 0.0),
    _Seed("flexor carpi ulnaris", -0.78, 0.12, 0.0),
    _Seed("flexor digitorum profundus", -0.42, -0.02, 0.04),
    _Seed("flexor digitorum superficialis", -0.38, 0.60, 0.06),
    _Seed("palmaris longus", -0.14, 0.90, -0.03),
    _Seed("flexor carpi radialis", 0.27, 0.78, 0.0),
    _Seed("flexor pollicis longus", 0.22, 0.25, 0.0),
    _Seed("supinator", 0.30, -0.28, 0.0),
)
_FOREARM_BONES = (
    _Bone("radius", 0.34, -0.10, 0.155, 0.18, 15.0),
    _Bone("ulna", -0.30, -0.42, 0.16, 0.21, -30.0),
)

# Right lower leg at the end of its proximal third, seen from the knee towards the foot:
# x towards the outer side, y towards the front.
_LOWER_LEG_MUSCLES = (
    _Seed("tibialis anterior", 0.28, 0.66, 0.0),
    _Seed("extensor digitorum longus", 0.68, 0.42, 0.0),
    _Seed("fibularis longus", 0.86, 0.00, 0.0),
    _Seed("tibialis posterior", 0.14, 0.06, 0.03),
    _Seed("flexor digitorum longus", -0.36, 0.02, -0.06),
    _Seed("soleus", 0.06, -0.36, 0.12),
    _Seed("gastrocnemius medialis", -0.72, -0.42, 0.06),
    _Seed("gastrocnemius lateralis", 0.48, -0.82, 0.06),
)
_LOWER_LEG_BONES = (
    _Bone("tibia", -0.56, 0.50, 0.34, 0.30, -40.0),
    _Bone("fibula", 0.56, 0.06, 0.12, 0.12, 0.0),
)

# Right thigh at its middle, seen from the hip towards the knee:
# x towards the outer side, y towards the front.
_THIGH_MUSCLES = (
    _Seed("rectus femoris", 0.10, 0.80, 0.03),
    _Seed("vastus lateralis", 0.72, 0.30, 0.10),
    _Seed("vastus intermedius", 0.18, 0.28, 0.10),
    _Seed("vastus medialis", -0.48, 0.48, 0.06),
    _Seed("sartorius", -0.82, 0.22, -0.04),
    _Seed("adductor longus", -0.52, 0.02, -0.02),
    _Seed("adductor magnus", -0.42, -0.36, 0.06),
    _Seed("gracilis", -0.88, -0.22, -0.03),
    _Seed("semimembranosus", -0.50, -0.74, 0.0),
    _Seed("semitendinosus", -0.08, -0.82, 0.0),
    _Seed("biceps femoris", 0.40, -0.64, 0.06),
)
_THIGH_BONES = (_Bone("femur", 0.14, 0.10, 0.19, 0.19),)


def forearm(
    *,
    girth: float = 0.26,
    flatness: float = 0.85,
    fat_thickness: float = 3e-3,
    skin_thickness: float = 1.2e-3,
) -> LabelledSlice:
    """Right forearm at the end of its proximal third, palm up: eleven muscles, radius and ulna.

    x points to the thumb's side, y to the palm, z from the elbow to the hand. Arrangement after Gray (1918);
    all sizes are schematic choices (see the module).

    Parameters
    ----------
    girth : float
        Circumference of the skin in metres.
    flatness : float
        Height over width.
    fat_thickness, skin_thickness : float
        Thickness in metres of subcutaneous fat and of skin.

    Raises
    ------
    ForwardModelError
        If a length is not positive or the layers leave no muscle.
    """
    return _limb(
        _FOREARM_MUSCLES, _FOREARM_BONES, girth, flatness, fat_thickness, skin_thickness, "schematic forearm"
    )


def lower_leg(
    *,
    girth: float = 0.36,
    flatness: float = 1.1,
    fat_thickness: float = 4e-3,
    skin_thickness: float = 1.3e-3,
) -> LabelledSlice:
    """Right lower leg at the end of its proximal third: eight muscles (tibialis anterior too) and two bones.

    x points to the outer side, y to the front, z from the knee to the foot. Arrangement after Gray (1918);
    all sizes are schematic choices (see the module). Parameters and errors as for `forearm`.
    """
    return _limb(
        _LOWER_LEG_MUSCLES,
        _LOWER_LEG_BONES,
        girth,
        flatness,
        fat_thickness,
        skin_thickness,
        "schematic lower leg",
    )


def thigh(
    *,
    girth: float = 0.54,
    flatness: float = 1.0,
    fat_thickness: float = 7e-3,
    skin_thickness: float = 1.3e-3,
) -> LabelledSlice:
    """Right thigh at its middle: eleven muscles, among them vastus lateralis, and the femur.

    x points to the outer side, y to the front, z from the hip to the knee. Arrangement after Gray (1918);
    all sizes are schematic choices (see the module). Parameters and errors as for `forearm`.
    """
    return _limb(
        _THIGH_MUSCLES, _THIGH_BONES, girth, flatness, fat_thickness, skin_thickness, "schematic thigh"
    )


def layered_cylinder(
    radii: Sequence[float], tissues: Sequence[str], *, n_vertices: int = 720
) -> LabelledSlice:
    """Concentric circles: the geometry of the analytic cylinder, for comparison.

    Parameters
    ----------
    radii : sequence of float
        Outer radius of every layer in metres, increasing from the axis outwards.
    tissues : sequence of str
        Tissue of every layer, which is also its name.
    n_vertices : int
        Vertices of each circle.

    Raises
    ------
    ForwardModelError
        If the radii do not increase from a positive one, or counts differ.
    """
    values = np.array([positive("radii", r, "m") for r in radii])
    if len(values) != len(tissues) or not len(values):
        raise ForwardModelError(
            f"radii and tissues must be as many (≥ 1), got {len(values)} and {len(tissues)}"
        )
    if (np.diff(values) <= 0).any():
        raise ForwardModelError(f"radii must increase from the axis outwards, got {values.tolist()}")
    angle = 2 * np.pi * np.arange(n_vertices) / n_vertices
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    regions = [
        Region(tissue, tissue, radius * circle) for radius, tissue in zip(values, tissues, strict=True)
    ]
    return LabelledSlice.from_polygons(regions[::-1], "concentric circles")


def _limb(
    muscles: Sequence[_Seed],
    bones: Sequence[_Bone],
    girth: float,
    flatness: float,
    fat: float,
    skin: float,
    description: str,
) -> LabelledSlice:
    for name, value in (("girth", girth), ("fat_thickness", fat), ("skin_thickness", skin)):
        positive(name, value, "m")
    positive("flatness", flatness, "(height over width)")
    angle = 2 * np.pi * np.arange(480) / 480
    unit = np.column_stack([np.cos(angle), flatness * np.sin(angle)])
    half_width = girth / np.hypot(*(np.roll(unit, -1, axis=0) - unit).T).sum()
    outline = half_width * unit
    # Offsetting along the normal keeps layers evenly thick, which scaled ellipses would not be.
    normal = np.column_stack([flatness * np.cos(angle), np.sin(angle)])
    normal /= np.hypot(*normal.T)[:, None]
    thickest = 0.5 * half_width * min(1.0, flatness)
    if fat + skin > thickest:
        raise ForwardModelError(
            f"fat_thickness + skin_thickness must leave room for muscle: at most {thickest * 1e3:.1f} mm at "
            f"this girth, got {(fat + skin) * 1e3:.1f} mm"
        )
    compartment = outline - (skin + fat) * normal
    axes = np.array([compartment[:, 0].max(), compartment[:, 1].max()])
    regions = [Region("skin", "skin", outline), Region("fat", "fat", outline - skin * normal)]
    seeds = np.array([(m.x, m.y) for m in muscles]) * axes
    sizes = np.array([m.size for m in muscles]) * axes.prod()
    for number, muscle in enumerate(muscles):
        regions.append(Region(muscle.name, "muscle", _power_cell(compartment, seeds, sizes, number)))
    for bone in bones:
        tilt = np.radians(bone.tilt)
        turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
        ellipse = np.column_stack([np.cos(angle[::4]), np.sin(angle[::4])]) * [
            bone.half_width,
            bone.half_height,
        ]
        polygon = (ellipse @ turn + [bone.x, bone.y]) * axes
        # A bone under the skin (the tibia) ends at the fat.
        for begin, end in pairwise(np.vstack([compartment, compartment[:1]])):
            inwards = np.array([begin[1] - end[1], end[0] - begin[0]])
            polygon = _clip(polygon, inwards, float(inwards @ begin))
        regions.append(Region(bone.name, "bone", polygon))
    return LabelledSlice.from_polygons(regions, description)


def _power_cell(compartment: np.ndarray, seeds: np.ndarray, sizes: np.ndarray, number: int) -> np.ndarray:
    """Where in the compartment squared distance minus size is least for one seed."""
    polygon = compartment
    power = (seeds**2).sum(axis=1) - sizes
    for other in range(len(seeds)):
        if other != number:
            polygon = _clip(polygon, 2 * (seeds[number] - seeds[other]), power[number] - power[other])
    if len(polygon) < 3:
        raise ForwardModelError("a muscle of the limb has no room at these proportions")
    return polygon


def _clip(polygon: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """The part of a polygon where normal · r ≥ offset (Sutherland & Hodgman 1974)."""
    if not len(polygon):
        return polygon
    side = polygon @ normal - offset
    kept = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if side[i] >= 0:
            kept.append(polygon[i])
        if (side[i] >= 0) != (side[j] >= 0):
            kept.append(polygon[i] + side[i] / (side[i] - side[j]) * (polygon[j] - polygon[i]))
    return np.array(kept).reshape(-1, 2)
