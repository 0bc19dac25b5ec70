"""Online decoding against the plain definition: whole-signal filtering, dense products, a loop over samples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

import muemg
from muemg.errors import InvalidArgumentError
from tests.separation._scenes import RATE, scene


@pytest.fixture(scope="module")
def learned():
    recording, truth = scene(3, n_units=4, n_channels=12, duration=6.0)
    return recording, truth, muemg.learn_filters(recording, truth)


def by_definition(recording, filters):
    """Sources and discharges, nothing in chunks and nothing in single precision."""
    sections = scipy_signal.butter(
        2, (filters.low, filters.high), "bandpass", fs=recording.sampling_rate, output="sos"
    )
    raw = np.nan_to_num(recording.signal[filters.channels].astype(float), posinf=0, neginf=0)
    x = scipy_signal.sosfilt(sections, raw, axis=1)
    n_samples = x.shape[1]
    sources = np.zeros((len(filters), n_samples))
    for u, bank in enumerate(filters.taps.astype(float)):
        for channel, taps in enumerate(bank):
            sources[u] += np.convolve(x[channel], taps)[:n_samples]
    gap = round(filters.min_interval * recording.sampling_rate)
    trains = []
    for source, threshold in zip(sources, filters.thresholds):
        framed = np.concatenate([np.zeros(gap), source, np.zeros(gap)])
        trains.append(
            np.array(
                [
                    t
                    for t in range(n_samples)
                    if source[t] ** 2 > threshold
                    and source[t] > 0
                    and source[t] == framed[t + 1 : t + 2 * gap].max()
                ]
            )
        )
    return sources, trains


def together(parts):
    sources = np.concatenate([part.sources for part in parts], axis=1)
    trains = [np.concatenate([part.spikes[u] for part in parts]) for u in range(len(sources))]
    return sources, trains


def test_it_is_what_the_definition_says(learned):
    recording, _, filters = learned
    sources, trains = by_definition(recording, filters)
    found = muemg.decode(recording, filters)
    for u, lag in enumerate(filters.lags):
        assert lag >= 0
        moved = sources[u, lag:]
        # Single precision: sums of some 1000 products, each good to 6e-8, of sources of unit variance.
        np.testing.assert_allclose(found.sources[u, : len(moved)], moved, atol=2e-5 * np.abs(moved).max())
        n = len(moved) - round(filters.min_interval * RATE)
        expected = trains[u] - lag
        np.testing.assert_array_equal(
            found.spikes[u][found.spikes[u] < n], expected[(expected >= 0) & (expected < n)]
        )


def test_known_units_are_found_again(learned):
    recording, truth, filters = learned
    score = muemg.compare(muemg.decode(recording, filters), truth)
    assert score.truth["rate_of_agreement"].min() > 0.95
    assert np.all(np.abs(score.truth["delay"]) < 1e-3)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=12), adapt=st.booleans())
def test_any_chunks_give_the_same_bytes(learned, sizes, adapt):
    recording, _, filters = learned
    adaptation = muemg.Adaptation(renewal=0.5) if adapt else None
    signal = recording.signal[:, :6000]
    whole = muemg.OnlineDecoder(filters, adaptation=adaptation)
    expected = together([whole.process(signal), whole.finish()])
    decoder = muemg.OnlineDecoder(filters, adaptation=adaptation)
    edges = np.minimum(np.cumsum([0, *sizes]), 6000).tolist()
    parts = [decoder.process(signal[:, a:b]) for a, b in zip([*edges], [*edges[1:], 6000])]
    parts.append(decoder.finish())
    sources, trains = together(parts)
    np.testing.assert_array_equal(sources, expected[0])
    assert all(np.array_equal(a, b) for a, b in zip(trains, expected[1]))
    assert sources.shape == (4, 6000)


def test_one_sample_at_a_time(learned):
    recording, _, filters = learned
    signal = recording.signal[:, :1500]
    whole = muemg.OnlineDecoder(filters)
    expected = together([whole.process(signal), whole.finish()])
    decoder = muemg.OnlineDecoder(filters)
    parts = []
    for t in range(1500):
        part = decoder.process(signal[:, t : t + 1])
        # Nothing is known sooner than the stated delay, and nothing later.
        assert part.first_sample + part.sources.shape[1] == max(0, t + 1 - decoder.delay_samples)
        parts.append(part)
    parts.append(decoder.finish())
    sources, trains = together(parts)
    np.testing.assert_array_equal(sources, expected[0])
    assert all(np.array_equal(a, b) for a, b in zip(trains, expected[1]))


def test_the_future_does_not_matter(learned):
    recording, _, filters = learned
    other = recording.signal.copy()
    other[:, 5000:] = 1.0
    one, two = muemg.OnlineDecoder(filters), muemg.OnlineDecoder(filters)
    a, b = one.process(recording.signal), two.process(other)
    known = 5000 - one.delay_samples
    np.testing.assert_array_equal(a.sources[:, :known], b.sources[:, :known])


def test_long_streams_pass_through_fixed_buffers(learned):
    recording, _, filters = learned
    decoder = muemg.OnlineDecoder(filters)
    before = [buffer.shape for buffer in (decoder._signal, decoder._sources)]
    parts = [decoder.process(recording.signal) for _ in range(5)]
    assert [buffer.shape for buffer in (decoder._signal, decoder._sources)] == before
    assert sum(part.sources.shape[1] for part in parts) == 5 * recording.n_samples - decoder.delay_samples
    # After the first seam every repetition is the same.
    length = recording.n_samples
    sources, _ = together(parts)
    np.testing.assert_allclose(
        sources[:, length + 4000 : 2 * length - 100],
        sources[:, 2 * length + 4000 : 3 * length - 100],
        atol=1e-3,
    )


def test_reset_forgets(learned):
    recording, _, filters = learned
    decoder = muemg.OnlineDecoder(filters, adaptation=muemg.Adaptation())
    first = decoder.process(recording.signal)
    decoder.reset()
    again = decoder.process(recording.signal)
    np.testing.assert_array_equal(first.sources, again.sources)
    assert decoder.n_samples == recording.n_samples


def test_scale_does_not_matter(learned):
    recording, truth, filters = learned
    louder = recording.with_signal(recording.signal * np.float32(1e4))
    again = muemg.decode(louder, muemg.learn_filters(louder, truth))
    found = muemg.decode(recording, filters)
    assert muemg.compare(again, found).truth["f1"].min() > 0.999


def test_bad_channels_stay_out(learned):
    recording, truth, _ = learned
    broken = recording.signal.copy()
    broken[3] = np.nan
    broken[7] = 0
    bad = recording.with_signal(broken)
    filters = muemg.learn_filters(bad, truth)
    assert set(range(12)) - set(filters.channels.tolist()) == {3, 7}
    found = muemg.decode(bad, filters)
    assert np.isfinite(found.sources).all()
    assert np.isnan(found.muaps[:, [3, 7]]).all()
    assert muemg.compare(found, truth).truth["rate_of_agreement"].min() > 0.9


def test_a_dropped_sample_does_not_stay(learned):
    recording, truth, filters = learned
    holed = recording.signal.copy()
    holed[4, 3000] = np.nan
    found = muemg.decode(recording.with_signal(holed), filters)
    whole = muemg.decode(recording, filters)
    assert np.isfinite(found.sources).all()
    far = np.arange(recording.n_samples) > 3000 + RATE
    np.testing.assert_allclose(found.sources[:, far], whole.sources[:, far], atol=1e-3)
    assert muemg.compare(found, truth).truth["rate_of_agreement"].min() > 0.9


def test_steady_contractions_survive_adaptation(learned):
    recording, truth, filters = learned
    found = muemg.decode(recording, filters, adaptation=muemg.Adaptation())
    assert muemg.compare(found, truth).truth["rate_of_agreement"].min() > 0.9
    assert found.filters != filters


def test_adaptation_solves_the_normal_equations(learned):
    """The filters after a renewal are C⁻¹ h of the covariance and responses that they carry."""
    recording, _, filters = learned
    decoder = muemg.OnlineDecoder(filters, adaptation=muemg.Adaptation())
    first, had = decoder.filters, decoder.filters
    for start in range(0, 5000, 41):
        decoder.process(recording.signal[:, start : start + 41])
        new = decoder.filters
        if not np.array_equal(new.taps, first.taps):
            break
        had = new
    else:
        pytest.fail("no renewal")
    n_units, n_used, n_taps = new.taps.shape
    size = n_used * n_taps
    extended = np.zeros((n_taps, n_used, n_taps, n_used))
    for p in range(n_taps):
        for q in range(n_taps):
            extended[p, :, q] = had.covariance[q - p] if q >= p else had.covariance[p - q].T
    matrix = extended.reshape(size, size) + new.noise_floor * np.eye(size)
    wanted = np.linalg.solve(matrix, had.responses.transpose(0, 2, 1).reshape(n_units, size).T).T
    got = new.taps.transpose(0, 2, 1).reshape(n_units, size)
    cosine = np.sum(wanted * got, axis=1) / np.linalg.norm(wanted, axis=1) / np.linalg.norm(got, axis=1)
    # Discharges between the solution and now have moved the responses by a few per cent.
    assert cosine.min() > 0.98


def test_the_file_keeps_the_filters(learned, tmp_path):
    recording, _, filters = learned
    found = muemg.decode(recording, filters)
    for name in ("x.h5", "x.npz"):
        muemg.write(tmp_path / name, found)
        again = muemg.read(tmp_path / name).require("decomposition")
        assert again == found
        assert again.filters == filters


def test_a_decomposition_carries_its_filters(learned):
    recording, _, filters = learned
    found = muemg.decode(recording, filters)
    part = found.select_units([2, 0])
    assert part.filters == filters.select_units([2, 0])
    again = muemg.decode(recording, part)
    np.testing.assert_array_equal(again.spikes[0], found.spikes[2])
    assert again.spikes.unit_ids == part.spikes.unit_ids
    with pytest.raises(InvalidArgumentError, match="filters must be those of the 2 units"):
        replace(part, filters=filters)


def test_a_unit_without_discharges_never_fires(learned):
    recording, truth, _ = learned
    trains = muemg.SpikeTrains((truth[0], []), RATE, truth.n_samples)
    filters = muemg.learn_filters(recording, trains)
    for adaptation in (None, muemg.Adaptation()):
        found = muemg.decode(recording, filters, adaptation=adaptation)
        assert len(found.spikes[0]) > 20
        assert len(found.spikes[1]) == 0


def test_bad_input_is_named(learned):
    recording, truth, filters = learned
    decoder = muemg.OnlineDecoder(filters)
    with pytest.raises(
        InvalidArgumentError, match=r"chunk must be .* \(12, n\), got float64 of shape \(5, 12\)"
    ):
        decoder.process(np.zeros((5, 12)))
    with pytest.raises(InvalidArgumentError, match="chunk must be floating-point"):
        decoder.process(np.zeros((12, 5), dtype=int))
    with pytest.raises(InvalidArgumentError, match="this one has none"):
        muemg.OnlineDecoder(replace(muemg.decode(recording, filters), filters=None))
    with pytest.raises(InvalidArgumentError, match="filters must be"):
        muemg.OnlineDecoder(3)
    with pytest.raises(InvalidArgumentError, match="units must be on the clock"):
        muemg.learn_filters(recording.time_slice(1), truth)
    with pytest.raises(InvalidArgumentError, match="12 channels at 2048 Hz"):
        muemg.decode(recording.select_channels([0, 1, 2]), filters)
    with pytest.raises(InvalidArgumentError, match="renewal"):
        muemg.Adaptation(renewal=0)
