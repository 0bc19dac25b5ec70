"""How fast fibres become potentials: time per fibre, beside the bounds set by matrix products and by memory.

    python benchmarks/volume_conductors/speed.py [--quick] [--json speed.json]

64 electrodes (GR08MM1305) and 164 samples at 2048 Hz throughout, float32. Two bounds are measured in the same
run: the operations of the matrix products (lead field at the electrodes times current, both with real and
imaginary part; the spectrum across the fibres; the fibre's ends) over the rate that one large product reaches,
and, where each fibre's potentials are wanted, the time to fill a fresh array of their size. Only stretches of
the window in which a wave runs are computed, and only their operations are counted; for the whole window
the number is printed beside. Sums over a motor unit's fibres need fewer operations on a grid along the fibres
(electrodes of a column share a spectrum), and almost no memory. CPU time is printed too: it tells what
other processes on the machine took away from the wall time.
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

from forward_models import (
    ElectrodeArray,
    Fibres,
    motor_unit_potentials,
    muap,
    presets,
    single_fibre_potentials,
)

WINDOW: dict[str, Any] = {"sampling_rate": 2048.0, "n_samples": 164}


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


def fill_rate(repeats: int) -> float:
    """Bytes per second at which a fresh array of single-fibre potentials is filled."""
    fill = jax.jit(lambda value: jnp.zeros((1024, 64, WINDOW["n_samples"]), jnp.float32) + value)
    return 1024 * 64 * WINDOW["n_samples"] * 4 / best_of(lambda: fill(1.0), repeats)[0]


def sounding(ensemble: Fibres) -> int:
    """Samples of the stretches in which any wave of the ensemble runs (26 mm behind it V has come to rest)."""
    length = -(-WINDOW["n_samples"] // min(-(-WINDOW["n_samples"] // muap._STRETCH), muap._MOST_STRETCHES))
    last = np.max((ensemble.half_lengths.max(axis=1) + 26e-3) / ensemble.velocity) * WINDOW["sampling_rate"]
    return int(min(-(-last // length), -(-WINDOW["n_samples"] // length)) * length)


def operations(lead: Any, n_t: int, *, per_unit: int | None) -> float:
    """Operations of the matrix products per fibre, summed over `per_unit` fibres or each alone."""
    n_k, n_c, n_j = lead.k.shape[0], lead.n_channels, max(lead.column) + 1
    inner = lead.transfer.shape[1] if hasattr(lead, "transfer") else lead.gain.shape[0]
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


def inner_loop(n_units: int, per_unit: int, repeats: int) -> tuple[float, float]:
    """MUAPs of `per_unit` fibres per unit, their territory's quadrature, and the gradient by every parameter."""
    lead = presets.planar().lead_field(ElectrodeArray.from_code("GR08MM1305"))
    rng = np.random.default_rng(0)
    start = fibres(n_units * per_unit, -25e-3, -6e-3)
    unit = np.repeat(np.arange(n_units), per_unit)
    target = jnp.asarray(rng.normal(size=(n_units, 64, 164)))

    @jax.jit
    def value_and_gradient(units: Fibres) -> Any:
        def loss(units: Fibres) -> jax.Array:
            muaps = motor_unit_potentials(lead, units, unit, **WINDOW)
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
    fill = fill_rate(repeats)
    result["fill_gbytes_per_s"] = fill / 1e9
    print(
        f"matrix products: {rate / 1e9:.0f} GFLOP/s on {os.cpu_count()} cores ({result['backend']}); "
        f"filling fresh memory: {fill / 1e9:.1f} GB/s"
    )
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
            flops = operations(lead, sounding(ensemble), per_unit=per_unit)
            whole = operations(lead, int(WINDOW["n_samples"]), per_unit=per_unit)
            memory = 64 * WINDOW["n_samples"] * 4 / fill if per_unit is None else 0.0
            row = {
                "wall_ms_per_fibre": wall / n * 1e3,
                "cpu_ms_per_fibre": cpu / n * 1e3,
                "mflop_per_fibre": flops / 1e6,
                "mflop_whole_window": whole / 1e6,
                "product_bound_ms": flops / rate * 1e3,
                "memory_bound_ms": memory * 1e3,
                "share_of_product_bound": flops / rate / (wall / n),
                "share_of_both_bounds": (flops / rate + memory) / (wall / n),
            }
            result[f"{name}, {what}"] = row
            print(
                f"{name}, {what}: {wall / n * 1e3:.3f} ms per fibre (CPU {cpu / n * 1e3:.3f}); bounds: products "
                f"{row['product_bound_ms']:.4f} ms ({flops / 1e6:.1f} MFLOP, whole window {whole / 1e6:.1f}), "
                f"memory {row['memory_bound_ms']:.4f} ms; share of the first "
                f"{row['share_of_product_bound']:.0%}, of both {row['share_of_both_bounds']:.0%}"
            )
    for per_unit in (1, 16):
        wall, cpu = inner_loop(256, per_unit, repeats)
        result[f"256 units of {per_unit} and gradient"] = {"wall_s": wall, "cpu_s": cpu}
        print(f"256 units × {per_unit} fibres × 64 channels with gradient: {wall:.2f} s (CPU {cpu:.2f})")
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
