"""Moving, tiring and jittering muscles: what is interpolated is what the forward model gives there."""

import numpy as np
import pytest
from scipy.signal import welch

from muemg import Scenario, simulate
from muemg.errors import InvalidArgumentError
from muemg.simulation import interference_signal
from muemg.simulation.convolution import varying_signal
from muemg.simulation.dynamics import interpolation, shortened

SMALL = {
    "recording": {"duration_s": 4, "snr_db": "inf"},
    "electrodes": {"code": "", "rows": 9, "columns": 3, "spacing_mm": 8},
    "muscle": {"n_units": 5, "most_fibres": 6, "mean_innervation_number": 100, "innervation_range": 5},
    "neurons": {"recruitment_range": 5},
    "drive": {"profile": "constant", "level": 0.5},
}


def small(**settings):
    return Scenario.from_dict(SMALL).override(settings)


def test_interpolation_is_exact_for_cubics_and_at_the_nodes():
    place = np.array([0.0, 0.3, 1.0, 2.5, 4.9, 6.0])
    first, weights = interpolation(place, 7)
    nodes = np.arange(7.0)

    def cubic(x):
        return x**3 - 2 * x**2 + 5

    read = sum(weights[:, j] * cubic(nodes[first + j]) for j in range(4))
    assert read == pytest.approx(cubic(place))
    assert weights.sum(axis=1) == pytest.approx(1)
    assert interpolation(np.array([0.25]), 2)[1][0] == pytest.approx([0.75, 0.25])


def test_mixtures_by_hand_and_against_the_plain_sum():
    rng = np.random.default_rng(0)
    templates = rng.normal(size=(5, 3, 2, 12)).astype(np.float32)
    trains = [np.array([3, 20]), np.zeros(0, int), np.array([0, 9, 38])]
    one = [np.full(train.size, 2) for train in trains]
    still = varying_signal(trains, templates, one, [np.ones((t.size, 1)) for t in trains], 40)
    assert still == pytest.approx(interference_signal(trains, templates[2], 40), abs=1e-6)
    half = varying_signal([[5]], templates[:, :1], [[1]], [[[0.25, 0.75]]], 40)
    assert half[:, 5:17] == pytest.approx(0.25 * templates[1, 0] + 0.75 * templates[2, 0], abs=1e-6)
    assert not varying_signal([[], []], np.ones((2, 2, 3, 4)), [[], []], [[], []], 9).any()
    with pytest.raises(
        InvalidArgumentError, match=r"muaps must have shape \(n_nodes, 1, n_channels, n_lags\)"
    ):
        varying_signal([[1]], np.ones((2, 3, 4)), [[0]], [[[1]]], 9)


@pytest.mark.parametrize(
    ("movement", "still"),
    [
        ({"movement.shift_along_mm": 6}, {"electrodes.center_z_mm": 3.0}),
        ({"movement.shift_across_mm": -6}, {"electrodes.center_x_mm": -3.0}),
    ],
)
def test_between_the_nodes_stands_what_the_forward_model_gives_there(movement, still):
    # With six nodes the middle of the way, 3 mm, is none of them. Half a swing lasts 4 s: at 2 s it is
    # half done.
    moving = simulate(small(**movement, **{"movement.frequency_hz": 0.125, "movement.nodes": 6}), seed=1)
    held = simulate(small(**still), seed=1)
    assert moving.spikes == held.spikes
    assert moving.recording.auxiliary["movement"][4096] == pytest.approx(0.5)
    instant = slice(4096 - 40, 4096 + 60)
    difference = moving.recording.signal[:, instant] - held.recording.signal[:, instant]
    # A tenth of a second about the middle the electrodes are within 0.3 mm of it; 6 mm away the signal is
    # another.
    away = simulate(small(), seed=1).recording.signal[:, instant] - held.recording.signal[:, instant]
    assert np.linalg.norm(difference) < 0.12 * np.linalg.norm(away)


def test_templates_read_in_between_are_those_of_the_forward_model():
    from muemg.simulation.crew import recruit
    from muemg.simulation.dynamics import potentials_of
    from muemg.simulation.geometry import make_scene

    plan = small(**{"movement.shift_along_mm": 8, "movement.shortening": 0.1, "movement.nodes": 7})
    finer = plan.override({"movement.nodes": 13})
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    crew = recruit(plan, scene, *np.random.default_rng(2).spawn(4))
    architecture = plan.muscle.architecture()
    seven, thirteen = (
        potentials_of(p, scene, crew.motor_units, architecture, np.random.default_rng(0)).muaps
        for p in (plan, finer)
    )
    assert seven[::6] == pytest.approx(thirteen[::12], rel=1e-4, abs=1e-9)
    for odd in range(1, 13, 2):
        first, weights = interpolation(np.array([odd / 2]), 7)
        read = np.einsum("j,jucl->ucl", weights[0], seven[first[0] : first[0] + 4])
        error = np.linalg.norm(read - thirteen[odd]) / np.linalg.norm(thirteen[odd])
        # 1.3 mm and 1.7 % of length between nodes; end effects have the steepest flanks.
        assert error < 0.03


def test_a_shortened_muscle_keeps_its_proximal_end_and_its_volume():
    from muemg.muscle import Ellipse, MuscleArchitecture, make_motor_units

    m = make_motor_units(
        4, Ellipse(20e-3, 20e-3), MuscleArchitecture(), np.random.default_rng(0), most_fibres=5
    )
    short = shortened(m, 0.2, -60e-3)
    assert short.fibre_end_plate == pytest.approx(-60e-3 + 0.8 * (m.fibre_end_plate + 60e-3))
    length, before = (u.fibre_distal_end - u.fibre_proximal_end for u in (short, m))
    assert length == pytest.approx(0.8 * before)
    assert length * short.fibre_diameter**2 == pytest.approx(before * m.fibre_diameter**2)


def test_fatigue_compresses_the_spectrum_in_proportion_to_velocity():
    loss = 0.3
    settings = {
        "recording.duration_s": 16,
        "fatigue.velocity_loss": loss,
        "amplifier.montage": "single_differential",
    }
    tired = simulate(small(**settings), seed=1).recording
    rested = simulate(small(**{k: v for k, v in settings.items() if "fatigue" not in k}), seed=1).recording

    def median_frequency(recording, start):
        part = recording.signal[:, int(start * 2048) : int((start + 3) * 2048)]
        frequency, power = welch(part, 2048.0, nperseg=2048)
        total = np.cumsum(power.sum(axis=0))
        return np.interp(total[-1] / 2, total, frequency)

    # Over 3 s at the end velocity is down by 27 % on average; discharges are the same in both.
    ratio = median_frequency(tired, 13) / median_frequency(rested, 13)
    assert ratio == pytest.approx(1 - loss * 14.5 / 16, abs=0.04)
    assert median_frequency(tired, 0) / median_frequency(rested, 0) == pytest.approx(
        1 - loss * 1.5 / 16, abs=0.04
    )
    assert tired.auxiliary["fatigue"][-1] == pytest.approx(1, abs=1e-4)


def test_jitter_and_blocking():
    plain = simulate(small(), seed=1)
    shaken = simulate(
        small(**{"pathology.jitter_us": 80, "pathology.blocking": 0.2, "pathology.variants": 16}), seed=1
    )
    assert shaken.spikes == plain.spikes
    # A fifth of all fibres is missing on average: sixteen variants of 30 fibres in all know that to 2 %.
    ratio = np.linalg.norm(shaken.muaps) / np.linalg.norm(plain.muaps)
    assert 0.6 < ratio < 0.95
    # From discharge to discharge the potentials differ: the mean one does not explain the signal.
    rest = shaken.recording.signal - interference_signal(list(shaken.spikes), shaken.muaps, 8192)
    assert np.linalg.norm(rest) > 0.05 * np.linalg.norm(shaken.recording.signal)


def test_one_change_at_a_time():
    with pytest.raises(InvalidArgumentError, match="only one of movement, fatigue and pathology"):
        simulate(small(**{"fatigue.velocity_loss": 0.2, "movement.shortening": 0.1}), seed=0)
