"""Common drive: the correlation asked for, in the inputs and as it shows in the discharges."""

import numpy as np
import pytest

from muemg.neurons import CommonInput, MotorNeuronPool, discharge_train

FS = 512.0
SEEDS = range(5)


def draw(seed, correlation, n_units=12, duration=200.0, deviation=1.0):
    return CommonInput.draw(
        n_units,
        duration,
        deviation=deviation,
        correlation=correlation,
        rng=np.random.default_rng(seed),
    )


def mean_correlation(rows):
    matrix = np.corrcoef(rows)
    return matrix[np.triu_indices(len(matrix), 1)].mean()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 1.0])
def test_inputs_have_the_correlation_and_deviation_asked_for(seed, correlation):
    given = draw(seed, correlation, duration=600.0)
    rows = np.array([given.row(i, 600 * 64, 64.0) for i in range(12)])
    # 600 s of a 2.5-Hz band hold 3000 independent values: their deviation is known to 1.3 %, a correlation
    # to 0.018; the common part is one draw for all pairs: four times that.
    assert rows.std() == pytest.approx(1, rel=0.055)
    assert mean_correlation(rows) == pytest.approx(correlation, abs=0.075)
    spectrum = np.abs(np.fft.rfft(rows[0])) ** 2
    frequency = np.fft.rfftfreq(rows.shape[1], 1 / 64)
    # what is cut from an endless course leaks a little over the edge
    assert spectrum[frequency > 3].sum() < 0.02 * spectrum.sum()


def test_a_unit_does_not_depend_on_those_after_it():
    few, many = draw(3, 0.5, n_units=2), draw(3, 0.5, n_units=5)
    assert np.array_equal(few.knots, many.knots[:2])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_discharge_rates_are_correlated_as_theory_says(seed, correlation):
    # Units in the middle of their range: rate follows e = 0.5 (1 + x) in proportion.
    duration, n_units, deviation, isi_cov = 300.0, 8, 0.15, 0.15
    pool = MotorNeuronPool(n_units, recruitment_range=2, minimum_rate=8, peak_rate=60, gain=1.0)
    given = draw(seed, correlation, n_units, duration, deviation)
    n_samples = int(duration * FS)
    maximum = pool._maximal_excitation
    level = 0.5
    smooth = []
    window = np.hanning(int(0.4 * FS))  # 400 ms, as De Luca et al. 1982 smoothed
    window /= window.sum()
    for unit, stream in enumerate(np.random.default_rng(seed).spawn(n_units)):
        rate = pool.rates(level * (1 + given.row(unit, n_samples, FS)), unit=unit)[0]
        train = discharge_train(rate, FS, isi_cov=isi_cov, rng=stream)
        impulses = np.bincount(train, minlength=n_samples) * FS
        smooth.append(np.convolve(impulses, window, "valid"))
    # Of the input, what the window passes; of the intervals' own variation, for a renewal process of mean
    # rate r and coefficient of variation c a spectrum of r c² at low frequencies.
    frequency = np.linspace(0, 2.5, 200)
    passed = np.abs(np.exp(-2j * np.pi * np.outer(frequency, np.arange(window.size)) / FS) @ window) ** 2
    signal = (maximum * level * deviation) ** 2 * passed.mean()
    rate = np.array([pool.rates([level])[unit, 0] for unit in range(n_units)]).mean()
    noise = rate * isi_cov**2 * FS * np.sum(window**2)
    expected = correlation * signal / (signal + noise)
    # 300 s hold some 1500 independent values in the band, the renewal formula is the limit of low frequency
    assert mean_correlation(np.array(smooth)) == pytest.approx(expected, abs=0.07)
    if correlation == 0.5:
        assert 0.3 < expected < 0.5
