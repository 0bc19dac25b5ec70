"""A suite is run once: what is there stays, what a kill has torn is made again, and workers change nothing."""

import json
import sys

import pytest

from muemg.benchmark import BenchmarkError, Method, run_benchmark
from muemg.benchmark.journal import Journal, read_rows
from muemg.benchmark.rows import MEASURED
from muemg.benchmark.runner import RESULTS
from tests.benchmark.known import TRUTH, spike_trains


def without_times(rows):
    return [{name: value for name, value in row.items() if name not in MEASURED} for row in rows]


def perfect(recording, seed):
    return spike_trains(*TRUTH)


def nothing(recording, seed):
    return []


METHODS = [Method("perfect", perfect), Method("nothing", nothing)]


def test_a_folder_of_recordings_with_truth_is_run_and_gone_on_with(recordings, tmp_path):
    told = []
    first = run_benchmark(
        recordings,
        tmp_path,
        methods=METHODS,
        cache=tmp_path / "cache",
        progress=lambda *said: told.append(said),
    )
    assert [(row["scene"], row["method"], row["right"]) for row in first.rows] == [
        ("one.h5", "perfect", 3),
        ("one.h5", "nothing", 0),
        ("two.npz", "perfect", 3),
        ("two.npz", "nothing", 0),
    ]
    assert first.n_made == 4
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert read_rows(tmp_path / RESULTS) == list(first.rows)

    again = run_benchmark(recordings, tmp_path, methods=METHODS, cache=tmp_path / "cache")
    assert (again.n_made, again.rows) == (0, first.rows)

    # A run was killed while it wrote its third row.
    lines = (tmp_path / RESULTS).read_text().splitlines(keepends=True)
    (tmp_path / RESULTS).write_text("".join(lines[:2]) + lines[2][:200])
    rest = run_benchmark(recordings, tmp_path, methods=METHODS, cache=tmp_path / "cache")
    assert rest.n_made == 2
    assert rest.rows[:2] == first.rows[:2]
    assert without_times(rest.rows) == without_times(first.rows)

    # Rows of other methods stay behind those of the suite.
    one = run_benchmark(recordings, tmp_path, methods=METHODS[1:], cache=tmp_path / "cache")
    assert (len(one), one.n_made, len(read_rows(tmp_path / RESULTS))) == (2, 0, 4)


def test_two_runs_do_not_write_to_one_file(recordings, tmp_path):
    with Journal.opened(tmp_path / RESULTS), pytest.raises(BenchmarkError, match="another run is at work"):
        run_benchmark(recordings, tmp_path, methods=METHODS, cache=tmp_path / "cache")


def test_results_of_something_else_are_refused(tmp_path):
    (tmp_path / RESULTS).write_text(json.dumps({"a": 1}) + "\n")
    with pytest.raises(BenchmarkError, match="does not hold results"):
        read_rows(tmp_path / RESULTS)
    with pytest.raises(BenchmarkError, match="cannot read"):
        read_rows(tmp_path / "nowhere.jsonl")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the parents of a process from /proc")
def test_workers_make_the_same_rows_and_one_that_is_killed_loses_nothing(recordings, program, tmp_path):
    # The first time it runs, the second program kills the worker that started it: its parent's parent.
    killer = (
        "import os; from pathlib import Path; mark = Path({mark!r})\n"
        "parent = Path(f'/proc/{{os.getppid()}}/stat').read_text().rpartition(')')[2].split()[1]\n"
        "if not mark.exists(): mark.touch(); os.kill(int(parent), 9); time.sleep(60)"
    )
    mark = tmp_path / "mark"
    quiet, deadly = program(), program(killer.format(mark=str(mark)))
    methods = [quiet, Method("deadly", command=deadly.command, settings=deadly.settings)]
    parallel = run_benchmark(
        recordings, tmp_path / "two", methods=methods, n_workers=2, cache=tmp_path / "cache"
    )
    assert mark.exists()
    serial = run_benchmark(recordings, tmp_path / "one", methods=methods, cache=tmp_path / "cache")
    assert [row["right"] for row in serial.rows] == [2, 2, 2, 2]
    assert without_times(parallel.rows) == without_times(serial.rows)
    written = [
        [json.dumps(row, sort_keys=True) for row in without_times(read_rows(tmp_path / run / RESULTS))]
        for run in ("one", "two")
    ]
    assert written[0] == written[1]
