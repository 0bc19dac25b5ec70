"""How far a potential may leave the model, and what a filter from the model confirms."""

import numpy as np

from muemg.inversion.ascent import different
from muemg.inversion.correction import held_out, share_to_trust


def test_a_departure_of_the_size_of_its_noise_is_not_trusted():
    rng = np.random.default_rng(0)
    rank, n_spikes = 400, 30
    noise = rng.standard_normal((200, rank)) / np.sqrt(n_spikes)
    blind = share_to_trust(noise, np.full(200, rank / n_spikes))
    assert blind.mean() < 0.1
    truth = np.zeros(rank)
    truth[:5] = 10.0
    assert share_to_trust(noise + truth, np.full(200, rank / n_spikes)).min() > 0.9


def test_blending_is_nearer_to_the_truth_than_either_estimate():
    rng = np.random.default_rng(1)
    rank, n_spikes, gain = 400, 30, []
    for _ in range(50):
        truth = rng.standard_normal(rank)
        modelled = truth + 0.3 * rng.standard_normal(rank)
        measured = truth + rng.standard_normal(rank) / np.sqrt(n_spikes)
        share = share_to_trust((measured - modelled)[None], np.array([rank / n_spikes]))[0]
        blended = modelled + share * (measured - modelled)
        gain.append([np.sum((each - truth) ** 2) for each in (blended, modelled, measured)])
    blended, modelled, measured = np.mean(gain, axis=0)
    assert blended < min(modelled, measured)


def test_noise_peaks_are_not_confirmed_but_discharges_are():
    rng = np.random.default_rng(2)
    rate, rank, n_samples = 2000.0, 300, 8000
    response = rng.standard_normal(rank)
    response *= 9 / np.linalg.norm(response)
    times = np.arange(100, n_samples - 100, 200)
    observed = rng.standard_normal((n_samples, rank)).astype(np.float32)
    observed[times] += response
    source = observed @ response / np.linalg.norm(response)
    sil, survival = held_out(observed[times], response, 0.2, source, times, rate)
    assert sil > 0.8
    assert survival > 0.95
    # The filter made of its own highest peaks and nothing else: what overfitting looks like.
    wrong = rng.choice(n_samples - 200, 20, replace=False) + 100
    wrong = wrong[np.isin(wrong, times, invert=True)]
    picked = observed[np.sort(wrong)]
    mean = picked.mean(axis=0)
    fitted = observed @ mean / np.linalg.norm(mean)
    sil, survival = held_out(picked, mean, 1.0, fitted, np.sort(wrong), rate)
    assert sil < 0.5
    assert survival < 0.5


def test_starts_differ_and_the_best_come_first():
    outputs = np.array([[1.0, 0.0, 0.0], [0.99, 0.14, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert different(outputs, np.array([1.0, 2.0, 0.5, np.nan]), 8).tolist() == [1, 2]
