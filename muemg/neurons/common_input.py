"""Common drive: slow fluctuations of excitation that motor neurons of a pool share in part.

Rates of concurrently active motor units rise and fall together below some 2.5 Hz (common drive: De Luca,
LeFever, McCue & Xenakis 1982, J. Physiol. 329:113–128). Unit i receives, relative to its mean,

    x_i(t) = s [√ρ c(t) + √(1 − ρ) u_i(t)],

with c common and u_i its own, both Gaussian of unit variance and limited to one band: any two units have
inputs of standard deviation s that are correlated by ρ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.errors import check_count, check_fraction, check_positive

__all__ = ["CommonInput"]

# Knots per period of the highest frequency: linear interpolation then leaves out 0.6 % of its amplitude.
_OVERSAMPLING = 16


@dataclass(frozen=True, eq=False)
class CommonInput:
    """Fluctuations of the inputs of a pool, kept at a low rate: a row is interpolated when it is wanted.

    Parameters
    ----------
    knots : ndarray, shape (n_units, n_knots)
        Fluctuation of each unit at equally spaced times, the first at 0.
    rate : float
        Knots per second.
    """

    knots: np.ndarray
    rate: float

    @classmethod
    def draw(
        cls,
        n_units: int,
        duration: float,
        *,
        deviation: float,
        correlation: float,
        cutoff: float = 2.5,
        rng: np.random.Generator,
    ) -> CommonInput:
        """Draw the fluctuations of a pool.

        Parameters
        ----------
        n_units : int
            Number of motor neurons.
        duration : float
            In seconds.
        deviation : float
            s, relative to the mean excitation.
        correlation : float
            ρ, 0 … 1.
        cutoff : float
            Upper edge of the band in Hz; 2.5 after De Luca et al. 1982.
        rng : numpy.random.Generator
            Source of randomness; every unit draws from a stream of its own, whatever comes after it.
        """
        count = check_count("n_units", n_units)
        spread = check_positive("deviation", deviation, allow_zero=True)
        shared = check_fraction("correlation", correlation)
        rate = _OVERSAMPLING * check_positive("cutoff", cutoff, "Hz")
        n_knots = int(np.ceil(check_positive("duration", duration, "s") * rate)) + 2
        common, *own = rng.spawn(count + 1)
        knots = np.sqrt(shared) * _band(common, n_knots)[None]
        knots = knots + np.sqrt(1 - shared) * np.array([_band(stream, n_knots) for stream in own])
        return cls(spread * knots, rate)

    def row(self, unit: int, n_samples: int, sampling_rate: float) -> np.ndarray:
        """Fluctuation of one unit, sampled, shape (n_samples,)."""
        at = np.arange(n_samples) * (self.rate / sampling_rate)
        return np.interp(at, np.arange(self.knots.shape[1]), self.knots[unit])


def _band(rng: np.random.Generator, n_knots: int) -> np.ndarray:
    """Gaussian noise of unit variance, flat up to 1/16 of the rate and nothing above it."""
    # Twice the length, so that end and beginning, which a Fourier series joins, are not both in use.
    length = 2 * n_knots
    spectrum = np.zeros(length // 2 + 1, dtype=complex)
    n_low = max(1, length // _OVERSAMPLING)
    spectrum[1 : n_low + 1] = rng.standard_normal(n_low) + 1j * rng.standard_normal(n_low)
    return np.fft.irfft(spectrum, length)[:n_knots] * length / (2 * np.sqrt(n_low))
