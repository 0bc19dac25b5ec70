"""What is written comes back equal, and the same input gives the same bytes."""

import time
from dataclasses import replace

import io_records as records
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import muemg
from forward_models import ElectrodeArray
from muemg import Contents, Decomposition, Recording, SpikeTrains, Table

LOSSLESS = (".h5", ".hdf5", ".npz")

KINDS = {
    "recording": records.recording,
    "spikes": records.spikes,
    "decomposition": records.decomposition,
    "simulation": records.simulation,
}


@pytest.mark.parametrize("extension", LOSSLESS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_record_comes_back_equal(tmp_path, kind, extension):
    record = KINDS[kind]()
    assert muemg.write(tmp_path / f"x{extension}", record) == tmp_path / f"x{extension}"
    assert muemg.read(tmp_path / f"x{extension}").require(kind) == record


@pytest.mark.parametrize("extension", LOSSLESS)
def test_everything_in_one_file_comes_back_equal(tmp_path, extension):
    contents = records.contents()
    muemg.write(tmp_path / f"x{extension}", contents)
    back = muemg.read(tmp_path / f"x{extension}")
    assert back == contents
    assert back.parts == ("recording", "spikes", "decomposition", "simulation")
    assert back.recording.signal.dtype == np.float32
    assert all(train.dtype == np.int64 for train in back.spikes)
    assert back.decomposition.quality["accepted"].dtype == bool


@pytest.mark.parametrize("extension", LOSSLESS)
def test_a_recording_that_differs_from_its_simulation_is_kept_beside_it(tmp_path, extension):
    simulation = records.simulation()
    filtered = simulation.recording.with_signal(np.zeros_like(simulation.recording.signal))
    muemg.write(tmp_path / f"x{extension}", Contents(recording=filtered, simulation=simulation))
    back = muemg.read(tmp_path / f"x{extension}")
    assert back.recording == filtered
    assert back.simulation == simulation


@pytest.mark.parametrize("extension", LOSSLESS)
def test_nothing_found_is_a_result_that_can_be_stored(tmp_path, extension):
    nothing = Decomposition(
        SpikeTrains((), 2000.0, 64),
        np.zeros((0, 64)),
        np.zeros((0, 4, 5)),
        Table({"sil": [], "n_spikes": []}),
    )
    muemg.write(tmp_path / f"x{extension}", nothing)
    assert muemg.read(tmp_path / f"x{extension}").decomposition == nothing


text = st.text(max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def any_contents(draw):
    n_samples = draw(st.integers(1, 20))
    n_channels = draw(st.integers(1, min(n_samples, 4)))
    rate = draw(st.floats(1e-3, 1e6))
    signal = draw(hnp.arrays(np.float32, (n_channels, n_samples)))
    tracks = hnp.arrays(np.float64, (n_samples,))
    positions = hnp.arrays(np.float64, (n_channels, 3), elements=st.floats(-1, 1))
    names = st.lists(text, min_size=n_channels, max_size=n_channels, unique=True)
    recording = Recording(
        signal,
        rate,
        ElectrodeArray(draw(positions), draw(st.floats(0, 1)), draw(text)) if draw(st.booleans()) else None,
        draw(st.dictionaries(text, tracks, max_size=2)),
        tuple(draw(names)),
        draw(st.dictionaries(text, json_values, max_size=3)),
    )
    trains = draw(st.lists(st.sets(st.integers(0, n_samples - 1)).map(sorted), max_size=4))
    ids = st.lists(st.integers(0, 99) | text, min_size=len(trains), max_size=len(trains), unique=True)
    return Contents(recording=recording, spikes=SpikeTrains(tuple(trains), rate, n_samples, tuple(draw(ids))))


@pytest.mark.parametrize("extension", [".h5", ".npz"])
@given(contents=any_contents())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_recording_and_trains_come_back_equal(tmp_path, extension, contents):
    muemg.write(tmp_path / f"x{extension}", contents)
    assert muemg.read(tmp_path / f"x{extension}") == contents


@pytest.mark.parametrize("extension", [".h5", ".npz", ".json"])
def test_same_input_same_bytes(tmp_path, extension):
    contents = records.contents()
    first = muemg.write(tmp_path / f"a{extension}", contents).read_bytes()
    time.sleep(1.1)  # a time stamp of one second's resolution would differ
    assert muemg.write(tmp_path / f"b{extension}", contents).read_bytes() == first


def test_native_file_says_what_its_arrays_are(tmp_path):
    h5py = pytest.importorskip("h5py")
    muemg.write(tmp_path / "x.h5", records.contents())
    with h5py.File(tmp_path / "x.h5") as file:
        assert file.attrs["format"] == b"muemg"
        assert file["recording/signal"].attrs["unit"] == b"V"
        assert file["recording/signal"].attrs["dimensions"] == b"channel, sample"
        assert file["recording/sampling_rate"].attrs["unit"] == b"Hz"
        assert file["recording/electrodes/positions"].attrs["unit"] == b"m"
        assert "recording" not in file["simulation"], "the simulation's recording is stored twice"


def test_npz_needs_no_pickle_and_nothing_of_muemg(tmp_path):
    recording = records.recording()
    muemg.write(tmp_path / "x.npz", recording)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["recording/signal"], recording.signal)
        assert arrays["recording/sampling_rate"] == recording.sampling_rate


@pytest.mark.parametrize("signal_key", ["emg", "signal"])
@pytest.mark.parametrize("rate_key", ["fs", "sampling_rate"])
def test_npz_of_other_tools(tmp_path, signal_key, rate_key):
    signal = np.random.default_rng(0).standard_normal((3, 50))
    np.savez_compressed(tmp_path / "x.npz", **{signal_key: signal, rate_key: 2048})
    recording = muemg.read(tmp_path / "x.npz").require("recording")
    np.testing.assert_array_equal(recording.signal, signal.astype(np.float32))
    assert recording.sampling_rate == 2048


def test_npz_of_other_tools_in_microvolts(tmp_path):
    np.savez(tmp_path / "x.npz", emg=np.full((2, 10), 50), fs=1000.0, unit="uV")
    np.testing.assert_allclose(muemg.read(tmp_path / "x.npz").recording.signal, 50e-6, rtol=1e-7)


def test_contents_are_rewritten_without_loss_after_a_replacement(tmp_path):
    muemg.write(tmp_path / "x.h5", records.simulation())
    found = replace(muemg.read(tmp_path / "x.h5"), decomposition=records.decomposition())
    muemg.write(tmp_path / "y.h5", found)
    assert muemg.read(tmp_path / "y.h5") == found
