"""Several muscles, several commands, and diseased muscles that are driven harder."""

import numpy as np
import pytest

from muemg import Scenario, simulate
from muemg.errors import InvalidArgumentError
from muemg.simulation import preset_names
from muemg.simulation.crew import recruit
from muemg.simulation.geometry import make_scene

SMALL = {
    "recording": {"duration_s": 6, "snr_db": "inf"},
    "electrodes": {"code": "", "rows": 4, "columns": 3},
    "muscle": {"n_units": 30, "most_fibres": 2, "mean_innervation_number": 40, "innervation_range": 20},
    "neurons": {"recruitment_range": 8},
    "drive": {"level": 0.3, "rest_s": 0.5, "ramp_s": 0.5},
}


def small(**settings):
    return Scenario.from_dict(SMALL).override(settings)


@pytest.mark.parametrize("seed", range(5))
def test_intermixed_commands_share_the_fraction_that_was_stated(seed):
    made = simulate(
        small(
            **{
                "commands.count": 3,
                "commands.delays_s": [0, 2, 4],
                "commands.shared_fraction": 0.2,
                "drive.profile": "points",
                "drive.times_s": [0, 0.1, 1.5, 1.6, 6],
                "drive.levels": [0, 0.5, 0.5, 0, 0],
            }
        ),
        seed=seed,
    )
    units = made.motor_units
    assert np.bincount(units["command"].astype(int)).tolist() == [10, 10, 10]
    shared = units["second_command"] >= 0
    assert shared.sum() == 6
    assert np.array_equal(units["second_command"][shared], (units["command"][shared] + 1) % 3)
    # Units of one command discharge while it is there, 2 s after the one before, and at no other time.
    for command in range(3):
        own = np.flatnonzero((units["command"] == command) & ~shared)
        times = np.concatenate([made.spikes[i] for i in own]) / 2048
        assert times.size > 20
        assert times.min() > 2 * command
        assert times.max() < 2 * command + 1.6
    for unit in np.flatnonzero(shared):
        times = made.spikes[unit] / 2048
        begun = {int(t // 2) for t in times}
        assert begun <= {int(units["command"][unit]), int(units["second_command"][unit])}


def test_muscles_of_a_limb_lie_where_they_are():
    scene = {
        "base": "forearm-320",
        "recording": {"duration_s": 4, "snr_db": "inf"},
        "electrodes": {"rows": 2, "columns": 12},
        "conductor": {"mesh_mm": 4},
        "muscle": {
            "n_units": 12,
            "labels": ["flexor carpi radialis", "extensor digitorum"],
            "most_fibres": 4,
            "assignment": "independent",
        },
        "commands": {"count": 2, "levels": [1.0, 0.0]},
        "drive": {"level": 0.4, "rest_s": 0.5, "ramp_s": 0.5},
    }
    made = simulate(scene, seed=1)
    muscle = made.motor_units["muscle"].astype(int)
    assert set(muscle) == {0, 1}
    assert made.parameters["muscles"] == ["flexor carpi radialis", "extensor digitorum"]
    # y points to the palm: flexors above, extensors below
    assert made.motor_units["y"][muscle == 0].min() > 0
    assert made.motor_units["y"][muscle == 1].max() < 0
    assert np.all(made.motor_units["depth"] > 4.2e-3)
    assert made.spikes.n_spikes[muscle == 0].sum() > 0
    assert made.spikes.n_spikes[muscle == 1].sum() == 0
    assert made.recording.auxiliary["force of flexor carpi radialis"].max() > 0
    assert not made.recording.auxiliary["force of extensor digitorum"].any()
    # the electrode that hears a unit best is the nearest, or beside it
    xy = np.column_stack([made.motor_units["x"], made.motor_units["y"]])
    columns = made.recording.electrodes.positions[:12, :2]
    for unit in range(12):
        loudest = np.argmax(np.ptp(made.muaps[unit], axis=1)) % 12
        nearest = np.argmin(np.hypot(*(columns - xy[unit]).T))
        assert min((loudest - nearest) % 12, (nearest - loudest) % 12) <= 1


def crew(seed, **settings):
    plan = small(**settings)
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    return recruit(plan, scene, *np.random.default_rng(seed).spawn(4))


@pytest.mark.parametrize("kind", ["myopathic", "neurogenic"])
@pytest.mark.parametrize("seed", range(5))
def test_a_diseased_muscle_is_driven_harder_for_the_same_force(kind, seed):
    settings = {"muscle.most_fibres": 0, "drive.level": 0.2, "muscle.mean_innervation_number": 60}
    ill = {"pathology.kind": kind, "pathology.severity": 0.5, "pathology.reinnervation": 0.0}
    well, driven = crew(seed, **settings), crew(seed, **settings, **ill)
    lazy = crew(seed, **settings, **ill, **{"pathology.compensation": False})
    forces = [made.forces[0, 2 * 2048 : 5 * 2048].mean() for made in (well, driven, lazy)]
    # Half a minute's worth of intervals of some twenty units, and a curve with a jump at every recruitment.
    assert forces[1] == pytest.approx(forces[0], rel=0.15)
    assert forces[2] < 0.85 * forces[0]
    kept = driven.healthy
    counts = [np.array([len(train) for train in made.samples]) for made in (well, driven)]
    both = (counts[0][kept] > 0) & (counts[1] > 0)
    assert counts[1][both].mean() > 1.1 * counts[0][kept][both].mean()  # higher rates
    if kind == "myopathic":
        assert len(kept) == 30
        assert (counts[1] > 0).sum() > (counts[0] > 0).sum()  # early recruitment
    else:
        assert len(kept) == 15


@pytest.mark.parametrize("kind", ["myopathic", "neurogenic"])
@pytest.mark.parametrize("seed", range(5))
def test_a_diseased_muscle_follows_a_force_target(kind, seed):
    settings = {
        "muscle.most_fibres": 0,
        "muscle.mean_innervation_number": 60,
        "drive.controls": "force",
        "drive.level": 0.15,
        "recording.duration_s": 9,
    }
    ill = {"pathology.kind": kind, "pathology.severity": 0.5, "pathology.reinnervation": 0.0}
    well, driven, own = (
        crew(seed, **settings, **more) for more in ({}, ill, {**ill, "pathology.compensation": False})
    )
    held = slice(4 * 2048, 8 * 2048)
    for made in (well, driven):
        assert made.targets.max() == pytest.approx(0.15)
        # thirty units, or half of them: a coarse force
        assert made.forces[0, held].mean() == pytest.approx(0.15, rel=0.06)
    assert sum(map(len, driven.samples)) > sum(len(well.samples[i]) for i in driven.healthy)
    # Without compensation the target is a fraction of what is left.
    assert own.targets.max() < 0.9 * 0.15
    assert own.forces[0, held].mean() == pytest.approx(own.targets[0, held].mean(), rel=0.06)


def test_muscles_of_a_limb_follow_targets_of_their_own():
    plan = Scenario.from_dict(
        {
            "base": "forearm-320",
            "recording": {"duration_s": 8},
            "electrodes": {"rows": 1, "columns": 4},
            "muscle": {
                "n_units": 40,
                "labels": ["flexor carpi radialis", "extensor digitorum"],
                "most_fibres": 1,
                "assignment": "independent",
            },
            "commands": {"count": 2, "levels": [1.0, 0.5]},
            "drive": {"controls": "force", "level": 0.3, "rest_s": 0.5, "ramp_s": 1},
        }
    )
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    made = recruit(plan, scene, *np.random.default_rng(3).spawn(4))
    assert made.targets.max(axis=1) == pytest.approx([0.3, 0.15])
    held = slice(4 * 2048, 6 * 2048)
    assert made.forces[:, held].mean(axis=1) == pytest.approx([0.3, 0.15], rel=0.08)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pathology.kind": "neurogenic"}, r"muscle\.most_fibres must be 0"),
        ({"muscle.labels": '["soleus"]'}, r"muscle\.labels must name muscles of a limb exactly where"),
        ({"conductor.kind": "unbounded"}, r"'intramuscular' and conductor\.kind 'unbounded' go together"),
        (
            {"conductor.kind": "forearm", "muscle.labels": '["soleus"]'},
            r"muscle\.labels must be among brachioradialis",
        ),
        (
            {"commands.count": 2, "drive.controls": "force"},
            r"drive\.controls must be 'excitation' with several commands in one muscle",
        ),
        ({"electrodes.layout": "bracelet"}, r"'bracelet' needs conductor\.kind 'cylinder' or a limb"),
        (
            {"muscle.shape": "polygon", "muscle.vertices_x_mm": "[0, 1]"},
            r"muscle\.vertices_x_mm and .* as many, got 2 and 0",
        ),
    ],
)
def test_impossible_scenes_are_refused(settings, message):
    with pytest.raises(InvalidArgumentError, match=message):
        simulate(small(**settings), seed=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"conductor.kind": "cylinder", "conductor.radius_mm": 45},
        {"conductor.kind": "cylinder", "electrodes.layout": "bracelet"},
        {
            "muscle.shape": "circle",
            "muscle.width_mm": 30,
            "electrodes.tiles_along": 2,
            "electrodes.tiles_across": 2,
        },
        {
            "muscle.shape": "polygon",
            "muscle.vertices_x_mm": [-15, 15, 10, -10],
            "muscle.vertices_y_mm": [-1, -1, -15, -15],
            "muscle.fibre_density_per_mm2": 3,
            "muscle.assignment": "uniform",
        },
    ],
    ids=["cylinder", "bracelet", "tiles", "polygon"],
)
def test_other_geometries(settings):
    made = simulate(small(**settings), seed=2)
    assert np.isfinite(made.recording.signal).all()
    assert made.recording.signal.any()
    assert made.muaps.shape[0] == 30
    if "electrodes.tiles_along" in settings:
        assert made.recording.electrodes.grid_shape == (8, 6)
        assert len(np.unique(made.recording.electrodes.positions, axis=0)) == 48
    if "muscle.fibre_density_per_mm2" in settings:
        # a trapezium of (30 + 20)/2 × 14 mm²
        assert made.motor_units["n_fibres"].sum() == pytest.approx(3 * 350, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_fibres_lie_beside_the_lines_of_an_intramuscular_array(seed):
    plan = Scenario.preset("intramuscular-3x40")
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    units = recruit(plan, scene, *np.random.default_rng(seed).spawn(4)).motor_units
    assert units.weight == pytest.approx(1)  # one fibre is one fibre
    gap = units.fibre_xy[:, None] - scene.electrodes.positions[:, :2]
    nearest = np.hypot(*np.moveaxis(gap, -1, 0)).min(axis=1)
    assert np.all(nearest >= 0.999 * units.fibre_diameter / 2)
    assert nearest.min() < 0.1e-3


def shortened_preset(name):
    scene = Scenario.preset(name)
    settings = {
        "recording.duration_s": 3,
        "muscle.n_units": 10,
        "muscle.most_fibres": 4,
        "muscle.mean_innervation_number": 20,
    }
    if scene.drive.profile == "trapezoid":
        settings |= {"drive.rest_s": 0.2, "drive.ramp_s": 0.3}
    if name == "neurogenic-64":
        settings["muscle.most_fibres"] = 0
    if "320" in name:
        settings |= {"conductor.mesh_mm": 5, "movement.nodes": 2, "electrodes.rows": 2}
    if name == "reinnervated-64":
        settings["commands.delays_s"] = [0, 0.2, 0.4]
    return scene.override(settings)


@pytest.mark.parametrize("name", sorted(set(preset_names()) - {"demo-64", "tibialis-64", "vastus-64"}))
def test_every_preset_runs_and_runs_again_the_same(name):
    one = simulate(shortened_preset(name), seed=4)
    if "320" not in name:  # these take longest, and differ in nothing that is random
        other = simulate(shortened_preset(name), seed=4)
        assert one.recording.signal.tobytes() == other.recording.signal.tobytes()
        assert one == other
    assert one.spikes.n_spikes.sum() > 0 or name == "reinnervated-64"
    assert one.recording.n_channels == {"256": 256, "320": 64, "64": 64, "3x40": 120}[name.rsplit("-", 1)[1]]
