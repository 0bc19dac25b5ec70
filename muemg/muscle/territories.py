"""Fibres of an evenly filled muscle shared out among motor units, each near its own territory.

A muscle has no gaps and no crowds: its fibres lie on an even, slightly disordered lattice, and every one
belongs to exactly one unit. Unit i wants n_i fibres, as near as may be to a disc of area n_i / (fibres of
one unit per area) about its centre. The chances p_fi that fibre f goes to unit i are those closest to the
wish

    k_fi = exp(−(1.26 d_fi / r_i)⁴ / 2),   d the distance from the centre, r the disc's radius

(the root mean square distance is then that of the disc), with Σ_i p_fi = 1 and Σ_f p_fi = n_i (Sinkhorn &
Knopp 1967); fibres are then drawn one after the other without exceeding any n_i.
"""

from __future__ import annotations

import numba
import numpy as np

from muemg.muscle.cross_section import CrossSection, sample_points

__all__ = ["even_lattice", "share_out", "spread_centers"]

_NEIGHBOURS = 48
_ROUNDS = 100
# E[d²] of exp(−(d/s)⁴/2) over the plane is √(2/π) s², of a disc r²/2.
_DISC = float(np.sqrt(2 * np.sqrt(2 / np.pi)))
# Displacement of a fibre from its lattice point, in lattice spacings.
_DISORDER = 0.25


def even_lattice(region: CrossSection, n_points: int, rng: np.random.Generator) -> np.ndarray:
    """Points on a hexagonal lattice over a cross-section, each displaced a little, shape (n_points, 2)."""
    left, right, bottom, top = region.bounds()
    # A few per cent too many at first; those taken away again at random leave the density even.
    spacing = np.sqrt((right - left) * (top - bottom) / n_points)
    while True:
        rows = np.arange(bottom - spacing, top + spacing, spacing * np.sqrt(0.75))
        columns = np.arange(left - spacing, right + spacing, spacing)
        x, y = np.meshgrid(columns, rows)
        x = x + spacing * (0.5 * (np.arange(len(rows)) % 2)[:, None] + rng.uniform())
        lattice = np.column_stack([x.ravel(), y.ravel()])
        lattice += _DISORDER * spacing * rng.uniform(-1, 1, lattice.shape)
        inside = lattice[region.contains(lattice)]
        if len(inside) >= n_points:
            return inside[np.sort(rng.permutation(len(inside))[:n_points])]
        spacing *= np.sqrt(max(len(inside), 1) / n_points) * 0.995


def spread_centers(
    region: CrossSection, radius: np.ndarray, numbers: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Centres of territories, largest first, each the least crowded of ten random places."""
    centers = np.zeros((len(radius), 2))
    placed: list[int] = []
    for i in np.argsort(-radius, kind="stable"):
        candidates = sample_points(region, 10, rng)
        crowd = np.zeros(10)
        for j in placed:
            reach = (radius[i] ** 2 + radius[j] ** 2) / 2
            gap = ((candidates - centers[j]) ** 2).sum(axis=1)
            crowd += numbers[j] / reach * np.exp(-gap / reach)
        centers[i] = candidates[crowd.argmin()]
        placed.append(int(i))
    return centers


def share_out(
    points: np.ndarray, centers: np.ndarray, radius: np.ndarray, numbers: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Give every fibre to a unit.

    Parameters
    ----------
    points : ndarray, shape (n_fibres, 2)
        Fibres, as many as the units want together.
    centers : ndarray, shape (n_units, 2)
        Centres of the territories.
    radius : ndarray, shape (n_units,)
        Their radii.
    numbers : ndarray of int, shape (n_units,)
        Fibres of each unit.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int64, shape (n_fibres,)
        Unit of each fibre; unit i occurs exactly ``numbers[i]`` times.
    """
    n_near = min(_NEIGHBOURS, len(centers))
    near = np.zeros((len(points), n_near), dtype=np.int64)
    wish = np.zeros((len(points), n_near))
    for first in range(0, len(points), 4096):
        part = slice(first, first + 4096)
        distance = np.hypot(*np.moveaxis(points[part, None] - centers, -1, 0)) / radius
        # Small units die away within a lattice spacing: an algebraic tail keeps every fibre in somebody's
        # reach.
        affinity = np.exp(-((_DISC * np.minimum(distance, 4)) ** 4) / 2) + 1e-6 / (1 + distance) ** 4
        near[part] = np.argpartition(-affinity, n_near - 1, axis=1)[:, :n_near]
        wish[part] = np.take_along_axis(affinity, near[part], axis=1)
    _balance(near, wish, numbers.astype(np.float64))
    order, dice = rng.permutation(len(points)), rng.random(len(points))
    return _draw(near, wish, numbers.astype(np.int64), order, dice, points, centers)


@numba.njit(cache=True)
def _balance(near, chance, numbers):
    # Alternately: every fibre goes somewhere, every unit gets its number.
    n_fibres, n_near = near.shape
    total = np.zeros(numbers.size)
    for _ in range(_ROUNDS):
        for f in range(n_fibres):
            row = 0.0
            for k in range(n_near):
                row += chance[f, k]
            for k in range(n_near):
                chance[f, k] /= row
        total[:] = 0
        for f in range(n_fibres):
            for k in range(n_near):
                total[near[f, k]] += chance[f, k]
        for f in range(n_fibres):
            for k in range(n_near):
                chance[f, k] *= numbers[near[f, k]] / max(total[near[f, k]], 1e-300)


@numba.njit(cache=True)
def _draw(near, chance, left, order, dice, points, centers):
    n_near = near.shape[1]
    unit = np.zeros(order.size, np.int64)
    expected = np.zeros(left.size)
    for f in range(order.size):
        for k in range(n_near):
            expected[near[f, k]] += chance[f, k]
    weight = np.zeros(n_near)
    for step in range(order.size):
        f = order[step]
        total = 0.0
        for k in range(n_near):
            i = near[f, k]
            weight[k] = chance[f, k] * left[i] / max(expected[i], 1e-9)
            expected[i] -= chance[f, k]
            total += weight[k]
        chosen = -1
        if total > 0:
            aim = dice[step] * total
            for k in range(n_near):
                if weight[k] > 0:
                    chosen = near[f, k]
                    aim -= weight[k]
                    if aim < 0:
                        break
        else:
            # All of the neighbourhood have their fibres: the nearest that has not.
            closest = np.inf
            for i in range(left.size):
                if left[i] > 0:
                    gap = (points[f, 0] - centers[i, 0]) ** 2 + (points[f, 1] - centers[i, 1]) ** 2
                    if gap < closest:
                        closest, chosen = gap, i
        unit[f] = chosen
        left[chosen] -= 1
    return unit
