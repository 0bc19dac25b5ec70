"""Bad channels: electrodes that lost contact, saturated, or saw something other than the muscle."""

from __future__ import annotations

import itertools

import numpy as np

from muemg.errors import check_instance
from muemg.preprocessing._spectrum import power_spectrum
from muemg.recording import Recording

__all__ = ["find_bad_channels"]

_BAND = (20.0, 500.0)
# Constant for longer than this is a lost signal, not the amplifier's rounding.
_FLAT_RUN = 0.05
_FLAT_SHARE = 0.05
# Three samples in a row at the very extreme, and one in a thousand altogether.
_CLIPPED_RUN = 3
_CLIPPED_SHARE = 1e-3
# Outlying: so many robust standard deviations from the other channels, and never less than the floor.
_DEVIATIONS = 6.0
_POWER_FLOOR = 1.5  # decades of power: 15 dB, a factor of 5.6 in amplitude
_SPECTRUM_FLOOR = 0.6  # decades, root mean square over the bands: 6 dB
_N_BANDS = 12
# Fewer channels than this do not say what is usual.
_LEAST_CHANNELS = 6


def find_bad_channels(recording: Recording) -> dict[int, str]:
    """Channels that should not enter a decomposition, with the reason.

    Looked for, in this order: samples that are not finite; a signal that is constant throughout, or for more
    than 5 % of the time while the other channels move; clipping; and, where at least six channels are left,
    power between 20 and 500 Hz or the shape of the spectrum far from what is usual on the other channels.
    "Far" is more than 6 robust standard deviations (1.4826 times the median absolute deviation) and more than
    15 dB in power, or 6 dB in the shape of the spectrum. Power-line frequencies are left out of
    account, because they can be filtered. Nothing depends on the scale of the signal.

    Parameters
    ----------
    recording : Recording
        The raw recording: filtering smears clipping and flat stretches.

    Returns
    -------
    dict of int to str
        Index of each bad channel, ascending, and why it is bad; empty where all are good.
    """
    check_instance("recording", recording, Recording)
    reasons: dict[int, str] = {}
    signal = recording.signal
    flat_share = np.zeros(recording.n_channels)
    for channel, samples in enumerate(signal):
        n_bad = recording.n_samples - np.count_nonzero(np.isfinite(samples))
        if n_bad:
            reasons[channel] = f"not finite in {n_bad} of {recording.n_samples} samples"
        elif samples.min() == samples.max():
            reasons[channel] = "flat: constant throughout"
        else:
            flat_share[channel] = _share_of_flat_runs(samples, _FLAT_RUN * recording.sampling_rate)
            clipped = _share_of_clipping(samples)
            if clipped >= _CLIPPED_SHARE:
                reasons[channel] = (
                    f"clipped: {clipped:.1%} of the samples stay at the largest or smallest value"
                )
    moving = [channel for channel in range(recording.n_channels) if channel not in reasons]
    if moving:
        # A simulated recording may be silent on all channels at once.
        usual = float(np.median(flat_share[moving]))
        for channel in moving:
            if flat_share[channel] > usual + _FLAT_SHARE:
                reasons[channel] = f"flat for {flat_share[channel]:.0%} of the time"
    good = np.array([channel for channel in moving if channel not in reasons], dtype=np.int64)
    if len(good) >= _LEAST_CHANNELS:
        for index, reason in _outliers(signal[good], recording.sampling_rate).items():
            reasons[int(good[index])] = reason
    return dict(sorted(reasons.items()))


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    """Lengths of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return edges[1::2] - edges[::2]


def _share_of_flat_runs(samples: np.ndarray, least: float) -> float:
    runs = _run_lengths(samples[1:] == samples[:-1])
    return float(np.sum(runs[runs >= max(least, 2)]) / len(samples))


def _share_of_clipping(samples: np.ndarray) -> float:
    """Share of the samples in runs of at least three at one extreme that another sample moves away from."""
    share = 0
    for extreme in (samples.min(), samples.max()):
        runs = _run_lengths(samples == extreme)
        share += int(np.sum(runs[runs >= _CLIPPED_RUN]))
    return share / len(samples)


def _outliers(signal: np.ndarray, sampling_rate: float) -> dict[int, str]:
    """Channels of outlying power or spectrum among channels that are alive."""
    bands = _band_powers(signal, sampling_rate)
    if bands is None:
        return {}
    reasons: dict[int, str] = {}
    power = np.log10(np.sum(10**bands, axis=1))
    difference = power - np.median(power)
    limit = _limit(np.abs(difference), _POWER_FLOOR)
    for channel in np.flatnonzero(np.abs(difference) > limit):
        level = "above" if difference[channel] > 0 else "below"
        reasons[int(channel)] = f"power {10 * abs(difference[channel]):.0f} dB {level} the usual"
    shape = bands - bands.mean(axis=1, keepdims=True)
    usual = np.median(shape, axis=0)
    distance = np.sqrt(np.mean((shape - usual) ** 2, axis=1))
    limit = _limit(distance, _SPECTRUM_FLOOR)
    for channel in np.flatnonzero(distance > limit):
        reasons.setdefault(int(channel), f"spectrum {10 * distance[channel]:.0f} dB off the usual shape")
    return reasons


def _limit(deviations: np.ndarray, floor: float) -> float:
    return max(floor, _DEVIATIONS * 1.4826 * float(np.median(deviations)))


def _band_powers(signal: np.ndarray, sampling_rate: float) -> np.ndarray | None:
    """log₁₀ of the mean density in bands from 20 to 500 Hz, power line left out; None if too short."""
    frequencies, density, _ = power_spectrum(signal, sampling_rate, segment=1.0)
    top = min(_BAND[1], 0.45 * sampling_rate)
    resolution = frequencies[1] if len(frequencies) > 1 else np.inf
    off_line = np.ones(len(frequencies), dtype=bool)
    for mains in (50.0, 60.0):
        off_line &= np.abs(frequencies - mains * np.rint(frequencies / mains)) > max(1.0, resolution)
    edges = np.geomspace(_BAND[0], top, _N_BANDS + 1)
    columns = []
    for low, high in itertools.pairwise(edges):
        inside = (frequencies >= low) & (frequencies < high) & off_line
        if inside.any():
            columns.append(density[:, inside].mean(axis=1))
    if len(columns) < _N_BANDS // 2:
        return None
    powers = np.column_stack(columns)
    # A channel that is silent in a band lies as far below the others as single precision can tell.
    least = max(float(powers.max()) * 1e-14, np.finfo(np.float64).tiny)
    return np.log10(np.maximum(powers, least))
