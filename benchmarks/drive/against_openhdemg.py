"""Discharge rates, thresholds, variability, ΔF and coherence beside those of the real openhdemg, on one recording.

    OMP_NUM_THREADS=1 python benchmarks/drive/against_openhdemg.py

The recording is the vastus lateralis that openhdemg brings along, with the five motor units of the vendor's
software; both environments of openhdemg (0.1.2; 0.2.0b1, which has the coherence) are made when they are not
there. Each row prints what muemg gives, what openhdemg gives, and the largest difference over units or
frequencies. Rows in pairs show a difference in definition: first with muemg's settings put to what openhdemg
does, then as they are by default.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

STEADY = (15_000, 51_000)  # samples


def other_side(version: str, source: str, target: str) -> None:
    """Runs in openhdemg's environment."""
    import os
    import types
    import warnings

    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    import matplotlib

    matplotlib.use("Agg")
    try:
        import tkinter  # noqa: F401
    except ImportError:
        # Imported for file dialogs, which nothing here opens.
        for name in ("tkinter", "tkinter.filedialog", "tkinter.ttk", "matplotlib.backends.backend_tkagg"):
            stand_in = types.ModuleType(name)
            stand_in.__getattr__ = lambda _: type("Absent", (), {})
            stand_in.__all__ = []
            sys.modules[name] = stand_in
    import openhdemg.library as emg

    warnings.simplefilter("ignore")
    file = emg.emg_from_json(source)
    if version == "0.2.0b1":
        curve = emg.pooled_intramuscular_coherence(file)
        said = {"frequencies": curve["frequency"].tolist(), "coherence": curve["coherence"].tolist()}
    else:
        start, end = STEADY
        settings = {"event_": "rec_derec_steady", "start_steady": start, "end_steady": end}
        fits = emg.compute_svr(file)
        tables = {
            "thresholds": emg.compute_thresholds(file, event_="rt_dert", type_="rel", mvc=1.0),
            "rates": emg.compute_dr(file, **settings),
            "covisi": emg.compute_covisi(file, **settings),
            "delta_f": emg.compute_deltaf(file, fits["gensvr"]),
        }
        said = {name: {c: table[c].tolist() for c in table} for name, table in tables.items()}
        said["svr"] = [fit.tolist() for fit in fits["gensvr"]]
    Path(target).write_text(json.dumps(said), encoding="utf-8")


def ask(version: str, source: Path) -> dict:
    maker = Path(__file__).parents[1] / "environments" / "make.py"
    made = subprocess.run(
        [sys.executable, str(maker), f"openhdemg-{version}"], stdout=subprocess.PIPE, text=True, check=True
    )
    target = source.with_suffix(f".{version}.txt")
    python = made.stdout.split()[-1]
    command = [python, __file__, "--other-side", version, str(source), str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return json.loads(target.read_text(encoding="utf-8"))


def show(what: str, ours: np.ndarray, theirs: np.ndarray, digits: int = 3) -> None:
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    both = np.isfinite(ours) & np.isfinite(theirs)
    worst = np.abs(ours - theirs)[both].max() if both.any() else np.nan
    differ = int((np.isfinite(ours) != np.isfinite(theirs)).sum())
    note = f"; {differ} defined on one side only" if differ else ""
    shown = [" ".join(f"{v:.{digits}f}" for v in side) if len(side) <= 6 else "…" for side in (ours, theirs)]
    print(f"{what:42} {shown[0]:34} {shown[1]:34} {worst:.1e}{note}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other-side", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.other_side:
        other_side(*arguments.other_side)
        return 0
    import muemg
    from muemg import drive
    from muemg.datasets import vastus_lateralis

    contents = vastus_lateralis()
    spikes = contents.require("decomposition").spikes
    force = contents.require("recording").auxiliary["force"]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "vastus_lateralis.json"
        muemg.write(source, contents)
        peer, newer = ask("0.1.2", source), ask("0.2.0b1", source)

    print(f"{'':42} {'muemg':34} {'openhdemg':34} largest difference")
    came = drive.recruitment(spikes, force)
    show("recruitment force (% MVC)", came["recruitment_force"], peer["thresholds"]["rel_RT"])
    show("derecruitment force (% MVC)", came["derecruitment_force"], peer["thresholds"]["rel_DERT"])
    every, paused = (drive.discharge_statistics(spikes, longest=longest) for longest in (np.inf, 0.5))
    rates, variability = peer["rates"], peer["covisi"]
    show("mean instantaneous rate (Hz), all", every["rate_mean_instantaneous"], rates["DR_all"])
    show("  pauses above 0.5 s left out", paused["rate_mean_instantaneous"], rates["DR_all"])
    show("  1 / mean interval", paused["rate"], rates["DR_all"])
    show("rate at recruitment (Hz)", every["rate_recruitment"], rates["DR_rec"])
    show("rate at derecruitment (Hz)", every["rate_derecruitment"], rates["DR_derec"])
    show("  pauses above 0.5 s left out", paused["rate_recruitment"], rates["DR_rec"])
    show("CoV-ISI (%), all", 100 * every["cov_isi"], variability["COVisi_all"])
    show("  pauses above 0.5 s left out", 100 * paused["cov_isi"], variability["COVisi_all"])
    start, end = STEADY
    # Theirs go from the first discharge of the plateau to the first one at or after its end.
    stretched = muemg.SpikeTrains(
        tuple(t[(t >= start) & (t <= t[min(np.searchsorted(t, end), len(t) - 1)])] for t in spikes),
        spikes.sampling_rate,
        spikes.n_samples,
    )
    within = spikes.time_slice(start / spikes.sampling_rate, end / spikes.sampling_rate)
    measured = drive.discharge_statistics(stretched, longest=np.inf)
    show("rate on the plateau (Hz), one beyond", measured["rate_mean_instantaneous"], rates["DR_all_steady"])
    measured = drive.discharge_statistics(within, longest=np.inf)
    show("  within the plateau", measured["rate_mean_instantaneous"], rates["DR_all_steady"])
    # Theirs also count the interval that leads into the plateau.
    led = muemg.SpikeTrains(
        tuple(t[max(0, np.searchsorted(t, start) - 1) : np.searchsorted(t, end, "right")] for t in spikes),
        spikes.sampling_rate,
        spikes.n_samples,
    )
    measured = drive.discharge_statistics(led, longest=np.inf)
    show("CoV-ISI (%) on the plateau, one before", 100 * measured["cov_isi"], variability["COVisi_steady"])
    measured = drive.discharge_statistics(within, longest=np.inf)
    show("  within the plateau", 100 * measured["cov_isi"], variability["COVisi_steady"])

    theirs = np.array(peer["svr"], dtype=float)
    for label, weights in (("smoothed rates (Hz), 4 end weights", 4), ("  5 end weights", 5)):
        ours = drive.regressed_rates(spikes, n_end_weights=weights)
        show(label, ours.ravel(), theirs.ravel())
        found = drive.delta_f(spikes, ours).units["delta_f"]
        show(f"ΔF (Hz), {weights} end weights", found, np.array(peer["delta_f"]["dF"], dtype=float))
    show(
        "ΔF (Hz), their smoothed rates", drive.delta_f(spikes, theirs).units["delta_f"], peer["delta_f"]["dF"]
    )

    curve = drive.pooled_coherence(spikes, max_frequency=100)
    at = np.searchsorted(newer["frequencies"], curve.frequencies - 1e-6)
    beside = np.array(newer["coherence"])[at]
    show("pooled coherence, 0–100 Hz", curve.values, beside)
    for name, low, high in zip(*(curve.bands()[c] for c in ("band", "low", "high"))):
        inside = (curve.frequencies >= low) & (curve.frequencies < high)
        show(f"  mean in the {name} band", [curve.values[inside].mean()], [beside[inside].mean()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
