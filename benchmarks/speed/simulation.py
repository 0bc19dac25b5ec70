"""A simulated recording: potentials of the fibres, and discharges added up."""

import numpy as np

import muemg
from muemg.simulation import interference_signal


class Simulate:
    """Twenty units, 64 channels, eight seconds, everything compiled."""

    timeout = 300
    number, repeat, warmup_time = 1, 3, 0

    def setup(self):
        settings = {"recording.duration_s": 8, "muscle.most_fibres": 30}
        self.scenario = muemg.Scenario.preset("demo-64").override(settings)
        muemg.simulate(self.scenario, seed=0)

    def time_simulate(self):
        muemg.simulate(self.scenario, seed=0)


class Interference:
    """A hundred units of 400 discharges on 64 channels."""

    def setup(self):
        rng = np.random.default_rng(0)
        self.trains = [np.unique(rng.integers(0, 60_000, 400)) for _ in range(100)]
        self.muaps = rng.standard_normal((100, 64, 100)).astype(np.float32)
        interference_signal(self.trains, self.muaps, 61_440)

    def time_interference_signal(self):
        interference_signal(self.trains, self.muaps, 61_440)
