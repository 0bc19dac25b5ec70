"""Diseases as changes of a healthy muscle, over five seeds: what is lost is lost, what stays is as it was."""

import numpy as np
import pytest

from muemg.errors import InvalidArgumentError
from muemg.muscle import Ellipse, MuscleArchitecture, make_motor_units, myopathic, neurogenic
from muemg.muscle.innervation import diameter_of_velocity

SEEDS = range(5)


def healthy(seed, n_units=30, **options):
    # territories that overlap some ten times
    a = MuscleArchitecture(mean_innervation_number=120, innervation_range=20, territory_density=1e6)
    return make_motor_units(
        n_units, Ellipse(30e-3, 20e-3), a, np.random.default_rng(seed), assignment="uniform", **options
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("severity", [0.25, 0.5, 0.75])
def test_myopathy_takes_fibres_and_makes_the_rest_unequal(seed, severity):
    before = healthy(seed)
    after = myopathic(before, severity, np.random.default_rng(seed))
    assert len(after) == len(before)
    total = before.n_fibres.sum()  # some 3600 fibres: the share is known to 0.8 %
    assert after.n_fibres.sum() / total == pytest.approx(1 - severity, abs=0.035)
    assert np.array_equal(np.bincount(after.unit), after.n_fibres)
    log = np.log(after.fibre_diameter / before.mean_over_fibres(before.fibre_diameter)[after.unit])
    # less what healthy fibres vary by and what limits of velocity cut off
    assert log.std() == pytest.approx(0.35 * severity, rel=0.3)
    assert after.fibre_diameter == pytest.approx(diameter_of_velocity(after.fibre_velocity))
    assert after.fibre_velocity.min() >= 1.5
    # each fibre is one that was there
    where = {tuple(xy) for xy in before.fibre_xy}
    assert all(tuple(xy) in where for xy in after.fibre_xy)


def test_a_thinned_unit_stays_in_proportion():
    before = healthy(1, most_fibres=30)
    after = myopathic(before, 0.5, np.random.default_rng(0))
    ratio = np.bincount(after.unit) / np.bincount(before.unit)
    assert ratio == pytest.approx(after.n_fibres / before.n_fibres, abs=0.5 / 20)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("severity", [0.25, 0.5, 0.75])
def test_neurogenic_loss_enlarges_the_neighbours(seed, severity):
    before = healthy(seed, n_units=40)
    after, kept = neurogenic(before, severity, np.random.default_rng(seed), adoption=0.8)
    assert len(after) == kept.size == round(40 * (1 - severity))
    own = before.n_fibres[kept]
    orphans = before.n_fibres.sum() - own.sum()
    adopted = after.n_fibres.sum() - own.sum()
    assert adopted / orphans == pytest.approx(0.8, abs=4 * 0.4 / np.sqrt(orphans))
    assert np.all(after.n_fibres >= own)
    assert np.array_equal(np.bincount(after.unit), after.n_fibres)
    # no fibre is in two places, and adopted ones lie beside fibres of their new unit
    assert len(np.unique(after.fibre_xy, axis=0)) == len(after.fibre_xy)
    assert np.array_equal(after.velocity, before.velocity[kept])


def test_fibres_of_one_unit_come_to_lie_in_groups():
    before = healthy(3, n_units=40)
    after, _ = neurogenic(before, 0.75, np.random.default_rng(3), adoption=1.0)

    def neighbours_of_one_unit(units):
        from scipy.spatial import cKDTree

        _, near = cKDTree(units.fibre_xy).query(units.fibre_xy, k=2)
        return np.mean(units.unit[near[:, 1]] == units.unit)

    # Chance alone, with a quarter of the units, would make four times as many neighbours siblings.
    assert neighbours_of_one_unit(after) > 2 * neighbours_of_one_unit(before)


def test_adoption_crosses_no_border_and_someone_is_left():
    before = healthy(5, n_units=6)
    after, kept = neurogenic(
        before, 0.95, np.random.default_rng(0), adoption=1.0, groups=np.array([0, 0, 0, 1, 1, 1])
    )
    assert len(kept) == 2
    assert [kept[0] < 3, kept[1] >= 3] == [True, True]
    assert after.n_fibres.tolist() == [before.n_fibres[:3].sum(), before.n_fibres[3:].sum()]
    same, all_of_them = neurogenic(before, 0.0, np.random.default_rng(0))
    assert np.array_equal(all_of_them, np.arange(6))
    assert np.array_equal(same.fibre_xy, before.fibre_xy)
    with pytest.raises(InvalidArgumentError, match="severity must be between 0 and 1"):
        myopathic(before, 1.5, np.random.default_rng(0))
