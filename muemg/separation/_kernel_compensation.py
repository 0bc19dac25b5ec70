"""Convolution kernel compensation of a block of sources: each is the mean observation at its own highest peaks.

In whitened coordinates ν(t) = ĉᵀC⁻¹x̃(t) is wᵀz(t) with w the mean of z at the discharges (Holobar & Zazula 2007,
eqs. 10–14). From a single observation on, w is re-estimated at the highest samples of its own output; the
fewest and surest first, then more and more, so that a false one among them is outvoted.
"""

from __future__ import annotations

import numpy as np

from muemg.separation._fixed_point import distinct, unit_vectors
from muemg.separation._threads import in_pieces

__all__ = ["compensate"]

_FIRST = 8  # peaks taken first
_PIECE = 1024  # samples whose sources are computed in one go


def compensate(
    whitened: np.ndarray,
    starts: np.ndarray,
    *,
    n_iterations: int,
    n_peaks: int,
    blind: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Directions of the correlation vectors to which the starts lead.

    Parameters
    ----------
    whitened : ndarray of float32, shape (n_samples, rank)
    starts : ndarray of float32, shape (n_starts, rank)
    n_iterations : int
    n_peaks : int
        Samples taken in the last iteration.
    blind : pair of ndarray of int, shape (n_starts,)
        First row and one past the last row of `whitened` that overlap the observation a source starts from: it is
        left out of the first estimate, or every source would stay its own highest peak.

    Returns
    -------
    ndarray of float32, shape (n_distinct, rank)
        Unit vectors.
    """
    directions = unit_vectors(starts)
    first = min(_FIRST, n_peaks)
    for iteration, n_taken in enumerate(np.geomspace(first, n_peaks, n_iterations).round().astype(int)):
        sources = _sources(whitened, directions)
        if iteration == 0:
            for i, (low, high) in enumerate(zip(*blind)):
                sources[low:high, i] = 0

        directions = unit_vectors(_correlations(whitened, sources, n_taken))
    return directions[distinct(directions)]


def _sources(whitened: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """ν of every source, shape (n_samples, n_sources)."""
    sources = np.empty((len(whitened), len(directions)), dtype=np.float32)

    def piece(first: int) -> None:
        np.matmul(whitened[first : first + _PIECE], directions.T, out=sources[first : first + _PIECE])

    in_pieces(piece, range(0, len(whitened), _PIECE))
    return sources


def _correlations(whitened: np.ndarray, sources: np.ndarray, n_peaks: int) -> np.ndarray:
    """Mean observation at the highest samples of each source, shape (n_sources, rank)."""

    def one(i: int) -> np.ndarray:
        return whitened[np.argpartition(sources[:, i], -n_peaks)[-n_peaks:]].mean(axis=0)

    return np.array(in_pieces(one, range(sources.shape[1])))
