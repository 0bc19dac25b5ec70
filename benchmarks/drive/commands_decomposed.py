"""Separation of neural commands from *decomposed* spikes: a simulated muscle, its EMG, fastICA, then the commands.

    OMP_NUM_THREADS=1 python benchmarks/drive/commands_decomposed.py [--preset intramuscular-3x40] [--runs 3]
    [--snr 20]

The pools are those of ``commands.py`` (40 % of the units hear two commands), each unit with the action potential
of a unit of the preset's muscle, intermixed. The interference signal gets white noise, is decomposed blindly, and
the commands are sought in what was accepted, as it is. Printed per run: units active and accepted, how many of
these match a true unit, and the scores of ``commands.py``; adjusted Rand indices count the units that match a
true one. "true" is the same from the true spikes.
"""

from __future__ import annotations

import argparse
import time

import commands as bench
import numpy as np

import muemg
from muemg.simulation import Scenario, add_white_noise, interference_signal


def muscle(preset: str, n_units: int, seed: int) -> muemg.Simulation:
    """The preset's muscle with `n_units`; the recording is short, only its action potentials are used."""
    plan = Scenario.preset(preset).override({"muscle.n_units": n_units, "recording.sampling_rate_hz": 4096})
    return muemg.simulate(plan, seed=seed)


def labels_of(found: muemg.SpikeTrains, truth: muemg.SpikeTrains, labels: np.ndarray) -> np.ndarray:
    """Command of the true unit that each found one matches; −2 without a match."""
    table = muemg.compare(found, truth).found
    at = {unit: i for i, unit in enumerate(truth.unit_ids)}
    return np.array(
        [
            labels[at[match]] if matched else -2
            for match, matched in zip(table["match"].tolist(), table["matched"])
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="intramuscular-3x40")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--commands", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--units", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--strength", type=float, default=0.1)
    parser.add_argument("--snr", type=float, default=20.0, help="in dB")
    a = parser.parse_args()
    for seed in range(a.runs):
        anatomy = muscle(a.preset, a.units, seed)
        bench.RATE = anatomy.recording.sampling_rate
        for n_commands in a.commands:
            begun = time.perf_counter()
            spikes, commands, labels = bench.scene(
                n_commands, seed, seconds=a.seconds, strength=a.strength, correlation=0.0, n_units=a.units
            )
            active = np.array(spikes.unit_ids)
            signal = interference_signal(
                spikes.samples, anatomy.muaps[active], spikes.n_samples, offset=anatomy.muap_offset
            )
            add_white_noise(signal, a.snr, np.random.default_rng(seed))
            found = muemg.decompose(muemg.Recording(signal, bench.RATE), seed=seed).spikes
            of_found = labels_of(found, spikes, labels)
            print(f"seed {seed}, K = {n_commands}: {len(spikes)} active, {len(found)} accepted, ", end="")
            print(f"{np.count_nonzero(of_found > -2)} match; {time.perf_counter() - begun:.0f} s")
            print(f"  decomposed {show(bench.judge(found, commands, of_found, seed))}")
            print(f"  true       {show(bench.judge(spikes, commands, labels, seed))}", flush=True)


def show(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in scores.items())


if __name__ == "__main__":
    main()
