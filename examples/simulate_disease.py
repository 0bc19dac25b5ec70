"""Healthy, myopathic, neurogenic: the same muscle at the same force, three times."""

import numpy as np

import muemg

muscle = {"muscle.n_units": 40, "muscle.mean_innervation_number": 100, "muscle.most_fibres": 0}
base = {"recording.duration_s": 8, "muscle.assignment": "uniform", "drive.level": 0.2, **muscle}
for kind in ("none", "myopathic", "neurogenic"):
    scene = muemg.Scenario.preset("demo-64").override(
        {**base, "pathology.kind": kind, "pathology.severity": 0.5, "pathology.reinnervation": 0.6}
    )
    made = muemg.simulate(scene, seed=1)
    active = made.spikes.n_spikes > 5
    held = made.recording.auxiliary["force"][4 * 2048 : 5 * 2048].mean()
    rate = made.spikes.n_spikes[active].mean() / 4.5
    height = np.median(1e6 * made.motor_units["peak_to_peak"][active])
    print(
        f"{kind}: {active.sum()} of {len(made)} units active at {held:.1f} % of the healthy force, "
        f"{rate:.1f} discharges a second, median action potential {height:.0f} µV"
    )
