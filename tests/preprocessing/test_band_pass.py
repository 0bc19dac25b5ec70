import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muemg import Recording
from muemg.errors import InvalidArgumentError
from muemg.preprocessing import band_pass

from .signals import SAMPLING_RATES, emg_like, tone


def filtered(samples, sampling_rate, **edges):
    return band_pass(Recording(np.atleast_2d(samples), sampling_rate), **edges).signal[0]


@pytest.mark.parametrize("sampling_rate", SAMPLING_RATES)
def test_a_tone_inside_the_band_keeps_amplitude_and_phase(sampling_rate):
    # |H|² of a second-order band-pass of 20–500 (475) Hz at its geometric centre, 100 Hz, is 1 to 1e-3.
    x = tone(100, sampling_rate)
    y = filtered(x, sampling_rate)
    middle = slice(len(x) // 4, -len(x) // 4)
    assert np.abs(y - x)[middle].max() < 2e-3 * 1e-4


@pytest.mark.parametrize("sampling_rate", SAMPLING_RATES)
def test_what_lies_outside_the_band_is_gone(sampling_rate):
    offset = 3e-3
    y = filtered(tone(2, sampling_rate) + offset, sampling_rate)
    # 2 Hz is a decade below the edge: 2 passes × 2 poles × 20 dB = −80 dB; the offset leaves nothing at all.
    assert np.abs(y[len(y) // 4 : -len(y) // 4]).max() < 2e-4 * 1e-4
    if sampling_rate > 4000:
        y = filtered(tone(1900, sampling_rate), sampling_rate)
        assert np.abs(y[len(y) // 4 : -len(y) // 4]).max() < 1e-2 * 1e-4


@pytest.mark.parametrize("edge", [20.0, 500.0])
def test_edges_pass_half_the_amplitude(edge):
    y = filtered(tone(edge, 4096.0, amplitude=1.0), 4096.0)
    middle = y[len(y) // 4 : -len(y) // 4]
    # Two passes of −3 dB each; the other edge and the bilinear transform account for the tolerance.
    assert np.sqrt(2) * middle.std() == pytest.approx(0.5, abs=0.01)


def test_the_upper_edge_is_cut_below_nyquist():
    recording = emg_like(2, sampling_rate=600.0)
    assert band_pass(recording) == band_pass(recording, high=0.95 * 300)


def test_an_impulse_stays_where_it_is_and_becomes_symmetric():
    x = np.zeros(4001)
    x[2000] = 1.0
    y = filtered(x, 2048.0)
    assert y.argmax() == 2000
    np.testing.assert_allclose(y, y[::-1], atol=1e-6)


def test_channels_with_gaps_do_not_infect_the_others():
    recording = emg_like(4)
    broken = np.array(recording.signal)
    broken[1, 100] = np.nan
    broken[2, -1] = np.inf
    result = band_pass(recording.with_signal(broken)).signal
    np.testing.assert_array_equal(result[[0, 3]], band_pass(recording).signal[[0, 3]])
    assert np.isnan(result[[1, 2]]).all()


# Powers of two scale every float without rounding, so the filter has to as well, 1e-9 to 1e+6.
@given(exponent=st.integers(-30, 20), order=st.permutations(range(3)))
@settings(max_examples=15, deadline=None)
def test_scale_and_order_of_the_channels_pass_through(exponent, order):
    recording = emg_like(3, duration=1.0)
    factor = np.float32(2.0**exponent)
    result = band_pass(Recording((recording.signal * factor)[order], 2048.0)).signal
    np.testing.assert_array_equal(result, (band_pass(recording).signal * factor)[order])


@pytest.mark.parametrize("n_samples", [1, 2, 5, 30, 400])
def test_short_recordings_pass(n_samples):
    x = emg_like(1, duration=1.0).signal[:, :n_samples]
    assert np.isfinite(band_pass(Recording(x, 2048.0)).signal).all()


def test_the_result_is_single_precision_with_everything_else_as_it_was():
    recording = Recording(emg_like(2).signal, 2048.0, auxiliary={"force": np.arange(8 * 2048)})
    result = band_pass(recording)
    assert result.signal.dtype == np.float32
    assert not result.signal.flags.writeable
    np.testing.assert_array_equal(result.auxiliary["force"], recording.auxiliary["force"])


@pytest.mark.parametrize(
    "edges", [{"low": 0.0}, {"low": -1}, {"high": np.nan}, {"low": 500, "high": 20}, {"low": 1000}]
)
def test_an_empty_band_is_an_error_that_names_the_edge(edges):
    with pytest.raises(InvalidArgumentError, match=next(iter(edges))):
        band_pass(emg_like(1, duration=1.0), **edges)
