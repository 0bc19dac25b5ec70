"""What electrodes hear besides muscle: the mains, the heart, and movement of the electrodes.

Each is one course in time times a gain per channel (its mean over the channels is 1), so that a recording is
disturbed in place; movement has a course of its own on every channel besides the common one.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from muemg.errors import check_count, check_fraction, check_positive

__all__ = ["add_ecg", "add_movement_artefact", "add_power_line"]

# Waves P, Q, R, S, T of a heartbeat: time after the R wave and width in seconds, and height relative to it. A
# schematic lead II: which waves there are and their order in time follow McSharry et al. 2003
# (10.1109/TBME.2003.808805), heights and widths are rounded.
_HEART = np.array(
    [[-0.17, 0.025, 0.10], [-0.03, 0.010, -0.12], [0.0, 0.011, 1.0], [0.03, 0.010, -0.25], [0.27, 0.05, 0.25]]
)
# Intervals between beats vary by some 5 % in rest.
_HEART_VARIATION = 0.05
_HIGHEST_MOVEMENT = 20.0


def add_power_line(
    signal: np.ndarray,
    sampling_rate: float,
    *,
    amplitude: float,
    frequency: float = 50.0,
    harmonics: int = 3,
    spread: float = 0.3,
    rng: np.random.Generator,
) -> None:
    """Add the mains to a signal, in place: odd multiples of its frequency that fall as 1/order.

    Parameters
    ----------
    signal : ndarray of float32, shape (n_channels, n_samples)
        In volts; changed.
    sampling_rate : float
        In Hz.
    amplitude : float
        Root mean square in volts on the average channel.
    frequency : float
        In Hz.
    harmonics : int
        How many odd multiples; those above half the sampling rate are left out.
    spread : float
        Gains of the channels lie within 1 ± spread.
    rng : numpy.random.Generator
        Source of the phases and gains.
    """
    loud = check_positive("amplitude", amplitude, "V", allow_zero=True)
    orders = 2 * np.arange(check_count("harmonics", harmonics)) + 1
    orders = orders[orders * check_positive("frequency", frequency, "Hz") < sampling_rate / 2]
    if not loud or not orders.size:
        return
    times = np.arange(signal.shape[1]) / sampling_rate
    phase = rng.uniform(0, 2 * np.pi, orders.size)
    course = sum(
        np.sin(2 * np.pi * order * frequency * times + start) / order for order, start in zip(orders, phase)
    )
    _add(signal, loud * course / np.sqrt(np.sum(orders**-2.0) / 2), _gains(len(signal), spread, rng))


def add_ecg(
    signal: np.ndarray,
    sampling_rate: float,
    *,
    amplitude: float,
    heart_rate: float = 70 / 60,
    spread: float = 0.3,
    rng: np.random.Generator,
) -> np.ndarray:
    """Add heartbeats to a signal, in place.

    Parameters
    ----------
    signal, sampling_rate, spread, rng
        As for `add_power_line`.
    amplitude : float
        Height of the R wave in volts on the average channel.
    heart_rate : float
        Beats per second.

    Returns
    -------
    ndarray of float64
        Times of the R waves in seconds.
    """
    loud = check_positive("amplitude", amplitude, "V", allow_zero=True)
    mean = 1 / check_positive("heart_rate", heart_rate, "Hz")
    duration = signal.shape[1] / sampling_rate
    intervals = mean * (
        1 + _HEART_VARIATION * np.clip(rng.standard_normal(int(2 * duration / mean) + 4), -3, 3)
    )
    beats = np.cumsum(intervals) - mean * (1 + rng.uniform())
    course = np.zeros(signal.shape[1])
    for beat in beats:
        first, last = (round((beat + edge) * sampling_rate) for edge in (-0.3, 0.5))
        at = np.arange(max(first, 0), min(last, course.size))
        since = at / sampling_rate - beat
        for delay, width, height in _HEART:
            course[at] += loud * height * np.exp(-(((since - delay) / width) ** 2) / 2)
    _add(signal, course, _gains(len(signal), spread, rng))
    return beats[(beats >= 0) & (beats < duration)]


def add_movement_artefact(
    signal: np.ndarray,
    sampling_rate: float,
    *,
    amplitude: float,
    spread: float = 0.3,
    rng: np.random.Generator,
) -> None:
    """Add slow waves below 20 Hz, in place: a common one, and one of relative size `spread` on each channel.

    Parameters
    ----------
    signal, sampling_rate, spread, rng
        As for `add_power_line`.
    amplitude : float
        Root mean square in volts on the average channel.
    """
    loud = check_positive("amplitude", amplitude, "V", allow_zero=True)
    if not loud:
        return
    edge = min(_HIGHEST_MOVEMENT, 0.4 * sampling_rate)
    # Most of the power of movement artefacts lies in the lowest few hertz: two real poles at a tenth of
    # the edge.
    band = butter(1, [0.5, edge / 10], "bandpass", fs=sampling_rate, output="sos")
    limit = butter(4, edge, fs=sampling_rate, output="sos")
    warm_up = round(4 * sampling_rate)

    def wave() -> np.ndarray:
        course = sosfilt(limit, sosfilt(band, rng.standard_normal(signal.shape[1] + warm_up)))[warm_up:]
        return course / np.sqrt(np.mean(course**2))

    common, share = wave(), check_fraction("spread", spread)
    for row in signal:
        row += (loud * (np.sqrt(1 - share**2) * common + share * wave())).astype(np.float32)


def _gains(n_channels: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    gains = 1 + check_fraction("spread", spread) * rng.uniform(-1, 1, n_channels)
    return gains / gains.mean()


def _add(signal: np.ndarray, course: np.ndarray, gains: np.ndarray) -> None:
    for row, gain in zip(signal, gains):
        row += (gain * course).astype(np.float32)
