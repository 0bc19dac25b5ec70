"""The commands that carry motor units to other recordings."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

import muemg
from muemg.cli import app
from tests.separation._scenes import scene

SCENE = scene(3, n_units=4, n_channels=12, duration=9.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two halves of one recording; the first with its units, but without their filters."""
    folder = tmp_path_factory.mktemp("sessions")
    recording, truth = SCENE
    first, second = recording.time_slice(0, 5), recording.time_slice(4)
    known = truth.time_slice(0, 5)
    found = muemg.decode(first, muemg.learn_filters(first, known))
    muemg.write(
        folder / "first.h5", muemg.Contents(recording=first, decomposition=replace(found, filters=None))
    )
    muemg.write(folder / "second.h5", second)
    return folder


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_decode_and_track(files):
    answer = run("decode", files / "second.h5", files / "first.h5", "-o", files / "decoded.h5")
    assert answer.exit_code == 0, answer.output
    contents = muemg.read(files / "decoded.h5")
    found = contents.require("decomposition")
    assert found.filters is not None
    assert contents.recording == muemg.read(files / "second.h5").recording
    truth = SCENE[1].time_slice(4)
    assert muemg.compare(found, truth).truth["rate_of_agreement"].min() > 0.9

    answer = run("track", files / "first.h5", files / "decoded.h5")
    assert answer.exit_code == 0, answer.output
    assert "4 motor units through 2 sessions, 4 matches" in answer.output
    assert "+0.0 mm along" in answer.output


def test_adapt_is_passed_on(files):
    answer = run("decode", files / "second.h5", files / "first.h5", "-o", files / "adapted.h5", "--adapt")
    assert answer.exit_code == 0, answer.output
    assert "adaptation" in muemg.read(files / "adapted.h5").require("decomposition").parameters


def test_what_is_missing_is_said(files, tmp_path):
    answer = run("decode", files / "second.h5", files / "second.h5", "-o", tmp_path / "x.h5")
    assert answer.exit_code == 1
    answer = run("track", files / "first.h5")
    assert answer.exit_code == 1
    assert "at least two" in answer.output
