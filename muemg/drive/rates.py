"""Discharge rates as transformers of frames: of each motor unit, of the pool, and how many units are active.

Every transformer says what it costs in time: `delay_s`, by how much its output lies behind the discharges, and
`causal`, whether a row needs no later frame. A row is known at the end of its frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, OneToOneFeatureMixin

from muemg.drive._estimators import FrameTransformer, Rule, one_of, positive, yes_or_no
from muemg.drive.kernels import KERNELS, Kernel, Smoother
from muemg.errors import InvalidArgumentError

__all__ = ["ActiveUnits", "CumulativeSpikeTrain", "DischargeRate"]


class _Smoothed(FrameTransformer):
    """A kernel over frames."""

    _rules: ClassVar[Mapping[str, Rule]] = {
        "kernel": one_of(*KERNELS),
        "width": positive("s"),
        "frame_rate": positive("Hz"),
        "causal": yes_or_no(),
    }

    def __init__(
        self, kernel: str = "hann", width: float = 0.4, frame_rate: float = 100.0, causal: bool = True
    ) -> None:
        self.kernel = kernel
        self.width = width
        self.frame_rate = frame_rate
        self.causal = causal

    @property
    def delay_s(self) -> float:
        """Mean lag of the kernel in seconds: by how much a change of rate shows late."""
        return self._kernel().mean_lag

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.kernel == "exponential" and not self.causal:
            raise InvalidArgumentError(
                "causal must be True for the exponential kernel, which only looks back; 'gaussian' can be centred"
            )

    def _kernel(self) -> Kernel:
        self._check_parameters()
        return Kernel.of(self.kernel, self.width, self.frame_rate, self.causal)

    def _prepare(self) -> None:
        self.kernel_ = self._kernel()

    def _begin(self) -> Smoother:
        return Smoother(self.kernel_, self.n_features_in_)

    def _go_on(self, stream: Smoother, rows: np.ndarray) -> np.ndarray:
        return stream.push(rows)

    def _end(self, stream: Smoother) -> np.ndarray:
        return stream.finish()


class DischargeRate(OneToOneFeatureMixin, _Smoothed):
    """Smoothed discharge rate of every motor unit.

    The rate is r(t) = Σ_i h(t − t_i), h a kernel of unit area and t_i the discharges.

    Parameters
    ----------
    kernel : {"boxcar", "hann", "gaussian", "exponential"}
        ``"boxcar"`` counts; the others weigh what is recent, or near, more.
    width : float
        In seconds: the length of the boxcar and of the Hann window, the standard deviation of the Gaussian (cut at
        three of them), the time constant of the exponential.
    frame_rate : float
        Frames per second of the input.
    causal : bool
        Whether a row depends on its own and earlier frames only; otherwise the kernel is centred, has no delay, and
        `partial_transform` waits for the frames that it needs.

    Attributes
    ----------
    delay_s : float
        Mean lag in seconds.
    n_features_in_ : int
        Number of motor units.

    Raises
    ------
    InvalidArgumentError
        By `fit`, if a parameter is out of range or X is not finite.
    """


class CumulativeSpikeTrain(ClassNamePrefixFeaturesOutMixin, _Smoothed):
    """Smoothed cumulative spike train: the discharges of all motor units together, in discharges per second.

    The sum of the trains, low-pass filtered, is an estimate of the common input of the pool, which is the neural
    drive to the muscle (Farina & Negro 2015, Exerc. Sport Sci. Rev. 43:23–33).

    Parameters
    ----------
    kernel, width, frame_rate, causal
        As for `DischargeRate`; a boxcar of one frame leaves the cumulative spike train unsmoothed.

    Attributes
    ----------
    delay_s : float
        Mean lag in seconds.
    """

    _n_features_out = 1

    def _begin(self) -> Smoother:
        return Smoother(self.kernel_, 1)

    def _go_on(self, stream: Smoother, rows: np.ndarray) -> np.ndarray:
        return stream.push(rows.sum(axis=1, keepdims=True))


class ActiveUnits(ClassNamePrefixFeaturesOutMixin, FrameTransformer):
    """Number of active motor units: those that discharged within the last `hold` seconds.

    Parameters
    ----------
    hold : float
        In seconds, the frame itself included; a unit that pauses for longer counts as derecruited.
    frame_rate : float
        Frames per second of the input.

    Attributes
    ----------
    delay_s : float
        0: a unit is active from the frame of its first discharge (and `hold` beyond its last).
    causal : bool
        True.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {"hold": positive("s"), "frame_rate": positive("Hz")}
    _n_features_out = 1
    causal = True
    delay_s = 0.0

    def __init__(self, hold: float = 0.5, frame_rate: float = 100.0) -> None:
        self.hold = hold
        self.frame_rate = frame_rate

    def _begin(self) -> dict[str, Any]:
        # Frames since the last discharge of each unit; before the stream there was none.
        return {"since": np.full(self.n_features_in_, np.inf)}

    def _go_on(self, stream: dict[str, Any], rows: np.ndarray) -> np.ndarray:
        n_held = max(1, round(self.hold * self.frame_rate))
        index = np.arange(len(rows), dtype=np.float64)[:, None]
        last = np.maximum.accumulate(np.where(rows != 0, index, -np.inf), axis=0)
        since = np.where(np.isfinite(last), index - last, stream["since"] + 1 + index)
        if len(rows):
            stream["since"] = since[-1]
        return (since < n_held).sum(axis=1, keepdims=True).astype(np.float64)

    def _end(self, stream: dict[str, Any]) -> np.ndarray:
        return np.zeros((0, 1))
