"""Welch's estimate of the power spectrum: the mean periodogram of overlapping Hann-windowed segments."""

from __future__ import annotations

import numpy as np
from scipy import fft

__all__ = ["power_spectrum"]


def power_spectrum(
    signal: np.ndarray, sampling_rate: float, segment: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """One-sided power spectral density of every channel (Welch 1967), half-overlapping segments.

    Parameters
    ----------
    signal : ndarray, shape (n_channels, n_samples)
        Finite values, in any unit u.
    sampling_rate : float
        In Hz.
    segment : float
        Length of a segment in seconds, cut to the signal's.

    Returns
    -------
    frequencies : ndarray, shape (n_frequencies,)
        In Hz.
    density : ndarray, shape (n_channels, n_frequencies)
        In u²/Hz.
    n_segments : int
        Number of segments that were averaged.
    """
    n_channels, n_samples = signal.shape
    length = min(n_samples, max(4, round(segment * sampling_rate)))
    step = max(1, length // 2)
    starts = np.arange(0, n_samples - length + 1, step)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(length) + 0.5) / length)
    density = np.empty((n_channels, length // 2 + 1))
    for channel, samples in enumerate(signal):
        segments = np.lib.stride_tricks.sliding_window_view(samples, length)[starts].astype(np.float64)
        segments -= segments.mean(axis=1, keepdims=True)
        density[channel] = np.mean(np.abs(fft.rfft(segments * window, axis=1)) ** 2, axis=0)
    density *= 2 / (sampling_rate * np.sum(window**2))
    return fft.rfftfreq(length, 1 / sampling_rate), density, len(starts)
