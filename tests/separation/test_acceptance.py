"""The line end to end at full size: a simulated muscle whose truth is known, and the real vastus lateralis."""

import pytest

import muemg
from muemg.datasets import DownloadError


@pytest.mark.slow
def test_simulated_muscle_twenty_units():
    simulation = muemg.simulate("demo-64", seed=0)
    found = muemg.decompose(simulation.recording, seed=0)
    comparison = muemg.compare(found, simulation)
    # the linear bound (filters from the true action potentials) finds 10 of the 20 in this scene
    assert len(found) >= 12
    assert (comparison.found["f1"] >= 0.95).all()
    assert muemg.metrics.find_duplicates(found) == ()


@pytest.mark.slow
def test_real_vastus_lateralis():
    try:
        contents = muemg.datasets.vastus_lateralis()
    except DownloadError as error:
        pytest.skip(f"the real recording could not be fetched: {error}")
    found = muemg.decompose(contents.require("recording"), seed=0)
    agreement = muemg.compare(found, contents.require("spikes"), min_f1=0).truth["rate_of_agreement"]
    # The vendor's first unit holds some 20 discharges that its own action potential does not show
    # (benchmarks/real_recording.py lists them).
    assert (agreement[1:] >= 0.9).all()
    assert agreement[0] >= 0.75
    assert (found.quality["sil_linear"] >= 0.9).sum() >= 12
    assert muemg.metrics.find_duplicates(found) == ()
