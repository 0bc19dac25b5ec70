"""One row: a method on a case, what it found, what it cost. A method that fails has a row too, with the reason."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from muemg import __version__
from muemg._workers import with_threads
from muemg.benchmark._call import timed
from muemg.benchmark._process import own_peak_memory_mb, run_program
from muemg.benchmark.cases import Case
from muemg.benchmark.machine import commit, libraries, machine
from muemg.benchmark.methods import Method
from muemg.io import read
from muemg.metrics import compare
from muemg.spikes import SpikeTrains

__all__ = ["MEASURED", "RIGHT", "Task", "make_row"]

RIGHT = 0.9
"""Rate of agreement from which a unit counts as right."""

MEASURED = ("wall_s", "cpu_s", "peak_memory_mb", "process_s", "started")
"""Columns that differ from run to run; all others are decided by the key."""

_COUNTS = ("n_true", "reported", "right", "matched", "extra", "duplicates")
_SCORES = ("f1", "precision", "recall", "f1_of_all", "unit_precision")


@dataclass(frozen=True)
class Task:
    """A method on a case.

    Parameters
    ----------
    suite : str
        Name of the suite.
    case : Case
        The recording.
    method : Method
        What decomposes it.
    threads : int
        Of the method's libraries.
    time_limit : float
        In seconds, from start to end of the process.
    """

    suite: str
    case: Case
    method: Method
    threads: int
    time_limit: float

    @property
    def key(self) -> str:
        """Digest of everything that decides the row, apart from the time."""
        said = [
            self.case.scene,
            dict(self.case.changes),
            self.case.recording["sha256"],
            self.case.seed,
            self.method.name,
            self.method.identity,
            self.threads,
            self.time_limit,
        ]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def make_row(task: Task) -> dict[str, Any]:
    """Run the task's method on its case and judge what it found.

    Returns
    -------
    dict
        JSON values; those of a method that failed are null. See ``docs/benchmarks.md`` for the columns.
    """
    started = datetime.now(UTC).isoformat(timespec="seconds")
    function = task.method.call
    outcome = _run_program(task) if isinstance(function, str) else _run_here(task, function)
    trains, reason = outcome.pop("trains"), outcome.pop("reason")
    judged: dict[str, Any] = dict.fromkeys((*_COUNTS, *_SCORES))
    units: list[dict[str, Any]] = []
    if trains is not None:
        judged, units = _judge(trains, task.case)
        reason = reason if judged["reported"] else "no unit was found"
    return {
        "key": task.key,
        "suite": task.suite,
        "scene": task.case.scene,
        "changes": dict(task.case.changes),
        "seed": task.case.seed,
        "method": task.method.name,
        "status": "ok" if trains is not None else "failed",
        "reason": reason,
        **judged,
        "bound": None,
        "cancelling_bound": None,
        **{name: outcome[name] for name in ("wall_s", "cpu_s", "peak_memory_mb", "process_s")},
        "started": started,
        "threads": task.threads,
        "time_limit_s": task.time_limit,
        "settings": dict(task.method.settings),
        "identity": task.method.identity,
        "version": outcome["version"],
        "muemg": __version__,
        "commit": commit(),
        "recording": dict(task.case.recording),
        "libraries": libraries(),
        "machine": machine(),
        "units": units,
    }


# ------------------------------------------------------------------ running


def _run_program(task: Task) -> dict[str, Any]:
    """In a process of its own."""
    method = task.method
    with tempfile.TemporaryDirectory(prefix="muemg-benchmark-") as folder:
        output = Path(folder) / "found.npz"
        options = ["--seed", str(task.case.seed), "--threads", str(task.threads)]
        options += ["--settings", json.dumps(dict(method.settings))]
        if method.command:
            command = [*method.command, str(task.case.bare), str(output), *options]
        else:
            flags = ["--compiles"] * method.compiles + ["--truth"] * method.truth
            own = [sys.executable, "-m", "muemg.benchmark._call", str(method.call), str(task.case.file)]
            command = [*own, str(output), *options, *flags]
        ended = run_program(command, with_threads(os.environ, task.threads), task.time_limit)
        outcome: dict[str, Any] = {
            "trains": None,
            "reason": ended.reason,
            "wall_s": None,
            "cpu_s": None,
            "peak_memory_mb": _rounded(ended.peak_memory_mb, 1),
            "process_s": _rounded(ended.wall_s, 3),
            "version": None,
        }
        if ended.reason:
            return outcome
        try:
            with np.load(output) as found:
                outcome["trains"] = np.split(found["samples"], np.cumsum(found["n_spikes"])[:-1])
                outcome["trains"] = outcome["trains"][: len(found["n_spikes"])]
                outcome["wall_s"] = _rounded(float(found["wall_s"]) if "wall_s" in found else ended.wall_s, 3)
                outcome["cpu_s"] = _rounded(float(found["cpu_s"]) if "cpu_s" in found else ended.cpu_s, 3)
                outcome["version"] = str(found["version"]) if "version" in found else None
        except (OSError, KeyError, ValueError) as error:
            outcome["reason"] = f"its output cannot be read: {error}"
        return outcome


def _run_here(task: Task, function: Callable[..., Any]) -> dict[str, Any]:
    """A function in this process: no time limit, and its memory cannot be told from ours."""
    outcome: dict[str, Any] = {"trains": None, "reason": "", "wall_s": None, "cpu_s": None, "version": None}
    contents = read(task.case.file)
    try:
        found = timed(function, contents, task.case.seed, dict(task.method.settings), task.method.truth)
        outcome |= found | {name: _rounded(found[name], 3) for name in ("wall_s", "cpu_s")}
    except Exception as error:  # whatever somebody's function raises is its row's reason
        outcome["reason"] = f"{type(error).__name__}: {error}"
    return outcome | {"peak_memory_mb": _rounded(own_peak_memory_mb(), 1), "process_s": outcome["wall_s"]}


# ------------------------------------------------------------------ judging


def _judge(trains: list[np.ndarray], case: Case) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Counts and scores of what was found, and a line for each true unit that discharges."""
    truth = read(case.file).spike_trains("known")
    inside = [np.unique(train[(train >= 0) & (train < truth.n_samples)]) for train in trains]
    found = SpikeTrains(tuple(inside), truth.sampling_rate, truth.n_samples)
    comparison = compare(found, truth)
    active = truth.n_spikes > 0
    matched = comparison.truth["matched"]
    right = comparison.truth["rate_of_agreement"] >= RIGHT
    spare = ~comparison.found["matched"]
    best = comparison.f1.max(axis=0, initial=0.0)
    scores = {
        name: _rounded(float(np.median(comparison.truth[name][matched])), 4) if matched.any() else None
        for name in ("f1", "precision", "recall")
    }
    judged = {
        "n_true": int(active.sum()),
        "reported": len(found),
        "right": int(right.sum()),
        "matched": comparison.n_matched,
        # Beside an incomplete truth nobody knows whether a further unit is wrong.
        "extra": len(comparison.extra) if case.complete else None,
        "duplicates": int((spare & (best >= comparison.settings["min_f1"])).sum()),
        **scores,
        "f1_of_all": _rounded(float(np.mean(comparison.truth["f1"][active])), 4) if active.any() else None,
        "unit_precision": _rounded(right.sum() / len(found), 4) if len(found) and case.complete else None,
    }
    units = [
        {
            "unit": row["unit"],
            "n_spikes": int(row["n_spikes"]),
            "agreement": _rounded(row["rate_of_agreement"], 4),
            "delay_ms": _rounded(1e3 * row["delay"], 3),
        }
        for row in (comparison.truth.row(int(unit)) for unit in np.flatnonzero(active))
    ]
    return judged, units


def _rounded(value: float, digits: int) -> float | None:
    """A number as JSON has it: not-a-number is null."""
    return round(float(value), digits) if math.isfinite(value) else None
