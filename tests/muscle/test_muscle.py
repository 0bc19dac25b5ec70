"""Innervation, cross-sections and motor units: closed forms, and statistics over five seeds."""

import numpy as np
import pytest

from muemg.errors import InvalidArgumentError
from muemg.muscle import (
    Ellipse,
    LabelMap,
    MuscleArchitecture,
    Polygon,
    Rectangle,
    innervation_numbers,
    make_motor_units,
    velocity_of_diameter,
)
from muemg.muscle.cross_section import area, sample_points
from muemg.muscle.innervation import diameter_of_velocity

SEEDS = range(5)
REGIONS = [Ellipse(40e-3, 25e-3), Rectangle(50e-3, 20e-3)]
# A house: 20 × 10 mm with a roof of 10 mm; concave where the door is.
HOUSE = Polygon(
    1e-3
    * np.array(
        [[-10, -20], [-2, -20], [-2, -15], [2, -15], [2, -20], [10, -20], [10, -10], [0, 0], [-10, -10]]
    )
)


def test_innervation_numbers_are_exponential():
    numbers = innervation_numbers(120, mean=562, innervation_range=100)
    assert numbers.mean() == pytest.approx(562, abs=0.5)  # whole fibres
    assert numbers[-1] / numbers[0] == pytest.approx(100 ** (119 / 120), rel=0.02)  # the smallest has some 26
    assert np.diff(np.log(numbers[60:])) == pytest.approx(np.log(100) / 120, abs=2e-3)
    assert innervation_numbers(3, mean=0.5, innervation_range=50).min() == 1


def test_velocity_and_diameter():
    # Nandedkar & Stålberg 1983: 3.7 m/s at 55 µm and 0.05 m/s per µm
    assert velocity_of_diameter([55e-6, 65e-6]) == pytest.approx([3.7, 4.2])
    diameters = np.linspace(30e-6, 90e-6, 7)
    assert diameter_of_velocity(velocity_of_diameter(diameters)) == pytest.approx(diameters)


@pytest.mark.parametrize("region", REGIONS, ids=["ellipse", "rectangle"])
@pytest.mark.parametrize("seed", SEEDS)
def test_points_are_uniform_in_the_cross_section(region, seed):
    points = sample_points(region, 4000, np.random.default_rng(seed))
    assert points.shape == (4000, 2)
    assert region.contains(points).all()
    assert np.all(points[:, 1] <= 0)
    left, right, bottom, top = region.bounds()
    # A raster of the plane, filtered by `contains`, gives the areas that the counts must follow.
    grid = np.stack(np.meshgrid(np.linspace(left, right, 400), np.linspace(bottom, top, 400)), -1).reshape(
        -1, 2
    )
    inside = grid[region.contains(grid)]
    edges = (np.linspace(left, right, 5), np.linspace(bottom, top, 5))
    share = np.histogram2d(*inside.T, bins=edges)[0] / len(inside)
    counts = np.histogram2d(*points.T, bins=edges)[0]
    expected = 4000 * share
    # Chance alone gives a chi-square of 15 ± 5.5; 45 lies five of these above.
    filled = expected > 5
    assert np.sum((counts - expected)[filled] ** 2 / expected[filled]) < 45


def test_a_polygon_contains_what_lies_within():
    points = 1e-3 * np.array(
        [[0, -1], [0, -12], [0, -16], [9, -19], [9, -2], [-9.9, -10.5], [11, -15], [0, 1]]
    )
    assert HOUSE.contains(points).tolist() == [True, True, False, True, False, True, False, False]
    assert HOUSE.bounds() == pytest.approx((-10e-3, 10e-3, -20e-3, 0))
    assert area(HOUSE) == pytest.approx(200e-6 + 100e-6 - 20e-6, rel=5e-3)
    assert area(Ellipse(40e-3, 25e-3)) == pytest.approx(np.pi / 4 * 1e-3, rel=5e-3)
    for vertices in (
        [[0, 0], [1, 0]],
        [[0, 0], [1, 0], [2, 0]],
        [[0, 0], [1, 0.1], [2, -3]],
        [[0, np.nan]] * 3,
    ):
        with pytest.raises(InvalidArgumentError, match="vertices"):
            Polygon(np.array(vertices))


def test_a_label_of_an_image_is_a_cross_section():
    image = np.zeros((40, 30), dtype=int)
    image[5:25, 10:25] = 2
    image[10:15, 12:20] = 1
    region = LabelMap(image, 2, 1e-3)
    # the label's first row touches y = 0; x = 0 is the image's middle
    assert region.bounds() == pytest.approx((-5e-3, 10e-3, -20e-3, 0))
    assert region.contains(
        1e-3 * np.array([[-4.5, -0.5], [0, -7], [9.5, -19.5], [9.5, -20.5], [10.5, -1]])
    ).tolist() == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert area(region) == pytest.approx(260e-6, rel=5e-3)
    with pytest.raises(InvalidArgumentError, match=r"label must be one of \[0, 1, 2\], got 7"):
        LabelMap(image, 7, 1e-3)
    with pytest.raises(InvalidArgumentError, match="labels must be whole numbers"):
        LabelMap(image + 0.5, 2, 1e-3)


def test_points_within_a_circle():
    region = Rectangle(20e-3, 20e-3)
    points = sample_points(region, 2000, np.random.default_rng(0), center=(9e-3, -1e-3), radius=3e-3)
    assert region.contains(points).all()
    assert np.hypot(points[:, 0] - 9e-3, points[:, 1] + 1e-3).max() <= 3e-3
    assert points[:, 0].max() > 9.9e-3  # up to the border, not only half way


@pytest.mark.parametrize("region", REGIONS, ids=["ellipse", "rectangle"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_fibre_lies_where_it_must(region, seed):
    a = MuscleArchitecture(innervation_zone=5e-3, proximal_length=50e-3, distal_length=40e-3)
    m = make_motor_units(30, region, a, np.random.default_rng(seed), most_fibres=50)
    assert region.contains(m.fibre_xy).all()
    offset = m.fibre_xy - m.territory_center[m.unit]
    assert np.all(np.hypot(*offset.T) <= m.territory_radius[m.unit] + 1e-12)
    assert np.all((m.fibre_proximal_end < m.fibre_end_plate) & (m.fibre_end_plate < m.fibre_distal_end))
    assert np.all((m.fibre_velocity >= a.slowest_fibre) & (m.fibre_velocity <= 5.5))
    half = np.maximum(m.fibre_distal_end - m.fibre_end_plate, m.fibre_end_plate - m.fibre_proximal_end)
    assert half.max() <= a.longest_half
    assert m.fibre_proximal_end.min() >= a.extent[0]
    assert m.fibre_distal_end.max() <= a.extent[1]
    assert m.fibre_diameter == pytest.approx(diameter_of_velocity(m.fibre_velocity))
    counts = np.bincount(m.unit)
    assert np.array_equal(counts, np.minimum(m.n_fibres, 50))
    assert counts * m.weight == pytest.approx(m.n_fibres)


@pytest.mark.parametrize("seed", SEEDS)
def test_scatter_is_what_was_asked_for(seed):
    a = MuscleArchitecture()
    m = make_motor_units(100, REGIONS[0], a, np.random.default_rng(seed))
    assert m.weight == pytest.approx(1)  # no limit: every fibre is there
    large = m.n_fibres > 300

    def spread(values):
        about = values - m.mean_over_fibres(values)[m.unit]
        return about[large[m.unit]].std()

    # Some 45,000 fibres: 0.4 % of chance, 0.5 % from clipping at three deviations; the mean over a unit's
    # fibres takes 1/(2 n) more.
    assert spread(m.fibre_end_plate) == pytest.approx(a.end_plate_scatter, rel=0.02)
    assert spread(m.fibre_proximal_end) == pytest.approx(a.tendon_scatter, rel=0.02)
    assert spread(m.fibre_velocity) == pytest.approx(a.fibre_velocity_scatter, rel=0.03)  # cut off at 5.5 m/s
    # Zones: uniform over 10 mm has a deviation of 2.89 mm; of 100 draws ± 0.13 mm, here four times that.
    assert m.innervation_zone.std() == pytest.approx(a.zone_width / np.sqrt(12), abs=0.55e-3)
    assert np.abs(m.innervation_zone).max() <= a.zone_width / 2
    # Velocity grows with size: 2 m/s of trend over 0.2 m/s of scatter is a correlation of 0.945.
    assert np.corrcoef(np.arange(100), m.velocity)[0, 1] > 0.88


@pytest.mark.parametrize("seed", SEEDS)
def test_fibres_of_a_unit_have_the_density_of_the_source(seed):
    # Fuglevand et al. 1993: 20 fibres per mm² of territory; a muscle so large that none is cut off.
    wide = Rectangle(1.0, 1.0)
    m = make_motor_units(20, wide, MuscleArchitecture(), np.random.default_rng(seed))
    last = m.fibre_xy[m.unit == 19] - m.territory_center[19]
    within = np.hypot(*last.T) < m.territory_radius[19] / 2
    density = within.sum() / (np.pi * (m.territory_radius[19] / 2) ** 2)
    assert density == pytest.approx(20e6, rel=4 / np.sqrt(within.sum()))  # four standard errors of the count


@pytest.mark.parametrize("region", [*REGIONS, HOUSE], ids=["ellipse", "rectangle", "polygon"])
@pytest.mark.parametrize("seed", SEEDS)
def test_shared_out_fibres_fill_the_muscle_evenly(region, seed):
    a = MuscleArchitecture(mean_innervation_number=3e7 * area(region) / 40, innervation_range=30)
    m = make_motor_units(40, region, a, np.random.default_rng(seed), assignment="uniform")
    assert np.array_equal(np.bincount(m.unit), m.n_fibres)
    assert region.contains(m.fibre_xy).all()
    left, right, bottom, top = region.bounds()
    edges = (np.linspace(left, right, 7), np.linspace(bottom, top, 6))
    counts = np.histogram2d(*m.fibre_xy.T, bins=edges)[0]
    raster = np.stack(
        np.meshgrid(np.linspace(left, right, 600), np.linspace(bottom, top, 600), indexing="ij"), -1
    ).reshape(-1, 2)
    inside = np.histogram2d(*raster[region.contains(raster)].T, bins=edges)[0]
    whole = inside > 0.95 * inside.max()
    density = counts[whole] / inside[whole]
    # 5 % is what is asked for; drawn independently, the same units leave some 50 %.
    assert np.abs(density / density.mean() - 1).max() < 0.05
    # Territories keep about the size they were given: root mean square distance against a disc's.
    offset = np.hypot(*(m.fibre_xy - m.territory_center[m.unit]).T) ** 2
    size = np.sqrt(m.mean_over_fibres(offset)) / (m.territory_radius / np.sqrt(2))
    assert 0.8 < np.median(size) < 1.6
    # Innervation numbers: exponential with the range asked for.
    assert m.n_fibres[-1] / m.n_fibres[0] == pytest.approx(30 ** (39 / 40), rel=0.08)


def test_shared_out_fibres_are_reproducible_and_may_be_thinned():
    one, other = (
        make_motor_units(
            12,
            REGIONS[0],
            MuscleArchitecture(),
            np.random.default_rng(3),
            most_fibres=20,
            assignment="uniform",
        )
        for _ in "ab"
    )
    assert np.array_equal(one.fibre_xy, other.fibre_xy)
    assert np.bincount(one.unit).max() == 20
    with pytest.raises(InvalidArgumentError, match="assignment must be one of 'independent', 'uniform'"):
        make_motor_units(3, REGIONS[0], MuscleArchitecture(), np.random.default_rng(3), assignment="x")


def test_the_same_seed_gives_the_same_muscle():
    one, other = (
        make_motor_units(5, REGIONS[0], MuscleArchitecture(), np.random.default_rng(7)) for _ in "ab"
    )
    assert np.array_equal(one.fibre_xy, other.fibre_xy)
    assert np.array_equal(one.fibre_velocity, other.fibre_velocity)
    assert len(make_motor_units(1, REGIONS[0], MuscleArchitecture(), np.random.default_rng(7))) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proximal_length": 10e-3}, "must be below either half length"),
        ({"slowest": 1.0}, r"slowest must lie in 2\.5…5\.5 m/s"),
        ({"tendon_scatter": -1e-3}, "tendon_scatter"),
        ({"mean_innervation_number": 0}, "mean_innervation_number"),
    ],
)
def test_impossible_muscles_are_refused(settings, message):
    with pytest.raises(InvalidArgumentError, match=message):
        MuscleArchitecture(**settings)


def test_impossible_shapes_are_refused():
    for shape in (Ellipse, Rectangle):
        with pytest.raises(InvalidArgumentError, match="width must be a finite number > 0 m"):
            shape(0, 1)
    with pytest.raises(InvalidArgumentError, match="innervation_range must be ≥ 1"):
        innervation_numbers(3, mean=5, innervation_range=0.1)
