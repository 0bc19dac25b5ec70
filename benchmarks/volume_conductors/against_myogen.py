"""Time of a fibre on 64 channels: our layered cylinder and half-space against MyoGen's layered cylinder.

    PEER=$(python benchmarks/environments/make.py myogen-0.12)
    python benchmarks/volume_conductors/against_myogen.py --myogen $PEER

MyoGen 0.12 runs in an environment of its own, by its cached route (``simulate_muaps(execution=
ExecutionPolicy())``), on an 8 × 8 grid with its default window of 256 samples. Its cost per fibre is the
slope between a small and a larger call on one warm object, so that what it prepares once is not counted; its
whole cost is printed beside it. Ours works on the same grid, radius and layers, for as many samples.
Threads are those of the environment (set OMP_NUM_THREADS for both); CPU time is printed beside wall time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

# What MyoGen's muscle is told, and ours: mm, S/m, m/s.
GEOMETRY: dict[str, float] = {
    "muscle_radius": 6.91,
    "fat": 0.3,
    "skin": 1.29,
    "muscle_across": 0.09,
    "muscle_along": 0.4,
    "fat_conductivity": 4.07e-2,
    "skin_conductivity": 4.88e-4,
    "velocity": 4.2,
    "fibre_length": 31.7,
    "spacing": 4.0,
    "electrode_radius": 0.5,
}
N_ROWS, N_COLUMNS, N_SAMPLES, RATE = 8, 8, 256, 2048.0


def peer() -> dict[str, Any]:
    """MyoGen's times for two motor units of different size; runs under its Python, without ours."""
    import numpy as np
    import quantities as pq  # type: ignore[import-not-found,unused-ignore]
    from myogen import simulator  # type: ignore[import-not-found,unused-ignore]

    g = GEOMETRY
    muscle = simulator.Muscle(
        recruitment_thresholds=np.array([0.5, 1.0]),
        radius__mm=g["muscle_radius"] * pq.mm,
        length__mm=g["fibre_length"] * pq.mm,
        fiber_density__fibers_per_mm2=0.6 * pq.mm**-2,
        mean_conduction_velocity__m_per_s=g["velocity"] * pq.m / pq.s,
        mean_fiber_length__mm=g["fibre_length"] * pq.mm,
        fat_thickness__mm=g["fat"] * pq.mm,
        skin_thickness__mm=g["skin"] * pq.mm,
        muscle_conductivity_radial__S_per_m=g["muscle_across"] * pq.S / pq.m,
        muscle_conductivity_longitudinal__S_per_m=g["muscle_along"] * pq.S / pq.m,
        fat_conductivity__S_per_m=g["fat_conductivity"] * pq.S / pq.m,
        skin_conductivity__S_per_m=g["skin_conductivity"] * pq.S / pq.m,
        autorun=True,
    )
    grid = simulator.SurfaceElectrodeArray(
        num_rows=N_ROWS,
        num_cols=N_COLUMNS,
        inter_electrode_distance__mm=g["spacing"] * pq.mm,
        electrode_radius__mm=g["electrode_radius"] * pq.mm,
        bending_radius__mm=limb_radius() * pq.mm,
    )
    calls = []
    for unit in (0, 0, 1, 0, 1):  # the first call compiles and imports
        emg = simulator.SurfaceEMG(muscle, [grid], MUs_to_simulate=[unit])
        wall, cpu = time.perf_counter(), time.process_time()
        emg.simulate_muaps(verbose=False, execution=simulator.ExecutionPolicy())
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        n_fibres = int(muscle.resulting_number_of_innervated_fibers[unit])
        calls.append({"n_fibres": n_fibres, "wall_s": wall, "cpu_s": cpu})
    return {"calls": calls[1:]}


def limb_radius() -> float:
    """Outer radius of the limb in mm."""
    return GEOMETRY["muscle_radius"] + GEOMETRY["fat"] + GEOMETRY["skin"]


def ask_peer(python: str) -> dict[str, Any]:
    """Run `peer` in MyoGen's environment."""
    done = subprocess.run([python, __file__, "--as-peer"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"MyoGen failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def per_fibre(calls: list[dict[str, float]], clock: str) -> float:
    """Seconds per fibre: slope between the fastest call of either size."""
    fastest = {c["n_fibres"]: min(d[clock] for d in calls if d["n_fibres"] == c["n_fibres"]) for c in calls}
    small, large = min(fastest), max(fastest)
    return (fastest[large] - fastest[small]) / (large - small)


def ours(n_fibres: int) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds per fibre: both conductors, each fibre alone and summed as one motor unit."""
    import jax
    import numpy as np

    import forward_models as fm

    g = GEOMETRY
    mm = 1e-3
    flat = fm.ElectrodeArray.grid(N_ROWS, N_COLUMNS, g["spacing"] * mm, radius=g["electrode_radius"] * mm)
    layers: dict[str, Any] = {"fat": g["fat"] * mm, "skin": g["skin"] * mm}
    tissue: dict[str, Any] = {
        k: g[k] for k in ("muscle_across", "muscle_along", "fat_conductivity", "skin_conductivity")
    }
    cylinder = fm.CylinderConductor(muscle_radius=g["muscle_radius"] * mm, **layers, **tissue)
    leads = {
        "cylinder": cylinder.lead_field(flat.wrapped(limb_radius() * mm)),
        "planar": fm.PlanarConductor(**layers, **tissue).lead_field(flat),
    }
    rng = np.random.default_rng(0)
    distance = g["muscle_radius"] * mm * 0.95 * np.sqrt(rng.random(n_fibres))
    angle = rng.uniform(0, 2 * np.pi, n_fibres)
    across = np.column_stack([distance * np.sin(angle), distance * np.cos(angle)])
    half = (g["fibre_length"] / 2 + rng.uniform(-1.4, 1.4, (n_fibres, 2))) * mm
    window: dict[str, Any] = {"sampling_rate": RATE, "n_samples": N_SAMPLES}
    result = {}
    for name, lead in leads.items():
        top = 0.0 if name == "cylinder" else limb_radius() * mm
        fibres = fm.Fibres(across - [0, top], rng.uniform(-1.5, 1.5, n_fibres) * mm, half, g["velocity"])

        def alone(lead: Any = lead, fibres: Any = fibres) -> Any:
            return fm.single_fibre_potentials(lead, fibres, **window)

        def summed(lead: Any = lead, fibres: Any = fibres) -> Any:
            return fm.motor_unit_potentials(lead, fibres, np.zeros(n_fibres, dtype=int), **window)

        for what, call in (("each fibre", alone), ("one motor unit", summed)):
            jax.block_until_ready(call())
            walls, cpus = [], []
            for _ in range(5):
                wall, cpu = time.perf_counter(), time.process_time()
                jax.block_until_ready(call())
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
            result[f"{name}, {what}"] = (min(walls) / n_fibres, min(cpus) / n_fibres)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description="Time per fibre on 64 channels, against MyoGen.")
    parser.add_argument("--myogen", metavar="PYTHON", help="Python of an environment that holds MyoGen 0.12")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        print(json.dumps(peer()))
        return
    if not options.myogen:
        parser.error("--myogen PYTHON is needed")
    calls = ask_peer(options.myogen)["calls"]
    wall, cpu = per_fibre(calls, "wall_s"), per_fibre(calls, "cpu_s")
    whole = min(c["wall_s"] / c["n_fibres"] for c in calls)
    print(
        f"MyoGen, cached: {wall * 1e3:.1f} ms per fibre (CPU {cpu * 1e3:.1f}; {whole * 1e3:.1f} with set-up)"
    )
    rows = {}
    for name, (our_wall, our_cpu) in ours(1024).items():
        rows[name] = {
            "wall_s": our_wall,
            "cpu_s": our_cpu,
            "ratio": wall / our_wall,
            "cpu_ratio": cpu / our_cpu,
        }
        print(
            f"{name}: {our_wall * 1e3:.3f} ms per fibre (CPU {our_cpu * 1e3:.3f}), "
            f"ratio {wall / our_wall:.0f} (CPU {cpu / our_cpu:.0f})"
        )
    if options.json:
        peer_row = {"wall_s": wall, "cpu_s": cpu, "calls": calls}
        options.json.write_text(json.dumps({"myogen": peer_row, "ours": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
