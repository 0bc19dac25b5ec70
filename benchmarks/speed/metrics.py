"""Scoring 100 found units against 100 true ones over a minute."""

import numpy as np

import muemg


class Compare:
    """Every pair: delay, matching, assignment."""

    def setup(self):
        rng = np.random.default_rng(0)
        rate, n_samples = 2048.0, 60 * 2048
        trains = [np.cumsum(rng.integers(120, 260, 700)) for _ in range(100)]
        self.truth = muemg.SpikeTrains(tuple(t[t < n_samples] for t in trains), rate, n_samples)
        late = [np.unique(t + rng.integers(-1, 2, len(t))) for t in trains]
        self.found = muemg.SpikeTrains(tuple(t[t < n_samples] for t in late), rate, n_samples)
        muemg.compare(self.found, self.truth)  # compile

    def time_compare(self):
        muemg.compare(self.found, self.truth)

    def time_find_duplicates(self):
        muemg.metrics.find_duplicates(self.found)
