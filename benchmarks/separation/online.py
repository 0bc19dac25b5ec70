"""Online decoding: how long one chunk takes, whether memory grows, and how much of a drift adaptation makes good.

    OMP_NUM_THREADS=1 python benchmarks/separation/online.py speed [--minutes 10] [--adapt]
    OMP_NUM_THREADS=1 python benchmarks/separation/online.py drift [--scene demo-64] [--seeds 5] [--period 200]

`speed` decodes noise: 320 channels, 60 units, chunks of 41 samples (20 ms at 2048 Hz); what is done to a sample
does not depend on its value, save that noise has few discharges, so thresholds are set to 12 of them a second.
`drift` learns filters on the first ten seconds of a scene in which the muscle shortens by 12 % and the
electrodes slip by 8 mm, and decodes the rest with filters that stay, and with filters that follow. The
reference is the same scene without movement.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time

import numpy as np

import muemg
from muemg.metrics.matching import match_all_pairs

CHUNK = 41
LEARN = 10.0  # s


def filters_of_noise(n_channels: int, n_units: int) -> tuple[muemg.SeparationFilters, np.ndarray]:
    """Filters of random potentials, thresholds such that noise passes them at 12 Hz."""
    rng = np.random.default_rng(0)
    rate, seconds = 2048.0, 4
    noise = rng.standard_normal((n_channels, int(seconds * rate))).astype(np.float32) * np.float32(1e-5)
    trains = [np.unique(rng.integers(100, noise.shape[1] - 100, 12 * seconds)) for _ in range(n_units)]
    filters = muemg.learn_filters(
        muemg.Recording(noise, rate),
        muemg.SpikeTrains(tuple(trains), rate, noise.shape[1]),
        excluded_channels={},
    )
    # A peak of white noise lies above 2.5 standard deviations some twelve times a second.
    heights = {"spike_heights": np.full(n_units, 11.0), "background_heights": np.full(n_units, 1.5)}
    from dataclasses import replace

    return replace(filters, **heights, thresholds=np.full(n_units, 6.25)), noise


def speed(minutes: float, adapt: bool) -> dict[str, float]:
    filters, noise = filters_of_noise(320, 60)
    n_units, n_channels, n_taps = filters.taps.shape
    decoder = muemg.OnlineDecoder(filters, adaptation=muemg.Adaptation() if adapt else None)
    n_chunks = int(minutes * 60 * filters.sampling_rate / CHUNK)
    starts = np.random.default_rng(1).integers(0, noise.shape[1] - CHUNK, n_chunks)
    took = np.empty(n_chunks)
    n_spikes = 0
    for warm in range(200):
        decoder.process(noise[:, warm : warm + CHUNK])
    gc.collect()
    memory = []
    for i, start in enumerate(starts):
        chunk = noise[:, start : start + CHUNK]
        begun = time.perf_counter()
        decoded = decoder.process(chunk)
        took[i] = time.perf_counter() - begun
        n_spikes += sum(map(len, decoded.spikes))
        if i % (n_chunks // 10) == 0:
            memory.append(_resident())
    return {
        "channels": n_channels,
        "units": n_units,
        "taps": n_taps,
        "minutes": minutes,
        "adapt": adapt,
        "spikes_per_unit_and_second": n_spikes / n_units / (minutes * 60),
        "delay_ms": 1e3 * decoder.delay,
        "mean_ms": 1e3 * took.mean(),
        "p50_ms": 1e3 * np.percentile(took, 50),
        "p99_ms": 1e3 * np.percentile(took, 99),
        "max_ms": 1e3 * took.max(),
        "megaflop_per_chunk": 2e-6 * n_units * n_channels * n_taps * CHUNK,
        "memory_mb_first": memory[1] / 1e6,
        "memory_mb_last": memory[-1] / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


# ------------------------------------------------------------------ drift


def scenario(name: str, period: float, moves: bool) -> muemg.Scenario:
    """There and not back: half a period, with the first ten seconds, which move least."""
    changes = {
        "recording.duration_s": period / 2,
        "drive.profile": "constant",
        "drive.level": 0.25,
        "movement.frequency_hz": 1 / period,
        "movement.shift_along_mm": 8.0 if moves else 0.0,
        "movement.shortening": 0.12 if moves else 0.0,
    }
    return muemg.Scenario.preset(name).override(changes)


def agreements(found: muemg.SpikeTrains, truth: muemg.SpikeTrains) -> np.ndarray:
    """Rate of agreement of unit i with unit i."""
    rates = []
    for one, other in zip(found, truth):
        matched, _ = match_all_pairs([one], [other], 2, 100)
        rates.append(matched[0, 0] / max(len(one) + len(other) - matched[0, 0], 1))
    return np.array(rates)


def followed(scene: muemg.Scenario, still: muemg.Scenario, seed: int, adaptation: muemg.Adaptation) -> dict:
    moving = muemg.simulate(scene, seed=seed)
    filters = muemg.learn_filters(moving.recording.time_slice(0, LEARN), moving.spikes.time_slice(0, LEARN))
    # Units whose filters work where they were learned, judged on what they decode there.
    first = muemg.decode(moving.recording.time_slice(0, LEARN), filters)
    units = np.flatnonzero(agreements(first.spikes, moving.spikes.time_slice(0, LEARN)) >= 0.9)
    filters = filters.select_units(units)
    quiet = muemg.simulate(still, seed=seed)

    def after(
        recording: muemg.Recording, spikes: muemg.SpikeTrains, follow: muemg.Adaptation | None
    ) -> np.ndarray:
        found = muemg.decode(recording, filters, adaptation=follow).spikes
        return agreements(found.time_slice(LEARN), spikes.select_units(units).time_slice(LEARN))

    reference = after(quiet.recording, quiet.spikes, None)
    fixed = after(moving.recording, moving.spikes, None)
    adapted = after(moving.recording, moving.spikes, adaptation)
    still_adapted = after(quiet.recording, quiet.spikes, adaptation)
    lost, regained = reference.mean() - fixed.mean(), adapted.mean() - fixed.mean()
    return {
        "seed": seed,
        "units": len(units),
        "still": reference.mean(),
        "still_adapted": still_adapted.mean(),
        "fixed": fixed.mean(),
        "adapted": adapted.mean(),
        "regained": regained / lost,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speed", "drift"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--adapt", action="store_true")
    parser.add_argument("--scene", default="demo-64")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--period", type=float, default=200.0)
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    rows = []
    if options.what == "speed":
        rows.append(speed(options.minutes, options.adapt))
    else:
        scene, still = (scenario(options.scene, options.period, moves) for moves in (True, False))
        for seed in range(options.seeds):
            rows.append(followed(scene, still, seed, muemg.Adaptation()))
            print("  ".join(f"{k} {v:.3g}" for k, v in rows[-1].items()), flush=True)
        print(f"regained, median over seeds: {np.median([row['regained'] for row in rows]):.2f}")
    if options.what == "speed":
        for key, value in rows[0].items():
            print(f"{key:28} {value:.4g}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1, default=float)


if __name__ == "__main__":
    main()
