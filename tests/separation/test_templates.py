"""Joint least squares keeps overlapping potentials apart, and peeling them off subtracts them."""

import numpy as np

from muemg.separation._templates import fit_templates, template_signal
from tests.separation._scenes import N_LAGS, OFFSET, convolved, regular_trains, smooth_templates


def overlapping(seed: int = 0):
    rng = np.random.default_rng(seed)
    templates = smooth_templates(rng, 3, 4)
    trains = regular_trains(rng, 3, 20_000)
    trains[1] = np.unique(np.concatenate([trains[0][::2] + 7, trains[1]]))  # often on top of unit 0
    trains[2] = np.concatenate([[0], trains[2], [19_999]])  # cut by both ends
    trains = [train[(train >= 0) & (train < 20_000)] for train in trains]
    return templates, trains, convolved(templates, trains, 20_000).astype(np.float32)


def test_overlapping_templates_are_recovered_where_averages_are_smeared():
    templates, trains, signal = overlapping()
    fitted = fit_templates(signal, trains, N_LAGS, OFFSET)
    # the faint ridge pulls by that much at most
    np.testing.assert_allclose(fitted, templates, atol=2e-3 * np.abs(templates).max())
    inner = trains[1][(trains[1] > 100) & (trains[1] < 19_000)]
    average = np.mean([signal[:, t - OFFSET : t - OFFSET + N_LAGS] for t in inner], axis=0)
    assert np.linalg.norm(average - templates[1]) > 20 * np.linalg.norm(fitted[1] - templates[1])


def test_peeling_off_leaves_nothing_and_does_not_add():
    templates, trains, signal = overlapping(1)
    explained = template_signal(templates, trains, signal.shape[1], OFFSET)
    np.testing.assert_allclose(explained, signal, atol=1e-5)
    residual = signal - template_signal(fit_templates(signal, trains, N_LAGS, OFFSET), trains, 20_000, OFFSET)
    assert residual.var() < 1e-5 * signal.var()


def test_superposition():
    templates, trains, _ = overlapping(2)
    whole = template_signal(templates, trains, 20_000, OFFSET)
    parts = sum(template_signal(templates[u : u + 1], trains[u : u + 1], 20_000, OFFSET) for u in range(3))
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_no_unit():
    signal = np.ones((2, 50), dtype=np.float32)
    assert fit_templates(signal, [], 10, 5).shape == (0, 2, 10)
    assert not template_signal(np.zeros((0, 2, 10), np.float32), [], 50, 5).any()
