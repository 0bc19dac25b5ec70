"""Labelled slices: limbs, polygons and images; what cannot be one piece of tissue is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forward_models import ForwardModelError, anatomy
from forward_models.anatomy import Region
from forward_models.anatomy._labelled_slice import inside_polygon
from forward_models.conductors._triangulation import triangulate


def square(half: float, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    return half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) + [x, y]


def mesh_of(limb, edge=3e-3):
    return triangulate(limb.points, limb.segments, lambda p: np.full(len(p), edge), limb.label_at)


def areas(mesh):
    a, b, c = np.moveaxis(mesh.points[mesh.triangles], 1, 0)
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


LIMBS = {
    anatomy.forearm: (6, 2, {"flexor carpi ulnaris", "extensor digitorum"}),
    anatomy.lower_leg: (6, 2, {"tibialis anterior"}),
    anatomy.thigh: (6, 1, {"vastus lateralis"}),
}


@pytest.mark.parametrize("build", LIMBS, ids=lambda f: f.__name__)
def test_limbs_have_the_tissues_they_promise(build):
    limb = build()
    n_muscles, n_bones, named = LIMBS[build]
    assert len(limb.muscles) >= n_muscles
    assert limb.tissues.count("bone") == n_bones
    assert named <= set(limb.muscles)
    assert {"fat", "skin"} <= set(limb.names)


def test_girth_and_layers_are_as_asked():
    limb = anatomy.forearm(girth=0.24, fat_thickness=5e-3, skin_thickness=2e-3)
    line = limb.outline()
    # A polygon of 480 vertices is shorter than its curve by 1e-5 or so.
    assert np.hypot(*np.diff(line, axis=0).T).sum() == pytest.approx(0.24, rel=1e-4)
    mesh = mesh_of(limb)
    skin = areas(mesh)[mesh.labels == limb.label("skin")].sum()
    # Steiner: a band of width w inside a convex curve of length L has area L w − π w²; the mesh adds facets.
    assert skin == pytest.approx(0.24 * 2e-3 - np.pi * 2e-3**2, rel=0.02)


@pytest.mark.parametrize("build", LIMBS, ids=lambda f: f.__name__)
def test_mesh_conforms_to_every_border(build):
    limb = build()
    mesh = mesh_of(limb)
    area = areas(mesh)
    assert (area > 0).all()
    # The angle below which quadratic elements lose accuracy fast; the worst seen is 15°.
    assert mesh.quality().min() > 8
    # Corners of every triangle, pulled a little inwards, lie in the region that the triangle is said to be
    # in: none straddles a border, beyond the bulge of a curve over one straight edge (h²/8R = 0.04 mm).
    corner = mesh.points[mesh.triangles]
    inward = 0.85 * corner + 0.15 * corner.mean(axis=1, keepdims=True)
    found = limb.label_at(inward.reshape(-1, 2)).reshape(-1, 3)
    wrong = (found != mesh.labels[:, None]).any(axis=1)
    assert area[wrong].sum() < 2e-3 * area.sum()
    assert set(mesh.labels) == set(range(len(limb.names)))


@settings(max_examples=15, deadline=None)
@given(
    x=st.floats(-4e-3, 4e-3),
    y=st.floats(-4e-3, 4e-3),
    half=st.floats(1e-3, 5e-3),
    turn=st.floats(0, np.pi / 2),
)
def test_painted_area_is_kept_wherever_the_polygon_lies(x, y, half, turn):
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    inner = square(half) @ rotation + [x, y]
    limb = anatomy.LabelledSlice.from_polygons(
        [Region("fat", "fat", square(20e-3)), Region("m", "muscle", square(6e-3)), Region("b", "bone", inner)]
    )
    mesh = mesh_of(limb)
    area = areas(mesh)
    # Straight borders are met exactly, so areas are exact up to rounding.
    assert area[mesh.labels == limb.label("b")].sum() == pytest.approx(4 * half**2, rel=1e-6)
    assert area.sum() == pytest.approx(1.6e-3, rel=1e-9)


def test_inside_polygon_of_a_square():
    points = np.array([[0, 0], [0.9, -0.9], [1.1, 0], [0, -1.1], [-2, -2]])
    np.testing.assert_array_equal(inside_polygon(points, square(1.0)), [True, True, False, False, False])


def test_bracelet_is_even_and_on_the_skin():
    limb = anatomy.forearm()
    bracelet = limb.bracelet(10, 32, 10e-3, radius=1e-3, start=0.3)
    assert bracelet.grid_shape == (10, 32)
    ring = bracelet.positions[:32]
    assert (np.ptp(bracelet.positions[:, 2])) == pytest.approx(90e-3)
    # Chords of a slowly varying curvature: equal arcs, chords within 2 %.
    chords = np.hypot(*(np.roll(ring[:, :2], -1, axis=0) - ring[:, :2]).T)
    np.testing.assert_allclose(chords, chords.mean(), rtol=0.02)
    # From +y towards +x, beginning at 0.3 rad.
    bearing = np.arctan2(ring[:, 0], ring[:, 1])
    assert bearing[0] == pytest.approx(0.3, abs=1e-3)
    assert bearing[1] > bearing[0]


def test_skin_grid_is_centred():
    limb = anatomy.lower_leg()
    grid = limb.skin_grid(3, 5, (8e-3, 6e-3), angle=1.0)
    middle = grid.positions[(grid.grid_index == [1, 2]).all(axis=1)][0]
    # `on_skin` interpolates the radius between vertices, the grid walks along the chord: micrometres apart.
    np.testing.assert_allclose(middle[:2], limb.on_skin(1.0)[0], atol=1e-5)
    assert middle[2] == 0


def disc_map(n: int = 60) -> np.ndarray:
    x, y = np.meshgrid(np.arange(n) - (n - 1) / 2, np.arange(n) - (n - 1) / 2, indexing="ij")
    r = np.hypot(x, y)
    return np.select([r < 18, r < 23, r < 26], [3, 2, 1], 0)


LEGEND = {1: ("skin", "skin"), 2: ("fat", "fat"), 3: ("flexor", "muscle")}


def test_image_becomes_smooth_curves():
    limb = anatomy.slice_from_label_map(disc_map(), 1e-3, LEGEND)
    assert set(limb.names) == {"skin", "fat", "flexor"}
    assert limb.muscles == ("flexor",)
    line = limb.outline()
    assert np.hypot(*np.diff(line, axis=0).T).sum() == pytest.approx(2 * np.pi * 26e-3, rel=0.02)
    radius = np.hypot(*line.T)
    # The staircase of a disc of 26 pixels spans ±0.7 pixels; smoothed it stays within 0.35 of the circle.
    np.testing.assert_allclose(radius, 26e-3, atol=0.4e-3)
    mesh = mesh_of(limb, 2e-3)
    muscle = areas(mesh)[mesh.labels == limb.label("flexor")].sum()
    assert muscle == pytest.approx(np.pi * 18e-3**2, rel=0.02)


def test_nifti_slice_is_the_label_map(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.stack([np.zeros((60, 60)), disc_map(), disc_map()], axis=2).astype(np.int16)
    image = nibabel.Nifti1Image(volume, np.diag([1.5, 1.5, 5.0, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, tmp_path / "arm.nii.gz")
    limb = anatomy.slice_from_nifti(tmp_path / "arm.nii.gz", 1, LEGEND)
    reference = anatomy.slice_from_label_map(disc_map(), 1.5e-3, LEGEND)
    np.testing.assert_allclose(limb.points, reference.points)
    assert limb.names == reference.names
    with pytest.raises(ForwardModelError, match=r"slice_index must be in 0 … 2, got 3"):
        anatomy.slice_from_nifti(tmp_path / "arm.nii.gz", 3, LEGEND)


def test_bad_images_are_refused():
    with pytest.raises(ForwardModelError, match=r"labels \[3\] that the legend does not name"):
        anatomy.slice_from_label_map(disc_map(), 1e-3, {1: ("skin", "skin"), 2: ("fat", "fat")})
    pieces = disc_map()
    pieces[1, 1] = 3
    with pytest.raises(ForwardModelError, match="one connected piece of tissue, got 2"):
        anatomy.slice_from_label_map(pieces, 1e-3, LEGEND)
    with pytest.raises(ForwardModelError, match="label_map must be integers"):
        anatomy.slice_from_label_map(disc_map().astype(float), 1e-3, LEGEND)
    with pytest.raises(ForwardModelError, match="spacing"):
        anatomy.slice_from_label_map(disc_map(), -1e-3, LEGEND)


def test_bad_polygons_are_refused():
    with pytest.raises(ForwardModelError, match=r"polygon of 'm' must have shape"):
        Region("m", "muscle", np.zeros((2, 2)))
    with pytest.raises(ForwardModelError, match="encloses no area"):
        Region("m", "muscle", np.zeros((5, 2)))
    outer = Region("skin", "skin", square(10e-3))
    with pytest.raises(ForwardModelError, match="'m' reaches outside 'skin'"):
        anatomy.LabelledSlice.from_polygons([outer, Region("m", "muscle", square(3e-3, x=9e-3))])
    with pytest.raises(ForwardModelError, match=r"\['m'\] are covered completely"):
        anatomy.LabelledSlice.from_polygons(
            [outer, Region("m", "muscle", square(3e-3)), Region("b", "bone", square(4e-3))]
        )
    with pytest.raises(ForwardModelError, match="two tissues"):
        anatomy.LabelledSlice.from_polygons([outer, Region("skin", "fat", square(3e-3))])
    with pytest.raises(ForwardModelError, match="name must be one of skin"):
        anatomy.LabelledSlice.from_polygons([outer]).label("fat")
    with pytest.raises(ForwardModelError, match="leave room for muscle"):
        anatomy.forearm(fat_thickness=30e-3)
    with pytest.raises(ForwardModelError, match="radii must increase"):
        anatomy.layered_cylinder([2e-2, 1e-2], ["muscle", "fat"])
