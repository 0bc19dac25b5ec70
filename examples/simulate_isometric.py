"""A force target followed by hand: simulate it, and look at force, discharges and one column of the grid."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import muemg

path = sys.argv[1] if len(sys.argv) > 1 else "isometric.png"
scene = muemg.Scenario.preset("demo-64").override(
    {
        "drive.controls": "force",
        "drive.level": 0.2,
        "neurons.input_deviation": 0.005,
        "recording.duration_s": 12,
    }
)
made = muemg.simulate(scene, seed=1)
recording = made.recording

figure, (force, discharges, signals) = plt.subplots(3, 1, figsize=(9, 9), layout="constrained")
force.plot(recording.times, recording.auxiliary["target"], label="asked for")
force.plot(recording.times, recording.auxiliary["force"], label="given")
force.set(ylabel="force (% MVC)", xlim=(0, 12))
force.legend()
discharges.eventplot([train / recording.sampling_rate for train in made.spikes], linelengths=0.8)
discharges.set(ylabel="motor unit", xlabel="time (s)", xlim=(0, 12))
column = recording.electrodes.grid_index[:, 1] == 2
part = recording.select_channels(column).time_slice(6, 6.15)
for row, trace in enumerate(part.signal):
    signals.plot(1e3 * part.times, 1e6 * trace - 400 * row, color="0.2", linewidth=0.7)
signals.set(xlabel="time (ms)", yticks=[], ylabel="middle column of electrodes")
figure.savefig(path, dpi=120)
held = recording.auxiliary["force"][5 * 2048 : 9 * 2048]
print(made)
print(f"force on the plateau: {held.mean():.2f} ± {held.std():.2f} % of the maximum")
print(f"see {path}")
