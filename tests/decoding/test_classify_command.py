"""From files of trials to an accuracy, as a person does it on a terminal."""

import numpy as np
import pytest
from typer.testing import CliRunner

from muemg import Contents, Recording, SpikeTrains, write
from muemg.cli import app
from muemg.decoding import read_windows
from muemg.errors import FileFormatError, InvalidArgumentError


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Eight trials of two tasks; a unit each that fires at 20 Hz, the other one at 5 Hz."""
    folder = tmp_path_factory.mktemp("trials")
    rng = np.random.default_rng(0)
    for trial in range(8):
        rates = (20, 5) if trial % 2 else (5, 20)
        trains = tuple(np.flatnonzero(rng.random(2000) < rate / 1000) for rate in rates)
        file = folder / f"{trial}.h5"
        signal = 1e-6 * rng.standard_normal((2, 2000))
        write(file, Contents(recording=Recording(signal, 1000.0), spikes=SpikeTrains(trains, 1000.0, 2000)))
        task = "point" if trial % 2 else "fist"
        options = ("--kind", "counts", "--length-ms", 500, "--label", task, "--trial", trial)
        run("features", file, "-o", file.with_suffix(".csv"), *options)
    return sorted(folder.glob("*.csv"))


def test_trials_are_told_apart(tables):
    said = run("classify", *tables, "--splits", 4, "--permutations", 5).stdout.splitlines()
    assert said[0].startswith("Evaluation: accuracy 0.9") or said[0].startswith("Evaluation: accuracy 1.0")
    assert "with shuffled labels" in said[0]
    assert said[1].split() == ["label", "as", "fist", "as", "point"]
    assert [line.split()[0] for line in said[2:4]] == ["fist", "point"]


def test_tables_are_read_as_they_were_written(tables):
    windows = read_windows(tables)
    assert windows.X.shape == (8 * 31, 2)
    assert set(windows.y) == {"fist", "point"}
    assert sorted(set(windows.groups)) == list("01234567")
    assert windows.times[0] == 0.5


def test_what_is_no_such_table_is_one_line(tables, tmp_path):
    plain = tmp_path / "plain.csv"
    plain.write_text("time,count_0\n0.1,3\n")
    line = run("classify", plain, code=1).stderr.strip()
    assert "no column label, trial" in line
    assert "\n" not in line
    other = tmp_path / "other.csv"
    other.write_text("time,label,trial,count_7\n0.5,fist,9,1\n")
    with pytest.raises(InvalidArgumentError, match=r"other\.csv has count_7 instead of count_0, count_1"):
        read_windows([*tables, other])
    other.write_text("time,label,trial,count_0\n0.5,fist,9,many\n")
    with pytest.raises(FileFormatError, match="numbers"):
        read_windows([other])
    other.write_bytes(b"")
    with pytest.raises(FileFormatError, match="no comma-separated table"):
        read_windows([other])
    with pytest.raises(InvalidArgumentError, match="at least one"):
        read_windows([])
    assert "at most the 2 trials" in run("classify", *tables[:2], "--splits", 3, code=1).stderr
