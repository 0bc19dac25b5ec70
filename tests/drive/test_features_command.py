"""The table of features, and the command that prints and writes it."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from muemg import Contents, SpikeTrains, write
from muemg.cli import app
from muemg.drive import EMGFeatures, count_windows, feature_table, signal_windows
from muemg.errors import InvalidArgumentError


@pytest.fixture(scope="module")
def file(small_scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "scene.h5"
    write(path, Contents(recording=small_scene.recording, spikes=small_scene.spikes))
    return path


def run(*arguments, code=0):
    result = CliRunner().invoke(app, ["features", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result


def test_units_are_described(file):
    said = run(file).stdout
    assert "recruitment_force" in said
    assert [line.split()[0] for line in said.splitlines()[1:4]] == ["a", "b", "c"]


def test_the_table_is_that_of_the_windows(small_scene):
    table = feature_table(small_scene.spikes, "counts", length=0.5, step=0.25)
    windows = count_windows(small_scene.spikes, length=0.5, step=0.25)
    np.testing.assert_array_equal(np.column_stack([table[f"count_{u}"] for u in "abc"]), windows.X)
    np.testing.assert_array_equal(table["time"], windows.times)
    rates = feature_table(small_scene.spikes, "rates", length=1.0, step=0.5)
    # The steady rates of 8, 10 and 12 Hz, of a window that holds about as many intervals: within one of them.
    steady = rates["time"] > 3.2
    for unit, rate in zip("abc", (8, 10, 12)):
        np.testing.assert_allclose(rates[f"rate_{unit}"][steady & (rates["time"] < 5.4)], rate, atol=1.5)


def test_files_hold_the_numbers_in_full(file, small_scene, tmp_path):
    target = tmp_path / "htd.csv"
    run(file, "-o", target, "--kind", "HTD", "--length-ms", 250, "--step-ms", 125)
    table = pd.read_csv(target)
    windows = signal_windows(small_scene.recording, length=0.25, step=0.125)
    expected = EMGFeatures("HTD", sampling_rate=2000.0).fit_transform(windows.X)
    assert list(table.columns[:3]) == ["time", "MAV_0", "MAV_1"]
    np.testing.assert_array_equal(table.to_numpy()[:, 1:], expected)
    assert "exists" in run(file, "-o", target, code=1).stderr
    run(file, "-o", target, "--force")
    assert list(pd.read_csv(target).columns) == ["time", "rate_a", "rate_b", "rate_c"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kind", "XYZ"], "features must be one of 'counts', 'rates', 'HTD'"),
        (["--length-ms", "7000"], "at most the 6 s"),
        (["-o", "features.xlsx"], "must end in .csv"),
    ],
)
def test_bad_requests_are_one_line(file, arguments, said):
    lines = run(file, *arguments, code=1).stderr.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


def test_features_need_their_source(small_scene):
    with pytest.raises(InvalidArgumentError, match="'HTD' need a recording, got a SpikeTrains"):
        feature_table(small_scene.spikes, "HTD")
    with pytest.raises(InvalidArgumentError, match="'rates' need spike trains, got a Recording"):
        feature_table(small_scene.recording)
    assert feature_table(SpikeTrains((), 100.0, 100)).columns == ("time",)
