"""Records of every kind, small, with what is awkward to store: odd names, empty units, not-a-number."""

import numpy as np

from forward_models import ElectrodeArray
from muemg import Contents, Decomposition, Recording, Simulation, SpikeTrains, Table

RATE = 1999.5
N_SAMPLES = 64


def recording(seed: int = 0) -> Recording:
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((4, N_SAMPLES)).astype(np.float32) * np.float32(1e-4)
    signal[1, 3], signal[2, 4] = np.nan, np.inf
    return Recording(
        signal,
        RATE,
        ElectrodeArray.grid(2, 2, 8e-3, radius=1e-3, name='a "grid"/µ'),
        {"force": rng.random(N_SAMPLES), "z/tri.gger": np.arange(N_SAMPLES) % 2.0},
        ("a", "b/c", "ü", "4"),
        {"muscle": "vastus", "nested": {"list": [1, 2.5, None, True], "text": "a\x00b\ud800"}},
    )


def spikes(seed: int = 0) -> SpikeTrains:
    rng = np.random.default_rng(seed)
    trains = (np.flatnonzero(rng.random(N_SAMPLES) < 0.2), [], [0, N_SAMPLES - 1])
    return SpikeTrains(trains, RATE, N_SAMPLES, (7, "7", "biceps/1"))


def decomposition(seed: int = 0) -> Decomposition:
    rng = np.random.default_rng(seed)
    trains = spikes(seed)
    return Decomposition(
        trains,
        rng.standard_normal((3, N_SAMPLES)),
        np.where(np.arange(4)[:, None] == 2, np.nan, rng.standard_normal((3, 4, 5))),
        Table(
            {
                "sil": [0.9, np.nan, 0.5],
                "n_spikes": trains.n_spikes,
                "accepted": [True, False, True],
                "a/b.c": ["x", "", "long ü"],
            }
        ),
        muap_offset=2,
        excluded_channels={2: "flat", 0: "not-a-number"},
        parameters={"method": "fastica", "seed": 3, "sizes": [1, 2]},
        notes=("one", "two"),
    )


def simulation(seed: int = 0) -> Simulation:
    rng = np.random.default_rng(seed)
    return Simulation(
        recording(seed),
        spikes(seed),
        rng.standard_normal((3, 4, 5)),
        Table({"depth": [0.01, 0.02, 0.03], "n_fibres": np.array([3, 5, 7])}),
        2,
        {"scenario": {"fat_mm": 2.0}},
    )


def contents(seed: int = 0) -> Contents:
    """Everything at once."""
    return Contents(
        simulation=simulation(seed),
        decomposition=decomposition(seed + 1),
        metadata={"made": "by hand"},
    )
