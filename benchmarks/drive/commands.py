"""Separation of neural commands from spike trains: how often their number is right, and how well they are recovered.

    OMP_NUM_THREADS=1 python benchmarks/drive/commands.py [--runs 20] [--strength 0.1] [--seconds 60]
    [--correlation 0]

Each run draws a pool of 60 integrate-and-fire motor neurons at a mean excitation of 0.35, which fluctuates by
`strength` of it (standard deviation) with K slow commands (up to 1 Hz) in place of one. 40 % of the units receive
two of the commands, with shares of 35 to 65 %; the others one. Every unit has input of its own, too, a tenth of
the mean up to 20 Hz. Units with fewer than 5 discharges per second are left out: they are not recruited
throughout.

Spikes are the true ones unless ``--missed`` and ``--false`` (shares of discharges) say what a decomposition does
to them. Printed for each K: runs with the right number; medians and 10 % quantiles over the runs in which it was
right of R² to the true command, of cross-talk (R² to the other ones), of the adjusted Rand index of units with
one command, and of all units with "shared" as a cluster of its own.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from muemg import SpikeTrains
from muemg.decoding import CommandSeparation
from muemg.drive import count_frames
from muemg.neurons import CommonInput, IntegrateAndFirePool

RATE, LEVEL, SHARED, LEAST_RATE, FRAMES = 1000.0, 0.35, 0.4, 5.0, 50.0


def scene(
    n_commands: int, seed: int, *, seconds: float, strength: float, correlation: float, n_units: int = 60
) -> tuple[SpikeTrains, np.ndarray, np.ndarray]:
    """Trains, commands (K, n_samples), and the command of each unit (−1 for two)."""
    rng = np.random.default_rng([n_commands, seed])
    n_samples = int(seconds * RATE)
    drawn = CommonInput.draw(n_commands, seconds, deviation=1.0, correlation=correlation, cutoff=1.0, rng=rng)
    commands = np.array([drawn.row(k, n_samples, RATE) for k in range(n_commands)])
    weights, labels = np.zeros((n_units, n_commands)), np.zeros(n_units, dtype=int)
    n_shared = round(SHARED * n_units) if n_commands > 1 else 0
    for place, unit in enumerate(rng.permutation(n_units)):
        if place < n_shared:
            two = rng.choice(n_commands, 2, replace=False)
            share = rng.uniform(0.35, 0.65)
            weights[unit, two], labels[unit] = (share, 1 - share), -1
        else:
            labels[unit] = place % n_commands
            weights[unit, labels[unit]] = 1
    own = CommonInput.draw(n_units, seconds, deviation=0.1, correlation=0.0, cutoff=20.0, rng=rng)
    pool = IntegrateAndFirePool(n_units)
    trains = []
    for unit in range(n_units):
        fluctuation = strength * (weights[unit] @ commands) + own.row(unit, n_samples, RATE)
        excitation = np.clip(LEVEL * (1 + fluctuation), 0, 1)
        trains.append(pool.train(excitation, RATE, unit=unit, rng=rng))
    spikes = SpikeTrains(tuple(trains), RATE, n_samples)
    fast = np.flatnonzero(spikes.n_spikes > LEAST_RATE * seconds)
    return spikes.select_units(fast), commands, labels[fast]


def as_decomposed(spikes: SpikeTrains, missed: float, false: float, seed: int) -> SpikeTrains:
    """Trains with a share of discharges missed, and false ones added at random."""
    rng = np.random.default_rng(seed)
    trains = []
    for train in spikes:
        kept = train[rng.random(len(train)) >= missed]
        added = rng.integers(0, spikes.n_samples, round(false * len(train)))
        trains.append(np.union1d(kept, added))
    return SpikeTrains(tuple(trains), spikes.sampling_rate, spikes.n_samples)


def judge(spikes: SpikeTrains, commands: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    """Scores; units labelled −2 are nobody's and count in no Rand index."""
    counts = count_frames(spikes, FRAMES)
    found = CommandSeparation(frame_rate=FRAMES, seed=seed).fit(counts)
    said = {"right": float(found.n_commands_ == len(commands))}
    if not said["right"]:
        return said
    middle = ((np.arange(len(counts)) + 0.5) * RATE / FRAMES).astype(int)
    courses = found.transform(counts).T
    shared = np.corrcoef(courses, commands[:, middle])[: len(courses), len(courses) :] ** 2
    one, other = linear_sum_assignment(-shared)
    rest = shared.copy()
    rest[one, other] = np.nan
    alone, known = labels >= 0, labels >= -1
    said |= {
        "R²": shared[one, other].min(),
        "cross-talk": np.nanmax(rest) if len(commands) > 1 else 0.0,
        "ARI of units with one": adjusted_rand_score(labels[alone], found.memberships_[alone].argmax(axis=1)),
        "ARI with shared ones": adjusted_rand_score(labels[known], found.labels_[known]),
    }
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--commands", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--strength", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--correlation", type=float, default=0.0, help="of the commands")
    parser.add_argument("--missed", type=float, default=0.0)
    parser.add_argument("--false", type=float, default=0.0)
    a = parser.parse_args()
    for n_commands in a.commands:
        runs = []
        for seed in range(a.runs):
            spikes, commands, labels = scene(
                n_commands, seed, seconds=a.seconds, strength=a.strength, correlation=a.correlation
            )
            if a.missed or a.false:
                spikes = as_decomposed(spikes, a.missed, a.false, seed)
            runs.append(judge(spikes, commands, labels, seed))
        right = [run for run in runs if run["right"]]
        print(f"K = {n_commands}: number right in {len(right)} of {len(runs)} runs")
        for name in right[0] if right else ():
            if name != "right":
                values = [run[name] for run in right]
                print(
                    f"  {name:24} median {np.median(values):.3f}, 10 % {np.quantile(values, 0.1):.3f}, ",
                    end="",
                )
                print(f"90 % {np.quantile(values, 0.9):.3f}")


if __name__ == "__main__":
    main()
