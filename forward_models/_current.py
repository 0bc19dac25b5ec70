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

import jax
import jax.numpy as jnp

from forward_models.action_potential import ActionPotential
from forward_models.fibres import Fibres

__all__ = ["axial_spectrum"]


def axial_spectrum(
    fibres: Fibres,
    k: jax.Array,
    action_potential: ActionPotential,
    *,
    sampling_rate: float,
    n_samples: int,
    start: float,
) -> tuple[jax.Array, jax.Array]:
    """Spectrum of the slope of V inside the fibres, e^(ikz_i) [F(L₁) − F(L₂)*], real and imaginary part.

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
        Number of instants.
    start : float
        First instant in seconds after the discharge.

    Returns
    -------
    (real, imaginary) : Arrays, shape (n_fibres, n_k, n_samples)
        Volts.
    """
    times = start + jnp.arange(n_samples) / sampling_rate
    tails = action_potential.tail_spectra(k)
    spike = jnp.sum(tails[:, 0], axis=0)
    tails = tails.reshape(-1, k.shape[0])
    travelled = fibres.velocity[:, None] * (times - fibres.delay[:, None])
    plate = fibres.end_plate[:, None]
    right, left = fibres.half_lengths[:, :1], fibres.half_lengths[:, 1:]

    # The travelling waves, e^(ikz_i) (T₀ e^(ikp) 1[0 < p < L₁] − T₀* e^(−ikp) 1[0 < p < L₂]).
    begun = k * fibres.velocity[:, None] * (start - fibres.delay[:, None]) + jnp.angle(spike)
    wave_real, wave_imag = _uniform_phases(begun, k * (fibres.velocity[:, None] / sampling_rate), n_samples)
    rightwards = jnp.where((travelled > 0) & (travelled < right), 1.0, 0.0)
    leftwards = jnp.where((travelled > 0) & (travelled < left), 1.0, 0.0)
    strength, phase = jnp.abs(spike), k * plate
    odd, even, cosine, sine = _materialised(
        (rightwards - leftwards, rightwards + leftwards, strength * jnp.cos(phase), strength * jnp.sin(phase))
    )
    real, imag = odd[:, None, :] * wave_real, even[:, None, :] * wave_imag
    cosine, sine = cosine[:, :, None], sine[:, :, None]

    # Their birth at the end-plate and death at both ends: a few separable terms.
    ends_real, ends_imag = _ends(tails, *(k * z for z in (plate, plate + right, plate - left)))
    profiles = [action_potential.profiles(p) for p in (travelled, travelled - right, travelled - left)]
    shape = (tails.shape[0], len(fibres), n_samples)
    profile = jnp.concatenate([p.reshape(shape) for p in profiles]).transpose(1, 0, 2)
    return (
        cosine * real - sine * imag + jnp.einsum("frk,frt->fkt", ends_real, profile),
        sine * real + cosine * imag + jnp.einsum("frk,frt->fkt", ends_imag, profile),
    )


def _ends(
    tails: jax.Array, plate: jax.Array, right: jax.Array, left: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Real and imaginary e^(ikz_i) (−2i Im T), e^(ik(z_i+L₁)) T, −e^(ik(z_i−L₂)) T*, from the phases."""
    t_real, t_imag = tails.real, tails.imag
    (c, s), (c_right, s_right), (c_left, s_left) = (
        (jnp.cos(phase)[:, None], jnp.sin(phase)[:, None]) for phase in (plate, right, left)
    )
    real = [2 * t_imag * s, c_right * t_real - s_right * t_imag, -c_left * t_real - s_left * t_imag]
    imag = [-2 * t_imag * c, s_right * t_real + c_right * t_imag, c_left * t_imag - s_left * t_real]
    return jnp.concatenate(real, axis=1), jnp.concatenate(imag, axis=1)


def _uniform_phases(first: jax.Array, step: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """cos and sin of first + j · step, j < count, on a new last axis: a product of two short tables."""
    inner = 1
    while inner * inner < count:
        inner *= 2
    outer = -(-count // inner)
    coarse = first[..., None] + step[..., None] * (inner * jnp.arange(outer))
    fine = step[..., None] * jnp.arange(inner)
    tables = _materialised((jnp.cos(coarse), jnp.sin(coarse), jnp.cos(fine), jnp.sin(fine)))
    c, s = tables[0][..., :, None], tables[1][..., :, None]
    c_fine, s_fine = tables[2][..., None, :], tables[3][..., None, :]
    shape = (*first.shape, outer * inner)
    cosine = (c * c_fine - s * s_fine).reshape(shape)[..., :count]
    return cosine, (s * c_fine + c * s_fine).reshape(shape)[..., :count]


def _materialised(arrays: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    """The same arrays, kept in memory: XLA on the CPU else computes small tables anew for every use.

    (Its optimisation barrier does not stop that; a branch it cannot decide while compiling does. Tenfold.)
    """
    never = arrays[0].ravel()[0] > 1e30
    return jax.lax.cond(never, lambda: jax.tree.map(jnp.zeros_like, arrays), lambda: arrays)
