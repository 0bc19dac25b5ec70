"""Files pass between muemg and the real openhdemg, both versions, in environments of their own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import muemg
from forward_models import ElectrodeArray
from muemg import Contents, Decomposition, Recording, SpikeTrains, Table
from muemg.datasets import DownloadError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SIDE = Path(__file__).with_name("openhdemg_side.py")
RATE, N_SAMPLES = 2048.0, 8192


@pytest.fixture(scope="module", params=["openhdemg-0.1.2", "openhdemg-0.2.0b1"])
def openhdemg(request):
    """Run the other side in the real package's environment; made when first needed, reused afterwards."""
    maker = [sys.executable, str(ROOT / "benchmarks/environments/make.py"), request.param]
    made = subprocess.run(maker, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"did not run: {made.stderr.strip().splitlines()[-1]}")
    python = made.stdout.strip().splitlines()[-1]

    def run(*arguments):
        done = subprocess.run(
            [python, str(SIDE), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]

    return run


def scene(trains, *, sources: bool) -> Contents:
    """64 channels on the vendor's grid with a ramp of force, and units with these trains."""
    rng = np.random.default_rng(4)
    recording = Recording(
        rng.standard_normal((64, N_SAMPLES)) * 1e-4,
        RATE,
        ElectrodeArray.from_code("GR08MM1305"),
        {"force": np.linspace(0, 20, N_SAMPLES), "trigger": np.arange(N_SAMPLES) % 2.0},
    )
    spikes = SpikeTrains(trains, RATE, N_SAMPLES)
    if not sources:
        return Contents(recording=recording, spikes=spikes)
    found = Decomposition(
        spikes,
        rng.standard_normal((len(spikes), N_SAMPLES)),
        np.zeros((len(spikes), 64, 10)),
        Table({"sil": np.linspace(0.9, 0.99, len(spikes)), "accepted": np.ones(len(spikes), dtype=bool)}),
    )
    return Contents(recording=recording, decomposition=found)


TRAINS = {
    "three units": ([500, 700, 950, 7900], [1000, 1200, 1500], [3000, 3210, 3400, 3650]),
    "a unit without spikes": ([500, 700, 950], [], [3000, 3210]),
    "one unit": ([500, 700, 950],),
    "no unit": (),
}


@pytest.mark.parametrize("sources", [True, False])
@pytest.mark.parametrize("trains", TRAINS.values(), ids=TRAINS.keys())
def test_what_muemg_writes_is_opened_and_analysed(openhdemg, tmp_path, trains, sources):
    ours = scene(trains, sources=sources)
    muemg.write(tmp_path / "ours.json", ours)
    openhdemg("analyse", tmp_path / "ours.json", tmp_path / "said.json", tmp_path / "theirs.json")
    said = json.loads((tmp_path / "said.json").read_text())
    n_units = len(trains)
    assert (said["source"], said["fsamp"], said["ied"]) == ("CUSTOMCSV", RATE, 8.0)
    assert (said["n_units"], said["length"]) == (n_units, N_SAMPLES)
    assert said["shapes"]["RAW_SIGNAL"] == [N_SAMPLES, 64]
    assert said["integer_columns"]
    assert said["mupulses"] == [list(train) for train in trains]
    signal = ours.recording.signal
    # written with 10 decimals of a microvolt
    np.testing.assert_allclose(said["first_channel"], signal[0] * 1e6, rtol=1e-6)
    if n_units:
        assert said["binary_sums"] == [len(train) for train in trains]
        assert said["shapes"]["IPTS"] == [N_SAMPLES if sources else 0, n_units]
        assert said["shapes"]["ACCURACY"] == [n_units, 1]
    if sources and n_units:
        np.testing.assert_allclose(said["accuracy"], ours.decomposition.quality["sil"], rtol=1e-9)

    for train, rates, start, stop in zip(trains, said["idr"], said["recruitment"], said["derecruitment"]):
        expected = RATE / np.diff(train)
        np.testing.assert_allclose(rates[1:], expected, rtol=1e-9)
        force = ours.recording.auxiliary["force"]
        if len(train):  # mean force at the first, and the last, discharge
            np.testing.assert_allclose([start, stop], [force[train[0]], force[train[-1]]], rtol=1e-6)
        else:
            assert (start, stop) == (None, None)
    assert len(said["idr"]) == len(said["recruitment"]) == n_units

    # The electrode of the second column, third row, by the layout that both packages claim for the vendor's
    # grid.
    index = ours.recording.electrodes.grid_index
    channel = int(np.flatnonzero((index == (2, 1)).all(axis=1))[0])
    half = 51
    for train, average, corner in zip(trains, said["sta"], said["sta_missing_corner"]):
        windows = [signal[channel, sample - half : sample + half] for sample in train]
        expected = np.mean(windows, axis=0) * 1e6 if windows else np.zeros(2 * half)
        np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-4)
        assert corner == [None] * (2 * half)
    assert len(said["sta"]) == n_units

    back = muemg.read(tmp_path / "theirs.json")
    np.testing.assert_allclose(back.recording.signal, signal, rtol=1e-6)
    np.testing.assert_allclose(
        back.recording.auxiliary["force"], ours.recording.auxiliary["force"], atol=1e-9
    )
    np.testing.assert_array_equal(back.recording.auxiliary["trigger"], ours.recording.auxiliary["trigger"])
    if not n_units:
        assert back.parts == ("recording",)
        return
    assert [train.tolist() for train in back.spike_trains()] == [list(train) for train in trains]
    if sources:
        np.testing.assert_allclose(back.decomposition.sources, ours.decomposition.sources, atol=1e-6)
        np.testing.assert_allclose(
            back.decomposition.quality["sil"], ours.decomposition.quality["sil"], rtol=1e-9
        )


def test_a_recording_alone(openhdemg, tmp_path):
    recording = Recording(np.random.default_rng(0).standard_normal((5, 1000)) * 1e-4, 1000.0)
    muemg.write(tmp_path / "ours.json", recording)
    openhdemg("analyse", tmp_path / "ours.json", tmp_path / "said.json", tmp_path / "theirs.json")
    back = muemg.read(tmp_path / "theirs.json").require("recording")
    np.testing.assert_allclose(back.signal, recording.signal, rtol=1e-6)
    assert back.sampling_rate == 1000.0
    assert back.metadata["interelectrode_distance_mm"] is None


def test_what_it_saves_after_deleting_every_unit_opens_here(openhdemg, tmp_path):
    muemg.write(tmp_path / "ours.json", scene(TRAINS["three units"], sources=True))
    openhdemg("delete-all", tmp_path / "ours.json", tmp_path / "theirs.json")
    assert muemg.read(tmp_path / "theirs.json").parts == ("recording",)


def test_its_own_sample_file_opens_here_as_the_same_recording(openhdemg, tmp_path):
    openhdemg("sample", tmp_path / "theirs.json")
    theirs = muemg.read(tmp_path / "theirs.json")
    assert theirs.recording.metadata["source"] == "openhdemg (OTB)"
    try:
        real = muemg.datasets.vastus_lateralis()
    except DownloadError as error:
        pytest.skip(str(error))
    np.testing.assert_allclose(theirs.recording.signal, real.recording.signal, rtol=1e-6)
    np.testing.assert_allclose(
        theirs.recording.auxiliary["force"], real.recording.auxiliary["force"], rtol=1e-6
    )
    # It moves the vendor's firings 8 samples earlier, onto the peaks of the sources; here the sources are
    # moved.
    for earlier, train in zip(theirs.decomposition.spikes, real.spikes):
        np.testing.assert_array_equal(earlier + 8, train)
    np.testing.assert_allclose(
        theirs.decomposition.sources[:, :-8], real.decomposition.sources[:, 8:], rtol=0, atol=1e-9
    )
