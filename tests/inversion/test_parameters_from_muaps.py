"""From a MUAP back to anatomy: the truth comes out, and the intervals hold it."""

import numpy as np

from forward_models.units import mm
from muemg.inversion.bank import windows
from muemg.inversion.gauss_newton import fit_parameters
from muemg.inversion.intervals import anatomy

# What may be missing between 150 scattered fibres and a disc: two to three times what was seen.
TOLERANCE = {
    "lateral": 0.5 * mm,
    "depth": 1.0 * mm,
    "zone": 0.8 * mm,
    "velocity": 0.1,
    "distal_length": 2 * mm,
    "proximal_length": 2 * mm,
}


def test_anatomy_of_units_with_all_their_fibres(model, bank, true_units):
    late = np.roll(true_units.muaps, 5, axis=2)  # the train lies five samples before the waves start
    fit = fit_parameters(model, bank, 3e6 * late, n_starts=2, n_iterations=10)
    assert fit.cosine.min() > 0.99
    assert np.abs(fit.latency * model.sampling_rate - 5).max() < 0.5
    table = anatomy(model, fit, 3e6 * late)
    held = []
    for name, tolerance in TOLERANCE.items():
        truth = true_units.anatomy[name]
        assert np.abs(table[name] - truth).max() < tolerance, name
        held.append((table[f"{name}_low"] <= truth) & (truth <= table[f"{name}_high"]))
    # 18 intervals of 95 %: fewer than 14 inside has a chance below 1 in 1000.
    assert np.sum(held) >= 14


def test_a_fit_starts_from_an_earlier_one_and_does_not_get_worse(model, bank, true_units):
    first = fit_parameters(model, bank, true_units.muaps, n_starts=1, n_iterations=2)
    again = fit_parameters(model, bank, true_units.muaps, start=first, n_iterations=2)
    # Single precision of a cosine near 1.
    assert np.all(again.cosine >= first.cosine - 1e-4)


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
