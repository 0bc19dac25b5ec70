"""Signals whose truth is known: tones, and noise with the spectrum of surface EMG."""

import numpy as np
from scipy import signal as scipy_signal

from muemg import Recording

SAMPLING_RATES = (1000.0, 2000.0, 2048.0, 4096.0, 10240.0)


def tone(frequency, sampling_rate, duration=8.0, amplitude=1e-4, phase=0.7):
    times = np.arange(round(duration * sampling_rate)) / sampling_rate
    return amplitude * np.sin(2 * np.pi * frequency * times + phase)


def emg_like(n_channels=16, sampling_rate=2048.0, duration=8.0, rms=1e-4, seed=0):
    """Noise that falls off above 120 Hz, half of it common to all channels, with some sensor noise."""
    rng = np.random.default_rng(seed)
    n_samples = round(duration * sampling_rate)
    band = scipy_signal.butter(2, (30, 120), "bandpass", fs=sampling_rate, output="sos")
    own = scipy_signal.sosfilt(band, rng.standard_normal((n_channels, n_samples)))
    common = scipy_signal.sosfilt(band, rng.standard_normal(n_samples))
    signal = own + common
    signal *= rms / signal.std()
    signal *= np.linspace(0.7, 1.4, n_channels)[:, None]
    signal += 0.02 * rms * rng.standard_normal(signal.shape)
    return Recording(signal, sampling_rate)
