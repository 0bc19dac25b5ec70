"""Three lines of electrodes inside a muscle: how few electrodes hear one motor unit there."""

import numpy as np

import muemg

scene = muemg.Scenario.preset("intramuscular-3x40").override(
    {"recording.duration_s": 7, "muscle.n_units": 10, "muscle.most_fibres": 10}
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
