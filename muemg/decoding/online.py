"""Online classification: samples in, decisions out, with the filters and the classifier of an earlier recording.

The decoder's discharges are counted in windows that lie where `muemg.drive.count_windows` puts them, so that the
stream gives the decisions that the whole recording would.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from muemg.decoding.rejection import confidence
from muemg.decoding.smoothing import Hysteresis, MajorityVote
from muemg.errors import InvalidArgumentError, check_instance, check_positive
from muemg.separation import OnlineDecoder

__all__ = ["Decision", "OnlineClassifier"]


@dataclass(frozen=True)
class Decision:
    """What was decided about one window.

    Attributes
    ----------
    time : float
        End of the window in seconds, from the start of the stream.
    label : object
        The decision, smoothed if asked for.
    confidence : float
        In the label of this window, before smoothing.
    """

    time: float
    label: Any
    confidence: float


class OnlineClassifier:
    """Decide from a stream of raw samples.

    Parameters
    ----------
    decoder : OnlineDecoder
        With the filters of the units that the model was fitted on, in the same order.
    model : fitted scikit-learn classifier
        Fitted on the windows of `muemg.drive.count_windows` with the same length.
    length, step : float
        Length of a window, and distance of the beginnings of two, in seconds.
    smoother : MajorityVote or Hysteresis, optional
        Makes decisions steadier.

    Raises
    ------
    InvalidArgumentError
        If the model was fitted on another number of units.
    """

    def __init__(
        self,
        decoder: OnlineDecoder,
        model: Any,
        *,
        length: float,
        step: float,
        smoother: MajorityVote | Hysteresis | None = None,
    ) -> None:
        check_instance("decoder", decoder, OnlineDecoder)
        check_is_fitted(model)
        n_units = len(decoder.filters)
        if getattr(model, "n_features_in_", n_units) != n_units:
            raise InvalidArgumentError(
                f"model must be fitted on counts of the decoder's {n_units} units, got {model.n_features_in_} features"
            )
        self._decoder, self._model, self._smoother = decoder, model, smoother
        self._rate = decoder.filters.sampling_rate
        self._n_length = max(1, round(check_positive("length", length, "s") * self._rate))
        self._n_step = max(1, round(check_positive("step", step, "s") * self._rate))
        self.reset()

    @property
    def delay(self) -> float:
        """Seconds by which a decision lies behind the muscle on average, computing aside.

        The decoder's, half a window, and the smoother's.
        """
        steps = 0.0 if self._smoother is None else self._smoother.delay_steps
        return self._decoder.delay + (self._n_length / 2 + steps * self._n_step) / self._rate

    def reset(self) -> None:
        """Forget the stream."""
        self._decoder.reset()
        self._recent = [np.zeros(0, dtype=np.int64)] * len(self._decoder.filters)
        self._next = 0
        if self._smoother is not None:
            self._smoother.reset()

    def process(self, chunk: npt.ArrayLike) -> list[Decision]:
        """Take the next samples and return the decisions that they made possible.

        Parameters
        ----------
        chunk : array_like of float, shape (n_channels, n)
            Raw potentials in volts, any number of samples.

        Raises
        ------
        InvalidArgumentError
            As `OnlineDecoder.process`.
        """
        decoded = self._decoder.process(chunk)
        until = decoded.first_sample + decoded.sources.shape[1]
        return self._decide(decoded.spikes, until)

    def finish(self) -> list[Decision]:
        """The decisions still waited for, as if silence followed; the stream then needs `reset`."""
        decoded = self._decoder.finish()
        return self._decide(decoded.spikes, decoded.first_sample + decoded.sources.shape[1])

    def _decide(self, spikes: tuple[np.ndarray, ...], until: int) -> list[Decision]:
        self._recent = [np.concatenate([old, new]) for old, new in zip(self._recent, spikes)]
        n_windows = max(0, (until - self._n_length - self._next) // self._n_step + 1)
        if not n_windows:
            return []
        starts = self._next + self._n_step * np.arange(n_windows)
        ends = starts + self._n_length
        counts = [np.searchsorted(train, ends) - np.searchsorted(train, starts) for train in self._recent]
        X = np.array(counts, dtype=np.float64).T.reshape(n_windows, len(self._recent))
        self._next = int(starts[-1]) + self._n_step
        self._recent = [train[np.searchsorted(train, self._next) :] for train in self._recent]
        labels, trust = self._model.predict(X), confidence(self._model, X).max(axis=1)
        if self._smoother is not None:
            labels = np.array([self._smoother.update(label) for label in labels.tolist()])
        return [
            Decision(float(end / self._rate), label, float(sure))
            for end, label, sure in zip(ends, labels.tolist(), trust)
        ]
