"""Finite elements on a slice: −∇·(σ_t ∇φ) + σ_z k² φ = electrode current, per spatial frequency k along z.

Quadratic triangles, insulated outline. The unknown is even in k; as k → 0 it grows like 1/(k² G) with
G = ∫ σ_z dA, the conductance of the limb times its length, so k = 0 itself is never evaluated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import splu

from forward_models.conductors._triangulation import Triangulation

__all__ = ["SliceSystem"]

# Angles of the quadrature over a disc's chords (Gauss–Legendre in arcsin of the offset): the chord's length
# times the Jacobian is then smooth, so a few nodes suffice.
_DISC_NODES, _DISC_WEIGHTS = np.polynomial.legendre.leggauss(12)


class SliceSystem:
    """Matrices of one triangulated slice, and its solutions for electrodes on the outline.

    Parameters
    ----------
    mesh : Triangulation
        Triangles and their labels.
    tissue_of_label : ndarray of int
        Row of the conductivity table for each label.
    n_tissues : int
        Rows of the conductivity table.
    """

    def __init__(self, mesh: Triangulation, tissue_of_label: np.ndarray, n_tissues: int) -> None:
        from skfem import Basis, BilinearForm, ElementTriP2, MeshTri

        self.mesh = mesh
        self.tissue = np.asarray(tissue_of_label)[mesh.labels]
        grid = MeshTri(mesh.points.T.copy(), mesh.triangles.T.copy())
        element = ElementTriP2()
        basis = Basis(grid, element)
        self.nodes = basis.doflocs.T.copy()
        self.n_nodes = len(self.nodes)
        self.element_nodes = basis.element_dofs.T.copy()

        @BilinearForm
        def stiffness(u: Any, v: Any, w: Any) -> Any:
            return u.grad[0] * v.grad[0] + u.grad[1] * v.grad[1]

        @BilinearForm
        def mass(u: Any, v: Any, w: Any) -> Any:
            return u * v

        pairs = []
        for tissue in range(n_tissues):
            inside = np.flatnonzero(self.tissue == tissue)
            if not len(inside):
                empty = sparse.csc_matrix((self.n_nodes, self.n_nodes))
                pairs.append((empty, empty))
                continue
            part = Basis(grid, element, elements=inside)
            pairs.append((stiffness.assemble(part), mass.assemble(part)))
        self.stiffness, self.mass, self._indices, self._indptr = _on_one_pattern(pairs, self.n_nodes)
        self._set_outline(grid, basis)
        # The same pattern serves every k: the fill-reducing order is found once.
        first = self._matrix(np.ones((n_tissues, 2)), 100.0)
        self._order = splu(first, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).perm_c
        self._inverse_order = np.argsort(self._order)

    def _set_outline(self, grid: Any, basis: Any) -> None:
        facets = grid.boundary_facets()
        ends = grid.facets[:, facets].T
        middle = basis.facet_dofs[0, facets]
        # Walk round the outline; the longest closed walk is the skin (holes, if any, are shorter).
        following: dict[int, list[tuple[int, int]]] = {}
        for row, (a, b) in enumerate(ends):
            following.setdefault(int(a), []).append((int(b), row))
            following.setdefault(int(b), []).append((int(a), row))
        seen: set[int] = set()
        best: list[tuple[int, int, int]] = []
        best_length = 0.0
        for begin in following:
            here, walk = begin, []
            while True:
                step = next(((to, row) for to, row in following[here] if row not in seen), None)
                if step is None:
                    break
                seen.add(step[1])
                walk.append((here, step[0], int(middle[step[1]])))
                here = step[0]
            length = sum(float(np.hypot(*(grid.p[:, a] - grid.p[:, b]))) for a, b, _ in walk)
            if length > best_length:
                best, best_length = walk, length
        edges = np.array(best)
        start, end = grid.p[:, edges[:, 0]].T, grid.p[:, edges[:, 1]].T
        if ((start[:, 0] * end[:, 1]) - (start[:, 1] * end[:, 0])).sum() < 0:  # counter-clockwise
            edges = edges[::-1][:, [1, 0, 2]]
            start, end = grid.p[:, edges[:, 0]].T, grid.p[:, edges[:, 1]].T
        # skfem keeps vertex degrees of freedom in vertex order
        self.outline_nodes = np.column_stack(
            [basis.nodal_dofs[0, edges[:, 0]], basis.nodal_dofs[0, edges[:, 1]], edges[:, 2]]
        )
        self.outline_start, self.outline_end = start, end
        self.outline_arc = np.r_[0.0, np.cumsum(np.hypot(*(end - start).T))]

    def _matrix(self, conductivity: np.ndarray, k: float) -> sparse.csc_matrix:
        data = conductivity[:, 0] @ self.stiffness + k**2 * (conductivity[:, 1] @ self.mass)
        return sparse.csc_matrix((data, self._indices, self._indptr), shape=(self.n_nodes,) * 2)

    def axial_conductance(self, conductivity: np.ndarray) -> float:
        """G = ∫ σ_z dA in S·m: potential difference per length carries 1/G volts per ampere and metre."""
        return float(conductivity[:, 1] @ self.mass.sum(axis=1))

    # ------------------------------------------------------------------ electrodes

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nearest place on the outline to points (n, 2): arc position (m), distance (m), unit tangent."""
        span = self.outline_end - self.outline_start
        length = np.hypot(*span.T)
        arc, distance, tangent = np.empty(len(points)), np.empty(len(points)), np.empty((len(points), 2))
        for i, point in enumerate(points):
            along = np.clip(((point - self.outline_start) * span).sum(axis=1) / length**2, 0, 1)
            gap = np.hypot(*(point - self.outline_start - along[:, None] * span).T)
            edge = int(gap.argmin())
            arc[i] = self.outline_arc[edge] + along[edge] * length[edge]
            distance[i] = gap[edge]
            tangent[i] = span[edge] / length[edge]
        return arc, distance, tangent

    def loads(self, arc: np.ndarray, radius: float, k: float, *, slope: bool = False) -> np.ndarray:
        """Unit current of discs bent round the outline, Fourier-transformed along z: (n_nodes, n_columns).

        On the chord at arc offset s the transform of the disc is 2 sin(k c)/(π r² k), c = √(r² − s²).
        With `slope` the derivative by the arc position instead.
        """
        load = np.zeros((self.n_nodes, len(arc)))
        if radius == 0:
            offsets, weights = np.zeros(1), np.ones(1)
        else:
            angle = np.pi / 2 * _DISC_NODES
            chord = radius * np.cos(angle)
            offsets = radius * np.sin(angle)
            weights = (
                np.pi
                / 2
                * _DISC_WEIGHTS
                * chord
                * 2
                / (np.pi * radius**2)
                * chord
                * np.sinc(k * chord / np.pi)
            )
        total = self.outline_arc[-1]
        place = np.mod(arc[:, None] + offsets, total)
        edge = np.clip(
            np.searchsorted(self.outline_arc, place, side="right") - 1, 0, len(self.outline_nodes) - 1
        )
        length = self.outline_arc[edge + 1] - self.outline_arc[edge]
        local = (place - self.outline_arc[edge]) / length
        if slope:
            shape = np.stack([4 * local - 3, 4 * local - 1, 4 - 8 * local], axis=-1) / length[..., None]
        else:
            shape = np.stack(
                [(1 - local) * (1 - 2 * local), local * (2 * local - 1), 4 * local * (1 - local)], axis=-1
            )
        column = np.broadcast_to(np.arange(len(arc))[:, None, None], shape.shape)
        np.add.at(load, (self.outline_nodes[edge], column), weights[None, :, None] * shape)
        return load

    # ------------------------------------------------------------------ solutions

    def solve(
        self, conductivity: np.ndarray, k: float, arc: np.ndarray, radius: float, *, tangents: bool = False
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Potential of unit currents at the electrode columns for one spatial frequency.

        Parameters
        ----------
        conductivity : ndarray, shape (n_tissues, 2)
            (across, along) in S/m.
        k : float
            Spatial frequency along the fibres in rad/m, > 0.
        arc : ndarray, shape (n_columns,)
            Electrodes' positions on the outline in metres (see `project`).
        radius : float
            Disc radius in metres.
        tangents : bool
            Also solve for the derivatives, with the same factors: −A⁻¹ (∂A/∂σ) φ, and A⁻¹ ∂(load)/∂(arc).

        Returns
        -------
        values : ndarray, shape (n_nodes, n_columns)
            V·m/A.
        derivatives : ndarray, shape (2 * n_tissues + 1, n_nodes, n_columns), or None
            By each tissue's across and along conductivity, then by the column's own arc position.
        """
        order = self._inverse_order
        matrix = self._matrix(conductivity, k)[order][:, order]
        factors = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

        def inverse(right: np.ndarray) -> np.ndarray:
            out = np.empty_like(right)
            out[order] = factors.solve(right[order])
            return out

        values = inverse(self.loads(arc, radius, k))
        if not tangents:
            return values, None
        derivatives = np.zeros((2 * len(conductivity) + 1, *values.shape))
        for tissue in range(len(conductivity)):
            for which, (part, power) in enumerate(((self.stiffness, 1.0), (self.mass, k * k))):
                slope = sparse.csc_matrix((part[tissue], self._indices, self._indptr), shape=matrix.shape)
                derivatives[2 * tissue + which] = inverse(-power * (slope @ values))
        derivatives[-1] = inverse(self.loads(arc, radius, k, slope=True))
        return values, derivatives


def _on_one_pattern(pairs: list, n_nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Data arrays of all matrices on the union of their sparsity patterns (CSC)."""
    keys = []
    for pair in pairs:
        for matrix in pair:
            entries = matrix.tocoo()
            keys.append(entries.col.astype(np.int64) * n_nodes + entries.row)
    union = np.unique(np.concatenate(keys))
    out = np.zeros((2, len(pairs), len(union)))
    for number, pair in enumerate(pairs):
        for which, matrix in enumerate(pair):
            entries = matrix.tocoo()
            where = np.searchsorted(union, entries.col.astype(np.int64) * n_nodes + entries.row)
            np.add.at(out[which, number], where, entries.data)
    indptr = np.searchsorted(union // n_nodes, np.arange(n_nodes + 1))
    return out[0], out[1], (union % n_nodes).astype(np.int32), indptr.astype(np.int32)
