"""Limb of any cross-section, extruded along the fibres: finite elements across, Fourier transform along.

For each spatial frequency k along the fibres the potential in the plane of the slice obeys

    −∇·(σ_t ∇φ) + σ_z k² φ = current of the electrode,   σ_t ∂φ/∂n = 0 on the skin elsewhere,

solved once for every transverse electrode position, with one sparse factorisation per k. By reciprocity that
is the lead field at every fibre; rows of electrodes along z only add a phase. As k → 0 the potential of a
limb that nothing leaves grows like 1/k²; this part is known in closed form and split off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from scipy.spatial import cKDTree

from forward_models._checks import ForwardModelError, positive
from forward_models.anatomy import LabelledSlice
from forward_models.conductors._fem2d import SliceSystem
from forward_models.conductors._interface import (
    ExtrudedLeadField,
    PlacedElectrodes,
    VolumeConductor,
    check_positive,
    concrete,
    wavenumbers,
)
from forward_models.conductors._patches import Patches
from forward_models.conductors._slice_tables import SliceTables, solve_tables
from forward_models.conductors._triangulation import Triangulation, triangulate
from forward_models.electrodes import ElectrodeArray

__all__ = ["CrossSection", "CrossSectionLeadField"]

# Farther than this from the skin an electrode is taken for a mistake, not for rounding.
_SKIN_TOLERANCE = 5e-4


class CrossSection(VolumeConductor):
    """A labelled slice of a limb, the same all along z; electrodes on the skin.

    Parameters
    ----------
    anatomy : LabelledSlice
        The slice: `forward_models.anatomy.forearm()`, one from polygons, or one from an image.
    conductivity : mapping of str to float or (float, float)
        S/m of each tissue of the slice: one number, or (across, along) the fibres. Differentiable. A muscle
        whose conductivity is to differ from the others' is given a tissue of its own in the slice.
    sources : sequence of str
        Tissues in which fibres may lie.
    edge : float
        Edge length in metres of the triangles near the skin.
    inner_edge : float
        Edge length in metres deep inside, reached gradually.
    reach : float
        Largest distance in metres along z between a fibre's end and an electrode.
    k_max : float, optional
        Largest spatial frequency in rad/m. The potential of a fibre at distance D from the skin is damped by
        e^(−k D); by default 9/D for the shallowest source, between 1000 and 4000.
    n_solutions : int
        Spatial frequencies that are solved for (graded); the spectrum is read in between. 32 leave 1e-6 of
        the peak of a single-fibre potential, 24 leave 1e-5.

    Raises
    ------
    ForwardModelError
        If a tissue has no conductivity or one that is not positive, no tissue of the slice is a source, or a
        length is not positive.

    Attributes
    ----------
    conductivity : Array, shape (n_tissues, 2)
        (across, along) in S/m, in the order of `tissues`; the leaf by which JAX differentiates.
    tissues : tuple of str
        Tissues of the slice.
    anatomy : LabelledSlice
        As given.
    """

    conductivity: jax.Array
    tissues: tuple[str, ...] = eqx.field(static=True)
    sources: tuple[str, ...] = eqx.field(static=True)
    anatomy: LabelledSlice = eqx.field(static=True)
    reach: float = eqx.field(static=True)
    k_max: float = eqx.field(static=True)
    _tables: SliceTables = eqx.field(static=True)

    def __init__(
        self,
        anatomy: LabelledSlice,
        conductivity: Mapping[str, ArrayLike],
        *,
        sources: Sequence[str] = ("muscle",),
        edge: float = 1e-3,
        inner_edge: float = 2.5e-3,
        reach: float = 0.15,
        k_max: float | None = None,
        n_solutions: int = 36,
    ) -> None:
        if not isinstance(anatomy, LabelledSlice):
            raise ForwardModelError(f"anatomy must be a LabelledSlice, got {type(anatomy).__name__}")
        for name, value in (("edge", edge), ("inner_edge", inner_edge), ("reach", reach)):
            positive(name, value, "m")
        if k_max is not None:
            positive("k_max", k_max, "rad/m")
        if int(n_solutions) != n_solutions or n_solutions < 8:
            raise ForwardModelError(f"n_solutions must be an integer ≥ 8, got {n_solutions!r}")
        self.tissues = tuple(dict.fromkeys(anatomy.tissues))
        self.sources = tuple(tissue for tissue in self.tissues if tissue in sources)
        if not self.sources:
            raise ForwardModelError(
                f"sources must name a tissue of the slice ({', '.join(self.tissues)}), got {tuple(sources)}"
            )
        missing = [tissue for tissue in self.tissues if tissue not in conductivity]
        if missing:
            raise ForwardModelError(
                f"conductivity has no value for {missing}; the slice is made of {self.tissues}"
            )
        check_positive(**{f"conductivity of {tissue}": conductivity[tissue] for tissue in self.tissues})
        self.conductivity = jnp.stack([_pair(tissue, conductivity[tissue]) for tissue in self.tissues])
        self.anatomy, self.reach = anatomy, float(reach)
        mesh = _mesh(anatomy, float(edge), float(inner_edge))
        tissue_of = np.array([self.tissues.index(tissue) for tissue in anatomy.tissues])
        system = SliceSystem(mesh, tissue_of, len(self.tissues))
        patches = Patches.of(system, [self.tissues.index(tissue) for tissue in self.sources])
        if k_max is None:
            _, depth, _ = system.project(patches.centers)
            k_max = float(np.clip(9 / max(depth.min(), 1e-6), 1e3, 4e3))
        self.k_max = float(k_max)
        self._tables = SliceTables(system, patches, self.k_max, int(n_solutions))

    @property
    def mesh(self) -> Triangulation:
        """Triangles of the slice with their labels (see `LabelledSlice.names`)."""
        return self._tables.system.mesh

    def lead_field(self, electrodes: ElectrodeArray | PlacedElectrodes) -> CrossSectionLeadField:
        """Lead field of electrodes on the skin (see `VolumeConductor.lead_field`).

        Discs are bent round the skin. Derivatives reach the conductivities and the electrodes' positions
        along z and along the skin; the disc radius is a constant.

        Raises
        ------
        ForwardModelError
            If an electrode is off the skin.
        """
        placed = PlacedElectrodes.of(electrodes)
        where = concrete(placed.transverse)
        if where is not None:
            _, distance, _ = self._tables.system.project(where.astype(np.float64))
            if distance.max() > _SKIN_TOLERANCE:
                raise ForwardModelError(
                    f"electrodes of a CrossSection lie on the skin; column {int(distance.argmax())} is "
                    f"{distance.max() * 1e3:.2f} mm away from it (see LabelledSlice.bracelet and skin_grid)"
                )
        tables = self._tables
        radius = jax.lax.stop_gradient(placed.radius).astype(self.conductivity.dtype)
        coefficients = solve_tables(
            tables, self.conductivity, placed.transverse.astype(self.conductivity.dtype), radius
        )
        k, weights = wavenumbers(self.k_max, self.reach)
        dtype = self.conductivity.dtype
        conductance = self.conductivity[:, 1] @ jnp.asarray(tables.area, dtype)
        return CrossSectionLeadField(
            k=jnp.asarray(k, dtype),
            weights=jnp.asarray(weights, dtype),
            z=placed.z,
            column=placed.column,
            reach=self.reach,
            coefficients=coefficients.reshape(*coefficients.shape[:2], -1),
            common=jnp.asarray(tables.singular(k), dtype) / conductance,
            interpolation=jnp.asarray(tables.interpolation(k), dtype),
            conductor=self,
        )


class CrossSectionLeadField(ExtrudedLeadField):
    """What `CrossSection.lead_field` gives: tables of B about the mesh corners in the source tissue.

    Parameters
    ----------
    k, weights, z, column, reach
        See `ExtrudedLeadField`.
    coefficients : Array, shape (n_patches, 6, n_columns * n_solutions)
        Quadratics about the corners, for the part of B that depends on the place.
    common : Array, shape (n_k,)
        The part of B that is the same everywhere, ~ 1/(G k²), in V·m/A.
    interpolation : Array, shape (n_solutions, n_k)
        From the frequencies solved for to `k`.
    conductor : CrossSection
        Where the fibres lie.
    """

    k: jax.Array
    weights: jax.Array
    z: jax.Array
    column: tuple[int, ...] = eqx.field(static=True)
    reach: float = eqx.field(static=True)
    coefficients: jax.Array
    common: jax.Array
    interpolation: jax.Array
    conductor: CrossSection

    def spectrum(self, transverse: ArrayLike) -> jax.Array:
        """Spectra along straight fibres, (n_fibres, n_columns, n_k) (see `ExtrudedLeadField.spectrum`)."""
        where = jnp.asarray(transverse)
        patches = self.conductor._tables.patches

        # On a CPU one fibre at a time keeps the rows read from the table in cache; a GPU wants many.
        batch = None if jax.default_backend() == "cpu" else 64

        @jax.checkpoint
        def read(point: jax.Array) -> jax.Array:
            return patches.read(point, self.coefficients)

        solved = jax.lax.map(read, where, batch_size=batch)
        solved = solved.reshape(where.shape[0], -1, self.interpolation.shape[0])
        return solved @ self.interpolation + self.common

    def check_sources(self, points: np.ndarray) -> None:
        """Raise `ForwardModelError` if a fibre leaves the source tissue or the resolved length."""
        super().check_sources(points)
        if not len(points):
            return
        tissue = tissue_at(self.conductor, points[:, :2])
        allowed = [self.conductor.tissues.index(name) for name in self.conductor.sources]
        wrong = np.flatnonzero(~np.isin(tissue, allowed))
        if len(wrong):
            first = points[wrong[0], :2] * 1e3
            found = self.conductor.tissues[tissue[wrong[0]]] if tissue[wrong[0]] >= 0 else "air"
            raise ForwardModelError(
                f"fibres must lie in {' or '.join(self.conductor.sources)}; {len(wrong)} do not, the "
                f"first, at ({first[0]:.2f}, {first[1]:.2f}) mm lies in {found}"
            )


def tissue_at(conductor: CrossSection, points: np.ndarray, *, slack: float = 2e-5) -> np.ndarray:
    """Index of the tissue that each point (n, 2) lies in, −1 outside.

    On a border the source tissue wins, with as much `slack` (m) as straight edges may cut off a curve.
    """
    system = conductor._tables.system
    mesh = system.mesh
    corner = mesh.points[mesh.triangles]
    source = np.isin(system.tissue, [conductor.tissues.index(name) for name in conductor.sources])
    _, near = cKDTree(corner.mean(axis=1)).query(points, k=min(24, len(corner)))
    a, b, c = np.moveaxis(corner[near], 2, 0)
    twice = _cross(b - a, c - a)
    offset = points[:, None] - a
    second, third = _cross(offset, c - a) / twice, _cross(b - a, offset) / twice
    least = np.minimum(np.minimum(second, third), 1 - second - third)
    # Depth of the point in the triangle, so that `slack` is a length.
    inside = least * np.sqrt(np.abs(twice)) > -slack
    rank = np.where(inside, 1 + source[near], 0)
    best = rank.argmax(axis=1)
    tissue = system.tissue[near[np.arange(len(points)), best]]
    return np.where(rank.max(axis=1) > 0, tissue, -1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _pair(tissue: str, value: ArrayLike) -> jax.Array:
    numbers = jnp.asarray(value, dtype=float)
    if numbers.shape not in ((), (2,)):
        raise ForwardModelError(
            f"conductivity of {tissue} must be one number or (across, along), got shape {numbers.shape}"
        )
    return jnp.broadcast_to(numbers, (2,))


def _mesh(anatomy: LabelledSlice, edge: float, inner_edge: float) -> Triangulation:
    line = anatomy.outline()
    step = np.hypot(*np.diff(line, axis=0).T)
    arc = np.r_[0.0, np.cumsum(step)]
    dense = np.linspace(0, arc[-1], max(int(3 * arc[-1] / edge), 12), endpoint=False)
    skin = cKDTree(np.column_stack([np.interp(dense, arc, line[:, i]) for i in (0, 1)]))

    def size(points: np.ndarray) -> np.ndarray:
        depth, _ = skin.query(points)
        return np.minimum(inner_edge, edge + 0.25 * np.maximum(0.0, depth - 6e-3))

    return triangulate(anatomy.points, anatomy.segments, size, anatomy.label_at)
