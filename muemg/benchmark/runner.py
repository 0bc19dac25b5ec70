"""A suite is run: what is missing is made, one row after the other or by Dask's workers, and everything is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muemg._workers import ATTEMPTS, dask_client, require_distributed
from muemg.benchmark.cases import BenchmarkError, Case, Scene, default_cache
from muemg.benchmark.journal import Journal
from muemg.benchmark.methods import Method
from muemg.benchmark.rows import Task, make_row
from muemg.benchmark.suites import Suite
from muemg.errors import check_count

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["RESULTS", "Results", "run_benchmark"]

RESULTS = "results.jsonl"
_PATIENCE = 20.0

# Applies a function to every job and gives index and result of each as it is there.
_Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[tuple[int, Any]]]


@dataclass(frozen=True)
class Results:
    """Rows of a suite.

    Parameters
    ----------
    suite : str
        Its name.
    rows : tuple of dict
        In the order of the suite.
    file : Path
        Where they are.
    n_made : int
        How many this run made; the others were there.
    """

    suite: str
    rows: tuple[dict[str, Any], ...]
    file: Path
    n_made: int

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        failed = sum(row["status"] != "ok" for row in self.rows)
        return (
            f"<Results of {self.suite!r}: {len(self)} rows, {self.n_made} of them made now, {failed} failed>"
        )


def run_benchmark(
    suite: str | Path | dict[str, Any] | Suite,
    folder: str | Path,
    *,
    methods: Sequence[str | Method] | None = None,
    seeds: Iterable[int] | None = None,
    threads: int | None = None,
    n_workers: int = 0,
    scheduler: str | None = None,
    cache: str | Path | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> Results:
    """Run a suite, or what is missing of it.

    Parameters
    ----------
    suite : str, Path, dict or Suite
        A name of `suite_names`, a TOML file, tables like those in one, or a folder of recordings with known
        discharges.
    folder : str or Path
        Gets ``results.jsonl``, one line a row.
    methods : sequence of str or Method, optional
        Instead of the suite's.
    seeds : iterable of int, optional
        Instead of the suite's.
    threads : int, optional
        Instead of the suite's.
    n_workers : int
        So many Dask workers on this machine; 0 runs one row after the other. Rows that run side by side disturb each
        other's times, and nothing else.
    scheduler : str, optional
        Address of a Dask scheduler whose workers see the same files.
    cache : str or Path, optional
        Where simulated recordings are kept; see `Scene.case`.
    progress : callable, optional
        Called with the fraction done, 0 … 1, and what is being done.

    Returns
    -------
    Results
        All rows of the suite. Apart from times and memory they are the same however many workers there are.

    Raises
    ------
    InvalidArgumentError, FileFormatError
        If the suite is impossible; before anything is run.
    BenchmarkError
        If another run is at work in the folder, or the scheduler is gone. The same call goes on where this one ended.
    """
    tell = progress if progress is not None else _quiet
    check_count("n_workers", n_workers, minimum=0)
    whole = Suite.load(suite)
    chosen = None
    if methods is not None:
        chosen = [one if isinstance(one, Method) else whole.method(one) for one in methods]
    whole = whole.only(chosen, seeds, threads)
    place = Path(cache) if cache is not None else default_cache()
    with Journal.opened(Path(folder) / RESULTS) as journal:
        if not (n_workers or scheduler):
            made, tasks = _run(whole, place, journal, tell, _one_by_one)
        else:
            require_distributed("benchmarks are shared out with")
            with dask_client(scheduler, n_workers, None, patience=_PATIENCE, error=BenchmarkError) as client:
                made, tasks = _run(whole, place, journal, tell, _Workers(client))
        rows = [journal.rows[task.key] for task in tasks]
        _add_bounds(rows)
        journal.finish(rows)
    tell(1.0, "done")
    return Results(whole.name, tuple(rows), journal.path, made)


def _run(
    suite: Suite, cache: Path, journal: Journal, tell: Callable[[float, str], None], share_out: _Map
) -> tuple[int, list[Task]]:
    """Prepare all cases, make the rows that are missing; how many those were, and all tasks."""
    wanted = list(_cases(suite))
    tell(0.0, f"preparing {len(wanted)} recordings")
    jobs = [(suite.parts[part].scenes[scene], seed, cache) for part, scene, seed in wanted]
    cases: dict[tuple[int, int, int], Case] = {}
    for index, case in share_out(_prepare, jobs):
        cases[wanted[index]] = case
        tell(0.1 * len(cases) / len(jobs), f"{len(cases)} of {len(jobs)} recordings are there")
    tasks = list(_tasks(suite, cases))
    left = [task for task in tasks if task.key not in journal.rows]
    done = len(tasks) - len(left)
    tell(0.1 + 0.9 * done / len(tasks), f"{done} of {len(tasks)} rows were there")
    for index, row in share_out(make_row, left):
        journal.add(row)
        done += 1
        task = left[index]
        said = f"{row['right']} right of {row['reported']}" if row["status"] == "ok" else row["reason"]
        what = f"{task.method.name} on {task.case.scene}, seed {task.case.seed}: {said}"
        tell(0.1 + 0.9 * done / len(tasks), what)
    return len(left), tasks


def _cases(suite: Suite) -> Iterator[tuple[int, int, int]]:
    """Index of part, index of scene, and seed of every recording."""
    for number, part in enumerate(suite.parts):
        for scene in range(len(part.scenes)):
            for seed in part.seeds:
                yield number, scene, seed


def _tasks(suite: Suite, cases: dict[tuple[int, int, int], Case]) -> Iterator[Task]:
    """Every method on every case, each once."""
    seen = set()
    for number, scene, seed in _cases(suite):
        case = cases[number, scene, seed]
        part = suite.parts[number]
        for method in part.methods:
            if method.truth and not case.simulated:
                continue  # a bound needs the true action potentials
            task = Task(suite.name, case, method, method.threads or suite.threads, part.time_limit)
            if task.key not in seen:
                seen.add(task.key)
                yield task


def _prepare(job: tuple[Scene, int, Path]) -> Case:
    scene, seed, cache = job
    return scene.case(seed, cache)


def _add_bounds(rows: Sequence[dict[str, Any]]) -> None:
    """Put beside every row what the bounds found on the same recording."""
    for column, method in (("bound", "linear bound"), ("cancelling_bound", "cancelling bound")):
        known = {row["recording"]["sha256"]: row["right"] for row in rows if row["method"] == method}
        for row in rows:
            row[column] = known.get(row["recording"]["sha256"])


# ------------------------------------------------------------------ who does it


def _one_by_one(function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    for index, job in enumerate(jobs):
        yield index, function(job)


class _Workers:
    """Results as Dask's workers have them; a worker that dies loses nothing."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, function: Callable[[Any], Any], jobs: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        from distributed import as_completed

        places = {
            self.client.submit(function, job, pure=False, key=f"{index}-{os.urandom(8).hex()}"): index
            for index, job in enumerate(jobs)
        }
        for future in as_completed(list(places), loop=self.client.loop):
            try:
                result = future.result()
            except OSError as error:  # the connection, Dask's CommClosedError
                raise BenchmarkError(
                    "the scheduler is gone; the same command, with a scheduler that is there, goes on"
                ) from error
            except Exception as error:
                if type(error).__name__ == "KilledWorker":
                    raise BenchmarkError(f"{ATTEMPTS} workers died over one task") from error
                raise
            future.release()
            yield places[future], result


def _quiet(fraction: float, what: str) -> None:
    """Report nothing."""
