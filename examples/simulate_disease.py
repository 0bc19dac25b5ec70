"""Healthy, myopathic, neurogenic: the same muscle at the same force, three times."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import muemg

path = sys.argv[1] if len(sys.argv) > 1 else "disease.png"
muscle = {"muscle.n_units": 40, "muscle.mean_innervation_number": 100, "muscle.most_fibres": 0}
base = {
    "recording.duration_s": 8,
    "recording.snr_db": 40,
    "muscle.assignment": "uniform",
    "drive.level": 0.2,
    "amplifier.montage": "single_differential",
    **muscle,
}
figure, axes = plt.subplots(3, 2, figsize=(11, 8), sharex="col", layout="constrained")
for row, kind in zip(axes, ("none", "myopathic", "neurogenic")):
    scene = muemg.Scenario.preset("demo-64").override(
        {**base, "pathology.kind": kind, "pathology.severity": 0.5, "pathology.reinnervation": 0.6}
    )
    made = muemg.simulate(scene, seed=1)
    active = made.spikes.n_spikes > 5
    held = made.recording.auxiliary["force"][4 * 2048 : 5 * 2048].mean()
    rate = made.spikes.n_spikes[active].mean() / 4.5
    height = np.median(1e6 * made.motor_units["peak_to_peak"][active])
    name = "healthy" if kind == "none" else kind
    print(
        f"{name}: {active.sum()} of {len(made)} units active at {held:.1f} % of the healthy force, "
        f"{rate:.1f} discharges a second, median action potential {height:.0f} µV"
    )
    channel = np.argmax(made.recording.signal.std(axis=1))
    part = made.recording.time_slice(4, 4.4)
    row[0].plot(1e3 * part.times, 1e6 * part.signal[channel], color="0.2", linewidth=0.7)
    row[0].set(ylabel=f"{name}\nloudest channel (µV)")
    size = 1e6 * made.motor_units["peak_to_peak"]
    threshold = made.motor_units["threshold"]
    row[1].plot(threshold[active], size[active], "o", label="active")
    row[1].plot(threshold[~active], size[~active], "o", color="0.7", label="silent")
    row[1].set(ylabel="action potential (µV)", xscale="log", yscale="log", ylim=(0.1, 500))
axes[0, 1].legend()
axes[2, 0].set(xlabel="time (ms)")
axes[2, 1].set(xlabel="recruitment threshold (fraction of the maximal excitation)")
figure.suptitle("the same force, with half of the fibres or half of the motor units lost")
figure.savefig(path, dpi=120)
print(f"see {path}")
