"""From a raw recording to what a separation works on: good channels, band-passed, without power line, unit scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.errors import UnusableRecordingError
from muemg.preprocessing import band_pass, find_bad_channels, remove_power_line
from muemg.recording import Recording

__all__ = ["Prepared", "extension_factor", "prepare"]

_EXTENDED_DIMENSIONS = 1000
_SAMPLES_PER_DIMENSION = 28
_MARGIN = 0.05  # s of zeros around the signal: more than an extended observation covers
_PIECE = 2**25  # numbers filtered in one go
_LONGEST_EXTENSION = 0.02  # s; about the duration of a surface action potential


@dataclass(frozen=True)
class Prepared:
    """A signal ready for separation.

    Attributes
    ----------
    framed : ndarray of float32, shape (margin + n_samples + margin, n_good_channels)
        Filtered, scaled to a mean square of 1 over all channels, stored sample by sample and framed by zeros, so that
        it can be extended without a copy (`Extended.within`).
    margin : int
        Zeros before and after.
    channels : ndarray of int64, shape (n_good_channels,)
        Which channels of the recording these are.
    scale : float
        Volts per unit of `signal`.
    excluded : dict of int to str
        Channels left out, with the reason.
    notes : tuple of str
    """

    framed: np.ndarray
    margin: int
    channels: np.ndarray
    scale: float
    excluded: dict[int, str]
    notes: tuple[str, ...]

    @property
    def signal(self) -> np.ndarray:
        """The signal without its frame, a view of shape (n_good_channels, n_samples)."""
        return self.framed[self.margin : len(self.framed) - self.margin].T


def extension_factor(
    n_channels: int, sampling_rate: float, *, spacing: int = 1, n_samples: int | None = None
) -> int:
    """Delayed copies per channel: about 1000 extended dimensions in all, at least 4 copies and at most 20 ms.

    A short recording gets fewer, one dimension for every 28 of its samples: a filter with more learns the noise.
    """
    dimensions: float = _EXTENDED_DIMENSIONS
    if n_samples is not None:
        dimensions = min(dimensions, n_samples / _SAMPLES_PER_DIMENSION)
    longest = max(4, round(_LONGEST_EXTENSION * sampling_rate / spacing))
    return int(np.clip(round(dimensions / n_channels), 4, longest))


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
    margin = round(_MARGIN * recording.sampling_rate)
    framed = np.zeros((recording.n_samples + 2 * margin, len(good)), dtype=np.float32)
    inner = framed[margin : margin + recording.n_samples]
    lines: set[float] = set()
    # A few channels of a long recording at a time: the filters need several times their memory.
    step = max(8, _PIECE // recording.n_samples)
    for first in range(0, len(good), step):
        some = good[first : first + step]
        cleaned, found = remove_power_line(recording.select_channels(some))
        lines.update(round(line, 1) for line in found)
        inner[:, first : first + step] = band_pass(cleaned, low=low, high=high).signal.T
    if lines:
        notes.append("power line removed at " + ", ".join(f"{line:g}" for line in sorted(lines)) + " Hz")
    energy = sum(float(np.vdot(row, row)) for row in np.array_split(inner, 1 + inner.size // _PIECE))
    scale = float(np.sqrt(energy / inner.size))
    if scale == 0:
        raise UnusableRecordingError(f"nothing is left of the recording between {low:g} and {high:g} Hz")
    if not 1e-7 < scale < 1e-1:
        notes.append(f"root mean square amplitude {scale:.2g} V is unusual for EMG: is the signal in volts?")
    inner /= np.float32(scale)
    return Prepared(framed, margin, good, scale, excluded, tuple(notes))
