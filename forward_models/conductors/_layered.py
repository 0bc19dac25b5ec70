"""Muscle under fat under skin: what the layered half-space and the layered cylinder have in common."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from forward_models.conductors._interface import VolumeConductor, check_not_negative, check_positive

__all__ = ["LayeredConductor"]


class LayeredConductor(VolumeConductor):
    """Thicknesses and conductivities of the layers, and how far and how finely their spectra are resolved.

    Parameters
    ----------
    fat, skin : float
        Thicknesses in metres; both may be 0.
    muscle_across, muscle_along : float
        Conductivity of muscle across and along its fibres in S/m.
    fat_conductivity, skin_conductivity : float
        Conductivities in S/m. Published skin conductivities span four decades: choose one knowingly.
    reach : float
        Largest distance in metres along z between a fibre's end and an electrode.
    k_max : float
        Largest wave number in rad/m. The surface potential of a fibre at depth D below the skin is damped
        by e^(−k D): 4000 rad/m is beyond the thickness of skin for D ≥ 1.5 mm.

    Raises
    ------
    ForwardModelError
        If a thickness is negative, or a conductivity, `reach` or `k_max` is not positive.
    """

    fat: jax.Array
    skin: jax.Array
    muscle_across: jax.Array
    muscle_along: jax.Array
    fat_conductivity: jax.Array
    skin_conductivity: jax.Array
    reach: float = eqx.field(static=True)
    k_max: float = eqx.field(static=True)

    def __init__(
        self,
        *,
        fat: ArrayLike,
        skin: ArrayLike,
        muscle_across: ArrayLike,
        muscle_along: ArrayLike,
        fat_conductivity: ArrayLike,
        skin_conductivity: ArrayLike,
        reach: float = 0.15,
        k_max: float = 4e3,
    ) -> None:
        check_not_negative(fat=fat, skin=skin)
        check_positive(
            muscle_across=muscle_across,
            muscle_along=muscle_along,
            fat_conductivity=fat_conductivity,
            skin_conductivity=skin_conductivity,
            reach=reach,
            k_max=k_max,
        )
        self.fat, self.skin = jnp.asarray(fat, dtype=float), jnp.asarray(skin, dtype=float)
        self.muscle_across = jnp.asarray(muscle_across, dtype=float)
        self.muscle_along = jnp.asarray(muscle_along, dtype=float)
        self.fat_conductivity = jnp.asarray(fat_conductivity, dtype=float)
        self.skin_conductivity = jnp.asarray(skin_conductivity, dtype=float)
        self.reach, self.k_max = float(reach), float(k_max)
