"""The action potential of one motor unit from a few anatomical parameters: a territory of fibres, by quadrature.

A unit's hundreds of fibres differ in place, end-plate, ends and velocity. Their summed potential is an integral over
these spreads; a handful of well-placed fibres with the right weights stands for it (cosine with the sum of all fibres
0.99–1.00 on simulated units), where a single fibre at the centre would have to lie too shallow to be as wide.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy import signal as scipy_signal
from scipy.stats import norm

from forward_models import ElectrodeArray, Fibres, LeadField, VolumeConductor, motor_unit_potentials
from muemg.inversion.parameters import INDEX, Ranges
from muemg.inversion.skin import Skin

__all__ = ["UnitModel"]

N_FIBRES = 8
_VELOCITY_SCATTER = 0.025  # of the mean velocity, among the fibres of one unit
_DIAMETER = 50e-6
_LEAST_DEPTH = 0.3e-3  # of any fibre below the muscle's surface
_BLOCK = 16  # units computed by one call: one shape, compiled once


def quadrature(n_fibres: int = N_FIBRES) -> dict[str, np.ndarray]:
    """Where in a disc of radius 1 each fibre lies (sunflower lattice), and its normal deviate in each spread."""
    index = np.arange(n_fibres)
    radius, angle = np.sqrt((index + 0.5) / n_fibres), index * np.pi * (3 - np.sqrt(5))
    deviates = norm.ppf((index + 0.5) / n_fibres)
    deviates /= deviates.std()
    across, deep = radius * np.cos(angle), radius * np.sin(angle)
    nodes = {"across": across - across.mean(), "deep": deep - deep.mean()}
    rng = np.random.default_rng(3)
    for name in ("plate", "distal", "proximal", "velocity"):
        nodes[name] = rng.permutation(deviates)
    return nodes


@dataclass(frozen=True, eq=False)
class UnitModel:
    """Band-passed MUAPs of motor units under one array in one conductor.

    Parameters
    ----------
    lead : LeadField
        Of the array in the conductor.
    skin : Skin
        What lateral position and depth mean there.
    ranges : Ranges
    sampling_rate : float
        In Hz.
    n_lags : int
        Samples of a MUAP.
    offset : int
        Sample at which the discharge lies.
    band : ndarray, shape (n_lags + 2 · margin, n_lags)
        The recording's zero-phase band-pass as a matrix.
    """

    lead: LeadField
    skin: Skin
    ranges: Ranges
    sampling_rate: float
    n_lags: int
    offset: int
    band: np.ndarray

    @classmethod
    def make(
        cls,
        conductor: VolumeConductor,
        electrodes: ElectrodeArray,
        sampling_rate: float,
        *,
        n_lags: int,
        offset: int,
        low: float,
        high: float,
    ) -> UnitModel:
        """The model for a conductor and an array whose signals are band-passed from `low` to `high` Hz."""
        skin = Skin.of(conductor, electrodes)
        ranges = Ranges.around(skin.lateral, electrodes.positions[:, 2], skin.cover)
        band = band_pass_matrix(sampling_rate, n_lags, low, high)
        return cls(conductor.lead_field(electrodes), skin, ranges, sampling_rate, n_lags, offset, band)

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return self.lead.n_channels

    def fibres(self, physical: jax.Array, latency: jax.Array) -> Fibres:
        """The quadrature's fibres of a batch of units.

        Parameters
        ----------
        physical : Array, shape (n_units, n_parameters)
            θ in SI units.
        latency : Array, shape (n_units,)
            Seconds from the discharge to the start of the waves.
        """
        n_units = physical.shape[0]
        node = quadrature()
        p = {name: physical[:, i : i + 1] for name, i in INDEX.items()}
        across = p["radius"] * node["across"]
        # A territory near the surface is cut off by it.
        depth = p["depth"] + p["radius"] * node["deep"]
        depth = self.skin.cover + _LEAST_DEPTH + _softplus(depth - self.skin.cover - _LEAST_DEPTH, 0.3e-3)
        plate = p["zone"] + p["zone_tilt"] * across + p["plate_scatter"] * node["plate"]
        distal = p["zone"] + p["distal_length"] + p["end_scatter"] * node["distal"]
        proximal = p["zone"] - p["proximal_length"] + p["end_scatter"] * node["proximal"]
        half = jnp.stack([distal - plate, plate - proximal], axis=-1)
        speed = p["velocity"] * (1 + _VELOCITY_SCATTER * node["velocity"])

        def each(values: jax.Array) -> jax.Array:
            return jnp.broadcast_to(values, (n_units, N_FIBRES)).reshape(-1)

        return Fibres(
            self.skin.transverse(each(p["lateral"] + across), each(depth)),
            each(plate),
            jnp.maximum(half.reshape(-1, 2), 2e-3),
            each(speed),
            _DIAMETER / np.sqrt(N_FIBRES),
            each(latency[:, None]),
        )

    def potentials(self, unbounded: jax.Array, latency: jax.Array) -> jax.Array:
        """MUAPs of a batch of units, differentiable; shape (n_units, n_channels, n_lags), volts per unit source.

        Parameters
        ----------
        unbounded : Array, shape (n_units, n_parameters)
            θ in unbounded coordinates.
        latency : Array, shape (n_units,)
            In seconds.
        """
        n_units = unbounded.shape[0]
        margin = (len(self.band) - self.n_lags) // 2
        raw = motor_unit_potentials(
            self.lead,
            self.fibres(self.ranges.physical(unbounded), latency),
            np.repeat(np.arange(n_units), N_FIBRES),
            n_units=n_units,
            sampling_rate=self.sampling_rate,
            n_samples=len(self.band),
            start=-(self.offset + margin) / self.sampling_rate,
        )
        return raw @ jnp.asarray(self.band, dtype=float)

    def muaps(self, unbounded: ArrayLike, latency: ArrayLike = 0.0) -> np.ndarray:
        """MUAPs of any number of units, block by block; shape (n_units, n_channels, n_lags), float32."""
        u, t = self._blocks(unbounded, latency)
        parts = [np.asarray(self._compiled[0](a, b)) for a, b in zip(u, t)]
        return np.concatenate(parts)[: len(np.asarray(unbounded))].astype(np.float32)

    def derivatives(self, unbounded: ArrayLike, latency: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """MUAPs and their derivatives.

        Returns
        -------
        muaps : ndarray of float32, shape (n_units, n_channels, n_lags)
        jacobian : ndarray of float32, shape (n_parameters + 1, n_units, n_channels, n_lags)
            By the unbounded coordinates, and last by the latency in samples.
        """
        u, t = self._blocks(unbounded, latency)
        n = len(np.asarray(unbounded))
        parts = [self._compiled[1](a, b) for a, b in zip(u, t)]
        muaps = np.concatenate([np.asarray(part[0]) for part in parts])[:n]
        jacobian = np.concatenate([np.asarray(part[1]) for part in parts], axis=1)[:, :n]
        return muaps.astype(np.float32), jacobian.astype(np.float32)

    def _blocks(self, unbounded: ArrayLike, latency: ArrayLike) -> tuple[jax.Array, jax.Array]:
        u = np.asarray(unbounded, dtype=float)
        t = np.broadcast_to(np.asarray(latency, dtype=float), (len(u),))
        missing = -len(u) % _BLOCK
        u = np.concatenate([u, np.zeros((missing, u.shape[1]))]).reshape(-1, _BLOCK, u.shape[1])
        t = np.concatenate([t, np.zeros(missing)]).reshape(-1, _BLOCK)
        return jnp.asarray(u, dtype=float), jnp.asarray(t, dtype=float)

    @functools.cached_property
    def _compiled(self) -> tuple[Any, Any]:
        n = len(self.ranges.low)

        def derivatives(u: jax.Array, t: jax.Array) -> tuple[jax.Array, jax.Array]:
            # One direction after another for all units at once: the model's tables live where nothing is batched.
            def along(direction: jax.Array) -> jax.Array:
                step = jnp.broadcast_to(direction[:n], u.shape)
                later = jnp.broadcast_to(direction[n] / self.sampling_rate, t.shape)
                return jax.jvp(self.potentials, (u, t), (step, later))[1]

            return self.potentials(u, t), jax.lax.map(along, jnp.eye(n + 1))

        return jax.jit(self.potentials), jax.jit(derivatives)


def _softplus(x: jax.Array, width: float) -> jax.Array:
    return width * jax.nn.softplus(x / width)


def band_pass_matrix(sampling_rate: float, n_lags: int, low: float, high: float) -> np.ndarray:
    """A zero-phase Butterworth band-pass from a longer window of samples to the middle `n_lags`."""
    margin, pad = max(4, round(8e-3 * sampling_rate)), round(0.2 * sampling_rate)
    edges = (low, min(high, 0.475 * sampling_rate))
    sections = scipy_signal.butter(2, edges, "bandpass", fs=sampling_rate, output="sos")
    length = n_lags + 2 * margin
    impulses = np.zeros((length, length + 2 * pad))
    impulses[np.arange(length), pad + np.arange(length)] = 1
    filtered = scipy_signal.sosfiltfilt(sections, impulses, padtype=None)
    return filtered[:, pad + margin : pad + margin + n_lags]
