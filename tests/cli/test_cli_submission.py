"""``muemg submission``: from files to a valid archive, and what it says otherwise."""

import json
import zipfile

import numpy as np
import pytest
from typer.testing import CliRunner

from muemg import Contents, Recording, write
from muemg.cli import app

ABOUT = ("--name", "x", "--description", "y", "--code-url", "https://example.org", "--license", "MIT")


def run(*arguments):
    result = CliRunner().invoke(app, ["submission", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def decomposition(small_scene, tmp_path):
    contents = Contents(recording=small_scene.recording, decomposition=small_scene.decomposition)
    return write(tmp_path / "recording-7_challenge-dynamic_emg.h5", contents)


def test_decompositions_become_a_valid_archive(decomposition, small_scene, tmp_path):
    target = tmp_path / "mine.zip"
    code, said = run(decomposition, "-o", target, "--runtime", 12, *ABOUT)
    assert code == 0, said
    assert "1 recordings, valid" in said
    with zipfile.ZipFile(target) as archive:
        table = archive.read("recording-7_challenge-dynamic_desc-decomposed_events.tsv").decode()
        log = json.loads(archive.read("recording-7_challenge-dynamic_desc-decomposed_log.json"))
    assert len(table.splitlines()) == 1 + small_scene.decomposition.spikes.n_spikes.sum()
    assert log["Execution"]["Runtime"] == 12.0
    assert run("--check", target)[0] == 0
    # An existing archive is not replaced unasked.
    code, said = run(decomposition, "-o", target, "--runtime", 12, *ABOUT)
    assert code == 1
    assert "--force replaces it" in said


def test_a_recording_is_decomposed_and_timed(tmp_path):
    # Noise: no unit, so that there is nothing to submit, and the message says so.
    noise = Recording(1e-6 * np.random.default_rng(0).normal(size=(4, 4000)), 2000.0)
    file = write(tmp_path / "recording-8_challenge-dynamic.h5", noise)
    few = ("--set", "n_starts=4", "--set", "n_rounds=1", "--set", "max_passes=1", "--set", "n_delays=4")
    code, said = run(file, "-o", tmp_path / "mine.zip", *few, *ABOUT)
    assert code == 1
    assert "at least one recording with a discharge" in said


def test_what_is_missing_is_named(decomposition, tmp_path):
    target = tmp_path / "mine.zip"
    assert "--output FILE.zip says where to write" in run(decomposition)[1]
    assert "the competition requires --code-url, --license" in run(decomposition, "-o", target, *ABOUT[:4])[1]
    assert "--runtime says how long it took" in run(decomposition, "-o", target, *ABOUT)[1]
    assert not target.exists()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("notes.txt", "")
    code, said = run("--check", target)
    assert code == 1
    assert "error: notes.txt: names must end in" in said
    assert "not valid" in said
