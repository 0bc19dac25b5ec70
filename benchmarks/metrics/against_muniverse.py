"""The metrics beside those of muniverse-emg, and the silhouettes beside three more tools, on the same trains.

Where the definitions agree the numbers must agree to 1e-12; where they differ on purpose the difference is shown. Each
tool runs in its own environment (python benchmarks/environments/make.py NAME makes one); those that are missing are
named and skipped.

    python benchmarks/metrics/against_muniverse.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import muemg
from muemg.metrics import (
    coefficient_of_dispersion,
    cov_isi,
    munitquest_score,
    pulse_to_noise_variant,
    separability,
    silhouette,
    silhouette_variant,
)
from muemg.metrics.matching import match_all_pairs

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / "environments"
FS, SECONDS = 2048.0, 60
N = int(FS * SECONDS)
TOLERANCE, REACH, DUPLICATE_REACH = int(1e-3 * FS), int(0.1 * FS), int(0.01 * FS)
AGREED = 1e-12
TOOLS = {
    "muniverse": ("muniverse-emg", "muniverse"),
    "openhdemg": ("openhdemg-0.2.0b1", "openhdemg"),
    "openhdemg-0.1": ("openhdemg-0.1.2", "openhdemg"),
    "emgdecompy": ("emgdecompy", "emgdecompy"),
    "emgdecomp": ("emgdecomp", "emgdecomp"),
}


def trains(rng: np.random.Generator, n_units: int) -> list[np.ndarray]:
    """Discharges at 8–16 Hz with a CoV of 0.15, off the ends of the recording."""
    rows = []
    for rate in rng.uniform(8, 16, n_units):
        times = 0.5 + np.cumsum(rng.normal(1, 0.15, 16 * SECONDS) / rate)
        rows.append(np.unique((times[times < SECONDS - 0.5] * FS).astype(int)))
    return rows


# Cases of docs/metrics.md in which the two differ.
_A = [1000, 1110, 1230, 1350, 1440, 1560]
CASES: dict[str, dict[str, Any]] = {
    "late by 0, 2 and 4 samples": {"found": [[1000, 2002, 3004]], "truth": [[1000, 2000, 3000]]},
    "a unit called 7": {"found": [_A], "truth": [_A], "ids": [7]},
    "three spikes that match nobody": {"found": [_A, [30000, 30100, 30270]], "truth": [_A]},
    "exactly 1 ms late, others not": {
        "found": [[1002, 3000, 5000]],
        "truth": [[1000, 3000, 5000]],
        "fs": 2000.0,
    },
}


def scenes() -> list[dict[str, Any]]:
    """Found trains: some spikes missed, some false, all shifted, some copied; with jitter in the second scene."""
    made = []
    for name, jitter in (("no jitter", 0), ("jitter of one sample", 1)):
        rng = np.random.default_rng(7)
        truth = trains(rng, 12)
        found = []
        for train in truth[:10]:
            kept = train[rng.random(len(train)) < rng.uniform(0.55, 1)]
            moved = kept + rng.integers(-jitter, jitter + 1, len(kept)) + rng.integers(-150, 150)
            false = rng.integers(1000, N - 1000, rng.integers(0, 60))
            found.append(np.unique(np.concatenate([moved, false])))
        found += [np.unique(found[0] + 9), np.unique(found[3][::2] - 12), *trains(rng, 2)]
        _, delays = match_all_pairs(truth, found, TOLERANCE, REACH)
        # muniverse shifts the truth onto the found, muemg tells by how much the found comes later.
        made.append({"name": name, "truth": truth, "found": found, "delays": delays.T.tolist()})
    return made


def sources() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A positive source, on which muemg's and muniverse's classes are the same, and one of Gaussian noise."""
    rng = np.random.default_rng(3)
    spikes = trains(rng, 1)[0]
    made = {}
    for name, noise in (("positive", np.abs(rng.normal(size=N))), ("Gaussian", rng.normal(size=N))):
        source = 0.5 * noise
        source[spikes] += rng.normal(6, 0.5, len(spikes))
        made[name] = (source, spikes)
    return made


def ask(name: str, given: dict[str, Any], folder: Path) -> dict[str, Any] | None:
    """What a tool makes of it, or None where its environment is missing."""
    environment, function = TOOLS[name]
    python = ENVIRONMENTS / environment / "bin" / "python"
    if not python.exists():
        print(f"{name}: no environment; python benchmarks/environments/make.py {environment}")
        return None
    np.savez(folder / "in.npz", given=np.array(given, dtype=object))
    command = [str(python), str(HERE / "tool_worker.py"), function, str(folder / "in.npz")]
    ran = subprocess.run(
        [*command, str(folder / f"{name}.json")], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        print(f"{name}: failed: {ran.stderr.strip().splitlines()[-1:]}")
        return None
    return dict(json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


class Report:
    """Lines of the comparison, and whether every number that must agree does."""

    def __init__(self) -> None:
        self.worst = 0.0

    def same(self, what: str, ours: Any, theirs: Any) -> None:
        """Numbers that must agree."""
        ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
        gap = float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs)))) if ours.size else 0.0
        self.worst = max(self.worst, gap)
        print(f"  {what}: largest difference {gap:.1e}{'' if gap <= AGREED else '  <-- differs'}")

    def differ(self, what: str, ours: float, theirs: float) -> None:
        """Numbers that differ on purpose."""
        print(f"  (on purpose) {what}: muemg {ours:.6g}, {theirs:.6g} there")


def matching(report: Report, scene: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Counts, assignment, duplicates and score of one scene."""
    name, truth, found = scene["name"], scene["truth"], scene["found"]
    as_trains = [muemg.SpikeTrains(tuple(rows), FS, N) for rows in (found, truth)]
    matched, _ = match_all_pairs(truth, found, TOLERANCE, REACH)
    print(f"{name}: {len(found)} found, {len(truth)} true units")
    report.same("matched spikes of all pairs at the same delay", matched.T, theirs[name + " counts"])
    rows = np.array(theirs[name], dtype=float)  # unit, match, delay, TP, FN, FP
    comparison = muemg.compare(*as_trains, min_f1=0.3)
    ours = comparison.found
    partner = np.where(ours["matched"], ours["match"], np.nan)
    report.same("who is whom", np.nan_to_num(partner, nan=-1), np.nan_to_num(rows[:, 1], nan=-1))
    known = ours["matched"]
    if name == "no jitter":
        counts = np.column_stack([ours[key] for key in ("tp", "fn", "fp")])
        report.same("TP, FN, FP of matched units", counts[known], rows[known, 3:6])
        report.differ("false spikes of unmatched units", ours["fp"][~known].sum(), rows[~known, 5].sum())
        kept = munitquest_score(*as_trains).units["status"] != "duplicate"
        report.same("duplicates", kept, theirs[name + " kept"])
        report.same("score", munitquest_score(*as_trains).score, theirs[name + " score"])
    else:
        report.differ("TP summed over units", ours["tp"].sum(), rows[:, 3].sum())
    apart = np.abs(ours["delay"] - rows[:, 2])[known] * FS
    print(
        f"  (on purpose) delay: {np.count_nonzero(apart > 0.5)} of {len(apart)} units aligned otherwise, ",
        end="",
    )
    print(f"by at most {apart.max():.0f} samples")


def cases(theirs: dict[str, Any]) -> None:
    """The hand-worked cases, by both."""
    for name, case in CASES.items():
        fs = case.get("fs", FS)
        found = muemg.SpikeTrains(tuple(case["found"]), fs, N, tuple(case.get("ids") or ()))
        ours = muemg.compare(found, muemg.SpikeTrains(tuple(case["truth"]), fs, N)).found
        rows = np.column_stack([ours[key] for key in ("tp", "fn", "fp")]).tolist()
        print(f"  (on purpose) {name}: TP, FN, FP {rows}, there {theirs[name]}")


def quality(
    report: Report, name: str, source: np.ndarray, spikes: np.ndarray, theirs: dict[str, Any]
) -> None:
    """Silhouette, ratio, separability and regularity of one source."""
    print(f"{name} source")
    report.same("SIL", silhouette_variant(source, spikes, FS, "muniverse"), theirs["sil"])
    report.same("PNR", pulse_to_noise_variant(source, spikes, "muniverse"), theirs["pnr"])
    report.same("dispersion", coefficient_of_dispersion(spikes, FS, longest=np.inf), theirs["cod"])
    n_intervals = len(spikes) - 1
    unbiased = theirs["cov_isi"] * np.sqrt(n_intervals / (n_intervals - 1))
    report.same("CoV-ISI, theirs over n − 1 instead of n", cov_isi(spikes, FS, longest=np.inf), unbiased)
    report.differ("CoV-ISI", cov_isi(spikes, FS), theirs["cov_isi"])
    if name == "positive":
        report.same("muemg's own SIL", silhouette(source, spikes, FS), theirs["sil"])
        report.same("separability", separability(source, spikes, FS), theirs["separability"])
    else:
        report.differ("SIL", silhouette(source, spikes, FS), theirs["sil"])
        report.differ("separability", separability(source, spikes, FS), theirs["separability"])


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    given = {"fs": FS, "scenes": scenes(), "sources": sources()}
    given["cases"] = {name: {"fs": FS, "ids": None, **case} for name, case in CASES.items()}
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        for name in TOOLS:
            theirs = ask(name, given, Path(temporary))
            if theirs is None:
                continue
            if name == "muniverse":
                for scene in given["scenes"]:
                    matching(report, scene, theirs)
                cases(theirs)
                for which, (source, spikes) in given["sources"].items():
                    quality(report, which, source, spikes, theirs[which])
                continue
            print(name)
            for which, (source, spikes) in given["sources"].items():
                at = np.array(theirs[which].get("spikes", spikes))
                report.same(f"SIL, {which}", silhouette_variant(source, at, FS, name), theirs[which]["sil"])
                if name in ("openhdemg", "emgdecompy"):
                    report.same(
                        f"PNR, {which}", pulse_to_noise_variant(source, at, name), theirs[which]["pnr"]
                    )
    print(f"largest difference where definitions agree: {report.worst:.1e}")
    sys.exit(report.worst > AGREED)


if __name__ == "__main__":
    main()
