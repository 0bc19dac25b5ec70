"""Layered cylinder: (bone) / anisotropic muscle / fat / skin, in air; electrodes anywhere around it.

Farina, Mesin, Martina & Merletti 2004 (10.1109/TBME.2003.820998): a Fourier series around the limb (order
n), a Fourier integral along it (k), and Bessel's equation in the radius. Here the layers are solved by
their logarithmic derivative Λ = ρ φ′/φ (the Riccati variable) from the insulated skin inwards, so that no
matrix and no Bessel function is ever formed, only ratios that stay between 0 and 1.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._bessel import disc_average, i_ratios, k_ratios, log_i0, log_k0
from forward_models._checks import ForwardModelError
from forward_models.conductors._interface import (
    ExtrudedLeadField,
    PlacedElectrodes,
    check_positive,
    concrete,
    wavenumbers,
)
from forward_models.conductors._layered import LayeredConductor
from forward_models.electrodes import ElectrodeArray

__all__ = ["CylinderConductor"]


class CylinderConductor(LayeredConductor):
    """Limb as concentric cylinders about the z axis; skin surface at radius muscle_radius + fat + skin.

    The angle runs from +y towards +x: a fibre at (0, y > 0) lies under an electrode at (0, radius).

    Parameters
    ----------
    muscle_radius : float
        Outer radius of the muscle in metres.
    bone_radius : float, optional
        Radius of a bone on the axis in metres; without one, muscle reaches the axis.
    bone_conductivity : float, optional
        S/m; needed with a bone.
    n_max : int, optional
        Largest angular order. By default enough for fibres 1 mm below the surface of the muscle: the term of
        order n is damped by (1 − depth/radius)^n, and 9 radii per depth leave e^−9; at most 192.
    **layers
        Fat, skin, conductivities, `reach` and `k_max`: the parameters of `LayeredConductor`.

    Raises
    ------
    ForwardModelError
        As `LayeredConductor`, and if a radius is not positive, or the bone as thick as the muscle.
    """

    muscle_radius: jax.Array
    bone_radius: jax.Array | None
    bone_conductivity: jax.Array | None
    n_max: int = eqx.field(static=True)

    def __init__(
        self,
        *,
        muscle_radius: ArrayLike,
        bone_radius: ArrayLike | None = None,
        bone_conductivity: ArrayLike | None = None,
        n_max: int | None = None,
        **layers: Any,
    ) -> None:
        super().__init__(**layers)
        check_positive(muscle_radius=muscle_radius)
        if (bone_radius is None) != (bone_conductivity is None):
            raise ForwardModelError("bone_radius and bone_conductivity must be given together or not at all")
        if bone_radius is not None:
            check_positive(bone_radius=bone_radius, bone_conductivity=bone_conductivity)
            bone, muscle = concrete(bone_radius), concrete(muscle_radius)
            if bone is not None and muscle is not None and bone >= muscle:
                raise ForwardModelError(f"bone_radius must be below muscle_radius, {muscle} m; got {bone} m")
        self.muscle_radius = jnp.asarray(muscle_radius, dtype=float)
        self.bone_radius = None if bone_radius is None else jnp.asarray(bone_radius, dtype=float)
        self.bone_conductivity = (
            None if bone_conductivity is None else jnp.asarray(bone_conductivity, dtype=float)
        )
        self.n_max = self._enough_orders() if n_max is None else int(n_max)
        if self.n_max < 1:
            raise ForwardModelError(f"n_max must be an integer ≥ 1, got {n_max!r}")

    @property
    def radius(self) -> jax.Array:
        """Radius of the limb, skin included, in metres."""
        return self.muscle_radius + self.fat + self.skin

    def _enough_orders(self) -> int:
        radius, cover = concrete(self.radius), concrete(self.fat + self.skin)
        if radius is None or cover is None:
            return 128
        return int(min(192, max(32, math.ceil(9 * float(radius) / (float(cover) + 1e-3)))))

    def lead_field(self, electrodes: ElectrodeArray | PlacedElectrodes) -> CylinderLeadField:
        """Lead field of electrodes on the skin (see `VolumeConductor.lead_field`).

        Raises
        ------
        ForwardModelError
            If an electrode is off the skin by more than 0.1 mm.
        """
        placed = PlacedElectrodes.of(electrodes)
        distance, radius = concrete(jnp.hypot(*placed.transverse.T)), concrete(self.radius)
        if distance is not None and radius is not None and np.abs(distance - radius).max() > 1e-4:
            raise ForwardModelError(
                f"electrodes of this CylinderConductor lie on the skin, {radius * 1e3:.2f} mm from the "
                f"z axis; got {distance.min() * 1e3:.2f} to {distance.max() * 1e3:.2f} mm "
                "(see ElectrodeArray.bracelet)"
            )
        return self._solve(placed)

    @eqx.filter_jit
    def _solve(self, placed: PlacedElectrodes) -> CylinderLeadField:
        k, weights = (jnp.asarray(v) for v in wavenumbers(self.k_max, self.reach))
        orders = jnp.arange(self.n_max + 1, dtype=k.dtype)[:, None]
        inner, transfer = self._cover(k)
        muscle = self._muscle(k)
        # Farina et al. 2004: potential on the skin per source; see `docs/forward_models.md`, eq. 9.
        gain = (
            transfer / (self.muscle_across * muscle.slope - self.fat_conductivity * inner) / muscle.at_surface
        )
        gain = gain * disc_average(placed.radius * jnp.hypot(k, orders / self.radius))
        # Orders n and −n are one cosine; the mean over the angle gives 1/2π.
        gain = gain.at[1:].multiply(2) / (2 * math.pi)
        angle = orders * jnp.arctan2(placed.transverse[:, 0], placed.transverse[:, 1])
        return CylinderLeadField(
            k=k,
            weights=weights,
            z=placed.z,
            column=placed.column,
            reach=self.reach,
            gain=gain,
            cosine=jnp.cos(angle),
            sine=jnp.sin(angle),
            stretch=jnp.sqrt(self.muscle_along / self.muscle_across),
            muscle_radius=self.muscle_radius,
            surface_ratios=muscle.ratios,
            bone_radius=self.bone_radius,
            bone_ratios=muscle.bone_ratios,
            bone_share=muscle.bone_share,
        )

    def _cover(self, k: jax.Array) -> tuple[jax.Array, jax.Array]:
        """At the muscle's surface: Λ of the fat, and potential on the skin over potential there."""
        radii = (self.muscle_radius, self.muscle_radius + self.fat, self.radius)
        inner, middle, outer = (_Bessel.at(k * radius, self.n_max) for radius in radii)
        below_skin, through_skin = _layer(middle, outer, jnp.zeros_like(outer.i))
        in_fat = below_skin * self.skin_conductivity / self.fat_conductivity
        below_fat, through_fat = _layer(inner, middle, in_fat)
        return below_fat, through_skin * through_fat

    def _muscle(self, k: jax.Array) -> _Muscle:
        """The solution in the muscle that is regular inside the source."""
        stretched = k * jnp.sqrt(self.muscle_along / self.muscle_across)
        surface = _Bessel.at(stretched * self.muscle_radius, self.n_max)
        if self.bone_radius is None or self.bone_conductivity is None:
            return _Muscle(surface.rising, jnp.ones_like(surface.i), surface.i, None, None)
        core = _Bessel.at(k * self.bone_radius, self.n_max)
        periosteum = _Bessel.at(stretched * self.bone_radius, self.n_max)
        inside = core.rising * self.bone_conductivity / self.muscle_across
        log_i, log_k = _log_ratios(periosteum, surface)
        # φ = I(ρ)/I(R) + share · K(ρ)/K(bone), with Λ at the bone's surface as the bone prescribes.
        share = (periosteum.rising - inside) / (inside + periosteum.falling) * jnp.exp(log_i)
        at_surface = share * jnp.exp(-log_k)
        slope = (surface.rising - at_surface * surface.falling) / (1 + at_surface)
        return _Muscle(slope, 1 + at_surface, surface.i, periosteum.k, share)


class _Muscle(NamedTuple):
    """Per order and wave number: Λ at the surface, φ there, ι there, and (bone) κ at the bone, share of K."""

    slope: jax.Array
    at_surface: jax.Array
    ratios: jax.Array
    bone_ratios: jax.Array | None
    bone_share: jax.Array | None


class CylinderLeadField(ExtrudedLeadField):
    """What `CylinderConductor.lead_field` gives: B(x, y; k) = Σ_n gain_n(k) · φ_n(ρ; k) cos n(θ − θ_j).

    Without a bone φ_n = I_n(mkρ)/I_n(mkR), built up order by order from ratios (`forward_models._bessel`);
    ρ^n cos nθ and ρ^n sin nθ are kept as polynomials in x and y, so that the axis is an ordinary point.

    Parameters
    ----------
    k, weights, z, column, reach
        See `ExtrudedLeadField`.
    gain : Array, shape (n_orders, n_k)
        Everything outside the muscle, V·m/A.
    cosine, sine : Array, shape (n_orders, n_columns)
        cos nθ_j and sin nθ_j of the electrodes.
    stretch : Array, scalar
        m = √(σ_z/σ_ρ).
    muscle_radius : Array, scalar
        R in metres.
    surface_ratios : Array, shape (n_orders, n_k)
        ι_n(mkR).
    bone_radius, bone_ratios, bone_share : Arrays or None
        Radius in metres; κ_n(mk · bone radius) and the share of K_n, shape (n_orders, n_k).
    """

    k: jax.Array
    weights: jax.Array
    z: jax.Array
    column: tuple[int, ...] = eqx.field(static=True)
    reach: float = eqx.field(static=True)
    gain: jax.Array
    cosine: jax.Array
    sine: jax.Array
    stretch: jax.Array
    muscle_radius: jax.Array
    surface_ratios: jax.Array
    bone_radius: jax.Array | None
    bone_ratios: jax.Array | None
    bone_share: jax.Array | None

    def spectrum(self, transverse: ArrayLike) -> jax.Array:
        """Spectra along straight fibres (see `ExtrudedLeadField.spectrum`)."""
        x, y = jnp.moveaxis(jnp.asarray(transverse), -1, 0)
        radial = self._regular(jnp.square(x) + jnp.square(y))
        spectra = self._around(radial, x / self.muscle_radius, y / self.muscle_radius)
        if self.bone_radius is not None:
            distance = jnp.hypot(x, y)
            spectra = spectra + self._around(self._from_bone(distance), x / distance, y / distance)
        return spectra

    def _around(self, radial: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        """Σ_n radial_n · Re{(y + ix)^n e^(−inθ_j)}; radial (n_orders, n_fibres, n_k)."""

        def turn(
            power: tuple[jax.Array, jax.Array], _: None
        ) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
            c, s = power
            return (y * c - x * s, y * s + x * c), power

        _, (c, s) = jax.lax.scan(turn, (jnp.ones_like(x), jnp.zeros_like(x)), length=len(self.gain))
        angular = c[:, :, None] * self.cosine[:, None, :] + s[:, :, None] * self.sine[:, None, :]
        return jnp.einsum("nfj,nfk->fjk", angular, radial)

    def _regular(self, distance_squared: jax.Array) -> jax.Array:
        """gain · I_n(mkρ)/I_n(mkR) · (R/ρ)^n, shape (n_orders, n_fibres, n_k)."""
        scale = jnp.square(self.stretch * self.k)
        here, surface = distance_squared[:, None] * scale, jnp.square(self.muscle_radius) * scale
        steps = i_ratios(here, len(self.gain) - 1)
        first = jnp.exp(log_i0(here) - log_i0(surface))
        return _build_up(first, steps, 1 / self.surface_ratios[:-1], self.gain)

    def _from_bone(self, distance: jax.Array) -> jax.Array:
        """gain · share · K_n(mkρ)/K_n(mk · bone radius), shape (n_orders, n_fibres, n_k)."""
        if self.bone_radius is None or self.bone_ratios is None or self.bone_share is None:
            return jnp.zeros((len(self.gain), len(distance), len(self.k)))
        x = self.stretch * distance[:, None] * self.k
        x_bone = self.stretch * self.bone_radius * self.k
        steps = k_ratios(x, len(self.gain) - 1) * (self.bone_radius / distance)[:, None]
        first = jnp.exp(log_k0(x) - log_k0(x_bone))
        return _build_up(first, steps, 1 / self.bone_ratios[:-1], self.gain * self.bone_share)

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a fibre leaves the muscle or the resolved length."""
        super().check_sources(points)
        outer = concrete(self.muscle_radius)
        inner = np.zeros(()) if self.bone_radius is None else concrete(self.bone_radius)
        if outer is None or inner is None or not len(points):
            return
        distance = np.hypot(points[:, 0], points[:, 1])
        if distance.max() > outer + 1e-7 or distance.min() < inner - 1e-7:
            raise ForwardModelError(
                f"fibres must lie in the muscle, {inner * 1e3:.3f} to {outer * 1e3:.3f} mm from the axis; "
                f"got {distance.min() * 1e3:.3f} to {distance.max() * 1e3:.3f} mm"
            )


def _build_up(first: jax.Array, steps: jax.Array, norm: jax.Array, gain: jax.Array) -> jax.Array:
    """gain_n · first · Π_{j<n} steps_j · norm_j, shape (n_orders, n_fibres, n_k)."""

    def upwards(value: jax.Array, row: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        step, unit, factor = row
        value = value * step * unit
        return value, value * factor

    _, rest = jax.lax.scan(upwards, first, (steps, norm, gain[1:]))
    return jnp.concatenate([(first * gain[0])[None], rest])


class _Bessel(NamedTuple):
    """What is asked of I_n(x) and K_n(x) at a radius: x, (n_k,); per order ι_n and κ_n, (n_orders, n_k)."""

    x: jax.Array
    i: jax.Array
    k: jax.Array

    @classmethod
    def at(cls, x: jax.Array, n_max: int) -> _Bessel:
        return cls(x, i_ratios(jnp.square(x), n_max + 1), k_ratios(x, n_max + 1))

    @property
    def rising(self) -> jax.Array:
        """a = x I_n′/I_n ≥ 0."""
        return jnp.arange(len(self.i), dtype=self.x.dtype)[:, None] + jnp.square(self.x) * self.i

    @property
    def falling(self) -> jax.Array:
        """g = −x K_n′/K_n ≥ 0."""
        return self.k - jnp.arange(len(self.k), dtype=self.x.dtype)[:, None]


def _log_ratios(inner: _Bessel, outer: _Bessel) -> tuple[jax.Array, jax.Array]:
    """log I_n(inner)/I_n(outer) ≤ 0 and log K_n(inner)/K_n(outer) ≥ 0, shape (n_orders, n_k)."""

    def summed(first: jax.Array, steps: jax.Array) -> jax.Array:
        return jnp.concatenate([first[None], first + jnp.cumsum(steps[:-1], axis=0)])

    shrink = jnp.log(inner.x / outer.x)
    regular = log_i0(jnp.square(inner.x)) - log_i0(jnp.square(outer.x))
    singular = log_k0(inner.x) - log_k0(outer.x)
    return (
        summed(regular, jnp.log(inner.i / outer.i) + shrink),
        summed(singular, jnp.log(inner.k / outer.k) - shrink),
    )


def _layer(inner: _Bessel, outer: _Bessel, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Through one isotropic layer, inwards: Λ at its inner radius, and φ(outer)/φ(inner).

    With φ = A I(ρ)/I(ρ₂) + C K(ρ)/K(ρ₂): A ∝ Λ₂ + g₂, C ∝ a₂ − Λ₂ for a = ρI′/I, g = −ρK′/K, hence
    Λ₁ = (a₁ E A − g₁ C)/(E A + C) with E = [I(ρ₁)/I(ρ₂)] / [K(ρ₁)/K(ρ₂)] ≤ 1. C > 0, so nothing divides by 0.
    """
    log_i, log_k = _log_ratios(inner, outer)
    up = jnp.exp(log_i - log_k) * (slope + outer.falling)
    down = outer.rising - slope
    through = (outer.rising + outer.falling) / (up + down) * jnp.exp(-log_k)
    return (inner.rising * up - inner.falling * down) / (up + down), through
