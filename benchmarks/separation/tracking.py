"""Tracking: how many units are followed to another session, how many wrongly, and what confidence means.

    OMP_NUM_THREADS=1 python benchmarks/separation/tracking.py [--seeds 5] [--first 100] [--fit]

One muscle (`demo-64`, 30 units), two sessions: other effort, other noise, electrodes moved by 0, 2 and 5 mm in
a random direction. In each session a random three quarters of the units that linear filters can see are
reported, so that units of one session are missing in the other. Units come from the true discharges of 20 s
through `muemg.learn_filters` and `muemg.decode`, with their errors. `--fit` fits the two logistic models of
`muemg/separation/tracking.py` instead (use other seeds to judge them).
"""

from __future__ import annotations

import argparse
import json
import os
import pickle

import numpy as np
from scipy.optimize import linear_sum_assignment

import muemg
from muemg.metrics.matching import match_all_pairs
from muemg.separation import tracking

SHIFTS = (0.0, 2e-3, 5e-3)
GAIN_SCATTER = 0.2


def session(seed: int, level: float, shift: tuple[float, float], rng: np.random.Generator):
    """Decomposition, recording, and which true unit each is."""
    scene = muemg.Scenario.preset("demo-64").override(
        {
            "recording.duration_s": 20,
            "muscle.n_units": 30,
            "drive.profile": "constant",
            "drive.level": level,
            "electrodes.center_z_mm": 1e3 * shift[0],
            "electrodes.center_x_mm": 1e3 * shift[1],
        }
    )
    made = muemg.simulate(scene, seed=seed)
    known = muemg.decode(made.recording, muemg.learn_filters(made.recording, made.spikes))
    seen = []
    for unit, (one, other) in enumerate(zip(known.spikes, made.spikes)):
        matched, _ = match_all_pairs([one], [other], 2, 100)
        if matched[0, 0] >= 0.85 * max(len(one) + len(other) - matched[0, 0], 100):
            seen.append(unit)
    chosen = rng.permutation([unit for unit in seen if rng.random() < 0.75])
    return known.select_units(chosen), made.recording, chosen


def evidence_of(seeds: range) -> list[dict]:
    """One entry per pair of sessions: what the comparison saw, and which pairs are one unit."""
    entries = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        one, recording, names = session(seed, 0.2, (0.0, 0.0), rng)
        for size in SHIFTS:
            angle = rng.uniform(0, 2 * np.pi)
            shift = (size * np.cos(angle), size * np.sin(angle))
            two, again, other_names = session(seed, 0.25, shift, rng)
            for filters in (False, True):
                a, b = (
                    tracking._View.of("", (found if filters else _without(found), where))
                    for found, where in ((one, recording), (two, again))
                )
                seen = tracking._compare(a, b, 10e-3, 5e-3)
                entries.append(
                    {
                        "seed": seed,
                        "shift": size,
                        "filters": filters,
                        "evidence": seen,
                        "same": names[:, None] == other_names[None],
                        "error": float(
                            np.hypot(
                                seen.displacement["along"] - shift[0], seen.displacement["across"] - shift[1]
                            )
                        ),
                    }
                )
            print(
                f"seed {seed} shift {1e3 * size:.0f} mm: {len(names)} and {len(other_names)} units",
                flush=True,
            )
    return entries


def _without(found: muemg.Decomposition) -> muemg.Decomposition:
    from dataclasses import replace

    return replace(found, filters=None)


def fit(entries: list[dict]) -> None:
    """Logistic regression on the pairs that an assignment by similarity alone proposes, a little regularised."""
    for filters in (False, True):
        rows, labels = [], []
        rng = np.random.default_rng(0)
        for entry in entries * 10:
            if entry["filters"] != filters:
                continue
            seen = entry["evidence"]
            part = some(seen.similarity.shape, rng)
            similarity, agreement = seen.similarity[part], np.nan_to_num(seen.agreement[part])
            margin = similarity - tracking._best_other(similarity)
            # Skin and contacts change from day to day, which the simulation does not know.
            ratio = np.abs(seen.ratio[part] + GAIN_SCATTER * rng.standard_normal(similarity.shape))
            columns = tracking._features(similarity, margin, ratio)
            if filters:
                columns = (*columns, agreement)
            i, j = linear_sum_assignment(similarity + filters * agreement, maximize=True)
            rows.append(np.stack([column[i, j] for column in columns], axis=1))
            labels.append(entry["same"][part][i, j])
        x, y = np.concatenate(rows), np.concatenate(labels).astype(float)
        weights = np.zeros(x.shape[1])
        for _ in range(50):
            p = 1 / (1 + np.exp(-x @ weights))
            gradient = x.T @ (y - p) - 0.1 * weights
            hessian = (x * (p * (1 - p))[:, None]).T @ x + 0.1 * np.eye(len(weights))
            weights += np.linalg.solve(hessian, gradient)
        name = "_WITH_FILTERS" if filters else "_SHAPE_ONLY"
        print(
            f"{name} = {tuple(np.round(weights, 2).tolist())}  # {len(y)} pairs, {int(y.sum())} of them one unit"
        )


def some(shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Some of the units of either session, from one to all: sessions come in all sizes."""
    kept = [rng.permutation(n)[: rng.integers(1, n + 1)] for n in shape]
    return np.ix_(*kept)


def judge(entries: list[dict]) -> list[dict]:
    rows = []
    for filters in (False, True):
        for size in (*SHIFTS, None):
            confidence, right, possible, error = [], [], 0, []
            for entry in entries:
                if entry["filters"] != filters or size not in (None, entry["shift"]):
                    continue
                seen = entry["evidence"]
                margin = seen.similarity - tracking._best_other(seen.similarity)
                values = tracking._confidence(seen.similarity, margin, seen.ratio, seen.agreement)
                for i, j in tracking._assign(values, 0.0):
                    confidence.append(values[i, j])
                    right.append(entry["same"][i, j])
                possible += int(entry["same"].sum())
                error.append(entry["error"])
            c, r = np.array(confidence), np.array(right)
            taken = c >= 0.5
            row = {
                "filters": filters,
                "shift_mm": "all" if size is None else 1e3 * size,
                "units_in_both": possible,
                "matched": int(taken.sum()),
                "right": int(r[taken].sum()),
                "recall": r[taken].sum() / possible,
                "precision": r[taken].mean(),
                "displacement_error_mm": 1e3 * float(np.median(error)),
            }
            for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
                inside = (c >= low) & (c < high)
                row[f"{low:g}–{min(high, 1):g}"] = (
                    f"{c[inside].mean():.2f} → {r[inside].mean():.2f} ({inside.sum()})"
                    if inside.any()
                    else "–"
                )
            rows.append(row)
            print("  ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--evidence", default="", help="file to keep the comparisons in, or take them from")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    if options.evidence and os.path.exists(options.evidence):
        with open(options.evidence, "rb") as file:
            entries = pickle.load(file)
    else:
        entries = evidence_of(range(options.first, options.first + options.seeds))
        if options.evidence:
            with open(options.evidence, "wb") as file:
                pickle.dump(entries, file)
    if options.fit:
        fit(entries)
    rows = judge(entries)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1, default=float)


if __name__ == "__main__":
    main()
