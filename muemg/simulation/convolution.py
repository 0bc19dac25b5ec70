"""The interference signal: every discharge adds its motor unit's action potential to every channel.

One channel of the signal (four bytes a sample, half a megabyte a minute) and that channel's action potentials
stay in the cache while all discharges are added to it; the large array goes through memory once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count

__all__ = ["interference_signal", "varying_signal"]


def interference_signal(
    samples: Sequence[npt.ArrayLike], muaps: npt.ArrayLike, n_samples: int, *, offset: int = 0
) -> np.ndarray:
    """Sum of the action potentials of all discharges: x_c(t) = Σ_i Σ_k h_ic(t − t_ik + offset).

    Parameters
    ----------
    samples : sequence of array_like of int, one per unit
        Discharges t_ik as sample indices.
    muaps : array_like, shape (n_units, n_channels, n_lags)
        Action potentials h in volts.
    n_samples : int
        Length of the signal.
    offset : int
        Sample within an action potential at which its discharge lies.

    Returns
    -------
    ndarray of float32, shape (n_channels, n_samples)
        In volts; what reaches over either end is cut off.

    Raises
    ------
    InvalidArgumentError
        If there is not one action potential per unit.
    """
    shapes = np.ascontiguousarray(muaps, dtype=np.float32)
    if shapes.ndim != 3 or len(shapes) != len(samples):
        raise InvalidArgumentError(
            f"muaps must have shape ({len(samples)}, n_channels, n_lags), got {shapes.shape}"
        )
    length = check_count("n_samples", n_samples)
    trains = [np.asarray(train, dtype=np.int64) for train in samples]
    starts = np.concatenate([np.zeros(0, dtype=np.int64), *trains]) - int(offset)
    unit = np.repeat(np.arange(len(trains)), [train.size for train in trains])
    # In order of time the part of the signal that is written to stays in the innermost cache.
    order = np.argsort(starts, kind="stable")
    signal = np.zeros((shapes.shape[1], length), dtype=np.float32)
    _add_all(signal, shapes, starts[order], unit[order])
    return signal


def varying_signal(
    samples: Sequence[npt.ArrayLike],
    muaps: npt.ArrayLike,
    first: Sequence[npt.ArrayLike],
    weights: Sequence[npt.ArrayLike],
    n_samples: int,
) -> np.ndarray:
    """Sum of action potentials that are another mixture of templates at every discharge.

    Parameters
    ----------
    samples : sequence of array_like of int, one per unit
        Discharges as sample indices.
    muaps : array_like, shape (n_nodes, n_units, n_channels, n_lags)
        Templates in volts.
    first : sequence of array_like of int, one per unit
        First template of each discharge.
    weights : sequence of array_like, one per unit, shape (n_discharges, n_weights)
        Weights of that template and those after it.
    n_samples : int
        Length of the signal.

    Returns
    -------
    ndarray of float32, shape (n_channels, n_samples)
        In volts.
    """
    shapes = np.ascontiguousarray(muaps, dtype=np.float32)
    trains = [np.asarray(train, dtype=np.int64) for train in samples]
    if shapes.ndim != 4 or shapes.shape[1] != len(trains):
        raise InvalidArgumentError(
            f"muaps must have shape (n_nodes, {len(trains)}, n_channels, n_lags), got {shapes.shape}"
        )
    starts = np.concatenate([np.zeros(0, dtype=np.int64), *trains])
    signal = np.zeros((shapes.shape[2], check_count("n_samples", n_samples)), dtype=np.float32)
    if not starts.size:
        return signal
    unit = np.repeat(np.arange(len(trains)), [train.size for train in trains])
    node = np.concatenate([np.asarray(one, dtype=np.int64) for one in first])
    weight = np.concatenate([np.asarray(one, dtype=np.float32) for one in weights if np.size(one)])
    order = np.argsort(starts, kind="stable")
    _add_mixtures(signal, shapes, starts[order], unit[order], node[order], weight[order])
    return signal


@numba.njit(cache=True, nogil=True)
def _add_mixtures(
    signal: np.ndarray,
    muaps: np.ndarray,
    starts: np.ndarray,
    unit: np.ndarray,
    node: np.ndarray,
    weight: np.ndarray,
) -> None:
    n_channels, n_samples = signal.shape
    n_lags = muaps.shape[3]
    for channel in range(n_channels):
        track = signal[channel]
        for k in range(starts.size):
            last = min(n_samples, starts[k] + n_lags)
            target = track[starts[k] : last]
            for j in range(weight.shape[1]):
                shape, factor = muaps[node[k] + j, unit[k], channel], weight[k, j]
                for i in range(target.size):
                    target[i] += factor * shape[i]


@numba.njit(cache=True, nogil=True)
def _add_all(signal: np.ndarray, muaps: np.ndarray, starts: np.ndarray, unit: np.ndarray) -> None:
    n_channels, n_samples = signal.shape
    n_lags = muaps.shape[2]
    for channel in range(n_channels):
        track = signal[channel]
        for k in range(starts.size):
            first, last = max(0, starts[k]), min(n_samples, starts[k] + n_lags)
            # Two views indexed from 0: an index that could be negative would keep the loop from vectorising.
            target = track[first:last]
            shape = muaps[unit[k], channel, first - starts[k] :]
            for i in range(target.size):
                target[i] += shape[i]
