"""The whole separation on a small simulated muscle, on noise, and on what it must refuse."""

import numpy as np
import pytest

import muemg
from forward_models import ElectrodeArray, presets
from forward_models.units import mm
from muemg.errors import InvalidArgumentError

SMALL = {"n_bank": 512, "n_starts": 16, "n_delays": 12, "max_passes": 3, "min_spikes": 15}


@pytest.fixture(scope="module")
def simulation():
    return muemg.simulate(
        {
            "recording": {"duration_s": 6, "snr_db": 20},
            "electrodes": {"code": "", "rows": 8, "columns": 4, "spacing_mm": 8},
            "conductor": {"fat_mm": 3, "skin_mm": 1},
            "muscle": {
                "n_units": 8,
                "width_mm": 26,
                "thickness_mm": 14,
                "mean_innervation_number": 150,
                "innervation_range": 5,
                "zone_width_mm": 16,
                "proximal_length_mm": 50,
                "distal_length_mm": 45,
            },
            "neurons": {"recruitment_range": 4},
            "drive": {"profile": "constant", "level": 0.5},
        },
        seed=3,
    )


@pytest.fixture(scope="module")
def found(simulation, conductor):
    return muemg.decompose(simulation.recording, method="bmiss", conductor=conductor, seed=0, **SMALL)


def test_units_are_found_and_right(simulation, found):
    comparison = muemg.compare(found, simulation)
    assert len(found) >= 3
    # Every unit that is reported is a true one.
    assert comparison.found["f1"].min() > 0.9


def test_each_unit_carries_its_anatomy(simulation, found):
    comparison = muemg.compare(found, simulation)
    truth = simulation.motor_units
    of = comparison.found["match"]
    assert found.anatomy.n_rows == len(found)
    errors = {
        "lateral": np.abs(found.anatomy["lateral"] - truth["x"][of]) / mm,
        "zone": np.abs(found.anatomy["zone"] - truth["innervation_zone"][of]) / mm,
        "depth": np.abs(found.anatomy["depth"] - truth["depth"][of]) / mm,
        "velocity": np.abs(found.anatomy["velocity"] - truth["velocity"][of]),
    }
    # Median errors asked of a conductor that is known: 1 mm and, of six seconds, 0.1 m/s.
    assert {
        name: np.median(e) < (0.1 if name == "velocity" else 1.0) for name, e in errors.items()
    } == dict.fromkeys(errors, True)
    for name in ("lateral", "depth", "zone", "velocity"):
        low, high = found.anatomy[f"{name}_low"], found.anatomy[f"{name}_high"]
        assert np.all((low <= found.anatomy[name]) & (found.anatomy[name] <= high))


def test_files_keep_the_anatomy(found, tmp_path):
    muemg.write(tmp_path / "found.h5", muemg.Contents(decomposition=found))
    assert muemg.read(tmp_path / "found.h5").decomposition == found


def test_nothing_is_found_in_noise(conductor, electrodes):
    noise = 1e-5 * np.random.default_rng(4).standard_normal((32, 8192))
    recording = muemg.Recording(noise, 2048.0, electrodes)
    nothing = muemg.decompose(recording, method="bmiss", conductor=conductor, **{**SMALL, "min_spikes": 10})
    assert len(nothing) == 0
    assert nothing.anatomy.n_rows == 0


def test_it_says_what_it_needs(simulation, conductor):
    with pytest.raises(InvalidArgumentError, match="conductor must be a VolumeConductor"):
        muemg.decompose(simulation.recording, method="bmiss")
    bare = muemg.Recording(simulation.recording.signal, 2048.0)
    with pytest.raises(InvalidArgumentError, match="must have electrodes"):
        muemg.decompose(bare, method="bmiss", conductor=conductor)
    lifted = ElectrodeArray(simulation.recording.electrodes.positions + np.array([0, 5 * mm, 0]))
    off = muemg.Recording(simulation.recording.signal, 2048.0, lifted)
    with pytest.raises(InvalidArgumentError, match="does not fit the electrodes"):
        muemg.decompose(off, method="bmiss", conductor=presets.planar(), n_delays=12)
