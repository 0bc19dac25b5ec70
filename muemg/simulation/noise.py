"""Noise of a stated signal-to-noise ratio.

The ratio is defined once: the mean square of the noise-free signal over all channels and all samples of the
recording, over the variance of the noise, which is the same on every channel; in dB. So 20 dB is a noise of a
tenth of the signal's root mean square, rests included.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_positive

__all__ = ["add_noise", "add_white_noise", "mean_square", "signal_to_noise_ratio"]

# Rows are handled a few at a time, so that no second array of the signal's size exists.
_ROWS = 2


def add_white_noise(signal: np.ndarray, snr: float, rng: np.random.Generator) -> float:
    """Add white Gaussian noise to a signal, in place.

    Parameters
    ----------
    signal : ndarray of float32, shape (n_channels, n_samples)
        In volts; changed.
    snr : float
        Signal-to-noise ratio in dB: 10·log₁₀ of the mean of x² over all channels and samples, over the
        variance σ² of the noise, the same on all channels. Infinity adds nothing.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float
        σ in volts.

    Raises
    ------
    InvalidArgumentError
        If the ratio is not a number, or the signal is zero throughout, so that no ratio can be had.
    """
    deviation = _deviation(signal, snr)
    if not deviation:
        return 0.0
    for first in range(0, len(signal), _ROWS):
        part = signal[first : first + _ROWS]
        noise = rng.standard_normal(part.shape, dtype=np.float32)
        noise *= np.float32(deviation)
        part += noise
    return deviation


def add_noise(
    signal: np.ndarray, snr: float, sampling_rate: float, rng: np.random.Generator, *, exponent: float = 0.0
) -> float:
    """Add Gaussian noise whose power falls with frequency as f^(−exponent) above 1 Hz, in place.

    Parameters
    ----------
    signal : ndarray of float32, shape (n_channels, n_samples)
        In volts; changed.
    snr : float
        As for `add_white_noise`: σ² is the variance of the noise in the whole band up to half the sampling
        rate.
    sampling_rate : float
        In Hz.
    rng : numpy.random.Generator
        Source of randomness.
    exponent : float
        0 is white (`add_white_noise`), 1 pink, 2 brown; below 1 Hz the spectrum is flat, so that the variance
        does not depend on the length.

    Returns
    -------
    float
        σ in volts.
    """
    if not check_positive("exponent", exponent, allow_zero=True):
        return add_white_noise(signal, snr, rng)
    deviation = _deviation(signal, snr)
    if not deviation:
        return 0.0
    n_samples = signal.shape[1]
    frequency = np.fft.rfftfreq(n_samples, 1 / sampling_rate)
    shape = np.maximum(frequency, 1.0) ** (-exponent / 2)
    # Each frequency but 0 and the last carries two of the n_samples degrees of freedom.
    weight = np.full(frequency.size, 2.0)
    weight[0] = 1.0
    if n_samples % 2 == 0:
        weight[-1] = 1.0
    shape /= math.sqrt(float(np.sum(weight * shape**2)) / n_samples)
    for row in signal:
        spectrum = np.fft.rfft(rng.standard_normal(n_samples))
        row += (deviation * np.fft.irfft(spectrum * shape, n_samples)).astype(np.float32)
    return deviation


def signal_to_noise_ratio(clean: npt.ArrayLike, noisy: npt.ArrayLike) -> float:
    """The ratio in dB that `add_white_noise` defines, measured from a signal without and with noise."""
    noise = np.asarray(noisy, dtype=np.float64) - np.asarray(clean, dtype=np.float64)
    return 10 * math.log10(mean_square(np.asarray(clean)) / mean_square(noise))


def mean_square(signal: np.ndarray) -> float:
    """Mean of x² over all channels and samples, summed in double precision row by row."""
    return float(np.mean([np.mean(np.square(row, dtype=np.float64)) for row in signal]))


def _deviation(signal: np.ndarray, snr: float) -> float:
    if math.isnan(snr) or snr == -math.inf:
        raise InvalidArgumentError(f"snr must be a number in dB, or infinity for no noise, got {snr!r}")
    if snr == math.inf:
        return 0.0
    power = mean_square(signal)
    if power == 0:
        raise InvalidArgumentError(
            "snr has no meaning for a signal that is zero throughout (no motor unit discharges: raise the "
            "drive, or ask for no noise, snr = inf)"
        )
    return math.sqrt(power) * 10 ** (-snr / 20)
