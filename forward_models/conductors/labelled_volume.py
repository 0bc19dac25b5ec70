"""Any anatomy in 3-D: a label and a fibre direction per voxel, one reciprocal solve per electrode.

−∇·(σ ∇φ) = current of the electrode, on trilinear hexahedra with the full tensor
σ = σ_across (1 − d dᵀ) + σ_along d dᵀ of the local fibre direction d. The potential in the tissue per unit
current at the electrode is the lead field, read along straight or curved fibres by cubic interpolation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError, positive
from forward_models.anatomy import LabelledSlice
from forward_models.anatomy._label_map import check_label_map
from forward_models.conductors._fem3d import VoxelSystem
from forward_models.conductors._interface import LeadField, PlacedElectrodes, VolumeConductor, concrete
from forward_models.electrodes import ElectrodeArray

__all__ = ["LabelledVolume", "VoxelLeadField"]


class LabelledVolume(VolumeConductor):
    """A body of voxels; electrodes on its surface.

    Parameters
    ----------
    label_map : array_like of int, shape (n_x, n_y, n_z)
        Label of every voxel.
    spacing : float or (float, float, float)
        Voxel edges in metres.
    legend : mapping of int to (str, str)
        Name and tissue of every label in the map.
    conductivity : mapping of str to array_like
        S/m of each tissue: one number, (across, along) the fibres, or a symmetric positive-definite 3 × 3
        tensor whose third axis is the fibre direction. Differentiable.
    fibre_direction : array_like, shape (n_x, n_y, n_z, 3) or (3,), optional
        Direction of the fibres in every voxel (any length), or one for all; by default z. Only directions of
        voxels whose tissue is anisotropic matter.
    sources : sequence of str
        Tissues in which fibres may lie.
    background : int
        Label of the air.
    center : (float, float, float)
        Position in metres of the middle of the map.
    grounded_ends : bool
        Whether the cut faces at both ends of z are held at 0 V, which lets current leave as in a longer limb;
        otherwise the body is insulated all round. Bodies that do not touch the ends are insulated anyway.
    tolerance : float
        Relative residual at which the solver stops.

    Raises
    ------
    ForwardModelError
        If a label is not in the legend, the body is not one connected piece, a tissue has no conductivity or
        one that is not positive (definite), a direction is zero, or shapes disagree.

    Attributes
    ----------
    conductivity : Array, shape (n_tissues, 3, 3)
        Tensors in the fibre frame, in the order of `tissues`; the leaf by which JAX differentiates.
    tissues : tuple of str
        Tissues of the body.
    """

    conductivity: jax.Array
    tissues: tuple[str, ...] = eqx.field(static=True)
    sources: tuple[str, ...] = eqx.field(static=True)
    _tables: _VolumeTables = eqx.field(static=True)

    def __init__(
        self,
        label_map: npt.ArrayLike,
        spacing: float | tuple[float, float, float],
        legend: Mapping[int, tuple[str, str]],
        conductivity: Mapping[str, ArrayLike],
        *,
        fibre_direction: npt.ArrayLike | None = None,
        sources: Sequence[str] = ("muscle",),
        background: int = 0,
        center: tuple[float, float, float] = (0.0, 0.0, 0.0),
        grounded_ends: bool = True,
        tolerance: float = 1e-8,
    ) -> None:
        labels = np.asarray(label_map)
        edges = np.array(spacing if isinstance(spacing, tuple) else (spacing,) * 3, dtype=float)
        check_label_map(labels, edges, legend, background)
        positive("tolerance", tolerance, "(relative)")
        present = [int(v) for v in np.unique(labels) if v != background]
        self.tissues = tuple(dict.fromkeys(legend[v][1] for v in present))
        self.sources = tuple(tissue for tissue in self.tissues if tissue in sources)
        if not self.sources:
            raise ForwardModelError(
                f"sources must name a tissue of the map ({', '.join(self.tissues)}), got {tuple(sources)}"
            )
        missing = [tissue for tissue in self.tissues if tissue not in conductivity]
        if missing:
            raise ForwardModelError(
                f"conductivity has no value for {missing}; the map is made of {self.tissues}"
            )
        self.conductivity = jnp.stack([_tensor(tissue, conductivity[tissue]) for tissue in self.tissues])
        tissue = np.full(labels.shape, -1)
        for value in present:
            tissue[labels == value] = self.tissues.index(legend[value][1])
        system = VoxelSystem(
            tissue,
            edges,
            np.array(center, dtype=float) - edges * labels.shape / 2,
            _directions(fibre_direction, tissue >= 0),
            grounded=bool(grounded_ends),
            tolerance=float(tolerance),
        )
        self._tables = _VolumeTables(system, [self.tissues.index(name) for name in self.sources])

    @classmethod
    def extruded(
        cls,
        anatomy: LabelledSlice,
        conductivity: Mapping[str, ArrayLike],
        *,
        length: float,
        spacing: float | tuple[float, float, float],
        **options: Any,
    ) -> LabelledVolume:
        """A slice drawn out along z: every voxel takes the label at its middle.

        Parameters
        ----------
        anatomy : LabelledSlice
            The slice.
        conductivity
            As for `LabelledVolume`.
        length : float
            Length in metres along z, its middle at z = 0.
        spacing : float or (float, float, float)
            Voxel edges in metres.
        **options
            Further arguments of `LabelledVolume`.
        """
        edges = np.array(spacing if isinstance(spacing, tuple) else (spacing,) * 3, dtype=float)
        for value in (*edges, length):
            positive("spacing and length", value, "m")
        low, high = anatomy.points.min(axis=0), anatomy.points.max(axis=0)
        count = np.ceil((high - low) / edges[:2]).astype(int) + 2
        middle = (low + high) / 2
        x, y = (middle[a] + (np.arange(count[a]) - (count[a] - 1) / 2) * edges[a] for a in (0, 1))
        points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        plane = anatomy.label_at(points).reshape(count) + 1
        n_z = max(round(length / edges[2]), 1)
        legend = {i + 1: pair for i, pair in enumerate(zip(anatomy.names, anatomy.tissues, strict=True))}
        return cls(
            np.repeat(plane[:, :, None], n_z, axis=2),
            (float(edges[0]), float(edges[1]), float(edges[2])),
            legend,
            conductivity,
            center=(float(middle[0]), float(middle[1]), 0.0),
            **options,
        )

    def lead_field(self, electrodes: ElectrodeArray | PlacedElectrodes) -> VoxelLeadField:
        """Lead field of electrodes on the surface (see `VolumeConductor.lead_field`).

        One solve per electrode; derivatives reach the conductivities (one more solve per electrode) but not
        the electrodes' positions.

        Raises
        ------
        ForwardModelError
            If an electrode is farther from the surface than voxels can blur it, or a solve did not converge.
        """
        placed = PlacedElectrodes.of(electrodes)
        system = self._tables.system
        where = concrete(placed.positions)
        if where is not None:
            distance = system.distance_to_surface(where.astype(np.float64))
            limit = 1.5 * float(np.linalg.norm(system.spacing))
            if distance.max() > limit:
                raise ForwardModelError(
                    "electrodes of a LabelledVolume lie on its surface; "
                    f"electrode {int(distance.argmax())} is {distance.max() * 1e3:.2f} mm away from it, "
                    f"voxels explain {limit * 1e3:.2f} mm"
                )
        dtype = self.conductivity.dtype
        positions = jax.lax.stop_gradient(placed.positions).astype(dtype)
        radius = jax.lax.stop_gradient(placed.radius).astype(dtype)
        return VoxelLeadField(_solve(self._tables, self.conductivity, positions, radius), self)


class VoxelLeadField(LeadField):
    """What `LabelledVolume.lead_field` gives: potentials at voxel corners in and around the source tissue.

    Parameters
    ----------
    values : Array, shape (n_rows, n_channels)
        V/A.
    conductor : LabelledVolume
        Where the fibres lie.
    """

    values: jax.Array
    conductor: LabelledVolume

    @property
    def n_channels(self) -> int:
        """Number of electrodes."""
        return int(self.values.shape[1])

    def at(self, points: ArrayLike) -> jax.Array:
        """Lead field at points, shape (n_channels, n_points), by cubic convolution (see `LeadField.at`).

        Continuously differentiable by position (Keys 1981).
        """
        where = jnp.asarray(points)
        tables = self.conductor._tables
        lookup = jnp.asarray(tables.lookup)
        origin = jnp.asarray(tables.system.origin, where.dtype)
        spacing = jnp.asarray(tables.system.spacing, where.dtype)
        last = np.array(tables.lookup.shape, np.int32) - 1

        def one(point: jax.Array) -> jax.Array:
            place = (point - origin) / spacing
            base = jnp.floor(jax.lax.stop_gradient(place)).astype(jnp.int32)
            weights = _cubic(place - base)
            index = jnp.clip(base[:, None] + np.arange(-1, 3, dtype=np.int32), 0, last[:, None])
            rows = lookup[index[0][:, None, None], index[1][:, None], index[2]]
            share = weights[0][:, None, None] * weights[1][:, None] * weights[2]
            return jnp.tensordot(share.astype(self.values.dtype), self.values[rows], axes=3)

        return jnp.transpose(jax.lax.map(one, where, batch_size=64))

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a source lies outside the source tissue."""
        system = self.conductor._tables.system
        voxel = np.floor((points - system.origin) / system.spacing - 1e-9).astype(int)
        known = ((voxel >= 0) & (voxel < system.tissue_map.shape)).all(axis=1)
        tissue = np.full(len(points), -1)
        tissue[known] = system.tissue_map[tuple(voxel[known].T)]
        allowed = [self.conductor.tissues.index(name) for name in self.conductor.sources]
        wrong = np.flatnonzero(~np.isin(tissue, allowed))
        if len(wrong):
            first = points[wrong[0]] * 1e3
            found = self.conductor.tissues[tissue[wrong[0]]] if tissue[wrong[0]] >= 0 else "air"
            raise ForwardModelError(
                f"fibres must lie in {' or '.join(self.conductor.sources)}; {len(wrong)} points do not, "
                f"the first, at ({first[0]:.2f}, {first[1]:.2f}, {first[2]:.2f}) mm lies in {found}"
            )


# ---------------------------------------------------------------------- tables


class _VolumeTables:
    """What of a volume does not depend on conductivity or electrodes (hashed by identity)."""

    def __init__(self, system: VoxelSystem, sources: list[int]) -> None:
        self.system = system
        self.lookup, self.take = system.reading(sources)
        self._kept: tuple[bytes, Any] | None = None
        self._last: tuple[bytes, np.ndarray] | None = None

    def _solver(self, conductivity: np.ndarray) -> Any:
        key = conductivity.tobytes()
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self.system.solver(conductivity))
        return self._kept[1]

    def _potentials(self, conductivity: np.ndarray, positions: np.ndarray, radius: float) -> np.ndarray:
        key = b"".join([conductivity.tobytes(), positions.tobytes(), np.float64(radius).tobytes()])
        if self._last is None or self._last[0] != key:
            loads = self.system.loads(positions, radius)
            self._last = (key, self._solver(conductivity)(loads))
        return self._last[1]

    def values(self, conductivity: Any, positions: Any, radius: Any) -> np.ndarray:
        """Table of the lead field, (n_rows, n_channels), in the dtype of `conductivity`."""
        dtype = np.asarray(conductivity).dtype
        given = [np.asarray(value, dtype=np.float64) for value in (conductivity, positions)]
        return (self.take @ self._potentials(given[0], given[1], float(radius))).astype(dtype)

    def pull_back(self, conductivity: Any, positions: Any, radius: Any, cotangent: Any) -> np.ndarray:
        """Derivative of ⟨cotangent, values⟩ by conductivity: one adjoint solve per electrode."""
        dtype = np.asarray(conductivity).dtype
        sigma, where, weight = (np.asarray(v, dtype=np.float64) for v in (conductivity, positions, cotangent))
        potential = self._potentials(sigma, where, float(radius))
        adjoint = self._solver(sigma)(self.take.T @ weight)
        return self.system.sensitivity(adjoint, potential, len(sigma)).astype(dtype)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _solve(
    tables: _VolumeTables, conductivity: jax.Array, positions: jax.Array, radius: jax.Array
) -> jax.Array:
    shape = (tables.take.shape[0], positions.shape[0])
    return _host(tables.values, shape, conductivity, positions, radius)


def _solve_forward(
    tables: _VolumeTables, conductivity: jax.Array, positions: jax.Array, radius: jax.Array
) -> tuple[jax.Array, tuple]:
    return _solve(tables, conductivity, positions, radius), (conductivity, positions, radius)


def _solve_backward(
    tables: _VolumeTables, kept: tuple, cotangent: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    conductivity, positions, radius = kept
    slope = _host(tables.pull_back, conductivity.shape, conductivity, positions, radius, cotangent)
    return slope, jnp.zeros_like(positions), jnp.zeros_like(radius)


_solve.defvjp(_solve_forward, _solve_backward)


def _host(function: Any, shape: tuple[int, ...], *inputs: jax.Array) -> jax.Array:
    if not any(isinstance(value, jax.core.Tracer) for value in inputs):
        return jnp.asarray(function(*inputs))
    result = jax.ShapeDtypeStruct(shape, inputs[0].dtype)
    return jax.pure_callback(function, result, *inputs, vmap_method="sequential")


def _cubic(fraction: jax.Array) -> jax.Array:
    """Weights of four neighbours (−1, 0, 1, 2) for cubic convolution (Keys 1981), shape (…, 4)."""
    t = fraction[..., None]
    polynomials = [
        [0.0, -0.5, 1.0, -0.5],
        [1.0, 0.0, -2.5, 1.5],
        [0.0, 0.5, 2.0, -1.5],
        [0.0, 0.0, -0.5, 0.5],
    ]
    powers = jnp.concatenate([jnp.ones_like(t), t, t**2, t**3], axis=-1)
    return powers @ jnp.asarray(polynomials, powers.dtype).T


# ---------------------------------------------------------------------- borders


def _tensor(tissue: str, value: ArrayLike) -> jax.Array:
    numbers = jnp.asarray(value, dtype=float)
    if numbers.shape not in ((), (2,), (3, 3)):
        raise ForwardModelError(
            f"conductivity of {tissue} must be one number, (across, along), or a 3 × 3 tensor, "
            f"got shape {numbers.shape}"
        )
    if numbers.shape == ():
        numbers = numbers * jnp.eye(3)
    elif numbers.shape == (2,):
        numbers = jnp.diag(numbers[np.array([0, 0, 1])])
    known = concrete(numbers)
    if known is not None:
        symmetric = np.isfinite(known).all() and np.allclose(known, known.T, rtol=1e-6)
        if not symmetric or np.linalg.eigvalsh(known).min() <= 0:
            raise ForwardModelError(
                f"conductivity of {tissue} must be finite, symmetric and positive definite, "
                f"got {known.tolist()}"
            )
    return numbers


def _directions(given: npt.ArrayLike | None, inside: np.ndarray) -> np.ndarray:
    directions = np.asarray((0.0, 0.0, 1.0) if given is None else given, dtype=float)
    if directions.shape not in ((3,), (*inside.shape, 3)):
        raise ForwardModelError(
            f"fibre_direction must have shape (3,) or {(*inside.shape, 3)}, got {directions.shape}"
        )
    chosen = np.broadcast_to(directions, (*inside.shape, 3))[inside]
    length = np.linalg.norm(chosen, axis=1)
    if not np.isfinite(length).all() or (length == 0).any():
        raise ForwardModelError("fibre_direction must be finite and nowhere zero inside the body")
    return chosen
