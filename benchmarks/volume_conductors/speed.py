"""How fast fibres become potentials: time per fibre, beside the bound set by the machine's matrix products.

    python benchmarks/volume_conductors/speed.py [--quick] [--json speed.json]

64 electrodes (GR08MM1305) and 164 samples at 2048 Hz throughout, float32. The bound of a single-fibre
potential is the operations of its matrix products (lead field at the electrodes times current, both with
real and imaginary part; the spectrum across the fibres; the fibre's ends) over the rate that one large
product reaches in the same run. Sums over a motor unit's fibres need fewer operations on a grid along the
fibres (electrodes of a column share a spectrum), so their bound is lower; both are printed. CPU time is
printed too: it tells what other processes on the machine took away from the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from forward_models import ElectrodeArray, Fibres, motor_unit_potentials, presets, single_fibre_potentials

WINDOW = {"sampling_rate": 2048.0, "n_samples": 164}


def best_of(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Smallest wall and CPU time in seconds over some repeats, after one call that compiles."""
    jax.block_until_ready(call())
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        jax.block_until_ready(call())
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)


def gemm_rate(repeats: int) -> float:
    """Floating-point operations per second of one large float32 matrix product."""
    n = 2048
    a = jnp.asarray(np.random.default_rng(0).normal(size=(n, n)), jnp.float32)
    product = jax.jit(jnp.matmul)
    return 2 * n**3 / best_of(lambda: product(a, a), repeats)[0]


def fibres(n: int, deepest: float, shallowest: float, seed: int = 0) -> Fibres:
    rng = np.random.default_rng(seed)
    return Fibres(
        np.column_stack([rng.uniform(-15e-3, 15e-3, n), rng.uniform(deepest, shallowest, n)]),
        rng.normal(0, 5e-3, n),
        rng.uniform(50e-3, 62e-3, (n, 2)),
        rng.normal(4, 0.1, n),
        50e-6,
    )


def operations(lead: Any, *, per_unit: int | None) -> float:
    """Operations of the matrix products per fibre, summed over `per_unit` fibres or each alone."""
    n_k, n_t, n_c, n_j = lead.k.shape[0], WINDOW["n_samples"], lead.n_channels, max(lead.column) + 1
    inner = lead.table.shape[1] if hasattr(lead, "table") else lead.gain.shape[0]
    common = 2 * n_k * (inner * n_j + 2 * 12 * n_t)
    if per_unit is None:
        return common + 4 * n_c * n_k * n_t
    return common + 4 * n_k * n_t * (n_j + n_c / per_unit)


def conductors() -> dict[str, tuple[Any, float, float]]:
    grid = ElectrodeArray.from_code("GR08MM1305")
    limb = presets.cylinder(radius=40e-3)
    return {
        "planar": (presets.planar().lead_field(grid), -25e-3, -5e-3),
        "planar, grid turned by 0.2 rad": (
            presets.planar().lead_field(ElectrodeArray.from_code("GR08MM1305", rotation=0.2)),
            -25e-3,
            -5e-3,
        ),
        "cylinder, radius 40 mm": (limb.lead_field(grid.wrapped(40e-3)), 10e-3, 30e-3),
    }


def inner_loop(n_units: int, repeats: int) -> tuple[float, float]:
    """MUAPs of one fibre per unit and the gradient by all of the units' parameters."""
    lead = presets.planar().lead_field(ElectrodeArray.from_code("GR08MM1305"))
    rng = np.random.default_rng(0)
    start = fibres(n_units, -25e-3, -6e-3)
    target = jnp.asarray(rng.normal(size=(n_units, 64, 164)))

    @jax.jit
    def value_and_gradient(units: Fibres) -> Any:
        def loss(units: Fibres) -> jax.Array:
            muaps = motor_unit_potentials(lead, units, np.arange(n_units), **WINDOW)
            return jnp.sum(muaps * target)

        return jax.value_and_grad(loss)(units)

    return best_of(lambda: value_and_gradient(start), repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer fibres and repeats")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()
    repeats, n_single, n_sum = (2, 512, 2048) if options.quick else (5, 2048, 8192)
    rate = gemm_rate(repeats)
    result: dict[str, Any] = {
        "gemm_gflops": rate / 1e9,
        "cores": os.cpu_count(),
        "backend": jax.default_backend(),
        "jax": jax.__version__,
    }
    print(f"matrix products: {rate / 1e9:.0f} GFLOP/s on {os.cpu_count()} cores ({result['backend']})")
    for name, (lead, deepest, shallowest) in conductors().items():
        for what, n, per_unit in (("each fibre", n_single, None), ("units of 256 fibres", n_sum, 256)):
            ensemble = fibres(n, deepest, shallowest)
            unit = np.arange(n) // 256
            if per_unit is None:
                wall, cpu = best_of(
                    lambda e=ensemble, f=lead: single_fibre_potentials(f, e, **WINDOW), repeats
                )
            else:
                wall, cpu = best_of(
                    lambda e=ensemble, f=lead, u=unit: motor_unit_potentials(f, e, u, **WINDOW), repeats
                )
            flops = operations(lead, per_unit=per_unit)
            row = {
                "wall_ms_per_fibre": wall / n * 1e3,
                "cpu_ms_per_fibre": cpu / n * 1e3,
                "mflop_per_fibre": flops / 1e6,
                "share_of_bound": flops / rate / (wall / n),
            }
            result[f"{name}, {what}"] = row
            print(
                f"{name}, {what}: {wall / n * 1e3:.3f} ms per fibre (CPU {cpu / n * 1e3:.3f}), "
                f"{row['mflop_per_fibre']:.1f} MFLOP, {row['share_of_bound']:.0%} of the bound"
            )
    wall, cpu = inner_loop(256, repeats)
    result["256 units and gradient"] = {"wall_s": wall, "cpu_s": cpu}
    print(f"256 units × 64 channels with gradient: {wall:.2f} s (CPU {cpu:.2f})")
    if not options.quick:
        lead, deepest, shallowest = conductors()["planar"]
        muscle = fibres(50_000, deepest, shallowest)
        unit = np.arange(50_000) // 250
        wall, cpu = best_of(lambda: motor_unit_potentials(lead, muscle, unit, **WINDOW), 1)
        result["50000 fibres"] = {"wall_s": wall, "cpu_s": cpu}
        print(f"50,000 fibres × 64 channels, 200 units: {wall:.2f} s (CPU {cpu:.2f})")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
