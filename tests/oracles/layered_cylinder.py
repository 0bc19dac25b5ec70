"""Slow oracle: potential in a layered cylinder, one dense boundary-value system per angular order and k_z.

Written apart from `forward_models` on purpose: it shares no code with it. In layer l, with
κ = |k| √(σ_z/σ_ρ), the potential of order n is A I_n(κρ)/I_n(κb) + B K_n(κρ)/K_n(κa) (a, b the layer's
radii); φ and σ_ρ ∂φ/∂ρ are continuous, and at the surface σ_ρ ∂φ/∂ρ is the electrode's current density.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ive, j1, kve


def log_bessel(order_max: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log I_n(x) and log K_n(x) for n = 0 … order_max + 1, shape (order_max + 2, len(x)).

    From I_0 and K_0 by the ratios of neighbours (downwards for I, upwards for K: the stable directions).
    """
    x = np.asarray(x, dtype=float)
    log_i = np.empty((order_max + 2, len(x)))
    log_k = np.empty_like(log_i)
    ratio = np.zeros_like(x)
    start = order_max + 60 + int(2 * np.sqrt(x.max() + order_max)) + int(x.max())
    ratios = {}
    for n in range(start, -1, -1):  # I_{n+1}/I_n
        ratio = 1.0 / (2 * (n + 1) / x + ratio)
        ratios[n] = ratio
    log_i[0] = np.log(ive(0, x)) + x
    log_k[0] = np.log(kve(0, x)) - x
    up = kve(1, x) / kve(0, x)
    for n in range(order_max + 1):
        log_i[n + 1] = log_i[n] + np.log(ratios[n])
        log_k[n + 1] = log_k[n] + np.log(up)
        up = 1.0 / up + 2 * (n + 1) / x
    return log_i, log_k


def _solution(order_max: int, kappa: np.ndarray, rho: float, inner: float, outer: float) -> np.ndarray:
    """Value and derivative of the two scaled solutions at `rho`: (n, k, 2 solutions, 2)."""
    n = np.arange(order_max + 1)[:, None]
    log_i, log_k = log_bessel(order_max, kappa * rho)
    log_i_outer = log_bessel(order_max, kappa * outer)[0][:-1]
    out = np.zeros((order_max + 1, len(kappa), 2, 2))
    scaled_i = np.exp(log_i[:-1] - log_i_outer)
    out[:, :, 0, 0] = scaled_i
    out[:, :, 0, 1] = np.exp(log_i[1:] - log_i_outer) * kappa + scaled_i * n / rho
    if inner > 0:
        log_k_inner = log_bessel(order_max, kappa * inner)[1][:-1]
        scaled_k = np.exp(log_k[:-1] - log_k_inner)
        out[:, :, 1, 0] = scaled_k
        out[:, :, 1, 1] = -np.exp(log_k[1:] - log_k_inner) * kappa + scaled_k * n / rho
    return out


def transfer(
    k: np.ndarray,
    rho: float,
    angle: float | np.ndarray,
    radii: list[float],
    conductivity: list[tuple[float, float]],
    *,
    disc_radius: float = 0.0,
    order_max: int = 160,
) -> np.ndarray:
    """Potential at radius `rho` per unit current at the surface, Fourier-transformed along z (V/A · m).

    `radii` are the outer radii of the layers from the axis outwards, `conductivity` their (across, along).
    Returns shape (len(k), n_angles).
    """
    k = np.abs(np.asarray(k, dtype=float))
    edges = [0.0, *radii]
    n_layers = len(radii)
    size = 2 * n_layers
    matrix = np.zeros((order_max + 1, len(k), size, size))
    matrix[:, :, 0, 1] = 1.0  # no K on the axis
    row = 1
    for layer in range(n_layers):
        across, along = conductivity[layer]
        kappa = k * np.sqrt(along / across)
        here = _solution(order_max, kappa, edges[layer + 1], edges[layer], edges[layer + 1])
        if layer == n_layers - 1:
            matrix[:, :, row, 2 * layer : 2 * layer + 2] = across * here[..., 1]
            break
        next_across, next_along = conductivity[layer + 1]
        beyond = _solution(
            order_max,
            k * np.sqrt(next_along / next_across),
            edges[layer + 1],
            edges[layer + 1],
            edges[layer + 2],
        )
        matrix[:, :, row, 2 * layer : 2 * layer + 2] = here[..., 0]
        matrix[:, :, row, 2 * layer + 2 : 2 * layer + 4] = -beyond[..., 0]
        matrix[:, :, row + 1, 2 * layer : 2 * layer + 2] = across * here[..., 1]
        matrix[:, :, row + 1, 2 * layer + 2 : 2 * layer + 4] = -next_across * beyond[..., 1]
        row += 2
    orders = np.arange(order_max + 1)
    current = np.where(orders == 0, 1.0, 2.0)[:, None] / (2 * np.pi * radii[-1]) * np.ones(len(k))
    if disc_radius:
        q = disc_radius * np.hypot(k[None, :], orders[:, None] / radii[-1])
        current = current * np.where(q > 0, 2 * j1(q) / np.where(q > 0, q, 1.0), 1.0)
    right = np.zeros((order_max + 1, len(k), size, 1))
    right[:, :, -1, 0] = current
    coefficients = np.linalg.solve(matrix, right)[..., 0]
    layer = int(np.searchsorted(radii, rho * (1 - 1e-12)))
    kappa = k * np.sqrt(conductivity[layer][1] / conductivity[layer][0])
    basis = _solution(order_max, kappa, rho, edges[layer], edges[layer + 1])[..., 0]
    radial = (coefficients[:, :, 2 * layer : 2 * layer + 2] * basis).sum(-1)
    return np.einsum("nk,na->ka", radial, np.cos(np.outer(orders, np.atleast_1d(angle))))
