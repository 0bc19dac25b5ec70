"""Forearm cross-section with a 10 × 32 bracelet: time until ready, time per fibre, and the bound on it.

Run: ``python benchmarks/volume_conductors/cross_section.py [--out result.json]``. The bound is the operations of
the matrix products (lead field times current, all channels and samples) over the rate of a large product on
the same machine in the same run. The second row solves for 128 spatial frequencies, not the default 36.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from forward_models import CrossSection, Fibres, anatomy, motor_unit_potentials, single_fibre_potentials

WINDOW: dict[str, Any] = {"sampling_rate": 2048.0, "n_samples": 164}
N_FIBRES, N_UNITS = 256, 4


def best_of(function: Callable[[], Any], repeats: int = 5) -> float:
    """Shortest of several runs in seconds, after one that compiles."""
    jax.block_until_ready(function())
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        durations.append(time.perf_counter() - start)
    return min(durations)


def matrix_product_rate(size: int = 1500) -> float:
    """Operations per second of a float32 matrix product."""
    left = jnp.ones((size, size), jnp.float32)
    multiply = jax.jit(jnp.matmul)
    return 2 * size**3 / best_of(lambda: multiply(left, left))


def measure(n_solutions: int) -> dict[str, float]:
    forearm = anatomy.forearm()
    bracelet = forearm.bracelet(10, 32, 10e-3, radius=1.5e-3)
    start = time.perf_counter()
    conductor = CrossSection(forearm, anatomy.limb_conductivities(), n_solutions=n_solutions)
    meshed = time.perf_counter()
    lead_field = conductor.lead_field(bracelet)
    jax.block_until_ready(lead_field.coefficients)
    ready = time.perf_counter()
    rng = np.random.default_rng(0)
    mesh = conductor.mesh
    muscle = np.isin(mesh.labels, [forearm.label(name) for name in forearm.muscles])
    places = mesh.points[mesh.triangles[rng.choice(np.flatnonzero(muscle), N_FIBRES)]].mean(axis=1)
    fibres = Fibres(places, rng.uniform(-5e-3, 5e-3, N_FIBRES), np.array([50e-3, 55e-3]), 4.0)
    unit = np.arange(N_FIBRES) % N_UNITS
    single = best_of(lambda: single_fibre_potentials(lead_field, fibres, **WINDOW)) / N_FIBRES
    summed = best_of(lambda: motor_unit_potentials(lead_field, fibres, unit, **WINDOW)) / N_FIBRES
    spectrum = jax.jit(lambda field, where: field.spectrum(where))
    read = best_of(lambda: spectrum(lead_field, fibres.transverse)) / N_FIBRES
    n_k = len(lead_field.k)
    bound = 2 * bracelet.n_channels * 2 * n_k * WINDOW["n_samples"] / matrix_product_rate()
    return {
        "n_solutions": n_solutions,
        "n_k": n_k,
        "n_unknowns": conductor._tables.system.n_nodes,
        "table_MB": lead_field.coefficients.nbytes / 1e6,
        "mesh_s": meshed - start,
        "solve_s": ready - meshed,
        "single_ms_per_fibre": 1e3 * single,
        "motor_unit_ms_per_fibre": 1e3 * summed,
        "spectrum_ms_per_fibre": 1e3 * read,
        "bound_ms_per_fibre": 1e3 * bound,
        "bound_over_motor_unit": bound / summed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", help="write the results as JSON to this file")
    arguments = parser.parse_args()
    rows = [measure(36), measure(128)]
    for row in rows:
        print("  ".join(f"{name} {value:.3g}" for name, value in row.items()))
    if arguments.out:
        with open(arguments.out, "w", encoding="utf-8") as file:
            json.dump(
                {"cpus": os.cpu_count(), "backend": jax.default_backend(), "rows": rows}, file, indent=2
            )


if __name__ == "__main__":
    main()
