"""The interference signal against dense convolution, and noise against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muemg.errors import InvalidArgumentError
from muemg.simulation import add_white_noise, interference_signal, signal_to_noise_ratio


def dense(samples, muaps, n_samples, offset):
    """Slow and obvious: one NumPy convolution per unit and channel."""
    _, n_channels, n_lags = muaps.shape
    signal = np.zeros((n_channels, n_samples + 2 * n_lags + offset))
    for train, muap in zip(samples, muaps):
        impulses = np.zeros(n_samples)
        impulses[train] = 1
        for channel in range(n_channels):
            full = np.convolve(impulses, muap[channel])
            signal[channel, : full.size] += full
    return signal[:, offset : offset + n_samples]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 3), st.integers(1, 20), st.integers(0, 19)
)
def test_signal_equals_dense_convolution(seed, n_units, n_channels, n_lags, offset):
    rng = np.random.default_rng(seed)
    n_samples = int(rng.integers(1, 80))
    # trains run up to both edges, and may be empty
    samples = [np.flatnonzero(rng.random(n_samples) < rng.random()) for _ in range(n_units)]
    muaps = rng.normal(size=(n_units, n_channels, n_lags)).astype(np.float32)
    offset = min(offset, n_lags - 1)
    signal = interference_signal(samples, muaps, n_samples, offset=offset)
    assert signal.dtype == np.float32
    # at most 100 single-precision additions of numbers around 1
    assert signal == pytest.approx(dense(samples, muaps, n_samples, offset), abs=2e-5)


def test_nothing_fires_and_nobody_is_there():
    assert not interference_signal([[], []], np.ones((2, 3, 4)), 10).any()
    assert interference_signal([], np.ones((0, 3, 4)), 10).shape == (3, 10)


def test_one_muap_per_unit():
    with pytest.raises(InvalidArgumentError, match=r"muaps must have shape \(1, n_channels, n_lags\)"):
        interference_signal([[1]], np.ones((2, 3, 4)), 10)


@pytest.mark.parametrize("snr", [-10.0, 0.0, 20.0, 40.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_noise_has_the_ratio_of_its_definition(snr, scale):
    rng = np.random.default_rng(0)
    # Channels of very different power, and a long rest: the noise is the same everywhere.
    clean = (scale * rng.normal(size=(11, 20_000)) * np.arange(11)[:, None]).astype(np.float32)
    clean[:, :10_000] = 0
    noisy = clean.copy()
    deviation = add_white_noise(noisy, snr, rng)
    assert 10 * np.log10(np.mean(clean.astype(float) ** 2) / deviation**2) == pytest.approx(snr, abs=1e-6)
    # The variance of 220,000 samples strays by 0.3 %, which is 0.013 dB; four times that.
    assert signal_to_noise_ratio(clean, noisy) == pytest.approx(snr, abs=0.053)
    noise = noisy.astype(float) - clean
    assert noise.std(axis=1) == pytest.approx(deviation, rel=4 / np.sqrt(2 * 20_000))
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 4 / np.sqrt(
        noise.size
    )  # white
    assert np.abs(np.corrcoef(noise) - np.eye(11)).max() < 4.5 / np.sqrt(
        20_000
    )  # and different on every channel


def test_no_noise_and_no_signal():
    signal = np.ones((2, 5), np.float32)
    assert add_white_noise(signal, np.inf, np.random.default_rng(0)) == 0
    assert np.all(signal == 1)
    with pytest.raises(InvalidArgumentError, match="no motor unit discharges"):
        add_white_noise(np.zeros((2, 5), np.float32), 20, np.random.default_rng(0))
    for snr in (np.nan, -np.inf):
        with pytest.raises(InvalidArgumentError, match="snr must be a number in dB"):
            add_white_noise(signal, snr, np.random.default_rng(0))
