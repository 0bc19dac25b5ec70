"""Data sets on real Dask workers: killed, interrupted, damaged, and always the same bytes in the end."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from muemg import read
from muemg.simulation import Plan, simulate_dataset
from muemg.simulation._recording_job import make_recording, versions
from muemg.simulation._store import DataSetError, Store
from muemg.simulation.dataset import worker_memory

ROOT = Path(__file__).parent.parent.parent
MUEMG = (sys.executable, "-c", "from muemg.cli import main; main()")
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
TEXT = """
seed = 2
subjects = 2
recordings = 2

[scenario]
recording.duration_s = 2
recording.sampling_rate_hz = 1024
drive.rest_s = 0.2
drive.ramp_s = 0.3
muscle.n_units = 4
muscle.most_fibres = 4

[each_subject]
conductor.fat_mm = { uniform = [1, 6] }

[each_recording]
drive.level = { uniform = [0.4, 0.6] }
"""


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.toml"
    file.write_text(TEXT)
    return file


def made_here(plan, folder, which=None):
    """The data set, or some recordings of it, made in this process as a worker makes them."""
    chosen = Plan.load(plan)
    with Store.opened(folder, chosen, chosen.drafts(), versions()) as store:
        for draft in store.missing(lambda share: None):
            if which is None or draft.index in which:
                made = make_recording(
                    {
                        "folder": str(folder),
                        "file": store.file_name(draft),
                        "plan": chosen.checksum,
                        "scenario": draft.scenario.to_dict(),
                        "entry": store.entry(draft),
                        "memory": 1e12,
                    }
                )
                made.pop("versions")
                store.add(made)
        store.finish()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def missing(plan, folder):
    chosen = Plan.load(plan)
    with Store.opened(folder, chosen, chosen.drafts(), versions()) as store:
        return [draft.index for draft in store.missing(lambda share: None)]


@pytest.fixture
def begun(plan, tmp_path):
    """A folder with the first and third of four recordings."""
    folder = tmp_path / "set"
    made_here(plan, folder, {0, 2})
    return folder


# ------------------------------------------------------------------ the whole story


@pytest.mark.slow
def test_a_killed_worker_and_a_killed_scheduler_leave_no_trace(tmp_path):
    # The benchmark at a tenth of its size; real processes, real SIGKILL.
    script = ROOT / "benchmarks" / "simulation" / "dataset.py"
    command = [sys.executable, str(script), "--recordings", "24", "--keep", str(tmp_path)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    told = json.loads(answer.stdout)
    assert "the scheduler is gone" in told["said"]
    assert 8 <= told["listed_when_worker_was_killed"] < 24
    assert 0 < told["made_by_the_rerun"] <= 24 - told["listed_when_scheduler_was_killed"]
    one, other = (contents(tmp_path / name) for name in ("undisturbed", "disturbed"))
    assert one == other
    entries = [json.loads(line) for line in one["manifest.jsonl"].splitlines()]
    assert [entry["index"] for entry in entries] == list(range(24))
    for entry in entries:
        assert hashlib.sha256(one[entry["file"]]).hexdigest() == entry["sha256"]
    assert set(one) == {"dataset.json", "manifest.jsonl", *(entry["file"] for entry in entries)}


@pytest.mark.slow
def test_workers_of_this_machine_give_the_bytes_of_this_process(plan, tmp_path):
    made_here(plan, tmp_path / "here")
    told = []
    result = simulate_dataset(plan, tmp_path / "there", progress=lambda share, what: told.append(share))
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert (len(result), result.n_made) == (4, 4)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)
    record = read(result.files[3]).require("simulation").parameters
    entry = result.entries[3]
    assert (record["seed"], record["subject"]) == (entry["seed"], entry["subject_seed"])
    assert record["scenario"]["drive"]["level"] == entry["settings"]["drive.level"]
    # Nothing is left to do: no worker is started, and the files are not written again.
    before = {path.name: path.stat().st_mtime_ns for path in result.folder.glob("*.h5")}
    assert simulate_dataset(plan, tmp_path / "there").n_made == 0
    assert {path.name: path.stat().st_mtime_ns for path in result.folder.glob("*.h5")} == before


@pytest.mark.slow
def test_an_interruption_leaves_a_folder_that_can_be_gone_on_with(plan, tmp_path):
    plan.write_text(TEXT.replace("recordings = 2", "recordings = 200"))
    folder = tmp_path / "set"
    command = [*MUEMG, "simulate-dataset", str(plan), "-o", str(folder)]
    # A group of its own: Ctrl-C in a terminal reaches the workers too.
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | SINGLE, start_new_session=True
    ) as process:
        while not (folder / "manifest.jsonl").exists() or not (folder / "manifest.jsonl").stat().st_size:
            assert process.poll() is None
            time.sleep(0.01)
        below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "the same command goes on" in said
    assert "Traceback" not in said
    assert not psutil.wait_procs(below, timeout=30)[1]
    assert not list(folder.glob(".*"))
    entries = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert 1 <= len(entries) < 400
    assert missing(plan, folder) == sorted(set(range(400)) - {entry["index"] for entry in entries})


# ------------------------------------------------------------------ what is there, and what is not ours


def test_only_what_is_missing_is_made(plan, begun):
    assert missing(plan, begun) == [1, 3]
    names = sorted(path.name for path in begun.glob("*.h5"))
    assert names == ["subject-0_recording-0.h5", "subject-1_recording-0.h5"]


def test_a_damaged_file_and_a_torn_manifest_are_made_good(plan, begun, tmp_path):
    made_here(plan, tmp_path / "whole")
    damaged = begun / "subject-0_recording-0.h5"
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    manifest = begun / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    # What a writer that was killed leaves, of ours; and what others put there.
    (begun / ".subject-0_recording-1.h5.0123456789ab.part").write_bytes(b"half")
    (begun / ".manifest.jsonl.0123456789ab.part").write_bytes(b"half")
    others = {
        ".notes.txt.0123456789ab.part": b"mine",
        "notes.txt": b"mine",
        "subject-9_recording-0.h5": b"mine",
    }
    for name, text in others.items():
        (begun / name).write_bytes(text)
    assert missing(plan, begun) == [0, 1, 2, 3]
    made_here(plan, begun)
    assert contents(begun) == {**contents(tmp_path / "whole"), **others}


def test_files_of_others_are_not_touched(plan, begun):
    foreign = begun / "subject-0_recording-1.h5"
    foreign.write_text("mine")
    with pytest.raises(DataSetError, match=r"subject-0_recording-1\.h5 is in the way"):
        missing(plan, begun)
    assert foreign.read_text() == "mine"
    # The worker looks again before it writes.
    job = {
        "folder": str(begun),
        "file": foreign.name,
        "plan": "x",
        "scenario": Plan.load(plan).drafts()[1].scenario.to_dict(),
        "entry": {"index": 1, "seed": 1, "subject_seed": 1},
        "memory": 1e12,
    }
    with pytest.raises(FileExistsError, match="is in the way"):
        make_recording(job)
    assert foreign.read_text() == "mine"


def test_a_folder_of_something_else_is_refused(plan, tmp_path):
    for name in ("manifest.jsonl", "dataset.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text("[]")
        with pytest.raises(DataSetError, match="is in the way"):
            missing(plan, folder)
        assert contents(folder) == {name: b"[]"}
    (tmp_path / "file").write_text("")
    with pytest.raises(DataSetError, match="it is not a folder"):
        missing(plan, tmp_path / "file")


def test_another_plan_or_version_is_refused(plan, begun):
    before = contents(begun)
    plan.write_text(TEXT.replace("[1, 6]", "[1, 7]").replace("seed = 2", "seed = 3"))
    with pytest.raises(
        DataSetError, match=r"another plan \(each_subject.conductor.fat_mm.uniform, seed changed\)"
    ):
        missing(plan, begun)
    plan.write_text(TEXT)
    chosen = Plan.load(plan)
    with (
        pytest.raises(DataSetError, match=r"other versions \(numpy .*, now 0\.1\)"),
        Store.opened(begun, chosen, chosen.drafts(), {**versions(), "numpy": "0.1"}),
    ):
        pass
    assert contents(begun) == before


def test_two_runs_in_one_folder_are_refused(plan, begun):
    chosen = Plan.load(plan)
    with (
        Store.opened(begun, chosen, chosen.drafts(), versions()),
        pytest.raises(DataSetError, match="another run is at work"),
    ):
        missing(plan, begun)


def test_a_scheduler_that_is_not_there(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("muemg.simulation.dataset._PATIENCE", 1)
    with pytest.raises(DataSetError, match=r"cannot reach the scheduler 'tcp://127.0.0.1:9'"):
        simulate_dataset(plan, tmp_path / "set", "tcp://127.0.0.1:9")
    with pytest.raises(DataSetError, match="cannot reach the scheduler 'nonsense://x'"):
        simulate_dataset(plan, tmp_path / "set", "nonsense://x")


def test_the_stated_memory_counts_the_recording_and_all_templates(plan):
    from muemg import Scenario, simulate

    drafts = Plan.load(plan).drafts()
    largest = simulate(drafts[0].scenario, seed=0)
    size = largest.recording.signal.nbytes + largest.muaps.nbytes
    assert worker_memory(drafts) == 10**9 + 3 * size
    moving = Scenario.from_dict(
        {"movement": {"shift_along_mm": 3}, "electrodes": {"tiles_across": 2}, "recording": {"duration_s": 8}}
    )
    from muemg.simulation._size import recording_bytes

    n_lags = simulate(moving.override({"muscle.n_units": 2, "muscle.most_fibres": 2}), seed=0).muaps.shape[2]
    assert recording_bytes(moving) == 4 * 128 * (8 * 2048 + 7 * 20 * n_lags)
