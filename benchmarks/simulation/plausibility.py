"""Does a simulated surface recording look like a real one? The tables of docs/simulation.md, over five seeds.

Every number is the median over seeds, with the smallest and the largest beside it. What a concentric needle
hears is in needle.py.

OMP_NUM_THREADS=1 python benchmarks/simulation/plausibility.py [number of seeds]
"""

import sys
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import welch

import muemg
from forward_models import ElectrodeArray
from muemg.simulation import Scenario, interference_signal
from muemg.simulation.crew import recruit
from muemg.simulation.geometry import make_scene

RATE = 2048
SCENE = {
    "base": "tibialis-64",
    "recording": {"duration_s": 12, "snr_db": "inf"},
    "muscle": {"assignment": "uniform"},
    "neurons": {"input_deviation": 0.01},
    "drive": {"controls": "force", "rest_s": 1, "ramp_s": 2},
}
# As small as a muscle of the hand, of the 120 motor units of Fuglevand et al. 1993 and Keenan et al. 2005.
HAND = {
    **SCENE,
    "muscle": {"assignment": "uniform", "n_units": 120, "shape": "circle", "width_mm": 16},
    "electrodes": {"code": "GR04MM1305"},
}
SCENES = {"tibialis": SCENE, "hand": HAND}
LEVELS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
HELD = slice(4 * RATE, 9 * RATE)


@dataclass(frozen=True)
class Made:
    """Discharges of one contraction, and the signal that they make (monopolar, without noise)."""

    electrodes: ElectrodeArray
    muaps: np.ndarray
    spikes: list
    signal: np.ndarray
    force: np.ndarray
    velocities: np.ndarray


@lru_cache(maxsize=1)
def muscle(name, seed):
    """A muscle with its action potentials, which are the same for every contraction."""
    plan = Scenario.from_dict(SCENES[name]).override(
        {"recording.duration_s": 0.1, "drive.profile": "constant"}
    )
    return muemg.simulate(plan, seed=seed)


def contraction(name, seed, **drive):
    """As `simulate` gives it, but the action potentials are computed once for all contractions of a muscle."""
    whole = muscle(name, seed)
    plan = Scenario.from_dict(SCENES[name]).override({f"drive.{key}": value for key, value in drive.items()})
    anatomy, neural, _, slow, _, choice, _ = np.random.default_rng(seed).spawn(7)
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    crew = recruit(plan, scene, anatomy, neural, slow, choice)
    signal = interference_signal(crew.samples, whole.muaps, plan.n_samples)
    return Made(
        whole.recording.electrodes,
        whole.muaps,
        crew.samples,
        signal,
        crew.forces[0],
        whole.motor_units["velocity"],
    )


def pairs(electrodes, steps):
    """Indices of electrodes `steps` rows apart, both on one half and clear of the zone and the tendon."""
    z = electrodes.positions[:, 2]
    cells = {tuple(cell): i for i, cell in enumerate(electrodes.grid_index.tolist())}
    found = [
        (cells[row + steps, column], i)
        for (row, column), i in cells.items()
        if (row + steps, column) in cells
    ]
    return np.array([p for p in found if 8e-3 < abs(z[list(p)].mean()) < 20e-3]).T


def difference(values, pair):
    return values[..., pair[0], :] - values[..., pair[1], :]


def cancellation(made, pair=None):
    """1 − rectified sum over sum of rectified action potentials (Keenan et al. 2005), on average."""
    muaps, signal = made.muaps, made.signal
    if pair is not None:
        muaps, signal = difference(muaps, pair), difference(signal, pair)
    apart = interference_signal(made.spikes, np.abs(muaps), signal.shape[1])
    return 1 - float(np.abs(signal[:, HELD]).mean() / apart[:, HELD].mean())


def median_frequency(signal):
    frequency, power = welch(signal.astype(float), RATE, nperseg=RATE)
    total = np.cumsum(power.sum(axis=0))
    return float(np.interp(total[-1] / 2, total, frequency))


def rates(made):
    """Discharge rates in Hz and coefficients of variation of units with more than 15 intervals."""
    found = []
    for train in made.spikes:
        intervals = np.diff(train[(train >= HELD.start) & (train < HELD.stop)]) / RATE
        intervals = intervals[intervals < 0.5]
        if intervals.size > 15:
            found.append((1 / intervals.mean(), intervals.std() / intervals.mean()))
    return np.array(found)


def effort(seed, level):
    """What changes with force."""
    made = contraction("tibialis", seed, level=level)
    near, wide = pairs(made.electrodes, 1), pairs(made.electrodes, 5)
    signal, force = made.signal, made.force[HELD]
    fired = rates(made)
    return {
        "active motor units": len(fired),
        "root mean square, 20 mm (µV)": 1e6 * difference(signal, wide)[:, HELD].std(),
        "median frequency, 4 mm (Hz)": median_frequency(difference(signal, near)[:, HELD]),
        "median frequency, 20 mm (Hz)": median_frequency(difference(signal, wide)[:, HELD]),
        "cancellation, 4 mm (%)": 100 * cancellation(made, near),
        "cancellation, 20 mm (%)": 100 * cancellation(made, wide),
        "cancellation, monopolar (%)": 100 * cancellation(made),
        "discharge rate (Hz)": fired[:, 0].mean(),
        "ISI coefficient of variation": np.median(fired[:, 1]),
        "force variation (%)": 100 * force.std() / force.mean(),
    }


def hand(seed, level):
    """Cancellation in a small muscle of many units."""
    made = contraction("hand", seed, level=level, controls="excitation")
    return {
        "active motor units": sum(len(train) > 4 for train in made.spikes),
        "cancellation, 20 mm (%)": 100 * cancellation(made, pairs(made.electrodes, 5)),
        "cancellation, monopolar (%)": 100 * cancellation(made),
    }


def once(seed):
    """What does not depend on force: action potentials, velocity read from the recording, fatigue."""
    made = contraction("tibialis", seed, level=0.3)
    near = pairs(made.electrodes, 1)
    shapes = difference(made.muaps, near).astype(float)
    shapes = shapes[np.arange(len(shapes)), np.ptp(shapes, axis=2).argmax(axis=1)]
    size = np.ptp(shapes, axis=1)
    above = np.abs(shapes) > 0.05 * size[:, None]
    long = (above.shape[1] - above[:, ::-1].argmax(axis=1) - above.argmax(axis=1)) / RATE
    read, true = velocity(made)
    tired = muemg.simulate(
        {
            **SCENE,
            "muscle": {**SCENE["muscle"], "most_fibres": 20},
            "fatigue": {"velocity_loss": 0.25},
            "drive": {"controls": "excitation", "profile": "constant", "level": 0.3},
        },
        seed=seed,
    ).recording.signal
    first, last = (
        median_frequency(difference(tired, near)[:, part])
        for part in (slice(2 * RATE), slice(-2 * RATE, None))
    )
    return {
        "action potential, 4 mm: 5 % of units below (µV)": 1e6 * np.percentile(size, 5),
        "– half of them (µV)": 1e6 * np.median(size),
        "– 95 % (µV)": 1e6 * np.percentile(size, 95),
        "duration above 5 % of it: median (ms)": 1e3 * np.median(long),
        "velocity read from the recording (m/s)": read,
        "– of the units, weighted by power (m/s)": true,
        "median frequency while velocity falls to 77 %: to (%)": 100 * last / first,
    }


def velocity(made):
    """Velocity by the delay of double differentials, and the units' own weighted by their power."""
    cells = {tuple(cell): i for i, cell in enumerate(made.electrodes.grid_index.tolist())}
    z, signal, found = made.electrodes.positions[:, 2], made.signal[:, HELD].astype(float), []

    def double(row, column):
        a, b, c = (signal[cells[row + k, column]] for k in (-1, 0, 1))
        return np.fft.rfft(2 * b - a - c)

    for (row, column), i in cells.items():
        whole = all((row + k, column) in cells for k in (-1, 1, 2))
        if whole and 12e-3 < abs(z[i]) < 24e-3 and 12e-3 < abs(z[cells[row + 1, column]]) < 24e-3:
            cross = np.fft.irfft(double(row, column).conj() * double(row + 1, column), 16 * signal.shape[1])
            around = np.concatenate([cross[-512:], cross[:512]])
            lag = (np.argmax(around) - 512) / (16 * RATE)
            if lag:
                found.append(abs((z[cells[row + 1, column]] - z[i]) / lag))
    weight = [len(train) for train in made.spikes] * np.sum(made.muaps.astype(float) ** 2, axis=(1, 2))
    return np.median(found), np.average(made.velocities, weights=weight)


def cell(values):
    low, middle, high = np.min(values), np.median(values), np.max(values)
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


def by_level(measure, levels, seeds, title):
    rows = [[measure(seed, level) for level in levels] for seed in seeds]
    made = dict(zip(levels, zip(*rows)))
    print(f"\n| {title} | " + " | ".join(f"{100 * level:.0f} %" for level in levels) + " |")
    print("|---" * (len(levels) + 1) + "|")
    for key in made[levels[0]][0]:
        print(f"| {key} | " + " | ".join(cell([one[key] for one in made[level]]) for level in levels) + " |")
    sys.stdout.flush()


if __name__ == "__main__":
    seeds = range(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    single = [once(seed) for seed in seeds]
    print("| | here |\n|---|---|")
    for key in single[0]:
        print(f"| {key} | {cell([one[key] for one in single])} |", flush=True)
    by_level(effort, LEVELS, seeds, "tibialis-64, per cent of the maximal force")
    by_level(hand, LEVELS, seeds, "120 units in 16 mm, per cent of the maximal excitation")
