"""How many fibres a motor unit has, how thick they are, and how fast they conduct."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_positive

__all__ = ["diameter_of_velocity", "innervation_numbers", "velocity_of_diameter"]

# 3.7 m/s at 55 µm, and 0.05 m/s more per µm (Nandedkar & Stålberg 1983).
_REFERENCE_DIAMETER, _REFERENCE_VELOCITY, _SLOPE = 55e-6, 3.7, 0.05e6


def innervation_numbers(n_units: int, *, mean: float, innervation_range: float) -> np.ndarray:
    """Number of fibres of each motor unit, from the first recruited (fewest) to the last.

    With i = 1 … n the number grows as exp(i ln(R) / n), in proportion to twitch force, scaled to the mean
    (Fuglevand et al. 1993); every unit has at least one fibre.

    Parameters
    ----------
    n_units : int
        n.
    mean : float
        Mean number of fibres; 562 were counted for the human tibialis anterior (Feinstein et al. 1955).
    innervation_range : float
        R, largest over smallest; 100 in Fuglevand et al. 1993.

    Returns
    -------
    ndarray of int64, shape (n_units,)
    """
    count = check_count("n_units", n_units)
    check_positive("mean", mean, "fibres")
    if check_positive("innervation_range", innervation_range) < 1:
        raise InvalidArgumentError(f"innervation_range must be ≥ 1, got {innervation_range!r}")
    relative = np.exp(np.arange(1, count + 1) * np.log(innervation_range) / count)
    return np.maximum(1, np.rint(mean * relative / relative.mean())).astype(np.int64)


def velocity_of_diameter(diameter: npt.ArrayLike) -> np.ndarray:
    """Conduction velocity in m/s of fibres of a diameter in metres: 3.7 + 0.05 (d − 55) with d in µm.

    Source: Nandedkar & Stålberg 1983.
    """
    return _REFERENCE_VELOCITY + _SLOPE * (np.asarray(diameter, dtype=np.float64) - _REFERENCE_DIAMETER)


def diameter_of_velocity(velocity: npt.ArrayLike) -> np.ndarray:
    """Diameter in metres of fibres of a conduction velocity in m/s; the inverse of `velocity_of_diameter`."""
    return _REFERENCE_DIAMETER + (np.asarray(velocity, dtype=np.float64) - _REFERENCE_VELOCITY) / _SLOPE
