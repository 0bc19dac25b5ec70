"""The block iteration finds sparse sources in an instantaneous mixture, whatever the contrast."""

import numpy as np
import pytest

from muemg.separation._fixed_point import CONTRASTS, distinct, fixed_point


def whitened_mixture(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sources = (rng.random((4, 20_000)) < 0.02) * 5.0
    sources = (sources - sources.mean(1, keepdims=True)) / sources.std(1, keepdims=True)
    mixed = rng.normal(size=(4, 4)) @ sources
    values, vectors = np.linalg.eigh(np.cov(mixed))
    return (vectors.T @ mixed / np.sqrt(values)[:, None]).astype(np.float32), sources


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_every_sparse_source_is_found_with_its_sign(contrast):
    whitened, sources = whitened_mixture(0)
    starts = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    found = fixed_point(whitened, starts, contrast=contrast, n_iterations=30) @ whitened
    correlation = found @ sources.T / sources.shape[1]
    # log cosh bends most and has spurious fixed points; every source must still be among what was found
    np.testing.assert_array_less(0.99, correlation.max(axis=0))


def test_starts_that_meet_are_iterated_once():
    whitened, _ = whitened_mixture(2)
    starts = np.repeat(np.random.default_rng(3).normal(size=(1, 4)), 10, axis=0).astype(np.float32)
    assert len(fixed_point(whitened, starts)) == 1


def test_distinct_ignores_the_sign():
    vectors = np.array([[1, 0], [-1, 0], [0, 1], [0.99, 0.14]], dtype=np.float32)
    assert distinct(vectors).tolist() == [[1, 0], [0, 1]]
