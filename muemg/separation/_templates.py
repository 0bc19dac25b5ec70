"""Motor-unit action potentials by joint least squares, and the signal that is left without them.

Spike-triggered averages smear the potentials of units that discharge together. Solving for all templates at
once, x(t) = Σ_u Σ_i h_u(t − t_ui) + e(t), with the normal equations built from the spike times alone, keeps
overlapping templates apart; what remains, e, is the recording with these units peeled off.
"""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np
import scipy.fft
import scipy.linalg

from muemg.separation._threads import factorising, in_pieces

__all__ = ["add_templates", "fit_templates", "similarity"]

_STRETCH = 4096
_LARGEST_FACTORED = 9000  # unknowns per channel; above, cube and square of them are too many
_MOST_ITERATIONS, _PRECISION = 60, 1e-4


def fit_templates(
    by_sample: np.ndarray, trains: Sequence[np.ndarray], n_lags: int, offset: int
) -> np.ndarray:
    """Least-squares templates of all units at once.

    Parameters
    ----------
    by_sample : ndarray of float32, shape (n_samples, n_channels)
        The signal.
    trains : sequence of ndarray of int64
        Discharges of each unit, each with at least one.
    n_lags : int
        Length of a template in samples.
    offset : int
        Sample of the template at which the discharge lies.

    Returns
    -------
    ndarray of float32, shape (n_units, n_lags, n_channels)
        In the signal's unit.
    """
    n_samples, n_channels = by_sample.shape
    n_units = len(trains)
    if not n_units:
        return np.zeros((0, n_lags, n_channels), dtype=np.float32)
    flat, bounds = _flatten(trains)
    size = n_units * n_lags
    sums = np.zeros((n_units, n_lags, n_channels), dtype=np.float32)
    if size > _LARGEST_FACTORED:
        return _fit_iteratively(by_sample, trains, sums, offset)
    gram = np.zeros((n_units, n_lags, n_units, n_lags), dtype=np.float32)

    def normal_equations(u: int) -> None:
        _triggered_sum(sums[u], by_sample, trains[u], offset)
        _spread(gram[u], _coincidences(u, flat, bounds, n_lags))

    in_pieces(normal_equations, range(n_units))
    _leave_out_cut_samples(gram, flat, bounds, offset, n_samples)
    matrix = gram.reshape(size, size)
    # A faint ridge: two units that always discharge together share their templates instead of diverging.
    matrix[np.diag_indices(size)] += 1e-4 * np.repeat(np.maximum(np.diff(bounds), 1), n_lags)
    # LAPACK's upper half by columns is the lower half by rows: nothing is copied.
    with factorising():
        factor = scipy.linalg.cho_factor(matrix.T, lower=False, overwrite_a=True, check_finite=False)
        solved = scipy.linalg.cho_solve(factor, sums.reshape(size, n_channels), check_finite=False)
    return np.ascontiguousarray(solved.reshape(n_units, n_lags, n_channels), np.float32)


def _fit_iteratively(
    by_sample: np.ndarray, trains: Sequence[np.ndarray], sums: np.ndarray, offset: int
) -> np.ndarray:
    """The same least squares by conjugate gradients, for many units or a high sampling rate.

    The normal equations are convolutions, (G h)_u = Σ_w c_uw ∗ h_w with c_uw the coincidences of two trains: one small
    matrix product for each frequency, and nothing of the size of G is held. Each channel has its own step. Discharges
    whose window is cut by an end are left out of the fit.
    """
    n_units, n_lags, _ = sums.shape
    n_samples = len(by_sample)
    whole = [train[(train >= offset) & (train + n_lags - offset <= n_samples)] for train in trains]
    flat, bounds = _flatten(whole)
    counts = np.zeros((n_units, n_units, 2 * n_lags), dtype=np.float32)

    def normal_equations(u: int) -> None:
        _triggered_sum(sums[u], by_sample, whole[u], offset)
        found = _coincidences(u, flat, bounds, n_lags)
        # Lag d stands at d modulo twice the window.
        counts[u, : u + 1, :n_lags] = found[:, n_lags - 1 :]
        counts[u, : u + 1, n_lags + 1 :] = found[:, : n_lags - 1]

    in_pieces(normal_equations, range(n_units))
    spectrum = scipy.fft.rfft(counts, axis=2).transpose(2, 0, 1)
    # c_wu(d) = c_uw(−d)
    lower = np.tril(spectrum)
    spectrum = lower + np.tril(spectrum, -1).conj().transpose(0, 2, 1)
    weight = np.maximum(np.diff(bounds), 1).astype(np.float32)[:, None, None]

    def apply(templates: np.ndarray) -> np.ndarray:
        product = spectrum @ scipy.fft.rfft(templates, 2 * n_lags, axis=1).transpose(1, 0, 2)
        spread = scipy.fft.irfft(product.transpose(1, 0, 2), 2 * n_lags, axis=1)[:, :n_lags]
        return spread + np.float32(1e-4) * weight * templates

    solved = sums / weight
    left = sums - apply(solved)
    scaled = left / weight
    direction = scaled.copy()
    strength = np.einsum("ulc,ulc->c", left, scaled)
    enough = _PRECISION**2 * np.einsum("ulc,ulc->c", sums, sums / weight)
    for _ in range(_MOST_ITERATIONS):
        if (strength <= enough).all():
            break
        image = apply(direction)
        curvature = np.einsum("ulc,ulc->c", direction, image)
        step = strength / np.where(curvature > 0, curvature, np.inf)
        solved += step * direction
        left -= step * image
        scaled = left / weight
        renewed = np.einsum("ulc,ulc->c", left, scaled)
        direction = scaled + renewed / np.where(strength > 0, strength, np.inf) * direction
        strength = renewed
    return np.ascontiguousarray(solved, np.float32)


def add_templates(
    by_sample: np.ndarray, templates: np.ndarray, trains: Sequence[np.ndarray], offset: int, *, sign: int = 1
) -> None:
    """Add (or, with sign −1, take away) the potentials of these units at their discharges, in place.

    Parameters
    ----------
    by_sample : ndarray of float32, shape (n_samples, n_channels)
    templates : ndarray of float32, shape (n_units, n_lags, n_channels)
    trains : sequence of ndarray of int64
    offset : int
        Sample of the template at which the discharge lies.
    sign : int
    """
    flat, bounds = _flatten(trains)
    units = np.repeat(np.arange(len(trains)), np.diff(bounds))
    order = np.argsort(flat, kind="stable")
    signed, spikes, units = np.float32(sign) * templates, flat[order], units[order]
    in_pieces(
        lambda low: _add_templates(by_sample, signed, spikes, units, offset, low, low + _STRETCH),
        range(0, len(by_sample), _STRETCH),
    )


def similarity(templates: np.ndarray) -> np.ndarray:
    """Correlation of every pair of templates over all channels, at the lag where it is highest.

    Parameters
    ----------
    templates : ndarray of float32, shape (n_units, n_lags, n_channels)

    Returns
    -------
    ndarray, shape (n_units, n_units)
        1 on the diagonal; 0 where a template is zero.
    """
    n_lags = templates.shape[1]
    spectrum = np.fft.rfft(templates, 2 * n_lags, axis=1)
    # One product over channels per frequency.
    cross = spectrum.transpose(1, 0, 2) @ spectrum.conj().transpose(1, 2, 0)
    best = np.fft.irfft(cross, 2 * n_lags, axis=0).max(axis=0)
    length = np.sqrt(np.einsum("ulc,ulc->u", templates, templates, dtype=np.float64))
    safe = np.where(length > 0, length, np.inf)
    return best / safe[:, None] / safe


def _flatten(trains: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    bounds = np.concatenate([[0], np.cumsum([len(train) for train in trains])]).astype(np.int64)
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *trains]).astype(np.int64)
    return flat, bounds


@numba.njit(cache=True, nogil=True)
def _coincidences(u, flat, bounds, n_lags):
    """How often t_w − t_u = d for |d| < n_lags, for one unit u and all w up to it."""
    counts = np.zeros((u + 1, 2 * n_lags - 1), dtype=np.float32)
    for w in range(u + 1):
        start = bounds[w]
        for i in range(bounds[u], bounds[u + 1]):
            while start < bounds[w + 1] and flat[start] <= flat[i] - n_lags:
                start += 1
            j = start
            while j < bounds[w + 1] and flat[j] < flat[i] + n_lags:
                counts[w, flat[j] - flat[i] + n_lags - 1] += 1
                j += 1
    return counts


@numba.njit(cache=True, nogil=True)
def _spread(gram, counts):
    """Normal equations of one unit: its sample at lag a is at lag b of unit w when t_w − t_u = a − b."""
    n_lags = len(gram)
    for a in range(n_lags):
        for w in range(len(counts)):
            for b in range(n_lags):
                gram[a, w, b] = counts[w, a - b + n_lags - 1]


@numba.njit(cache=True)
def _leave_out_cut_samples(gram, flat, bounds, offset, n_samples):
    """Take back what discharges whose window is cut by an end count outside the signal."""
    n_units = len(bounds) - 1
    n_lags = gram.shape[1]
    for u in range(n_units):
        for i in range(bounds[u], bounds[u + 1]):
            first = flat[i] - offset
            if first >= 0 and first + n_lags <= n_samples:
                continue
            for w in range(n_units):
                for j in range(bounds[w], bounds[w + 1]):
                    shift = flat[i] - flat[j]
                    if abs(shift) >= n_lags:
                        continue
                    for a in range(max(0, -shift), min(n_lags, n_lags - shift)):
                        if first + a < 0 or first + a >= n_samples:
                            gram[u, a, w, a + shift] -= 1


@numba.njit(cache=True, nogil=True)
def _triggered_sum(total, by_sample, train, offset):
    """Sum of the signal around the discharges of one unit, into an array of shape (n_lags, n_channels)."""
    n_samples, n_channels = by_sample.shape
    n_lags = len(total)
    for spike in train:
        first = spike - offset
        for lag in range(max(0, -first), min(n_lags, n_samples - first)):
            for c in range(n_channels):
                total[lag, c] += by_sample[first + lag, c]


@numba.njit(cache=True, nogil=True)
def _add_templates(by_sample, templates, spikes, units, offset, low, high):
    """Add templates to the samples from `low` to `high` only; discharges are in order of time."""
    n_samples, n_channels = by_sample.shape
    n_lags = templates.shape[1]
    high = min(n_samples, high)
    i = np.searchsorted(spikes, low + offset - n_lags)
    while i < len(spikes) and spikes[i] - offset < high:
        first = spikes[i] - offset
        for lag in range(max(0, low - first), min(n_lags, high - first)):
            for c in range(n_channels):
                by_sample[first + lag, c] += templates[units[i], lag, c]
        i += 1
