"""A slipping grid on a shortening muscle: where the loudest electrode is while everything moves."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import muemg

path = sys.argv[1] if len(sys.argv) > 1 else "dynamic.png"
scene = muemg.Scenario.preset("demo-64").override(
    {
        "recording.duration_s": 10,
        "drive.profile": "constant",
        "drive.level": 0.2,
        "movement.frequency_hz": 0.2,
        "movement.shift_along_mm": 10,
        "movement.shortening": 0.1,
    }
)
made = muemg.simulate(scene, seed=1)
recording = made.recording
active = made.spikes.n_spikes > 50
unit = int(np.where(active, made.motor_units["peak_to_peak"], 0).argmax())
column = np.flatnonzero(recording.electrodes.grid_index[:, 1] == 2)
column = column[np.argsort(recording.electrodes.positions[column, 2])]

# The same motor unit at rest and half way, averaged over its discharges there.
figure, axes = plt.subplots(1, 3, figsize=(12, 5), layout="constrained")
course = recording.auxiliary["movement"]
train = made.spikes[unit]
for axis, low in zip(axes, (0.0, 0.4, 0.8)):
    chosen = train[(course[train] >= low) & (course[train] <= low + 0.2) & (train < recording.n_samples - 60)]
    mean = np.mean([recording.signal[column, at : at + 60] for at in chosen], axis=0)
    traces = np.diff(mean, axis=0) / np.ptp(np.diff(mean, axis=0))
    for row, trace in enumerate(traces):
        axis.plot(np.arange(60) / 2.048, trace - 0.5 * row, color="C0")
    axis.set(title=f"{100 * low:.0f} to {100 * low + 20:.0f} % of the way", xlabel="time (ms)", yticks=[])
figure.suptitle("single differentials of one motor unit: the innervation zone travels over the grid")
figure.savefig(path, dpi=120)
print(made)
print(
    f"unit {unit} discharged {len(train)} times while the grid slipped 10 mm and the muscle shortened by 10 %"
)
print(f"see {path}")
