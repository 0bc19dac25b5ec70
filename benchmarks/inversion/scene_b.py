"""BMISS beside blind separation and the linear upper bound, on a muscle of 100 units under 64 electrodes.

Scene B: 8 × 8 electrodes at 8 mm over a muscle of 70 × 25 mm under 3 mm of fat and 1 mm of skin, 100 motor units with
all of their fibres (562 on average), 20 dB. A unit counts as found if its rate of agreement is 0.9 or more. The bound:
each unit's filter from its true potential in the recording's own covariance, and the threshold that agrees best.

    python benchmarks/inversion/scene_b.py --seconds 3 5 10 27 --seeds 5 --json scene_b.json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import signal as scipy_signal

import muemg
from forward_models import presets
from forward_models.units import mm
from muemg.inversion import BMISS
from muemg.metrics import source_peaks
from muemg.separation._cancellation import best_responses
from muemg.separation._extension import Extended, whiten
from muemg.separation._preparation import extension_factor, prepare

FIRST = {True: 3.0, False: 8.0}  # s; long cuts begin after the ramp, short ones in the middle of the plateau
TOLERANCE = 2  # samples
# True column, found column, printed unit per SI unit.
PARAMETERS = {
    "zone": ("innervation_zone", 1e3),
    "velocity": ("velocity", 1.0),
    "lateral": ("x", 1e3),
    "depth": ("depth", 1e3),
    "distal_length": ("distal_length", 1e3),
    "proximal_length": ("proximal_length", 1e3),
}


def scene(seed: int, folder: Path) -> muemg.Simulation:
    """Scene B of one seed, simulated once."""
    path = folder / f"scene_b_{seed}.h5"
    if not path.exists():
        scenario = muemg.Scenario.preset("vastus-64").override(
            {
                "recording.duration_s": 30,
                "electrodes.code": "",
                "electrodes.rows": 8,
                "electrodes.columns": 8,
                "electrodes.spacing_mm": 8,
                "electrodes.rotation_deg": 0,
                "conductor.fat_mm": 3,
                "conductor.skin_mm": 1,
                "muscle.innervation_zone_mm": 0,
                "muscle.zone_width_mm": 20,
                "muscle.most_fibres": 0,
                "drive.level": 0.3,
                "drive.rest_s": 1,
                "drive.ramp_s": 2,
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        muemg.write(path, muemg.Contents(simulation=muemg.simulate(scenario, seed=seed)))
    simulation = muemg.read(path).simulation
    if simulation is None:
        raise SystemExit(f"{path} holds no simulation; remove it")
    return simulation


def linear_bound(
    recording: muemg.Recording, truth: muemg.SpikeTrains, simulation: muemg.Simulation
) -> np.ndarray:
    """Best rate of agreement of every unit's linear filter made from its true potential, shape (n_units,)."""
    prepared = prepare(recording, low=20.0, high=500.0)
    n_delays = extension_factor(len(prepared.signal), recording.sampling_rate)
    extended = Extended.of(prepared.signal.T, n_delays)
    whitening, _ = whiten(extended.covariance())
    pad, n_lags, offset = 400, 102, 30
    edges = scipy_signal.butter(2, (20, 500), "bandpass", fs=recording.sampling_rate, output="sos")
    framed = np.pad(simulation.muaps.astype(np.float64), ((0, 0), (0, 0), (pad, pad)))
    filtered = scipy_signal.sosfiltfilt(edges, framed, axis=2, padtype=None)
    potentials = filtered[:, :, pad - offset : pad - offset + n_lags] / prepared.scale
    templates = np.ascontiguousarray(potentials.transpose(0, 2, 1), np.float32)
    responses, delays = best_responses(templates, whitening, n_delays, offset)
    sources = extended.filter(whitening.filters(responses)[0])
    best = np.zeros(len(truth))
    for u, train in enumerate(truth):
        if len(train) >= 10:
            best[u] = _best_agreement(np.roll(sources[u], -delays[u]), train, recording.sampling_rate)
    return best


def _best_agreement(source: np.ndarray, train: np.ndarray, rate: float) -> float:
    peaks, heights = source_peaks(source, rate)
    order, best = np.argsort(-heights), 0.0
    for n in range(max(1, int(0.8 * len(train))), int(1.25 * len(train)) + 2):
        found = peaks[order[:n]]
        after = np.searchsorted(train, found)
        gap = np.minimum.reduce(
            [np.abs(train[np.clip(i, 0, len(train) - 1)] - found) for i in (after - 1, after)]
        )
        hit = int((gap <= TOLERANCE).sum())
        best = max(best, hit / (n + len(train) - hit))
    return best


def scored(found: muemg.Decomposition, truth: muemg.SpikeTrains) -> tuple[int, int, list[tuple[int, int]]]:
    """How many found units are right, how many were reported, and the pairs (found, true)."""
    comparison = muemg.compare(found, truth)
    match, agreement = comparison.found["match"], comparison.found["rate_of_agreement"]
    pairs = [(i, int(match[i])) for i in range(len(found)) if agreement[i] >= 0.9]
    return len(pairs), len(found), pairs


def row(simulation: muemg.Simulation, seconds: float, options: dict[str, Any]) -> dict[str, Any]:
    """One recording: bound, blind, BMISS, and the errors of the parameters of what BMISS found."""
    first = FIRST[seconds > 20]
    recording = simulation.recording.time_slice(first, first + seconds)
    truth = simulation.spikes.time_slice(first, first + seconds)
    bound = linear_bound(recording, truth, simulation)
    began = time.perf_counter()
    blind = scored(muemg.decompose(recording, method="fastica"), truth)
    blind_time = time.perf_counter() - began
    conductor = presets.planar(fat=3 * mm, skin=1 * mm, reach=0.12, k_max=2e3)
    began = time.perf_counter()
    found = BMISS(conductor=conductor, **options).decompose(recording)
    bmiss_time = time.perf_counter() - began
    right, reported, pairs = scored(found, truth)
    errors: dict[str, list[float]] = {name: [] for name in PARAMETERS}
    inside: dict[str, list[bool]] = {name: [] for name in PARAMETERS}
    for i, j in pairs:
        for name, (column, factor) in PARAMETERS.items():
            true = float(simulation.motor_units[column][j])
            errors[name].append(abs(float(found.anatomy[name][i]) - true) * factor)
            low, high = found.anatomy[f"{name}_low"][i], found.anatomy[f"{name}_high"][i]
            inside[name].append(bool(low <= true <= high))
    return {
        "seconds": seconds,
        "bound": int((bound >= 0.9).sum()),
        "blind": blind[:2],
        "blind_s": round(blind_time, 1),
        "bmiss": (right, reported),
        "bmiss_s": round(bmiss_time, 1),
        "errors": errors,
        "inside": inside,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[3.0, 5.0, 10.0, 27.0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scenes", type=Path, default=Path("scenes"), help="where simulated scenes are kept")
    parser.add_argument("--options", default="{}", help='parameters of BMISS as JSON, {"correct": false}')
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for seconds in arguments.seconds:
        of = []
        for seed in range(arguments.seeds):
            of.append(
                {"seed": seed, **row(scene(seed, arguments.scenes), seconds, json.loads(arguments.options))}
            )
            print({k: v for k, v in of[-1].items() if k not in ("errors", "inside")}, flush=True)
        rows += of
        print(f"{seconds:g} s, median (range) over {len(of)} seeds")
        for name in ("bound", "blind", "bmiss"):
            right = [each[name] if name == "bound" else each[name][0] for each in of]
            print(f"  {name}: {np.median(right):g} ({min(right)}–{max(right)}) right", end="")
            print("" if name == "bound" else f" of {np.median([each[name][1] for each in of]):g} reported")
        for name in PARAMETERS:
            values = np.concatenate([each["errors"][name] for each in of])
            if len(values):
                cover = np.concatenate([each["inside"][name] for each in of]).mean()
                print(f"  {name}: median error {np.median(values):.2f}, intervals hold {100 * cover:.0f} %")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
