"""How long windowed neural-drive features of 60 motor units take, over ten minutes.

    OMP_NUM_THREADS=1 python benchmarks/drive/speed.py [--units 60] [--minutes 10]

Units discharge at 12 Hz with intervals that vary by 15 %, at 2048 Hz. Windows are 200 ms long, 50 ms apart. Each
row is the best of three runs on this machine; the loops are compiled before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from muemg import SpikeTrains
from muemg.drive import (
    ActiveUnits,
    CumulativeSpikeTrain,
    DischargeRate,
    count_frames,
    count_windows,
    discharge_statistics,
    row_windows,
)


def trains(n_units: int, seconds: float, sampling_rate: float = 2048.0) -> SpikeTrains:
    rng = np.random.default_rng(0)
    n = int(seconds * sampling_rate)
    times = np.cumsum((1 + 0.15 * rng.standard_normal((n_units, int(13 * seconds)))) / 12, axis=1)
    return SpikeTrains.from_times([t[t < seconds - 0.01] for t in times], sampling_rate, n)


def best(function: Callable[[], object]) -> float:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        function()
        took.append(time.perf_counter() - started)
    return min(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    spikes = trains(arguments.units, 60 * arguments.minutes)
    window = {"length": 0.2, "step": 0.05}

    def rates(kernel: str) -> object:
        rows = DischargeRate(kernel, 0.2, 100.0).fit_transform(count_frames(spikes, 100.0))
        return row_windows(rows, 100.0, **window, summary="last")

    def everything() -> object:
        counts = count_frames(spikes, 100.0)
        models = (DischargeRate("hann", 0.2), CumulativeSpikeTrain("hann", 0.2), ActiveUnits(0.2))
        rows = np.column_stack([model.fit_transform(counts) for model in models])
        return count_windows(spikes, **window).X, row_windows(rows, 100.0, **window).X

    DischargeRate("hann").fit_transform(np.ones((10, 2)))
    DischargeRate("exponential").fit_transform(np.ones((10, 2)))
    print(repr(spikes))
    rows: dict[str, Callable[[], object]] = {
        "counts per window": lambda: count_windows(spikes, **window),
        **{f"{k} rates at window ends": lambda k=k: rates(k) for k in ("exponential", "hann", "gaussian")},  # type: ignore[misc]
        "counts, Hann rates, pool and active units": everything,
        "discharge statistics": lambda: discharge_statistics(spikes),
    }
    for name, function in rows.items():
        print(f"{name:42} {best(function):6.3f} s")


if __name__ == "__main__":
    main()
