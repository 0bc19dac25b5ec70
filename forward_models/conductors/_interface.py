"""A volume conductor is a lead field: the potential at an electrode per unit current injected in the tissue.

By reciprocity the same number is the potential in the tissue per unit current injected at the electrode.
Every conductor of this package answers one question, `VolumeConductor.lead_field`; `muap.py` does the rest
and is the same for all of them.

Adding a conductor takes one file with two classes:

* the conductor, a `VolumeConductor`: its conductivities and geometry as (differentiable) fields, and
  ``lead_field(electrodes)``, where everything happens that does not depend on the fibres (layer equations,
  sparse factorisations);
* what it returns, a `LeadField` with ``at(points)``; or, where the tissue is the same in every plane across
  the fibres, an `ExtrudedLeadField` with ``spectrum(transverse)``, from which ``at`` follows.

Frame: z along the fibres, x across, y out of the tissue. Layered half-space: skin surface at y = 0, tissue at
y < 0. Cylinder and cross-sections: the limb's axis is the z axis, the angle runs from +y towards +x.

Why a spectrum along k_z and not samples along z: a finite fibre's current has a closed form in k_z (see
`forward_models.muap`), so neither a grid along z nor a cut cell at a fibre's end exists; electrodes that
differ only in z share a spectrum; and for 64 channels, 164 samples and 100 wave numbers the whole of it is a
product of 64 × 200 with 200 × 164 matrices per fibre (4.2 million operations), against twice that for samples
of 0.5 mm along a fibre of 120 mm.
"""

from __future__ import annotations

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError
from forward_models.electrodes import ElectrodeArray

__all__ = [
    "ExtrudedLeadField",
    "LeadField",
    "PlacedElectrodes",
    "VolumeConductor",
    "check_not_negative",
    "check_positive",
    "concrete",
    "wavenumbers",
]


def concrete(value: Any) -> np.ndarray | None:
    """`value` as a NumPy array, or None inside a JAX transformation, where values cannot be checked."""
    if isinstance(value, jax.core.Tracer):
        return None
    return np.asarray(value)


class PlacedElectrodes(eqx.Module):
    """Electrodes whose positions JAX may differentiate: an `ElectrodeArray` set on the conductor.

    Parameters
    ----------
    positions : Array, shape (n_channels, 3)
        Centres (x, y, z) in metres.
    radius : Array, scalar
        Radius in metres of the conducting discs; 0 is a point electrode.
    column : tuple of int, length n_channels
        Index of each channel's transverse position (x, y): electrodes that differ only in z share one.
        Indices run from 0 in order of first appearance.
    """

    positions: jax.Array
    radius: jax.Array
    column: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, electrodes: ElectrodeArray | PlacedElectrodes) -> PlacedElectrodes:
        """`electrodes` as `PlacedElectrodes` (unchanged if it is one already).

        Raises
        ------
        ForwardModelError
            If `electrodes` is neither an `ElectrodeArray` nor `PlacedElectrodes`, or is empty.
        """
        if isinstance(electrodes, PlacedElectrodes):
            return electrodes
        if not isinstance(electrodes, ElectrodeArray):
            raise ForwardModelError(f"electrodes must be an ElectrodeArray, got {type(electrodes).__name__}")
        if not len(electrodes):
            raise ForwardModelError("electrodes must hold at least one electrode")
        nanometres = np.round(electrodes.positions[:, :2] * 1e9).astype(np.int64)
        seen: dict[tuple[int, int], int] = {}
        column = tuple(seen.setdefault((int(x), int(y)), len(seen)) for x, y in nanometres)
        return cls(jnp.asarray(electrodes.positions), jnp.asarray(float(electrodes.radius)), column)

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return len(self.column)

    @property
    def n_columns(self) -> int:
        """Number of different transverse positions."""
        return max(self.column) + 1

    @property
    def transverse(self) -> jax.Array:
        """(x, y) of every column in metres, shape (n_columns, 2)."""
        first = [self.column.index(i) for i in range(self.n_columns)]
        return self.positions[np.array(first), :2]

    @property
    def z(self) -> jax.Array:
        """Position of every electrode along the fibres in metres, shape (n_channels,)."""
        return self.positions[:, 2]

    def shift(self, vector: ArrayLike) -> PlacedElectrodes:
        """The array moved by `vector` (x, y, z) in metres; differentiable by it."""
        return PlacedElectrodes(self.positions + jnp.asarray(vector), self.radius, self.column)

    def rotate(self, angle: ArrayLike, *, center: ArrayLike | None = None) -> PlacedElectrodes:
        """The array turned in the skin plane, from z towards x; differentiable by the angle.

        Parameters
        ----------
        angle : scalar
            Angle in radians.
        center : array_like, shape (3,), optional
            Point that stays, in metres; by default the mean of the electrodes.
        """
        origin = jnp.mean(self.positions, axis=0) if center is None else jnp.asarray(center)
        x, y, z = jnp.moveaxis(self.positions - origin, -1, 0)
        cosine, sine = jnp.cos(jnp.asarray(angle)), jnp.sin(jnp.asarray(angle))
        turned = jnp.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=-1)
        return PlacedElectrodes(turned + origin, self.radius, tuple(range(self.n_channels)))

    def turn_around_limb(self, angle: ArrayLike) -> PlacedElectrodes:
        """The array turned about the z axis, from +y towards +x; differentiable by the angle.

        Parameters
        ----------
        angle : scalar
            Angle in radians.
        """
        x, y, z = jnp.moveaxis(self.positions, -1, 0)
        cosine, sine = jnp.cos(jnp.asarray(angle)), jnp.sin(jnp.asarray(angle))
        turned = jnp.stack([cosine * x + sine * y, cosine * y - sine * x, z], axis=-1)
        return PlacedElectrodes(turned, self.radius, self.column)


class LeadField(eqx.Module):
    """Potential at every electrode per unit current injected at a point of the tissue: b(r) in V/A.

    It is what a conductor and an electrode array make together, a pytree: compute it once, pass it to `jit`,
    or build it inside `jax.grad` to differentiate by the conductor and the electrodes.
    """

    @property
    @abc.abstractmethod
    def n_channels(self) -> int:
        """Number of electrodes."""

    @abc.abstractmethod
    def at(self, points: ArrayLike) -> jax.Array:
        """Lead field at points anywhere in the source region.

        Parameters
        ----------
        points : array_like, shape (n_points, 3)
            Positions (x, y, z) in metres.

        Returns
        -------
        Array, shape (n_channels, n_points)
            V/A, up to one constant per channel: fibre currents sum to zero, so a constant has no effect.
        """

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a source lies where no muscle is (concrete values only).

        Parameters
        ----------
        points : ndarray, shape (n_points, 3)
            Positions (x, y, z) in metres: both ends of straight fibres, all nodes of curved ones.
        """


class ExtrudedLeadField(LeadField):
    """Lead field of tissue that is the same in every plane across the fibres.

    b_c(x, y, z) = (1/π) ∫₀^∞ B_j(x, y; k) cos(k (z − z_c)) dk, with j the column of channel c.
    B is real and even in k because conductivity has no term that mixes z with x or y.

    Parameters
    ----------
    k : Array, shape (n_k,)
        Nodes k > 0 in rad/m at which B is known; k = 0 is never one of them.
    weights : Array, shape (n_k,)
        Quadrature weights in rad/m: ∫₀^∞ f dk ≈ Σ weights · f(k).
    z : Array, shape (n_channels,)
        Electrodes' positions along the fibres in metres.
    column : tuple of int, length n_channels
        Transverse position of each channel (see `PlacedElectrodes.column`).
    reach : float
        Largest |z − z_c| in metres that the nodes resolve; sources beyond it are refused.
    """

    k: eqx.AbstractVar[jax.Array]
    weights: eqx.AbstractVar[jax.Array]
    z: eqx.AbstractVar[jax.Array]
    column: eqx.AbstractVar[tuple[int, ...]]
    reach: eqx.AbstractVar[float]

    @abc.abstractmethod
    def spectrum(self, transverse: ArrayLike) -> jax.Array:
        """Spectra of the lead field along straight fibres parallel to z.

        Parameters
        ----------
        transverse : array_like, shape (n_fibres, 2)
            (x, y) of every fibre in metres.

        Returns
        -------
        Array, shape (n_fibres, n_columns, n_k)
            B in V·m/A: ∫ b dz · e^(−ikz), seen from an electrode at z = 0.
        """

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return len(self.column)

    def at(self, points: ArrayLike) -> jax.Array:
        """Lead field at points: the inverse transform of `spectrum`, point by point (see `LeadField.at`)."""
        where = jnp.asarray(points)
        channels = np.array(self.column)
        spectra = self.spectrum(where[:, :2]) * self.weights / math.pi

        def one_point(z: jax.Array, spectrum: jax.Array) -> jax.Array:
            return jnp.sum(spectrum[channels] * jnp.cos(self.k * (z - self.z)[:, None]), axis=-1)

        return jnp.transpose(jax.vmap(one_point)(where[:, 2], spectra))

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a source is farther from an electrode than the nodes in k resolve."""
        z = concrete(self.z)
        if z is None or not len(points):
            return
        farthest = max(points[:, 2].max() - z.min(), z.max() - points[:, 2].min())
        if farthest > self.reach * (1 + 1e-6):
            raise ForwardModelError(
                f"fibres reach {farthest * 1e3:.0f} mm from the farthest electrode along z, the conductor "
                f"resolves {self.reach * 1e3:.0f} mm; build it with a longer reach"
            )


class VolumeConductor(eqx.Module):
    """Tissue between the fibres and the electrodes: what turns electrodes into a lead field.

    Fields that are arrays (conductivities, thicknesses, radii) are leaves of the pytree: JAX differentiates
    by them. Constructors check concrete values and raise `ForwardModelError`.
    """

    @abc.abstractmethod
    def lead_field(self, electrodes: ElectrodeArray | PlacedElectrodes) -> LeadField:
        """Lead field of `electrodes` in this conductor; all work that no fibre's position enters.

        Parameters
        ----------
        electrodes : ElectrodeArray or PlacedElectrodes
            Where the electrodes are; `PlacedElectrodes` where derivatives by shift or rotation are wanted.

        Returns
        -------
        LeadField
            An `ExtrudedLeadField` where the tissue does not change along z.

        Raises
        ------
        ForwardModelError
            If an electrode lies where this conductor has no electrode (inside a layer, off the skin).
        """


def wavenumbers(k_max: float, reach: float, *, knee: float = 1e3) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for ∫₀^k_max dk of spectra that are smooth at long and damped at short wavelengths.

    Midpoints in w of k = knee · sinh(w − 0.095 tanh(w / 0.1)). Three scales: close to k = 0, where B has a
    logarithmic singularity (times k² in a potential), nodes crowd; up to `knee` they are evenly spaced,
    because the phase k·(z − z_c) must be resolved; above it tissue has damped the spectrum and they spread.
    Midpoints, because the integrand is even in k: the rule then converges as fast as the integrand is
    smooth, and k = 0 is no node. The even spacing is 2π/(reach + 12 cm): the first image of a source lies
    that far away. Measured on planar fibres of 60 + 55 mm, 1–20 mm deep: potentials within 3e-4 of their
    peak.

    Parameters
    ----------
    k_max : float
        Largest wave number in rad/m.
    reach : float
        Largest |z − z_c| in metres to resolve.
    knee : float
        Wave number in rad/m above which nodes spread.

    Returns
    -------
    (k, weights) : ndarrays, shape (n_k,)
        Nodes and weights in rad/m, float64.
    """
    crowding, width = 0.095, 0.1
    span = math.asinh(k_max / knee) + crowding
    count = math.ceil(span * knee * (reach + 0.12) / (2 * math.pi))
    step = span / count
    w = (np.arange(count) + 0.5) * step
    u = w - crowding * np.tanh(w / width)
    slope = 1 - crowding / width / np.cosh(w / width) ** 2
    return knee * np.sinh(u), knee * np.cosh(u) * slope * step


def check_positive(**values: Any) -> None:
    """Raise `ForwardModelError` naming the first value (given by its argument's name) that is not > 0."""
    for name, value in values.items():
        known = concrete(value)
        if known is not None and not (np.isfinite(known).all() and (known > 0).all()):
            raise ForwardModelError(f"{name} must be finite and > 0, got {known!r}")


def check_not_negative(**values: Any) -> None:
    """Raise `ForwardModelError` naming the first value (given by its argument's name) that is not ≥ 0."""
    for name, value in values.items():
        known = concrete(value)
        if known is not None and not (np.isfinite(known).all() and (known >= 0).all()):
            raise ForwardModelError(f"{name} must be finite and ≥ 0, got {known!r}")
