"""Fixed-point iteration of a block of sources at once (convolutive fastICA).

One-unit fastICA repeats w ← E[z g(wᵀz)] − E[g′(wᵀz)] w, w ← w/‖w‖ on whitened observations z (Hyvärinen 1999;
for extended EMG Thomas et al. 2006, Negro et al. 2016). Iterating B sources together turns two
matrix–vector products per source, bound by memory, into two matrix–matrix products, bound by arithmetic.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from muemg.separation._threads import in_pieces

__all__ = ["CONTRASTS", "MODES", "distinct", "fixed_point", "unit_vectors"]


def _skewness(source: np.ndarray, exponent: float) -> tuple[np.ndarray, np.ndarray | None]:
    # G = s³/3: g′ = 2s has zero mean, so the second term of the update vanishes.
    return source * source, None


def _kurtosis(source: np.ndarray, exponent: float) -> tuple[np.ndarray, np.ndarray | None]:
    # G = s⁴/4, and E[g′] = 3 on whitened observations
    return source * source * source, np.full(source.shape[1], 3.0 * len(source), dtype=source.dtype)


def _log_cosh(source: np.ndarray, exponent: float) -> tuple[np.ndarray, np.ndarray | None]:
    # G = log cosh s
    bent = np.tanh(source)
    return bent, len(bent) - np.einsum("ij,ij->j", bent, bent)


def _power(source: np.ndarray, exponent: float) -> tuple[np.ndarray, np.ndarray | None]:
    # G = |s|^a / a
    size = np.abs(source)
    bent = size ** (exponent - 1)
    # Below a = 2 the slope has a pole at 0, where nothing is to be learned.
    slope = (exponent - 1) * bent / np.maximum(size, 1e-3)
    return np.copysign(bent, source), slope.sum(axis=0)


CONTRASTS = {"skewness": _skewness, "kurtosis": _kurtosis, "log_cosh": _log_cosh, "power": _power}
"""Contrast functions by name: the sources and the exponent give g and the sum of g′ (None where it vanishes)."""

MODES = ("block", "symmetric", "deflation")

_SETTLED = 0.9995  # cosine of two successive iterates
_OUTLIER = 8.0  # standard deviations at which a source is clipped for the update
_N_COARSE, _COARSE_FROM = 4, 15_000  # first iterations see every other sample, if there are so many
_BLIND = 4  # iterations in which a source does not see the sample it started from
_PIECE = 1024  # samples whose sources stay in the cache


def fixed_point(
    whitened: np.ndarray,
    starts: np.ndarray,
    *,
    contrast: str = "skewness",
    exponent: float = 3.0,
    mode: str = "block",
    n_iterations: int = 8,
    blind: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Directions to which the starts converge.

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
    exponent : float
        Of the contrast ``"power"``.
    mode : str
        One of `MODES`: sources that settle or meet are not iterated further, are kept apart by symmetric
        decorrelation, or follow one another, each orthogonal to those before.
    n_iterations : int
    blind : pair of ndarray of int, shape (n_starts,), optional
        First row and one past the last row of `whitened` that overlap the observation a source started from.

    Returns
    -------
    ndarray of float32, shape (n_distinct, rank)
        Unit vectors; each source's third moment is positive.
    """
    coarse = 2 if len(whitened) >= _COARSE_FROM else 1
    every_other = np.ascontiguousarray(whitened[::coarse])

    def update(
        iteration: int, moving: np.ndarray, hidden: tuple[np.ndarray, np.ndarray] | None
    ) -> np.ndarray:
        if hidden is None or iteration >= _BLIND:
            step = _step(every_other if iteration < _N_COARSE else whitened, moving, contrast, exponent, None)
        else:
            rows = -(-hidden[0] // coarse), -(-hidden[1] // coarse)
            step = _step(every_other, moving, contrast, exponent, rows)
        return unit_vectors(step)

    if mode == "deflation":
        directions = _deflation(starts, n_iterations, blind, update)
    elif mode == "symmetric":
        directions = unit_vectors(starts)
        directions = directions[distinct(directions)]
        for iteration in range(n_iterations):
            directions = _decorrelated(update(iteration, directions, None))
    else:
        directions = _block(starts, n_iterations, blind, update)
    source = every_other @ directions.T
    lean = np.einsum("ij,ij,ij->j", source, source, source)
    return directions * np.where(lean < 0, -1, 1).astype(directions.dtype)[:, None]


def _block(starts, n_iterations, blind, update) -> np.ndarray:
    """All together; those that settle rest, those that meet are one."""
    moving = unit_vectors(starts)
    settled = moving[:0]
    for iteration in range(n_iterations):
        following = update(iteration, moving, blind)
        rests = np.abs(np.einsum("ij,ij->i", following, moving)) > _SETTLED
        moving = following
        if iteration >= _BLIND:
            order = np.concatenate([settled, moving[rests], moving[~rests]])
            kept = distinct(order)
            n_settled = len(settled) + int(rests.sum())
            settled, moving = order[kept[kept < n_settled]], order[kept[kept >= n_settled]]
        if not len(moving):
            break
    directions = np.concatenate([settled, moving])
    return directions[distinct(directions)]


def _deflation(starts, n_iterations, blind, update) -> np.ndarray:
    """One after the other, each orthogonal to those before (Hyvärinen 1999, section 3.2)."""
    found = np.zeros((0, starts.shape[1]), dtype=np.float32)
    for i in range(len(starts)):
        moving = unit_vectors(starts[i : i + 1] - (starts[i : i + 1] @ found.T) @ found)
        hidden = None if blind is None else (blind[0][i : i + 1], blind[1][i : i + 1])
        for iteration in range(n_iterations):
            moving = update(iteration, moving, hidden)
            moving = unit_vectors(moving - (moving @ found.T) @ found)
        found = np.concatenate([found, moving])
    return found


def _decorrelated(directions: np.ndarray) -> np.ndarray:
    """W ← (W Wᵀ)^(−1/2) W: the nearest orthonormal block, none preferred."""
    left, _, right = scipy.linalg.svd(directions, full_matrices=False, check_finite=False)
    return np.asarray(left @ right, dtype=np.float32)


def _step(
    whitened: np.ndarray,
    moving: np.ndarray,
    contrast: str,
    exponent: float,
    blind: tuple[np.ndarray, np.ndarray] | None,
) -> np.ndarray:
    """Σ g(wᵀz) z − Σ g′(wᵀz) w over all samples, a piece of them at a time: its sources never leave the cache."""

    def piece(first: int) -> tuple[np.ndarray, np.ndarray | None]:
        part = whitened[first : first + _PIECE]
        source = part @ moving.T
        np.clip(source, -_OUTLIER, _OUTLIER, out=source)
        if blind is not None:
            low, high = blind[0] - first, blind[1] - first
            for i in np.flatnonzero((high > 0) & (low < len(part))):
                source[max(0, low[i]) : high[i], i] = 0
        bent, slope = CONTRASTS[contrast](source, exponent)
        return bent.T @ part, slope

    pieces = in_pieces(piece, range(0, len(whitened), _PIECE))
    update = np.sum([product for product, _ in pieces], axis=0)
    slopes = [slope for _, slope in pieces if slope is not None]
    return update - np.sum(slopes, axis=0)[:, None] * moving if slopes else update


def distinct(directions: np.ndarray, *, closest: float = 0.95) -> np.ndarray:
    """Indices of the unit vectors with no earlier one within a cosine of `closest`, signs ignored."""
    alike = np.abs(directions @ directions.T) >= closest
    keep: list[int] = []
    for i in range(len(directions)):
        if not alike[i, keep].any():
            keep.append(i)
    return np.array(keep, dtype=np.int64)


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length 1; zero stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)
