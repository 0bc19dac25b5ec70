"""A small recording with three known units, and methods whose answers are known too."""

import sys

import numpy as np
import pytest

from muemg import Contents, Recording, write
from muemg.benchmark import Method, Scene
from tests.benchmark.known import N_SAMPLES, PROGRAM, RATE, TRUTH, spike_trains


@pytest.fixture(scope="package")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for name, seed in (("one.h5", 1), ("two.npz", 2)):
        signal = 1e-5 * np.random.default_rng(seed).standard_normal((4, N_SAMPLES))
        write(folder / name, Contents(recording=Recording(signal, RATE), spikes=spike_trains(*TRUTH)))
    write(folder / "without_truth.h5", Recording(signal, RATE))
    (folder / "notes.txt").write_text("not a recording")
    return folder


@pytest.fixture(scope="package")
def case(recordings, tmp_path_factory):
    return Scene.load("one.h5", recordings).case(0, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="package")
def program(tmp_path_factory):
    """The peer as a method; `do` is Python that it runs before it answers."""
    script = tmp_path_factory.mktemp("peer") / "peer.py"
    script.write_text(PROGRAM)

    def method(do="", **options):
        settings = {"do": do} if do else {}
        return Method("peer", command=(sys.executable, str(script)), settings=settings, **options)

    return method
