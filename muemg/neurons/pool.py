"""A motor-neuron pool: recruitment by size and rate coding (Fuglevand, Winter & Patla 1993).

Excitation E is the net synaptic input, common to the pool. It is counted as in the source, where the
threshold of the smallest unit is about 1, and handed in as a fraction of the excitation that drives the pool
to its maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_positive

__all__ = ["MotorNeuronPool", "excitation_rows"]


@dataclass(frozen=True)
class MotorNeuronPool:
    """Thresholds and discharge rates of motor neurons, ordered from the first recruited to the last.

    With i = 1 … n, the recruitment threshold (many low, few high) and the discharge rate above it are

        T_i = exp(i ln(R) / n),
        rate_i(E) = min(minimum_rate + gain (E − T_i), peak_i)   for E ≥ T_i, otherwise 0,
        peak_i = peak_rate − peak_rate_difference T_i / T_n

    (Fuglevand et al. 1993). Maximal excitation, E = 1 as a fraction, is where the last unit reaches its peak
    rate.

    Parameters
    ----------
    n_units : int
        n.
    recruitment_range : float
        R, highest over lowest threshold; 30 in the source, where the last unit is recruited at about half
        of the maximal excitation.
    minimum_rate : float
        Rate at recruitment in Hz; 8 in the source.
    peak_rate : float
        Peak rate of the first unit in Hz; 45 in the source.
    peak_rate_difference : float
        By how much lower in Hz the peak rate of the last unit is; 10 in the source.
    gain : float
        In Hz per unit of excitation; 1 in the source.

    Raises
    ------
    InvalidArgumentError
        If a value is out of range, or the last unit's peak rate is not above the minimum rate.
    """

    n_units: int
    recruitment_range: float = 30.0
    minimum_rate: float = 8.0
    peak_rate: float = 45.0
    peak_rate_difference: float = 10.0
    gain: float = 1.0

    def __post_init__(self) -> None:
        check_count("n_units", self.n_units)
        if check_positive("recruitment_range", self.recruitment_range) < 1:
            raise InvalidArgumentError(f"recruitment_range must be ≥ 1, got {self.recruitment_range!r}")
        check_positive("minimum_rate", self.minimum_rate, "Hz")
        check_positive("peak_rate", self.peak_rate, "Hz")
        check_positive("gain", self.gain, "Hz per unit of excitation")
        check_positive("peak_rate_difference", self.peak_rate_difference, "Hz", allow_zero=True)
        if self.peak_rate - self.peak_rate_difference <= self.minimum_rate:
            raise InvalidArgumentError(
                "peak_rate − peak_rate_difference must be above minimum_rate, got "
                f"{self.peak_rate:g} − {self.peak_rate_difference:g} and {self.minimum_rate:g} Hz"
            )

    @property
    def _absolute_thresholds(self) -> np.ndarray:
        order = np.arange(1, self.n_units + 1)
        return np.exp(order * np.log(self.recruitment_range) / self.n_units)

    @property
    def _maximal_excitation(self) -> float:
        last_peak = self.peak_rate - self.peak_rate_difference
        return float(self.recruitment_range + (last_peak - self.minimum_rate) / self.gain)

    @property
    def thresholds(self) -> np.ndarray:
        """Recruitment thresholds as fractions of the maximal excitation, shape (n_units,), increasing."""
        return self._absolute_thresholds / self._maximal_excitation

    @property
    def peak_rates(self) -> np.ndarray:
        """Peak discharge rates in Hz, shape (n_units,)."""
        return self.peak_rate - self.peak_rate_difference * self._absolute_thresholds / self.recruitment_range

    def rates(self, excitation: npt.ArrayLike, *, unit: int | None = None) -> np.ndarray:
        """Discharge rates in Hz for a course of excitation.

        Parameters
        ----------
        excitation : array_like, shape (n_samples,) or (n_units, n_samples)
            Fraction of the maximal excitation, common to the pool or one course for each unit.
        unit : int, optional
            Only this unit (n_units is then 1).

        Returns
        -------
        ndarray of float64, shape (n_units, n_samples)
            0 where a unit is not recruited.
        """
        chosen = slice(None) if unit is None else slice(unit, unit + 1)
        threshold, peak = self._absolute_thresholds[chosen, None], self.peak_rates[chosen, None]
        absolute = excitation_rows(excitation, len(threshold)) * self._maximal_excitation
        rate = np.minimum(self.minimum_rate + self.gain * (absolute - threshold), peak)
        return np.where(absolute >= threshold, rate, 0.0)


def excitation_rows(excitation: npt.ArrayLike, n_units: int) -> np.ndarray:
    """Excitation as (1 or n_units, n_samples), or an error that names the shapes that are allowed."""
    rows = np.atleast_2d(np.asarray(excitation, dtype=np.float64))
    if rows.ndim != 2 or len(rows) not in (1, n_units):
        raise InvalidArgumentError(
            f"excitation must have shape (n_samples,) or ({n_units}, n_samples), got {np.shape(excitation)}"
        )
    return rows
