"""A pool of leaky integrate-and-fire motor neurons whose membranes are scaled by cell size.

Rheobase, afterhyperpolarisation (AHP) and size of a motor neuron go together (Caillet, Phillips, Farina &
Modenese 2022, 10.7554/eLife.76489, table 4; SI units, S the membrane's area):

    resistance R = 1.7e-10 S^(−2.43),    AHP duration = 1.0e-11 S^(−1.51),

so that a rheobase of V_th/R with one V_th for all ranges over 8.4 if S ranges over 2.4. With v the
depolarisation over V_th and x the current over the rheobase,

    τ dv/dt = −v + x + noise;   at v = 1 a discharge, v = 0, and nothing for the refractory time t_r,

which without noise fires at 1 / (t_r + τ ln(x / (x − 1))). Here τ is a third of the AHP's duration: one time
constant stands for the membrane's charging and the AHP's decay, a schematic choice that makes units begin
at 4 to 13 Hz. t_r is what lets a unit reach its peak rate at maximal excitation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_fraction, check_positive
from muemg.neurons.pool import excitation_rows

__all__ = ["IntegrateAndFirePool"]

# Area in m² of the largest motor neurons, and rheobase's power of it (Caillet et al. 2022, table 4).
_LARGEST_AREA, _RHEOBASE_POWER = 2.9e-7, 2.43
_AHP_FACTOR, _AHP_POWER = 1.0e-11, -1.51
_SHORTEST_REFRACTORY = 3e-3
# The membrane is stepped at least this often, so that a discharge's time is right to a quarter millisecond.
_STEP = 0.25e-3


@dataclass(frozen=True)
class IntegrateAndFirePool:
    """Leaky integrate-and-fire motor neurons, ordered from the first recruited to the last.

    Parameters
    ----------
    n_units : int
        n.
    recruitment_range : float
        Highest over lowest rheobase; 8.4 is what a 2.4-fold range of areas gives (Caillet et al. 2022).
    last_threshold : float
        Excitation, as a fraction of the maximum, at which the last unit is recruited; 0.6 is a choice between
        the 0.53 of Fuglevand et al. 1993 and muscles that recruit until 0.8 and beyond.
    peak_rate, peak_rate_difference : float
        Rate in Hz of the first unit at maximal excitation, and by how much lower the last unit's is (the
        values of Fuglevand et al. 1993).
    noise : float
        Standard deviation of the membrane's own fluctuation as a fraction of the threshold depolarisation;
        above the rheobase it grows with the current, as synaptic noise does. 0.1 makes intervals vary by
        15 to 30 % at rates above 12 Hz (`docs/simulation.md`).

    Raises
    ------
    InvalidArgumentError
        If a value is out of range.
    """

    n_units: int
    recruitment_range: float = 8.4
    last_threshold: float = 0.6
    peak_rate: float = 45.0
    peak_rate_difference: float = 10.0
    noise: float = 0.1

    def __post_init__(self) -> None:
        check_count("n_units", self.n_units)
        if check_positive("recruitment_range", self.recruitment_range) < 1:
            raise InvalidArgumentError(f"recruitment_range must be ≥ 1, got {self.recruitment_range!r}")
        if not 0 < check_fraction("last_threshold", self.last_threshold) < 1:
            raise InvalidArgumentError(
                f"last_threshold must lie between 0 and 1, got {self.last_threshold!r}"
            )
        check_positive("peak_rate", self.peak_rate, "Hz")
        check_positive("peak_rate_difference", self.peak_rate_difference, "Hz", allow_zero=True)
        if self.peak_rate <= self.peak_rate_difference:
            raise InvalidArgumentError(
                f"peak_rate must be above peak_rate_difference, got {self.peak_rate:g} and "
                f"{self.peak_rate_difference:g} Hz"
            )
        check_positive("noise", self.noise, allow_zero=True)

    @property
    def thresholds(self) -> np.ndarray:
        """Rheobases as fractions of the maximal excitation, shape (n_units,), increasing exponentially."""
        order = np.arange(1, self.n_units + 1)
        return self.last_threshold * np.exp((order / self.n_units - 1) * np.log(self.recruitment_range))

    @property
    def areas(self) -> np.ndarray:
        """Areas of the membranes in m², shape (n_units,)."""
        return _LARGEST_AREA * (self.thresholds / self.last_threshold) ** (1 / _RHEOBASE_POWER)

    @property
    def time_constants(self) -> np.ndarray:
        """τ in seconds, shape (n_units,)."""
        return _AHP_FACTOR * self.areas**_AHP_POWER / 3

    @property
    def refractory_times(self) -> np.ndarray:
        """t_r in seconds, shape (n_units,); at least 3 ms."""
        order = self.thresholds / self.last_threshold
        wanted = 1 / (self.peak_rate - self.peak_rate_difference * order)
        charging = -self.time_constants * np.log1p(-self.thresholds)
        return np.maximum(_SHORTEST_REFRACTORY, wanted - charging)

    @property
    def peak_rates(self) -> np.ndarray:
        """Rates in Hz at maximal excitation without noise, shape (n_units,)."""
        return self.rates(np.ones(1))[:, 0]

    def rates(self, excitation: npt.ArrayLike, *, unit: int | None = None) -> np.ndarray:
        """Steady rates in Hz without noise; parameters as for `MotorNeuronPool.rates`."""
        chosen = slice(None) if unit is None else slice(unit, unit + 1)
        threshold, tau, refractory = (
            values[chosen, None] for values in (self.thresholds, self.time_constants, self.refractory_times)
        )
        course = excitation_rows(excitation, len(threshold))
        above = np.maximum(course, threshold * (1 + 1e-12))
        rate = 1 / (refractory - tau * np.log1p(-threshold / above))
        return np.where(course > threshold, rate, 0.0)

    def train(
        self, excitation: npt.ArrayLike, sampling_rate: float, *, unit: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Discharges of one motor neuron.

        Parameters
        ----------
        excitation : array_like, shape (n_samples,)
            Fraction of the maximal excitation.
        sampling_rate : float
            In Hz.
        unit : int
            Which one.
        rng : numpy.random.Generator
            Source of the membrane's noise.

        Returns
        -------
        ndarray of int64
            Strictly increasing sample indices.
        """
        course = excitation_rows(excitation, 1)[0] / self.thresholds[unit]
        fs = check_positive("sampling_rate", sampling_rate, "Hz")
        n_steps = steps_per_sample(fs)
        decay, spread, pause = self.step(unit, fs)
        fired = np.zeros(course.size, dtype=np.bool_)
        _run(course, n_steps, decay, spread, pause, rng, fired)
        return np.flatnonzero(fired).astype(np.int64)

    def step(self, unit: int, sampling_rate: float) -> tuple[float, float, int]:
        """Of one step of the membrane: decay, deviation of the noise added, and refractory steps."""
        length = 1 / (sampling_rate * steps_per_sample(sampling_rate))
        decay = float(np.exp(-length / self.time_constants[unit]))
        return (
            decay,
            self.noise * float(np.sqrt(1 - decay**2)),
            int(np.ceil(self.refractory_times[unit] / length)),
        )


def steps_per_sample(sampling_rate: float) -> int:
    """Steps of the membrane for every sample."""
    return max(1, int(np.ceil(1 / (sampling_rate * _STEP))))


@numba.njit(cache=True)
def _run(
    course: np.ndarray,
    n_steps: int,
    decay: float,
    spread: float,
    pause: int,
    rng: np.random.Generator,
    fired: np.ndarray,
) -> None:
    # At rest the membrane fluctuates about 0 already: units do not start in step.
    v = spread / np.sqrt(1 - decay**2) * rng.standard_normal()
    left = 0
    for k in range(course.size):
        for _ in range(n_steps):
            if left > 0:
                left -= 1
                continue
            noise = spread * max(1.0, course[k]) * rng.standard_normal()
            v = decay * v + (1 - decay) * course[k] + noise
            if v >= 1:
                fired[k] = True
                v = 0.0
                left = pause
