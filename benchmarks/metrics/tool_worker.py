"""The metrics of another tool on given trains and sources; runs in that tool's environment, without muemg.

ENVIRONMENT/bin/python tool_worker.py TOOL IN.npz OUT.npz
"""

import json
import sys
import types
import warnings
from importlib.util import find_spec

import numpy as np

warnings.simplefilter("ignore")


def table(trains, fs, ids=None):
    """Spike trains as the table of events that muniverse takes."""
    import pandas as pd

    units = np.repeat(np.arange(len(trains)) if ids is None else ids, [len(train) for train in trains])
    samples = np.concatenate(trains)
    return pd.DataFrame({"onset": samples / fs, "unit_id": units, "event_type": "motor-unit-spike"})


def muniverse(given, fs):
    from muniverse.algorithms.core import get_duplicates_mask
    from muniverse.evaluation.evaluate import (
        calc_pnr,
        evaluate_spike_matches,
        match_spikes,
        pseudo_sil_score,
        signal_based_quality_metrics,
    )
    from scipy.stats import median_abs_deviation

    out = {}
    for scene in given["scenes"]:
        found, truth = table(scene["found"], fs), table(scene["truth"], fs)
        matches = evaluate_spike_matches(found, truth, fsamp=fs)
        out[scene["name"]] = matches.astype(float).to_numpy().tolist()
        out[scene["name"] + " counts"] = [
            [match_spikes(f / fs, t / fs, shift=delay / fs)[0] for t, delay in zip(scene["truth"], delays)]
            for f, delays in zip(scene["found"], scene["delays"])
        ]
        keep, _ = get_duplicates_mask(found, np.ones(len(scene["found"])), fs, mode="first")
        out[scene["name"] + " kept"] = keep.tolist()
        accepted = evaluate_spike_matches(found, truth, fsamp=fs, threshold=0.5, mask=keep)
        f1 = 2 * accepted["TP"] / (2 * accepted["TP"] + accepted["FP"] + accepted["FN"])
        out[scene["name"] + " score"] = float(f1[accepted["unit_id_ref"].notna() & keep].sum())
    for name, case in given["cases"].items():
        found, truth = table(case["found"], case["fs"], case["ids"]), table(case["truth"], case["fs"])
        rows = evaluate_spike_matches(found, truth, fsamp=case["fs"])
        out[name] = rows[["TP", "FN", "FP"]].to_numpy().tolist()
    for name, (source, spikes) in given["sources"].items():
        intervals = np.diff(spikes / fs)
        out[name] = {
            "sil": pseudo_sil_score(source, spikes, fs)[0],
            "pnr": calc_pnr(source, spikes)[0],
            "separability": signal_based_quality_metrics(source, spikes, fs)["sep_prctile90"],
            "cov_isi": np.std(intervals) / np.mean(intervals),
            "cod": median_abs_deviation(intervals) / np.median(intervals),
        }
    return out


def openhdemg(given, fs):
    import openhdemg
    import pandas as pd
    from openhdemg.library.mathtools import compute_pnr, compute_sil

    out = {"version": openhdemg.__version__}
    for name, (source, spikes) in given["sources"].items():
        out[name] = {
            "sil": compute_sil(pd.Series(source), spikes),
            "pnr": compute_pnr(pd.Series(source), spikes, fs, constrain_pulses=[True, 3]),
        }
    return out


def emgdecompy(given, fs):
    # Its own __init__ needs a plotting library of years ago.
    bare = types.ModuleType("emgdecompy")
    bare.__path__ = list(find_spec("emgdecompy").submodule_search_locations)
    sys.modules["emgdecompy"] = bare
    from emgdecompy.decomposition import pnr, silhouette_score

    return {
        name: {"sil": silhouette_score(source**2, spikes), "pnr": pnr(source**2, spikes)}
        for name, (source, spikes) in given["sources"].items()
    }


def emgdecomp(given, fs):
    for name, kind in (("int", int), ("float", float), ("bool", bool)):
        if name not in np.__dict__:
            setattr(np, name, kind)
    from emgdecomp.decomposition import EmgDecomposition
    from emgdecomp.parameters import EmgDecompositionParams

    model = EmgDecomposition(EmgDecompositionParams(sampling_rate=fs))
    out = {}
    for name, (source, _) in given["sources"].items():
        # It finds the spikes itself: they come back with the silhouette, whose sign it turns.
        spikes, minus_sil = model._improvement_iteration_inner(source**2, compute_sil=True)
        out[name] = {"sil": -minus_sil, "spikes": np.sort(spikes).tolist()}
    return out


def main():
    tool, source, target = sys.argv[1:]
    with np.load(source, allow_pickle=True) as stored:
        given = stored["given"].item()
    result = globals()[tool](given, given["fs"])
    with open(target, "w", encoding="utf-8") as stream:
        json.dump(result, stream, default=float)


if __name__ == "__main__":
    main()
