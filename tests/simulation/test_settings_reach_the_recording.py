"""Each setting of neurons, drive, noise and amplifier does the right thing in a whole simulation."""

import numpy as np
import pytest

from muemg import Scenario, simulate
from muemg.simulation import interference_signal

SMALL = {
    "recording": {"duration_s": 4, "snr_db": "inf"},
    "electrodes": {"code": "", "rows": 5, "columns": 3},
    "muscle": {"n_units": 6, "most_fibres": 4, "mean_innervation_number": 100, "innervation_range": 5},
    "neurons": {"recruitment_range": 8},
    "drive": {"level": 0.3, "rest_s": 0.5, "ramp_s": 0.5},
}


def small(**settings):
    return simulate(Scenario.from_dict(SMALL).override(settings), seed=1)


@pytest.fixture(scope="module")
def plain():
    return small()


@pytest.mark.parametrize(
    "drive",
    [
        {"profile": "triangle"},
        {"profile": "sine", "frequency_hz": 1},
        {"profile": "ballistic", "interval_s": 1, "level": 0.9},
        {"profile": "staircase", "steps": 3},
        {"profile": "points", "levels": [0, 0.4, 0.2], "times_s": [0.5, 1, 3]},
        {"profile": "constant"},
    ],
    ids=lambda drive: drive["profile"],
)
def test_profiles_make_people_discharge_as_asked(drive, plain):
    made = small(**{f"drive.{key}": value for key, value in drive.items()})
    assert np.array_equal(made.muaps, plain.muaps)
    assert made.spikes.n_spikes.sum() > 0
    assert made.spikes != plain.spikes


@pytest.mark.parametrize("model", ["de_luca_contessa_2012", "integrate_and_fire"])
@pytest.mark.parametrize("controls", ["excitation", "force"])
def test_other_neurons(model, controls):
    made = small(**{"neurons.model": model, "drive.controls": controls, "drive.level": 0.4})
    assert made.spikes.n_spikes[0] > 10
    assert np.all(np.diff(made.motor_units["threshold"]) > 0)
    assert ("target" in made.recording.auxiliary) == (controls == "force")
    assert np.array_equal(made.recording.signal, interference_signal(list(made.spikes), made.muaps, 8192))


def test_a_force_target_is_followed():
    made = small(**{"drive.controls": "force", "drive.level": 0.25, "recording.duration_s": 8})
    force, target = (made.recording.auxiliary[name] for name in ("force", "target"))
    assert target.max() == 25
    held = slice(4 * 2048, 7 * 2048)
    # six motor units make an unsteady force
    assert force[held].mean() == pytest.approx(25, rel=0.06)
    assert made.recording.metadata["auxiliary_units"] == {"force": "% MVC", "target": "% MVC"}


def test_fluctuating_inputs_change_discharges_and_nothing_else(plain):
    made = small(**{"neurons.input_deviation": 0.1})
    assert made.spikes != plain.spikes
    assert np.array_equal(made.muaps, plain.muaps)


def test_disturbances_are_added_to_the_same_muscle(plain):
    settings = {
        "noise.power_line_uv": 20,
        "noise.ecg_uv": 200,
        "noise.movement_uv": 50,
        "amplifier.offset_mv": 1,
    }
    for key, value in settings.items():
        made = small(**{key: value})
        difference = made.recording.signal - plain.recording.signal
        assert np.abs(difference).max() > 10e-6, key
        assert made.spikes == plain.spikes
    together = small(**settings)
    total = together.recording.signal - plain.recording.signal
    each = sum(small(**{k: v}).recording.signal - plain.recording.signal for k, v in settings.items())
    # streams of their own: what one adds does not depend on the others; float32 at a millivolt
    assert total == pytest.approx(each, abs=2e-9)
    assert len(together.parameters["heartbeats"]) in (4, 5)


def test_montage_and_converter(plain):
    made = small(**{"amplifier.montage": "single_differential"})
    assert made.recording.n_channels == 12
    assert made.recording.electrodes.grid_shape == (4, 3)
    cube = plain.muaps.reshape(6, 5, 3, -1)
    assert made.muaps.reshape(6, 4, 3, -1) == pytest.approx(cube[:, 1:] - cube[:, :-1], abs=1e-12)
    again = interference_signal(list(made.spikes), made.muaps, 8192)
    # two orders of summation in single precision
    assert made.recording.signal == pytest.approx(again, abs=1e-5 * float(np.abs(again).max()))
    stepped = small(**{"amplifier.bits": 12, "amplifier.full_scale_mv": 5})
    step = stepped.parameters["step"]
    assert step == 10e-3 / 4096
    assert np.abs(stepped.recording.signal - plain.recording.signal).max() <= step / 2 * 1.001


def test_dead_electrodes_are_flat_and_named(plain):
    made = small(**{"amplifier.dead_channels": 3, "recording.snr_db": 20})
    dead = made.parameters["dead_electrodes"]
    assert len(dead) == 3
    flat = np.ptp(made.recording.signal, axis=1) == 0
    assert np.flatnonzero(flat).tolist() == dead
    assert np.array_equal(made.muaps, plain.muaps)
