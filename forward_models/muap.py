"""Motor unit action potentials: lead field times fibre current, summed over the fibres of each motor unit.

For straight fibres in tissue that does not change along them, the potential at electrode c is (Farina &
Merletti 2001, with the current's spectrum of `forward_models._current` in closed form)

    φ_c(t) = −σ_i a² ∫₀^∞ k B_c(k) Im{ e^(−ikz_c) e^(ikz_i) [F(L₁) − F(L₂)*] } dk.

For curved fibres, or where only the lead field b at points is known, it is the integral along the fibre

    φ_c(t) = σ_i π a² ∫ [ V′(z_i + vt − s) 1_right(s) − V′(s − z_i + vt) 1_left(s) ] b_c′(s) ds,

taken exactly for a lead field that is straight between nodes. The instant t = 0 is the motor neuron's
discharge in both: nothing is re-centred, so latencies are those of the end-plates and velocities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from forward_models._checks import ForwardModelError, positive
from forward_models._current import AxialCurrent
from forward_models.action_potential import ActionPotential, rosenfalck
from forward_models.conductors._interface import ExtrudedLeadField, LeadField
from forward_models.fibres import CurvedFibres, Fibres

__all__ = ["INTRACELLULAR_CONDUCTIVITY", "motor_unit_potentials", "single_fibre_potentials"]

INTRACELLULAR_CONDUCTIVITY = 1.01
"""σ_i in S/m, as in Nandedkar & Stålberg 1983 and Farina & Merletti 2001."""

# Fibres worked on at a time: the current's spectrum of one is some 130 kB, a block should stay in cache.
_BLOCK = 32

# Instants worked on at a time: stretches in which no fibre of a block carries current are left out. Each is
# compiled on its own, so there are few.
_STRETCH = 64
_MOST_STRETCHES = 3


class _Window(eqx.Module):
    """When the potentials are wanted, and of what source."""

    action_potential: ActionPotential
    intracellular_conductivity: jax.Array
    sampling_rate: float = eqx.field(static=True)
    n_samples: int = eqx.field(static=True)
    start: float = eqx.field(static=True)
    n_nodes: int = eqx.field(static=True)

    @property
    def times(self) -> jax.Array:
        return self.start + jnp.arange(self.n_samples) / self.sampling_rate


def motor_unit_potentials(
    lead_field: LeadField,
    fibres: Fibres | CurvedFibres,
    unit: ArrayLike,
    *,
    sampling_rate: float,
    n_samples: int,
    n_units: int | None = None,
    start: float = 0.0,
    action_potential: ActionPotential | None = None,
    intracellular_conductivity: ArrayLike = INTRACELLULAR_CONDUCTIVITY,
    n_nodes: int = 512,
) -> jax.Array:
    """Motor unit action potentials: the summed potentials of the fibres of each motor unit.

    Works inside `jax.jit`, `jax.grad` and `jax.vmap`; outside it is compiled on first use for each number of
    fibres and units.

    Parameters
    ----------
    lead_field : LeadField
        From ``conductor.lead_field(electrodes)``.
    fibres : Fibres or CurvedFibres
        All fibres of all units, n_fibres of them.
    unit : array_like of int, shape (n_fibres,)
        Motor unit of each fibre, in any order; known before tracing (NumPy, not a JAX tracer).
    sampling_rate : float
        Hz.
    n_samples : int
        Length of the window.
    n_units : int, optional
        Number of motor units; by default the largest index + 1. Units without fibres are silent.
    start : float
        First sample's time in seconds after the discharge.
    action_potential : ActionPotential, optional
        Default `rosenfalck()`.
    intracellular_conductivity : float
        σ_i in S/m.
    n_nodes : int
        Nodes per half fibre where the potential is integrated point by point (straight fibres in a conductor
        that is not extruded).

    Returns
    -------
    Array, shape (n_units, n_channels, n_samples)
        Volts, sample j at ``start + j / sampling_rate`` after the discharge.

    Raises
    ------
    ForwardModelError
        If shapes disagree, a fibre lies outside the source region or beyond the conductor's reach, or the
        sampling rate or the window is not positive.
    """
    window = _window(sampling_rate, n_samples, start, action_potential, intracellular_conductivity, n_nodes)
    _check_sources(lead_field, fibres)
    if isinstance(unit, jax.core.Tracer):
        raise ForwardModelError("unit must be known before tracing: pass a NumPy array, not a JAX tracer")
    units = np.asarray(unit)
    if units.shape != (len(fibres),) or (units.size and not np.issubdtype(units.dtype, np.integer)):
        raise ForwardModelError(
            f"unit must be integers of shape ({len(fibres)},), got {units.dtype} {units.shape}"
        )
    count = int(units.max(initial=-1)) + 1 if n_units is None else int(n_units)
    if units.size and (units.min() < 0 or units.max() >= count):
        raise ForwardModelError(f"unit must lie in 0 … {count - 1}, got {units.min()} … {units.max()}")
    if not units.size:
        return jnp.zeros((count, lead_field.n_channels, window.n_samples))
    index, present, group_unit = _group(units)
    potentials = _summed(lead_field, fibres, jnp.asarray(index), jnp.asarray(present, dtype=float), window)
    if np.array_equal(group_unit, np.arange(count)):
        return potentials
    return jax.ops.segment_sum(potentials, jnp.asarray(group_unit), num_segments=count)


def single_fibre_potentials(
    lead_field: LeadField,
    fibres: Fibres | CurvedFibres,
    *,
    sampling_rate: float,
    n_samples: int,
    start: float = 0.0,
    action_potential: ActionPotential | None = None,
    intracellular_conductivity: ArrayLike = INTRACELLULAR_CONDUCTIVITY,
    n_nodes: int = 512,
) -> jax.Array:
    """Potentials of every fibre on its own; parameters as for `motor_unit_potentials`.

    Returns
    -------
    Array, shape (n_fibres, n_channels, n_samples)
        Volts.
    """
    return motor_unit_potentials(
        lead_field,
        fibres,
        np.arange(len(fibres)),
        sampling_rate=sampling_rate,
        n_samples=n_samples,
        n_units=len(fibres),
        start=start,
        action_potential=action_potential,
        intracellular_conductivity=intracellular_conductivity,
        n_nodes=n_nodes,
    )


# ---------------------------------------------------------------------- borders


def _window(
    sampling_rate: float,
    n_samples: int,
    start: float,
    action_potential: ActionPotential | None,
    intracellular_conductivity: ArrayLike,
    n_nodes: int,
) -> _Window:
    if int(n_samples) != n_samples or n_samples < 1:
        raise ForwardModelError(f"n_samples must be an integer ≥ 1, got {n_samples!r}")
    if int(n_nodes) != n_nodes or n_nodes < 2:
        raise ForwardModelError(f"n_nodes must be an integer ≥ 2, got {n_nodes!r}")
    return _Window(
        rosenfalck() if action_potential is None else action_potential,
        jnp.asarray(intracellular_conductivity, dtype=float),
        positive("sampling_rate", sampling_rate, "Hz"),
        int(n_samples),
        float(start),
        int(n_nodes),
    )


def _check_sources(lead_field: LeadField, fibres: Any) -> None:
    if not isinstance(lead_field, LeadField):
        raise ForwardModelError(
            f"lead_field must come from conductor.lead_field(electrodes), got {type(lead_field).__name__}"
        )
    if not isinstance(fibres, (Fibres, CurvedFibres)):
        raise ForwardModelError(f"fibres must be Fibres or CurvedFibres, got {type(fibres).__name__}")
    extremes = fibres.extremes()
    if extremes is not None:
        lead_field.check_sources(extremes)


def _group(units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fibres of a unit in rows of equal length: index (n_groups, size), whether present, row's unit."""
    sizes = np.bincount(units)
    best = min((2**p for p in range(6)), key=lambda size: float(np.ceil(sizes / size).sum() * (size + 1)))
    n_rows = -(-sizes // best)
    group_unit = np.repeat(np.arange(len(sizes)), n_rows)
    order = np.argsort(units, kind="stable")
    rank = np.arange(len(units)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    slot = (np.repeat((np.cumsum(n_rows) - n_rows) * best, sizes)) + rank
    index = np.full(n_rows.sum() * best, order[0])
    present = np.zeros(len(index), bool)
    index[slot], present[slot] = order, True
    return index.reshape(-1, best), present.reshape(-1, best), group_unit


# ---------------------------------------------------------------------- sums


@eqx.filter_jit
def _summed(
    lead_field: LeadField,
    fibres: Fibres | CurvedFibres,
    index: jax.Array,
    present: jax.Array,
    window: _Window,
) -> jax.Array:
    """Potentials of groups of fibres, shape (n_groups, n_channels, n_samples)."""
    n_groups, size = index.shape
    per_block = max(1, min(_BLOCK // size, n_groups))
    n_blocks = -(-n_groups // per_block)
    padding = ((0, n_blocks * per_block - n_groups), (0, 0))
    blocks = (
        jnp.pad(index, padding).reshape(n_blocks, per_block, size),
        jnp.pad(present, padding).reshape(n_blocks, per_block, size),
    )
    kernel = _kernel(lead_field, fibres, window, size)

    # Recomputing a block's currents in the backward pass costs less than keeping those of all fibres.
    @jax.checkpoint
    def block(rows: tuple[jax.Array, jax.Array]) -> jax.Array:
        members, weight = rows
        return kernel(jax.tree.map(lambda field: field[members], fibres), weight)

    result = jax.lax.map(block, blocks)
    return result.reshape(-1, *result.shape[2:])[:n_groups]


def _kernel(
    lead_field: LeadField, fibres: Fibres | CurvedFibres, window: _Window, size: int
) -> Callable[[Any, jax.Array], jax.Array]:
    if isinstance(fibres, Fibres) and isinstance(lead_field, ExtrudedLeadField):
        return _spectral_kernel(lead_field, window, size)
    return _pointwise_kernel(lead_field, window)


def _spectral_kernel(
    lead_field: ExtrudedLeadField, window: _Window, size: int
) -> Callable[[Fibres, jax.Array], jax.Array]:
    """Potentials of groups of `size` fibres: sum over fibres per column first, or over both at once.

    Electrodes of one column differ by a phase e^(−ikz_c) only. So either the currents of a group are added up
    for each column and then seen by its electrodes, or each electrode sees each fibre; whichever has fewer
    operations. On a grid along the fibres (5 columns, groups of 32) the first has a tenth of them.
    """
    k = lead_field.k
    column = np.asarray(lead_field.column)
    row = np.array([int((column[:c] == column[c]).sum()) for c in range(len(column))])
    n_columns, n_rows = int(column.max()) + 1, int(row.max()) + 1
    phase = lead_field.z[:, None] * k
    quadrature = -k * lead_field.weights
    # Im{e^(−ikz_c) (P + iQ)} = P · (−sin kz_c) + Q · cos kz_c
    seen_real, seen_imag = -jnp.sin(phase) * quadrature, jnp.cos(phase) * quadrature
    columns_first = n_columns * (size + n_rows) < size * len(column)

    n_stretches = min(-(-window.n_samples // _STRETCH), _MOST_STRETCHES)
    n_instants = -(-window.n_samples // n_stretches)
    starts = window.start + jnp.arange(n_stretches) * (n_instants / window.sampling_rate)

    def potentials(fibres: Fibres, weight: jax.Array) -> jax.Array:
        shape = weight.shape
        flat = jax.tree.map(lambda field: field.reshape(-1, *field.shape[2:]), fibres)
        current = AxialCurrent(
            flat,
            k,
            window.action_potential,
            sampling_rate=window.sampling_rate,
            n_samples=n_instants,
        )
        strength = weight.reshape(-1) * window.intracellular_conductivity * jnp.square(flat.diameter / 2)
        lead = lead_field.spectrum(flat.transverse) * strength[:, None, None]
        lead = lead.reshape(*shape, *lead.shape[1:])
        project = _columns_first(lead) if columns_first else _electrodes_first(lead)

        @jax.checkpoint
        def sound(first: jax.Array) -> jax.Array:
            spectrum = current.spectrum(first)
            return project(spectrum.reshape(*shape, *spectrum.shape[1:]))

        def stretch(first: jax.Array) -> jax.Array:
            nothing = jnp.zeros((shape[0], len(column), n_instants), lead.dtype)
            return jax.lax.cond(current.silent(first), lambda _: nothing, sound, first)

        whole = jnp.concatenate([stretch(first) for first in starts], axis=2)
        return whole[:, :, : window.n_samples]

    def _electrodes_first(lead: jax.Array) -> Callable[[jax.Array], jax.Array]:
        lead = lead[:, :, column]
        seen = jnp.concatenate([lead * seen_real, lead * seen_imag], axis=-1)
        return lambda spectrum: jnp.einsum("bgck,bgkt->bct", seen, spectrum)

    def _columns_first(lead: jax.Array) -> Callable[[jax.Array], jax.Array]:
        # k leads, so that the sum over fibres is one small matrix product per wave number.
        lead = lead.transpose(3, 0, 2, 1)
        lead = jnp.concatenate([lead, lead])
        seen = jnp.concatenate([seen_real, seen_imag], axis=-1)
        seen = jnp.zeros((n_columns, n_rows, seen.shape[1])).at[column, row].set(seen)

        def project(spectrum: jax.Array) -> jax.Array:
            per_column = jnp.einsum("kbjg,kbgt->kbjt", lead, spectrum.transpose(2, 0, 1, 3))
            return jnp.einsum("jrk,kbjt->bjrt", seen, per_column)[:, column, row]

        return project

    return potentials


def _pointwise_kernel(lead_field: LeadField, window: _Window) -> Callable[[Any, jax.Array], jax.Array]:
    potential = window.action_potential.potential

    def one(fibre: Any) -> jax.Array:
        arc, points, plate = _nodes(fibre, window.n_nodes)
        b = lead_field.at(points)
        length = arc[1:] - arc[:-1]
        # An end-plate on a node of the path makes an empty cell, which carries nothing.
        filled = length > 0
        slope = jnp.where(filled, (b[:, 1:] - b[:, :-1]) / jnp.where(filled, length, 1), 0)
        travelled = fibre.velocity * (window.times - fibre.delay)
        # ∫ V′ over a cell is a difference of V, of opposite order in the two waves, as are their signs.
        behind = potential(travelled[None, :] - jnp.abs(arc - plate)[:, None])
        cell = behind[:-1] - behind[1:]
        return window.intracellular_conductivity * jnp.pi * jnp.square(fibre.diameter / 2) * (slope @ cell)

    def potentials(fibres: Any, weight: jax.Array) -> jax.Array:
        flat = jax.tree.map(lambda field: field.reshape(-1, *field.shape[2:]), fibres)
        each = jax.lax.map(one, flat)
        each = each.reshape(*weight.shape, *each.shape[1:])
        return jnp.einsum("bg,bgct->bct", weight, each)

    return potentials


def _nodes(fibre: Any, n_nodes: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Arc length and position of nodes along one fibre, the end-plate among them, and its arc length."""
    if isinstance(fibre, Fibres):
        right, left = fibre.half_lengths
        fraction = jnp.linspace(0, 1, n_nodes + 1)
        arc = jnp.concatenate([-left * fraction[:0:-1], right * fraction])
        across = jnp.broadcast_to(fibre.transverse, (2 * n_nodes + 1, 2))
        points = jnp.concatenate([across, (fibre.end_plate + arc)[:, None]], axis=1)
        return arc, points, jnp.zeros_like(fibre.end_plate)
    steps = jnp.linalg.norm(fibre.paths[1:] - fibre.paths[:-1], axis=-1)
    corner = jnp.concatenate([jnp.zeros_like(steps[:1]), jnp.cumsum(steps)])
    arc = jnp.sort(jnp.append(corner, fibre.end_plate))
    points = jnp.stack([jnp.interp(arc, corner, fibre.paths[:, i]) for i in range(3)], axis=1)
    return arc, points, fibre.end_plate
