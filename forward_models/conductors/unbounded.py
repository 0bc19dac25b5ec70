"""Unbounded anisotropic medium: muscle without end, for intramuscular electrodes and as an oracle."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError
from forward_models.conductors._interface import (
    LeadField,
    PlacedElectrodes,
    VolumeConductor,
    check_positive,
    concrete,
)
from forward_models.electrodes import ElectrodeArray

__all__ = ["UnboundedConductor"]


class UnboundedConductor(VolumeConductor):
    """Infinite muscle with its fibres along z; electrodes are points anywhere in it.

    Parameters
    ----------
    muscle_across, muscle_along : float
        Conductivity across and along the fibres in S/m.

    Raises
    ------
    ForwardModelError
        If a conductivity is not positive.

    References
    ----------
    Plonsey 1974; Nandedkar & Stålberg 1983, Med. Biol. Eng. Comput. 21:158–165.
    """

    muscle_across: jax.Array
    muscle_along: jax.Array

    def __init__(self, *, muscle_across: ArrayLike, muscle_along: ArrayLike) -> None:
        check_positive(muscle_across=muscle_across, muscle_along=muscle_along)
        self.muscle_across = jnp.asarray(muscle_across, dtype=float)
        self.muscle_along = jnp.asarray(muscle_along, dtype=float)

    def lead_field(self, electrodes: ElectrodeArray | PlacedElectrodes) -> UnboundedLeadField:
        """Lead field of point electrodes (see `VolumeConductor.lead_field`).

        Raises
        ------
        ForwardModelError
            If the electrodes are discs: a disc inside the tissue has no closed form.
        """
        placed = PlacedElectrodes.of(electrodes)
        radius = concrete(placed.radius)
        if radius is not None and radius > 0:
            raise ForwardModelError(
                f"electrodes in an UnboundedConductor are points, radius 0; got {radius} m"
            )
        return UnboundedLeadField(placed.positions, self.muscle_across, self.muscle_along)


class UnboundedLeadField(LeadField):
    """b = 1 / (4π √(σ_ρ σ_z ρ² + σ_ρ² z²)), ρ and z from the electrode to the point.

    Parameters
    ----------
    positions : Array, shape (n_channels, 3)
        Electrodes in metres.
    muscle_across, muscle_along : Array, scalar
        σ_ρ and σ_z in S/m.
    """

    positions: jax.Array
    muscle_across: jax.Array
    muscle_along: jax.Array

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return self.positions.shape[0]

    def at(self, points: ArrayLike) -> jax.Array:
        """Lead field at points, shape (n_channels, n_points) (see `LeadField.at`)."""
        squares = jnp.square(jnp.asarray(points)[None, :, :] - self.positions[:, None, :])
        across = self.muscle_along * (squares[..., 0] + squares[..., 1])
        root = jnp.sqrt(self.muscle_across * (across + self.muscle_across * squares[..., 2]))
        return 1 / (4 * math.pi * root)

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a fibre's end or node touches an electrode."""
        electrodes = concrete(self.positions)
        if electrodes is None or not len(points):
            return
        for electrode in electrodes:
            closest = np.sqrt(((points - electrode) ** 2).sum(axis=1).min())
            if closest < 1e-6:
                raise ForwardModelError("a fibre runs through an electrode: keep at least 1 µm between them")
