"""Frames: time cut into equal pieces, and how often each motor unit discharges in each.

Frame k holds the times k/f ≤ t < (k + 1)/f, f the frame rate, also where a frame is no whole number of samples:
frames of 10 ms at 2048 Hz have 20 or 21 samples. A frame counts once all of its samples have come.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_instance, check_positive
from muemg.spikes import SpikeTrains

__all__ = ["FrameCounter", "count_frames"]


def count_frames(spikes: SpikeTrains, frame_rate: float = 100.0) -> np.ndarray:
    """Discharges per frame.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    frame_rate : float
        Frames per second, at most the sampling rate.

    Returns
    -------
    ndarray of float64, shape (n_frames, n_units)
        The rows that scikit-learn estimators take. What lies behind the last whole frame is left out.

    Raises
    ------
    InvalidArgumentError
        If no whole frame fits into the recording or there are more frames than samples.
    """
    check_instance("spikes", spikes, SpikeTrains)
    counter = FrameCounter(len(spikes), spikes.sampling_rate, frame_rate)
    counts = counter.push(spikes.samples, spikes.n_samples)
    if not len(counts):
        raise InvalidArgumentError(
            f"frame_rate must give frames shorter than the {spikes.duration:.4g} s of the recording, "
            f"got {frame_rate:g} Hz"
        )
    return counts


class FrameCounter:
    """Count discharges per frame as they come.

    Parameters
    ----------
    n_units : int
        Number of motor units.
    sampling_rate : float
        In Hz.
    frame_rate : float
        Frames per second, at most the sampling rate.

    Raises
    ------
    InvalidArgumentError
        If a rate is not positive or there are more frames than samples.
    """

    def __init__(self, n_units: int, sampling_rate: float, frame_rate: float = 100.0) -> None:
        self.n_units = check_count("n_units", n_units, minimum=0)
        self.sampling_rate = check_positive("sampling_rate", sampling_rate, "Hz")
        self.frame_rate = check_positive("frame_rate", frame_rate, "Hz")
        if self.frame_rate > self.sampling_rate:
            raise InvalidArgumentError(
                f"frame_rate must be at most the sampling rate of {self.sampling_rate:g} Hz, got {frame_rate:g}"
            )
        self.reset()

    def reset(self) -> None:
        """Forget the stream."""
        self._n_frames = 0
        self._n_samples = 0
        self._waiting = np.zeros((0, self.n_units))

    @property
    def n_frames(self) -> int:
        """Whole frames so far."""
        return self._n_frames

    def push(self, spikes: Sequence[npt.ArrayLike], n_samples: int) -> np.ndarray:
        """Take new discharges and return the frames that became whole.

        Parameters
        ----------
        spikes : sequence of array_like of int, one per unit
            Sample indices from the start of the stream, none before those of the push before.
        n_samples : int
            Samples of the stream that are known by now.

        Returns
        -------
        ndarray of float64, shape (n_new_frames, n_units)

        Raises
        ------
        InvalidArgumentError
            If the number of units differs, time runs backwards, or a discharge lies outside the new samples.
        """
        if len(spikes) != self.n_units:
            raise InvalidArgumentError(f"spikes must be those of {self.n_units} units, got {len(spikes)}")
        until = check_count("n_samples", n_samples, minimum=self._n_samples)
        # The frame in progress, and those up to the last sample.
        n_begun = self._frame_of(np.array(max(until - 1, 0))) + 1 - self._n_frames if until else 0
        counts = np.zeros((max(int(n_begun), len(self._waiting)), self.n_units))
        counts[: len(self._waiting)] = self._waiting
        for unit, train in enumerate(spikes):
            samples = np.asarray(train, dtype=np.int64)
            if samples.size == 0:
                continue
            if samples.min() < self._n_samples or samples.max() >= until:
                raise InvalidArgumentError(
                    f"spikes[{unit}] must lie among the new samples {self._n_samples}..{until - 1}, "
                    f"got {samples.min()}..{samples.max()}"
                )
            counts[:, unit] += np.bincount(self._frame_of(samples) - self._n_frames, minlength=len(counts))
        n_whole = int(self._frame_of(np.array(until))) - self._n_frames
        self._waiting = counts[n_whole:]
        self._n_frames += n_whole
        self._n_samples = until
        return counts[:n_whole]

    def _frame_of(self, samples: np.ndarray) -> np.ndarray:
        # Multiplied first: a quotient that is whole in truth is then whole in floating point.
        return np.floor(samples * self.frame_rate / self.sampling_rate).astype(np.int64)
