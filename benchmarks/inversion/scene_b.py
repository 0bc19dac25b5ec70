"""BMISS beside blind separation and the linear upper bound, on a muscle of 100 units under 64 electrodes.

Scene B (`muemg/benchmark/scenes/scene-b.toml`): 8 × 8 electrodes at 8 mm over a muscle of 70 × 25 mm under 3 mm of fat
and 1 mm of skin, 100 motor units with all of their fibres (562 on average), 20 dB; cut short. A unit counts as right if
its rate of agreement with a true one is 0.9 or more. The bound: the best linear filter of each unit, made of its
true potential. The conductor that BMISS is given may be another than the one simulated.

    python benchmarks/inversion/scene_b.py --seconds 3 5 10 --seeds 0 1 2 3 4
    python benchmarks/inversion/scene_b.py --seconds 5 --seeds 0 1 --conductors fat+50% fat-50% conductivities+30%
    python benchmarks/inversion/scene_b.py --seconds 5 --seeds 0 1 --options '{"ascent": false}'
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import muemg
from forward_models import PlanarConductor
from forward_models.units import mm
from muemg.inversion import BMISS
from muemg.separation import linear_upper_bound

FIRST = {True: 3.0, False: 8.0}  # s; long cuts begin after the ramp, short ones in the middle of the plateau
# True column, printed unit per SI unit.
PARAMETERS = {
    "zone": ("innervation_zone", 1e3),
    "velocity": ("velocity", 1.0),
    "lateral": ("x", 1e3),
    "depth": ("depth", 1e3),
    "distal_length": ("distal_length", 1e3),
    "proximal_length": ("proximal_length", 1e3),
    "radius": ("territory_radius", 1e3),
}
# Factors on fat, on the conductivity of muscle, fat and skin; degrees by which the grid is taken to be turned.
CONDUCTORS = {
    "matched": (1.0, 1.0, 1.0, 1.0, 0.0),
    "fat+50%": (1.5, 1.0, 1.0, 1.0, 0.0),
    "fat-50%": (0.5, 1.0, 1.0, 1.0, 0.0),
    "conductivities+30%": (1.0, 1.3, 0.7, 1.3, 0.0),
    "conductivities-30%": (1.0, 0.7, 1.3, 0.7, 0.0),
    "turned 10°": (1.0, 1.0, 1.0, 1.0, 10.0),
    "turned 30°": (1.0, 1.0, 1.0, 1.0, 30.0),
}


def scene(seed: int, folder: Path) -> muemg.Simulation:
    """Scene B of one seed, simulated once."""
    path = folder / f"scene-b_seed-{seed}.h5"
    if not path.exists():
        declared = resources.files("muemg.benchmark") / "scenes" / "scene-b.toml"
        folder.mkdir(parents=True, exist_ok=True)
        simulation = muemg.simulate(muemg.Scenario.from_toml(Path(str(declared))), seed=seed)
        muemg.write(path, muemg.Contents(simulation=simulation))
    found = muemg.read(path).simulation
    if found is None:
        raise SystemExit(f"{path} holds no simulation; remove it")
    return found


def conductor_of(name: str) -> PlanarConductor:
    """The conductor that BMISS is given."""
    fat, muscle, of_fat, of_skin, _ = CONDUCTORS[name]
    return PlanarConductor(
        fat=3 * mm * fat,
        skin=1 * mm,
        muscle_across=0.1 * muscle,
        muscle_along=0.5 * muscle,
        fat_conductivity=0.05 * of_fat,
        skin_conductivity=1.0 * of_skin,
        reach=0.14,
        k_max=2e3,
    )


def turned(recording: muemg.Recording, degrees: float) -> muemg.Recording:
    """The recording with its grid said to be turned against the fibres."""
    if not degrees:
        return recording
    x, y, z = recording.electrodes.positions.T
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    positions = np.column_stack([c * x + s * z, y, c * z - s * x])
    array = type(recording.electrodes)(positions)
    return muemg.Recording(recording.signal, recording.sampling_rate, array)


def scored(found: muemg.Decomposition, truth: muemg.SpikeTrains) -> tuple[int, int, list[tuple[int, int]]]:
    """How many found units are right, how many were reported, and the pairs (found, true)."""
    comparison = muemg.compare(found, truth)
    match, agreement = comparison.found["match"], comparison.found["rate_of_agreement"]
    pairs = [(i, int(match[i])) for i in range(len(found)) if agreement[i] >= 0.9]
    return len(pairs), len(found), pairs


def row(
    simulation: muemg.Simulation, seconds: float, conductor: str, options: dict[str, Any]
) -> dict[str, Any]:
    """One recording: bound, blind, BMISS, and the errors of the parameters of what BMISS found."""
    first = FIRST[seconds > 20]
    recording = simulation.recording.time_slice(first, first + seconds)
    truth = simulation.spikes.time_slice(first, first + seconds)
    bound = len(linear_upper_bound(recording, truth, simulation.muaps))
    began = time.perf_counter()
    blind = scored(muemg.decompose(recording, method="fastica"), truth)
    blind_time = time.perf_counter() - began
    given = turned(recording, CONDUCTORS[conductor][-1])
    began = time.perf_counter()
    found = BMISS(conductor=conductor_of(conductor), **options).decompose(given)
    bmiss_time = time.perf_counter() - began
    right, reported, pairs = scored(found, truth)
    errors: dict[str, list[float]] = {name: [] for name in PARAMETERS}
    inside: dict[str, list[bool]] = {name: [] for name in PARAMETERS}
    for i, j in pairs:
        for name, (column, factor) in PARAMETERS.items():
            true = float(simulation.motor_units[column][j])
            errors[name].append((float(found.anatomy[name][i]) - true) * factor)
            low, high = found.anatomy[f"{name}_low"][i], found.anatomy[f"{name}_high"][i]
            inside[name].append(bool(low <= true <= high))
    return {
        "seconds": seconds,
        "conductor": conductor,
        "bound": bound,
        "blind": blind[:2],
        "blind_s": round(blind_time, 1),
        "bmiss": (right, reported),
        "bmiss_s": round(bmiss_time, 1),
        "unexplained": round(float(np.median(found.anatomy["unexplained"])), 3) if len(found) else None,
        "errors": errors,
        "inside": inside,
    }


def summary(rows: list[dict[str, Any]]) -> None:
    """Median and range over seeds, and the errors of all units together."""
    first = rows[0]
    print(f"{first['seconds']:g} s, {first['conductor']}: median (range) over {len(rows)} seeds")
    for name in ("bound", "blind", "bmiss"):
        right = [each[name] if name == "bound" else each[name][0] for each in rows]
        print(f"  {name}: {np.median(right):g} ({min(right)}–{max(right)}), {sum(right)} in all", end="")
        if name != "bound":
            reported = sum(each[name][1] for each in rows)
            took = np.median([each[f"{name}_s"] for each in rows])
            print(f", right of {reported} reported; {took:g} s", end="")
        print()
    for name in PARAMETERS:
        values = np.concatenate([each["errors"][name] for each in rows])
        if len(values):
            cover = np.concatenate([each["inside"][name] for each in rows]).mean()
            print(
                f"  {name}: median error {np.median(np.abs(values)):.2f}, 90 % within "
                f"{np.percentile(np.abs(values), 90):.2f}, bias {np.median(values):+.2f}; "
                f"intervals hold {100 * cover:.0f} %"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[3.0, 5.0, 10.0, 27.0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--conductors", nargs="+", choices=CONDUCTORS, default=["matched"])
    parser.add_argument("--scenes", type=Path, default=Path("scenes"), help="where simulated scenes are kept")
    parser.add_argument("--options", default="{}", help='parameters of BMISS as JSON, {"correct": false}')
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seconds in arguments.seconds:
        for conductor in arguments.conductors:
            of = []
            for seed in arguments.seeds:
                options = json.loads(arguments.options)
                of.append({"seed": seed, **row(scene(seed, arguments.scenes), seconds, conductor, options)})
                print({k: v for k, v in of[-1].items() if k not in ("errors", "inside")}, flush=True)
            summary(of)
            rows += of
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
