"""Motor-unit parameters of a real vastus lateralis, found with the forward model's gradients.

    python benchmarks/volume_conductors/vastus_lateralis_fit.py --figure fit.png --json fit.json

The MUAPs of five motor units (64 electrodes, band-passed recording, joint least squares over all discharges)
are fitted by the potential of a territory of fibres in a layered half-space, in two montages:

- single differential along the columns;
- monopolar, where what is the same on all electrodes at an instant (reference, far ends) is left to a
  free common signal, which least squares solves by taking the mean over electrodes from data and model.

All motor units lie in one conductor: fat thickness, conductivities and fibre direction are fitted for the five
together, the territories, end-plates, ends, velocities and latencies for each. The cosine of data and fit is
printed beside the highest that the noise of the average allows (from two halves of the discharges).
`--held-out` fits without every fifth electrode and compares on the outputs that contain one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_matrix
from territory_fit import AFTER, BAND, BEFORE, MARGIN, RANGES, SHARED, Fit, model, physical, say

import forward_models as fm


@dataclass(frozen=True)
class Montage:
    """What is compared: matrix @ monopolar potentials, shape (n_outputs, n_channels)."""

    name: str
    matrix: np.ndarray
    data: np.ndarray  # (n_units, n_outputs, n_samples), volts
    ceiling: np.ndarray  # (n_units,): cosine of a noiseless MUAP with the measured average
    sound: np.ndarray  # (n_outputs,): no electrode in poor contact in it

    def only(self, outputs: np.ndarray) -> Montage:
        """Some of the outputs."""
        return Montage(
            self.name, self.matrix[outputs], self.data[:, outputs], self.ceiling, self.sound[outputs]
        )

    def seen(self, electrodes: Sequence[int]) -> np.ndarray:
        """Which outputs have one of some electrodes in them, shape (n_outputs,)."""
        return (np.abs(self.matrix[:, electrodes]) > 0.5).any(axis=1)


# ---------------------------------------------------------------------- measured


def measured(
    equal_gains: bool = False,
) -> tuple[fm.ElectrodeArray, float, list[int], tuple[np.ndarray, ...]]:
    """Electrodes, sampling rate, electrodes in poor contact, MUAPs of all, of even and of odd discharges.

    MUAPs have the shape (n_units, n_channels, n_samples).
    """
    from muemg import datasets
    from muemg.preprocessing import band_pass

    contents = datasets.vastus_lateralis()
    recording, spikes = contents.recording, contents.spikes
    if recording is None or spikes is None or recording.electrodes is None:
        raise SystemExit("the vastus lateralis recording has come without signal, spikes or electrodes")
    signal = np.asarray(band_pass(recording, *BAND).signal, dtype=np.float64)
    gains = electrode_gains(signal, recording.electrodes)
    poor = np.flatnonzero(gains < 1).tolist()
    if not equal_gains:
        signal = signal / gains[:, None]
        for channel in poor:
            row, column = recording.electrodes.grid_index[channel]
            print(
                f"electrode in row {row}, column {column} records at {gains[channel]:.2f} of its neighbours"
            )
    trains = [np.asarray(train) for train in spikes]
    muaps = tuple(joint_average(signal, [train[part] for train in trains]) for part in _PARTS)
    return recording.electrodes, recording.sampling_rate, poor, muaps


_PARTS = (slice(None), slice(0, None, 2), slice(1, None, 2))


def electrode_gains(signal: np.ndarray, electrodes: fm.ElectrodeArray, limit: float = 0.15) -> np.ndarray:
    """Gain of electrodes that record less than their neighbours let expect (poor contact), 1 for the others.

    From the whole recording, whatever its MUAPs: the share of the common signal on each electrode is smooth
    over the grid. One after another, the electrode farthest from the smooth surface through the others is
    taken out, until none deviates by `limit` in the logarithm; those below it count, for contact only loses.
    """
    common = signal.mean(axis=0)
    level = np.log(signal @ common / (common @ common))
    bend = np.concatenate([fm.filters.double_differential(electrodes, a) for a in ("along", "across")])
    stiffness = 0.3 * bend.T @ bend + 1e-6 * np.eye(len(level))

    def expected(without: list[int]) -> np.ndarray:
        kept = np.ones(len(level))
        kept[without] = 0
        return np.linalg.solve(np.diag(kept) + stiffness, kept * level)

    out: list[int] = []
    while len(out) < len(level) // 8:
        deviation = {c: level[c] - expected([*out, c])[c] for c in range(len(level)) if c not in out}
        worst = max(deviation, key=lambda c: abs(deviation[c]))
        if abs(deviation[worst]) < limit:
            break
        out.append(worst)
    loss = np.minimum(level - expected(out), 0)
    return np.exp(np.where(np.isin(np.arange(len(level)), out), loss, 0))


def joint_average(signal: np.ndarray, trains: list[np.ndarray]) -> np.ndarray:
    """MUAPs that together explain the signal best (least squares), so that coincident units do not mix."""
    n_samples, length, wide = signal.shape[1], BEFORE + AFTER, 2 * MARGIN
    total = length + wide
    rows, columns = [], []
    for unit, train in enumerate(trains):
        for lag in range(total):
            at = train + lag - BEFORE - MARGIN
            at = at[(at >= 0) & (at < n_samples)]
            rows.append(at)
            columns.append(np.full(len(at), unit * total + lag))
    row, column = np.concatenate(rows), np.concatenate(columns)
    design = csr_matrix((np.ones(len(row)), (row, column)), shape=(n_samples, len(trains) * total))
    muaps = np.linalg.solve((design.T @ design).toarray(), design.T @ signal.T)
    return muaps.reshape(len(trains), total, -1).transpose(0, 2, 1)[:, :, MARGIN : MARGIN + length]


def montages(
    electrodes: fm.ElectrodeArray, poor: Sequence[int], muaps: Sequence[np.ndarray]
) -> list[Montage]:
    matrices = {
        "single differential": fm.filters.single_differential(electrodes),
        "monopolar, common signal free": fm.filters.common_average(electrodes),
    }
    result = []
    for name, matrix in matrices.items():
        whole, even, odd = (matrix @ each for each in muaps)
        between = np.array([cosine(a, b) for a, b in zip(even, odd)])
        # Halves that agree to r make a whole whose share of noiseless energy is 2r / (1 + r).
        sound = ~(np.abs(matrix[:, poor]) > 0.5).any(axis=1)
        result.append(Montage(name, matrix, whole, np.sqrt(2 * between / (1 + between)), sound))
    return result


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


# ---------------------------------------------------------------------- report


def outcome(fit: Fit, montage: Montage, thetas: np.ndarray, band_passed: Any) -> list[dict[str, Any]]:
    """Per unit: cosine, its ceiling, parameters in printed units, and the fitted signals in volts."""
    rows = []
    for unit, theta in enumerate(thetas):
        vector = jnp.asarray(theta, dtype=float)
        data, shape = montage.data[unit], np.asarray(fit.shape(vector), dtype=np.float64)
        gain = (shape * data).sum() / (shape * shape).sum()
        values = physical(vector)
        rows.append(
            {
                "theta": np.asarray(theta, dtype=float).tolist(),
                "cosine": cosine(shape, data),
                "ceiling": float(montage.ceiling[unit]),
                "sound electrodes": cosine(shape[montage.sound], data[montage.sound]),
                "parameters": {name: float(values[name]) * RANGES[name][3] for name in RANGES},
                "fitted": gain * shape,
                "potential": gain * 1e6 * np.asarray(band_passed(vector), dtype=np.float64),
            }
        )
    return rows


def table(name: str, rows: list[dict[str, Any]]) -> str:
    lines = [name, "  " + " " * 26 + "".join(f"{f'unit {unit}':>9}" for unit in range(len(rows)))]
    for key in ("cosine", "ceiling", "sound electrodes", "monopolar cosine"):
        if key in rows[0]:
            lines.append(f"  {key:26}" + "".join(f"{row[key]:9.3f}" for row in rows))
    for key, (low, high, unit, scale) in RANGES.items():
        label = f"{key} ({unit})"
        values = [row["parameters"][key] for row in rows]
        lines.append(f"  {label:26}" + "".join(f"{v:9.2f}" for v in values))
        at_limit = [
            u for u, v in enumerate(values) if min(v / scale - low, high - v / scale) < 0.02 * (high - low)
        ]
        if at_limit:
            lines[-1] += f"   at a limit: {at_limit}"
    return "\n".join(lines)


def draw(path: Path, electrodes: fm.ElectrodeArray, panels: list[tuple[str, np.ndarray, list[Any]]]) -> None:
    """Measured (black), fitted (red) and residual (blue) of every unit on the grid, one row a montage."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n_units, width = len(panels[0][2]), BEFORE + AFTER
    figure, axes = plt.subplots(2 * len(panels), n_units, figsize=(5 * n_units, 14 * len(panels)))
    index = np.asarray(electrodes.grid_index)
    for line, (name, first_electrode, pairs) in enumerate(panels):
        for unit, (data, fitted, value) in enumerate(pairs):
            scale = 1.3 / np.abs(data).max()
            for part, (curves, title) in enumerate(
                (
                    ([(data, "k"), (fitted, "tab:red")], f"cosine {value:.3f}"),
                    ([(data - fitted, "tab:blue")], "residual"),
                )
            ):
                axis = axes[2 * line + part, unit]
                for curve, colour in curves:
                    for electrode, samples in zip(first_electrode, curve):
                        row, column = index[electrode]
                        axis.plot(
                            column * width * 1.08 + np.arange(width),
                            samples * scale - row,
                            color=colour,
                            lw=0.8,
                        )
                peak = np.abs(data).max() * 1e6
                axis.set_title(f"unit {unit}, {name}: {title}, peak {peak:.0f} µV", fontsize=9)
                axis.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=60)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit motor-unit parameters to a real vastus lateralis.")
    parser.add_argument("--figure", type=Path, help="write measured, fitted and residual signals here")
    parser.add_argument("--json", type=Path, help="write cosines and parameters here")
    parser.add_argument("--bank", type=int, default=1000, help="random parameter vectors scored at first")
    parser.add_argument("--adam", type=int, default=6, help="of these improved by Adam, per unit")
    parser.add_argument("--refined", type=int, default=3, help="of these by Levenberg–Marquardt, per unit")
    parser.add_argument("--together", type=int, default=30, help="Levenberg–Marquardt steps of all units")
    parser.add_argument("--held-out", action="store_true", help="fit without every fifth electrode")
    parser.add_argument(
        "--resume", type=Path, help="go on from the JSON of an earlier run instead of searching"
    )
    parser.add_argument("--equal-gains", action="store_true", help="take every electrode's gain as 1")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    electrodes, rate, poor, muaps = measured(options.equal_gains)
    differential, monopolar = montages(electrodes, poor, muaps)
    muap = model(electrodes, rate)
    band_passed = jax.jit(muap)
    units = range(len(muaps[0]))

    def together(fit: Fit, start: np.ndarray) -> np.ndarray:
        began = time.perf_counter()
        thetas, loss = fit.refine(start, units, options.together, SHARED)
        say(f"Levenberg–Marquardt, all in one conductor: sum of losses {loss:.3f}", began)
        return thetas

    print(differential.name, flush=True)
    fitted = differential
    if options.held_out:
        unseen = differential.seen(range(2, len(electrodes), 5))
        fitted = differential.only(~unseen)
    fit = Fit(muap, fitted.matrix, fitted.data)
    if options.resume:
        earlier = json.loads(options.resume.read_text(encoding="utf-8"))[differential.name]
        start = np.array([row["theta"] for row in earlier])
    else:
        start = fit.search(rate, options.bank, options.adam, options.refined, options.seed)
    thetas = together(fit, start)
    if options.held_out:
        for unit, theta in enumerate(thetas):
            shape = differential.matrix @ np.asarray(band_passed(jnp.asarray(theta, dtype=float)))
            data = differential.data[unit]
            parts = (~unseen, unseen, unseen & differential.sound)
            values = (cosine(shape[part], data[part]) for part in parts)
            print(f"  unit {unit}: cosine where fitted", end=" ")
            print("{:.3f}, held out {:.3f}, of these on sound electrodes {:.3f}".format(*values))
        return
    along = outcome(fit, differential, thetas, band_passed)

    print(monopolar.name, flush=True)
    fit = Fit(muap, monopolar.matrix, monopolar.data)
    whole = outcome(fit, monopolar, together(fit, thetas), band_passed)
    for unit, row in enumerate(whole):
        data = muaps[0][unit]
        row["with_common"] = row["potential"] + (data - row["potential"]).mean(axis=0)
        row["monopolar cosine"] = cosine(row["with_common"], data)

    print(table(differential.name, along), table(monopolar.name, whole), sep="\n")
    if options.figure:
        first = differential.matrix.argmin(axis=1)
        shown = [(differential.data[u], row["fitted"], row["cosine"]) for u, row in enumerate(along)]
        mono = [(muaps[0][u], row["with_common"], row["monopolar cosine"]) for u, row in enumerate(whole)]
        draw(
            options.figure,
            electrodes,
            [("single differential", first, shown), ("monopolar", np.arange(len(electrodes)), mono)],
        )
    if options.json:
        arrays = ("fitted", "potential", "with_common")
        kept = {
            name: [{key: value for key, value in row.items() if key not in arrays} for row in rows]
            for name, rows in ((differential.name, along), (monopolar.name, whole))
        }
        options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
