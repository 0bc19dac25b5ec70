"""Smoothing kernels: how a discharge spreads over time to become a rate.

Each kernel has unit area, so that what comes out is a rate in discharges per second, and a mean lag, which is how
much later than the discharges themselves a change of rate shows (De Luca, LeFever, McCue & Xenakis 1982 use the
Hann window; Nawrot, Aertsen & Rotter 1999, 10.1016/S0165-0270(99)00127-2, compare shapes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

__all__ = ["KERNELS", "Kernel", "Smoother"]

KERNELS = ("boxcar", "hann", "gaussian", "exponential")
_GAUSSIAN_REACH = 3.0  # standard deviations on either side; 0.3 % of the area lies beyond


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel sampled at the frame rate.

    Attributes
    ----------
    weights : ndarray, shape (n_taps,)
        Weights of the frame itself and of those before it, per second; of the exponential, which has no end, only
        the first.
    decay : float
        Factor per frame of the exponential kernel, 0 for the others.
    advance : int
        Frames by which the output is moved ahead: 0 for causal kernels, half the taps for centred ones.
    mean_lag : float
        In seconds, after moving ahead.
    """

    weights: np.ndarray
    decay: float
    advance: int
    mean_lag: float

    @classmethod
    def of(cls, name: str, width: float, frame_rate: float, causal: bool) -> Kernel:
        """The kernel `name`; `width` in seconds is the length, the standard deviation or the time constant."""
        if name == "exponential":
            decay = float(np.exp(-1 / (width * frame_rate)))
            return cls(np.array([(1 - decay) * frame_rate]), decay, 0, decay / (1 - decay) / frame_rate)
        if name == "gaussian":
            reach = max(1, round(_GAUSSIAN_REACH * width * frame_rate))
            shape = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (width * frame_rate)) ** 2)
        else:
            n_taps = max(1, round(width * frame_rate))
            if not causal:
                n_taps += 1 - n_taps % 2  # a centred kernel has a middle
            # The window's zeros at both ends are no taps.
            shape = np.ones(n_taps) if name == "boxcar" else np.hanning(n_taps + 2)[1:-1]
        weights = shape / shape.sum() * frame_rate
        advance = 0 if causal else len(weights) // 2
        mean = float(np.arange(len(weights)) @ shape / shape.sum())
        return cls(weights, 0.0, advance, (mean - advance) / frame_rate)


class Smoother:
    """A kernel at work on a stream of frames; any chunks give the same bytes.

    Discharges are added, one after the other in time, to the frames that they reach; what reaches beyond the frames
    that have come is kept.
    """

    def __init__(self, kernel: Kernel, n_columns: int) -> None:
        self._kernel = kernel
        self._owed = np.zeros((n_columns, len(kernel.weights) - 1))
        self._level = np.zeros(n_columns)
        self._skip = kernel.advance

    def push(self, rows: np.ndarray) -> np.ndarray:
        """Rows, shape (n, n_columns), to the smoothed rows that they make certain."""
        kernel = self._kernel
        columns = np.ascontiguousarray(rows.T, dtype=np.float64)
        if kernel.decay:
            out = np.empty_like(columns)
            _decay(columns, kernel.decay, kernel.weights[0], self._level, out)
        else:
            n_owed = self._owed.shape[1]
            spread = np.zeros((len(columns), n_owed + columns.shape[1]))
            spread[:, :n_owed] = self._owed
            _spread(columns, kernel.weights, spread)
            out = spread[:, : columns.shape[1]]
            self._owed = spread[:, columns.shape[1] :].copy()
        skipped = min(self._skip, out.shape[1])
        self._skip -= skipped
        return out[:, skipped:].T

    def finish(self) -> np.ndarray:
        """The rows still owed to a centred kernel."""
        return self.push(np.zeros((self._kernel.advance, len(self._owed))))


@numba.njit(cache=True)
def _spread(columns: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    for u in range(columns.shape[0]):
        for k in range(columns.shape[1]):
            value = columns[u, k]
            if value != 0.0:
                for j in range(weights.size):
                    out[u, k + j] += weights[j] * value


@numba.njit(cache=True)
def _decay(columns: np.ndarray, decay: float, gain: float, level: np.ndarray, out: np.ndarray) -> None:
    for u in range(columns.shape[0]):
        y = level[u]
        for k in range(columns.shape[1]):
            y = decay * y + gain * columns[u, k]
            out[u, k] = y
        level[u] = y
