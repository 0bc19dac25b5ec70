"""Time to compare 100 found with 100 true motor units over a minute, and of the upper bounds on a recording.

python benchmarks/metrics/speed.py
python benchmarks/metrics/speed.py --recording simulation.h5
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import muemg
from muemg.metrics import munitquest_score
from muemg.separation import cancelling_upper_bound, linear_upper_bound

FS, SECONDS, N_UNITS = 2048.0, 60, 100


def pool(rng: np.random.Generator) -> muemg.SpikeTrains:
    """Units at 8–16 Hz with a CoV of 0.15."""
    rows = []
    for rate in rng.uniform(8, 16, N_UNITS):
        times = 0.2 + np.cumsum(rng.normal(1, 0.15, 17 * SECONDS) / rate)
        rows.append(np.unique((times[times < SECONDS - 0.2] * FS).astype(int)))
    return muemg.SpikeTrains(tuple(rows), FS, int(SECONDS * FS))


def timed(name: str, run: Callable[[], Any]) -> Any:
    """Run once and print wall and processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    result = run()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{name}: {wall:.2f} s wall, {processor:.2f} s processor", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recording", type=Path, help="a simulation, for the upper bounds")
    path = parser.parse_args().recording
    rng = np.random.default_rng(0)
    found, truth = pool(rng), pool(rng)
    munitquest_score(found.select_units([0, 1]), truth.select_units([0]))  # compiles
    timed(f"compare, {N_UNITS} × {N_UNITS} units, {SECONDS} s", lambda: muemg.compare(found, truth))
    timed("munitquest_score of the same", lambda: munitquest_score(found, truth))
    if path is None:
        return
    simulation = muemg.read(path).simulation
    if simulation is None:
        raise SystemExit(f"{path} holds no simulation")
    print(simulation)
    given = simulation.recording, simulation.spikes, simulation.muaps
    for bound in (linear_upper_bound, cancelling_upper_bound):
        result = timed(bound.__name__, lambda bound=bound: bound(*given, muap_offset=simulation.muap_offset))
        matched = muemg.compare(result, simulation.spikes).found["rate_of_agreement"] >= 0.9
        print(f"  {np.count_nonzero(matched)} units")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
