"""Small recordings whose motor units are known, made without a forward model so that they are quick."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

import muemg

RATE = 2048.0
N_LAGS = 41
OFFSET = 20


def smooth_templates(rng: np.random.Generator, n_units: int, n_channels: int) -> np.ndarray:
    """Potentials of some 10 ms, different on every channel, shape (n_units, n_channels, N_LAGS)."""
    noise = rng.normal(size=(n_units, n_channels, N_LAGS))
    bell = np.exp(-0.5 * ((np.arange(N_LAGS) - OFFSET) / 5) ** 2)
    shapes = gaussian_filter1d(noise, 1.5, axis=2) * bell
    return (shapes / np.linalg.norm(shapes, axis=(1, 2), keepdims=True)).astype(np.float32)


def regular_trains(
    rng: np.random.Generator, n_units: int, n_samples: int, cov: float = 0.15
) -> list[np.ndarray]:
    """Trains at 8–14 Hz with Gaussian intervals."""
    trains = []
    for unit in range(n_units):
        mean = RATE / (8 + 6 * unit / max(1, n_units - 1))
        intervals = mean * np.maximum(0.4, 1 + cov * rng.normal(size=int(2 * n_samples / mean)))
        times = np.cumsum(intervals).astype(np.int64) + int(rng.integers(0, 100))
        trains.append(times[times < n_samples])
    return trains


def convolved(templates: np.ndarray, trains: list[np.ndarray], n_samples: int) -> np.ndarray:
    """Templates at their discharges by plain loops: the slow, obviously right sum."""
    n_lags = templates.shape[2]
    framed = np.zeros((templates.shape[1], n_samples + 2 * n_lags))
    for template, train in zip(templates, trains):
        for spike in train:
            first = spike - OFFSET + n_lags
            framed[:, first : first + n_lags] += template
    return framed[:, n_lags : n_lags + n_samples]


def scene(
    seed: int, *, n_units: int = 5, n_channels: int = 16, duration: float = 8.0, snr_db: float = 20.0
) -> tuple[muemg.Recording, muemg.SpikeTrains]:
    """A recording in volts and its true discharges."""
    rng = np.random.default_rng(seed)
    n_samples = round(duration * RATE)
    templates = smooth_templates(rng, n_units, n_channels)
    trains = regular_trains(rng, n_units, n_samples)
    signal = convolved(templates, trains, n_samples)
    signal += rng.normal(size=signal.shape) * signal.std() * 10 ** (-snr_db / 20)
    return (
        muemg.Recording(signal * 1e-4, RATE),
        muemg.SpikeTrains(tuple(trains), RATE, n_samples),
    )
