"""The compiled detector is the documented definition of the metrics, for many sources at once."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from muemg.metrics import quality
from muemg.separation._detection import detect_spikes


@given(seed=st.integers(0, 2**32 - 1), n_samples=st.integers(3, 3000), spikes=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_equals_the_metrics_definition(seed, n_samples, spikes):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=n_samples)
    source[rng.integers(0, n_samples, spikes)] += 8
    source = source.astype(np.float32)
    found, silhouettes = detect_spikes(source[None], round(quality.REFRACTORY_PERIOD * 2048))
    expected, silhouette = quality.detect_spikes(source, 2048.0)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_allclose(silhouettes[0], np.nan_to_num(silhouette), atol=1e-9)


def test_discharges_on_the_first_and_last_sample_are_found():
    source = np.random.default_rng(0).normal(scale=0.1, size=(1, 1000)).astype(np.float32)
    source[0, [0, 500, 999]] = 10
    found, silhouettes = detect_spikes(source, 20)
    assert found[0].tolist() == [0, 500, 999]
    assert silhouettes[0] > 0.99


def test_a_flat_source_has_no_discharge():
    found, silhouettes = detect_spikes(np.zeros((2, 100), dtype=np.float32), 20)
    assert [len(train) for train in found] == [0, 0]
    assert silhouettes.tolist() == [0, 0]
