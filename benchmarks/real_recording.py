"""The real vastus lateralis: what is found over seeds, in what time and memory, and what the vendor's units hold.

Run ``python benchmarks/real_recording.py [--seeds 5]``. Besides the table it prints, for every vendor unit that is not
matched at a rate of agreement of 0.90, the discharges on which the two disagree: how high the unit's source rises
there once the other units' action potentials are removed, and which of our other units discharge at that moment.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

import muemg
from muemg.metrics.matching import best_delay, match_spikes

TOLERANCE = 1e-3  # s


def main() -> None:
    """Decompose once per seed and print the table, then the disputed discharges of the first seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    contents = muemg.datasets.vastus_lateralis()
    recording, vendor = contents.require("recording"), contents.require("spikes")
    muemg.decompose(recording.time_slice(8, 12), seed=0)  # compile, so that the times below are of the work
    print("seed  wall s  cpu s  units  sil_linear≥0.90  agreement with the vendor's units")
    first = None
    for seed in range(seeds):
        wall, cpu = time.perf_counter(), time.process_time()
        found = muemg.decompose(recording, seed=seed)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        agreement = muemg.compare(found, vendor, min_f1=0).truth["rate_of_agreement"]
        linear = int((found.quality["sil_linear"] >= 0.9).sum())
        listed = " ".join(f"{value:.3f}" for value in agreement)
        print(f"{seed:4d}  {wall:6.1f}  {cpu:5.1f}  {len(found):5d}  {linear:15d}  {listed}", flush=True)
        first = first or found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"peak memory {peak:.2f} GiB")
    if first is not None:
        print(first.quality)
        dispute(first, vendor)


def dispute(found: muemg.Decomposition, vendor: muemg.SpikeTrains) -> None:
    """Print the discharges on which the vendor and we disagree, for units below an agreement of 0.90."""
    rate = vendor.sampling_rate
    width, reach = round(TOLERANCE * rate), round(0.1 * rate)
    table = muemg.compare(found, vendor, min_f1=0).truth
    for unit in np.flatnonzero(table["rate_of_agreement"] < 0.9):
        scores = [
            len(match_spikes(vendor[unit], ours, width)[0])
            for ours in _aligned(found, vendor[unit], width, reach)
        ]
        index = int(np.argmax(scores))
        delay = best_delay(vendor[unit], found.spikes[index], width, reach)
        ours = found.spikes[index] - delay
        agreed, _ = match_spikes(vendor[unit], ours, width)
        ours_too = set(match_spikes(vendor[unit], ours, width)[1].tolist())
        source = found.sources[index]
        print(
            f"\nvendor unit {unit}: {len(vendor[unit])} discharges, our unit {index}: {len(ours)}, {len(agreed)} shared"
        )
        at_shared = source[found.spikes[index][sorted(ours_too)]]
        print(
            f"  source at the shared discharges: {np.percentile(at_shared, [0, 50, 100]).round(1)} standard deviations"
        )
        others = source[_background(found, index)]
        print(f"  99.9 % of its background peaks stay below {np.percentile(others, 99.9):.1f}")
        print("  only the vendor:  time s, source there (±2 ms), our other units within 5 ms")
        overlap = round(5e-3 * rate)
        for spike in np.delete(vendor[unit], agreed) + delay:
            near = source[max(0, spike - 4) : spike + 5]
            rivals = [
                other
                for other, train in enumerate(found.spikes)
                if other != index and len(train) and np.abs(train - spike).min() <= overlap
            ]
            print(f"    {spike / rate:7.3f}  {near.max():6.1f}   {rivals}")
        print("  only ours:  time s, source")
        for k, spike in enumerate(found.spikes[index]):
            if k not in ours_too:
                print(f"    {spike / rate:7.3f}  {source[spike]:6.1f}")


def _aligned(found: muemg.Decomposition, train: np.ndarray, width: int, reach: int) -> list[np.ndarray]:
    return [ours - best_delay(train, ours, width, reach) for ours in found.spikes]


def _background(found: muemg.Decomposition, index: int) -> np.ndarray:
    from muemg.metrics.quality import source_peaks

    peaks, _ = source_peaks(found.sources[index], found.spikes.sampling_rate)
    distance = np.abs(peaks[:, None] - found.spikes[index][None, :]).min(axis=1)
    return peaks[distance > 4]


if __name__ == "__main__":
    main()
