"""Noise, disturbances and the amplifier: each does what its definition says, and nothing else."""

import numpy as np
import pytest
from scipy.signal import welch

from forward_models import ElectrodeArray
from muemg.errors import InvalidArgumentError
from muemg.simulation.chain import montage, quantise
from muemg.simulation.disturbances import add_ecg, add_movement_artefact, add_power_line
from muemg.simulation.noise import add_noise, mean_square

FS = 2048.0
SEEDS = range(5)


def silence(n_channels=6, seconds=20):
    return np.zeros((n_channels, int(seconds * FS)), np.float32)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_coloured_noise_has_its_variance_and_its_slope(seed, exponent):
    rng = np.random.default_rng(seed)
    clean = rng.standard_normal((16, 40_000)).astype(np.float32)
    noisy = clean.copy()
    deviation = add_noise(noisy, 10.0, FS, rng, exponent=exponent)
    assert 10 * np.log10(mean_square(clean) / deviation**2) == pytest.approx(10, abs=1e-6)
    noise = noisy.astype(float) - clean
    # Brown noise has most power below 2 Hz: some 60 independent values on each of 16 channels, 5 % of the
    # variance.
    assert noise.std() == pytest.approx(deviation, rel=0.01 if exponent < 1 else 0.12)
    frequency, power = welch(noise, FS, nperseg=4096)
    band = (frequency > 10) & (frequency < 800)
    slope = np.polyfit(np.log(frequency[band]), np.log(power.mean(axis=0)[band]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)
    # each channel its own; differences are white or bluer, so that all 40,000 of them count
    assert np.abs(np.corrcoef(np.diff(noise)) - np.eye(16)).max() < 4.5 / np.sqrt(40_000)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mains_have_their_amplitude_and_lines(seed):
    signal = silence()
    add_power_line(signal, FS, amplitude=5e-6, spread=0.2, rng=np.random.default_rng(seed))
    rms = np.sqrt(np.mean(signal.astype(float) ** 2, axis=1))
    assert rms.mean() == pytest.approx(5e-6, rel=1e-3)
    assert np.all((rms > 0.6 * 5e-6) & (rms < 1.5 * 5e-6))
    spectrum = np.abs(np.fft.rfft(signal[0]))
    lines = np.flatnonzero(spectrum > 1e-3 * spectrum.max()) / 20
    assert lines.tolist() == [50, 150, 250]
    assert spectrum[[1000, 3000, 5000]] / spectrum[1000] == pytest.approx([1, 1 / 3, 1 / 5], rel=1e-3)
    slow = np.zeros((1, 400), np.float32)
    add_power_line(slow, 200.0, amplitude=1.0, rng=np.random.default_rng(0))  # 150 and 250 Hz do not fit
    assert np.flatnonzero(np.abs(np.fft.rfft(slow[0])) > 1).tolist() == [100]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_heart_beats_at_its_rate(seed):
    signal = silence(seconds=60)
    beats = add_ecg(signal, FS, amplitude=1e-3, heart_rate=1.2, spread=0.0, rng=np.random.default_rng(seed))
    intervals = np.diff(beats)
    # 70 intervals that vary by 5 %: mean known to 0.6 %
    assert intervals.mean() == pytest.approx(1 / 1.2, rel=0.025)
    assert intervals.std() / intervals.mean() == pytest.approx(0.05, abs=0.017)
    middle = beats[(beats > 1) & (beats < 59)]
    peaks = signal[0, np.rint(middle * FS).astype(int)]
    assert peaks == pytest.approx(
        1e-3, rel=0.02
    )  # half a sample off the top of a wave of 11 ms, and the T wave
    assert np.array_equal(signal[0], signal[5])


@pytest.mark.parametrize("seed", SEEDS)
def test_movement_is_slow_and_as_loud_as_asked(seed):
    signal = silence()
    add_movement_artefact(signal, FS, amplitude=50e-6, spread=0.3, rng=np.random.default_rng(seed))
    rms = np.sqrt(np.mean(signal.astype(float) ** 2, axis=1))
    assert rms == pytest.approx(50e-6, rel=0.35)  # common and own part may agree or not over 20 s
    frequency, power = welch(signal, FS, nperseg=8192)
    assert power[:, frequency > 30].sum() < 0.01 * power.sum()
    correlation = np.corrcoef(signal)[np.triu_indices(6, 1)]
    assert correlation.mean() == pytest.approx(1 - 0.3**2, abs=0.06)


def test_montages_are_differences_of_neighbours():
    grid = ElectrodeArray.grid(4, 3, 8e-3, name="g")
    signal = np.random.default_rng(0).standard_normal((12, 50)).astype(np.float32)
    matrix, where = montage("single_differential", grid)
    out = (matrix @ signal).reshape(3, 3, 50)
    cube = signal.reshape(4, 3, 50)
    assert out == pytest.approx(cube[1:] - cube[:-1], abs=1e-6)
    assert where.grid_shape == (3, 3)
    # between its two electrodes
    assert where.positions == pytest.approx((grid.positions[3:] + grid.positions[:-3]) / 2)
    double, between = montage("double_differential", grid)
    assert (double @ signal).reshape(2, 3, 50) == pytest.approx(
        cube[2:] - 2 * cube[1:-1] + cube[:-2], abs=1e-6
    )
    assert between.positions == pytest.approx(grid.positions[3:9])
    assert montage("laplacian", grid)[1].grid_shape == (2, 1)
    average, same = montage("common_average", grid)
    assert same is grid
    assert np.abs((average @ signal).mean(axis=0)).max() < 1e-6
    assert montage("monopolar", grid) == (None, grid)
    assert montage("single_differential_across", grid)[1].grid_shape == (4, 2)
    with pytest.raises(InvalidArgumentError, match=r"amplifier\.montage 'laplacian' cannot be had"):
        montage("laplacian", ElectrodeArray.line(5, 1e-3))


@pytest.mark.parametrize("bits", [8, 16, 24])
def test_the_converter_rounds_to_its_steps_and_stops_at_its_limits(bits):
    signal = np.random.default_rng(0).normal(scale=2e-3, size=(3, 5000)).astype(np.float32)
    out = signal.copy()
    step = quantise(out, bits=bits, full_scale=5e-3)
    assert step == 2 * 5e-3 / 2**bits
    inside = np.abs(signal) < 5e-3 - step
    # half a step, and the rounding of float32 at 5 mV
    assert np.abs(out - signal)[inside].max() <= step / 2 + 5e-3 * 2**-23
    assert out.min() == pytest.approx(-5e-3)
    assert out.max() == pytest.approx(5e-3 - step)
    assert len(np.unique(out)) <= 2**bits
    kept = signal.copy()
    assert quantise(kept, bits=0, full_scale=0.0) == 0
    assert np.array_equal(kept, signal)
    quantise(kept, bits=0, full_scale=1e-3)
    assert np.abs(kept).max() == np.float32(1e-3)
    for bits_, limit in ((25, 1.0), (12, 0.0)):
        with pytest.raises(InvalidArgumentError, match="bits must be ≤ 24 and need a full_scale"):
            quantise(kept, bits=bits_, full_scale=limit)
