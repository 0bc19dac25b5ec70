"""From a MUAP back to anatomy: the truth comes out, and the intervals hold it."""

import numpy as np
import pytest

from forward_models.units import mm
from muemg.inversion.bank import windows
from muemg.inversion.gauss_newton import fit_parameters
from muemg.inversion.intervals import anatomy
from muemg.inversion.noise import Noise

# What may be missing between 150 scattered fibres and a disc: two to three times what was seen.
TOLERANCE = {
    "lateral": 0.5 * mm,
    "depth": 1.0 * mm,
    "zone": 0.8 * mm,
    "velocity": 0.1,
    "distal_length": 2 * mm,
    "proximal_length": 2 * mm,
}


N_SPIKES = np.full(3, 50)


@pytest.fixture(scope="module")
def noise(true_units):
    """White, of a hundredth of the MUAPs' peaks."""
    level = 0.01 * 3e6 * np.abs(true_units.muaps).max()
    return Noise.of(level * np.random.default_rng(0).standard_normal((4096, 32)).astype(np.float32), 96)


def test_anatomy_of_units_with_all_their_fibres(model, bank, true_units, noise):
    late = 3e6 * np.roll(true_units.muaps, 5, axis=2)  # the train lies five samples before the waves start
    fit = fit_parameters(model, bank, late, noise, N_SPIKES, n_starts=2, n_iterations=10)
    assert fit.cosine.min() > 0.99
    assert np.abs(fit.latency * model.sampling_rate - 5).max() < 0.5
    table = anatomy(model, fit, late, noise)
    held = []
    for name, tolerance in TOLERANCE.items():
        truth = true_units.anatomy[name]
        assert np.abs(table[name] - truth).max() < tolerance, name
        held.append((table[f"{name}_low"] <= truth) & (truth <= table[f"{name}_high"]))
    # 18 intervals of 95 %: fewer than 14 inside has a chance below 1 in 1000.
    assert np.sum(held) >= 14


def test_a_fit_starts_from_known_parameters_and_does_not_get_worse(model, bank, true_units, noise):
    muaps = 3e6 * true_units.muaps
    first = fit_parameters(model, bank, muaps, noise, N_SPIKES, n_starts=1, n_iterations=2)
    start = first.unbounded, first.latency
    again = fit_parameters(model, bank, muaps, noise, N_SPIKES, start=start, n_iterations=2)
    left = [np.square(noise.whiten(muaps - fit.muaps)).sum(axis=(1, 2)) for fit in (first, again)]
    # The prior may take a thousandth of what the data give.
    assert np.all(left[1] <= 1.001 * left[0])


def test_noise_is_white_in_its_own_metric():
    rng = np.random.default_rng(1)
    mixing = rng.standard_normal((4, 4))
    signal = np.apply_along_axis(
        np.convolve, 0, rng.standard_normal((60_000, 4)) @ mixing, np.ones(3), "same"
    )
    noise = Noise.of(signal.astype(np.float32), 20)
    pieces = noise.whiten(signal.reshape(-1, 20, 4).transpose(0, 2, 1).astype(np.float32)).reshape(-1, 80)
    covariance = pieces.T @ pieces / len(pieces)
    # 3000 pieces: correlations scatter by 1/√3000 ≈ 0.02; the floor keeps every direction a little below 1.
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.15
    assert np.median(np.diag(covariance)) == pytest.approx(1, abs=0.15)


def test_the_bank_knows_its_own_members(model, bank):
    chosen = [3, 100, 400]
    muaps = model.muaps(bank.unbounded[chosen])
    members, shifts, cosine = bank.nearest(np.roll(muaps, 4, axis=2), 1)
    assert members[:, 0].tolist() == chosen
    assert shifts[:, 0].tolist() == [4, 4, 4]
    # Lost: what the basis of 128 dimensions leaves out.
    assert cosine.min() > 0.97


def test_windows_hold_most_of_the_energy_oldest_sample_first():
    muap = np.zeros((1, 2, 20), dtype=np.float32)
    muap[0, :, 7:10] = [[1, 2, 3], [4, 5, 6]]
    window, last = windows(muap, 3)
    assert last.tolist() == [9]
    assert window.tolist() == [[1, 4, 2, 5, 3, 6]]
