"""Simulated recordings: reproducible, made of what they say they are made of, and in the right frame."""

import json

import numpy as np
import pytest

from muemg import Scenario, Simulation, simulate
from muemg.errors import InvalidArgumentError
from muemg.simulation import interference_signal, signal_to_noise_ratio

SMALL = {
    "recording": {"duration_s": 4, "sampling_rate_hz": 2048, "snr_db": 20},
    "electrodes": {"code": "", "rows": 9, "columns": 3, "spacing_mm": 8},
    "muscle": {"n_units": 6, "most_fibres": 8, "mean_innervation_number": 100, "innervation_range": 5},
    "drive": {"level": 0.3, "rest_s": 0.5, "ramp_s": 0.5},
}


def small(**settings):
    return Scenario.from_dict(SMALL).override(settings) if settings else Scenario.from_dict(SMALL)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SMALL, seed=1)


def same_bytes(one, other):
    arrays = [(s.recording.signal, s.muaps, s.recording.auxiliary["force"], *s.spikes) for s in (one, other)]
    return all(a.tobytes() == b.tobytes() for a, b in zip(*arrays)) and one == other


def test_the_same_seed_gives_the_same_bytes(simulation):
    assert same_bytes(simulate(SMALL, seed=1), simulation)
    other = simulate(SMALL, seed=2)
    assert not np.array_equal(other.muaps, simulation.muaps)
    assert other.muaps.shape == simulation.muaps.shape


def test_its_parameters_make_it_again(simulation):
    record = json.loads(json.dumps(simulation.parameters, allow_nan=False))
    assert same_bytes(simulate(record["scenario"], seed=record["seed"]), simulation)


def test_shapes_and_names(simulation):
    recording = simulation.recording
    assert recording.signal.shape == (27, 8192)
    assert recording.electrodes.grid_shape == (9, 3)
    assert simulation.spikes.n_samples == 8192
    assert simulation.muaps.shape[:2] == (6, 27)
    assert simulation.motor_units.n_rows == 6
    assert set(recording.auxiliary) == {"force"}
    assert recording.metadata["auxiliary_units"] == {"force": "% MVC"}
    assert np.isfinite(recording.signal).all()


def test_the_signal_is_discharges_times_potentials_plus_noise(simulation):
    clean = interference_signal(list(simulation.spikes), simulation.muaps, 8192)
    # 221,184 samples: the noise's variance is known to 0.3 %, 0.013 dB; four times that
    assert signal_to_noise_ratio(clean, simulation.recording.signal) == pytest.approx(20, abs=0.053)
    noise = simulation.recording.signal - clean
    assert noise.std() == pytest.approx(simulation.parameters["noise_standard_deviation"], rel=0.006)
    quiet = simulate(small(**{"recording.snr_db": "inf"}), seed=1)
    assert np.array_equal(quiet.recording.signal, clean)
    assert json.dumps(quiet.parameters, allow_nan=False)


def test_noise_and_drive_leave_the_muscle_as_it_was(simulation):
    louder = simulate(small(**{"recording.snr_db": 5}), seed=1)
    assert np.array_equal(louder.muaps, simulation.muaps)
    assert louder.spikes == simulation.spikes
    weaker = simulate(small(**{"drive.level": 0.1}), seed=1)
    assert np.array_equal(weaker.muaps, simulation.muaps)
    assert weaker.spikes.n_spikes.sum() < simulation.spikes.n_spikes.sum()


def test_units_are_recruited_in_order_and_some_not_at_all(simulation):
    thresholds = simulation.motor_units["threshold"]
    assert np.all(np.diff(thresholds) > 0)
    active = simulation.spikes.n_spikes > 0
    assert np.array_equal(active, thresholds <= 0.3)
    assert 0 < active.sum() < 6
    # nobody discharges in the rests, and the force lasts as long as a twitch afterwards
    for train in simulation.spikes:
        assert np.all((train >= 0.5 * 2048) & (train <= 3.5 * 2048))
    force = simulation.recording.auxiliary["force"]
    assert not force[:1024].any()
    assert 0 < force[3 * 2048] < 100


def test_potentials_begin_at_zero_and_have_died_at_the_end(simulation):
    largest = np.abs(simulation.muaps).max(axis=(1, 2))
    # the wave is wholly inside the fibre at neither end: single-precision rounding is all that is left
    assert np.all(np.abs(simulation.muaps[:, :, 0]).max(axis=1) < 1e-3 * largest)
    assert np.all(np.abs(simulation.muaps[:, :, -1]).max(axis=1) < 1e-3 * largest)
    assert np.allclose(np.ptp(simulation.muaps, axis=2).max(axis=1), simulation.motor_units["peak_to_peak"])


def test_the_table_says_where_the_fibres_are():
    # Units without scatter, seen from their own potentials: nearest column, and from double differentials
    # along it (free of what stands still) where the waves start and how fast they run.
    scenario = small(
        **{
            "recording.snr_db": "inf",
            "recording.sampling_rate_hz": 8192,
            "electrodes.rows": 17,
            "electrodes.spacing_mm": 4,
            "muscle.end_plate_scatter_mm": 0,
            "muscle.tendon_scatter_mm": 0,
            "muscle.fibre_velocity_scatter_m_per_s": 0,
            "muscle.width_mm": 12,
            "muscle.thickness_mm": 4,
            "muscle.innervation_zone_mm": 6,
        }
    )
    made = simulate(scenario, seed=3)
    positions = made.recording.electrodes.positions.reshape(17, 3, 3)
    x, z = positions[0, :, 0], positions[1:-1, 0, 2]
    units = made.motor_units
    for unit, muap in enumerate(made.muaps.reshape(6, 17, 3, -1)):
        column = np.argmin(np.abs(x - units["x"][unit]))
        assert np.argmax(np.sum(muap**2, axis=(0, 2))) == column
        double = 2 * muap[1:-1, column] - muap[:-2, column] - muap[2:, column]
        # Clear of the zone, the negative peak passes a row at |z − zone| / velocity after it left.
        away = np.abs(z - units["innervation_zone"][unit])
        clear = away > 15e-3
        delay = np.array([_time_of_minimum(course) for course in double[clear]]) / 8192
        slowness, start = np.polyfit(away[clear], delay, 1)
        assert 1 / slowness == pytest.approx(units["velocity"][unit], rel=0.02)
        # Had the zone been wrong by 2 mm, rows on its two sides would stray by 0.5 ms from the line.
        assert np.abs(delay - start - slowness * away[clear]).max() < 0.15e-3
    assert np.all(units["depth"] > scenario.conductor.fat + scenario.conductor.skin)
    assert units["depth"] == pytest.approx(-units["y"])
    assert units["proximal_length"] + units["distal_length"] == pytest.approx(0.12, abs=1e-9)
    assert np.abs(units["innervation_zone"] - 6e-3).max() <= 5e-3


def _time_of_minimum(course):
    """Sample of the lowest value, between samples by a parabola."""
    i = int(np.argmin(course))
    a, b, c = course[i - 1 : i + 2].astype(float)
    return i + (a - c) / (2 * (a - 2 * b + c))


def test_a_weighted_sample_of_fibres_stands_for_all_of_them():
    few, all_of_them = (
        simulate(small(**{"muscle.most_fibres": most, "muscle.n_units": 3, "drive.level": 0.5}), seed=4)
        for most in (100, 0)
    )
    assert np.array_equal(few.motor_units["n_fibres"], all_of_them.motor_units["n_fibres"])
    big = few.motor_units["n_fibres"] > 100
    assert big.any()
    assert not big.all()
    # the small unit is the same fibre by fibre (summed in another order), the large ones but for the draw
    assert few.muaps[~big] == pytest.approx(
        all_of_them.muaps[~big], abs=1e-5 * float(np.abs(few.muaps[~big]).max())
    )
    for one, other in zip(few.muaps[big], all_of_them.muaps[big]):
        cosine = np.sum(one * other) / np.sqrt(np.sum(one**2) * np.sum(other**2))
        assert cosine > 0.97
        assert np.linalg.norm(one) == pytest.approx(np.linalg.norm(other), rel=0.15)


def test_progress_runs_from_0_to_1():
    told = []
    simulate(SMALL, seed=1, progress=lambda fraction, what: told.append((fraction, what)))
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert all(what for _, what in told)


@pytest.mark.parametrize("n_units", [10, 100])
def test_pools_of_other_sizes(n_units):
    made = simulate(small(**{"muscle.n_units": n_units, "muscle.most_fibres": 2, "drive.level": 0.6}), seed=0)
    assert len(made) == n_units
    assert np.all(made.spikes.n_spikes > 0)


def test_a_silent_muscle_and_other_impossible_scenes_are_refused():
    with pytest.raises(InvalidArgumentError, match="no motor unit discharges: raise the drive"):
        simulate(small(**{"drive.level": 0}), seed=0)
    silent = simulate(small(**{"drive.level": 0, "recording.snr_db": "inf"}), seed=0)
    assert not silent.recording.signal.any()
    with pytest.raises(InvalidArgumentError, match="seed must be an integer ≥ 0"):
        simulate(SMALL, seed=-1)
    with pytest.raises(InvalidArgumentError, match="tissue must be one of"):
        simulate(small(**{"conductor.conductivities": "nobody_1900"}), seed=0)


def test_what_the_forward_model_refuses_is_an_impossible_scenario():
    from forward_models import ForwardModelError
    from muemg.simulation.synthesis import _refusals_named

    refused = pytest.raises(InvalidArgumentError, match=r"scenario 'demo-64' is impossible: fat must be")
    with refused, _refusals_named(Scenario.preset("demo-64")):
        raise ForwardModelError("fat must be ≥ 0 m")
