"""Fixed-point iteration of a block of sources at once (convolutive fastICA).

One-unit fastICA repeats w ← E[z g(wᵀz)] − E[g′(wᵀz)] w, w ← w/‖w‖ on whitened observations z (Hyvärinen 1999;
for extended EMG Thomas et al. 2006, Negro et al. 2016). Iterating B sources together turns two
matrix–vector products per source, bound by memory, into two matrix–matrix products, bound by arithmetic.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CONTRASTS", "distinct", "fixed_point"]


def _skewness(source: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    # G = s³/3: g′ = 2s has zero mean, so the second term of the update vanishes.
    return source * source, None


def _kurtosis(source: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    # G = s⁴/4
    return source * source * source, np.full(len(source), 3.0, dtype=source.dtype)


def _log_cosh(source: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    # G = log cosh s
    bent = np.tanh(source)
    return bent, 1 - np.einsum("ij,ij->i", bent, bent) / bent.shape[1]


CONTRASTS = {"skewness": _skewness, "kurtosis": _kurtosis, "log_cosh": _log_cosh}
"""Contrast functions by name: the source gives g and the mean of g′ (None where it vanishes)."""


def fixed_point(
    whitened: np.ndarray, starts: np.ndarray, *, contrast: str = "skewness", n_iterations: int = 12
) -> np.ndarray:
    """Directions to which the starts converge; sources that meet on the way are iterated once.

    Parameters
    ----------
    whitened : ndarray of float32, shape (rank, n_samples)
        Whitened extended observations, all samples or a subset.
    starts : ndarray of float32, shape (n_starts, rank)
    contrast : str
        A key of `CONTRASTS`.
    n_iterations : int

    Returns
    -------
    ndarray of float32, shape (n_distinct, rank)
        Unit vectors; each source's third moment is positive.
    """
    directions = _unit(starts)
    n_samples = whitened.shape[1]
    for iteration in range(n_iterations):
        source = directions @ whitened
        bent, slope = CONTRASTS[contrast](source)
        update = bent @ whitened.T
        if slope is not None:
            update -= (n_samples * slope)[:, None] * directions
        directions = _unit(update)
        if iteration % 3 == 0 or iteration == n_iterations - 1:
            directions = distinct(directions)
    source = directions @ whitened
    lean = np.einsum("ij,ij,ij->i", source, source, source)
    return directions * np.where(lean < 0, -1, 1).astype(directions.dtype)[:, None]


def distinct(directions: np.ndarray, *, closest: float = 0.95) -> np.ndarray:
    """The unit vectors with no earlier one within a cosine of `closest`, signs ignored."""
    alike = np.abs(directions @ directions.T) >= closest
    keep: list[int] = []
    for i in range(len(directions)):
        if not alike[i, keep].any():
            keep.append(i)
    return directions[keep]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
