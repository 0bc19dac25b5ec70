"""From sample to decision: how long one 50 ms hop takes to compute, and how far decisions lie behind the muscle.

    OMP_NUM_THREADS=1 python benchmarks/drive/online.py [--channels 64] [--units 30] [--classes 12] [--minutes 2]

The stream is noise, decoded by filters of random potentials with thresholds that noise passes some twelve times a
second: what is done to a sample does not depend on its value. Windows are 200 ms long and 50 ms apart, the
classifier is a shrunken linear discriminant, the last five decisions vote. Printed are quantiles of the time of
`OnlineClassifier.process` for a chunk of 50 ms, and the parts of the delay.
"""

from __future__ import annotations

import argparse
import gc
import time
from dataclasses import replace

import numpy as np

import muemg
from muemg.decoding import MajorityVote, OnlineClassifier, make_classifier
from muemg.drive import count_windows

RATE, LENGTH, STEP = 2048.0, 0.2, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--units", type=int, default=30)
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=2.0)
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((a.channels, int(10 * RATE))).astype(np.float32) * np.float32(1e-5)
    trains = tuple(np.unique(rng.integers(100, noise.shape[1] - 100, 120)) for _ in range(a.units))
    recording = muemg.Recording(noise, RATE)
    filters = muemg.learn_filters(
        recording, muemg.SpikeTrains(trains, RATE, noise.shape[1]), excluded_channels={}
    )
    # A peak of white noise lies above 2.5 standard deviations some twelve times a second.
    heights = {"spike_heights": np.full(a.units, 11.0), "background_heights": np.full(a.units, 1.5)}
    filters = replace(filters, **heights, thresholds=np.full(a.units, 6.25))
    windows = count_windows(muemg.decode(recording, filters).spikes, length=LENGTH, step=STEP)
    model = make_classifier("lda").fit(windows.X, np.arange(len(windows)) % a.classes)
    decoder = muemg.OnlineDecoder(filters)
    online = OnlineClassifier(decoder, model, length=LENGTH, step=STEP, smoother=MajorityVote(5))

    hop = round(STEP * RATE)
    n_hops = int(60 * a.minutes / STEP)
    starts = rng.integers(0, noise.shape[1] - hop, n_hops + 50)
    took, n_decisions = [], 0
    gc.collect()
    for start in starts:
        chunk = noise[:, start : start + hop]
        begun = time.perf_counter()
        n_decisions += len(online.process(chunk))
        took.append(time.perf_counter() - begun)
    milliseconds = 1e3 * np.array(took[50:])
    print(
        f"{a.channels} channels, {a.units} units, {a.classes} classes, {n_hops} hops, {n_decisions} decisions"
    )
    for share in (50, 99, 99.9):
        print(f"  {share:g} % of the hops within {np.percentile(milliseconds, share):.2f} ms")
    votes = online.delay - decoder.delay - LENGTH / 2
    print(
        f"delay {1e3 * online.delay:.0f} ms on average: decoder {1e3 * decoder.delay:.0f}, half a window",
        end=" ",
    )
    print(
        f"{1e3 * LENGTH / 2:.0f}, votes {1e3 * votes:.0f}; and at most one hop of {1e3 * STEP:.0f} until asked"
    )


if __name__ == "__main__":
    main()
