"""How fast is the simulator, and how much memory does it take? Presets whole; the convolution and its bound.

    OMP_NUM_THREADS=1 python benchmarks/simulation/speed.py [PRESET …]

Each preset runs in a fresh interpreter, compilation included (numba's cache may be warm, JAX compiles anew).
The memory of a simulation is the peak of its process less that of the same interpreter with everything
imported and one tiny simulation done, as a multiple of the recording plus all action potentials computed.
"""

import json
import resource
import subprocess
import sys
import time

import numpy as np

PRESETS = ("tibialis-64", "tibialis-256", "forearm-320", "dynamic-forearm-320", "intramuscular-3x40")


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def one(name):
    start = time.perf_counter()
    import muemg

    tiny = {"muscle": {"n_units": 2, "most_fibres": 2}, "recording": {"duration_s": 7}}
    before_s = 0.0
    if "--memory" in sys.argv:
        muemg.simulate(tiny, seed=0)
        before_s = time.perf_counter() - start
    before = peak()
    made = muemg.simulate(name, seed=0)
    size = made.recording.signal.nbytes + made.muaps.nbytes
    moves = made.parameters["scenario"]["movement"]
    if "movement" in made.recording.auxiliary:
        size += (moves["nodes"] - 1) * made.muaps.nbytes
    print(
        json.dumps(
            {
                "preset": name,
                "seconds": round(time.perf_counter() - start - before_s, 2),
                "recording_and_muaps_mb": round(size / 1e6, 1),
                "memory_over_that": round((peak() - before) / size, 2),
                "peak_mb": round(peak() / 1e6),
            }
        )
    )


def convolution():
    """Additions per second of the interference signal, against a plain a += b of the same length."""
    from muemg.simulation import interference_signal

    rng = np.random.default_rng(0)
    n_units, n_channels, n_lags, n_samples = 100, 64, 54, 60 * 2048
    muaps = rng.standard_normal((n_units, n_channels, n_lags)).astype(np.float32)
    trains = [np.flatnonzero(rng.random(n_samples) < 15 / 2048) for _ in range(n_units)]
    interference_signal(trains, muaps, n_samples)
    seconds = min(_timed(lambda: interference_signal(trains, muaps, n_samples)) for _ in range(5))
    work = sum(map(len, trains)) * n_channels * n_lags
    # The bound: vectors of that length added in the innermost cache (8 bytes read, 4 written each).
    bound = _cache_rate(n_lags)
    print(
        json.dumps(
            {
                "convolution_s": round(seconds, 4),
                "additions_per_second": f"{work / seconds:.3g}",
                "bound_in_cache": f"{bound:.3g}",
                "share_of_bound": round(work / seconds / bound, 2),
            }
        )
    )


def _cache_rate(length):
    import numba

    @numba.njit
    def add(target, shapes, times):
        for t in range(times):
            shape = shapes[t % shapes.shape[0]]
            for i in range(target.size):
                target[i] += shape[i]

    target, shapes = np.zeros(length, np.float32), np.ones((8, length), np.float32)
    add(target, shapes, 10)
    times = 2_000_000
    return times * length / min(_timed(lambda: add(target, shapes, times)) for _ in range(3))


def _timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2])
    else:
        convolution()
        for preset in [arg for arg in sys.argv[1:] if not arg.startswith("-")] or PRESETS:
            for extra in ([], ["--memory"]):
                subprocess.run([sys.executable, __file__, "--one", preset, *extra], check=True)
