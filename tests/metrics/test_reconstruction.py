"""Explained variance of recordings that are rebuilt exactly, partly, or wrongly."""

import numpy as np
import pytest

from muemg import Decomposition, Recording, SpikeTrains
from muemg._table import Table
from muemg.errors import InvalidArgumentError
from muemg.metrics import explained_variance

FS, N = 1000.0, 400
TRAINS = ([1, 100, 105, 399], [50, 103])  # at both ends and overlapping
MUAPS = np.random.default_rng(0).normal(size=(2, 3, 8)).astype(np.float32)


def rebuilt(offset):
    signal = np.zeros((3, N + 40))
    for muap, train in zip(MUAPS, TRAINS):
        for spike in train:
            signal[:, 20 + spike - offset : 20 + spike - offset + 8] += muap
    return signal[:, 20 : 20 + N]


@pytest.fixture(scope="module")
def spikes():
    return SpikeTrains(TRAINS, FS, N)


@pytest.mark.parametrize("offset", [0, 3])
def test_what_is_rebuilt_exactly_is_explained(spikes, offset):
    recording = Recording(rebuilt(offset), FS)
    # float32 of the recording is what is left
    assert explained_variance(recording, spikes, MUAPS, muap_offset=offset) == pytest.approx(1, abs=1e-12)
    assert explained_variance(recording, spikes, -MUAPS, muap_offset=offset) == pytest.approx(-3)
    assert explained_variance(recording, spikes, 0 * MUAPS, muap_offset=offset) == 0


def test_noise_is_not_explained(spikes):
    noise = 0.1 * np.random.default_rng(1).normal(size=(3, N))
    signal = (rebuilt(0) + noise).astype(np.float32)
    expected = 1 - np.sum(noise**2) / np.sum(signal.astype(float) ** 2)
    # the float32 recording holds the noise to 1e-7 of the signal
    assert explained_variance(Recording(signal, FS), spikes, MUAPS) == pytest.approx(expected, abs=1e-7)


def test_channels_without_potential_do_not_count(spikes):
    signal, muaps = rebuilt(0), MUAPS.copy()
    signal[1] = 7
    muaps[:, 1] = np.nan
    found = Decomposition(spikes, np.zeros((2, N)), muaps, Table({"sil": [1, 1]}))
    assert explained_variance(Recording(signal, FS), found) == pytest.approx(1, abs=1e-12)
    muaps[:] = np.nan
    assert np.isnan(explained_variance(Recording(signal, FS), spikes, muaps))


def test_parts_that_do_not_fit_are_refused(spikes):
    recording = Recording(rebuilt(0), FS)
    with pytest.raises(InvalidArgumentError, match="muaps must be given with SpikeTrains"):
        explained_variance(recording, spikes)
    with pytest.raises(InvalidArgumentError, match=r"muaps must have shape \(2, 3, n_lags\)"):
        explained_variance(recording, spikes, MUAPS[:1])
    with pytest.raises(InvalidArgumentError, match="on the clock of the recording"):
        explained_variance(recording, SpikeTrains(TRAINS, FS, N + 1), MUAPS)
