"""A small scene, made without any method of the package: 8 electrodes, 3 motor units, 6 s."""

import os
from typing import NamedTuple

# Workers that test side by side share the cores: one thread each, before anything starts a thread pool.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
import pytest

from forward_models import ElectrodeArray
from muemg import Decomposition, Recording, SpikeTrains, Table

SAMPLING_RATE = 2000.0
N_SAMPLES = 12_000
N_LAGS = 41


class SmallScene(NamedTuple):
    recording: Recording
    spikes: SpikeTrains
    decomposition: Decomposition


@pytest.fixture(scope="session")
def small_scene() -> SmallScene:
    """Units recruited one after the other at 8, 10 and 12 Hz; the decomposition misses a few spikes."""
    rng = np.random.default_rng(7)
    electrodes = ElectrodeArray.grid(4, 2, 8e-3, name="4 × 2")
    trains, muaps = [], []
    lags = (np.arange(N_LAGS) - 20) / SAMPLING_RATE
    for unit, rate in enumerate((8.0, 10.0, 12.0)):
        intervals = (1 + 0.1 * rng.standard_normal(100)) / rate
        times = 1.0 + 0.5 * unit + np.cumsum(intervals)
        trains.append(np.rint(times[times < 5.5] * SAMPLING_RATE).astype(int))
        late = np.linspace(0, 4e-3, 8)[:, None]
        shape = -(lags - late) * np.exp(-(((lags - late) / 1.5e-3) ** 2))
        muaps.append(1e-4 * (unit + 1) * shape / np.abs(shape).max())
    truth = SpikeTrains(tuple(trains), SAMPLING_RATE, N_SAMPLES, ("a", "b", "c"))
    signal = 2e-6 * rng.standard_normal((8, N_SAMPLES))
    sources = 0.05 * rng.standard_normal((3, N_SAMPLES))
    for muap, source, train in zip(muaps, sources, truth):
        source[train] += 1 + 0.05 * rng.standard_normal(len(train))
        for start in train - 20:
            signal[:, start : start + N_LAGS] += muap
    force = np.clip(np.interp(np.arange(N_SAMPLES), [2000, 4000, 10_000, 11_000], [0, 20, 20, 0]), 0, None)
    recording = Recording(
        signal,
        SAMPLING_RATE,
        electrodes,
        auxiliary={"force": force},
        metadata={"muscle": "a <made-up> muscle", "auxiliary_units": {"force": "% MVC"}},
    )
    found = SpikeTrains(tuple(train[unit:] for unit, train in enumerate(truth)), SAMPLING_RATE, N_SAMPLES)
    silent = np.array(muaps)
    silent[:, 5] = np.nan
    decomposition = Decomposition(
        found,
        sources,
        silent,
        Table(
            {
                "sil": [0.95, 0.93, 0.91],
                "pnr": [33.0, 31.5, np.nan],
                "cov_isi": [0.11, 0.12, 0.1],
                "rate": [8.0, 10.0, 12.0],
                "n_spikes": found.n_spikes,
                "accepted": [True, True, False],
            }
        ),
        muap_offset=20,
        excluded_channels={5: "clipped: 2.0% of the samples"},
        parameters={"method": "by hand", "seed": 7, "versions": {"numpy": np.__version__}},
        notes=("a note & a half",),
    )
    return SmallScene(recording, truth, decomposition)
