"""Finite elements on voxels: −∇·(σ ∇φ) = electrode current with a full conductivity tensor per voxel.

Trilinear hexahedra, unknowns at the voxels' corners, insulated surface; conjugate gradients with smoothed-
aggregation algebraic multigrid (pyamg) as preconditioner.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy import ndimage
from scipy.sparse.linalg import LinearOperator, cg
from scipy.spatial import cKDTree

from forward_models._checks import ForwardModelError

__all__ = ["VoxelSystem"]

_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])


def _gradient_products(spacing: np.ndarray) -> np.ndarray:
    """∫ ∂_a N_i ∂_b N_j over one voxel, shape (3, 3, 8, 8)."""
    nodes = (np.polynomial.legendre.leggauss(2)[0] + 1) / 2
    out = np.zeros((3, 3, 8, 8))
    for x in nodes:
        for y in nodes:
            for z in nodes:
                factors = np.where(_CORNERS == 1, (x, y, z), (1 - x, 1 - y, 1 - z))
                slopes = np.empty((3, 8))
                for axis in range(3):
                    others = np.delete(factors, axis, axis=1).prod(axis=1)
                    slopes[axis] = np.where(_CORNERS[:, axis] == 1, 1, -1) * others / spacing[axis]
                out += slopes[:, None, :, None] * slopes[None, :, None, :] * spacing.prod() / 8
    return out


class VoxelSystem:
    """Geometry of a voxel volume and the solution of its equations.

    Parameters
    ----------
    tissue : ndarray of int, shape (n_x, n_y, n_z)
        Tissue of each voxel, −1 outside the body.
    spacing : ndarray, shape (3,)
        Voxel edges in metres.
    origin : ndarray, shape (3,)
        Outer corner of voxel (0, 0, 0) in metres.
    direction : ndarray, shape (n_voxels, 3)
        Unit vector along the fibres of each voxel of the body, in C order.
    grounded : bool
        Whether the cut faces at both ends of z are held at 0 V; otherwise the body is insulated all round and
        the current that an electrode injects leaves it evenly everywhere.
    tolerance : float
        Relative residual at which conjugate gradients stop.
    """

    def __init__(
        self,
        tissue: np.ndarray,
        spacing: np.ndarray,
        origin: np.ndarray,
        direction: np.ndarray,
        *,
        grounded: bool,
        tolerance: float,
    ) -> None:
        self.tissue_map, self.spacing, self.origin = tissue, spacing, origin
        self.tolerance = tolerance
        voxels = np.argwhere(tissue >= 0)
        self.tissue = tissue[tuple(voxels.T)]
        self.frame = _frames(direction)
        self._products = _gradient_products(spacing)
        grid = np.array(tissue.shape) + 1
        corners = voxels[:, None, :] + _CORNERS
        flat = np.ravel_multi_index(tuple(np.moveaxis(corners, -1, 0)), tuple(grid))
        used, elements = np.unique(flat, return_inverse=True)
        self.elements = elements.reshape(-1, 8)
        self.n_nodes = len(used)
        self.node_index = np.full(tuple(grid), -1, dtype=np.int32)
        self.node_index.ravel()[used] = np.arange(len(used))
        height = np.unravel_index(used, tuple(grid))[2]
        ends = (height == 0) | (height == tissue.shape[2])
        self.free = np.flatnonzero(~ends) if grounded and ends.any() else np.arange(self.n_nodes)
        self.insulated = len(self.free) == self.n_nodes
        self._set_surface(grounded)

    # ------------------------------------------------------------------ electrodes

    def _set_surface(self, grounded: bool) -> None:
        inside = np.pad(self.tissue_map >= 0, 1)
        smooth = ndimage.gaussian_filter(inside.astype(float), 1.5)
        self._normal = [-ndimage.sobel(smooth, axis) / self.spacing[axis] for axis in range(3)]
        faces = []
        for axis in range(3):
            for side in (0, 1):
                beyond = np.roll(inside, 1 if side == 0 else -1, axis)
                open_faces = np.argwhere((inside & ~beyond)[1:-1, 1:-1, 1:-1])
                if axis == 2 and grounded:
                    last = 0 if side == 0 else self.tissue_map.shape[2] - 1
                    open_faces = open_faces[open_faces[:, 2] != last]
                faces.append(np.column_stack([open_faces, np.full((len(open_faces), 2), [axis, side])]))
        self._faces = np.vstack(faces)
        middle = self._faces[:, :3] + 0.5
        middle[np.arange(len(middle)), self._faces[:, 3]] += self._faces[:, 4] - 0.5
        self._face_middles = self.origin + middle * self.spacing
        self._face_tree = cKDTree(self._face_middles)

    def distance_to_surface(self, points: np.ndarray) -> np.ndarray:
        """Distance in metres of points (n, 3) to the nearest open voxel face's middle."""
        return self._face_tree.query(points)[0]

    def loads(self, points: np.ndarray, radius: float) -> np.ndarray:
        """Unit current of discs on the surface at `points` (n, 3): (n_nodes, n_channels)."""
        loads = np.zeros((self.n_nodes, len(points)))
        if radius == 0:
            disc, weight = np.zeros((1, 2)), np.ones(1)
        else:
            ring, angle = np.meshgrid(np.sqrt((np.arange(6) + 0.5) / 6), 2 * np.pi * np.arange(16) / 16)
            disc = radius * np.column_stack([(ring * np.cos(angle)).ravel(), (ring * np.sin(angle)).ravel()])
            weight = np.full(len(disc), 1 / len(disc))
        for channel, point in enumerate(points):
            place = (point - self.origin) / self.spacing + 0.5
            normal = np.array([ndimage.map_coordinates(n, place[:, None], order=1)[0] for n in self._normal])
            normal = normal / max(float(np.linalg.norm(normal)), 1e-30)
            first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
            first = first / max(float(np.linalg.norm(first)), 1e-30)
            samples = point + disc @ np.stack([first, np.cross(normal, first)])
            _, face = self._face_tree.query(samples)
            voxel, axis, side = self._faces[face, :3], self._faces[face, 3], self._faces[face, 4]
            local = np.clip((samples - self.origin) / self.spacing - voxel, 0, 1)
            local[np.arange(len(local)), axis] = side
            for corner in _CORNERS:
                share = np.where(corner == 1, local, 1 - local).prod(axis=1) * weight
                node = self.node_index[tuple((voxel + corner).T)]
                np.add.at(loads[:, channel], node[share > 0], share[share > 0])
        return loads

    # ------------------------------------------------------------------ solutions

    def matrix(self, conductivity: np.ndarray) -> sparse.csr_matrix:
        """Stiffness matrix for tensors (n_tissues, 3, 3) in each voxel's fibre frame."""
        total = sparse.csr_matrix((self.n_nodes, self.n_nodes))
        for begin in range(0, len(self.elements), 100_000):
            part = slice(begin, begin + 100_000)
            frame = self.frame[part]
            tensor = frame @ conductivity[self.tissue[part]] @ np.swapaxes(frame, 1, 2)
            entries = np.tensordot(tensor, self._products, axes=([1, 2], [0, 1]))
            rows = np.repeat(self.elements[part], 8, axis=1).ravel()
            columns = np.tile(self.elements[part], 8).ravel()
            total = total + sparse.csr_matrix((entries.ravel(), (rows, columns)), shape=total.shape)
        return total

    def solver(self, conductivity: np.ndarray) -> Any:
        """Function that solves for right-hand sides (n_nodes, n); the multigrid hierarchy is built once."""
        import pyamg

        matrix = self.matrix(conductivity)[self.free][:, self.free].tocsr()
        if self.insulated:
            # A constant is in the null space; loads of zero mean never reach it, but multigrid would divide
            # by zero.
            leak = 1e-9 * matrix.diagonal().mean()
            matrix = (matrix + leak * sparse.identity(self.n_nodes)).tocsr()
        hierarchy = pyamg.smoothed_aggregation_solver(matrix, symmetry="symmetric", max_coarse=200)
        precondition: LinearOperator = hierarchy.aspreconditioner(cycle="V")

        def solve(right: np.ndarray) -> np.ndarray:
            out = np.zeros_like(right)
            for column in range(right.shape[1]):
                load = right[self.free, column]
                if self.insulated:
                    load = load - load.mean()
                answer, failed = cg(matrix, load, rtol=self.tolerance, maxiter=400, M=precondition)
                if failed:
                    residual = np.linalg.norm(load - matrix @ answer) / np.linalg.norm(load)
                    raise ForwardModelError(
                        f"conjugate gradients stopped at a relative residual of {residual:.1e} after "
                        f"400 steps, tolerance is {self.tolerance:.1e}: it is too small, or conductivities "
                        "differ too much"
                    )
                if self.insulated:
                    answer = answer - answer.mean()
                out[self.free, column] = answer
            return out

        return solve

    def sensitivity(self, adjoint: np.ndarray, potential: np.ndarray, n_tissues: int) -> np.ndarray:
        """−adjointᵀ (∂A/∂σ) potential by each tissue's tensor, summed over channels: (n_tissues, 3, 3)."""
        out = np.zeros((n_tissues, 3, 3))
        for begin in range(0, len(self.elements), 20_000):
            part = slice(begin, begin + 20_000)
            left, right = adjoint[self.elements[part]], potential[self.elements[part]]
            pairs = np.einsum("eic,ejc->eij", left, right)
            product = np.einsum("eij,abij->eab", pairs, self._products)
            frame = self.frame[part]
            local = np.swapaxes(frame, 1, 2) @ product @ frame
            np.add.at(out, self.tissue[part], -local)
        return out

    # ------------------------------------------------------------------ reading

    def reading(self, sources: list[int], n_layers: int = 2) -> tuple[np.ndarray, sparse.csr_matrix]:
        """Table rows for smooth reading inside the source tissue.

        Across the border of the tissue the gradient jumps, so values beyond it are not the potential there
        but the potential inside, extrapolated linearly by `n_layers` nodes.

        Returns
        -------
        lookup : ndarray of int, shape (n_x + 1, n_y + 1, n_z + 1)
            Table row of each corner of the grid; where there is none, that of the nearest.
        take : csr_matrix, shape (n_rows, n_nodes)
            Nodal values → table rows.
        """
        shape = np.array(self.node_index.shape)
        inside = np.isin(self.tissue_map, sources)
        known = np.zeros(shape, dtype=bool)
        for corner in _CORNERS:
            known[tuple(slice(c, c + n) for c, n in zip(corner, inside.shape, strict=True))] |= inside
        row_of = np.full(tuple(shape), -1, dtype=np.int32)
        row_of[known] = np.arange(known.sum())
        count = int(known.sum())
        take = sparse.csr_matrix(
            (np.ones(count), (np.arange(count), self.node_index[known])), shape=(count, self.n_nodes)
        )
        for _ in range(n_layers):
            edge = np.argwhere(ndimage.binary_dilation(known) & ~known)
            rows, columns, weights = [], [], []
            number_of_ways = np.zeros(len(edge))
            ways = []
            for axis in range(3):
                for step in (-1, 1):
                    one, two = edge.copy(), edge.copy()
                    one[:, axis] += step
                    two[:, axis] += 2 * step
                    valid = ((two >= 0) & (two < shape)).all(axis=1)
                    clipped = np.clip(two, 0, shape - 1)
                    near = np.clip(one, 0, shape - 1)
                    valid &= known[tuple(clipped.T)] & known[tuple(near.T)]
                    number_of_ways += valid
                    ways.append((valid, row_of[tuple(near.T)], row_of[tuple(clipped.T)]))
            reached = number_of_ways > 0
            for valid, near, far in ways:
                at = np.flatnonzero(valid)
                share = 1 / number_of_ways[at]
                rows += [at, at]
                columns += [near[at], far[at]]
                weights += [2 * share, -share]
            compact = np.cumsum(reached) - 1
            extend = sparse.csr_matrix(
                (np.concatenate(weights), (compact[np.concatenate(rows)], np.concatenate(columns))),
                shape=(int(reached.sum()), count),
            )
            take = sparse.vstack([take, extend @ take]).tocsr()
            new = edge[reached]
            row_of[tuple(new.T)] = count + np.arange(len(new))
            known[tuple(new.T)] = True
            count += len(new)
        nearest = ndimage.distance_transform_edt(
            ~known, sampling=self.spacing, return_distances=False, return_indices=True
        )
        return row_of[tuple(nearest)], take


def _frames(direction: np.ndarray) -> np.ndarray:
    """Orthonormal frames (n, 3, 3) whose third column is the fibre direction."""
    along = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    helper = np.where(np.abs(along[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]])
    first = helper - (helper * along).sum(axis=1, keepdims=True) * along
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.stack([first, np.cross(along, first), along], axis=-1)
