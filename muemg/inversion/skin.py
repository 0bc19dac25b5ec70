"""Lateral position and depth: coordinates that follow the skin under the electrodes, in any conductor.

Across the fibres the electrodes draw the skin's outline. A point of the muscle is told by where along that outline it
lies (lateral, in metres from its middle) and how far below it (depth). On the layered half-space these are x and −y,
on the cylinder arc length and distance to the outer surface.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models import CylinderConductor, ElectrodeArray, PlanarConductor, VolumeConductor
from muemg.errors import InvalidArgumentError

__all__ = ["Skin"]


class Skin(eqx.Module):
    """The outline of the skin across the fibres, where the electrodes are.

    Parameters
    ----------
    lateral : ndarray, shape (n_channels,)
        Coordinate of every electrode along the outline in metres.
    cover : ndarray, scalar
        Fat and skin above the muscle in metres.
    radius : float
        Of a circular outline about the origin in metres; infinite for the plane.
    outline : ndarray, shape (n_points, 2), optional
        (x, y) of an outline of any shape, with `along` its coordinate.
    along : ndarray, shape (n_points,), optional
    inwards : ndarray, shape (n_points, 2), optional
        Unit vectors into the tissue.
    """

    lateral: np.ndarray
    cover: np.ndarray
    radius: float = np.inf
    outline: np.ndarray | None = None
    along: np.ndarray | None = None
    inwards: np.ndarray | None = None

    @classmethod
    def of(cls, conductor: VolumeConductor, electrodes: ElectrodeArray) -> Skin:
        """The skin of a conductor under an array.

        Raises
        ------
        InvalidArgumentError
            If fewer than three electrodes differ across the fibres, where the conductor's outline is not known.
        """
        x, y = electrodes.positions[:, 0], electrodes.positions[:, 1]
        cover = np.asarray(getattr(conductor, "fat", 0.0)) + np.asarray(getattr(conductor, "skin", 0.0))
        if isinstance(conductor, PlanarConductor):
            return cls(x.copy(), cover)
        if isinstance(conductor, CylinderConductor):
            radius = float(conductor.radius)
            return cls(radius * np.arctan2(x, y), cover, radius)
        places = np.unique(np.round(electrodes.positions[:, :2], 9), axis=0)
        if len(places) < 3:
            raise InvalidArgumentError(
                "electrodes must have three different places across the fibres at least, for the outline of the "
                f"skin to be known in a {type(conductor).__name__}; got {len(places)}"
            )
        angle = np.arctan2(places[:, 0], places[:, 1])
        outline = places[np.argsort(angle)]
        # Straight on beyond the first and the last electrode.
        reach = 20e-3
        for end, inner in ((0, 1), (-1, -2)):
            step = outline[end] - outline[inner]
            more = outline[end] + reach * step / np.linalg.norm(step)
            outline = np.concatenate([[more], outline] if end == 0 else [outline, [more]])
        along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(outline, axis=0), axis=1))])
        along -= along.mean()
        nearest = np.argmin(np.linalg.norm(electrodes.positions[:, None, :2] - outline[None], axis=2), axis=1)
        return cls(along[nearest], cover, np.inf, outline, along, _inwards(outline))

    def transverse(self, lateral: ArrayLike, depth: ArrayLike) -> jax.Array:
        """(x, y) of points below the skin, shape (n, 2), in the conductor's frame."""
        lateral, depth = jnp.asarray(lateral), jnp.asarray(depth)
        if self.outline is not None and self.along is not None and self.inwards is not None:
            along = jnp.asarray(self.along)
            at, inwards = (
                jnp.stack([jnp.interp(lateral, along, jnp.asarray(of)[:, i]) for i in (0, 1)], axis=-1)
                for of in (self.outline, self.inwards)
            )
            return at + depth[:, None] * inwards / jnp.linalg.norm(inwards, axis=-1, keepdims=True)
        if np.isinf(self.radius):
            return jnp.stack([lateral, -depth], axis=-1)
        angle, distance = lateral / self.radius, self.radius - depth
        return jnp.stack([distance * jnp.sin(angle), distance * jnp.cos(angle)], axis=-1)


def _inwards(outline: np.ndarray) -> np.ndarray:
    """Unit vectors into the tissue, towards the origin, at the points of an outline."""
    tangent = np.gradient(outline, axis=0)
    normal = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    normal *= np.sign(np.sum(normal * -outline, axis=1))[:, None]
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)
