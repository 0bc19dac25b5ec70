import numpy as np
import pytest

from muemg import Recording
from muemg.preprocessing import find_bad_channels

from .signals import SAMPLING_RATES, emg_like, tone


def spoiled(sampling_rate=2048.0, n_channels=16, **changes):
    """EMG-like channels of which some, ``c3=function``, went through a function."""
    signal = np.array(emg_like(n_channels, sampling_rate).signal)
    for name, change in changes.items():
        channel = int(name[1:])
        signal[channel] = change(signal[channel])
    return Recording(signal, sampling_rate)


def gap(x):
    x[7] = np.nan
    return x


def overflow(x):
    x[3:5] = [np.inf, -np.inf]
    return x


def lost_after_a_while(x):
    x[len(x) // 2 :] = x[len(x) // 2]
    return x


def clip(x):
    limit = 1.5 * x.std()
    return np.clip(x, -limit, limit)


def white(x):
    return 2 * x.std() * np.random.default_rng(5).standard_normal(len(x))


FAULTS = {
    "not finite in 1 of": gap,
    "not finite in 2 of": overflow,
    "flat: constant": lambda x: 0 * x,
    "flat: constant throughout": lambda x: 0 * x + 3e-3,
    "flat for 50%": lost_after_a_while,
    "clipped": clip,
    "dB above": lambda x: 30 * x,
    "dB below": lambda x: x / 100,
    "spectrum": white,
}


@pytest.mark.parametrize("sampling_rate", SAMPLING_RATES)
@pytest.mark.parametrize(("reason", "fault"), FAULTS.items())
def test_each_fault_is_found_on_its_channel_and_nowhere_else(sampling_rate, reason, fault):
    bad = find_bad_channels(spoiled(sampling_rate, c3=fault))
    assert list(bad) == [3]
    assert reason in bad[3]


@pytest.mark.parametrize("sampling_rate", SAMPLING_RATES)
@pytest.mark.parametrize("n_channels", [1, 2, 5, 64, 320])
def test_good_channels_are_left_alone(sampling_rate, n_channels):
    assert find_bad_channels(emg_like(n_channels, sampling_rate, duration=2.0)) == {}


def test_all_faults_at_once_are_told_apart():
    names = {f"c{2 * i}": fault for i, fault in enumerate(FAULTS.values())}
    bad = find_bad_channels(spoiled(n_channels=40, **names))
    assert list(bad) == [2 * i for i in range(len(FAULTS))]
    for reason, found in zip(FAULTS, bad.values()):
        assert reason in found


@pytest.mark.parametrize("scale", [2.0**-30, 2.0**20, 1e-20])
def test_the_scale_does_not_matter(scale):
    recording = spoiled(c1=clip, c4=gap, c6=lambda x: 30 * x, c9=white)
    scaled = recording.with_signal(recording.signal.astype(np.float64) * scale)
    assert find_bad_channels(scaled) == find_bad_channels(recording)


def test_the_power_line_is_no_reason_since_it_can_be_filtered():
    assert find_bad_channels(spoiled(c2=lambda x: x + tone(50.0, 2048.0, amplitude=2e-3))) == {}


def test_an_offset_or_a_slow_drift_is_no_reason():
    assert (
        find_bad_channels(spoiled(c2=lambda x: x + 0.01, c5=lambda x: x + tone(0.3, 2048.0, amplitude=5e-3)))
        == {}
    )


def test_coarse_rounding_is_neither_flat_nor_clipping():
    step = 2e-5  # a fifth of the root mean square
    recording = emg_like(8)
    assert find_bad_channels(recording.with_signal(np.round(recording.signal / step) * step)) == {}


def test_silence_on_all_channels_at_once_is_no_fault():
    signal = np.array(emg_like(8).signal)
    signal[:, : signal.shape[1] // 2] = 0
    assert find_bad_channels(Recording(signal, 2048.0)) == {}


@pytest.mark.parametrize("signal", [np.zeros((4, 100)), np.full((4, 100), np.nan), np.zeros((1, 1))])
def test_every_channel_may_be_bad(signal):
    assert list(find_bad_channels(Recording(signal, 2048.0))) == list(range(len(signal)))


def test_a_single_channel_is_judged_by_itself():
    assert find_bad_channels(spoiled(n_channels=1)) == {}
    assert list(find_bad_channels(spoiled(n_channels=1, c0=clip))) == [0]


def test_very_short_recordings_pass():
    signal = emg_like(6, duration=1.0).signal
    assert find_bad_channels(Recording(signal[:, 500:520], 2048.0)) == {}
