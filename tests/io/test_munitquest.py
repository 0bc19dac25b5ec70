"""Submissions to the competition: what is written is valid, and each mistake is named."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from muemg import Decomposition, SpikeTrains
from muemg._table import Table
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.io import Prediction, check_submission, write_submission

FS, N = 2048.0, 20_480
NAME = "recording-001_challenge-isometric"
EVENTS, LOG = f"{NAME}_desc-decomposed_events.tsv", f"{NAME}_desc-decomposed_log.json"
METHOD = {
    "Name": "muemg fastICA",
    "Description": "Convolutive fastICA with peel-off",
    "CodeURL": "https://example.org/muemg",
    "License": "BSD-3-Clause",
}


def trains(*samples):
    return SpikeTrains(samples, FS, N, tuple("pqrst"[: len(samples)]))


@pytest.fixture
def archive(tmp_path):
    """Units of 2, 0 and 3 discharges: the silent one gets no id."""
    path = tmp_path / "submission.zip"
    write_submission(path, [Prediction(NAME, trains([20, 4096], [], [20, 30, 40]), 12.5)], METHOD)
    return path


def changed(archive, name, text=None, rename=None, further=()):
    """The archive with one file changed, renamed or removed, and some added."""
    with zipfile.ZipFile(archive) as old:
        files = {each: old.read(each).decode() for each in old.namelist()}
    content = files.pop(name)
    if rename is not None:
        files[rename] = content
    elif text is not None:
        files[name] = text(content)
    with zipfile.ZipFile(archive, "w") as new:
        for each, content in {**files, **dict(further)}.items():
            new.writestr(each, content)
    return check_submission(archive)


def test_what_is_written_is_valid_and_says_what_was_found(archive):
    result = check_submission(archive)
    assert (result.errors, result.warnings, result.recordings) == ((), (), (NAME,))
    assert result.valid
    with zipfile.ZipFile(archive) as opened:
        assert sorted(opened.namelist()) == [EVENTS, LOG]
        with opened.open(EVENTS) as stream:
            table = pd.read_table(stream)
        log = json.loads(opened.read(LOG))
    # By time, then by unit; ids from 0 without gaps; 4096 samples at 2048 Hz are 2 s.
    assert table["sample"].tolist() == [20, 20, 30, 40, 4096]
    assert table["unit_id"].tolist() == [0, 1, 1, 1, 0]
    assert table["onset"].tolist() == [20 / FS, 20 / FS, 30 / FS, 40 / FS, 2.0]
    assert (table["duration"] == 0).all()
    assert (table["event_type"] == "motor-unit-spike").all()
    assert (table["description"] == "motor-unit-spike").all()
    assert table["sample"].dtype == table["unit_id"].dtype == np.int64
    assert log["GeneratedBy"][0]["CodeURL"] == METHOD["CodeURL"]
    assert isinstance(log["Execution"]["Runtime"], float)
    assert set(log["RuntimeEnvironment"]) >= {"CPU", "GPU", "RAM_GB"}


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    for name in ("a.zip", "b.zip"):
        # an integer of seconds becomes the decimal number that the validator wants
        predictions = [Prediction(f"{NAME}_emg.edf", trains([1, 2]), 3)]
        write_submission(tmp_path / name, predictions, METHOD, environment={"CPU": "one"})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert check_submission(tmp_path / "a.zip").valid


@pytest.mark.parametrize(
    "file",
    [f"{NAME}_emg.edf", f"{NAME}.h5", f"/somewhere/{NAME}_emg.h5", f"{NAME}_desc-decomposed_events.tsv"],
)
def test_the_recording_is_known_by_the_name_of_its_file(file):
    assert Prediction(file, trains([1]), 1.0).recording == NAME


def test_recordings_without_discharges_are_left_out(tmp_path):
    nothing = Decomposition(trains(), np.zeros((0, N)), np.zeros((0, 1, 3)), Table({"sil": []}))
    predictions = [Prediction("recording-2", nothing, 1.0), Prediction(NAME, trains([5]), 1.0)]
    assert write_submission(tmp_path / "s.zip", predictions, METHOD) == ("recording-2",)
    assert check_submission(tmp_path / "s.zip").recordings == (NAME,)
    with pytest.raises(InvalidArgumentError, match="at least one recording with a discharge"):
        write_submission(tmp_path / "s.zip", predictions[:1], METHOD)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\t20\t0\t", "\t20\t5\t", "unit ids must be 0 to 2 without gaps, got 0, 1, 5"),
        ("\t20\t0\t", "\t20.0\t0\t", "line 2: sample must be an integer ≥ 0, got '20.0'"),
        ("\t20\t0\t", "\t20\tx\t", "line 2: unit_id must be an integer ≥ 0, got 'x'"),
        ("\t0\t30\t", "\t0.1\t30\t", "line 4: duration must be 0, got '0.1'"),
        ("2.0\t", "-2.0\t", "line 6: onset must be a number of seconds ≥ 0, got '-2.0'"),
        ("2.0\t", "nan\t", "line 6: onset must be a number of seconds ≥ 0, got 'nan'"),
        ("\t30\t", "\t40\t", "line 5: unit 1 discharges twice at sample 40"),
        ("2.0\t0", "2.0", "line 6 has 5 cells instead of 6"),
        ("event_type", "type", "columns missing: event_type"),
        ("-spike", "-burst", "there is no motor-unit-spike; leave the recording out instead"),
    ],
)
def test_mistakes_in_the_table_are_named(archive, old, new, said):
    result = changed(archive, EVENTS, lambda text: text.replace(old, new))
    assert result.errors == (f"{EVENTS}: {said}",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda log: log["Execution"].update(Runtime=50), "with a decimal point, got 50"),
        (lambda log: log["Execution"].update(Runtime=-1.0), "Execution.Runtime must be seconds > 0"),
        (lambda log: log.pop("Execution"), "Execution.Runtime must be seconds > 0"),
        (lambda log: log.pop("RuntimeEnvironment"), "RuntimeEnvironment must be an object"),
        (lambda log: log["GeneratedBy"][0].update(License="n/a"), "GeneratedBy must say License"),
        (lambda log: log["GeneratedBy"][0].pop("CodeURL"), "GeneratedBy must say CodeURL"),
        (lambda log: log.update(GeneratedBy=log["GeneratedBy"][0]), "GeneratedBy must be a list"),
    ],
)
def test_mistakes_in_the_log_are_named(archive, change, said):
    def edit(text):
        log = json.loads(text)
        change(log)
        return json.dumps(log)

    (error,) = changed(archive, LOG, edit).errors
    assert error.startswith(f"{LOG}: ")
    assert said in error


def test_what_is_only_recommended_is_a_warning(archive):
    def edit(text):
        log = json.loads(text)
        del log["GeneratedBy"][0]["Container"]
        return json.dumps(log)

    result = changed(archive, LOG, edit)
    assert result.valid
    assert result.warnings == (f"{LOG}: GeneratedBy should say Container",)


def test_wrong_files_are_named(archive, tmp_path):
    result = changed(archive, EVENTS, rename=f"folder/{EVENTS}")
    assert f"folder/{EVENTS}: files must lie at the root of the archive, in no folder" in result.errors
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(FileFormatError, match=r"cannot read .* as a zip archive"):
        check_submission(tmp_path / "text.zip")


def test_a_table_needs_its_log_and_a_log_its_table(archive):
    assert changed(archive, LOG).errors == (f"{EVENTS}: there is no {LOG}",)
    result = changed(archive, EVENTS, further={LOG: "{}", "notes.txt": ""}.items())
    assert result.errors[:2] == (
        f"{LOG}: there is no {EVENTS}",
        "notes.txt: names must end in _desc-decomposed_events.tsv or _desc-decomposed_log.json",
    )


def test_wrong_arguments_are_refused(tmp_path):
    one = Prediction(NAME, trains([1]), 1.0)
    with pytest.raises(InvalidArgumentError, match=r"path must end in \.zip"):
        write_submission(tmp_path / "s.tar", [one], METHOD)
    with pytest.raises(InvalidArgumentError, match=f"predictions hold {NAME} twice"):
        write_submission(tmp_path / "s.zip", [one, one], METHOD)
    with pytest.raises(InvalidArgumentError, match="generated_by must say CodeURL, License"):
        write_submission(tmp_path / "s.zip", [one], {"Name": "x", "Description": "y", "License": " "})
    with pytest.raises(InvalidArgumentError, match="got Author"):
        write_submission(tmp_path / "s.zip", [one], {**METHOD, "Author": "me"})
    with pytest.raises(InvalidArgumentError, match="runtime must be a finite number > 0 s"):
        Prediction(NAME, trains([1]), 0)
    with pytest.raises(InvalidArgumentError, match="recording must be a name"):
        Prediction("a b", trains([1]), 1)
