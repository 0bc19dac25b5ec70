"""Tables of a slice's lead field: one solve per spatial frequency, derivatives by the same factors.

The lead field's spectrum is B(x, y; k) = s(k)/G + R(x, y; k), where s(k) = κ²/(k² (k² + κ²)) holds the 1/k²
of an insulated limb and G = ∫ σ_z dA. R is smooth in k: it is solved at a few graded k and read in between.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.interpolate import make_interp_spline

from forward_models.conductors._fem2d import SliceSystem
from forward_models.conductors._patches import Patches

__all__ = ["SliceTables", "solve_tables"]


class SliceTables:
    """Everything of a cross-section that does not depend on conductivity or electrodes (hashed by identity).

    Parameters
    ----------
    system : SliceSystem
        Finite elements of the slice.
    patches : Patches
        Where and how potentials are read.
    k_max : float
        Largest spatial frequency in rad/m.
    n_solutions : int
        Number of spatial frequencies that are solved for.
    """

    def __init__(self, system: SliceSystem, patches: Patches, k_max: float, n_solutions: int) -> None:
        self.system, self.patches = system, patches
        self.area = system.mass.sum(axis=1)
        limb_radius = float(np.sqrt(self.area.sum() / np.pi))
        self.kappa = 1.5 / limb_radius
        # Even nodes in asinh(k / κ): the spectrum varies on the scale of the limb at long waves and of the
        # depth, some 1/k, at short ones.
        self._step = float(np.arcsinh(k_max / self.kappa)) / (n_solutions - 0.5)
        self.k = self.kappa * np.sinh((np.arange(n_solutions) + 0.5) * self._step)
        self._kept: OrderedDict[tuple, tuple[np.ndarray, ...]] = OrderedDict()

    def singular(self, k: Any) -> Any:
        """s(k) in m²: times 1/G it is the part of B that is the same everywhere in the limb."""
        return self.kappa**2 / (k**2 * (k**2 + self.kappa**2))

    def interpolation(self, k: np.ndarray) -> np.ndarray:
        """Matrix (n_solutions, len(k)) from values at the solved frequencies to values at `k`; R is even."""
        count = len(self.k)
        nodes = (np.arange(-count, count) + 0.5) * self._step
        unit = np.eye(count)
        even = np.concatenate([unit[::-1], unit])
        return make_interp_spline(nodes, even, k=5)(np.arcsinh(k / self.kappa)).T

    def solve(
        self, conductivity: Any, transverse: Any, radius: Any, *, tangents: bool = False
    ) -> tuple[np.ndarray, ...]:
        """Coefficients of the patches for R; with `tangents` also their derivatives.

        Returns
        -------
        values : ndarray, shape (n_patches, 6, n_columns, n_solutions)
        by_conductivity : ndarray, shape (2 * n_tissues, *values.shape)
        by_arc : ndarray, shape values.shape
            By each column's arc position on the skin.
        direction : ndarray, shape (n_columns, 2)
            d(arc)/d(x, y) of each column.
        """
        given = [np.asarray(value) for value in (conductivity, transverse, radius)]
        dtype = given[0].dtype
        key = (tangents, *(value.tobytes() for value in given))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        sigma = given[0].astype(np.float64)
        arc, _, direction = self.system.project(given[1].astype(np.float64))
        shape = (self.patches.n_patches, 6, len(arc), len(self.k))
        n_slopes = 2 * len(sigma)
        out = np.empty(shape, dtype)
        slopes = np.empty((n_slopes + 1, *shape), dtype) if tangents else None
        conductance = float(sigma[:, 1] @ self.area)
        for index, k in enumerate(self.k):
            values, derivatives = self.system.solve(sigma, float(k), arc, float(given[2]), tangents=tangents)
            common = self.singular(k)
            out[..., index] = (self.patches.fit @ (values - common / conductance)).reshape(shape[:3])
            if slopes is None or derivatives is None:
                continue
            derivatives[1:n_slopes:2] += (common / conductance**2 * self.area)[:, None, None]
            for number, derivative in enumerate(derivatives):
                slopes[number, ..., index] = (self.patches.fit @ derivative).reshape(shape[:3])
        result: tuple[np.ndarray, ...] = (out,)
        if slopes is not None:
            result = (out, slopes[:-1], slopes[-1], direction.astype(dtype))
        self._kept[key] = result
        while len(self._kept) > 2:
            self._kept.popitem(last=False)
        return result


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def solve_tables(
    tables: SliceTables, conductivity: jax.Array, transverse: jax.Array, radius: jax.Array
) -> jax.Array:
    """Coefficients of the patches for R, shape (n_patches, 6, n_columns, n_solutions).

    Differentiable by conductivity and by the electrodes' transverse positions (their shift along the skin),
    not by the disc radius. One sparse factorisation per spatial frequency serves values and derivatives.
    """
    (values,) = _call(tables, conductivity, transverse, radius, tangents=False)
    return values


@solve_tables.defjvp
def _solve_tables_jvp(tables: SliceTables, primals: tuple, tangents: tuple) -> tuple[jax.Array, jax.Array]:
    values, by_conductivity, by_arc, direction = _call(tables, *primals, tangents=True)
    along_skin = jnp.sum(direction * tangents[1], axis=-1)
    change = jnp.tensordot(tangents[0].reshape(-1), by_conductivity, axes=1)
    return values, change + by_arc * along_skin[:, None]


def _call(
    tables: SliceTables, conductivity: jax.Array, transverse: jax.Array, radius: jax.Array, *, tangents: bool
) -> tuple[jax.Array, ...]:
    inputs = (conductivity, transverse, radius)
    if not any(isinstance(value, jax.core.Tracer) for value in inputs):
        return tuple(jnp.asarray(value) for value in tables.solve(*inputs, tangents=tangents))
    n_columns, dtype = transverse.shape[0], conductivity.dtype
    table = (tables.patches.n_patches, 6, n_columns, len(tables.k))
    shapes: list[tuple[int, ...]] = [table]
    if tangents:
        shapes += [(2 * conductivity.shape[0], *table), table, (n_columns, 2)]
    result = jax.pure_callback(
        partial(tables.solve, tangents=tangents),
        tuple(jax.ShapeDtypeStruct(shape, dtype) for shape in shapes),
        *inputs,
        vmap_method="sequential",
    )
    return tuple(result)
