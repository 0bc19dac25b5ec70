"""How does accuracy fall with noise? Simulate at two signal-to-noise ratios, decompose, and score."""

import muemg

scene = muemg.Scenario.preset("demo-64").override({"recording.duration_s": 8, "muscle.n_units": 6})
for snr_db in (30, 10):
    simulation = muemg.simulate(scene.override({"recording.snr_db": snr_db}), seed=1)
    found = muemg.decompose(simulation.recording, seed=1)
    comparison = muemg.compare(found, simulation)
    scores = comparison.truth["f1"][comparison.truth["matched"]]
    mean = f"{scores.mean():.3f}" if len(scores) else "–"
    print(f"{snr_db} dB: {comparison.n_matched} of {len(simulation)} motor units found, mean F1 {mean}")
