"""Extended observations: every channel with its delayed copies, seen as a bank of FIR filters.

A separation filter on the extended observations x̃(t) = [x(t−(R−1)d), …, x(t−d), x(t)] is a bank of C finite impulse
responses of R taps, d samples apart. A signal without anything above a quarter of its sampling rate loses nothing
at d = 2, and the same R·C numbers cover twice the time. The extended matrix, R times the signal, is never held: taken
apart by d, every R-th row of it lies in the signal as it is, without overlap, so that a filter over the whole
signal is R·d matrix products on pieces of the signal itself. The covariance of x̃ is block-Toeplitz and comes from R
lagged covariances of x.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import scipy.linalg

from muemg.separation._threads import factorising, in_pieces

__all__ = ["Extended", "Whitening", "whiten", "whiten_above", "whiten_within"]

_STRETCH = 8192  # samples filtered in one go
_PIECE = 1024  # observations gathered in one go


@dataclass(frozen=True)
class Extended:
    """A signal with its delayed copies; zero before the first and after the last sample.

    Attributes
    ----------
    padded : ndarray of float32, shape ((R−1)·spacing + n_samples + padding, n_channels)
        The signal sample by sample, framed by zeros.
    n_delays : int
        R.
    n_samples : int
    spacing : int
        Samples from one copy to the next.
    """

    padded: np.ndarray
    n_delays: int
    n_samples: int
    spacing: int = 1

    @classmethod
    def of(cls, by_sample: np.ndarray, n_delays: int, spacing: int = 1) -> Extended:
        """Extend a signal of shape (n_samples, n_channels)."""
        n_samples, n_channels = by_sample.shape
        before = (n_delays - 1) * spacing
        filled = -(-n_samples // (n_delays * spacing)) * n_delays * spacing
        padded = np.zeros((before + filled, n_channels), dtype=np.float32)
        padded[before : before + n_samples] = by_sample
        return cls(padded, n_delays, n_samples, spacing)

    @classmethod
    def within(cls, framed: np.ndarray, margin: int, n_delays: int, spacing: int = 1) -> Extended:
        """Extend a signal that is framed by `margin` zeros on either side: as it lies, if they suffice."""
        n_samples = len(framed) - 2 * margin
        before = (n_delays - 1) * spacing
        filled = -(-n_samples // (n_delays * spacing)) * n_delays * spacing
        if before > margin or filled - n_samples > margin:
            return cls.of(framed[margin : margin + n_samples], n_delays, spacing)
        return cls(framed[margin - before : margin + filled], n_delays, n_samples, spacing)

    @property
    def by_sample(self) -> np.ndarray:
        """The signal itself, shape (n_samples, n_channels)."""
        before = (self.n_delays - 1) * self.spacing
        return self.padded[before : before + self.n_samples]

    @property
    def span(self) -> int:
        """Samples that one extended observation covers."""
        return (self.n_delays - 1) * self.spacing + 1

    @property
    def dimension(self) -> int:
        """Numbers in one extended observation, R·C."""
        return self.n_delays * self.padded.shape[1]

    def at(self, samples: np.ndarray) -> np.ndarray:
        """Extended observations at these samples, a copy of shape (n, R·C)."""
        return _gather(self.padded, np.asarray(samples, dtype=np.int64), self.n_delays, self.spacing)

    def _stretches(self) -> list[tuple[int, int]]:
        """Pieces of the signal: first sample, and number of rows in each phase."""
        block = self.n_delays * self.spacing
        total = (len(self.padded) - (self.n_delays - 1) * self.spacing) // block
        step = max(1, _STRETCH // block)
        return [(start * block, min(step, total - start)) for start in range(0, total, step)]

    def _phases(self, first: int, count: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """The observations of a stretch as matrices without overlap.

        For p < spacing and q < R, the observations at first + p + (q + R·i)·spacing, shape (count, R·C).
        """
        length = (count * self.n_delays + self.n_delays - 1) * self.spacing
        piece = self.padded[first : first + length]
        for p in range(self.spacing):
            part = np.ascontiguousarray(piece[p :: self.spacing])
            for q in range(self.n_delays):
                yield p, q, part[q : q + count * self.n_delays].reshape(count, self.dimension)

    def lagged_covariances(self) -> np.ndarray:
        """E[x(t) xᵀ(t−r·spacing)] for r = 0 … R−1, the signal taken as zero outside its ends.

        Returns
        -------
        ndarray of float64, shape (R, n_channels, n_channels)
        """
        n_delays, n_channels = self.n_delays, self.padded.shape[1]

        def products(stretch: tuple[int, int]) -> np.ndarray:
            total = np.zeros((n_channels, self.dimension), dtype=np.float32)
            for _, _, past in self._phases(*stretch):
                total += past[:, -n_channels:].T @ past
            return total

        # Summed in double precision over pieces that are short enough for single.
        total = np.zeros((n_channels, self.dimension))
        for piece in in_pieces(products, self._stretches()):
            total += piece
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
        n_sources = len(filters)
        taps = np.ascontiguousarray(filters, dtype=np.float32).T
        sources = np.empty((n_sources, self.n_samples), dtype=np.float32)

        def outputs(stretch: tuple[int, int]) -> None:
            first, count = stretch
            out = np.empty((count, self.n_delays, self.spacing, n_sources), dtype=np.float32)
            for p, q, observed in self._phases(first, count):
                out[:, q, p] = observed @ taps
            last = min(self.n_samples, first + count * self.n_delays * self.spacing)
            # Turned around while it is in the cache.
            sources[:, first:last] = out.reshape(count * self.n_delays * self.spacing, n_sources)[
                : last - first
            ].T

        in_pieces(outputs, self._stretches())
        return sources

    def project(self, matrix: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """The extended observations at these samples in the coordinates that the rows of a matrix measure.

        Parameters
        ----------
        matrix : ndarray of float32, shape (n, R·C)
        samples : ndarray of int64, shape (k,)

        Returns
        -------
        ndarray of float32, shape (k, n)
        """
        projected = np.empty((len(samples), len(matrix)), dtype=np.float32)

        def piece(first: int) -> None:
            np.matmul(
                self.at(samples[first : first + _PIECE]), matrix.T, out=projected[first : first + _PIECE]
            )

        in_pieces(piece, range(0, len(samples), _PIECE))
        return projected

    def mean_responses(self, trains: Sequence[np.ndarray]) -> np.ndarray:
        """Mean of the extended observations at the discharges of each train, shape (n_trains, R·C).

        Discharges outside the signal (a train that was shifted) do not count.
        """
        responses = np.zeros((len(trains), self.dimension), dtype=np.float32)
        for response, train in zip(responses, trains):
            inside = train[(train >= 0) & (train < self.n_samples)]
            if len(inside):
                response[:] = self.at(inside).mean(axis=0)
        return responses


@numba.njit(cache=True, nogil=True)
def _gather(padded, samples, n_delays, spacing):
    n_channels = padded.shape[1]
    observations = np.empty((len(samples), n_delays * n_channels), dtype=padded.dtype)
    for i in range(len(samples)):
        for j in range(n_delays):
            for c in range(n_channels):
                observations[i, j * n_channels + c] = padded[samples[i] + j * spacing, c]
    return observations


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
    with factorising():
        values, vectors = scipy.linalg.eigh(covariance, driver="evd", check_finite=False)
    floor = float(values[: max(1, int(len(values) * discarded))].mean())
    # Rank deficiency of the signal itself (common reference, interpolated channel) goes too.
    floor = max(floor, float(values[-1]) * 1e-10)
    keep = values > floor
    matrix = np.ascontiguousarray((vectors[:, keep] / np.sqrt(values[keep])).T, np.float32)
    return Whitening(matrix), floor


def whiten_within(covariance: np.ndarray, whitening: Whitening) -> Whitening:
    """Whitening of another covariance on the directions that an earlier whitening has retained.

    What is left of a signal once units are removed has the same noise, so that the directions of noise need not be
    sought again: one triangular factor of the small covariance V·C·Vᵀ instead of an eigendecomposition.
    """
    v = whitening.matrix
    inner = (v @ covariance.astype(np.float32)) @ v.T
    with factorising():
        factor = scipy.linalg.cholesky(inner, lower=True, check_finite=False)
        inverse, _ = scipy.linalg.lapack.strtri(factor, lower=1, overwrite_c=1)
        return Whitening(inverse @ v)


def whiten_above(covariance: np.ndarray, floor: float) -> Whitening:
    """Whitening of the covariance with a known noise floor added, by one triangular factor.

    (C + floor·I)⁻¹ = L⁻ᵀL⁻¹: a twentieth of the operations of the eigendecomposition, for the many times that the
    residual changes while its noise does not.
    """
    loaded = covariance + floor * np.eye(len(covariance))
    with factorising():
        factor = scipy.linalg.cholesky(loaded, lower=True, overwrite_a=True, check_finite=False)
        inverse, _ = scipy.linalg.lapack.dtrtri(factor, lower=1, overwrite_c=1)
    return Whitening(np.ascontiguousarray(inverse, np.float32))
