"""From a raw recording to what a separation works on: good channels, band-passed, without power line, unit scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.errors import UnusableRecordingError
from muemg.preprocessing import band_pass, find_bad_channels, remove_power_line
from muemg.recording import Recording

__all__ = ["Prepared", "extension_factor", "prepare"]

_EXTENDED_DIMENSIONS = 1000
_LONGEST_EXTENSION = 0.02  # s; about the duration of a surface action potential


@dataclass(frozen=True)
class Prepared:
    """A signal ready for separation.

    Attributes
    ----------
    signal : ndarray of float32, shape (n_good_channels, n_samples)
        Filtered, scaled to a mean square of 1 over all channels.
    channels : ndarray of int64, shape (n_good_channels,)
        Which channels of the recording these are.
    scale : float
        Volts per unit of `signal`.
    excluded : dict of int to str
        Channels left out, with the reason.
    notes : tuple of str
    """

    signal: np.ndarray
    channels: np.ndarray
    scale: float
    excluded: dict[int, str]
    notes: tuple[str, ...]


def extension_factor(n_channels: int, sampling_rate: float) -> int:
    """Delayed copies per channel: about 1000 extended dimensions in all, at least 4 copies and at most 20 ms."""
    longest = max(4, round(_LONGEST_EXTENSION * sampling_rate))
    return int(np.clip(round(_EXTENDED_DIMENSIONS / n_channels), 4, longest))


def prepare(recording: Recording, *, low: float, high: float) -> Prepared:
    """Exclude bad channels, take out the power line and band-pass.

    Raises
    ------
    UnusableRecordingError
        If no channel is good.
    """
    excluded = find_bad_channels(recording)
    good = np.array([c for c in range(recording.n_channels) if c not in excluded], dtype=np.int64)
    if not len(good):
        reasons = "; ".join(sorted(set(excluded.values())))
        raise UnusableRecordingError(
            f"all {recording.n_channels} channels of the recording are bad: {reasons}"
        )
    notes = []
    if excluded:
        listed = ", ".join(f"{recording.channel_names[c]} ({reason})" for c, reason in excluded.items())
        notes.append(f"{len(excluded)} of {recording.n_channels} channels excluded: {listed}")
    kept = recording.select_channels(good)
    cleaned, lines = remove_power_line(kept)
    if lines:
        notes.append("power line removed at " + ", ".join(f"{line:g}" for line in lines) + " Hz")
    signal = band_pass(cleaned, low=low, high=high).signal.astype(np.float64)
    scale = float(np.sqrt(np.mean(np.square(signal))))
    if scale == 0:
        raise UnusableRecordingError(f"nothing is left of the recording between {low:g} and {high:g} Hz")
    if not 1e-7 < scale < 1e-1:
        notes.append(f"root mean square amplitude {scale:.2g} V is unusual for EMG: is the signal in volts?")
    scaled = np.ascontiguousarray(signal / scale, dtype=np.float32)
    return Prepared(scaled, good, scale, excluded, tuple(notes))
