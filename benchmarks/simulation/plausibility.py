"""Does a simulated recording look like a real one? The numbers of the table in docs/simulation.md.

OMP_NUM_THREADS=1 python benchmarks/simulation/plausibility.py
"""

import json

import numpy as np
from scipy.signal import welch

import muemg
from forward_models import ElectrodeArray, Fibres, filters, motor_unit_potentials, presets
from muemg.muscle import Ellipse, MuscleArchitecture, make_motor_units, myopathic, neurogenic
from muemg.simulation import interference_signal

SCENE = {
    "base": "tibialis-64",
    "recording": {"duration_s": 12, "snr_db": "inf"},
    "muscle": {"assignment": "uniform"},
    "neurons": {"input_deviation": 0.01},
    "amplifier": {"montage": "single_differential"},
    "drive": {"controls": "force", "rest_s": 1, "ramp_s": 2},
}
LEVELS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def effort():
    """Surface signals against force: amplitude, median frequency, cancellation, rates, steadiness."""
    for level in LEVELS:
        made = muemg.simulate({**SCENE, "drive": {**SCENE["drive"], "level": level}}, seed=1)
        held = slice(4 * 2048, 9 * 2048)
        middle = _middle(made)
        signal = made.recording.signal[middle, held].astype(float)
        frequency, power = welch(signal, 2048.0, nperseg=2048)
        total = np.cumsum(power.sum(axis=0))
        # Keenan et al. 2005: rectified before the sum against after it.
        apart = interference_signal(list(made.spikes), np.abs(made.muaps[:, middle]), made.spikes.n_samples)[
            :, held
        ]
        # Five electrodes on make the 20 mm of a clinic's bipolar pair.
        wide = made.recording.signal[:, held].astype(float)
        _, broad = welch(_bipolar(made, wide), 2048.0, nperseg=2048)
        summed = np.cumsum(broad.sum(axis=0))
        force = made.recording.auxiliary["force"][held]
        rates, variations = [], []
        for train in made.spikes:
            intervals = np.diff(train[(train >= held.start) & (train < held.stop)]) / 2048
            intervals = intervals[intervals < 0.5]
            if intervals.size > 15:
                rates.append(1 / intervals.mean())
                variations.append(intervals.std() / intervals.mean())
        show(
            force=level,
            rms_uv=1e6 * signal.std(),
            median_frequency_hz=np.interp(total[-1] / 2, total, frequency),
            median_frequency_20_mm_hz=np.interp(summed[-1] / 2, summed, frequency),
            cancellation=1 - np.abs(signal).mean() / apart.mean(),
            force_cov=force.std() / force.mean(),
            rate_hz=np.mean(rates),
            isi_cov=np.median(variations),
            units=len(rates),
        )


def velocity():
    """Conduction velocity from the exported recording, by the delay of double differentials."""
    scene = {
        **SCENE,
        "amplifier": {"montage": "double_differential"},
        "drive": {**SCENE["drive"], "level": 0.3},
    }
    made = muemg.simulate(scene, seed=1)
    units = made.motor_units
    # Units count by their power in the signal: large ones, which are faster, dominate.
    weight = made.spikes.n_spikes * np.sum(made.muaps.astype(float) ** 2, axis=(1, 2))
    z = made.recording.electrodes.positions[:, 2]
    index = made.recording.electrodes.grid_index
    rows = {(r, c): i for i, (r, c) in enumerate(index.tolist())}
    signal = made.recording.signal[:, 4 * 2048 : 9 * 2048].astype(float)
    found = []
    for (r, c), i in rows.items():
        # pairs well on one side of the innervation zone
        if (r + 1, c) in rows and z[i] > 12e-3 and z[rows[r + 1, c]] < 26e-3:
            a, b = np.fft.rfft(signal[i]), np.fft.rfft(signal[rows[r + 1, c]])
            cross = np.fft.irfft(a.conj() * b, 16 * signal.shape[1])[:512]
            lag = np.argmax(cross) / (16 * 2048)
            found.append(abs(z[rows[r + 1, c]] - z[i]) / lag)
    show(velocity_m_per_s=np.median(found), true_by_power=np.average(units["velocity"], weights=weight))


def muaps():
    """Surface action potentials, single differential: amplitude and duration over the units."""
    made = muemg.simulate({**SCENE, "drive": {**SCENE["drive"], "level": 0.1}}, seed=1)
    best = np.ptp(made.muaps, axis=2).argmax(axis=1)
    shapes = made.muaps[np.arange(len(best)), best].astype(float)
    size = np.ptp(shapes, axis=1)
    above = np.abs(shapes) > 0.05 * size[:, None]
    last, first = above.shape[1] - above[:, ::-1].argmax(axis=1), above.argmax(axis=1)
    show(
        peak_to_peak_uv=np.percentile(1e6 * size, [5, 50, 95]),
        duration_ms=np.percentile((last - first) / 2.048, [5, 50, 95]),
    )


def fatigue():
    """Median frequency against velocity while velocity falls by 25 %."""
    scene = {**SCENE, "fatigue": {"velocity_loss": 0.25}}
    scene["drive"] = {"controls": "excitation", "profile": "constant", "level": 0.3}
    signal = muemg.simulate(scene, seed=1).recording.signal.astype(float)
    ends = []
    for part in (signal[:, : 2 * 2048], signal[:, -2 * 2048 :]):
        frequency, power = welch(part, 2048.0, nperseg=2048)
        total = np.cumsum(power.sum(axis=0))
        ends.append(np.interp(total[-1] / 2, total, frequency))
    show(median_frequency_first_last_hz=ends, ratio=ends[1] / ends[0], velocity_ratio=1 - 0.25 * 11 / 12)


CASES = [("healthy", 0.0)] + [(kind, s) for kind in ("myopathic", "neurogenic") for s in (0.25, 0.5, 0.75)]


def needle(cases=CASES, n_seeds=2, n_tips=2, n_units=8, n_fibres=90):
    """Concentric needle potentials of healthy and diseased units: the features that clinics measure."""
    # 60 fibres per mm² of muscle, 5 per mm² of one unit: territories that overlap twelvefold.
    architecture = MuscleArchitecture(
        mean_innervation_number=300,
        innervation_range=10,
        territory_density=5e6,
        proximal_length=40e-3,
        distal_length=40e-3,
        zone_width=4e-3,
        tendon_scatter=1e-3,
    )
    conductor = presets.unbounded()
    for kind, severity in cases:
        rows = []
        for seed in range(n_seeds):
            rng = np.random.default_rng(seed)
            units = make_motor_units(40, Ellipse(16e-3, 16e-3), architecture, rng, assignment="uniform")
            tips = rng.uniform(-3e-3, 3e-3, (n_tips, 2)) - [0, 8e-3]
            if kind == "myopathic":
                units = myopathic(units, severity, rng)
            elif kind == "neurogenic":
                units, _ = neurogenic(units, severity, rng)
            for x, y in tips:
                array = ElectrodeArray.needle((x, y, 15e-3), n_cannula=8)
                distance = np.hypot(*(units.fibre_xy - [x, y]).T)
                # A clinic takes the units that it is near to: two fibres within half a millimetre.
                near = np.bincount(units.unit[distance < 0.5e-3], minlength=len(units))
                chosen = rng.permutation(np.flatnonzero(near >= 2))[:n_units]
                blocks, index, alive = [], [], []
                for place, unit in enumerate(chosen):
                    # Beyond some millimetres fibres add little: the nearest of each unit.
                    mine = np.flatnonzero(units.unit == unit)
                    mine = mine[np.argsort(distance[mine])[:n_fibres]]
                    blocks.append(np.resize(mine, n_fibres))
                    alive.append(np.arange(n_fibres) < mine.size)
                    index.append(np.full(n_fibres, place))
                if not blocks:
                    continue
                # One shape, compiled once: what is missing carries nothing.
                while len(blocks) < n_units:
                    blocks.append(blocks[0])
                    alive.append(np.zeros(n_fibres, dtype=bool))
                    index.append(np.full(n_fibres, n_units - 1))
                f, real = np.concatenate(blocks), np.concatenate(alive)
                fibres = Fibres(
                    units.fibre_xy[f],
                    units.fibre_end_plate[f],
                    np.column_stack(
                        [
                            units.fibre_distal_end[f] - units.fibre_end_plate[f],
                            units.fibre_end_plate[f] - units.fibre_proximal_end[f],
                        ]
                    ),
                    units.fibre_velocity[f],
                    np.where(real, units.fibre_diameter[f], 1e-9),
                )
                potentials = motor_unit_potentials(
                    conductor.lead_field(array),
                    fibres,
                    np.concatenate(index),
                    n_units=n_units,
                    sampling_rate=10e3,
                    n_samples=250,
                    n_nodes=400,
                )
                core = np.einsum("oc,uct->ut", filters.concentric_needle(array), np.asarray(potentials))
                rows += [features(shape, 10e3) for shape in core[: len(chosen)]]
        medians = {key: np.median([row[key] for row in rows]) for key in rows[0]}
        show(kind=kind, severity=severity, n=len(rows), **medians)


def features(shape, rate):
    """Amplitude (mV), duration (ms), phases, turns, area (mV ms) and thickness = area/amplitude (ms)."""
    millivolts = 1e3 * np.asarray(shape, dtype=float)
    amplitude = np.ptp(millivolts)
    # Begin and end where the slope per sample stays below 2 % of the amplitude; phases beyond 20 uV, turns
    # beyond 50 uV.
    slope = np.abs(millivolts[1:] - millivolts[:-1])
    active = np.flatnonzero(slope > 0.02 * amplitude)
    first, last = active[0], active[-1] + 1
    inside = millivolts[first : last + 1]
    sign = np.sign(np.where(np.abs(inside) > 0.02, inside, 0))
    sign = sign[sign != 0]
    turns, reference, direction = 0, inside[0], 0
    for value in inside:
        step = value - reference
        if direction * step < -0.05 or (direction == 0 and abs(step) > 0.05):
            turns += direction != 0
            direction, reference = np.sign(step), value
        elif direction * step > 0:
            reference = value
    area = np.abs(inside).sum() / rate * 1e3
    return {
        "amplitude_mv": amplitude,
        "duration_ms": (last - first) / rate * 1e3,
        "phases": 1 + np.count_nonzero(np.diff(sign)) if sign.size else 0,
        "turns": turns,
        "area_mv_ms": area,
        "thickness_ms": area / amplitude,
    }


def _bipolar(made, signal):
    """Sums of five successive single differentials: pairs of electrodes 20 mm apart."""
    cells = {tuple(cell): i for i, cell in enumerate(made.recording.electrodes.grid_index.tolist())}
    chains = [[cells.get((row + k, column)) for k in range(5)] for row, column in cells]
    return np.array([signal[chain].sum(axis=0) for chain in chains if None not in chain])


def _middle(made):
    """Channels over the distal half, clear of the innervation zone and of the tendon."""
    z = made.recording.electrodes.positions[:, 2]
    return np.flatnonzero((z > 8e-3) & (z < 22e-3))


def show(**values):
    def plain(value):
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        return [float(f"{x:.3g}") for x in array] if array.ndim else float(f"{array:.3g}")

    print(json.dumps({key: plain(value) for key, value in values.items()}), flush=True)


if __name__ == "__main__":
    muaps()
    velocity()
    fatigue()
    effort()
    needle()
