"""Classical EMG features beside those of the real libemg, on the same windows.

    OMP_NUM_THREADS=1 python benchmarks/drive/against_libemg.py

makes libemg's environment when it is not there (benchmarks/environments) and prints, feature by feature, the
largest difference relative to the feature's largest value. Windows: the real vastus lateralis, 200 ms each
(``--synthetic``: coloured noise instead, which needs no download), in units of its standard deviation, since
libemg's log detector adds 1 to every sample; and the same rounded to tenths, which makes exact zeros.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

NAMES = ["MAV", "WL", "ZC", "SSC", "RMS", "IAV", "VAR", "WAMP", "LD"]
NAMES += ["M0", "M2", "M4", "SPARSI", "IRF", "WLF", "AR", "MDF", "MNF"]
RATE, WAMP = 2048.0, 0.5
EXPLAINED = {
    "ZC": "libemg misses a crossing that passes through an exact zero",
    "SSC": "libemg counts every sample next to a flat stretch: product of slopes >= 0",
    "LD": "libemg: exp(mean(log(|x| + 1))); here exp(mean(log|x|))",
}


def other_side(source: str, target: str) -> None:
    """Runs in libemg's environment: features of the windows in `source`."""
    folder = importlib.metadata.distribution("libemg").locate_file("libemg")
    spec = importlib.util.spec_from_file_location("features", str(Path(str(folder)) / "feature_extractor.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    settings = {"WAMP_threshold": WAMP, "MDF_fs": RATE, "MNF_fs": RATE}
    found = {}
    with np.load(source) as sets:
        for kind in sets:
            values = module.FeatureExtractor().extract_features(NAMES, sets[kind], settings)
            found |= {f"{kind}/{name}": np.asarray(value) for name, value in values.items()}
    np.savez(target, **found)


def windows(synthetic: bool) -> np.ndarray:
    """Windows in units of the signal's standard deviation, shape (n_windows, n_channels, n_samples)."""
    from muemg.drive import signal_windows
    from muemg.recording import Recording

    if synthetic:
        noise = np.random.default_rng(0).standard_normal((8, 20_000)).cumsum(axis=1)
        recording = Recording(np.diff(noise, axis=1) + 0.3 * np.diff(noise, axis=1)[::-1], RATE)
    else:
        from muemg.datasets import vastus_lateralis
        from muemg.preprocessing import band_pass

        recording = band_pass(vastus_lateralis().require("recording")).select_channels(range(1, 64, 8))
        recording = recording.time_slice(5, 25)
    cut = np.array(signal_windows(recording, length=0.2, step=0.1).X, dtype=np.float64)
    return cut / cut.std()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--synthetic", action="store_true")
    parser.add_argument("--other-side", nargs=2, metavar=("IN", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.other_side:
        other_side(*arguments.other_side)
        return 0
    from muemg.drive import EMGFeatures

    maker = Path(__file__).parents[1] / "environments" / "make.py"
    made = subprocess.run(
        [sys.executable, str(maker), "libemg-2.0.3"], stdout=subprocess.PIPE, text=True, check=True
    )
    plain = windows(arguments.synthetic)
    sets = {"measured": plain, "rounded": np.round(plain, 1)}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "windows.npz", Path(folder) / "features.npz"
        np.savez(source, **sets)
        peer = made.stdout.split()[-1]
        subprocess.run([peer, "-W", "ignore", __file__, "--other-side", str(source), str(target)], check=True)
        with np.load(target) as stored:
            theirs = dict(stored)
    print(f"{plain.shape[0]} windows of {plain.shape[1]} channels × {plain.shape[2]} samples")
    print(f"{'feature':8} {'measured':>10} {'rounded':>10}")
    for name in NAMES:
        differences = []
        for kind, cut in sets.items():
            model = EMGFeatures([name], sampling_rate=RATE, wamp_threshold=WAMP, log_floor=1e-12)
            ours, other = model.fit_transform(cut), theirs[f"{kind}/{name}"]
            differences.append(np.abs(ours - other).max() / np.abs(other).max())
        print(f"{name:8} {differences[0]:10.1e} {differences[1]:10.1e}  {EXPLAINED.get(name, '')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
