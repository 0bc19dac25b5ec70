"""Extended observations: every channel with its delayed copies, as a bank of FIR filters.

A separation filter on the extended observations x̃(t) = [x(t), x(t−1), …, x(t−R+1)] is a bank of C finite
impulse responses of R taps. Written so, neither the (R·C × T) matrix x̃ nor its whitened form is ever held:
the covariance of x̃ is block-Toeplitz and comes from R lagged covariances of x, filters run over chunks, and
only the columns that are asked for are gathered. Row order of x̃ throughout: delay-major, row r·C + c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

__all__ = [
    "Whitening",
    "apply_filters",
    "extended_columns",
    "extended_covariance",
    "lagged_covariances",
    "mean_responses",
    "whiten",
    "whiten_above",
]

_CHUNK = 8192


def _extended_chunks(signal: np.ndarray, n_delays: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """The extended observations piece by piece: first sample, one past the last, and their columns.

    The columns are valid until the next piece is asked for; before its first sample the signal is zero.
    """
    n_channels, n_samples = signal.shape
    extended = np.empty((n_delays * n_channels, min(_CHUNK, n_samples)), dtype=np.float32)
    for start in range(0, n_samples, _CHUNK):
        stop = min(n_samples, start + _CHUNK)
        for delay in range(n_delays):
            block = extended[delay * n_channels : (delay + 1) * n_channels, : stop - start]
            head = min(max(delay - start, 0), stop - start)
            block[:, :head] = 0
            block[:, head:] = signal[:, start - delay + head : stop - delay]
        yield start, stop, extended[:, : stop - start]


def lagged_covariances(signal: np.ndarray, n_delays: int) -> np.ndarray:
    """E[x(t) xᵀ(t−r)] for r = 0 … n_delays−1, the signal taken as zero outside its ends.

    Parameters
    ----------
    signal : ndarray of float32, shape (n_channels, n_samples)
    n_delays : int

    Returns
    -------
    ndarray of float64, shape (n_delays, n_channels, n_channels)
    """
    n_channels, n_samples = signal.shape
    total = np.zeros((n_delays * n_channels, n_channels))
    # Summed in double precision over pieces that are short enough for single.
    for start, stop, extended in _extended_chunks(signal, n_delays):
        total += extended @ signal[:, start:stop].T
    return total.reshape(n_delays, n_channels, n_channels).transpose(0, 2, 1) / n_samples


def extended_covariance(signal: np.ndarray, n_delays: int) -> np.ndarray:
    """Covariance of the extended observations, shape (R·C, R·C), block-Toeplitz in the delays.

    R·C²·T products instead of the (R·C)²·T of the extended matrix.
    """
    lagged = lagged_covariances(signal, n_delays)
    n_channels = len(signal)
    covariance = np.empty((n_delays, n_channels, n_delays, n_channels))
    for row in range(n_delays):
        for column in range(n_delays):
            # E[x(t−row) x(t−column)ᵀ]
            block = lagged[column - row] if column >= row else lagged[row - column].T
            covariance[row, :, column, :] = block
    return covariance.reshape(n_delays * n_channels, -1)


@dataclass(frozen=True)
class Whitening:
    """V with V·C·Vᵀ = I on the retained eigenvectors of the covariance C of the extended observations.

    Attributes
    ----------
    matrix : ndarray of float32, shape (rank, R·C)
    n_delays : int
        R.
    """

    matrix: np.ndarray
    n_delays: int

    @property
    def rank(self) -> int:
        """Number of retained eigenvectors."""
        return len(self.matrix)

    def filters(self, responses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Linear minimum mean square error filters C⁻¹h̃ for extended responses h̃, of unit output variance.

        Parameters
        ----------
        responses : ndarray, shape (n_sources, R·C)

        Returns
        -------
        filters : ndarray of float32, shape (n_sources, R·C)
        deflection : ndarray, shape (n_sources,)
            √(h̃ᵀC⁻¹h̃): how many standard deviations of its output the filter rises at the response.
        """
        whitened = responses.astype(np.float32) @ self.matrix.T
        deflection = np.linalg.norm(whitened, axis=1)
        safe = np.where(deflection > 0, deflection, 1.0)
        return (whitened / safe[:, None]) @ self.matrix, deflection


def whiten(covariance: np.ndarray, n_delays: int, *, discarded: float = 0.5) -> tuple[Whitening, float]:
    """Whitening of the extended observations, with the noise floor of the eigenvalues discarded.

    Eigenvalues below the mean of the smallest `discarded` share of them are taken as noise and dropped
    (Negro et al. 2016, section 2.2), so that noise directions are not blown up to unit variance.

    Parameters
    ----------
    covariance : ndarray of float64, shape (R·C, R·C)
    n_delays : int
    discarded : float
        Share of the eigenvalues, smallest first, whose mean is the noise floor.

    Returns
    -------
    whitening : Whitening
    floor : float
        The noise floor, in the covariance's unit.
    """
    values, vectors = scipy.linalg.eigh(covariance, driver="evd", check_finite=False)
    floor = float(values[: max(1, int(len(values) * discarded))].mean())
    # Rank deficiency of the signal itself (common reference, interpolated channel) goes too.
    floor = max(floor, float(values[-1]) * 1e-10)
    keep = values > floor
    matrix = np.ascontiguousarray((vectors[:, keep] / np.sqrt(values[keep])).T, np.float32)
    return Whitening(matrix, n_delays), floor


def whiten_above(covariance: np.ndarray, n_delays: int, floor: float) -> Whitening:
    """Whitening of the covariance with a known noise floor added, by one triangular factor.

    (C + floor·I)⁻¹ = L⁻ᵀL⁻¹: a twentieth of the operations of the eigendecomposition, for the many times that the
    residual changes while its noise does not.
    """
    loaded = covariance + floor * np.eye(len(covariance))
    factor = scipy.linalg.cholesky(loaded, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = scipy.linalg.lapack.dtrtri(factor, lower=1, overwrite_c=1)
    return Whitening(np.ascontiguousarray(inverse, np.float32), n_delays)


def extended_columns(signal: np.ndarray, samples: np.ndarray, n_delays: int) -> np.ndarray:
    """Columns of the extended observations at some samples, shape (R·C, n); zero before the first sample."""
    n_channels = len(signal)
    columns = np.empty((n_delays * n_channels, len(samples)), dtype=np.float32)
    for delay in range(n_delays):
        block = columns[delay * n_channels : (delay + 1) * n_channels]
        np.take(signal, np.maximum(samples - delay, 0), axis=1, out=block)
        early = samples < delay
        if early.any():
            block[:, early] = 0
    return columns


def mean_responses(signal: np.ndarray, trains: Sequence[np.ndarray], n_delays: int) -> np.ndarray:
    """Mean of the extended observations at the discharges of each train, shape (n_trains, R·C).

    Discharges outside the signal (a train that was shifted) do not count.
    """
    responses = np.zeros((len(trains), n_delays * len(signal)), dtype=np.float32)
    for response, train in zip(responses, trains):
        inside = train[(train >= 0) & (train < signal.shape[1])]
        if len(inside):
            response[:] = extended_columns(signal, inside, n_delays).mean(axis=1)
    return responses


def apply_filters(filters: np.ndarray, signal: np.ndarray, n_delays: int) -> np.ndarray:
    """Output of a bank of separation filters over a whole signal, chunk by chunk.

    Parameters
    ----------
    filters : ndarray of float32, shape (n_sources, R·C)
    signal : ndarray of float32, shape (n_channels, n_samples)
    n_delays : int

    Returns
    -------
    ndarray of float32, shape (n_sources, n_samples)
    """
    filters = np.ascontiguousarray(filters, dtype=np.float32)
    sources = np.empty((len(filters), signal.shape[1]), dtype=np.float32)
    for start, stop, extended in _extended_chunks(signal, n_delays):
        np.matmul(filters, extended, out=sources[:, start:stop])
    return sources
