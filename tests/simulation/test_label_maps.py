"""A muscle drawn from a segmented image: the fibres lie where the label is, whatever the file."""

import nibabel
import numpy as np
import pytest

from muemg import Scenario, simulate
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.simulation.crew import recruit
from muemg.simulation.geometry import make_scene
from muemg.simulation.label_maps import read_label_map

# An L, twice as deep on its left; 1 mm pixels, rows run down.
IMAGE = np.zeros((40, 60), dtype=np.int16)
IMAGE[8:18, 20:40] = 7
IMAGE[18:30, 20:28] = 7
IMAGE[30:34, 10:50] = 3


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "slice.npz"
    np.savez(path, labels=IMAGE, pixel_mm=1.0)
    return path


@pytest.fixture
def volume(tmp_path):
    path = tmp_path / "volume.nii.gz"
    # First axis to the right, second to anterior: rows that run down are the second axis backwards.
    data = np.stack([0 * IMAGE.T[:, ::-1], IMAGE.T[:, ::-1]], axis=2)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([1.0, 1.0, 5.0, 1.0])), path)
    return path


def plan(path, **settings):
    base = {
        "recording": {"duration_s": 3, "snr_db": "inf"},
        "electrodes": {"code": "", "rows": 4, "columns": 3},
        "muscle": {
            "n_units": 15,
            "shape": "label_map",
            "label_map": str(path),
            "label": 7,
            "fibre_density_per_mm2": 4,
            "assignment": "uniform",
        },
        "drive": {"profile": "constant", "level": 0.5},
    }
    return Scenario.from_dict(base).override(settings)


def test_both_files_hold_the_same_slice(archive, volume):
    one, pixel = read_label_map(archive)
    other, size = read_label_map(volume, 1)
    assert np.array_equal(one, IMAGE)
    assert np.array_equal(other, IMAGE)
    assert (pixel, size) == (pytest.approx(1e-3), pytest.approx(1e-3))


@pytest.mark.parametrize("kind", ["archive", "volume"])
def test_fibres_lie_in_the_label(kind, archive, volume):
    path, more = (archive, {}) if kind == "archive" else (volume, {"muscle.label_slice": 1})
    scenario = plan(path, **more, **{"muscle.most_fibres": 0})
    scene = make_scene(scenario.conductor, scenario.electrodes, scenario.muscle)
    units = recruit(scenario, scene, *np.random.default_rng(0).spawn(4)).motor_units
    column = np.floor(units.fibre_xy[:, 0] / 1e-3 + 30).astype(int)
    row = 8 + np.floor(-units.fibre_xy[:, 1] / 1e-3).astype(int)
    assert np.all(IMAGE[row, column] == 7)
    assert units.n_fibres.sum() == pytest.approx(4 * (IMAGE == 7).sum(), rel=0.02)
    # evenly: ten rows of twenty pixels, twelve of eight
    assert np.mean(row >= 18) == pytest.approx(96 / 296, abs=0.02)


def test_a_whole_simulation_reads_back_from_its_parameters(archive):
    made = simulate(plan(archive, **{"muscle.most_fibres": 2}), seed=1)
    again = simulate(made.parameters["scenario"], seed=1)
    assert np.array_equal(made.recording.signal, again.recording.signal)
    larger = plan(archive, **{"muscle.pixel_mm": 2})
    assert make_scene(larger.conductor, larger.electrodes, larger.muscle).regions[
        "muscle"
    ].bounds() == pytest.approx((-20e-3, 20e-3, -44e-3, 0))


def test_files_that_are_no_label_maps_are_refused(archive, volume, tmp_path):
    def scene(**settings):
        scenario = plan(archive, **settings)
        return make_scene(scenario.conductor, scenario.electrodes, scenario.muscle)

    nameless, bare, fractions = tmp_path / "text.npz", tmp_path / "bare.npz", tmp_path / "fractions.npz"
    nameless.write_text("not an archive")
    np.savez(bare, labels=IMAGE)
    np.savez(fractions, labels=IMAGE + 0.5)
    for settings, message in (
        ({"muscle.label": 5}, r"muscle\.label must be one of \[0, 3, 7\], got 5"),
        ({"muscle.label_map": ""}, r"muscle\.label_map must name a file"),
        ({"muscle.label_map": str(bare)}, r"muscle\.pixel_mm must be > 0"),
        (
            {"muscle.label_map": str(volume), "muscle.label_slice": 2},
            r"muscle\.label_slice must lie in 0 … 1",
        ),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            scene(**settings)
    for path, message in (
        (nameless, "is no NumPy archive with 'labels'"),
        (tmp_path / "nowhere.npz", "there is no such file"),
        (fractions, "must hold whole numbers"),
    ):
        with pytest.raises(FileFormatError, match=message):
            scene(**{"muscle.label_map": str(path)})
