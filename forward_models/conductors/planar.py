"""Layered half-space: anisotropic muscle under fat under skin, insulated by air; electrodes on the skin.

Farina & Merletti 2001 (10.1109/10.923782): in the plane of the skin everything is a convolution, so each
layer is an ordinary differential equation in depth per wave number (k_x, k_z), and the stack has a closed
form.
"""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._bessel import disc_average
from forward_models._checks import ForwardModelError
from forward_models._trigonometry import cosine_sine
from forward_models.conductors._interface import ExtrudedLeadField, PlacedElectrodes, concrete, wavenumbers
from forward_models.conductors._layered import LayeredConductor
from forward_models.electrodes import ElectrodeArray

__all__ = ["PlanarConductor", "surface_transfer"]


def surface_transfer(
    k_x: ArrayLike,
    k_z: ArrayLike,
    depth: ArrayLike,
    *,
    fat: ArrayLike,
    skin: ArrayLike,
    muscle_across: ArrayLike,
    muscle_along: ArrayLike,
    fat_conductivity: ArrayLike,
    skin_conductivity: ArrayLike,
) -> jax.Array:
    """Potential on the skin per unit current in the muscle, at one spatial frequency: H in V·m²/A.

    Farina & Merletti 2001, eq. 21 ff., written without growing exponentials. With k_y² = k_x² + k_z²,
    k_a² = k_x² + (σ_z/σ_x) k_z², R_c = σ_skin/σ_fat, R_m = σ_fat/σ_x, P = e^(−2k_y(h+d)), p = e^(−2k_y d),
    q = e^(−2k_y h), for fat h, skin d and depth |y₀|::

        H = (4/σ_x) e^(−k_a|y₀| − k_y(h+d))
            / { (1+R_c)[k_a(1+P) + R_m k_y(1−P)] + (1−R_c)[k_a(p+q) + R_m k_y(p−q)] }

    Parameters
    ----------
    k_x, k_z : array_like
        Wave numbers in rad/m, not both 0; broadcast against each other.
    depth : array_like
        Depth in metres of the fibre below the surface of the muscle.
    fat, skin : float
        Thicknesses in metres.
    muscle_across, muscle_along, fat_conductivity, skin_conductivity : float
        Conductivities in S/m.
    """
    k_y = jnp.sqrt(jnp.square(k_x) + jnp.square(k_z))
    k_a = jnp.sqrt(jnp.square(k_x) + muscle_along / jnp.asarray(muscle_across) * jnp.square(k_z))
    cover = jnp.asarray(fat) + skin
    r_c = skin_conductivity / jnp.asarray(fat_conductivity)
    r_m = fat_conductivity / jnp.asarray(muscle_across)
    both, below, above = jnp.exp(-2 * k_y * cover), jnp.exp(-2 * k_y * skin), jnp.exp(-2 * k_y * fat)
    denominator = (1 + r_c) * (k_a * (1 + both) + r_m * k_y * (1 - both)) + (1 - r_c) * (
        k_a * (below + above) + r_m * k_y * (below - above)
    )
    return 4 / jnp.asarray(muscle_across) * jnp.exp(-k_a * depth - k_y * cover) / denominator


class PlanarConductor(LayeredConductor):
    """Muscle, fat and skin as a half-space; skin surface at y = 0, muscle at y ≤ −(fat + skin).

    Parameters
    ----------
    **layers
        Fat, skin, conductivities, `reach` and `k_max`: parameters and errors are those of `LayeredConductor`.

    References
    ----------
    Farina & Merletti 2001, IEEE Trans. Biomed. Eng. 48(6):637–646.
    """

    def __init__(self, **layers: Any) -> None:
        super().__init__(**layers)

    def lead_field(self, electrodes: ElectrodeArray | PlacedElectrodes) -> PlanarLeadField:
        """Lead field of electrodes on the skin (see `VolumeConductor.lead_field`).

        Raises
        ------
        ForwardModelError
            If an electrode is off the plane y = 0.
        """
        placed = PlacedElectrodes.of(electrodes)
        height = concrete(placed.positions[:, 1])
        if height is not None and np.abs(height).max() > 1e-6:
            raise ForwardModelError(
                "electrodes of a PlanarConductor lie on the skin, y = 0; got y from "
                f"{height.min() * 1e3:g} to {height.max() * 1e3:g} mm"
            )
        return self._solve(placed)

    # Compiled as a whole: each operation on its own would be compiled, and kept, on its own.
    @eqx.filter_jit
    def _solve(self, placed: PlacedElectrodes) -> PlanarLeadField:
        k_z, weights = (jnp.asarray(v) for v in wavenumbers(self.k_max, self.reach))
        k_x, weights_x = (jnp.asarray(v) for v in _across(self.k_max))
        transfer = surface_transfer(
            k_x[None, :],
            k_z[:, None],
            0.0,
            fat=self.fat,
            skin=self.skin,
            muscle_across=self.muscle_across,
            muscle_along=self.muscle_along,
            fat_conductivity=self.fat_conductivity,
            skin_conductivity=self.skin_conductivity,
        )
        transfer = transfer * disc_average(placed.radius * jnp.hypot(k_x[None, :], k_z[:, None]))
        decay = jnp.sqrt(jnp.square(k_x) + self.muscle_along / self.muscle_across * jnp.square(k_z[:, None]))
        return PlanarLeadField(
            k=k_z,
            weights=weights,
            z=placed.z,
            column=placed.column,
            reach=self.reach,
            k_x=k_x,
            decay=decay,
            # ∫ dk_x / 2π over both signs = ∫₀^∞ dk_x / π of the even part.
            transfer=transfer * weights_x / math.pi,
            x=placed.transverse[:, 0],
            muscle_surface=-(self.fat + self.skin),
        )


class PlanarLeadField(ExtrudedLeadField):
    """What `PlanarConductor.lead_field` gives: B(x, y; k_z) = Σ cos k_x(x − x_j) · H₀(k_x, k_z) e^(−k_a|y₀|).

    One product of an (n_columns, n_kx) with an (n_kx, n_k) matrix per fibre.

    Parameters
    ----------
    k, weights, z, column, reach
        See `ExtrudedLeadField`.
    k_x : Array, shape (n_kx,)
        Nodes across the fibres in rad/m.
    decay : Array, shape (n_k, n_kx)
        k_a in rad/m.
    transfer : Array, shape (n_k, n_kx)
        H₀: H at the muscle's surface, times disc average and quadrature weight.
    x : Array, shape (n_columns,)
        Electrodes' columns in metres.
    muscle_surface : Array, scalar
        y in metres of the surface of the muscle.
    """

    k: jax.Array
    weights: jax.Array
    z: jax.Array
    column: tuple[int, ...] = eqx.field(static=True)
    reach: float = eqx.field(static=True)
    k_x: jax.Array
    decay: jax.Array
    transfer: jax.Array
    x: jax.Array
    muscle_surface: jax.Array

    def spectrum(self, transverse: ArrayLike) -> jax.Array:
        """Spectra along straight fibres (see `ExtrudedLeadField.spectrum`)."""
        x, y = jnp.moveaxis(jnp.asarray(transverse), -1, 0)
        depth = self.muscle_surface - y
        across, _ = cosine_sine((x[:, None] - self.x)[:, :, None] * self.k_x)
        below = jnp.exp(-self.decay * depth[:, None, None]) * self.transfer
        return jnp.einsum("fjx,fkx->fjk", across, below)

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a fibre leaves the muscle or the resolved length."""
        super().check_sources(points)
        surface = concrete(self.muscle_surface)
        if surface is not None and len(points) and points[:, 1].max() > float(surface) + 1e-7:
            raise ForwardModelError(
                f"fibres must lie in the muscle, y ≤ {float(surface) * 1e3:.3f} mm (below fat and skin); "
                f"got y up to {points[:, 1].max() * 1e3:.3f} mm"
            )


def _across(k_max: float) -> tuple[np.ndarray, np.ndarray]:
    # H has branch points at ±i k_z: nodes as fine as 0.006 rad/mm near 0, spreading exponentially above 0.1
    # rad/mm.
    knee, step = 100.0, 0.06
    count = math.ceil(math.asinh(k_max / knee) / step)
    step = math.asinh(k_max / knee) / count
    u = (np.arange(count) + 0.5) * step
    return knee * np.sinh(u), knee * np.cosh(u) * step
