"""The block iteration finds sparse sources in an instantaneous mixture, whatever the contrast."""

import numpy as np
import pytest

from muemg.separation._fixed_point import CONTRASTS, distinct, fixed_point
from muemg.separation._kernel_compensation import compensate


def whitened_mixture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sources = (rng.random((4, 20_000)) < 0.02) * 5.0
    sources = (sources - sources.mean(1, keepdims=True)) / sources.std(1, keepdims=True)
    mixed = rng.normal(size=(4, 4)) @ sources
    values, vectors = np.linalg.eigh(np.cov(mixed))
    return (mixed.T @ vectors / np.sqrt(values)).astype(np.float32), sources


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_every_sparse_source_is_found_with_its_sign(contrast):
    whitened, sources = whitened_mixture(0)
    starts = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    found = fixed_point(whitened, starts, contrast=contrast, n_iterations=30) @ whitened.T
    correlation = found @ sources.T / sources.shape[1]
    # log cosh bends most and has spurious fixed points; every source must still be among what was found
    np.testing.assert_array_less(0.99, correlation.max(axis=0))


@pytest.mark.parametrize("mode", ["symmetric", "deflation"])
def test_orthogonal_modes_find_every_source_once(mode):
    whitened, sources = whitened_mixture(0)
    starts = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    directions = fixed_point(whitened, starts, mode=mode, n_iterations=30)
    np.testing.assert_allclose(directions @ directions.T, np.eye(4), atol=1e-4)
    correlation = directions @ whitened.T @ sources.T / sources.shape[1]
    np.testing.assert_array_less(0.99, correlation.max(axis=0))


@pytest.mark.parametrize("exponent", [1.5, 3.0, 6.0])
def test_the_power_contrast_climbs_its_own_contrast(exponent):
    """E[|s|^a] grows above a = 2 and falls below, where sparse sources have less of it than Gaussian ones."""
    whitened, _ = whitened_mixture(4)
    start = np.random.default_rng(5).normal(size=(1, 4)).astype(np.float32)
    start /= np.linalg.norm(start)
    found = fixed_point(whitened, start, contrast="power", exponent=exponent, n_iterations=30)
    before, after = (np.mean(np.abs(whitened @ w[0]) ** exponent) for w in (start, found))
    assert (after - before) * (exponent - 2) > 0


def test_peaks_lead_to_the_same_sources():
    whitened, sources = whitened_mixture(6)
    peaks = np.flatnonzero((sources > 1).any(axis=0))[::20]
    blind = (peaks, peaks + 1)
    found = compensate(whitened, whitened[peaks], n_iterations=8, n_peaks=100, blind=blind) @ whitened.T
    correlation = found @ sources.T / sources.shape[1]
    np.testing.assert_array_less(0.98, correlation.max(axis=0))


def test_starts_that_meet_are_iterated_once():
    whitened, _ = whitened_mixture(2)
    starts = np.repeat(np.random.default_rng(3).normal(size=(1, 4)), 10, axis=0).astype(np.float32)
    assert len(fixed_point(whitened, starts, n_iterations=12)) == 1


def test_distinct_ignores_the_sign():
    vectors = np.array([[1, 0], [-1, 0], [0, 1], [0.99, 0.14]], dtype=np.float32)
    assert distinct(vectors).tolist() == [0, 2]


@pytest.mark.parametrize("seed", range(3))
def test_a_source_does_not_hold_on_to_the_observation_it_started_from(seed):
    """Fifty discharges of a unit; the search starts at one that a large artefact hits as well."""
    rng = np.random.default_rng(seed)
    rank, n_samples, start = 200, 6000, 5500
    whitened = rng.normal(size=(n_samples, rank)).astype(np.float32)
    whitened[np.arange(50, 5050, 100), 0] += 7
    whitened[start] = 3 * rng.normal(size=rank)
    whitened[start, 0] = 7
    artefact = whitened[start] / np.linalg.norm(whitened[start])
    seeing = fixed_point(whitened, whitened[[start]], n_iterations=4)[0]
    blind = fixed_point(
        whitened, whitened[[start]], n_iterations=4, blind=(np.array([start]), np.array([start + 1]))
    )[0]
    assert abs(blind[0]) > 0.9
    assert abs(blind @ artefact) < 0.5 * abs(seeing @ artefact)
