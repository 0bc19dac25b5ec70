"""EDF and BDF: every sample within one step, every sample there, and files of other programs read as they are."""

import json
import subprocess
import sys

import edfio
import io_records as records
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import muemg
from muemg import Contents, Recording, SpikeTrains
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.io._edf_layout import cut_into_records, physical_range, volts_per_unit

KINDS = {".edf": 16, ".bdf": 24}


def noise(amplitude=1e-3, n_samples=5000, rate=2048.0, **more):
    rng = np.random.default_rng(3)
    signal = amplitude * rng.standard_normal((4, n_samples)) * np.array([[1.0], [0.3], [1.0], [0.01]])
    signal[2] += 20 * amplitude  # an electrode offset
    return Recording(signal, rate, **more)


def steps(values, bits):
    """The step of each channel: its own range over all that the bits can tell apart."""
    return np.ptp(np.asarray(values, dtype=np.float64), axis=-1) / (2**bits - 1)


@pytest.mark.parametrize("extension", KINDS)
@pytest.mark.parametrize("amplitude", [1e-6, 1e-3, 1.0])
def test_samples_come_back_within_one_step_of_their_channel(tmp_path, extension, amplitude):
    force = np.linspace(-3, 47.11, 5000)
    recording = noise(amplitude, auxiliary={"force": force, "tiny": 1e-7 * force})
    muemg.write(tmp_path / f"x{extension}", recording)
    back = muemg.read(tmp_path / f"x{extension}").recording
    error = np.abs(back.signal.astype(np.float64) - recording.signal).max(axis=1)
    # Half a step of rounding, and the float32 of the record itself, which is finer than a step of 24 bits.
    assert np.all(error <= steps(recording.signal, KINDS[extension]))
    assert error.max() > 0
    assert np.abs(back.auxiliary["force"] - force).max() <= steps(force, KINDS[extension])
    # Auxiliary ranges are decimals of eight characters, at least 0.0001 wide.
    assert np.abs(back.auxiliary["tiny"] - 1e-7 * force).max() <= 2e-4 / (2 ** KINDS[extension] - 1)


@pytest.mark.parametrize("extension", KINDS)
def test_a_dead_channel_comes_back_dead(tmp_path, extension):
    signal = np.array(noise().signal)
    signal[1], signal[3] = 0.0, 0.25e-3
    muemg.write(tmp_path / f"x{extension}", Recording(signal, 2048.0))
    back = muemg.read(tmp_path / f"x{extension}").recording.signal
    np.testing.assert_array_equal(back[1], 0)
    np.testing.assert_allclose(back[3], 0.25e-3, rtol=1e-6)
    assert np.ptp(back[3]) == 0


@given(
    n_samples=st.integers(4, 3000) | st.sampled_from([5003, 4999, 20_011]),
    rate=st.sampled_from([1000.0, 1999.5, 2000.0, 2048.0, 10_240.0, 1e6 / 3, 0.7]) | st.floats(0.5, 3e4),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_number_of_samples_and_the_rate_are_exact(tmp_path, n_samples, rate):
    assume(n_samples / rate > 1e-3)
    recording = noise(n_samples=n_samples, rate=rate)
    spikes = SpikeTrains(([0, 2, n_samples - 1], []), rate, n_samples)
    muemg.write(tmp_path / "x.edf", Contents(recording=recording, spikes=spikes))
    back = muemg.read(tmp_path / "x.edf")
    assert (back.recording.n_samples, back.recording.sampling_rate) == (n_samples, rate)
    assert back.spikes == spikes


@given(n_samples=st.integers(1, 10**6), rate=st.floats(1.0, 1e5))
@settings(max_examples=200, deadline=None)
def test_records_hold_all_samples_and_nothing_else(n_samples, rate):
    assume(n_samples / rate > 1e-3)
    records_ = cut_into_records(n_samples, rate)
    assert records_.count * records_.length == n_samples
    assert len(f"{records_.duration:.8f}".rstrip("0").rstrip(".")) <= 8
    # Eight characters leave at least three digits even to a record of a millisecond.
    assert records_.length / records_.duration == pytest.approx(rate, rel=1e-3)


@given(low=st.floats(-9e6, 8.9e6), width=st.floats(0, 1e6) | st.just(0.0))
def test_a_physical_range_holds_its_values_in_eight_characters(low, width):
    first, last = physical_range("x", low, low + width)
    assert first <= low <= low + width <= last
    assert first < last
    for end in (first, last):
        said = str(int(end)) if end.is_integer() else str(end)
        assert len(said) <= 8
        assert "e" not in said
    if low + width == low:
        return  # a constant needs an upper end of its own
    # No wider than the rounding of both ends: to a unit at seven digits, to 1e-5 at one.
    assert last - first <= width + 2.5 * 10.0 ** (len(str(int(max(abs(low), abs(low + width))))) - 6) + 2e-4


@pytest.mark.parametrize("extension", KINDS)
def test_names_tracks_discharges_and_annotations_come_back(tmp_path, extension):
    recording = noise(
        channel_names=("1", "b/c", "ü", "a name of more than sixteen letters"),
        auxiliary={
            "force": np.arange(5000.0),
            "gain in volts": np.arange(5000.0) / 7,
            "ü" * 20: np.ones(5000),
        },
        metadata={
            "auxiliary_units": {"force": "% MVC", "gain in volts": "mV"},
            "annotations": [[0.5, None, "go"], [1.25, 0.75, "hold ü"]],
        },
    )
    spikes = SpikeTrains(([0, 7, 4999], [], [3], [3, 4]), 2048.0, 5000, (7, "7", "biceps/1", "x" * 30))
    contents = Contents(recording=recording, spikes=spikes)
    first = muemg.write(tmp_path / f"a{extension}", contents).read_bytes()
    assert muemg.write(tmp_path / f"b{extension}", contents).read_bytes() == first
    back = muemg.read(tmp_path / f"a{extension}")
    assert back.recording.channel_names == recording.channel_names
    assert list(back.recording.auxiliary) == list(recording.auxiliary)
    assert back.recording.metadata["auxiliary_units"]["force"] == "% MVC"
    assert back.recording.metadata["annotations"] == recording.metadata["annotations"]
    assert back.spikes == spikes


def test_found_discharges_are_written_where_none_are_known(tmp_path, small_scene):
    contents = Contents(recording=small_scene.recording, decomposition=small_scene.decomposition)
    muemg.write(tmp_path / "x.bdf", contents)
    assert muemg.read(tmp_path / "x.bdf").spikes == small_scene.decomposition.spikes


# ---------------------------------------------------------------------- other programs


def test_mne_sees_the_same_volts(tmp_path, small_scene):
    pytest.importorskip("mne", reason="did not run: mne is not installed")
    volts = {}
    for extension in KINDS:
        recording = small_scene.recording
        muemg.write(tmp_path / f"x{extension}", Contents(recording=recording, spikes=small_scene.spikes))
        volts[extension] = muemg.read(tmp_path / f"x{extension}").recording
    code = (
        "import sys, json, numpy as np, mne\n"
        "mne.set_log_level('error')\n"
        "out = {}\n"
        "for ext, read in (('.edf', mne.io.read_raw_edf), ('.bdf', mne.io.read_raw_bdf)):\n"
        "    raw = read(sys.argv[1] + '/x' + ext, infer_types=True, preload=True)\n"
        "    np.save(sys.argv[1] + '/' + ext[1:] + '.npy', raw.get_data(picks='emg'))\n"
        "    out[ext] = [raw.info['sfreq'], raw.get_channel_types(), len(raw.annotations), raw.ch_names]\n"
        "print(json.dumps(out))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    for extension, ours in volts.items():
        theirs = np.load(tmp_path / f"{extension[1:]}.npy")
        assert theirs.shape == ours.signal.shape
        # Both count in steps of the same header: they differ by float32 alone.
        np.testing.assert_allclose(theirs, ours.signal, rtol=0, atol=1e-7 * np.abs(ours.signal).max())
        rate, types, n_annotations, names = said[extension]
        assert rate == 2000
        assert types.count("emg") == 8
        assert names[:2] == ["0", "1"]
        assert n_annotations >= small_scene.spikes.n_spikes.sum()


def foreign(tmp_path, *signals, kind="edf", duration=1.0, **more):
    made = (edfio.Edf if kind == "edf" else edfio.Bdf)(list(signals), data_record_duration=duration, **more)
    made.write(tmp_path / f"x.{kind}")
    return tmp_path / f"x.{kind}"


def sine(rate=2000, seconds=3, amplitude=100.0, signal=edfio.EdfSignal, **more):
    values = amplitude * np.sin(2 * np.pi * 20 * np.arange(rate * seconds) / rate)
    limits = {"digital_range": (-8388608, 8388607)} if signal is edfio.BdfSignal else {}
    return signal(values, rate, **limits, **more)


@pytest.mark.parametrize(
    ("unit", "volts"), [("uV", 1e-6), ("µV", 1e-6), ("mV", 1e-3), ("V", 1.0), ("nV", 1e-9), ("mv", 1e-3)]
)
def test_units_of_volts(tmp_path, unit, volts):
    file = foreign(tmp_path, sine(physical_dimension=unit.replace("µ", "~")))
    file.write_bytes(file.read_bytes().replace(b"~V", "µV".encode("latin-1")))
    signal = muemg.read(file).recording.signal
    assert np.abs(signal).max() == pytest.approx(100 * volts, rel=1e-4)
    assert volts_per_unit(unit) == volts


def test_other_signals_are_auxiliary_and_brought_to_the_clock_of_the_emg(tmp_path):
    ramp = edfio.EdfSignal(np.linspace(0, 30, 300), 100, label="Force", physical_dimension="N")
    heart = sine(label="ECG", physical_dimension="uV")
    file = foreign(
        tmp_path,
        *(sine(label=name, physical_dimension="uV") for name in ("flexor", "extensor")),
        ramp,
        heart,
        annotations=[edfio.EdfAnnotation(0.5, None, "start"), edfio.EdfAnnotation(1.0, 0.2, "hold")],
    )
    recording = muemg.read(file).recording
    assert recording.channel_names == ("flexor", "extensor")
    assert list(recording.auxiliary) == ["Force", "ECG"]
    assert recording.metadata["auxiliary_units"] == {"Force": "N", "ECG": "uV"}
    assert recording.metadata["auxiliary_resampled_from_hz"] == {"Force": 100.0}
    # A straight line stays one; after the force's last sample its value is held.
    expected = np.minimum(np.arange(6000) / 2000, 2.99) * 30 / 2.99
    np.testing.assert_allclose(recording.auxiliary["Force"], expected, atol=30 / 65535)
    assert recording.metadata["annotations"] == [[0.5, None, "start"], [1.0, 0.2, "hold"]]


def test_a_biosemi_file_with_its_status_channel(tmp_path):
    status = edfio.BdfSignal.from_digital(
        np.arange(6000, dtype=np.int32) % 7, 2000, label="Status", physical_dimension="Boolean"
    )
    channels = [sine(label=f"EXG{i}", physical_dimension="uV", signal=edfio.BdfSignal) for i in range(3)]
    recording = muemg.read(foreign(tmp_path, *channels, status, kind="bdf")).recording
    assert recording.channel_names == ("EXG0", "EXG1", "EXG2")
    np.testing.assert_allclose(recording.auxiliary["Status"], np.arange(6000) % 7, atol=1e-9)


def test_names_given_twice_are_told_apart(tmp_path):
    file = foreign(tmp_path, *(sine(label="EMG", physical_dimension="uV") for _ in range(3)))
    assert muemg.read(file).recording.channel_names == ("EMG", "EMG (2)", "EMG (3)")


def test_without_units_microvolts_are_assumed_and_said(tmp_path):
    recording = muemg.read(foreign(tmp_path, sine(label="1"), sine(label="2"))).recording
    assert np.abs(recording.signal).max() == pytest.approx(1e-4, rel=1e-3)
    assert "assumed" in recording.metadata["unit"]


def test_no_emg_says_what_is_there(tmp_path):
    with pytest.raises(FileFormatError, match=r"no signal is an EMG in volts; it holds 'Temp' in 'degC'"):
        muemg.read(foreign(tmp_path, sine(label="Temp", physical_dimension="degC")))


def test_a_channel_whose_scale_is_lost_is_no_number(tmp_path):
    file = foreign(
        tmp_path, sine(label="a", physical_dimension="uV"), sine(label="b", physical_dimension="uV")
    )
    raw = bytearray(file.read_bytes())
    start = 256 + 2 * (16 + 80 + 8)  # physical minima, then maxima, eight characters each
    raw[start : start + 8] = raw[start + 16 : start + 24] = b"0       "
    file.write_bytes(raw)
    recording = muemg.read(file).recording
    assert np.isnan(recording.signal[0]).all()
    assert np.isfinite(recording.signal[1]).all()
    assert recording.metadata["uncalibrated_signals"] == ["a"]


def test_a_recorder_that_was_stopped_leaves_the_count_open(tmp_path):
    file = foreign(tmp_path, sine(label="a", physical_dimension="uV"))
    raw = file.read_bytes()
    file.write_bytes(raw[:236] + b"-1      " + raw[244:])
    assert muemg.read(file).recording.n_samples == 6000


def test_gaps_in_time_are_refused(tmp_path):
    file = foreign(tmp_path, sine(label="a", physical_dimension="uV"), annotations=[])
    raw = file.read_bytes().replace(b"EDF+C", b"EDF+D")
    file.write_bytes(raw)
    assert muemg.read(file).recording.n_samples == 6000, "a file that may have gaps, but has none"
    file.write_bytes(raw.replace(b"+2\x14", b"+7\x14"))
    with pytest.raises(FileFormatError, match="gaps in time"):
        muemg.read(file)


# ---------------------------------------------------------------------- damage


@pytest.mark.parametrize("extension", KINDS)
def test_truncated_anywhere(tmp_path, extension):
    contents = Contents(recording=noise(n_samples=400), spikes=SpikeTrains(([3],), 2048.0, 400))
    whole = muemg.write(tmp_path / f"x{extension}", contents).read_bytes()
    for length in {1, 8, 100, 255, 256, 300, len(whole) - 1, *np.linspace(2, len(whole) - 2, 80).astype(int)}:
        (tmp_path / f"x{extension}").write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cannot read"):
            muemg.read(tmp_path / f"x{extension}")


@pytest.mark.parametrize("extension", KINDS)
def test_damaged_headers_never_give_another_error(tmp_path, extension):
    contents = Contents(recording=noise(n_samples=400), spikes=SpikeTrains(([3],), 2048.0, 400))
    whole = muemg.write(tmp_path / f"x{extension}", contents).read_bytes()
    rng, n_refused, file = np.random.default_rng(1), 0, tmp_path / f"x{extension}"
    wrong = [b"-1", b"0", b"99999999", b"1e308", b"nan", b"inf", b"abc", b"\xff\x00", b"", b"-5", b"0.5"]
    for trial in range(200):
        damaged = bytearray(whole)
        start = int(rng.integers(1, 256 * 7))
        if trial % 2:
            start = 184 + start % 68  # the numbers of the general header
        what = wrong[trial % len(wrong)].ljust(8) if trial % 3 else rng.bytes(8)
        damaged[start : start + 8] = what
        file.write_bytes(damaged)
        try:
            muemg.read(file)
        except FileFormatError:
            n_refused += 1
    assert n_refused > 40


@pytest.mark.parametrize(
    ("at", "text", "message"),
    [
        (236, b"9999", "says 9999 data records, the file holds"),
        (244, b"0", "(?i)duration|truncated or damaged"),
        (244, b"-1", "duration of its data records must be positive|truncated or damaged"),
        (252, b"9999", "truncated or damaged"),
        (184, b"768", "its header says 768 bytes of header"),
        (256 + 120, b"nonsense", "truncated or damaged .*'nonsense'"),
        (256 + 120, b"99999", "must have digital minimum < maximum"),
    ],
)
def test_wrong_numbers_in_the_header_are_named(tmp_path, at, text, message):
    file = foreign(tmp_path, sine(label="a", physical_dimension="uV"))
    raw = bytearray(file.read_bytes())
    raw[at : at + (4 if at == 252 else 8)] = text.ljust(4 if at == 252 else 8)
    file.write_bytes(raw)
    with pytest.raises(FileFormatError, match=message):
        muemg.read(file)


def test_what_edf_cannot_hold_is_refused(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"channel 'b/c' has 1 that are not"):
        muemg.write(tmp_path / "x.edf", records.recording())
    with pytest.raises(InvalidArgumentError, match="must hold a recording"):
        muemg.write(tmp_path / "x.bdf", records.spikes())
    with pytest.raises(InvalidArgumentError, match="auxiliary track 'clock' reaches 1e\\+09"):
        muemg.write(tmp_path / "x.bdf", noise(auxiliary={"clock": np.full(5000, 1e9)}))
    bad = noise(auxiliary={"force": np.full(5000, np.nan)})
    with pytest.raises(InvalidArgumentError, match="auxiliary track 'force' has 5000"):
        muemg.write(tmp_path / "x.bdf", bad)
    assert not list(tmp_path.iterdir())
