import numpy as np
import pytest

from muemg import Recording
from muemg.errors import InvalidArgumentError
from muemg.preprocessing import remove_power_line

from .signals import SAMPLING_RATES, emg_like, tone


def with_lines(recording, *lines):
    """The recording with sinusoids of (frequency, amplitude) added to all channels."""
    added = sum(tone(f, recording.sampling_rate, recording.duration, a) for f, a in lines)
    return recording.with_signal(recording.signal + added[None, :])


@pytest.mark.parametrize("sampling_rate", SAMPLING_RATES)
@pytest.mark.parametrize("n_channels", [1, 16])
def test_a_clean_recording_is_handed_back_as_it_is(sampling_rate, n_channels):
    recording = emg_like(n_channels, sampling_rate)
    result, lines = remove_power_line(recording)
    assert result is recording
    assert lines == ()


@pytest.mark.parametrize("sampling_rate", SAMPLING_RATES)
@pytest.mark.parametrize("mains", [49.95, 50.0, 60.02])
def test_the_mains_are_found_and_taken_out(sampling_rate, mains):
    clean = emg_like(8, sampling_rate)
    result, lines = remove_power_line(with_lines(clean, (mains, 2e-4)))
    # The phase of 8 s of a line 10 dB above the EMG is known to far less than a turn.
    assert lines == pytest.approx((mains,), abs=0.02)
    # The notch is some 0.7 Hz wide and takes what EMG lies within: 0.7 of the 90 Hz that hold it, more at the
    # ends, where half the window has to do.
    error = (result.signal - clean.signal).std() / 2e-4
    assert error < 0.1


def test_only_the_harmonics_that_are_there_are_taken_out():
    clean = emg_like(8)
    result, lines = remove_power_line(with_lines(clean, (50.0, 2e-4), (150.0, 1e-4), (350.0, 2e-5)))
    assert lines == pytest.approx((50.0, 150.0, 350.0), abs=0.1)
    change = np.fft.rfft(result.signal - clean.signal, axis=1)
    frequencies = np.fft.rfftfreq(clean.n_samples, 1 / clean.sampling_rate)
    untouched = np.abs(frequencies - 100) < 5
    before = np.fft.rfft(clean.signal, axis=1)
    # What a line's residue leaks 40 Hz away, against the EMG that is there.
    assert np.linalg.norm(change[:, untouched]) < 0.01 * np.linalg.norm(before[:, untouched])


def test_a_line_that_comes_and_goes_slowly_is_followed():
    clean = emg_like(4, duration=20.0)
    swell = 1 + 0.5 * np.sin(2 * np.pi * 0.05 * clean.times)
    noisy = clean.with_signal(clean.signal + swell * tone(50.0, 2048.0, 20.0, 1e-3))
    result, _ = remove_power_line(noisy)
    # Under the window's 0.5 s the swell of 0.05 Hz loses 1 − exp(−(2π·0.05·0.5)²/2) = 1.2 % of its 0.5.
    assert (result.signal - clean.signal).std() < 0.03 * 1e-3


def test_tones_3_hz_beside_the_line_stay():
    neighbours = Recording((tone(47, 2048.0) + tone(53, 2048.0))[None], 2048.0)
    result, _ = remove_power_line(with_lines(emg_like(1, rms=1e-6), (50.0, 1e-3)), frequency=50.0)
    both, _ = remove_power_line(
        neighbours.with_signal(neighbours.signal + with_lines(emg_like(1, rms=1e-6), (50.0, 1e-3)).signal),
        frequency=50.0,
    )
    middle = slice(2048, -2048)
    difference = (both.signal - result.signal - neighbours.signal)[0, middle]
    # exp(−(2π·3·0.5)²/2) is nothing; what is left is the frequency, estimated a little differently.
    assert np.abs(difference).max() < 0.05 * 1e-4


def test_a_line_on_one_channel_only_is_seen():
    signal = np.array(emg_like(16).signal)
    signal[5] += tone(60.0, 2048.0, amplitude=5e-4)
    _, lines = remove_power_line(Recording(signal, 2048.0))
    assert lines == pytest.approx((60.0,), abs=0.05)


def test_a_given_frequency_is_looked_for_alone():
    noisy = with_lines(emg_like(4), (50.0, 2e-4))
    assert remove_power_line(noisy, frequency=60.0)[1] == ()
    assert remove_power_line(noisy, frequency=50.0)[1] == pytest.approx((50.0,), abs=0.02)
    # Railways run at 16.7 Hz.
    assert remove_power_line(with_lines(emg_like(4), (16.7, 2e-4)), 16.7)[1] == pytest.approx(
        (16.7,), abs=0.02
    )


def test_channels_with_gaps_stay_as_they_are_and_infect_none():
    noisy = with_lines(emg_like(3), (50.0, 2e-4))
    broken = np.array(noisy.signal)
    broken[1, 10] = np.nan
    result, lines = remove_power_line(noisy.with_signal(broken))
    assert lines
    np.testing.assert_array_equal(result.signal[1], broken[1])
    assert np.isfinite(result.signal[[0, 2]]).all()


@pytest.mark.parametrize("signal", [np.zeros((3, 9000)), np.full((2, 9000), np.nan), np.ones((1, 5))])
def test_recordings_without_a_signal_pass(signal):
    recording = Recording(signal, 2048.0)
    assert remove_power_line(recording) == (recording, ())


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_the_scale_does_not_matter(scale):
    noisy = with_lines(emg_like(4), (50.0, 2e-4))
    _, lines = remove_power_line(noisy.with_signal(noisy.signal * scale))
    assert lines == pytest.approx(remove_power_line(noisy)[1], abs=1e-4)


@pytest.mark.parametrize("frequency", [0, -50.0, 1024.0, np.inf])
def test_an_impossible_frequency_is_an_error(frequency):
    with pytest.raises(InvalidArgumentError, match="frequency must be"):
        remove_power_line(emg_like(1, duration=1.0), frequency)
