"""Moving, tiring and jittering muscles: what is interpolated is what the forward model gives there."""

import numpy as np
import pytest
from scipy.signal import welch

from muemg import Scenario, simulate
from muemg.errors import InvalidArgumentError
from muemg.simulation import interference_signal
from muemg.simulation.convolution import varying_signal
from muemg.simulation.crew import recruit
from muemg.simulation.dynamics import interpolation, potentials_of, shortened
from muemg.simulation.geometry import make_scene

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


MOVING = {"movement.shift_along_mm": 4, "movement.shortening": 0.05, "movement.nodes": 3}
TIRING = {"fatigue.velocity_loss": 0.2, "fatigue.nodes": 3}
SHAKING = {"pathology.jitter_us": 80, "pathology.blocking": 0.1, "pathology.variants": 3}


def potentials(**settings):
    plan = small(**settings)
    scene = make_scene(plan.conductor, plan.electrodes, plan.muscle)
    crew = recruit(plan, scene, *np.random.default_rng(2).spawn(4))
    made = potentials_of(plan, scene, crew.motor_units, plan.muscle.architecture(), np.random.default_rng(0))
    return made, crew


@pytest.mark.parametrize("changes", [(MOVING, TIRING), (SHAKING, MOVING, TIRING)])
def test_changes_come_together_and_their_edges_are_those_of_each_alone(changes):
    together, _ = potentials(**{k: v for change in changes for k, v in change.items()})
    shape = tuple(axis.n_nodes for axis in together.axes)
    assert shape == (3,) * len(changes)
    nodes = together.muaps.reshape(*shape, *together.muaps.shape[1:])
    # Where the others have not begun, one alone; windows are as long as all together need.
    for place, change in enumerate(changes):
        alone = potentials(**change)[0].muaps
        edge = np.moveaxis(nodes, place, 0)[:, *(0,) * (len(changes) - 1)]
        if SHAKING in changes and change is not SHAKING:
            continue  # a variant of shaken fibres stands there, not the still ones
        n_lags = min(alone.shape[-1], edge.shape[-1])
        # where electrodes will move, the tissue is resolved over a longer reach
        assert np.abs(edge[..., :n_lags] - alone[..., :n_lags]).max() < 3e-3 * np.abs(alone).max()
    # A discharge reads the polynomial of every axis: the tensor product, written out.
    train = np.array([0, 700, 4000, 8191])
    samples, first, weights = together.mixture(train, np.random.default_rng(5))
    choice = np.random.default_rng(5)
    for discharge in train:
        mine = samples == discharge
        read = sum(
            w * together.muaps[f + j] for f, row in zip(first[mine], weights[mine]) for j, w in enumerate(row)
        )
        assert weights[mine].sum() == pytest.approx(1)
        if SHAKING not in changes:
            expected = nodes
            for axis in together.axes:
                start, share = axis.read(np.array([discharge]), choice)
                expected = np.tensordot(share[0], expected[start[0] : start[0] + share.shape[1]], axes=1)
            assert np.abs(read - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_tiring_muscle_that_moves_is_both():
    made = simulate(small(**MOVING, **TIRING, **SHAKING), seed=1)
    assert set(made.recording.auxiliary) == {"force", "movement", "fatigue"}
    assert np.isfinite(made.recording.signal).all()
    # At the start nothing has changed yet, at the end velocity is down and the grid is back where it was.
    moved = simulate(small(**MOVING), seed=1)
    tired = simulate(small(**TIRING), seed=1)
    both = simulate(small(**MOVING, **TIRING), seed=1)
    swing = slice(4096 - 60, 4096 + 60)  # after a whole swing of 2 s

    def gap(one, other, part):
        signal = one.recording.signal[:, part]
        return np.linalg.norm(signal - other.recording.signal[:, part]) / np.linalg.norm(signal)

    assert gap(both, moved, slice(0, 100)) < 0.05
    assert gap(both, tired, swing) < 0.05
    assert gap(both, moved, swing) > 0.1


def test_the_window_holds_the_slowest_fibre_of_a_tired_myopathic_muscle():
    ill = {"pathology.kind": "myopathic", "pathology.severity": 0.5, **TIRING}
    made, _ = potentials(**ill)
    largest = np.abs(made.muaps).max()
    assert np.abs(made.muaps[..., -1]).max() < 1e-3 * largest
