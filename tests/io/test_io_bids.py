"""EMG-BIDS: folders that the official validator passes, and folders of other people read as they are."""

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import edfio
import numpy as np
import pytest

import muemg
from forward_models import ElectrodeArray
from muemg import Contents, Decomposition, Recording, Simulation, SpikeTrains, Table
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.io import OutputError, bids_recordings, read_bids, write_bids

RATE, N_SAMPLES = 2000.0, 6000


@pytest.fixture
def contents(small_scene):
    recording = replace(
        small_scene.recording,
        auxiliary={**small_scene.recording.auxiliary, "trigger": np.arange(12_000) % 2.0},
    )
    return Contents(recording=recording, spikes=small_scene.spikes, decomposition=small_scene.decomposition)


@pytest.fixture
def simulated(small_scene):
    table = Table({"depth": [5e-3, 8e-3, 12e-3]})
    muaps = np.nan_to_num(small_scene.decomposition.muaps)
    truth = replace(small_scene.spikes, samples=(*small_scene.spikes.samples[:2], np.zeros(0, dtype=int)))
    scenario = {"description": "made up", "amplifier": {"montage": "monopolar"}}
    parameters = {"scenario": scenario, "seed": 3, "versions": {"muemg": "0"}, "step": float("nan")}
    return Simulation(small_scene.recording, truth, muaps, table, 20, parameters)


def errors_of(folder: Path) -> list[dict]:
    """What the official validator calls errors in a dataset and in its derivatives."""
    if importlib.util.find_spec("bids_validator_deno") is None:
        pytest.skip("did not run: the BIDS validator (bids-validator-deno) is not installed")
    command = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run(
        [str(command), str(folder), "--recursive", "--max-rows", "-1", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr[-2000:]
    said = json.loads(done.stdout)
    every = [said, *said.get("derivativesSummary", {}).values()]
    return [issue for one in every for issue in one["issues"]["issues"] if issue["severity"] == "error"]


def test_the_official_validator_passes_what_is_written_and_not_what_is_broken(tmp_path, contents, simulated):
    folder = muemg.write(tmp_path / "data", simulated)
    write_bids(folder, contents, subject="P7", session="2", task="ramp", run="01", participant={"age": 31})
    bare = Recording(contents.recording.signal, RATE, channel_names=tuple("abcdefgü"))
    write_bids(folder, bare, subject="02", task="rest", acquisition="x", recording="arm", data_format="edf")
    assert errors_of(folder) == []
    # The check can fail: a required key of the sidecar is missing.
    sidecar = folder / "sub-01/emg/sub-01_task-contraction_emg.json"
    said = json.loads(sidecar.read_text())
    del said["EMGReference"]
    sidecar.write_text(json.dumps(said))
    assert [issue["subCode"] for issue in errors_of(folder)] == ["EMGReference"]


def test_a_recording_comes_back_with_all_that_belongs_to_it(tmp_path, contents):
    muemg.write(tmp_path / "data", contents)
    back = muemg.read(tmp_path / "data")
    assert back.format == "bids"
    ours, theirs = contents.recording, back.recording
    step = np.ptp(ours.signal.astype(np.float64), axis=1) / (2**24 - 1)
    assert np.all(np.abs(theirs.signal.astype(np.float64) - ours.signal).max(axis=1) <= step)
    assert theirs.electrodes == ours.electrodes
    assert (theirs.channel_names, theirs.sampling_rate) == (ours.channel_names, ours.sampling_rate)
    np.testing.assert_allclose(theirs.auxiliary["force"], ours.auxiliary["force"], atol=20 / (2**24 - 1))
    assert theirs.metadata["muscle"] == "a <made-up> muscle"
    assert theirs.metadata["auxiliary_units"]["force"] == "% MVC"
    assert theirs.metadata["channel_status"] == {"5": "clipped: 2.0% of the samples"}
    assert back.spikes == contents.spikes
    found = back.decomposition
    assert found.spikes == contents.decomposition.spikes
    assert found.quality == contents.decomposition.quality
    assert found.excluded_channels == contents.decomposition.excluded_channels
    np.testing.assert_array_equal(np.flatnonzero(found.sources[1]), found.spikes[1])
    assert "discharges only" in found.notes[-1]


def test_a_simulation_keeps_its_silent_units_and_its_scenario(tmp_path, simulated):
    muemg.write(f"{tmp_path}/data.v1/", simulated)
    back = muemg.read(tmp_path / "data.v1")
    assert back.spikes == simulated.spikes
    assert back.recording.metadata["simulation"]["seed"] == 3
    assert back.recording.metadata["simulation"]["step"] is None, "JSON has no not-a-number"
    rows = (tmp_path / "data.v1/sub-01/emg/sub-01_task-contraction_events.tsv").read_text().splitlines()
    assert rows[0] == "onset\tduration\tsample\tunit_id\tevent_type"
    assert len(rows) == 1 + simulated.spikes.n_spikes.sum()
    onsets = [float(row.split("\t")[0]) for row in rows[1:]]
    assert onsets == sorted(onsets)


def test_what_was_read_is_written_again_under_its_labels(tmp_path, contents):
    write_bids(tmp_path / "a", contents, subject="P7", session="2", task="ramp", run="01")
    first = muemg.read(tmp_path / "a")
    muemg.write(tmp_path / "b", first)
    second = muemg.read(tmp_path / "b")
    assert [file.name for file in bids_recordings(tmp_path / "b")] == [
        "sub-P7_ses-2_task-ramp_run-01_emg.bdf"
    ]
    assert second.recording.metadata == first.recording.metadata
    assert (second.spikes, second.decomposition) == (first.spikes, first.decomposition)


def test_same_input_same_bytes(tmp_path, contents):
    def tree(folder):
        return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    assert tree(muemg.write(tmp_path / "a", contents)) == tree(muemg.write(tmp_path / "b", contents))


# ---------------------------------------------------------------------- adding, replacing, refusing


def test_recordings_are_added_and_one_of_the_same_name_is_replaced(tmp_path, contents):
    folder = write_bids(tmp_path / "data", contents, subject="01", task="a", participant={"age": 31})
    (folder / "README.md").write_text("my own words " * 20)
    write_bids(folder, contents, subject="01", task="b")
    moved = ElectrodeArray.grid(2, 4, 5e-3)
    write_bids(folder, replace(contents.recording, electrodes=moved), subject="01", task="c")
    write_bids(folder, contents, subject="02", task="a", participant={"sex": "f"})
    assert (folder / "participants.tsv").read_text().splitlines() == [
        "participant_id\tage\tsex",
        "sub-01\t31\tn/a",
        "sub-02\tn/a\tf",
    ]
    assert (folder / "README.md").read_text().startswith("my own words")
    # One table of electrodes serves the session, except where they lay elsewhere.
    assert read_bids(folder, subject="01", task="b").recording.electrodes == contents.recording.electrodes
    assert read_bids(folder, task="c").recording.electrodes == moved
    assert len(list(folder.rglob("sub-01*_electrodes.tsv"))) == 2
    assert read_bids(folder, subject="02").recording.metadata["participant"] == {"sex": "f"}
    # The same name again, now without events and as EDF: nothing of the older one is left.
    write_bids(folder, contents.recording, subject="02", task="a", data_format="edf")
    back = read_bids(folder, subject="02")
    assert (back.spikes, back.decomposition) == (None, None)
    assert [file.suffix for file in bids_recordings(folder / "sub-02")] == [".edf"]
    assert not [file for file in folder.rglob("*") if file.name.startswith(".")]


def test_several_recordings_are_listed(tmp_path, contents):
    for subject in ("01", "02"):
        write_bids(tmp_path / "data", contents, subject=subject, task="a")
    with pytest.raises(FileFormatError, match=r"2 of 2 match no label \(sub-01_task-a_emg\.bdf, sub-02"):
        muemg.read(tmp_path / "data")
    with pytest.raises(FileFormatError, match=r"0 of 2 match subject 03 \(sub-01_task-a"):
        read_bids(tmp_path / "data", subject="03")
    assert muemg.read(tmp_path / "data" / "sub-02").recording.metadata["bids_entities"]["subject"] == "02"
    by_file = muemg.read(bids_recordings(tmp_path / "data")[1])
    assert (by_file.format, by_file.spikes) == ("bids", contents.spikes)
    with pytest.raises(FileFormatError, match="there is no such folder"):
        bids_recordings(tmp_path / "nowhere")


def test_a_failure_leaves_nothing_or_what_was_there(tmp_path, contents):
    broken = replace(contents.recording, auxiliary={"force": np.full(12_000, np.nan)})
    with pytest.raises(InvalidArgumentError, match="auxiliary track 'force'"):
        muemg.write(tmp_path / "data", broken)
    assert not list(tmp_path.iterdir())
    folder = muemg.write(tmp_path / "data", contents)
    before = sorted(folder.rglob("*"))
    with pytest.raises(InvalidArgumentError, match="auxiliary track 'force'"):
        muemg.write(folder, broken)
    assert sorted(folder.rglob("*")) == before
    assert muemg.read(folder).spikes == contents.spikes


def test_a_folder_of_somebody_else_is_not_touched(tmp_path, contents):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="it exists and is not an empty folder"):
        muemg.write(tmp_path / "mine", contents)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="it exists and is not an empty folder"):
        muemg.write(tmp_path / "file", contents)
    with pytest.raises(OutputError, match="No such file or directory"):
        muemg.write(tmp_path / "no" / "where", contents)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "empty").mkdir()
    assert muemg.read(muemg.write(tmp_path / "empty", contents)).spikes == contents.spikes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"subject": "P_7"}, "subject must be made of letters and digits"),
        ({"task": "../x"}, "task must be made of letters and digits"),
        ({"run": "two"}, "run must be made of digits"),
        ({"session": ""}, "session must be made of letters and digits"),
    ],
)
def test_labels_must_be_names(tmp_path, contents, labels, message):
    with pytest.raises(InvalidArgumentError, match=message):
        write_bids(tmp_path / "data", contents, **labels)
    with pytest.raises(InvalidArgumentError, match="must hold a recording"):
        write_bids(tmp_path / "data", contents.spikes)
    with pytest.raises(InvalidArgumentError, match="data_format must be one of 'bdf', 'edf'"):
        write_bids(tmp_path / "data", contents, data_format="vhdr")


# ---------------------------------------------------------------------- folders of other people


def tsv(path: Path, text: str) -> None:
    """A table written with spaces for people, and tabs for the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join("\t".join(line.split()) for line in text.strip().splitlines()) + "\n")


def theirs(folder: Path, labels=("E1", "E2", "E3", "E4"), unit="", stem="sub-01_task-x", extra=()) -> Path:
    """A data file alone: sines of 100, 200, … in the given unit."""
    times = np.arange(N_SAMPLES) / RATE
    signals = [
        edfio.EdfSignal(
            100.0 * (i + 1) * np.sin(2 * np.pi * 20 * times), RATE, label=label, physical_dimension=unit
        )
        for i, label in enumerate(labels)
    ]
    file = folder / stem.split("_")[0] / "emg" / f"{stem}_emg.edf"
    file.parent.mkdir(parents=True, exist_ok=True)
    edfio.Edf([*signals, *extra]).write(file)
    return file


def test_a_data_file_without_any_sidecar(tmp_path):
    file = theirs(tmp_path, unit="mV")
    for path in (tmp_path, tmp_path / "sub-01", file):
        recording = muemg.read(path).recording
        assert recording.channel_names == ("E1", "E2", "E3", "E4")
        assert np.abs(recording.signal[1]).max() == pytest.approx(0.2, rel=1e-4)
        assert recording.electrodes is None


def test_units_and_types_of_channels_tsv(tmp_path):
    force = edfio.EdfSignal(np.linspace(0, 9, N_SAMPLES), RATE, label="load cell")
    file = theirs(tmp_path, extra=[force])
    table = """
        name      type units status status_description target_muscle
        E1        EMG  mV    good   n/a    tibialis
        E2        EMG  V     bad    loose  tibialis
        E3        emg  uV    n/a    n/a    tibialis
        E4        ECG  uV    n/a    n/a    n/a
    """
    tsv(file.with_name("sub-01_task-x_channels.tsv"), table)
    path = file.with_name("sub-01_task-x_channels.tsv")
    path.write_text(path.read_text() + "load cell\tMISC\tN\tn/a\tn/a\tn/a\r\n", newline="")
    recording = muemg.read(tmp_path).recording
    assert recording.channel_names == ("E1", "E2", "E3")
    np.testing.assert_allclose(np.abs(recording.signal).max(axis=1), [0.1, 200, 3e-4], rtol=1e-4)
    assert list(recording.auxiliary) == ["E4", "load cell"]
    assert recording.metadata["auxiliary_units"] == {"E4": "uV", "load cell": "N"}
    assert recording.metadata["channel_status"] == {"E2": "loose"}
    assert recording.metadata["muscle"] == "tibialis"


def test_the_header_knows_the_unit_of_its_numbers_better(tmp_path):
    # Programs that hold everything in volts write V into channels.tsv and microvolts into the file.
    file = theirs(tmp_path, unit="uV")
    rows = "\n".join(f"E{i} EMG V" for i in (1, 2, 3, 4))
    tsv(file.with_name("sub-01_task-x_channels.tsv"), "name type units\n" + rows)
    recording = muemg.read(tmp_path).recording
    assert np.abs(recording.signal[0]).max() == pytest.approx(1e-4, rel=1e-4)
    assert "channels.tsv says 'V'" in recording.metadata["units"]


def test_sidecars_are_inherited_and_the_nearest_counts(tmp_path):
    for stem in ("sub-01_task-x", "sub-01_task-y", "sub-02_task-x"):
        theirs(tmp_path, stem=stem)
    (tmp_path / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.11.0"}')
    (tmp_path / "emg.json").write_text('{"PowerLineFrequency": 50, "Manufacturer": "A"}')
    (tmp_path / "task-x_emg.json").write_text('{"TaskName": "x"}')
    (tmp_path / "sub-01" / "sub-01_emg.json").write_text('{"Manufacturer": "B"}')
    rows = "\n".join(f"E{i} EMG mV" for i in (1, 2, 3, 4))
    tsv(tmp_path / "channels.tsv", "name type units\n" + rows)
    tsv(tmp_path / "sub-01/emg/sub-01_task-y_channels.tsv", "name type units\n" + rows.replace("mV", "uV"))
    tsv(tmp_path / "participants.tsv", "participant_id age sex\nsub-01 n/a f\nsub-02 40 n/a")
    one = read_bids(tmp_path, subject="01", task="x").recording
    assert one.metadata["bids"] == {"PowerLineFrequency": 50, "Manufacturer": "B", "TaskName": "x"}
    assert one.metadata["participant"] == {"sex": "f"}
    assert np.abs(one.signal[0]).max() == pytest.approx(0.1, rel=1e-4)
    two = read_bids(tmp_path, task="y").recording
    assert np.abs(two.signal[0]).max() == pytest.approx(1e-4, rel=1e-4)
    assert "TaskName" not in two.metadata["bids"]
    assert read_bids(tmp_path, subject="02").recording.metadata["bids"]["Manufacturer"] == "A"


GRID = """
    name x y group coordinate_system
    E1   0 0 g1    grid
    E2   8 0 g1    grid
    E3   0 8 g1    grid
    E4   8 8 g1    grid
    R    0 99 n/a  grid
"""


def write_grid(folder, units="mm", table=GRID, **more):
    theirs(folder, unit="uV")
    tsv(folder / "sub-01/emg/sub-01_electrodes.tsv", table)
    system = {"EMGCoordinateSystem": "Other", "EMGCoordinateUnits": units, **more}
    (folder / "sub-01/emg/sub-01_space-grid_coordsystem.json").write_text(json.dumps(system))


def test_a_drawing_of_a_grid_in_millimetres(tmp_path):
    write_grid(tmp_path, EMGCoordinateSystemDescription="on the skin")
    recording = muemg.read(tmp_path).recording
    array = recording.electrodes
    # Two coordinates are the plane of the grid: x across, y along the fibres (the z axis here).
    np.testing.assert_allclose(array.positions, np.array([[0, 0, 0], [8, 0, 0], [0, 0, 8], [8, 0, 8]]) * 1e-3)
    np.testing.assert_array_equal(array.grid_index, [[0, 0], [0, 1], [1, 0], [1, 1]])
    assert array.name == "g1"
    assert recording.metadata["coordinate_system"] == "on the skin"


@pytest.mark.parametrize("units", ["percent", "n/a"])
def test_places_that_are_no_lengths_are_left_out_and_said(tmp_path, units):
    write_grid(tmp_path, units)
    recording = muemg.read(tmp_path).recording
    assert recording.electrodes is None
    assert "not known in metres" in recording.metadata["electrodes"]


def test_a_place_that_is_not_available_is_said(tmp_path):
    write_grid(tmp_path, table=GRID.replace("E3   0 8", "E3 n/a n/a"))
    assert "'E3'" in muemg.read(tmp_path).recording.metadata["electrodes"]


def test_two_devices_hang_on_one_parent(tmp_path):
    table = """
        name x y z group coordinate_system
        E1   0 0 0 g1    one
        E2   8 0 0 g1    one
        E1   0 0 0 g2    two
        E2   5 0 0 g2    two
    """
    file = theirs(tmp_path, unit="uV", labels=("a1", "a2", "b1", "b2"))
    tsv(
        file.with_name("sub-01_task-x_channels.tsv"),
        "name type units signal_electrode group\n"
        "a1 EMG uV E1 g1\na2 EMG uV E2 g1\nb1 EMG uV E1 g2\nb2 EMG uV E2 g2",
    )
    tsv(file.with_name("sub-01_electrodes.tsv"), table)
    base = {"EMGCoordinateSystem": "Other", "EMGCoordinateUnits": "mm"}
    systems = {
        "one": {
            **base,
            "ParentCoordinateSystem": "leg",
            "AnchorElectrode": "E1",
            "AnchorCoordinates": [1, 2, 3],
        },
        "two": {
            **base,
            "ParentCoordinateSystem": "leg",
            "AnchorElectrode": "E2",
            "AnchorCoordinates": [4, 0, 0],
        },
        "leg": {**base, "EMGCoordinateUnits": "cm"},
    }
    for name, system in systems.items():
        file.with_name(f"sub-01_space-{name}_coordsystem.json").write_text(json.dumps(system))
    recording = muemg.read(tmp_path).recording
    expected = [[10, 20, 30], [18, 20, 30], [35, 0, 0], [40, 0, 0]]
    np.testing.assert_allclose(recording.electrodes.positions, np.array(expected) * 1e-3, atol=1e-12)
    assert recording.metadata["groups"] == ["g1", "g1", "g2", "g2"]
    file.with_name("sub-01_space-leg_coordsystem.json").unlink()
    assert muemg.read(tmp_path).recording.electrodes is None


def test_discharges_of_other_people_and_other_events(tmp_path):
    file = theirs(tmp_path, unit="uV")
    events = file.with_name("sub-01_task-x_events.tsv")
    tsv(
        events,
        "onset duration unit_id trial_type\n0.0100 0 10 n/a\n0.5 1.5 n/a hold\n0.0105 0 2 n/a\n1.2 0 10 n/a",
    )
    back = muemg.read(tmp_path)
    assert back.spikes == SpikeTrains(([21], [20, 2400]), RATE, N_SAMPLES, (2, 10))
    assert back.recording.metadata["events"] == [
        {"onset": "0.5", "duration": "1.5", "unit_id": "n/a", "trial_type": "hold"}
    ]
    # A column of samples that counts from 1 contradicts the onsets, and these are what BIDS defines.
    tsv(events, "onset duration sample unit_id\n0.0100 0 21 a\n0.0200 0 41 a")
    assert muemg.read(tmp_path).spikes == SpikeTrains(([20, 40],), RATE, N_SAMPLES, ("a",))
    # Onsets of three decimals round; the samples beside them are exact.
    tsv(events, "onset duration sample unit_id\n0.010 0 20 a\n0.021 0 41 a")
    assert muemg.read(tmp_path).spikes == SpikeTrains(([20, 41],), RATE, N_SAMPLES, ("a",))
    tsv(events, "onset duration trial_type\n0.5 1 rest")
    assert muemg.read(tmp_path).spikes is None


def test_a_decomposition_of_another_program(tmp_path):
    file = theirs(tmp_path, unit="uV")
    table = (
        "onset duration sample unit_id event_type\n0.01 0 20 0 motor-unit-spike\n0.02 0 40 1 motor-unit-spike"
    )
    for name in ("cbss", "scd"):
        path = tmp_path / "derivatives" / name / "sub-01/emg/sub-01_task-x_desc-decomposed_events.tsv"
        tsv(path, table)
    assert muemg.read(file).recording.metadata["derivatives"] == ["cbss", "scd"]
    shutil.rmtree(tmp_path / "derivatives" / "scd")
    found = muemg.read(file).decomposition
    assert found.spikes == SpikeTrains(([20], [40]), RATE, N_SAMPLES)
    assert found.parameters["method"] == "derivatives/cbss"


# ---------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("channels.tsv", "name\ttype\tunits\nE1\tEMG\n", r"channels\.tsv, line 2 must have 3 cells.*got 2"),
        ("channels.tsv", "label\ttype\nE1\tEMG\n", "no column name"),
        ("channels.tsv", "name\tname\n", "names a column twice"),
        ("channels.tsv", "", "is empty"),
        ("channels.tsv", "name\ttype\nE1\tEEG\nE2\tEEG\nE3\tEEG\nE4\tEEG\n", "no channel is of type EMG"),
        ("channels.tsv", "name\ttype\nE1\tEMG\nX9\tEMG\n", "names 'X9', which the file does not hold"),
        ("channels.tsv", b"name\ttype\n\xff\xfe\n", "cannot be read as a table"),
        ("emg.json", "{", "cannot be read as JSON"),
        ("emg.json", "[1]", "must hold a JSON object"),
        ("electrodes.tsv", "name\tx\nE1\t0\n", "no column y"),
        ("events.tsv", "onset\tduration\tunit_id\nn/a\t0\t1\n", "onset in .* must be a number"),
        ("events.tsv", "onset\tduration\tunit_id\n99\t0\t1\n", r"unit 1 discharges at 99 s.*lasts 3 s"),
        ("events.tsv", "onset\tduration\tunit_id\n-1\t0\t1\n", "discharges at -1 s"),
        ("emg.edf", b"%PDF", "neither EDF nor BDF"),
        ("emg.edf", b"0       " + b" " * 300, "neither EDF nor BDF"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, text, message):
    file = theirs(tmp_path, unit="uV")
    bad = file.with_name(f"sub-01_task-x_{name}")
    bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileFormatError, match=message):
        muemg.read(tmp_path)


def test_damaged_sidecars_never_give_another_error(tmp_path, contents):
    short = contents.recording.time_slice(1.0, 1.3)
    spikes = SpikeTrains(([3, 300], [], [40]), RATE, short.n_samples)
    table = Table({"sil": [0.9, np.nan, 0.8], "accepted": [True, True, False]})
    found = Decomposition(spikes, np.zeros((3, short.n_samples)), np.zeros((3, 8, 0)), table)
    muemg.write(tmp_path / "good", Contents(recording=short, spikes=spikes, decomposition=found))
    rng, n_refused = np.random.default_rng(2), 0
    files = [
        file.relative_to(tmp_path / "good")
        for file in sorted((tmp_path / "good").rglob("*"))
        if file.suffix in (".tsv", ".json")
    ]
    shutil.copytree(tmp_path / "good", tmp_path / "bad")
    for trial in range(250):
        name = files[trial % len(files)]
        whole = (tmp_path / "good" / name).read_bytes()
        damaged = bytearray(whole)
        start = int(rng.integers(0, len(whole)))
        match trial % 3:
            case 0:
                damaged[start : start + 6] = rng.bytes(6)
            case 1:
                del damaged[start:]
            case 2:
                damaged[start : start + 4] = b"\t\n{1"
        (tmp_path / "bad" / name).write_bytes(damaged)
        try:
            muemg.read(tmp_path / "bad")
        except FileFormatError:
            n_refused += 1
        (tmp_path / "bad" / name).write_bytes(whole)
    assert n_refused > 50
