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
    return source * source * source, np.full(source.shape[1], 3.0, dtype=source.dtype)


def _log_cosh(source: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    # G = log cosh s
    bent = np.tanh(source)
    return bent, 1 - np.einsum("ij,ij->j", bent, bent) / len(bent)


CONTRASTS = {"skewness": _skewness, "kurtosis": _kurtosis, "log_cosh": _log_cosh}
"""Contrast functions by name: the sources give g and the mean of g′ (None where it vanishes)."""

_SETTLED = 0.9995  # cosine of two successive iterates
_OUTLIER = 8.0  # standard deviations at which a source is clipped for the update
_BLIND = 4  # iterations in which a source does not see the sample it started from


def fixed_point(
    whitened: np.ndarray,
    starts: np.ndarray,
    *,
    contrast: str = "skewness",
    n_iterations: int = 8,
    blind: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Directions to which the starts converge; sources that settle or meet on the way are not iterated further.

    A source that starts at one observation sees it thirty standard deviations high, and one such sample outweighs
    the discharges of a weak unit: it would converge onto itself. So the first iterations leave it out, and no
    sample counts for more than one at `_OUTLIER` standard deviations.

    Parameters
    ----------
    whitened : ndarray of float32, shape (n_samples, rank)
        Whitened extended observations, all samples or a subset.
    starts : ndarray of float32, shape (n_starts, rank)
    contrast : str
        A key of `CONTRASTS`.
    n_iterations : int
    blind : pair of ndarray of int, shape (n_starts,), optional
        First row and one past the last row of `whitened` that overlap the observation a source started from.

    Returns
    -------
    ndarray of float32, shape (n_distinct, rank)
        Unit vectors; each source's third moment is positive.
    """
    moving = _unit(starts)
    settled = moving[:0]
    for iteration in range(n_iterations):
        source = whitened @ moving.T
        np.clip(source, -_OUTLIER, _OUTLIER, out=source)
        if blind is not None and iteration < _BLIND:
            for i, (first, last) in enumerate(zip(*blind)):
                source[first:last, i] = 0
        bent, slope = CONTRASTS[contrast](source)
        update = bent.T @ whitened
        if slope is not None:
            update -= (len(whitened) * slope)[:, None] * moving
        update = _unit(update)
        rests = np.abs(np.einsum("ij,ij->i", update, moving)) > _SETTLED
        moving = update
        if iteration >= _BLIND:
            order = np.concatenate([settled, moving[rests], moving[~rests]])
            kept = distinct(order)
            n_settled = len(settled) + int(rests.sum())
            settled, moving = order[kept[kept < n_settled]], order[kept[kept >= n_settled]]
        if not len(moving):
            break
    directions = np.concatenate([settled, moving])
    directions = directions[distinct(directions)]
    source = whitened @ directions.T
    lean = np.einsum("ij,ij,ij->j", source, source, source)
    return directions * np.where(lean < 0, -1, 1).astype(directions.dtype)[:, None]


def distinct(directions: np.ndarray, *, closest: float = 0.95) -> np.ndarray:
    """Indices of the unit vectors with no earlier one within a cosine of `closest`, signs ignored."""
    alike = np.abs(directions @ directions.T) >= closest
    keep: list[int] = []
    for i in range(len(directions)):
        if not alike[i, keep].any():
            keep.append(i)
    return np.array(keep, dtype=np.int64)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
