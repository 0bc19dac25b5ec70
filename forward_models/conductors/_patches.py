"""Smooth reading of nodal values: quadratics about the mesh corners, blended (Renka 1988, ACM TOMS 660)."""

from __future__ import annotations

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from forward_models.conductors._fem2d import SliceSystem

__all__ = ["Patches"]

_DEGREE = np.array([0, 1, 1, 2, 2, 2])

# Finer than any sheet between muscles that a mesh of millimetres resolves.
_PIXEL = 2e-4


@dataclass(frozen=True, eq=False)
class Patches:
    """Polynomials about the corners of the source tissue, and which of them reach a point.

    About each corner a quadratic is fitted to the nodal values around it; at a point the polynomials of the
    corners near it are blended with weights W_i/ΣW that vanish smoothly where corner i no longer reaches.
    Quadratics are reproduced, and the result is twice continuously differentiable within each connected part
    of a tissue; a fit never looks across a boundary, where the gradient jumps.

    Parameters
    ----------
    centers : ndarray, shape (n_patches, 2)
        Corners in metres.
    radius : ndarray, shape (n_patches,)
        Where a patch's weight ends, in metres.
    fit : scipy.sparse.csr_matrix, shape (n_patches * 6, n_nodes)
        Nodal values → coefficients of 1, x, y, x², xy, y² in units of `radius` about the corner.
    origin : ndarray, shape (2,)
        Corner of the background grid in metres.
    cell : float
        Edge of its cells in metres.
    near : ndarray of int, shape (n_parts, n_x, n_y, n_near)
        Patches of one connected part of tissue that reach into each cell; padded with −1.
    pixel : float
        Edge in metres of the pixels of `part`, from the same origin.
    part : ndarray of int, shape (n_pixels_x, n_pixels_y)
        Connected part that each pixel lies in or nearest to.
    """

    centers: np.ndarray
    radius: np.ndarray
    fit: sparse.csr_matrix = field(repr=False)
    origin: np.ndarray
    cell: float
    near: np.ndarray = field(repr=False)
    pixel: float
    part: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, system: SliceSystem, tissues: list[int], *, n_fit: int = 19, reach: float = 1.6) -> Patches:
        """Patches in all triangles of some tissues.

        Parameters
        ----------
        system : SliceSystem
            The discretised slice.
        tissues : list of int
            Tissues that hold sources.
        n_fit : int
            Nodes that a quadratic is fitted to.
        reach : float
            Radius of a patch in lengths of its longest edge; above 1, each point has three patches or more.
        """
        part = _parts(system, tissues)
        centers, radius, fits, owner = [], [], [], []
        for number in range(part.max() + 1):
            inside = part == number
            own = np.unique(system.element_nodes[inside])
            triangle = system.element_nodes[inside][:, :3]
            corners = np.unique(triangle)
            longest = np.zeros(system.n_nodes)
            for i, j in ((0, 1), (1, 2), (2, 0)):
                length = np.hypot(*(system.nodes[triangle[:, i]] - system.nodes[triangle[:, j]]).T)
                np.maximum.at(longest, triangle[:, i], length)
                np.maximum.at(longest, triangle[:, j], length)
            radius.append(reach * longest[corners])
            centers.append(system.nodes[corners])
            fits.append(_fit(system.nodes, own, corners, radius[-1], n_fit))
            owner.append(np.full(len(corners), number))
        all_centers, all_radius = np.vstack(centers), np.concatenate(radius)
        cell = float(np.median(all_radius)) / 3
        origin = all_centers.min(axis=0) - cell
        extent = all_centers.max(axis=0) + cell - origin
        near = _near(all_centers, all_radius, np.concatenate(owner), origin, extent, cell)
        return cls(
            all_centers,
            all_radius,
            sparse.vstack(fits).tocsr(),
            origin,
            cell,
            near,
            _PIXEL,
            _part_map(system, part, origin, extent),
        )

    @property
    def n_patches(self) -> int:
        """Number of polynomials."""
        return len(self.centers)

    def read(self, point: jax.Array, coefficients: jax.Array) -> jax.Array:
        """Value at `point` (2,) of fields with `coefficients` (n_patches, 6, n_fields): (n_fields,)."""
        offset = jax.lax.stop_gradient(point) - jnp.asarray(self.origin, point.dtype)
        pixel = _index(offset / self.pixel, self.part.shape)
        cell = _index(offset / self.cell, self.near.shape[1:3])
        near = jnp.asarray(self.near)[jnp.asarray(self.part)[pixel], *cell]
        present = near >= 0
        near = jnp.maximum(near, 0)
        radius = jnp.asarray(self.radius, point.dtype)[near]
        offset = (point - jnp.asarray(self.centers, point.dtype)[near]) / radius[:, None]
        x, y = offset[:, 0], offset[:, 1]
        weight = jnp.where(present, jnp.maximum(1.0 - x * x - y * y, 0.0) ** 3, 0.0)
        # The floor only matters outside the tissue, where no patch reaches: the value there is 0.
        weight = weight / jnp.maximum(weight.sum(), 1e-9)
        monomials = jnp.stack([jnp.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
        share = (weight[:, None] * monomials).astype(coefficients.dtype)
        return jnp.tensordot(share, coefficients[near], axes=[[0, 1], [0, 1]])


def _parts(system: SliceSystem, tissues: list[int]) -> np.ndarray:
    """Number of the connected part that each source triangle lies in; −1 for the others."""
    triangles = system.mesh.triangles
    source = np.isin(system.tissue, tissues)
    sides = np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    key = sides[:, 0] * len(system.mesh.points) + sides[:, 1]
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    owner = np.tile(np.arange(len(triangles)), 3)[order]
    left, right = owner[:-1][same], owner[1:][same]
    joined = source[left] & (system.tissue[left] == system.tissue[right])
    graph = sparse.coo_matrix(
        (np.ones(joined.sum()), (left[joined], right[joined])), shape=(len(triangles),) * 2
    )
    _, part = connected_components(graph, directed=False)
    out = np.full(len(triangles), -1)
    out[source] = np.unique(part[source], return_inverse=True)[1]
    return out


def _fit(
    nodes: np.ndarray, own: np.ndarray, corners: np.ndarray, radius: np.ndarray, n_fit: int
) -> sparse.csr_matrix:
    """Least squares for the six coefficients about every corner, as a sparse matrix on the nodal values."""
    distance, found = cKDTree(nodes[own]).query(nodes[corners], k=min(n_fit, len(own)))
    scale = distance[:, -1]
    offset = (nodes[own][found] - nodes[corners][:, None]) / scale[:, None, None]
    x, y = offset[..., 0], offset[..., 1]
    monomials = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    weight = 1.0 / (0.15 + x**2 + y**2)
    inverse = np.linalg.pinv(weight[..., None] * monomials) * weight[:, None, :]
    inverse = inverse * ((radius / scale)[:, None] ** _DEGREE)[..., None]
    rows = np.repeat(np.arange(len(corners) * 6), found.shape[1])
    columns = np.repeat(own[found], 6, axis=0).ravel()
    return sparse.csr_matrix((inverse.ravel(), (rows, columns)), shape=(len(corners) * 6, len(nodes)))


def _index(place: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    whole = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, np.array(shape, np.int32) - 1)
    return whole[0], whole[1]


def _middles(origin: np.ndarray, extent: np.ndarray, step: float) -> tuple[np.ndarray, tuple[int, int]]:
    n_x, n_y = (int(np.ceil(e / step)) for e in extent)
    grid = np.stack(np.meshgrid(np.arange(n_x), np.arange(n_y), indexing="ij"), axis=-1)
    return (origin + (grid + 0.5) * step).reshape(-1, 2), (n_x, n_y)


def _near(
    centers: np.ndarray,
    radius: np.ndarray,
    owner: np.ndarray,
    origin: np.ndarray,
    extent: np.ndarray,
    cell: float,
) -> np.ndarray:
    middle, shape = _middles(origin, extent, cell)
    lists = []
    for part in range(owner.max() + 1):
        mine = np.flatnonzero(owner == part)
        candidates = cKDTree(centers[mine]).query_ball_point(middle, radius[mine].max() + cell)
        for point, found in zip(middle, candidates, strict=True):
            index = mine[found] if found else mine[:0]
            gap = np.maximum(np.abs(point - centers[index]) - cell / 2, 0)
            lists.append(index[np.hypot(gap[:, 0], gap[:, 1]) < radius[index]])
    near = np.full((len(lists), max(map(len, lists))), -1, dtype=np.int32)
    for row, found in zip(near, lists, strict=True):
        row[: len(found)] = found
    return near.reshape(-1, *shape, near.shape[1])


def _part_map(system: SliceSystem, part: np.ndarray, origin: np.ndarray, extent: np.ndarray) -> np.ndarray:
    if part.max() == 0:
        return np.zeros((1, 1), dtype=np.int32)
    source = np.flatnonzero(part >= 0)
    nodes = system.nodes[system.element_nodes[source]]
    # Pulled inwards, so that nodes on a common border take sides.
    inside = 0.8 * nodes + 0.2 * nodes[:, :3].mean(axis=1, keepdims=True)
    middle, shape = _middles(origin, extent, _PIXEL)
    found = cKDTree(inside.reshape(-1, 2)).query(middle)[1]
    return part[source[found // nodes.shape[1]]].reshape(shape).astype(np.int32)
