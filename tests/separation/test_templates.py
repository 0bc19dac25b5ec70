"""Joint least squares keeps overlapping potentials apart, and peeling them off subtracts them."""

import numpy as np

from muemg.separation._templates import add_templates, fit_templates, similarity
from tests.separation._scenes import N_LAGS, OFFSET, convolved, regular_trains, smooth_templates


def explained(templates: np.ndarray, trains: list[np.ndarray], n_samples: int) -> np.ndarray:
    """The potentials alone, shape (n_samples, n_channels)."""
    out = np.zeros((n_samples, templates.shape[2]), dtype=np.float32)
    add_templates(out, templates, trains, OFFSET)
    return out


def overlapping(seed: int = 0):
    """Templates (n_units, n_lags, n_channels), trains, and their signal (n_samples, n_channels)."""
    rng = np.random.default_rng(seed)
    templates = smooth_templates(rng, 3, 4)
    trains = regular_trains(rng, 3, 20_000)
    trains[1] = np.unique(np.concatenate([trains[0][::2] + 7, trains[1]]))  # often on top of unit 0
    trains[2] = np.concatenate([[0], trains[2], [19_999]])  # cut by both ends
    trains = [train[(train >= 0) & (train < 20_000)] for train in trains]
    signal = convolved(templates, trains, 20_000).T.astype(np.float32)
    return templates.transpose(0, 2, 1), trains, np.ascontiguousarray(signal)


def test_overlapping_templates_are_recovered_where_averages_are_smeared():
    templates, trains, signal = overlapping()
    fitted = fit_templates(signal, trains, N_LAGS, OFFSET)
    # the faint ridge pulls by that much at most
    np.testing.assert_allclose(fitted, templates, atol=2e-3 * np.abs(templates).max())
    inner = trains[1][(trains[1] > 100) & (trains[1] < 19_000)]
    average = np.mean([signal[t - OFFSET : t - OFFSET + N_LAGS] for t in inner], axis=0)
    assert np.linalg.norm(average - templates[1]) > 20 * np.linalg.norm(fitted[1] - templates[1])


def test_peeling_off_leaves_nothing_and_does_not_add():
    templates, trains, signal = overlapping(1)
    np.testing.assert_allclose(explained(templates, trains, len(signal)), signal, atol=1e-5)
    residual = signal.copy()
    add_templates(residual, fit_templates(signal, trains, N_LAGS, OFFSET), trains, OFFSET, sign=-1)
    assert residual.var() < 1e-5 * signal.var()


def test_what_is_taken_out_can_be_put_back():
    templates, trains, signal = overlapping(3)
    held = signal.copy()
    add_templates(held, templates, trains, OFFSET, sign=-1)
    assert np.abs(held - signal).max() > 0.1
    add_templates(held, templates, trains, OFFSET)
    np.testing.assert_allclose(held, signal, atol=1e-5)


def test_superposition():
    templates, trains, _ = overlapping(2)
    whole = explained(templates, trains, 20_000)
    parts = sum(explained(templates[u : u + 1], trains[u : u + 1], 20_000) for u in range(3))
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_no_unit():
    signal = np.ones((50, 2), dtype=np.float32)
    assert fit_templates(signal, [], 10, 5).shape == (0, 10, 2)
    assert not explained(np.zeros((0, 10, 2), np.float32), [], 50).any()


def test_similarity_is_that_of_the_best_lag():
    templates = smooth_templates(np.random.default_rng(0), 3, 4).transpose(0, 2, 1)
    shifted = np.zeros_like(templates[:1])
    shifted[:, 3:] = -2 * templates[:1, :-3]
    table = similarity(np.concatenate([templates, shifted, -shifted]))
    np.testing.assert_allclose(np.diag(table), 1, atol=1e-5)
    np.testing.assert_allclose(table, table.T, atol=1e-6)
    assert table[0, 4] > 0.999  # the bell has faded where the window cuts it
    assert table[0, 3] < 0.8  # an inverted potential is another one
    by_hand = max(
        np.sum(templates[0, max(0, k) : 41 + min(0, k)] * templates[1, max(0, -k) : 41 - max(0, k)])
        for k in range(-40, 41)
    )
    assert abs(table[0, 1] - by_hand) < 1e-5


def test_iterations_give_what_the_factor_gives(monkeypatch):
    from muemg.separation import _templates

    rng = np.random.default_rng(11)
    n_samples, n_lags, offset = 20_000, 40, 20
    trains = [np.sort(rng.choice(np.arange(100, n_samples - 100), 300, replace=False)) for _ in range(5)]
    truth = rng.normal(size=(5, n_lags, 3)).astype(np.float32)
    signal = rng.normal(scale=0.1, size=(n_samples, 3)).astype(np.float32)
    add_templates(signal, truth, trains, offset)
    factored = fit_templates(signal, trains, n_lags, offset)
    monkeypatch.setattr(_templates, "_LARGEST_FACTORED", 0)
    iterated = fit_templates(signal, trains, n_lags, offset)
    # the iteration stops at 1e-4 of the right-hand side
    np.testing.assert_allclose(iterated, factored, atol=2e-3)
    np.testing.assert_allclose(iterated, truth, atol=0.05)
