"""Transmembrane current of a finite fibre: its spectrum along the fibre at every instant, in closed form.

Two waves leave the end-plate at z_i and die at z_i + L₁ and z_i − L₂ (Dimitrov & Dimitrova 1998; Farina &
Merletti 2001). The axial current is −σ_i π a² ∂V/∂z inside the fibre and 0 outside, its negative slope is
what leaves through the membrane, so the transmembrane current sums to zero by construction. Its spectrum is

    ∫ i(z, t) e^(ikz) dz = −ik σ_i π a² · (−e^(ikz_i)) [F(L₁) − F(L₂)*],   F(L) = ∫₀^L V′(p − u) e^(iku) du,

p = v(t − delay) the way travelled. With the tail spectra T_j and profiles g_j of `ActionPotential`,

    F(L) = T₀ e^(ikp) 1[0 < p < L]  −  Σ_j T_j g_j(p)  +  e^(ikL) Σ_j T_j g_j(p − L),

a travelling wave, its birth at the end-plate and its death at the end; the three join twice differentiably.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from forward_models._trigonometry import cosine_sine, materialised
from forward_models.action_potential import ActionPotential
from forward_models.fibres import Fibres

__all__ = ["AxialCurrent"]


class AxialCurrent(eqx.Module):
    """Spectrum of the slope of V inside straight fibres, e^(ikz_i) [F(L₁) − F(L₂)*], in volts.

    Holds what does not change with time; `spectrum` gives stretches of `n_samples` instants.

    Parameters
    ----------
    fibres : Fibres
        n_fibres fibres.
    k : Array, shape (n_k,)
        Wave numbers in rad/m.
    action_potential : ActionPotential
        Membrane potential behind the front.
    sampling_rate : float
        Hz.
    n_samples : int
        Number of instants of a stretch.
    """

    fibres: Fibres
    k: jax.Array
    action_potential: ActionPotential
    sampling_rate: float = eqx.field(static=True)
    n_samples: int = eqx.field(static=True)
    _steps: tuple[jax.Array, jax.Array]
    _spike: tuple[jax.Array, jax.Array]
    _plate: tuple[jax.Array, jax.Array]
    _ends: jax.Array

    def __init__(
        self,
        fibres: Fibres,
        k: jax.Array,
        action_potential: ActionPotential,
        *,
        sampling_rate: float,
        n_samples: int,
    ) -> None:
        self.fibres, self.k, self.action_potential = fibres, k, action_potential
        self.sampling_rate, self.n_samples = sampling_rate, n_samples
        tails = action_potential.tail_spectra(k)
        spike = jnp.sum(tails[:, 0], axis=0)
        self._spike = jnp.abs(spike), jnp.angle(spike)
        step = k * (fibres.velocity[:, None] / sampling_rate)
        self._steps = cosine_sine(step[:, :, None] * jnp.arange(n_samples))
        plate = fibres.end_plate[:, None]
        right, left = fibres.half_lengths[:, :1], fibres.half_lengths[:, 1:]
        phases = materialised([cosine_sine(k * z) for z in (plate, plate + right, plate - left)])
        self._plate, self._ends = phases[0], _ends(tails.reshape(-1, k.shape[0]), *phases)

    def spectrum(self, first: jax.Array) -> jax.Array:
        """Real parts, then imaginary parts, at the instants of one stretch.

        Parameters
        ----------
        first : Array, scalar
            First instant in seconds after the discharge.

        Returns
        -------
        Array, shape (n_fibres, 2 · n_k, n_samples)
            Volts.
        """
        fibres = self.fibres
        times = first + jnp.arange(self.n_samples) / self.sampling_rate
        travelled = fibres.velocity[:, None] * (times - fibres.delay[:, None])
        right, left = fibres.half_lengths[:, :1], fibres.half_lengths[:, 1:]

        # The travelling waves, e^(ikz_i) (T₀ e^(ikp) 1[0 < p < L₁] − T₀* e^(−ikp) 1[0 < p < L₂]), with
        # T₀ e^(ikp) = strength e^(i begun) e^(i steps): (r − l) · real + i (r + l) · imaginary part.
        strength, angle = self._spike
        begun = self.k * travelled[:, :1] + angle
        c, s = (strength * table for table in cosine_sine(begun))
        c_plate, s_plate = self._plate
        odd = (jnp.stack([c_plate * c, s_plate * c], 1), jnp.stack([c_plate * s, s_plate * s], 1))
        even = (jnp.stack([-s_plate * s, c_plate * s], 1), jnp.stack([-s_plate * c, c_plate * c], 1))
        rightwards = jnp.where((travelled > 0) & (travelled < right), 1.0, 0.0)
        leftwards = jnp.where((travelled > 0) & (travelled < left), 1.0, 0.0)
        odd, even, difference, total = materialised(
            (odd, even, rightwards - leftwards, rightwards + leftwards)
        )
        difference, total = difference[:, None, None, :], total[:, None, None, :]
        c_steps, s_steps = (table[:, None] for table in self._steps)
        waves = c_steps * (odd[0][..., None] * difference + even[0][..., None] * total) + s_steps * (
            even[1][..., None] * total - odd[1][..., None] * difference
        )

        # Their birth at the end-plate and death at both ends: a few separable terms.
        profiles = [
            self.action_potential.profiles(p) for p in (travelled, travelled - right, travelled - left)
        ]
        profile = jnp.concatenate([p.reshape(-1, *travelled.shape) for p in profiles])
        ends = jnp.einsum("fkr,rft->fkt", self._ends, profile)
        return waves.reshape(ends.shape) + ends

    def silent(self, first: jax.Array) -> jax.Array:
        """Whether no fibre carries any current (to rounding) at the instants of the stretch from `first`."""
        fibres = self.fibres
        last = first + (self.n_samples - 1) / self.sampling_rate
        # x³e^(−x) has fallen to 1e-7 of its peak (float32) and 1e-16 (float64) at these x.
        gone = (26 if self.k.dtype == jnp.float32 else 50) / jnp.min(self.action_potential.rates)
        dead = fibres.velocity * (first - fibres.delay) > jnp.max(fibres.half_lengths, axis=1) + gone
        return jnp.all(dead | (last <= fibres.delay))


def _ends(
    tails: jax.Array,
    plate: tuple[jax.Array, jax.Array],
    right: tuple[jax.Array, jax.Array],
    left: tuple[jax.Array, jax.Array],
) -> jax.Array:
    """e^(ikz_i) (−2i Im T), e^(ik(z_i+L₁)) T, −e^(ik(z_i−L₂)) T*, from e^(ik…): (n_fibres, 2 · n_k, terms)."""
    t_real, t_imag = tails.real.T, tails.imag.T
    (c, s), (c_right, s_right), (c_left, s_left) = (
        (a[..., None], b[..., None]) for a, b in (plate, right, left)
    )
    real = [2 * t_imag * s, c_right * t_real - s_right * t_imag, -c_left * t_real - s_left * t_imag]
    imag = [-2 * t_imag * c, s_right * t_real + c_right * t_imag, c_left * t_imag - s_left * t_real]
    return jnp.concatenate([jnp.concatenate(real, axis=2), jnp.concatenate(imag, axis=2)], axis=1)
