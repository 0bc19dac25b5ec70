"""Does a data set survive the death of a worker and of the scheduler? Recordings on two Dask workers, twice.

    python benchmarks/simulation/dataset.py [--recordings N] [--keep DIR]

Once undisturbed, on a local cluster. Once on a scheduler and two workers that are processes of their own: when a
third of the recordings is there one worker is killed by its process id (SIGKILL), when two thirds are, the
scheduler; then the same command runs again with a new scheduler and new workers. The two folders must be equal.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

PLAN = """
name = "killed"
seed = 5
subjects = {subjects}
recordings = {recordings}

[scenario]
base = "demo-64"
recording.duration_s = 4
drive.rest_s = 0.3
drive.ramp_s = 0.5
muscle.n_units = {n_units}

[each_subject]
conductor.fat_mm = {{ uniform = [1, 6] }}
muscle.innervation_zone_mm = {{ uniform = [-5, 5] }}
neurons.recruitment_range = {{ log_uniform = [5, 30] }}

[each_recording]
drive.level = {{ uniform = [0.2, 0.6] }}
recording.snr_db = {{ choice = [10, 20, 30] }}
electrodes.center_x_mm = {{ uniform = [-5, 5] }}
"""

MUEMG = (sys.executable, "-c", "from muemg.cli import main; main()")
# What keeps a library from starting threads of its own, and the workers from competing for two cores.
QUIET = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class Memory:
    """The largest resident set of any process below this one, by watching."""

    def __init__(self):
        self.largest = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        while True:
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    self.largest = max(self.largest, process.memory_info().rss)
            time.sleep(0.05)


class Cluster:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self, folder):
        self.processes = []
        file = Path(folder) / f"scheduler-{time.monotonic_ns()}.json"
        where = ("--scheduler-file", str(file), "--no-dashboard")
        self.scheduler = self._start("scheduler", *where, "--host", "127.0.0.1", "--port", "0")
        for _ in range(2):
            self._start("worker", *where, "--nthreads", "1", "--nworkers", "1", "--memory-limit", "2GB")
        while not file.exists():
            time.sleep(0.05)
        self.address = None
        while self.address is None:  # the file may be half written
            try:
                self.address = json.loads(file.read_text())["address"]
            except ValueError:
                time.sleep(0.05)

    def _start(self, what, *arguments):
        command = [sys.executable, "-m", "dask", what, *arguments]
        log = subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | QUIET)
        self.processes.append(process)
        return process

    def worker_pids(self):
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=120)
            return sorted(client.run(os.getpid).values())

    def end(self):
        for process in self.processes:
            below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            for one in (*below, process):
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()


def listed(folder):
    try:
        return (folder / "manifest.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def command(plan, folder, *options):
    return [*MUEMG, "simulate-dataset", str(plan), "-o", str(folder), *options]


def disturbed(plan, folder, n, work):
    """The story; what happened at each step."""
    told = {}
    cluster = Cluster(work)
    try:
        pids = cluster.worker_pids()
        run = subprocess.Popen(
            command(plan, folder, "--scheduler", cluster.address), stderr=subprocess.PIPE, text=True
        )
        for share, pid, name in (
            (n // 3, pids[0], "worker"),
            (2 * n // 3, cluster.scheduler.pid, "scheduler"),
        ):
            while listed(folder) < share and run.poll() is None:
                time.sleep(0.005)
            os.kill(pid, signal.SIGKILL)
            told[f"listed_when_{name}_was_killed"] = listed(folder)
        said = run.communicate()[1].strip().splitlines()
        told |= {"exit_code": run.returncode, "said": said[-1], "listed_at_the_end": listed(folder)}
    finally:
        cluster.end()
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.h5")}
    whole = {json.loads(line)["file"] for line in (folder / "manifest.jsonl").read_text().splitlines()}
    cluster = Cluster(work)
    try:
        start = time.perf_counter()
        subprocess.run(
            command(plan, folder, "--scheduler", cluster.address), check=True, stdout=subprocess.PIPE
        )
        told["seconds_of_the_rerun"] = round(time.perf_counter() - start, 1)
    finally:
        cluster.end()
    again = [path.name for path in folder.glob("*.h5") if path.stat().st_mtime_ns != before.get(path.name)]
    told |= {"made_by_the_rerun": len(again), "made_again_although_listed": len(whole & set(again))}
    return told


def checksums(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.h5")}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recordings", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="leave the two folders there")
    arguments = parser.parse_args()
    n = arguments.recordings
    of_each = 10 if n % 10 == 0 else 1
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.keep or Path(temporary)
        plan = work / "plan.toml"
        n_units = 20 if n >= 100 else 8
        plan.write_text(PLAN.format(subjects=n // of_each, recordings=of_each, n_units=n_units))
        memory = Memory()
        start = time.perf_counter()
        subprocess.run(command(plan, work / "undisturbed"), check=True, stdout=subprocess.PIPE)
        seconds = time.perf_counter() - start
        of_undisturbed = memory.largest
        told = disturbed(plan, work / "disturbed", n, work)
        one, other = checksums(work / "undisturbed"), checksums(work / "disturbed")
        entries = [
            json.loads(line) for line in (work / "disturbed" / "manifest.jsonl").read_text().splitlines()
        ]
        result = {
            "recordings": n,
            "megabytes": round(sum(entry["bytes"] for entry in entries) / 1e6),
            "undisturbed_seconds": round(seconds, 1),
            "largest_process_mb": round(of_undisturbed / 1e6),
            **told,
            "missing": n - len(other),
            "twice": len(entries) - len({entry["index"] for entry in entries}),
            "checksums_equal": one == other and {e["file"]: e["sha256"] for e in entries} == other,
            "manifests_equal": len(
                {(work / name / "manifest.jsonl").read_bytes() for name in ("undisturbed", "disturbed")}
            )
            == 1,
            "left_over": sorted(
                path.name
                for path in (work / "disturbed").iterdir()
                if path.suffix != ".h5" and path.name not in ("dataset.json", "manifest.jsonl")
            ),
        }
    print(json.dumps(result, indent=1, ensure_ascii=False))
    right = (
        result["checksums_equal"]
        and result["manifests_equal"]
        and not (
            result["missing"] or result["twice"] or result["left_over"] or told["made_again_although_listed"]
        )
        and told["exit_code"] == 1
    )
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
