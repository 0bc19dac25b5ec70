"""The action potential of one motor unit from a few anatomical parameters: a territory times a mean current.

A unit's hundreds of fibres differ in place, end-plate, ends and velocity. Where in the territory a fibre lies says
nothing about its ends and velocity, so that the sum over fibres is a product of two means, per wave number k:

    φ_c(t) = −σ_i a² ∫ k Im{ e^(−ik(z_c − zone)) · ⟨B_c(k) e^(ik·tilt·x)⟩_territory · ⟨S(k, t)⟩_fibres } dk,

with the lead field B of `forward_models` and the current's spectrum S of a fibre whose end-plate is at 0. Each mean
is a quadrature with a handful of nodes. A single fibre at the centre would have to lie too shallow to be as wide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy import signal as scipy_signal
from scipy.stats import norm

from forward_models import (
    AxialCurrent,
    ElectrodeArray,
    ExtrudedLeadField,
    Fibres,
    LeadField,
    VolumeConductor,
    motor_unit_potentials,
    rosenfalck,
)
from muemg.inversion.parameters import INDEX, Ranges
from muemg.inversion.skin import Skin

__all__ = ["UnitModel"]

N_FIBRES = 8
_VELOCITY_SCATTER = 0.025  # of the mean velocity, among the fibres of one unit
_DIAMETER = 50e-6
_LEAST_DEPTH = 0.3e-3  # of any fibre below the muscle's surface
_BLOCK = 4  # units computed by one call: one shape, compiled once


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


class UnitModel(eqx.Module):
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
    band : Array, shape (n_lags + 2 · margin, n_lags)
        The recording's zero-phase band-pass as a matrix.
    """

    lead: LeadField
    skin: Skin
    ranges: Ranges
    sampling_rate: float = eqx.field(static=True)
    n_lags: int = eqx.field(static=True)
    offset: int = eqx.field(static=True)
    band: jax.Array

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
        band = jnp.asarray(band_pass_matrix(sampling_rate, n_lags, low, high), dtype=float)
        return cls(conductor.lead_field(electrodes), skin, ranges, sampling_rate, n_lags, offset, band)

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return self.lead.n_channels

    @property
    def start(self) -> float:
        """First instant of the unfiltered window in seconds after the discharge."""
        margin = (len(self.band) - self.n_lags) // 2
        return -(self.offset + margin) / self.sampling_rate

    def seen(self, physical: jax.Array) -> jax.Array:
        """What each electrode of an extruded conductor sees of the imaginary and the real part of the mean current.

        Parameters
        ----------
        physical : Array, shape (n_units, n_parameters)
            θ in SI units; lateral position, depth, innervation zone, radius and tilt count.

        Returns
        -------
        Array, shape (n_units, n_channels, 2 · n_k)
        """
        lead = cast(ExtrudedLeadField, self.lead)
        p = {name: physical[:, i : i + 1] for name, i in INDEX.items()}
        transverse, across = self._territory(p)
        spectra = lead.spectrum(transverse).reshape(len(physical), N_FIBRES, -1, len(lead.k))
        along = (p["zone_tilt"] * across)[..., None] * lead.k
        b = jnp.einsum("ufjk,ufk->ujk", spectra, jnp.exp(1j * along)) / N_FIBRES
        b = b * jnp.exp(1j * p["zone"] * lead.k)[:, None]
        seen = b[:, np.array(lead.column)] * jnp.exp(-1j * lead.z[:, None] * lead.k)
        return jnp.concatenate([seen.imag, seen.real], axis=-1) * jnp.tile(-lead.k * lead.weights, 2)

    def current(self, physical: jax.Array, latency: jax.Array) -> jax.Array:
        """Mean spectrum of the slope of the membrane potential, band-passed; shape (n_units, 2 · n_k, n_lags).

        Parameters
        ----------
        physical : Array, shape (n_units, n_parameters)
            θ in SI units; half lengths, velocity and both scatters count.
        latency : Array, shape (n_units,)
            Seconds from the discharge to the start of the waves.
        """
        p = {name: physical[:, i : i + 1] for name, i in INDEX.items()}
        plate, half = self._spread(p)
        spectrum = AxialCurrent(
            Fibres(
                jnp.zeros((plate.size, 2)),
                plate.reshape(-1),
                half.reshape(-1, 2),
                self._velocities(p).reshape(-1),
                _DIAMETER,
                jnp.repeat(latency, N_FIBRES),
            ),
            cast(ExtrudedLeadField, self.lead).k,
            rosenfalck(),
            sampling_rate=self.sampling_rate,
            n_samples=len(self.band),
        ).spectrum(jnp.asarray(self.start, dtype=float))
        mean = spectrum.reshape(len(physical), N_FIBRES, *spectrum.shape[1:]).mean(axis=1)
        return mean @ self.band

    def potentials(self, physical: jax.Array, latency: jax.Array) -> jax.Array:
        """MUAPs of a batch of units, differentiable; shape (n_units, n_channels, n_lags), in an arbitrary unit.

        Parameters
        ----------
        physical : Array, shape (n_units, n_parameters)
            θ in SI units.
        latency : Array, shape (n_units,)
            In seconds.
        """
        if isinstance(self.lead, ExtrudedLeadField):
            return self.seen(physical) @ self.current(physical, latency)
        return self._fibre_by_fibre(physical, latency)

    def _fibre_by_fibre(self, physical: jax.Array, latency: jax.Array) -> jax.Array:
        """The same in tissue that changes along the fibres: no product, but a sum over the nodes."""
        n_units = len(physical)
        p = {name: physical[:, i : i + 1] for name, i in INDEX.items()}
        transverse, across = self._territory(p)
        plate, half = self._spread(p)
        plate = p["zone"] + p["zone_tilt"] * across + plate
        raw = motor_unit_potentials(
            self.lead,
            Fibres(
                transverse,
                plate.reshape(-1),
                half.reshape(-1, 2),
                self._velocities(p).reshape(-1),
                _DIAMETER / np.sqrt(N_FIBRES),
                jnp.repeat(latency, N_FIBRES),
            ),
            np.repeat(np.arange(n_units), N_FIBRES),
            n_units=n_units,
            sampling_rate=self.sampling_rate,
            n_samples=len(self.band),
            start=self.start,
        )
        return raw @ self.band

    def _territory(self, p: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """(x, y) of the nodes in the territory, one after another, and their distance from its centre line."""
        across = p["radius"] * _NODES["across"]
        depth = p["depth"] + p["radius"] * _NODES["deep"]
        # A territory near the surface is cut off by it.
        least = jnp.asarray(self.skin.cover, dtype=float) + _LEAST_DEPTH
        depth = least + _LEAST_DEPTH * jax.nn.softplus((depth - least) / _LEAST_DEPTH)
        return self.skin.transverse((p["lateral"] + across).reshape(-1), depth.reshape(-1)), across

    def _spread(self, p: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        """End-plates about the innervation zone, and half lengths, of the nodes along the fibres."""
        plate = p["plate_scatter"] * _NODES["plate"]
        distal = p["distal_length"] + p["end_scatter"] * _NODES["distal"]
        proximal = -p["proximal_length"] + p["end_scatter"] * _NODES["proximal"]
        return plate, jnp.maximum(jnp.stack([distal - plate, plate - proximal], axis=-1), 2e-3)

    def _velocities(self, p: dict[str, jax.Array]) -> jax.Array:
        return p["velocity"] * (1 + _VELOCITY_SCATTER * _NODES["velocity"])

    def muaps(self, unbounded: ArrayLike, latency: ArrayLike = 0.0) -> np.ndarray:
        """MUAPs of any number of units, block by block; shape (n_units, n_channels, n_lags), float32.

        Parameters
        ----------
        unbounded : array_like, shape (n_units, n_parameters)
            θ in unbounded coordinates.
        latency : array_like, shape (n_units,) or scalar
            In seconds.
        """
        return self.muaps_of_groups(np.asarray(unbounded), 1, latency)

    def muaps_of_groups(self, unbounded: np.ndarray, size: int, latency: ArrayLike = 0.0) -> np.ndarray:
        """As `muaps`, for units of which each `size` in a row have one velocity, lengths, scatters and latency.

        Their mean current is computed once; what is left is a matrix product per group.
        """
        n_units = len(unbounded)
        if not isinstance(self.lead, ExtrudedLeadField):
            return _in_blocks(_potentials, self, unbounded, latency)
        times = np.broadcast_to(np.asarray(latency, dtype=np.float32), (n_units,))
        current = _in_blocks(_current, self, unbounded[::size], times[::size])
        seen = _in_blocks(_seen, self, unbounded, times)
        rows = seen.reshape(len(current), size * self.n_channels, -1)
        return (rows @ current).reshape(n_units, self.n_channels, self.n_lags)

    def derivatives(self, unbounded: ArrayLike, latency: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """MUAPs and their derivatives.

        Returns
        -------
        muaps : ndarray of float32, shape (n_units, n_channels, n_lags)
        jacobian : ndarray of float32, shape (n_parameters + 1, n_units, n_channels, n_lags)
            By the unbounded coordinates, and last by the latency in samples.
        """
        kernel = _by_factors if isinstance(self.lead, ExtrudedLeadField) else _one_by_one
        both = _in_blocks(kernel, self, np.asarray(unbounded), latency)
        return both[:, 0].copy(), np.ascontiguousarray(both[:, 1:].transpose(1, 0, 2, 3))


# What is computed of a block of units; compiled once for a shape of the model, whatever its numbers.


@eqx.filter_jit
def _potentials(model: UnitModel, u: jax.Array, t: jax.Array) -> jax.Array:
    return model.potentials(model.ranges.physical(u), t)


@eqx.filter_jit
def _current(model: UnitModel, u: jax.Array, t: jax.Array) -> jax.Array:
    return model.current(model.ranges.physical(u), t)


@eqx.filter_jit
def _seen(model: UnitModel, u: jax.Array, t: jax.Array) -> jax.Array:
    return model.seen(model.ranges.physical(u))


@eqx.filter_jit
def _one_by_one(model: UnitModel, u: jax.Array, t: jax.Array) -> jax.Array:
    """MUAPs and, one direction after another, their derivatives."""
    n = u.shape[1]

    def potentials(u: jax.Array, t: jax.Array) -> jax.Array:
        return model.potentials(model.ranges.physical(u), t)

    def along(direction: jax.Array) -> jax.Array:
        moves = (
            jnp.broadcast_to(direction[:n], u.shape),
            jnp.full(t.shape, direction[n] / model.sampling_rate),
        )
        return jax.jvp(potentials, (u, t), moves)[1]

    return jnp.stack([potentials(u, t), *jax.lax.map(along, jnp.eye(n + 1))], axis=1)


@eqx.filter_jit
def _by_factors(model: UnitModel, u: jax.Array, t: jax.Array) -> jax.Array:
    """MUAPs and derivatives by the product rule: a parameter moves one of the two factors only."""
    n = u.shape[1]
    of_place = np.isin(np.arange(n + 1), [INDEX[name] for name in _OF_PLACE])
    directions = np.eye(n + 1, dtype=np.float32)
    physical = model.ranges.physical

    def place(direction: jax.Array) -> jax.Array:
        moves = jnp.broadcast_to(direction[:n], u.shape)
        return jax.jvp(lambda x: model.seen(physical(x)), (u,), (moves,))[1]

    # One direction after another: the current's tables live where nothing is batched.
    def wave(direction: jax.Array) -> jax.Array:
        moves = (
            jnp.broadcast_to(direction[:n], u.shape),
            jnp.full(t.shape, direction[n] / model.sampling_rate),
        )
        return jax.jvp(lambda x, s: model.current(physical(x), s), (u, t), moves)[1]

    seen, current = model.seen(physical(u)), model.current(physical(u), t)
    by_place = jax.vmap(place)(jnp.asarray(directions[of_place])) @ current
    by_wave = seen @ jax.lax.map(wave, jnp.asarray(directions[~of_place]))
    order = np.argsort(np.concatenate([np.flatnonzero(of_place), np.flatnonzero(~of_place)]))
    derivatives = jnp.concatenate([by_place, by_wave])[order]
    return jnp.concatenate([(seen @ current)[:, None], derivatives.transpose(1, 0, 2, 3)], axis=1)


_NODES = quadrature()
_OF_PLACE = ("lateral", "depth", "zone", "radius", "zone_tilt")


def _in_blocks(
    kernel: Callable[..., Any], model: UnitModel, unbounded: np.ndarray, latency: ArrayLike
) -> np.ndarray:
    """A kernel over units in blocks of one size, the last filled up; the unit is the first axis of the result."""
    u = np.asarray(unbounded, dtype=np.float32)
    t = np.broadcast_to(np.asarray(latency, dtype=np.float32), (len(u),))
    missing = -len(u) % _BLOCK
    u, t = np.pad(u, ((0, missing), (0, 0))), np.pad(t, (0, missing))
    parts = [
        np.asarray(kernel(model, jnp.asarray(u[i : i + _BLOCK]), jnp.asarray(t[i : i + _BLOCK])))
        for i in range(0, len(u), _BLOCK)
    ]
    return np.concatenate(parts)[: len(unbounded)].astype(np.float32)


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
