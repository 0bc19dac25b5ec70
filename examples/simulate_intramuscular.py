"""Three lines of electrodes inside a muscle: how few electrodes hear one motor unit there."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import muemg

path = sys.argv[1] if len(sys.argv) > 1 else "intramuscular.png"
scene = muemg.Scenario.preset("intramuscular-3x40").override(
    {"recording.duration_s": 7, "muscle.n_units": 10, "muscle.mean_innervation_number": 30}
)
made = muemg.simulate(scene, seed=1)
print(made)
height = 1e6 * np.ptp(made.muaps, axis=2)
for unit in range(0, len(made), 3):
    heard = np.count_nonzero(height[unit] > 0.3 * height[unit].max())
    print(
        f"unit {unit}: {height[unit].max():.0f} µV at best, "
        f"above a third of that on {heard} of {made.recording.n_channels} electrodes"
    )

figure, (map_, signals) = plt.subplots(1, 2, figsize=(12, 6), layout="constrained", width_ratios=(1, 2))
image = map_.imshow(np.log10(height), aspect="auto", cmap="viridis", vmin=0)
map_.set(xlabel="electrode (three lines of 40)", ylabel="motor unit", title="size of the action potentials")
figure.colorbar(image, ax=map_, label="log₁₀ µV")
line = made.recording.electrodes.grid_index[:, 1] == 1
part = made.recording.select_channels(line).time_slice(3, 3.1)
step = 4e6 * part.signal.std()
for row, trace in enumerate(part.signal):
    signals.plot(1e3 * part.times, 1e6 * trace - step * row, color="0.2", linewidth=0.6)
signals.set(xlabel="time (ms)", yticks=[], title="middle line, shallowest electrode on top")
figure.savefig(path, dpi=120)
print(f"see {path}")
