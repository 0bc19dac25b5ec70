"""Muscle fibres: where each lies, where its end-plate and tendon ends are, how fast and thick it is."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError
from forward_models.conductors._interface import check_positive, concrete

__all__ = ["CurvedFibres", "Fibres"]


def _each(name: str, value: ArrayLike, shape: tuple[int, ...]) -> jax.Array:
    array = jnp.asarray(value, dtype=float)
    try:
        return jnp.broadcast_to(array, shape)
    except ValueError:
        raise ForwardModelError(f"{name} must be a scalar or have shape {shape}, got {array.shape}") from None


def _check_finite(**values: Any) -> None:
    for name, value in values.items():
        known = concrete(value)
        if known is not None and not np.isfinite(known).all():
            raise ForwardModelError(f"{name} must be finite")


class Fibres(eqx.Module):
    """Straight fibres parallel to z; a pytree whose every field JAX differentiates by.

    Parameters
    ----------
    transverse : array_like, shape (n_fibres, 2)
        (x, y) in metres, in the conductor's frame (y < 0 below the skin of the layered half-space).
    end_plate : array_like, shape (n_fibres,) or scalar
        z of the neuromuscular junction in metres.
    half_lengths : array_like, shape (n_fibres, 2), (2,) or scalar
        Distances in metres from the end-plate to the tendon end at larger z and to the one at smaller z.
    velocity : array_like, shape (n_fibres,) or scalar
        Conduction velocity in m/s.
    diameter : array_like, shape (n_fibres,) or scalar
        Fibre diameter in metres.
    delay : array_like, shape (n_fibres,) or scalar
        Time in seconds from the motor neuron's discharge to the start of the waves at the end-plate.

    Raises
    ------
    ForwardModelError
        If shapes disagree, a value is not finite, or a length, velocity or diameter is not positive.
    """

    transverse: jax.Array
    end_plate: jax.Array
    half_lengths: jax.Array
    velocity: jax.Array
    diameter: jax.Array
    delay: jax.Array

    def __init__(
        self,
        transverse: ArrayLike,
        end_plate: ArrayLike,
        half_lengths: ArrayLike,
        velocity: ArrayLike = 4.0,
        diameter: ArrayLike = 50e-6,
        delay: ArrayLike = 0.0,
    ) -> None:
        self.transverse = jnp.asarray(transverse, dtype=float)
        if self.transverse.ndim != 2 or self.transverse.shape[1] != 2:
            raise ForwardModelError(f"transverse must have shape (n_fibres, 2), got {self.transverse.shape}")
        n = len(self.transverse)
        _check_finite(transverse=transverse, end_plate=end_plate, delay=delay)
        check_positive(half_lengths=half_lengths, velocity=velocity, diameter=diameter)
        self.end_plate = _each("end_plate", end_plate, (n,))
        self.half_lengths = _each("half_lengths", half_lengths, (n, 2))
        self.velocity = _each("velocity", velocity, (n,))
        self.diameter = _each("diameter", diameter, (n,))
        self.delay = _each("delay", delay, (n,))

    def __len__(self) -> int:
        return len(self.transverse)

    def select(self, index: ArrayLike) -> Fibres:
        """The fibres at some indices, of any shape."""
        return jax.tree.map(lambda field: field[index], self)

    def extremes(self) -> np.ndarray | None:
        """Both ends of every fibre, shape (2 · n_fibres, 3) in metres; None inside a JAX transformation."""
        transverse, plate, half = (concrete(v) for v in (self.transverse, self.end_plate, self.half_lengths))
        if transverse is None or plate is None or half is None:
            return None
        z = np.concatenate([plate + half[:, 0], plate - half[:, 1]])
        return np.column_stack([np.tile(transverse, (2, 1)), z])


class CurvedFibres(eqx.Module):
    """Fibres along polylines: inclined, pennate or curved. Any lead field takes them, point by point.

    Parameters
    ----------
    paths : array_like, shape (n_fibres, n_nodes, 3)
        Nodes (x, y, z) in metres from one tendon end to the other. Between nodes both the path and the lead
        field are taken as straight: space nodes by a fraction of the distance to the nearest electrode.
    end_plate : array_like, shape (n_fibres,) or scalar
        Arc length in metres from the first node to the neuromuscular junction.
    velocity, diameter, delay
        As for `Fibres`.

    Raises
    ------
    ForwardModelError
        If shapes disagree, a value is not finite or not positive, or an end-plate lies beyond its fibre.
    """

    paths: jax.Array
    end_plate: jax.Array
    velocity: jax.Array
    diameter: jax.Array
    delay: jax.Array

    def __init__(
        self,
        paths: ArrayLike,
        end_plate: ArrayLike,
        velocity: ArrayLike = 4.0,
        diameter: ArrayLike = 50e-6,
        delay: ArrayLike = 0.0,
    ) -> None:
        self.paths = jnp.asarray(paths, dtype=float)
        if self.paths.ndim != 3 or self.paths.shape[2] != 3 or self.paths.shape[1] < 2:
            raise ForwardModelError(
                f"paths must have shape (n_fibres, n_nodes ≥ 2, 3), got {self.paths.shape}"
            )
        n = len(self.paths)
        _check_finite(paths=paths, end_plate=end_plate, delay=delay)
        check_positive(velocity=velocity, diameter=diameter)
        self.end_plate = _each("end_plate", end_plate, (n,))
        self.velocity = _each("velocity", velocity, (n,))
        self.diameter = _each("diameter", diameter, (n,))
        self.delay = _each("delay", delay, (n,))
        known, plate = concrete(self.arc_length), concrete(self.end_plate)
        if known is not None and plate is not None and ((plate < 0) | (plate > known[:, -1])).any():
            raise ForwardModelError("end_plate must lie between 0 and the arc length of its fibre")

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def arc_length(self) -> jax.Array:
        """Arc length in metres from the first node to each node, shape (n_fibres, n_nodes)."""
        steps = jnp.linalg.norm(jnp.diff(self.paths, axis=1), axis=-1)
        return jnp.concatenate([jnp.zeros_like(steps[:, :1]), jnp.cumsum(steps, axis=1)], axis=1)

    def extremes(self) -> np.ndarray | None:
        """Every node, shape (n_fibres · n_nodes, 3) in metres; None inside a JAX transformation."""
        known = concrete(self.paths)
        return None if known is None else known.reshape(-1, 3)
