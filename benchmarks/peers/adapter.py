"""What every adapter shares: the recording in, the discharges out, and the time that the peer took between them.

Runs in the peer's Python, where there is NumPy and nothing of muemg. What goes in: ``emg`` (channels, samples) in
volts and ``fs`` in Hz. What comes out: ``samples``, all discharges one unit after the other, ``n_spikes`` of each
unit, ``wall_s``, ``cpu_s`` and ``version``.
"""

import argparse
import contextlib
import json
import sys
import time
from importlib.metadata import version

import numpy as np

MILLIVOLTS = 1e3


def adapt(package, decompose, *, compiles=False):
    """Run ``decompose(emg, fs, seed, settings)``, which gives the sample indices of each unit, and write them.

    ``emg`` is (channels, samples) float64 in millivolts, the unit of the files that these tools usually read.
    A peer that compiles what it runs (`compiles`) runs on a small piece first, so that the time is that of the work.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)  # set in the environment before this process began
    parser.add_argument("--settings", type=json.loads, default={})
    arguments = parser.parse_args()
    with np.load(arguments.input) as given:
        emg, fs = MILLIVOLTS * given["emg"].astype(np.float64), float(given["fs"])
    if compiles:
        with contextlib.redirect_stdout(sys.stderr):
            decompose(emg[:8, : round(2 * fs)], fs, arguments.seed, arguments.settings)
    np.random.seed(arguments.seed)  # noqa: NPY002  what the peers draw from
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        found = decompose(emg, fs, arguments.seed, arguments.settings)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    trains = [np.unique(np.asarray(train, np.int64).ravel()) for train in found]
    trains = [train[(train >= 0) & (train < emg.shape[1])] for train in trains]
    np.savez(
        arguments.output,
        samples=np.concatenate([np.zeros(0, np.int64), *trains]),
        n_spikes=np.array([len(train) for train in trains], np.int64),
        wall_s=wall,
        cpu_s=cpu,
        version=f"{package} {version(package)}",
    )
