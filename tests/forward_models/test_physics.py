"""What surface EMG must do, one test a fact: the reference fibre under 1 mm of fat and 1 mm of skin.

60 + 60 mm, 4 m/s, 50 µm; conductivities 0.1/0.5 (muscle), 0.05 (fat), 1 (skin) S/m, as in Farina & Merletti
2001.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import j1

from forward_models import (
    CurvedFibres,
    ElectrodeArray,
    Fibres,
    PlanarConductor,
    UnboundedConductor,
    filters,
    motor_unit_potentials,
    muap,
    presets,
    rosenfalck,
    single_fibre_potentials,
    with_afterpotential,
)
from forward_models._current import AxialCurrent
from tests.oracles import fibre_potential
from tests.oracles.layered_half_space import homogeneous_lead_field

pytestmark = pytest.mark.usefixtures("float64")

RATE = 8192.0
N_SAMPLES = 260
TIMES = np.arange(N_SAMPLES) / RATE
WINDOW = {"sampling_rate": RATE, "n_samples": N_SAMPLES}
FIBRE = {"end_plate": 0.0, "half_lengths": 60e-3, "velocity": 4.0, "diameter": 50e-6}
COLUMN = ElectrodeArray.grid(25, 1, 4e-3)  # z from −48 to 48 mm
ZONE = 12  # the electrode over the innervation zone


def tissue(**changes):
    return presets.planar("farina_merletti_2001", **{"fat": 1e-3, "skin": 1e-3, **changes})


def potentials(depths=(3e-3,), *, electrodes=COLUMN, conductor=None, window=WINDOW, **changes):
    """Potentials of fibres at depths below the muscle's surface, (n_fibres, n_channels, n_samples)."""
    conductor = tissue() if conductor is None else conductor
    y = -np.asarray(depths) - float(conductor.fat + conductor.skin)
    fibres = Fibres(np.column_stack([0 * y, y]), **{**FIBRE, **changes})
    return np.asarray(single_fibre_potentials(conductor.lead_field(electrodes), fibres, **window))


def worst(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


# ------------------------------------------------------------------ the whole chain


def test_potential_is_the_sum_of_current_times_lead_field():
    # A half-space of muscle alone has b in closed form; the oracle sums i·b over nodes 20 µm apart.
    conductor = tissue(fat=0.0, skin=0.0)
    y, end_plate, halves = -6e-3, 4e-3, (60e-3, 52e-3)
    found = potentials([-y], conductor=conductor, end_plate=end_plate, half_lengths=halves)[0]
    for channel in (0, 9, 13, 24):
        z_c = COLUMN.positions[channel, 2]
        expected = fibre_potential.potential(
            TIMES,
            lambda z, z_c=z_c: homogeneous_lead_field(0.0, y, z - z_c, sx=0.1, sz=0.5),
            end_plate=end_plate,
            right=halves[0],
            left=halves[1],
            velocity=4.0,
            diameter=50e-6,
        )
        # 1e-3: the nodes in k (measured 3e-4 where it is largest, close to the ends).
        assert worst(found[channel], expected) < 1e-3


def test_curved_path_that_is_straight_is_a_straight_fibre():
    conductor = UnboundedConductor(muscle_across=0.1, muscle_along=0.5)
    lead = conductor.lead_field(ElectrodeArray.line(3, 5e-3, start=(3e-3, 0.0, 10e-3)))
    straight = Fibres([[0.0, 0.0]], 2e-3, [60e-3, 50e-3])
    path = np.zeros((1, 1101, 3))
    path[0, :, 2] = np.linspace(-48e-3, 62e-3, 1101)
    curved = CurvedFibres(path, 50e-3)
    assert worst(*(np.asarray(single_fibre_potentials(lead, f, **WINDOW)) for f in (curved, straight))) < 1e-3


def test_spectral_and_pointwise_integration_agree():
    lead = tissue().lead_field(ElectrodeArray.grid(3, 2, 8e-3))
    path = np.zeros((1, 481, 3))
    path[0, :, 1], path[0, :, 2] = -6e-3, np.linspace(-60e-3, 60e-3, 481)
    straight, curved = Fibres([[0.0, -6e-3]], 0.0, 60e-3), CurvedFibres(path, 60e-3)
    # 2e-3: nodes 0.25 mm apart, at a distance of 8 mm.
    assert worst(*(np.asarray(single_fibre_potentials(lead, f, **WINDOW)) for f in (curved, straight))) < 2e-3


def test_inclined_fibre_is_a_straight_one_seen_by_turned_electrodes():
    # Unbounded isotropic tissue has no direction: turning fibre and electrodes together changes nothing.
    conductor = UnboundedConductor(muscle_across=0.3, muscle_along=0.3)
    electrodes = np.array([[3e-3, 1e-3, 10e-3], [-5e-3, 4e-3, 30e-3]])
    path = np.zeros((1101, 3))
    path[:, 2] = np.linspace(-50e-3, 60e-3, 1101)
    turn, _ = np.linalg.qr(np.array([[1.0, 0.3, 0.2], [-0.4, 1.0, 0.1], [0.2, -0.3, 1.0]]))
    seen = [
        np.asarray(
            single_fibre_potentials(
                conductor.lead_field(ElectrodeArray(electrodes @ frame)),
                CurvedFibres((path @ frame)[None], 50e-3),
                **WINDOW,
            )
        )
        for frame in (np.eye(3), turn)
    ]
    assert worst(*seen) < 1e-9


@pytest.mark.parametrize("make", [rosenfalck, with_afterpotential])
def test_action_potential_starts_smoothly_from_rest(make):
    action_potential = make()
    s = np.linspace(-1e-3, 60e-3, 4000)
    v = np.asarray(action_potential.potential(s))
    np.testing.assert_allclose(v[s <= 0], -90e-3)
    slope = jax.vmap(jax.grad(action_potential.potential))(jnp.asarray(s))
    np.testing.assert_allclose(slope, action_potential.slope(s), atol=1e-9)
    # Rosenfalck's spike of 129 mV, −90 to +39 mV.
    assert 0.12 < np.ptp(v) < 0.14
    # The tail spectrum at its start is the Fourier integral of V′ over everything behind the front.
    k = np.array([0.0, 300.0, 2000.0])
    fine = (np.arange(40000) + 0.5) * 1e-5
    integral = (np.asarray(action_potential.slope(fine)) * np.exp(-1j * k[:, None] * fine)).sum(axis=1) * 1e-5
    np.testing.assert_allclose(action_potential.tail_spectra(k)[:, 0].sum(axis=0), integral, atol=1e-6)


# ------------------------------------------------------------------ the ten checks


def test_transmembrane_current_sums_to_zero():
    # ∫ i dz ∝ k · spectrum at k = 0; the spectrum itself must therefore stay finite there.
    fibres = Fibres([[0.0, -5e-3]], 4e-3, [60e-3, 50e-3])
    k = jnp.array([1e-6, 1e-3, 1.0])
    current = AxialCurrent(fibres, k, rosenfalck(), sampling_rate=RATE, n_samples=N_SAMPLES)
    real, imag = np.split(np.asarray(current.spectrum(jnp.array(0.0)))[0], 2)
    net = np.hypot(real, imag) * np.asarray(k)[:, None]
    peak = 1e3 * 0.1  # V/m: largest k · spectrum inside the fibre, from 0.1 V at 1 rad/mm
    assert net[0].max() < 1e-6 * peak
    # And a lead field that is the same everywhere sees nothing: a constant added to b changes no potential.
    current, _ = fibre_potential.transmembrane_current(
        TIMES, end_plate=0.0, right=60e-3, left=50e-3, velocity=4.0, diameter=50e-6, step=1e-4
    )
    assert np.abs(current.sum(axis=1)).max() < 1e-12 * np.abs(current).sum(axis=1).max()


def test_symmetric_about_the_innervation_zone():
    v = potentials()[0]
    assert worst(v[::-1], v) < 1e-12
    across_zone = ElectrodeArray.line(2, 8e-3, start=(0.0, 0.0, -4e-3))
    pair = potentials(electrodes=across_zone)[0]
    assert np.abs(pair[1] - pair[0]).max() < 1e-12 * np.abs(pair).max()


def test_approaching_wave_is_positive_and_passing_wave_negative():
    # A depolarised zone draws current in: positive ahead of it, negative as it passes (Rosenfalck 1969).
    passing = potentials()[0, ZONE + 6]
    before, under = passing[TIMES < 5.0e-3].max(), passing[TIMES < 12e-3].min()
    assert before > 0 > under
    assert -under > before


def test_velocity_read_from_the_signals_is_the_velocity_set():
    # Double differentials ≥ 15 mm from the zone and from the end, delay from the phase of the cross-spectrum.
    dd = filters.double_differential(COLUMN) @ potentials(velocity=4.3)[0]
    z = COLUMN.positions[1:-1, 2]
    chosen = np.flatnonzero((z >= 15e-3) & (z <= 30e-3))
    spectra = np.fft.rfft(dd[chosen] * (TIMES < 11e-3), 4096)
    frequency = np.fft.rfftfreq(4096, 1 / RATE)
    band = (frequency > 40) & (frequency < 250)
    cross = spectra[1:, band] * spectra[:-1, band].conj()
    phase = np.angle(cross.sum(axis=0))
    delay = -(phase * frequency[band] * np.abs(cross.sum(axis=0))).sum() / (
        2 * np.pi * (frequency[band] ** 2 * np.abs(cross.sum(axis=0))).sum()
    )
    assert abs(4e-3 / delay / 4.3 - 1) < 0.005


def test_end_effect_reaches_all_channels_at_once():
    # When the waves die (15 ms) the whole array sees it: the largest change of slope comes within a sample.
    v = potentials([20e-3], electrodes=ElectrodeArray.grid(9, 1, 4e-3))[0]
    late = TIMES > 14.5e-3
    peaks = TIMES[late][np.abs(v[:, late]).argmax(axis=1)]
    assert np.ptp(peaks) <= 1 / 2048 + 1e-12
    assert (np.abs(peaks - 17e-3) < 2e-3).all()


def test_depth_law():
    # Log-log slope of peak-to-peak against depth below the skin, 4–12 mm, 16 mm from the zone; Roeleveld et
    # al. 1997 found the same order: propagating parts steep, standing parts nearly flat.
    depth = np.linspace(4e-3, 12e-3, 9)
    window = {"sampling_rate": 16384.0, "n_samples": 500}
    pair = ElectrodeArray.line(2, 8e-3, start=(0.0, 0.0, 16e-3))
    v = potentials(depth - 2e-3, electrodes=pair, window=window)
    times = np.arange(500) / 16384.0
    running, ending = times < 14e-3, times > 15e-3

    def slope(signal):
        return np.polyfit(np.log(depth), np.log(np.ptp(signal, axis=-1)), 1)[0]

    assert abs(slope(v[:, 0][:, running]) + 2.96) < 0.15
    assert abs(slope((v[:, 1] - v[:, 0])[:, running]) + 3.25) < 0.15
    assert abs(slope(v[:, 0][:, ending]) + 0.33) < 0.15


def test_single_differential_is_a_comb_filter():
    # |SD/monopolar| = 2|sin(πΔf/v)| for a wave that only travels: a fibre so long that its ends are far away.
    conductor = tissue(reach=0.65)
    window = {"sampling_rate": 4096.0, "n_samples": 512, "start": 0.0}
    pair = ElectrodeArray.line(2, 10e-3, start=(0.0, 0.0, 200e-3))
    v = potentials(conductor=conductor, electrodes=pair, half_lengths=400e-3, window=window)[0]
    taper = np.interp(np.arange(512), [100, 150, 300, 370], [0, 1, 1, 0])
    spectra = np.fft.rfft([v[0] * taper, (v[1] - v[0]) * taper])
    frequency = np.fft.rfftfreq(512, 1 / 4096.0)
    band = (frequency > 60) & (frequency < 320)
    gain = np.abs(spectra[1] / spectra[0])[band]
    np.testing.assert_allclose(gain, 2 * np.abs(np.sin(np.pi * 10e-3 * frequency[band] / 4.0)), atol=0.03)


def test_disc_is_a_low_pass_filter():
    # At k the disc multiplies by 2J₁(ka)/(ka); along z alone after summing across (k_x = 0): a row of discs.
    fine = np.arange(-150, 151) * 0.4e-3
    sheet = [ElectrodeArray(np.column_stack([fine, 0 * fine, 0 * fine]), radius) for radius in (0.0, 3e-3)]
    spectra = [np.asarray(tissue().lead_field(s).spectrum([[0.0, -5e-3]]))[0].sum(axis=0) for s in sheet]
    k = np.asarray(tissue().lead_field(sheet[0]).k)
    band = (k > 100) & (k < 1200)
    q = k[band] * 3e-3
    np.testing.assert_allclose((spectra[1] / spectra[0])[band], 2 * j1(q) / q, atol=5e-3)


def test_median_frequency_is_proportional_to_velocity():
    def median_frequency(velocity):
        power = np.abs(np.fft.rfft(np.diff(potentials(velocity=velocity)[0, 17:19], axis=0)[0], 8192)) ** 2
        return np.searchsorted(np.cumsum(power), power.sum() / 2) * RATE / 8192

    slow, fast = median_frequency(3.0), median_frequency(6.0)
    assert abs(fast / slow - 2) < 0.02


def test_finer_nodes_change_nothing():
    # Twice the largest wave number at half the spacing (2π over reach + 12 cm).
    coarse, fine = potentials([1e-3, 8e-3]), potentials([1e-3, 8e-3], conductor=tissue(k_max=8e3, reach=0.42))
    for i in range(2):
        assert 0 < worst(coarse[i], fine[i]) < 1e-3


@pytest.mark.parametrize("bone", [None, 5e-3])
def test_more_angular_orders_change_nothing(bone):
    # 1 mm and 8 mm under the surface of the muscle, electrodes over the fibres and a quarter turn away.
    limb = {"radius": 22e-3, "fat": 1e-3, "skin": 1e-3, "bone_radius": bone}
    electrodes = ElectrodeArray.bracelet(3, 4, 10e-3, limb_radius=22e-3)
    fibres = Fibres([[0.0, 19e-3], [0.0, 12e-3]], **FIBRE)

    def seen(**options):
        lead = presets.cylinder(**limb, **options).lead_field(electrodes)
        return np.asarray(single_fibre_potentials(lead, fibres, sampling_rate=2048.0, n_samples=60))

    orders = presets.cylinder(**limb).n_max
    coarse, fine = seen(), seen(n_max=2 * orders, k_max=8e3, reach=0.42)
    for i in range(2):
        assert 0 < worst(coarse[i], fine[i]) < 1e-3


def test_silence_is_left_out_and_nothing_else(monkeypatch):
    # Stretches of the window in which no wave runs are not computed; in one stretch everything is.
    conductor, window = tissue(), {"sampling_rate": 2048.0, "start": -100 / 2048}
    parts = potentials(conductor=conductor, window={**window, "n_samples": 300}, delay=3e-3)
    monkeypatch.setattr(muap, "_STRETCH", 1000)
    whole = potentials(conductor=conductor, window={**window, "n_samples": 301}, delay=3e-3)[:, :, :300]
    np.testing.assert_allclose(parts, whole, atol=1e-12 * np.abs(whole).max())
    assert (parts[:, :, :60] == 0).all()
    assert (parts[:, :, -60:] == 0).all()


def test_float32_is_enough():
    double = potentials([1e-3, 15e-3])
    with jax.enable_x64(False):
        single = potentials([1e-3, 15e-3])
    # 1e-4: phases of up to 500 rad in single precision.
    assert single.dtype == np.float32
    for i in range(2):
        assert worst(single[i], double[i]) < 1e-4


# ------------------------------------------------------------------ motor units


def ensemble(n, seed=0):
    rng = np.random.default_rng(seed)
    return Fibres(
        np.column_stack([rng.uniform(-4e-3, 4e-3, n), rng.uniform(-14e-3, -6e-3, n)]),
        rng.normal(0, 3e-3, n),
        rng.uniform(50e-3, 62e-3, (n, 2)),
        rng.normal(4, 0.1, n),
        rng.uniform(40e-6, 60e-6, n),
        rng.uniform(0, 2e-3, n),
    )


@pytest.mark.parametrize("rotation", [0.0, 0.2])
def test_motor_unit_is_the_sum_of_its_fibres(rotation):
    # Both orders of summation (columns first on the straight grid, electrodes first on the turned one).
    fibres = ensemble(70)
    lead = tissue().lead_field(ElectrodeArray.grid(5, 3, 8e-3, rotation=rotation))
    unit = np.random.default_rng(1).choice([0, 2, 3], 70, p=[0.8, 0.1, 0.1])
    each = np.asarray(single_fibre_potentials(lead, fibres, sampling_rate=2048.0, n_samples=60))
    summed = motor_unit_potentials(lead, fibres, unit, n_units=5, sampling_rate=2048.0, n_samples=60)
    expected = np.stack([each[unit == u].sum(axis=0) for u in range(5)])
    np.testing.assert_allclose(summed, expected, atol=1e-12 * np.abs(expected).max())


def test_delay_and_start_shift_time():
    early = potentials(window={"sampling_rate": 2048.0, "n_samples": 64, "start": -8 / 2048})[0]
    plain = potentials(window={"sampling_rate": 2048.0, "n_samples": 64})[0]
    late = potentials(delay=8 / 2048, window={"sampling_rate": 2048.0, "n_samples": 64})[0]
    scale = 1e-12 * np.abs(plain).max()
    np.testing.assert_allclose(early[:, 8:], plain[:, :-8], atol=scale)
    np.testing.assert_allclose(late[:, 8:], plain[:, :-8], atol=scale)
    np.testing.assert_allclose(early[:, :8], 0, atol=scale)


def test_superficial_motor_unit_has_the_amplitude_that_is_recorded():
    # 200 fibres of 55 µm in a territory of 8 mm, 2–10 mm under the muscle's surface, 3 mm of fat: tens to
    # hundreds of µV.
    rng = np.random.default_rng(3)
    radius, angle = 4e-3 * np.sqrt(rng.uniform(size=200)), rng.uniform(0, 2 * np.pi, 200)
    fibres = Fibres(
        np.column_stack([radius * np.cos(angle), -4e-3 - 6e-3 + radius * np.sin(angle)]),
        rng.normal(0, 2e-3, 200),
        rng.uniform(55e-3, 65e-3, (200, 2)),
        4.0,
        55e-6,
    )
    lead = presets.planar(fat=3e-3, skin=1e-3).lead_field(ElectrodeArray.from_code("GR08MM1305"))
    muap = motor_unit_potentials(lead, fibres, np.zeros(200, int), sampling_rate=2048.0, n_samples=100)
    largest = float(np.ptp(np.asarray(muap)[0], axis=1).max())
    assert 20e-6 < largest < 500e-6


def test_planar_conductor_takes_any_published_tissue():
    for name in presets.CONDUCTIVITIES:
        assert np.isfinite(potentials(conductor=presets.planar(name))).all()
    assert isinstance(presets.planar(), PlanarConductor)
