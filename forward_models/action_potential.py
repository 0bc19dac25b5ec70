"""Intracellular action potential: the membrane potential along a muscle fibre, behind the wave front.

V(s) is given s metres behind the front (V = rest for s ≤ 0) as a sum of Erlang functions,

    V(s) = V_rest + Σ_m Σ_j c_mj (λ_m s)^j e^(−λ_m s),

a family that holds Rosenfalck's spike (one term, j = 3) and the multi-Erlang fits of Kim, Ferdjallah &
McKenzie (2013, 10.4137/BECB.S11646), slow repolarisation included. It is chosen for what it makes possible:
the incomplete Fourier integral of V′, which is what a wave dying at a fibre's end needs, separates,

    ∫_s^∞ V′(s′) e^(−iks′) ds′ = e^(−iks) Σ_mj T_mj(k) · (λ_m s)^j e^(−λ_m s),

so that a fibre's end costs a few products instead of a grid along the fibre.
"""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError
from forward_models.conductors._interface import check_positive, concrete
from forward_models.units import mm, mV

__all__ = ["ActionPotential", "rosenfalck", "with_afterpotential"]


class ActionPotential(eqx.Module):
    """Sum of Erlang functions (see the module's first lines).

    Parameters
    ----------
    rates : array_like, shape (n_terms,)
        λ_m in 1/m.
    coefficients : array_like, shape (n_terms, n_powers)
        c_mj in volts. Σ_m c_m0 must be 0: the potential starts from rest.
    resting : float
        V_rest in volts; it has no effect outside the fibre.

    Raises
    ------
    ForwardModelError
        If shapes disagree, a rate is not positive, or the potential jumps at the front.
    """

    rates: jax.Array
    coefficients: jax.Array
    resting: jax.Array

    def __init__(self, rates: ArrayLike, coefficients: ArrayLike, resting: ArrayLike = -90e-3) -> None:
        self.rates = jnp.asarray(rates, dtype=float)
        self.coefficients = jnp.asarray(coefficients, dtype=float)
        self.resting = jnp.asarray(resting, dtype=float)
        if self.rates.ndim != 1 or self.coefficients.ndim != 2 or len(self.rates) != len(self.coefficients):
            raise ForwardModelError(
                "rates must have shape (n_terms,) and coefficients (n_terms, n_powers), got "
                f"{self.rates.shape} and {self.coefficients.shape}"
            )
        check_positive(rates=rates)
        known = concrete(coefficients)
        if known is not None and abs(known[:, 0].sum()) > 1e-6 * np.abs(known).max():
            raise ForwardModelError(
                "coefficients[:, 0] must sum to 0, or the potential jumps at the wave front"
            )

    def potential(self, s: ArrayLike) -> jax.Array:
        """V in volts at `s` metres behind the front, any shape."""
        return self.resting + jnp.einsum("mj,mj...->...", self.coefficients, self.profiles(s))

    def slope(self, s: ArrayLike) -> jax.Array:
        """V′ in V/m at `s` metres behind the front, any shape."""
        return jnp.einsum("mj,mj...->...", self._slope_coefficients, self.profiles(s))

    def profiles(self, s: ArrayLike) -> jax.Array:
        """(λ_m s)^j e^(−λ_m s) for s > 0, else 0; shape (n_terms, n_powers, \\*s.shape)."""
        s = jnp.asarray(s)
        x = jnp.multiply.outer(self.rates, jnp.maximum(s, 0))
        decay = jnp.where(s > 0, jnp.exp(-x), 0)
        powers = [decay]
        for _ in range(1, self.coefficients.shape[1]):
            powers.append(powers[-1] * x)
        return jnp.stack(powers, axis=1)

    def tail_spectra(self, k: ArrayLike) -> jax.Array:
        """T_mj(k), complex, in volts, shape (n_terms, n_powers, \\*k.shape); Σ_m T_m0 is the spectrum of V′.

        With q = 1 + ik/λ and V′ = Σ d_n x^n e^(−x), x = λs: T_j = Σ_{n ≥ j} (d_n/λ) (n!/j!) q^(−(n−j+1)).
        """
        k = jnp.asarray(k)
        inverse_q = 1 / (1 + 1j * jnp.multiply.outer(1 / self.rates, k))
        d = self._slope_coefficients / self.rates[:, None]
        d = d.reshape(d.shape + (1,) * k.ndim)
        # Horner's rule from the highest power: T_j = (d_j + (j+1) T_{j+1}) / q.
        tails = [d[:, -1] * inverse_q]
        for j in range(d.shape[1] - 2, -1, -1):
            tails.append((d[:, j] + (j + 1) * tails[-1]) * inverse_q)
        return jnp.stack(tails[::-1], axis=1)

    @property
    def _slope_coefficients(self) -> jax.Array:
        c = self.coefficients
        n = jnp.arange(1, c.shape[1], dtype=c.dtype)
        raised = jnp.concatenate([c[:, 1:] * n, jnp.zeros_like(c[:, :1])], axis=1)
        return self.rates[:, None] * (raised - c)


def rosenfalck(
    amplitude: ArrayLike = 96 * mV, decay_length: ArrayLike = 1 * mm, resting: ArrayLike = -90 * mV
) -> ActionPotential:
    """Rosenfalck's spike, V = amplitude · x³ e^(−x) + resting with x = s / decay_length.

    Parameters
    ----------
    amplitude : float
        Volts; 96 mV in the source.
    decay_length : float
        Metres; 1 mm in the source. It scales the length of the depolarised zone.
    resting : float
        Volts; −90 mV in the source.

    Raises
    ------
    ForwardModelError
        If `decay_length` is not positive.

    References
    ----------
    Rosenfalck 1969, Acta Physiologica Scandinavica Suppl. 321; used in this form by Nandedkar & Stålberg 1983
    and Farina & Merletti 2001 (10.1109/10.923782).
    """
    check_positive(decay_length=decay_length)
    coefficients = jnp.zeros((1, 4)).at[0, 3].set(jnp.asarray(amplitude))
    return ActionPotential(1 / jnp.atleast_1d(jnp.asarray(decay_length)), coefficients, resting)


def with_afterpotential(
    amplitude: ArrayLike = 96 * mV,
    decay_length: ArrayLike = 1 * mm,
    *,
    afterpotential: ArrayLike = 10 * mV,
    afterpotential_length: ArrayLike = 12 * mm,
    resting: ArrayLike = -90 * mV,
) -> ActionPotential:
    """Rosenfalck's spike followed by a slow repolarisation (the "negative afterpotential").

    The afterpotential rises with the spike and falls with its own length constant:
    afterpotential · (e^(−s/afterpotential_length) − e^(−x)(1 + y + y²/2)) with x = s/decay_length and
    y = x − s/afterpotential_length, whose first two derivatives vanish at the front. That muscle fibres
    have one, and that it shapes the end of the extracellular potential, is shown by McGill & Lateva 2001
    (10.1109/10.966607); this expression is a member of the Erlang family with that shape, not theirs.

    Parameters
    ----------
    amplitude, decay_length, resting
        As for `rosenfalck`.
    afterpotential : float
        Height of the afterpotential in volts, about a tenth of the spike.
    afterpotential_length : float
        Its length constant in metres (velocity times time constant); must differ from `decay_length`.

    Raises
    ------
    ForwardModelError
        If a length is not positive.
    """
    check_positive(decay_length=decay_length, afterpotential_length=afterpotential_length)
    lengths = jnp.stack(
        [jnp.asarray(decay_length, dtype=float), jnp.asarray(afterpotential_length, dtype=float)]
    )
    after, spike = jnp.asarray(afterpotential, dtype=float), jnp.asarray(amplitude, dtype=float)
    # The first derivatives of e^(−s/l) at the front are cancelled order by order by x^j e^(−x).
    r = lengths[0] / lengths[1]
    rise = [-after, -after * (1 - r), -after * (1 - r) ** 2 / math.factorial(2), spike]
    fall = [after, 0 * after, 0 * after, 0 * after]
    return ActionPotential(1 / lengths, jnp.stack([jnp.stack(rise), jnp.stack(fall)]), resting)
