"""One function on one recording, in a process of its own: ``python -m muemg.benchmark._call CALL INPUT OUTPUT``."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from muemg import __version__
from muemg.benchmark.methods import function_of
from muemg.errors import InvalidArgumentError, MuemgError
from muemg.io import Contents, read
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["main", "timed"]

_PIECE = 3.0  # seconds on which a method that compiles runs first


def timed(
    function: Callable[..., Any], contents: Contents, seed: int, settings: dict[str, Any], truth: bool
) -> dict[str, Any]:
    """What a function finds, and how long it took: ``trains``, ``wall_s``, ``cpu_s``, ``version``.

    Parameters
    ----------
    function : callable
        Called with the recording, or the simulation if it may know the `truth`.
    contents : Contents
        The recording, with or without its truth.
    seed : int
        Handed to it.
    settings : dict
        Handed to it.
    truth : bool
        Whether it may know the truth.
    """
    given = contents.require("simulation") if truth else contents.require("recording")
    wall, cpu = time.perf_counter(), time.process_time()
    found = function(given, seed=seed, **settings)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    version = f"muemg {__version__}" if function.__module__.startswith("muemg.") else ""
    return {"trains": _trains(found), "wall_s": wall, "cpu_s": cpu, "version": version}


def _trains(found: Any) -> list[np.ndarray]:
    """Sample indices of each unit, of whatever a method may return."""
    if isinstance(found, Decomposition):
        found = found.spikes
    if isinstance(found, SpikeTrains):
        return list(found)
    try:
        return [np.unique(np.asarray(train, dtype=np.int64)) for train in found]
    except (TypeError, ValueError):
        raise InvalidArgumentError(
            f"a method must return a Decomposition, SpikeTrains or the sample indices of each unit, got {found!r:.200}"
        ) from None


def main(arguments: list[str] | None = None) -> None:
    """Read, run, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("call")
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="for the record: set in the environment")
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--compiles", action="store_true")
    parser.add_argument("--truth", action="store_true")
    chosen = parser.parse_args(arguments)
    function, contents = function_of(chosen.call), read(chosen.input)
    if chosen.compiles:
        with suppress(MuemgError):  # a piece may be too short, or silent
            timed(function, _piece(contents), chosen.seed, chosen.settings, chosen.truth)
    result = timed(function, contents, chosen.seed, chosen.settings, chosen.truth)
    trains = result.pop("trains")
    with open(chosen.output, "wb") as stream:
        np.savez(
            stream,
            samples=np.concatenate([np.zeros(0, dtype=np.int64), *trains]),
            n_spikes=np.array([len(train) for train in trains], dtype=np.int64),
            **result,
        )


def _piece(contents: Contents) -> Contents:
    """The middle of a recording."""
    recording, spikes = contents.require("recording"), contents.require("spikes")
    middle, half = spikes.duration / 2, _PIECE / 2
    window = max(0.0, middle - half), min(2 * middle, middle + half)
    recording, spikes = recording.time_slice(*window), spikes.time_slice(*window)
    if contents.simulation is None:
        return Contents(recording=recording, spikes=spikes)
    return Contents(simulation=replace(contents.simulation, recording=recording, spikes=spikes))


if __name__ == "__main__":
    main()
