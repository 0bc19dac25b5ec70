"""A motor-neuron pool whose earlier units always fire faster: the "onion skin" (De Luca & Contessa 2012).

The rate of a unit depends on the common excitation φ and the unit's recruitment threshold τ, both fractions
of the maximum:

    rate(φ, τ) = D φ + (C − A e^(−φ/B)) τ + E    for φ ≥ τ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_option, check_positive
from muemg.neurons.pool import excitation_rows

__all__ = ["ONION_SKINS", "OnionSkinPool"]

# The constants as Konstantin et al. 2020 (10.1109/TBME.2019.2953680) quote them in their simulator; the
# largest threshold: first dorsal interosseous and vastus lateralis 0.67 and 0.95 of the maximal force (De
# Luca & Contessa 2012); tibialis anterior 0.5, a choice: above it the formula's rate at recruitment falls to
# nothing.
ONION_SKINS: dict[str, tuple[tuple[float, float, float, float, float], float]] = {
    "first_dorsal_interosseous": ((85.0, 0.32, -23.0, 6.93, 20.9), 0.67),
    "vastus_lateralis": ((116.0, 0.15, -21.0, 8.03, 19.0), 0.95),
    "tibialis_anterior": ((65.0, 0.30, -30.0, 6.54, 20.2), 0.50),
}
"""(A, B, C, D, E) and largest recruitment threshold, by muscle."""


@dataclass(frozen=True)
class OnionSkinPool:
    """Thresholds and discharge rates of motor neurons, ordered from the first recruited to the last.

    Parameters
    ----------
    n_units : int
        n.
    muscle : str
        Key of `ONION_SKINS`.
    recruitment_range : float
        Highest over lowest threshold; thresholds grow as exp(i ln(R) / n) (Fuglevand et al. 1993).

    Raises
    ------
    InvalidArgumentError
        If a value is out of range.
    """

    n_units: int
    muscle: str = "vastus_lateralis"
    recruitment_range: float = 30.0

    def __post_init__(self) -> None:
        check_count("n_units", self.n_units)
        check_option("muscle", self.muscle, ONION_SKINS)
        if check_positive("recruitment_range", self.recruitment_range) < 1:
            raise InvalidArgumentError(f"recruitment_range must be ≥ 1, got {self.recruitment_range!r}")

    @property
    def thresholds(self) -> np.ndarray:
        """Recruitment thresholds τ as fractions of the maximal excitation, shape (n_units,), increasing."""
        order = np.arange(1, self.n_units + 1)
        relative = np.exp((order / self.n_units - 1) * np.log(self.recruitment_range))
        return ONION_SKINS[self.muscle][1] * relative

    @property
    def peak_rates(self) -> np.ndarray:
        """Rates in Hz at maximal excitation, shape (n_units,)."""
        return self.rates(np.ones(1))[:, 0]

    def rates(self, excitation: npt.ArrayLike, *, unit: int | None = None) -> np.ndarray:
        """Discharge rates in Hz for a course of excitation; parameters as for `MotorNeuronPool.rates`."""
        chosen = slice(None) if unit is None else slice(unit, unit + 1)
        threshold = self.thresholds[chosen, None]
        course = excitation_rows(excitation, len(threshold))
        (a, b, c, d, e), _ = ONION_SKINS[self.muscle]
        # Fluctuations may carry a course beyond the maximum, where the formula was not measured.
        phi = np.minimum(course, 1.0)
        rate = d * phi + (c - a * np.exp(-phi / b)) * threshold + e
        return np.where(course >= threshold, rate, 0.0)
