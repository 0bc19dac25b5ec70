"""What is asked about one motor unit: its parameters θ, the ranges that physiology allows, their transforms.

Inside, every parameter is an unbounded number u with p = low + (high − low) / (1 + e^(−u)): no constraint is left for
an optimiser to break, and one unit of u means about the same for a depth and for a velocity.
"""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

__all__ = ["INDEX", "PARAMETERS", "Parameter", "Ranges"]


@dataclass(frozen=True)
class Parameter:
    """One anatomical parameter of a motor unit.

    Parameters
    ----------
    name : str
    unit : str
        SI unit.
    low, high : float
        Range searched; of ``lateral`` and ``zone`` beyond the outermost electrodes, of ``depth`` below the covering
        layers.
    meaning : str
    source : str
        Where the range comes from.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    source: str


PARAMETERS: tuple[Parameter, ...] = (
    Parameter(
        "lateral",
        "m",
        -12e-3,
        12e-3,
        "position across the fibres of the territory's centre, along the skin",
        "farther outside the array a unit is a far field only",
    ),
    Parameter(
        "depth",
        "m",
        0.5e-3,
        30e-3,
        "depth below the skin of the territory's centre",
        "beyond 30 mm a unit is a far field only; pick-up of surface electrodes, Fuglevand et al. 1992",
    ),
    Parameter(
        "zone",
        "m",
        -10e-3,
        10e-3,
        "innervation zone: mean position of the end-plates along the fibres",
        "zones under the array or just beside it; elsewhere propagation has one direction only",
    ),
    Parameter(
        "distal_length",
        "m",
        20e-3,
        90e-3,
        "mean distance from the end-plates to the fibres' ends at larger z",
        "whole fibres of 68 mm in tibialis anterior, 99 mm in vastus lateralis, Ward et al. 2009; and longer ones",
    ),
    Parameter(
        "proximal_length",
        "m",
        20e-3,
        90e-3,
        "mean distance from the end-plates to the fibres' ends at smaller z",
        "as distal_length",
    ),
    Parameter(
        "velocity",
        "m/s",
        2.4,
        6.0,
        "mean conduction velocity of the fibres",
        "2.6–5.3 m/s in tibialis anterior, Andreassen & Arendt-Nielsen 1987",
    ),
    Parameter(
        "radius",
        "m",
        0.4e-3,
        8e-3,
        "radius of the territory, a disc",
        "territories of some 5–10 mm diameter, Buchthal et al. 1959, widened either way",
    ),
    Parameter(
        "plate_scatter",
        "m",
        0.1e-3,
        6e-3,
        "standard deviation of the end-plates along the fibres",
        "wide enough for any single unit; the simulator has 1.5 mm",
    ),
    Parameter(
        "end_scatter",
        "m",
        0.1e-3,
        8e-3,
        "standard deviation of the fibres' ends",
        "order of the end-plates'; seen in the width of end effects",
    ),
    Parameter(
        "zone_tilt",
        "m/m",
        -1.0,
        1.0,
        "slope of the end-plates' position across the territory",
        "innervation bands may lie oblique to the fibres; 45° at most",
    ),
)
"""The parameters of a motor unit in the order of θ. Amplitude and latency come with them: the one is linear, the
other says only when in its window the discharge is."""

INDEX = {parameter.name: i for i, parameter in enumerate(PARAMETERS)}


class Ranges(eqx.Module):
    """Lower and upper bounds of θ for one array and conductor.

    Parameters
    ----------
    low, high : ndarray, shape (n_parameters,)
        SI.
    """

    low: np.ndarray
    high: np.ndarray

    @classmethod
    def around(cls, lateral: np.ndarray, z: np.ndarray, cover: ArrayLike) -> Ranges:
        """Ranges for electrodes at these places across and along the fibres, under `cover` metres of fat and skin."""
        low = np.array([parameter.low for parameter in PARAMETERS])
        high = np.array([parameter.high for parameter in PARAMETERS])
        for name, values in (("lateral", lateral), ("zone", z), ("depth", np.atleast_1d(np.asarray(cover)))):
            low[INDEX[name]] += values.min()
            high[INDEX[name]] += values.max()
        return cls(low, high)

    def physical(self, unbounded: ArrayLike) -> jax.Array:
        """θ in SI units from unbounded coordinates, any leading shape."""
        return jnp.asarray(self.low, dtype=float) + jnp.asarray(
            self.high - self.low, dtype=float
        ) * jax.nn.sigmoid(jnp.asarray(unbounded))

    def unbounded(self, physical: np.ndarray) -> np.ndarray:
        """Unbounded coordinates of θ in SI units; at the very edge of a range 1 % inside it."""
        share = np.clip((physical - self.low) / (self.high - self.low), 0.01, 0.99)
        return np.log(share / (1 - share))
