"""Force of a motor-unit pool: summed twitches, whose gain falls as they fuse (Fuglevand et al. 1993)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from muemg.errors import check_count, check_positive

__all__ = ["Twitches", "force"]

# Up to this product of contraction time and rate twitches add linearly (Fuglevand et al. 1993).
_LINEAR_UP_TO = 0.4


@dataclass(frozen=True)
class Twitches:
    """Twitch of each motor unit, from the weakest to the strongest.

    With i = 1 … n, peak force and contraction time are

        P_i = exp(i ln(R) / n),   T_i = T_longest P_i^(−1/c),   c = ln(R) / ln(R_T),

    and one discharge gives P_i (t/T_i) exp(1 − t/T_i) (Fuglevand et al. 1993).

    Parameters
    ----------
    n_units : int
        n.
    force_range : float
        R, strongest over weakest twitch; 100 in the source.
    longest : float
        Contraction time of the weakest unit in seconds; 0.09 in the source.
    contraction_time_range : float
        R_T, longest over shortest contraction time; 3 in the source.
    """

    n_units: int
    force_range: float = 100.0
    longest: float = 90e-3
    contraction_time_range: float = 3.0

    def __post_init__(self) -> None:
        check_count("n_units", self.n_units)
        check_positive("force_range", self.force_range)
        check_positive("longest", self.longest, "s")
        check_positive("contraction_time_range", self.contraction_time_range)

    @property
    def peak_forces(self) -> np.ndarray:
        """Twitch peaks relative to the weakest unit's, shape (n_units,)."""
        order = np.arange(1, self.n_units + 1)
        return np.exp(order * np.log(self.force_range) / self.n_units)

    @property
    def contraction_times(self) -> np.ndarray:
        """Times from discharge to peak in seconds, shape (n_units,)."""
        order = np.arange(1, self.n_units + 1)
        return self.longest * np.exp(-order * np.log(self.contraction_time_range) / self.n_units)

    def steady_force(self, rates: npt.ArrayLike, strengths: npt.ArrayLike = 1.0) -> float:
        """Mean force of the pool at steady rates in Hz, shape (n_units,), in the units of `peak_forces`.

        A twitch has the area P T e, so a unit gives rate × P T e × gain. `strengths` are factors on the
        twitches.
        """
        rate = np.asarray(rates, dtype=np.float64)
        area = self.peak_forces * np.asarray(strengths) * self.contraction_times * np.e
        return float(np.sum(rate * area * _gain(self.contraction_times * rate)))


def force(
    samples: Sequence[npt.ArrayLike],
    twitches: Twitches,
    n_samples: int,
    sampling_rate: float,
    *,
    maximal_rates: npt.ArrayLike,
    strengths: npt.ArrayLike = 1.0,
) -> np.ndarray:
    """Force of a pool in time, as a fraction of its maximum.

    Parameters
    ----------
    samples : sequence of array_like of int
        Discharges of each unit.
    twitches : Twitches
        Twitch of each unit.
    n_samples : int
        Length.
    sampling_rate : float
        In Hz.
    maximal_rates : array_like, shape (n_units,)
        Discharge rates in Hz of the maximal contraction, whose steady force is 1.
    strengths : array_like, shape (n_units,) or scalar
        Factor on each unit's twitch; the force that is 1 stays that without it.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    total = np.zeros(n_samples)
    peaks = twitches.peak_forces * np.asarray(strengths)
    for train, peak, time in zip(samples, peaks, twitches.contraction_times):
        at = np.asarray(train, dtype=np.int64)
        if not at.size:
            continue
        impulses = np.zeros(n_samples)
        intervals = np.diff(at) / sampling_rate
        # The first discharge follows none: its twitch stands alone.
        impulses[at] = peak * _gain(np.concatenate([[0.0], time / intervals]))
        # t exp(−t) sampled is a double pole: the twitch as a recursion of two terms.
        decay = np.exp(-1 / (time * sampling_rate))
        scale = np.e / (time * sampling_rate)
        total += lfilter([0.0, scale * decay], [1.0, -2 * decay, decay**2], impulses)
    return total / twitches.steady_force(maximal_rates)


def _gain(normalised_rate: npt.ArrayLike) -> np.ndarray:
    """Twitch gain at a contraction time × rate x: S(x)/x over its value at 0.4, with S(x) = 1 − exp(−2x³)."""
    x = np.maximum(np.asarray(normalised_rate, dtype=np.float64), _LINEAR_UP_TO)

    def per_rate(value: np.ndarray | float) -> np.ndarray:
        return -np.expm1(-2 * np.asarray(value) ** 3) / value

    return per_rate(x) / per_rate(_LINEAR_UP_TO)
