"""Power-line interference: a sinusoid at 50 or 60 Hz, and its harmonics, whose amplitude changes slowly."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, stats

from muemg.errors import InvalidArgumentError, check_instance, check_positive
from muemg.preprocessing._spectrum import power_spectrum
from muemg.recording import Recording

__all__ = ["remove_power_line"]

_MAINS = (50.0, 60.0)
# Mains stay within ±0.2 Hz in normal operation; the amplifier's clock adds little.
_TOLERANCE = 0.5
# A line has to stand out by 9 dB, in segments of 4 s, over the median of the 2 to 10 Hz either side.
_LEAST_RATIO = 8.0
_SEGMENT = 4.0
# Below this no line can be told from its neighbourhood.
_LEAST_DURATION = 1.0
# In white noise, one channel in 10¹⁰ may show a line that is not there.
_FALSE_ALARMS = 1e-10
# Standard deviation in seconds of the Gaussian under which the line's amplitude counts as constant: the notch
# is then a Gaussian with a standard deviation of 1/(2π·0.5) = 0.32 Hz.
_STEADY = 0.5


def remove_power_line(
    recording: Recording, frequency: float | None = None
) -> tuple[Recording, tuple[float, ...]]:
    """Take out the power line, and those of its harmonics that are really there.

    The line's complex amplitude is followed in time by demodulation and a Gaussian window of 0.5 s, and the
    sinusoid it describes is subtracted: a zero-phase notch of 0.75 Hz (full width at half maximum) without
    the transients of a recursive filter at the ends. A line counts as there when on any channel it stands
    9 dB above its neighbourhood, or more where a short recording leaves the spectrum uncertain; below 1 s
    none is looked for.

    Parameters
    ----------
    recording : Recording
        The raw recording. Channels with not-a-number or infinite samples are left as they are.
    frequency : float, optional
        Frequency in Hz of the mains. By default it is 50 or 60 Hz, whichever stands out more.

    Returns
    -------
    recording : Recording
        The cleaned recording; where no line was found, the very one that came.
    lines : tuple of float
        Frequencies in Hz that were taken out, to within some 0.01 Hz of the true ones; empty where there
        was none.

    Raises
    ------
    InvalidArgumentError
        If `frequency` is not positive, or not below the Nyquist frequency.
    """
    check_instance("recording", recording, Recording)
    nyquist = recording.sampling_rate / 2
    if frequency is not None:
        frequency = check_positive("frequency", frequency, "Hz")
        if frequency >= nyquist:
            raise InvalidArgumentError(
                f"frequency must be below the Nyquist frequency of {nyquist:g} Hz, got {frequency:g}"
            )
    finite = np.flatnonzero(np.isfinite(recording.signal).all(axis=1))
    if not len(finite) or recording.duration < _LEAST_DURATION:
        return recording, ()
    signal = recording.signal[finite]
    base, harmonics = _find_lines(signal, recording.sampling_rate, frequency)
    if not harmonics:
        return recording, ()
    base = _refine(signal, recording.sampling_rate, base, harmonics)
    lines = tuple(base * harmonic for harmonic in harmonics)
    for line in lines:
        _subtract_line(signal, recording.sampling_rate, line)
    cleaned = np.array(recording.signal)
    cleaned[finite] = signal
    cleaned.flags.writeable = False
    return recording.with_signal(cleaned), lines


def _find_lines(
    signal: np.ndarray, sampling_rate: float, frequency: float | None
) -> tuple[float, tuple[int, ...]]:
    """Frequency of the mains and the harmonics (1 is the mains itself) that stand out."""
    segment = min(_SEGMENT, signal.shape[1] / sampling_rate / 2)
    frequencies, density, n_segments = power_spectrum(signal, sampling_rate, segment)
    # Half-overlapping Hann segments are worth about 11/18 of as many independent ones; the median of an
    # exponential variable is log 2 of its mean, which bounds how far the neighbourhood's median falls short.
    freedom = 2 * max(1.0, n_segments * 11 / 18)
    threshold = max(_LEAST_RATIO, stats.chi2.isf(_FALSE_ALARMS, freedom) / freedom / np.log(2))
    best: tuple[float, tuple[int, ...]] = (0.0, ())
    best_strength = 0.0
    for base in _MAINS if frequency is None else (frequency,):
        found, strength = [], 0.0
        for harmonic in range(1, int(sampling_rate / 2 / base) + 1):
            ratio = _prominence(frequencies, density, harmonic * base)
            if ratio > threshold:
                found.append(harmonic)
                strength += np.log(ratio)
        if strength > best_strength:
            best, best_strength = (base, tuple(found)), strength
    return best


def _prominence(frequencies: np.ndarray, density: np.ndarray, line: float) -> float:
    """Power at a line over the median of its neighbourhood, on the channel where it stands out most."""
    distance = np.abs(frequencies - line)
    resolution = frequencies[1]
    at = distance <= max(_TOLERANCE, resolution / 2)
    beside = (
        (distance >= max(2.0, 3 * resolution)) & (distance <= max(10.0, 10 * resolution)) & (frequencies > 5)
    )
    if not at.any() or np.count_nonzero(beside) < 4 or line + _TOLERANCE >= frequencies[-1]:
        return 0.0
    peak = density[:, at].max(axis=1)
    floor = np.median(density[:, beside], axis=1)
    return float(np.max(np.divide(peak, floor, out=np.zeros_like(peak), where=floor > 0)))


def _refine(signal: np.ndarray, sampling_rate: float, base: float, harmonics: tuple[int, ...]) -> float:
    """Frequency of the mains from how fast the phase of its strongest harmonic turns."""
    baseband = [_demodulate(signal, sampling_rate, base * harmonic) for harmonic in harmonics]
    strongest = int(np.argmax([np.sum(np.abs(amplitude) ** 2) for amplitude, _ in baseband]))
    amplitude, block = baseband[strongest]
    turn = np.angle(np.sum(amplitude[:, 1:] * amplitude[:, :-1].conj()))
    offset = float(turn) * sampling_rate / (2 * np.pi * block) / harmonics[strongest]
    return base + float(np.clip(offset, -_TOLERANCE, _TOLERANCE))


def _demodulate(signal: np.ndarray, sampling_rate: float, line: float) -> tuple[np.ndarray, int]:
    """Complex amplitude of a line in blocks of about 20 ms, smoothed; and their length in samples."""
    n_channels, n_samples = signal.shape
    block = max(1, min(n_samples, round(0.02 * sampling_rate)))
    n_blocks = n_samples // block
    turned = signal[:, : n_blocks * block] * _rotation(n_blocks * block, sampling_rate, -line)
    amplitude = turned.reshape(n_channels, n_blocks, block).mean(axis=2)
    width = _STEADY * sampling_rate / block
    smooth = ndimage.gaussian_filter1d(amplitude, width, axis=1, mode="constant")
    # At the ends the window is cut: what is left of it has to weigh one.
    weight = ndimage.gaussian_filter1d(np.ones(n_blocks), width, mode="constant")
    return smooth / weight, block


def _subtract_line(signal: np.ndarray, sampling_rate: float, line: float) -> None:
    """Take the slowly changing sinusoid at `line` out of every channel, in place."""
    amplitude, block = _demodulate(signal, sampling_rate, line)
    samples = np.arange(signal.shape[1])
    centres = (np.arange(amplitude.shape[1]) + 0.5) * block - 0.5
    carrier = _rotation(signal.shape[1], sampling_rate, line)
    for channel, values in enumerate(amplitude):
        signal[channel] -= 2 * np.real(np.interp(samples, centres, values) * carrier).astype(np.float32)


def _rotation(n_samples: int, sampling_rate: float, line: float) -> np.ndarray:
    turns = np.arange(n_samples) * (line / sampling_rate)
    return np.exp(2j * np.pi * (turns % 1)).astype(np.complex64)
