"""What a clinic's concentric needle hears of healthy and of diseased motor units.

The needle (0.46 mm thick) lies across the fibres. Its core is an ellipse of 0.58 × 0.15 mm, 0.07 mm², at
one potential: the mean over the area that it covers. The reference is the shaft behind it. Fibres behind the
core's plane are screened by the shaft, and none lie where the needle is (Nandedkar et al. 1988, Muscle Nerve
11: fibres in front of the core make the potential, those within 2.5 mm its duration).

Measured is what a clinic measures: units recruited in a weak contraction, potentials of at least 50 µV whose
steepest flank lasts at most 0.8 ms, filtered from 10 Hz on, up to the 10 kHz that 20 kHz of sampling hold.

OMP_NUM_THREADS=1 python benchmarks/simulation/needle.py
"""

import sys

import numpy as np
from scipy.signal import butter, lfilter

from forward_models import ElectrodeArray, Fibres, motor_unit_potentials, presets
from forward_models.muap import INTRACELLULAR_CONDUCTIVITY
from muemg.muscle import Ellipse, MuscleArchitecture, make_motor_units, myopathic, neurogenic

RATE = 20e3
N_SAMPLES = 400
REACH = 2.5e-3
# Along the fibres.
STEP, N_STEPS = 50e-6, 2048
# 5 fibres of one unit per mm²: a disc of 300 µm radius around one of its fibres then holds 0.7 others on the
# half that a single-fibre electrode hears, near the 1.5 fibres of the clinic's normal "fibre density".
# Single fibres of the human biceps conduct at 3.69 ± 0.71 m/s (Stålberg 1966), units at 2.6 to 5.3: what is
# left for the fibres of one unit is some 0.3 m/s, or 6 µm of diameter.
ARCHITECTURE = MuscleArchitecture(
    mean_innervation_number=300,
    innervation_range=10,
    territory_density=5e6,
    proximal_length=40e-3,
    distal_length=40e-3,
    zone_width=4e-3,
    tendon_scatter=1e-3,
    fibre_velocity_scatter=0.3,
)
N_UNITS = 40
# Fuglevand's pool has recruited two thirds of its units at a tenth of the maximal force.
WEAK = 2 * N_UNITS // 3
CASES = [("healthy", 0.0)] + [(kind, s) for kind in ("myopathic", "neurogenic") for s in (0.25, 0.5, 0.75)]
FEATURES = ("amplitude_mv", "duration_ms", "phases", "turns", "area_mv_ms", "thickness_ms")


def needle(x, y, z):
    """Points of the core and of the shaft behind it, the core's face towards +x, and what each counts."""
    u, w = np.meshgrid(np.linspace(-0.85, 0.85, 8), [-0.5, 0.5])
    inside = u**2 + w**2 <= 1
    core = np.column_stack([np.zeros(inside.sum()), 0.29e-3 * u[inside], 0.075e-3 * w[inside]])
    shaft = np.column_stack([np.full(10, -0.23e-3), 0.4e-3 + (np.arange(10) + 0.5) * 1e-3, np.zeros(10)])
    weights = np.concatenate([np.full(len(core), 1 / len(core)), np.full(10, -0.1)])
    return np.array([x, y, z]) + np.concatenate([core, shaft]), weights


def potential(units, fibres, tip, *, tissue="andreassen_rosenfalck_1980", rate=RATE):
    """Potential in mV of some fibres together, shape (N_SAMPLES,), unfiltered.

    The integral of `forward_models.muap` as one convolution along each fibre: with u the way from the
    end-plate and p = vt, φ = σ_i π a² ∫ V′(p − u) [b′(z_i + u) 1(u < L₁) − b′(z_i − u) 1(u < L₂)] du.
    """
    across, along = presets.conductivities(tissue).muscle_across, presets.conductivities(tissue).muscle_along
    points, weights = needle(*tip)
    u = STEP * np.arange(N_STEPS)
    x = np.maximum(u / 1e-3, 0)
    slope = 96 * (3 * x**2 - x**3) * np.exp(-x) / 1e-3
    spectrum = np.fft.rfft(slope, 2 * N_STEPS) * STEP
    times = np.arange(N_SAMPLES) / rate
    total = np.zeros(N_SAMPLES)
    for f in fibres:
        gap = units.fibre_xy[f] - points[:, :2]
        rho = across * along * (gap**2).sum(axis=1)[:, None]
        profile = np.zeros(N_STEPS)
        for sign, end in ((1, units.fibre_distal_end[f]), (-1, units.fibre_proximal_end[f])):
            z = units.fibre_end_plate[f] + sign * u - points[:, 2:]
            # b = 1 / (4π √(σ_ρ σ_z ρ² + σ_ρ² z²)) and its derivative
            b_slope = -(across**2) * z / (4 * np.pi * (rho + (across * z) ** 2) ** 1.5)
            profile += sign * (weights @ b_slope) * (u < abs(end - units.fibre_end_plate[f]))
        made = np.fft.irfft(spectrum * np.fft.rfft(profile, 2 * N_STEPS))[:N_STEPS]
        strength = INTRACELLULAR_CONDUCTIVITY * np.pi * (units.fibre_diameter[f] / 2) ** 2
        total += strength * np.interp(units.fibre_velocity[f] * times, u, made)
    return total


def filtered(shape, rate=RATE):
    """From 10 Hz on."""
    return lfilter(*butter(1, 10, "high", fs=rate), shape)


def check():
    """Largest difference from `forward_models`, over the largest potential, for one unit of one muscle."""
    units = make_motor_units(3, Ellipse(6e-3, 6e-3), ARCHITECTURE, np.random.default_rng(0), most_fibres=40)
    points, weights = needle(0.0, -3e-3, 15e-3)
    field = presets.unbounded().lead_field(ElectrodeArray(points, 0.0, "concentric needle"))
    fibres = Fibres(
        units.fibre_xy,
        units.fibre_end_plate,
        np.column_stack(
            [units.fibre_distal_end - units.fibre_end_plate, units.fibre_end_plate - units.fibre_proximal_end]
        ),
        units.fibre_velocity,
        units.fibre_diameter,
    )
    made = motor_unit_potentials(
        field, fibres, np.zeros(len(units.unit), int), n_units=1, sampling_rate=RATE, n_samples=N_SAMPLES
    )
    expected = 1e3 * weights @ np.asarray(made)[0]
    return (
        np.abs(potential(units, range(len(units.unit)), (0.0, -3e-3, 15e-3)) - expected).max()
        / np.abs(expected).max()
    )


def in_front(units, unit, x, y):
    """Fibres of a unit that the core faces, within reach."""
    mine = np.flatnonzero(units.unit == unit)
    off = units.fibre_xy[mine] - [x, y]
    # A fibre's own radius is the nearest that it can lie.
    return mine[(off[:, 0] > 0.03e-3) & (np.hypot(*off.T) < REACH)]


def features(shape, rate=RATE, *, baseline=0.01, gap=2e-3):
    """Amplitude (mV), duration (ms), phases, turns, area (mV ms) and thickness = area/amplitude (ms).

    `shape` is in mV. The potential lasts from the first to the last departure from the baseline by 10 µV;
    what comes after `gap` seconds of silence is a satellite and does not count. A phase departs by 20 µV, a
    turn by 50 µV.
    """
    on = np.flatnonzero(np.abs(shape) > baseline)
    if not on.size:
        return None
    cut = np.flatnonzero(np.diff(on) > gap * rate)
    begins, ends = np.append(on[0], on[cut + 1]), np.append(on[cut], on[-1])
    main = np.searchsorted(ends, np.abs(shape).argmax())
    inside = shape[begins[main] : ends[main] + 1]
    sign = np.sign(np.where(np.abs(inside) > 0.02, inside, 0))
    turns, reference, direction = 0, inside[0], 0
    for value in inside:
        step = value - reference
        if direction * step < -0.05 or (direction == 0 and abs(step) > 0.05):
            turns += direction != 0
            direction, reference = np.sign(step), value
        elif direction * step > 0:
            reference = value
    amplitude, area = np.ptp(inside), np.abs(inside).sum() / rate * 1e3
    corners = np.concatenate([[0], np.flatnonzero(np.diff(np.sign(np.diff(inside)))) + 1, [inside.size - 1]])
    flank = np.abs(np.diff(inside[corners])).argmax()
    return {
        "amplitude_mv": amplitude,
        "duration_ms": (ends[main] - begins[main]) / rate * 1e3,
        "phases": 1 + np.count_nonzero(np.diff(sign[sign != 0])),
        "turns": turns,
        "area_mv_ms": area,
        "thickness_ms": area / amplitude,
        "rise_ms": np.diff(corners)[flank] / rate * 1e3,
    }


def subject(
    kind,
    severity,
    seed,
    *,
    n_wanted=20,
    architecture=ARCHITECTURE,
    tissue="andreassen_rosenfalck_1980",
    **disease,
):
    """Features of the first `n_wanted` potentials that a clinic would measure in one muscle."""
    anatomy, illness, probe = np.random.default_rng(seed).spawn(3)
    units = make_motor_units(N_UNITS, Ellipse(16e-3, 16e-3), architecture, anatomy, assignment="uniform")
    order = np.arange(N_UNITS)
    if kind == "myopathic":
        units = myopathic(units, severity, illness, **disease)
    elif kind == "neurogenic":
        units, order = neurogenic(units, severity, illness, **disease)
    rows = []
    for _ in range(40):
        x, y = probe.uniform(-3e-3, 3e-3, 2) - [0, 8e-3]
        # Without a fibre within half a millimetre hardly any flank is steep enough: not worth computing.
        audible = [
            unit
            for unit in np.flatnonzero(order < WEAK)
            if (np.hypot(*(units.fibre_xy[in_front(units, unit, x, y)] - [x, y]).T) < 0.5e-3).any()
        ]
        # A few from each place, as a clinic does.
        chosen = probe.permutation(audible)[:6]
        for unit in chosen:
            tip = (x, y, 15e-3)
            found = features(filtered(potential(units, in_front(units, unit, x, y), tip, tissue=tissue)))
            if found and found["amplitude_mv"] >= 0.05 and found["rise_ms"] <= 0.8:
                rows.append(found)
        if len(rows) >= n_wanted:
            break
    return {key: np.array([row[key] for row in rows[:n_wanted]]) for key in FEATURES}


def table(cases=CASES, seeds=range(5), **options):
    """Rows of a Markdown table: of each subject the mean, of those the median and the smallest and largest."""
    print("| | amplitude (mV) | duration (ms) | phases | turns | area (mV ms) | thickness (ms) |")
    print("|---|---|---|---|---|---|---|")
    for kind, severity in cases:
        made = [subject(kind, severity, seed, **options) for seed in seeds]
        # Where few units are left, none may be within reach.
        heard = [one for one in made if one[FEATURES[0]].size]
        name = f"{kind} {100 * severity:.0f} %" if severity else kind
        if len(heard) < len(made):
            name += f" ({len(heard)} subjects)"
        cells = []
        for key in FEATURES:
            means = np.array([one[key].mean() for one in heard])
            cells.append(f"{np.median(means):.2f} ({means.min():.2f}–{means.max():.2f})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    print(f"largest difference from forward_models: {100 * check():.2f} % of the peak\n")
    table(seeds=range(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
