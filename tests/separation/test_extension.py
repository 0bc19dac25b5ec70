"""The extended observations written as filters equal the dense matrix that is never built."""

import numpy as np
import pytest

from muemg.separation._extension import Extended, whiten, whiten_above, whiten_within
from muemg.separation._threads import threads

N_DELAYS = 5


def dense_extension(signal: np.ndarray, n_delays: int, spacing: int = 1) -> np.ndarray:
    """x̃(t) = [x(t−(R−1)d), …, x(t−d), x(t)], one row per sample, zero before the start."""
    columns = []
    for delay in range((n_delays - 1) * spacing, -1, -spacing):
        delayed = np.zeros_like(signal)
        delayed[delay:] = signal[: len(signal) - delay]
        columns.append(delayed)
    return np.concatenate(columns, axis=1)


@pytest.fixture
def signal() -> np.ndarray:
    # Longer than one chunk and not a multiple of it.
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40_011, 3)).astype(np.float32)
    values[-N_DELAYS * 3 :] = 0  # so that the end has no cut copies and the dense covariance is Toeplitz too
    return values


@pytest.mark.parametrize("spacing", [1, 2, 3])
def test_observations_are_rows_of_the_dense_matrix(signal, spacing):
    samples = np.array([40_010, 0, 1, 7, 20_000])
    extended = Extended.of(signal, N_DELAYS, spacing)
    np.testing.assert_array_equal(extended.at(samples), dense_extension(signal, N_DELAYS, spacing)[samples])
    assert extended.span == (N_DELAYS - 1) * spacing + 1


@pytest.mark.parametrize("spacing", [1, 2, 3])
def test_covariance_is_that_of_the_dense_matrix(signal, spacing):
    dense = dense_extension(signal, N_DELAYS, spacing).astype(np.float64)
    # float32 sums over 8192 samples of unit variance: 1e-6 is some ten roundings
    np.testing.assert_allclose(
        Extended.of(signal, N_DELAYS, spacing).covariance(), dense.T @ dense / len(dense), atol=1e-6
    )


@pytest.mark.parametrize("spacing", [1, 2, 3])
@pytest.mark.parametrize("n_samples", [40_011, 40_010, 16_385, 7, 5, 4])
def test_filters_in_stretches_equal_one_product(signal, n_samples, spacing):
    filters = np.random.default_rng(1).normal(size=(2, 3 * N_DELAYS)).astype(np.float32)
    expected = filters @ dense_extension(signal, N_DELAYS, spacing)[:n_samples].T
    extended = Extended.of(signal[:n_samples], N_DELAYS, spacing)
    np.testing.assert_allclose(extended.filter(filters), expected, atol=1e-5)
    assert extended.filter(filters[:0]).shape == (0, n_samples)


def test_projection_is_a_product_of_observations(signal):
    matrix = np.random.default_rng(5).normal(size=(4, 3 * N_DELAYS)).astype(np.float32)
    extended, samples = Extended.of(signal, N_DELAYS, 2), np.arange(5, 3000)
    np.testing.assert_allclose(
        extended.project(matrix, samples), extended.at(samples) @ matrix.T, rtol=1e-5, atol=1e-5
    )


def test_threads_change_nothing(signal):
    filters = np.random.default_rng(6).normal(size=(3, 3 * N_DELAYS)).astype(np.float32)
    extended, results = Extended.of(signal, N_DELAYS, 2), []
    for n_threads in (1, 2):
        with threads(n_threads):
            results.append((extended.filter(filters), extended.covariance()))
    for one, two in zip(*results):
        np.testing.assert_array_equal(one, two)


def test_a_later_covariance_is_whitened_on_the_directions_kept_before():
    rng = np.random.default_rng(7)
    signal = (rng.normal(size=(20_000, 4)) @ rng.normal(size=(4, 4))).astype(np.float32)
    first = Extended.of(signal, N_DELAYS).covariance()
    whitening, _ = whiten(first)
    later = Extended.of(signal * np.array([1, 0.5, 2, 1], dtype=np.float32), N_DELAYS).covariance()
    v = whiten_within(later, whitening).matrix.astype(np.float64)
    np.testing.assert_allclose(v @ later @ v.T, np.eye(whitening.rank), atol=1e-3)
    # the same directions: nothing of it outside the rows of the first
    basis = np.linalg.qr(whitening.matrix.T.astype(np.float64))[0]
    np.testing.assert_allclose(v @ basis @ basis.T, v, atol=1e-4 * np.abs(v).max())


def test_whitened_observations_have_unit_covariance():
    rng = np.random.default_rng(2)
    signal = (rng.normal(size=(30_000, 4)) @ rng.normal(size=(4, 4))).astype(np.float32)
    covariance = Extended.of(signal, N_DELAYS).covariance()
    whitening, floor = whiten(covariance)
    v = whitening.matrix.astype(np.float64)
    np.testing.assert_allclose(v @ covariance @ v.T, np.eye(whitening.rank), atol=1e-3)
    assert floor > 0
    assert whitening.rank < 4 * N_DELAYS


def test_whitening_above_a_floor_inverts_the_loaded_covariance(signal):
    covariance = Extended.of(signal, N_DELAYS).covariance()
    v = whiten_above(covariance, 0.1).matrix.astype(np.float64)
    np.testing.assert_allclose(v.T @ v, np.linalg.inv(covariance + 0.1 * np.eye(15)), atol=1e-5)


def test_a_repeated_channel_does_not_blow_up():
    rng = np.random.default_rng(3)
    one = rng.normal(size=(5000, 1)).astype(np.float32)
    whitening, _ = whiten(Extended.of(np.concatenate([one, one], axis=1), 3).covariance())
    assert whitening.rank <= 3
    assert np.isfinite(whitening.matrix).all()


def test_filters_are_the_best_linear_ones():
    # h̃ᵀC⁻¹ by hand on a covariance that is well conditioned
    rng = np.random.default_rng(4)
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T + np.eye(6)
    whitening = whiten_above(covariance, 0.0)
    response = rng.normal(size=(1, 6)).astype(np.float32)
    filters, deflection = whitening.filters(response)
    expected = np.linalg.solve(covariance, response[0])
    expected /= np.sqrt(response[0] @ expected)
    np.testing.assert_allclose(filters[0], expected, rtol=1e-4)
    assert deflection[0] == pytest.approx(
        np.sqrt(response[0] @ np.linalg.solve(covariance, response[0])), rel=1e-5
    )


def test_mean_response_ignores_discharges_outside(signal):
    inside = np.array([100, 5000])
    shifted = np.array([-3, 100, 5000, 40_011])
    extended = Extended.of(signal, N_DELAYS)
    np.testing.assert_array_equal(extended.mean_responses([shifted]), extended.mean_responses([inside]))
    np.testing.assert_allclose(
        extended.mean_responses([inside])[0],
        dense_extension(signal, N_DELAYS)[inside].mean(axis=0),
        atol=1e-6,
    )
    assert not extended.mean_responses([np.array([-1])]).any()
