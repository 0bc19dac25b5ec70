"""The OTBioLab+ export: what its descriptions say decides what each track is."""

import numpy as np
import otb_files
import pytest
from otb_files import GRID, LEAD, N_SAMPLES, RATE, TRAINS
from scipy.io import savemat

import muemg
from forward_models import ElectrodeArray
from muemg.errors import FileFormatError

SAVE = {
    "5 compressed": otb_files.save_mat5,
    "5 plain": lambda path, made=None: otb_files.save_mat5(path, made, compressed=False),
    "7.3": otb_files.save_mat73,
}


@pytest.mark.parametrize("kind", SAVE)
def test_signal_force_and_vendor_units(tmp_path, kind):
    SAVE[kind](tmp_path / "x.mat")
    contents = muemg.read(tmp_path / "x.mat")
    made = otb_files.tracks()
    assert contents.format == "otb-mat"
    recording = contents.recording
    # single precision of 100 µV in the file and again in volts: 1e-7 relative, twice
    expected = np.stack([made[f"{GRID} ({channel})[uV]"] for channel in range(1, 65)]) * 1e-6
    np.testing.assert_allclose(recording.signal, expected, rtol=3e-7)
    assert recording.sampling_rate == RATE
    assert recording.electrodes == ElectrodeArray.from_code("GR08MM1305")
    np.testing.assert_allclose(recording.auxiliary["force"], made["acquired data[ %(MVC)]"], rtol=1e-6)
    assert recording.metadata["auxiliary_units"] == {"force": "%(MVC)"}
    assert recording.metadata["start_time_s"] == 7.0
    assert [train.tolist() for train in contents.spikes] == [list(train) for train in TRAINS]


@pytest.mark.parametrize("kind", SAVE)
def test_vendor_sources_are_brought_onto_the_clock_of_the_firings(tmp_path, kind):
    SAVE[kind](tmp_path / "x.mat")
    contents = muemg.read(tmp_path / "x.mat")
    found = contents.decomposition
    assert found.spikes == contents.spikes
    assert found.parameters["source_lead_samples"] == LEAD
    for source, train in zip(found.sources, TRAINS):
        assert sorted(np.argsort(source)[-len(train) :].tolist()) == list(train)
    assert found.muaps.shape == (2, 64, 0)


@pytest.mark.parametrize(("unit", "volts"), [("uV", 1e-6), ("µV", 1e-6), ("mV", 1e-3), ("V", 1.0)])
def test_unit_of_the_description_counts(tmp_path, unit, volts):
    otb_files.save_mat5(tmp_path / "x.mat", otb_files.tracks(unit=unit))
    raw = otb_files.tracks(unit=unit)[f"{GRID} (1)[{unit}]"]
    np.testing.assert_allclose(muemg.read(tmp_path / "x.mat").recording.signal[0], raw * volts, rtol=3e-7)


def test_channels_that_were_not_exported_leave_their_electrodes_out(tmp_path):
    otb_files.save_mat5(tmp_path / "x.mat", otb_files.tracks(channels=(2, 5, 64), units=False))
    contents = muemg.read(tmp_path / "x.mat")
    assert contents.recording.electrodes == ElectrodeArray.from_code("GR08MM1305").select([1, 4, 63])
    assert contents.recording.channel_names == ("2", "5", "64")
    assert contents.spikes is None
    assert contents.decomposition is None


def test_other_tracks_become_auxiliary(tmp_path):
    made = otb_files.tracks(units=False)
    made["performed path[ %(MVC)]"] = np.linspace(1, 2, N_SAMPLES)
    made["AUX 1 (1)[mV]"] = np.linspace(3, 4, N_SAMPLES)
    made["Accelerometer x[g]"] = np.linspace(5, 6, N_SAMPLES)
    otb_files.save_mat5(tmp_path / "x.mat", made)
    recording = muemg.read(tmp_path / "x.mat").recording
    assert recording.n_channels == 64
    assert tuple(recording.auxiliary) == ("force", "performed_path", "AUX 1 (1)", "Accelerometer x")
    assert recording.metadata["auxiliary_units"]["AUX 1 (1)"] == "mV"
    np.testing.assert_allclose(recording.auxiliary["performed_path"], np.linspace(1, 2, N_SAMPLES), rtol=1e-6)


def test_unknown_grid_and_two_grids_have_no_positions(tmp_path):
    otb_files.save_mat5(
        tmp_path / "x.mat", otb_files.tracks(channels=(1, 2), grid="Biceps - GR99MM0102", units=False)
    )
    assert muemg.read(tmp_path / "x.mat").recording.electrodes is None
    two = otb_files.tracks(channels=(1, 2), units=False)
    two |= otb_files.tracks(channels=(1, 2), grid="Biceps - GR08MM1305", units=False)
    otb_files.save_mat5(tmp_path / "x.mat", two)
    recording = muemg.read(tmp_path / "x.mat").recording
    assert recording.electrodes is None
    assert recording.channel_names == (
        f"{GRID} (1)",
        f"{GRID} (2)",
        "Biceps - GR08MM1305 (1)",
        "Biceps - GR08MM1305 (2)",
    )


def test_a_matlab_file_of_something_else(tmp_path):
    savemat(tmp_path / "x.mat", {"EMG": np.zeros((3, 3)), "info": {"a": 1}})
    with pytest.raises(FileFormatError, match=r"not an export of OTBioLab.*no variable Data, Description"):
        muemg.read(tmp_path / "x.mat")


def test_tracks_and_descriptions_must_agree(tmp_path):
    made = otb_files.tracks(units=False)
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = np.zeros((N_SAMPLES, len(made) - 1))
    names = np.array(list(made), dtype=object)[:, None]
    savemat(tmp_path / "x.mat", {"Data": cell, "Description": names, "SamplingFrequency": 2048.0})
    with pytest.raises(FileFormatError, match="Description names 65 tracks, Data has 64"):
        muemg.read(tmp_path / "x.mat")


def test_firings_must_be_binary_and_some_track_an_emg(tmp_path):
    made = otb_files.tracks()
    made[next(name for name in made if name.startswith("1 - 2 - Decomposition"))][5] = np.nan
    otb_files.save_mat5(tmp_path / "x.mat", made)
    with pytest.raises(FileFormatError, match="must be 0 or 1"):
        muemg.read(tmp_path / "x.mat")
    otb_files.save_mat5(tmp_path / "x.mat", {"acquired data[N]": np.zeros(N_SAMPLES)})
    with pytest.raises(FileFormatError, match="no track is an EMG signal"):
        muemg.read(tmp_path / "x.mat")
