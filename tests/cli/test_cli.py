"""The command as a person uses it: what it prints, what it leaves behind, how it fails."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from muemg import Contents, Recording, __version__, read, write
from muemg.cli import app

COMMANDS = (
    "info",
    "simulate",
    "simulate-dataset",
    "decompose",
    "compare",
    "decode",
    "track",
    "features",
    "classify",
    "report",
    "convert",
    "benchmark",
    "submission",
    "demo",
)
SMALL = [
    item
    for setting in (
        "muscle.n_units=5",
        "recording.duration_s=8",
        "recording.snr_db=30",
        "muscle.most_fibres=20",
    )
    for item in ("--set", setting)
]
FEW_STARTS = ("--set", "n_starts=8", "--set", "n_rounds=2", "--set", "max_passes=1")
MUEMG = (sys.executable, "-c", "from muemg.cli import main; main()")


def run(*arguments, code=0):
    """Run in this process; the exit code is checked, what was printed is returned."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    if result.exception is not None:
        assert isinstance(result.exception, SystemExit)
    return result


def fail(*arguments):
    """The one line that a command with bad input leaves on the error stream."""
    said = run(*arguments, code=1).stderr.strip().splitlines()
    lines = [line for line in said if not line.endswith("…")]
    assert len(lines) == 1
    assert lines[0].startswith("muemg: error: ")
    return lines[0]


@pytest.fixture
def scene_file(small_scene, tmp_path):
    scene = Contents(
        recording=small_scene.recording, spikes=small_scene.spikes, decomposition=small_scene.decomposition
    )
    return write(tmp_path / "scene.h5", scene)


# ------------------------------------------------------------------ what works


def test_help_and_version():
    assert __version__ in run("--version").stdout
    text = run("--help").stdout
    for command in COMMANDS:
        assert command in text
        assert "--help" in run(command, "--help").stdout


def test_info_says_what_a_file_holds(scene_file):
    text = run("info", scene_file).stdout
    for said in (
        "muemg-hdf5",
        "8 channels × 6 s at 2000 Hz",
        "power line: none",
        "by hand",
        "0.950",
        "a note & a half",
    ):
        assert said in text


def test_info_names_bad_channels(small_scene, tmp_path):
    signal_ = np.array(small_scene.recording.signal)
    signal_[3] = 0
    file = write(tmp_path / "flat.npz", Recording(signal_, 2000.0))
    assert "bad channel 3: flat" in run("info", file).stdout


def test_convert_keeps_everything(scene_file, tmp_path, small_scene):
    run("convert", scene_file, tmp_path / "scene.npz")
    run("convert", tmp_path / "scene.npz", tmp_path / "back.h5")
    assert read(tmp_path / "back.h5") == read(scene_file)


def test_compare_prints_a_row_for_every_true_unit(scene_file):
    text = run("compare", scene_file, scene_file).stdout
    assert "3 of 3 active true units found" in text
    assert sum(line.split()[:1] in (["a"], ["b"], ["c"]) for line in text.splitlines()) == 3


def test_report_is_written_from_one_file(scene_file, tmp_path):
    page = tmp_path / "page.html"
    text = run("report", scene_file, "-o", page).stdout
    assert str(page) in text
    assert "Against the reference" in page.read_text(encoding="utf-8")


def test_simulate_takes_settings_and_a_seed(tmp_path):
    settings = (
        "--set",
        "muscle.n_units=4",
        "--set",
        "recording.duration_s=8",
        "--set",
        "muscle.most_fibres=10",
    )
    files = [tmp_path / name for name in ("a.h5", "b.h5", "c.h5")]
    for file, seed in zip(files, (1, 1, 2)):
        run("simulate", "demo-64", *settings, "--seed", seed, "-o", file)
    a, b, c = (file.read_bytes() for file in files)
    assert a == b
    assert a != c
    simulation = read(files[0]).require("simulation")
    assert len(simulation) == 4
    assert simulation.recording.duration == pytest.approx(8)


def test_decompose_writes_what_a_report_needs(tmp_path):
    scene, found, page = tmp_path / "scene.h5", tmp_path / "found.h5", tmp_path / "page.html"
    run("simulate", *SMALL, "-o", scene)
    text = run("decompose", scene, "-o", found, "--seed", 3, *FEW_STARTS).stdout
    assert str(found) in text
    contents = read(found)
    assert contents.recording == read(scene).recording
    assert contents.spikes == read(scene).spikes
    assert contents.decomposition.parameters["seed"] == 3
    assert len(contents.decomposition) >= 1
    assert "5 active true units" in run("compare", found, scene).stdout
    run("report", found, "-o", page)
    assert "reference units found" in page.read_text(encoding="utf-8")


def test_it_works_where_there_is_a_terminal(scene_file, tmp_path):
    leader, follower = pty.openpty()
    command = [*MUEMG, "report", str(scene_file), "-o", str(tmp_path / "page.html")]
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower) as process:
        os.close(follower)
        shown = b""
        try:
            while chunk := os.read(leader, 4096):
                shown += chunk
        except OSError:  # Linux says so when the other side is closed
            pass
        os.close(leader)
    assert process.returncode == 0
    assert "drawing" in shown.decode()
    assert "\x1b[" in shown.decode()


def test_a_pipe_gets_plain_text(scene_file):
    answer = subprocess.run([*MUEMG, "info", str(scene_file)], capture_output=True, check=True)
    assert b"\x1b" not in answer.stdout
    assert answer.stderr == b""


# ------------------------------------------------------------------ what must not work


def test_bad_input_is_one_line_without_traceback(tmp_path):
    lie = tmp_path / "lie.h5"
    lie.write_text("this is no HDF5")
    command = [*MUEMG, "info", str(lie)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert answer.stderr.startswith("muemg: error: cannot read")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command", [("info",), ("decompose", "-o", "x.h5"), ("report", "-o", "x.html"), ("convert", "x.h5")]
)
def test_a_file_that_is_not_there(command, tmp_path):
    head, *rest = command
    rest = [tmp_path / item if item.startswith("x") else item for item in rest]
    target = [item for item in rest if item != "-o"]
    options = ["-o", *target] if "-o" in rest else target
    assert "no such file" in fail(head, tmp_path / "nothing.h5", *options)
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file(scene_file, tmp_path):
    short = tmp_path / "short.h5"
    short.write_bytes(scene_file.read_bytes()[:20_000])
    assert "truncated or damaged" in fail("info", short)


def test_a_file_without_what_is_needed(small_scene, tmp_path):
    recording = write(tmp_path / "r.h5", small_scene.recording)
    spikes = write(tmp_path / "s.h5", small_scene.spikes)
    assert "holds no decomposition" in fail("report", recording, "-o", tmp_path / "page.html")
    assert "holds no recording" in fail("decompose", spikes, "-o", tmp_path / "d.h5")
    assert "holds no spike trains" in fail("compare", recording, spikes)


def test_every_channel_bad(tmp_path):
    file = write(tmp_path / "dead.h5", Recording(np.zeros((8, 20_000)), 2000.0))
    assert "channel" in fail("decompose", file, "-o", tmp_path / "d.h5")
    assert not (tmp_path / "d.h5").exists()


def test_outputs_that_would_destroy_or_cannot_be(scene_file, tmp_path):
    existing = tmp_path / "there.h5"
    existing.write_text("precious")
    assert "exists; --force replaces it" in fail("convert", scene_file, existing)
    assert existing.read_text() == "precious"
    run("convert", scene_file, existing, "--force")
    assert read(existing) == read(scene_file)
    assert "it is the input" in fail("convert", scene_file, scene_file, "--force")
    assert "must end in .h5" in fail("convert", scene_file, tmp_path / "x.mat")
    assert "must end in .html" in fail("report", scene_file, "-o", tmp_path / "x.pdf")
    assert "there is no folder" in fail("convert", scene_file, tmp_path / "nowhere" / "x.h5")
    (tmp_path / "folder.h5").mkdir()
    assert "it is a folder" in fail("convert", scene_file, tmp_path / "folder.h5")


def test_a_bids_folder_goes_in_and_out_and_a_simulation_is_drawn(tmp_path):
    run("simulate", *SMALL, "-o", tmp_path / "data", "--plot", tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert "bids" in run("info", tmp_path / "data").stdout
    run("convert", tmp_path / "data", tmp_path / "x.edf")
    assert read(tmp_path / "x.edf").spikes == read(tmp_path / "data").spikes
    assert "--force replaces the recording in it" in fail("convert", tmp_path / "x.edf", tmp_path / "data")
    run("convert", tmp_path / "x.edf", tmp_path / "data", "--force")
    assert "it is the input" in fail("convert", tmp_path / "data", tmp_path / "data", "--force")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").touch()
    assert "no BIDS dataset" in fail("convert", tmp_path / "x.edf", tmp_path / "mine")
    wrong = fail("simulate", *SMALL, "-o", tmp_path / "y.h5", "--plot", tmp_path / "y.tif")
    assert "must end in .png, .pdf, .svg" in wrong
    assert not (tmp_path / "y.h5").exists()


def test_simulate_names_the_setting_that_is_wrong(tmp_path):
    target = ("-o", tmp_path / "x.h5")
    assert "demo-64" in fail("simulate", "no-such-scene", *target)
    assert "drive.level" in fail("simulate", "--set", "drive.level=7", *target)
    assert "KEY=VALUE" in fail("simulate", "--set", "drive.level", *target)
    scenario = tmp_path / "scene.toml"
    scenario.write_text("[conductor]\nfat_mm = -3\n")
    assert "scene.toml, line 2" in fail("simulate", scenario, *target)
    assert "seed" in fail("simulate", "--seed", "-1", *target)


def test_unknown_method_or_parameter(scene_file, tmp_path):
    target = ("-o", tmp_path / "x.h5")
    assert "fastica" in fail("decompose", scene_file, "--method", "magic", *target)
    assert "min_silhouette" in fail("decompose", scene_file, "--set", "min_silhouete=0.8", *target)
    assert "min_silhouette" in fail("decompose", scene_file, "--set", "min_silhouette=8", *target)


def test_bad_usage_is_exit_code_2():
    assert "No such command" in run("dekompose", code=2).stderr
    assert "FILE" in run("info", code=2).stderr


def test_demo_spares_files_in_a_folder_of_ones_own(tmp_path):
    mine = tmp_path / "recording.h5"
    mine.write_text("mine")
    assert "exists" in fail("demo", "-o", tmp_path)
    assert mine.read_text() == "mine"


def test_an_interruption_is_clean(tmp_path):
    target = tmp_path / "big.h5"
    settings = ["--set", "recording.duration_s=600", "--set", "muscle.n_units=100"]
    command = [*MUEMG, "simulate", "tibialis-64", *settings, "-o", str(target)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline() == "simulating …\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.strip() == "muemg: interrupted; nothing half-written was left behind"
    assert list(Path(tmp_path).iterdir()) == []


# ------------------------------------------------------------------ the whole line


def test_demo_leaves_three_files_and_says_where(tmp_path):
    folder = tmp_path / "out"
    text = run("demo", "-o", folder, *SMALL).stdout
    assert sorted(file.name for file in folder.iterdir()) == [
        "decomposition.h5",
        "recording.h5",
        "report.html",
    ]
    for file in folder.iterdir():
        assert str(file) in text
    assert read(folder / "decomposition.h5").parts == ("recording", "spikes", "decomposition", "simulation")
    assert "true units found" in text
