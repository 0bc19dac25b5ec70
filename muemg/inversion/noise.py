"""What a measured MUAP may be off by: noise whose covariance is a product, electrodes times lags.

The mean of n discharges carries 1/n of the covariance of whatever else is in the signal, other units and noise. Its
full covariance over C electrodes and L lags is C·L square; the product S ⊗ T of one over electrodes and one over
lags needs two small factors and follows it well: far fields of the other units are alike on all electrodes and slow.
Measured against that noise, potentials count where they are their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

__all__ = ["Noise"]

_FLOOR = (
    0.02  # of the mean eigenvalue: directions that hold nothing, such as those beyond the band, stay small
)


@dataclass(frozen=True, eq=False)
class Noise:
    """Factors that whiten a MUAP against the signal it was averaged from.

    Parameters
    ----------
    space : ndarray of float32, shape (n_channels, n_channels)
        S^(−½), symmetric.
    time : ndarray of float32, shape (n_lags, n_lags)
        T^(−½), symmetric, T of unit diagonal.
    """

    space: np.ndarray
    time: np.ndarray

    @classmethod
    def of(cls, by_sample: np.ndarray, n_lags: int) -> Noise:
        """The noise of a signal of shape (n_samples, n_channels), for MUAPs of `n_lags`."""
        space = _inverse_root(by_sample.T.astype(np.float64) @ by_sample / len(by_sample))
        whitened = by_sample @ space
        length = 2 ** int(np.ceil(np.log2(len(by_sample) + n_lags)))
        power = np.square(np.abs(np.fft.rfft(whitened, length, axis=0))).mean(axis=1)
        correlation = np.fft.irfft(power)[:n_lags] / len(by_sample)
        return cls(space, _inverse_root(scipy.linalg.toeplitz(correlation)))

    def whiten(self, muaps: np.ndarray) -> np.ndarray:
        """S^(−½) h T^(−½) of MUAPs of shape (..., n_channels, n_lags)."""
        return self.space @ muaps @ self.time


def _inverse_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0) + _FLOOR * values.mean()
    return ((vectors / np.sqrt(values)) @ vectors.T).astype(np.float32)
