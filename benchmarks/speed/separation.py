"""Decomposition of ten seconds on 64 channels, and its parts that take the time."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np

import muemg


class Decompose:
    """Blind separation as a person calls it; time and peak memory."""

    timeout = 600
    number, repeat, warmup_time = 1, 3, 0

    def setup_cache(self):
        settings = {"recording.duration_s": 10, "muscle.most_fibres": 30}
        simulation = muemg.simulate(muemg.Scenario.preset("demo-64").override(settings), seed=0)
        muemg.write("recording.h5", muemg.Contents(simulation=simulation))

    def setup(self):
        self.recording = muemg.read("recording.h5").require("recording")
        muemg.decompose(self.recording.time_slice(4, 7))  # compile

    def time_fastica(self):
        muemg.decompose(self.recording, method="fastica", seed=0)

    def peakmem_fastica(self):
        muemg.decompose(self.recording, method="fastica", seed=0)


class OnlineDecoder:
    """One chunk of 20 ms, 64 channels, eight units."""

    def setup_cache(self):
        Decompose().setup_cache()

    def setup(self):
        recording = muemg.read("recording.h5").require("recording")
        found = muemg.decompose(recording, seed=0)
        self.decoder = muemg.OnlineDecoder(muemg.learn_filters(recording, found))
        self.chunk = np.array(recording.signal[:, 8192 : 8192 + 41])
        self.decoder.process(self.chunk)

    def time_chunk(self):
        self.decoder.process(self.chunk)
