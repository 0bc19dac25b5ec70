"""Bessel functions that JAX lacks, differentiable: J₁(q)/q, and modified I_n, K_n through their ratios.

I_n and K_n of all orders over- and underflow long before a cylinder needs them. Their ratios do not, and
everything a layered cylinder asks is a ratio. Both recurrences run in their stable direction:

    ι_n = I_{n+1}/(x I_n):   ι_{n−1} = 1 / (2n + x² ι_n)         downwards (Gauss's continued fraction)
    κ_n = x K_{n+1}/K_n:     κ_n = 2n + x² / κ_{n−1}             upwards

(DLMF 10.33.1, 10.29.1). ι_n depends on x² only, so that a fibre on a cylinder's axis is no singular point.
Logarithmic derivatives follow: x I_n′/I_n = n + x² ι_n and x K_n′/K_n = n − κ_n.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, i1e
from jax.typing import ArrayLike

__all__ = ["disc_average", "i_ratios", "k_ratios", "log_i0", "log_k0"]

# Orders above the last wanted one at which the continued fraction starts from its asymptotic value.
_LEAD_IN = 32


def disc_average(q: ArrayLike) -> jax.Array:
    """2 J₁(q)/q: what a disc of radius a, averaging the potential under it, does to wave number q/a.

    Bessel's integral J₁(q)/q = (1/π) ∫₀^π cos(q cos τ) sin²τ dτ by Gauss–Chebyshev's rule of the second
    kind, exact to rounding for q ≤ 30.

    Parameters
    ----------
    q : array_like
        Wave number times radius.
    """
    n = 32
    angle = np.arange(1, n // 2 + 1) * np.pi / (n + 1)
    # The angles τ and π − τ give the same value: half of them, twice.
    weights = jnp.asarray(4 * np.sin(angle) ** 2 / (n + 1))
    return jnp.tensordot(
        jnp.cos(jnp.multiply.outer(jnp.asarray(q), jnp.asarray(np.cos(angle)))), weights, axes=1
    )


def i_ratios(x_squared: jax.Array, n_orders: int) -> jax.Array:
    """ι_n = I_{n+1}(x)/(x I_n(x)) for n < n_orders, shape (n_orders, \\*x.shape); x ≥ 0 given by its square.

    The fraction starts from Amos's (1974) bound, 1/(n + ½ + √((n + 3/2)² + x²)).
    """
    top = n_orders + _LEAD_IN
    start = 1 / (top + 0.5 + jnp.sqrt((top + 1.5) ** 2 + x_squared))

    def downwards(above: jax.Array, n: jax.Array) -> tuple[jax.Array, jax.Array]:
        ratio = 1 / (2 * (n + 1) + x_squared * above)
        return ratio, ratio

    orders = jnp.arange(top, dtype=x_squared.dtype)
    entry, _ = jax.lax.scan(downwards, start, orders[n_orders:], reverse=True)
    _, ratios = jax.lax.scan(downwards, entry, orders[:n_orders], reverse=True)
    return ratios


def k_ratios(x: jax.Array, n_orders: int) -> jax.Array:
    """κ_n = x K_{n+1}(x)/K_n(x) for n < n_orders, shape (n_orders, \\*x.shape), x > 0."""
    k0, k1 = _k0_k1(x)
    first = x * k1 / k0

    def upwards(below: jax.Array, n: jax.Array) -> tuple[jax.Array, jax.Array]:
        ratio = 2 * n + jnp.square(x) / below
        return ratio, ratio

    _, rest = jax.lax.scan(upwards, first, jnp.arange(1, n_orders, dtype=x.dtype))
    return jnp.concatenate([first[None], rest])


@jax.custom_jvp
def log_i0(x_squared: jax.Array) -> jax.Array:
    """log I₀(x), x given by its square; differentiable at 0 (the slope by x² is ι₀/2)."""
    x = jnp.sqrt(x_squared)
    return jnp.log(i0e(x)) + x


@log_i0.defjvp
def _log_i0_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (s,), (ds,) = primals, tangents
    x = jnp.sqrt(s)
    small = s < 1e-6
    ratio = jnp.where(small, 0.5 - s / 16, i1e(x) / (jnp.where(small, 1, x) * i0e(x)))
    return log_i0(s), ratio / 2 * ds


def log_k0(x: jax.Array) -> jax.Array:
    """log K₀(x), x > 0."""
    return jnp.log(_k0_k1(x)[0]) - x


def _k0_k1(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """e^x K₀(x) and e^x K₁(x): ∫₀^∞ e^(−x(cosh t − 1)) cosh(nt) dt (DLMF 10.32.9).

    The midpoint rule converges faster than any power of its step; 64 nodes up to where the exponential is
    e^−40 give 1e-15.
    """
    n = 64
    end = jax.lax.stop_gradient(jnp.arccosh(1 + 40 / x))
    step = end[..., None] / n
    t = step * (jnp.arange(n) + 0.5)
    # cosh t − 1 without cancellation.
    rise = 2 * jnp.square(jnp.sinh(t / 2))
    weight = jnp.exp(-x[..., None] * rise) * step
    return jnp.sum(weight, axis=-1), jnp.sum(weight * (1 + rise), axis=-1)
