"""The extended observations written as filters equal the dense matrix that is never built."""

import numpy as np
import pytest

from muemg.separation._extension import (
    apply_filters,
    extended_columns,
    extended_covariance,
    mean_responses,
    whiten,
    whiten_above,
)

N_DELAYS = 5


def dense_extension(signal: np.ndarray, n_delays: int) -> np.ndarray:
    """x̃(t) = [x(t), x(t−1), …], row by row, zero before the start."""
    rows = []
    for delay in range(n_delays):
        delayed = np.zeros_like(signal)
        delayed[:, delay:] = signal[:, : signal.shape[1] - delay]
        rows.append(delayed)
    return np.concatenate(rows)


@pytest.fixture
def signal() -> np.ndarray:
    # Longer than one chunk and not a multiple of it.
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 20_011)).astype(np.float32)
    values[:, -N_DELAYS:] = 0  # so that the end has no cut copies and the dense covariance is Toeplitz too
    return values


def test_columns_are_those_of_the_dense_matrix(signal):
    dense = dense_extension(signal, N_DELAYS)
    samples = np.array([0, 1, 3, N_DELAYS, 8191, 8192, 20_010])
    np.testing.assert_array_equal(extended_columns(signal, samples, N_DELAYS), dense[:, samples])


def test_covariance_is_that_of_the_dense_matrix(signal):
    dense = dense_extension(signal, N_DELAYS).astype(np.float64)
    # float32 sums over 8192 samples of unit variance: 1e-6 is some ten roundings
    np.testing.assert_allclose(
        extended_covariance(signal, N_DELAYS), dense @ dense.T / dense.shape[1], atol=1e-6
    )


def test_filters_over_chunks_equal_one_product(signal):
    filters = np.random.default_rng(1).normal(size=(2, 3 * N_DELAYS)).astype(np.float32)
    expected = filters @ dense_extension(signal, N_DELAYS)
    np.testing.assert_allclose(apply_filters(filters, signal, N_DELAYS), expected, atol=1e-5)


def test_whitened_observations_have_unit_covariance():
    rng = np.random.default_rng(2)
    signal = (rng.normal(size=(4, 4)) @ rng.normal(size=(4, 30_000))).astype(np.float32)
    covariance = extended_covariance(signal, N_DELAYS)
    whitening, floor = whiten(covariance, N_DELAYS)
    v = whitening.matrix.astype(np.float64)
    np.testing.assert_allclose(v @ covariance @ v.T, np.eye(whitening.rank), atol=1e-3)
    assert floor > 0
    assert whitening.rank < 4 * N_DELAYS


def test_whitening_above_a_floor_inverts_the_loaded_covariance(signal):
    covariance = extended_covariance(signal, N_DELAYS)
    v = whiten_above(covariance, N_DELAYS, 0.1).matrix.astype(np.float64)
    np.testing.assert_allclose(v.T @ v, np.linalg.inv(covariance + 0.1 * np.eye(15)), atol=1e-5)


def test_a_repeated_channel_does_not_blow_up():
    rng = np.random.default_rng(3)
    one = rng.normal(size=(1, 5000)).astype(np.float32)
    whitening, _ = whiten(extended_covariance(np.concatenate([one, one]), 3), 3)
    assert whitening.rank <= 3
    assert np.isfinite(whitening.matrix).all()


def test_filters_are_the_best_linear_ones():
    # h̃ᵀC⁻¹ by hand on a covariance that is well conditioned
    rng = np.random.default_rng(4)
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T + np.eye(6)
    whitening = whiten_above(covariance, 2, 0.0)
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
    shifted = np.array([-3, 100, 5000, 20_011])
    np.testing.assert_array_equal(
        mean_responses(signal, [shifted], N_DELAYS), mean_responses(signal, [inside], N_DELAYS)
    )
    assert not mean_responses(signal, [np.array([-1])], N_DELAYS).any()
