"""Where do the motor units lie? Decompose five seconds with the forward model, and compare with the truth."""

import numpy as np

import muemg
from forward_models import presets
from forward_models.units import mm

scene = muemg.Scenario.preset("demo-64").override({"recording.duration_s": 9, "muscle.n_units": 10})
simulation = muemg.simulate(scene, seed=1)
conductor = presets.planar(fat=3 * mm, skin=1 * mm, reach=0.13, k_max=1.5e3)
recording = simulation.recording.time_slice(3, 8)
found = muemg.decompose(recording, method="bmiss", conductor=conductor, seed=0, n_bank=1024, max_passes=3)

comparison = muemg.compare(found, simulation.spikes.time_slice(3, 8))
print(f"{len(found)} motor units, {comparison.n_matched} of them among the {len(simulation)} true ones")
for i in range(len(found)):
    low, high = found.anatomy["depth_low"][i] / mm, found.anatomy["depth_high"][i] / mm
    print(
        f"unit {i}: {found.anatomy['depth'][i] / mm:.1f} mm deep (95 %: {low:.1f}–{high:.1f}), innervated at "
        f"{found.anatomy['zone'][i] / mm:.1f} mm, {found.anatomy['velocity'][i]:.2f} m/s"
    )
matched = comparison.found["matched"]
truth = simulation.motor_units["depth"][comparison.found["match"][matched]]
print(f"median error of the depth: {np.median(np.abs(found.anatomy['depth'][matched] - truth)) / mm:.2f} mm")
