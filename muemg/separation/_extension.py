"""Extended observations: every channel with its delayed copies, seen as a bank of FIR filters.

A separation filter on the extended observations x̃(t) = [x(t−R+1), …, x(t)] is a bank of C finite impulse
responses of R taps. With the signal stored sample by sample, x̃(t) is R·C numbers that already lie side by side in
memory: x̃ is a view, never a copy. Row t of the view overlaps row t + 1, which BLAS does not take; but
every R-th row does not overlap, so that a filter over the whole signal is R matrix products on the signal itself.
The covariance of x̃ is block-Toeplitz and comes from R lagged covariances of x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.lib.stride_tricks import as_strided

__all__ = ["Extended", "Whitening", "whiten", "whiten_above"]

_STRETCH = 16_384  # samples filtered in one go: the outputs are turned around while they are in the cache


@dataclass(frozen=True)
class Extended:
    """A signal with its delayed copies; zero before the first and after the last sample.

    Attributes
    ----------
    padded : ndarray of float32, shape (R−1 + n_samples + padding, n_channels)
        The signal sample by sample, framed by zeros.
    n_delays : int
        R.
    n_samples : int
    """

    padded: np.ndarray
    n_delays: int
    n_samples: int

    @classmethod
    def of(cls, by_sample: np.ndarray, n_delays: int) -> Extended:
        """Extend a signal of shape (n_samples, n_channels)."""
        n_samples, n_channels = by_sample.shape
        filled = -(-n_samples // n_delays) * n_delays
        padded = np.zeros((n_delays - 1 + filled, n_channels), dtype=np.float32)
        padded[n_delays - 1 : n_delays - 1 + n_samples] = by_sample
        return cls(padded, n_delays, n_samples)

    @property
    def by_sample(self) -> np.ndarray:
        """The signal itself, shape (n_samples, n_channels)."""
        return self.padded[self.n_delays - 1 : self.n_delays - 1 + self.n_samples]

    @property
    def rows(self) -> np.ndarray:
        """All extended observations as a read-only view, shape (n_samples, R·C)."""
        width = self.n_delays * self.padded.shape[1]
        step = self.padded.strides[0]
        return as_strided(
            self.padded, (self.n_samples, width), (step, step // self.padded.shape[1]), writeable=False
        )

    def _phase(self, phase: int, first: int, n_rows: int) -> np.ndarray:
        """Rows first + phase, first + phase + R, …: a matrix without overlap."""
        n_channels = self.padded.shape[1]
        start = first + phase
        return self.padded[start : start + n_rows * self.n_delays].reshape(n_rows, self.n_delays * n_channels)

    def lagged_covariances(self) -> np.ndarray:
        """E[x(t) xᵀ(t−r)] for r = 0 … R−1, the signal taken as zero outside its ends.

        Returns
        -------
        ndarray of float64, shape (R, n_channels, n_channels)
        """
        n_delays, n_channels = self.n_delays, self.padded.shape[1]
        n_rows = (len(self.padded) - n_delays + 1) // n_delays
        total = np.zeros((n_channels, n_delays * n_channels))
        # Summed in double precision over pieces that are short enough for single.
        for phase in range(n_delays):
            now = self.padded[n_delays - 1 + phase :: n_delays]
            for first in range(0, n_rows, _STRETCH):
                stop = min(n_rows, first + _STRETCH)
                past = self._phase(phase, first * n_delays, stop - first)
                total += now[first:stop].T @ past
        return total.reshape(n_channels, n_delays, n_channels).transpose(1, 0, 2)[::-1] / self.n_samples

    def covariance(self) -> np.ndarray:
        """Covariance of the extended observations, shape (R·C, R·C), block-Toeplitz in the delays.

        R·C²·T products instead of the (R·C)²·T of the extended matrix.
        """
        n_delays, n_channels = self.n_delays, self.padded.shape[1]
        lagged = self.lagged_covariances()
        blocks = np.empty((n_delays, n_channels, n_delays, n_channels))
        for row in range(n_delays):
            for column in range(n_delays):
                # E[x(t+row) x(t+column)ᵀ]
                blocks[row, :, column, :] = lagged[row - column] if row >= column else lagged[column - row].T
        return blocks.reshape(n_delays * n_channels, -1)

    def filter(self, filters: np.ndarray) -> np.ndarray:
        """Output of a bank of separation filters over the whole signal.

        Parameters
        ----------
        filters : ndarray of float32, shape (n_sources, R·C)

        Returns
        -------
        ndarray of float32, shape (n_sources, n_samples)
        """
        n_sources, n_delays = len(filters), self.n_delays
        taps = np.ascontiguousarray(filters, dtype=np.float32).T
        sources = np.empty((n_sources, self.n_samples), dtype=np.float32)
        n_rows = max(1, _STRETCH // n_delays)
        total = (len(self.padded) - n_delays + 1) // n_delays
        out = np.empty((min(n_rows, total), n_delays, n_sources), dtype=np.float32)
        for start in range(0, total, n_rows):
            count = min(n_rows, total - start)
            for phase in range(n_delays):
                np.matmul(self._phase(phase, start * n_delays, count), taps, out=out[:count, phase])
            first = start * n_delays
            last = min(self.n_samples, first + count * n_delays)
            sources[:, first:last] = out[:count].reshape(count * n_delays, n_sources)[: last - first].T
        return sources

    def mean_responses(self, trains: Sequence[np.ndarray]) -> np.ndarray:
        """Mean of the extended observations at the discharges of each train, shape (n_trains, R·C).

        Discharges outside the signal (a train that was shifted) do not count.
        """
        rows = self.rows
        responses = np.zeros((len(trains), rows.shape[1]), dtype=np.float32)
        for response, train in zip(responses, trains):
            inside = train[(train >= 0) & (train < self.n_samples)]
            if len(inside):
                response[:] = rows[inside].mean(axis=0)
        return responses


@dataclass(frozen=True)
class Whitening:
    """V with V·C·Vᵀ = I on the retained eigenvectors of the covariance C of the extended observations.

    Attributes
    ----------
    matrix : ndarray of float32, shape (rank, R·C)
    """

    matrix: np.ndarray

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


def whiten(covariance: np.ndarray, *, discarded: float = 0.5) -> tuple[Whitening, float]:
    """Whitening of the extended observations, with the noise floor of the eigenvalues discarded.

    Eigenvalues below the mean of the smallest `discarded` share of them are taken as noise and dropped
    (Negro et al. 2016, section 2.2), so that noise directions are not blown up to unit variance.

    Parameters
    ----------
    covariance : ndarray of float64, shape (R·C, R·C)
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
    return Whitening(matrix), floor


def whiten_above(covariance: np.ndarray, floor: float) -> Whitening:
    """Whitening of the covariance with a known noise floor added, by one triangular factor.

    (C + floor·I)⁻¹ = L⁻ᵀL⁻¹: a twentieth of the operations of the eigendecomposition, for the many times that the
    residual changes while its noise does not.
    """
    loaded = covariance + floor * np.eye(len(covariance))
    factor = scipy.linalg.cholesky(loaded, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = scipy.linalg.lapack.dtrtri(factor, lower=1, overwrite_c=1)
    return Whitening(np.ascontiguousarray(inverse, np.float32))
