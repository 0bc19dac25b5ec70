"""Motor units come out of recordings whose truth is known, and nothing comes out of noise."""

import numpy as np
import pytest

import muemg
from muemg.errors import InvalidArgumentError, UnusableRecordingError
from muemg.separation import CKC, FastICA
from tests.separation._scenes import scene

SMALL = {"n_delays": 12, "n_starts": 16, "n_rounds": 4, "max_passes": 3}  # for these few channels and seconds


@pytest.fixture(scope="module")
def known():
    recording, truth = scene(0)
    return recording, truth, muemg.decompose(recording, seed=0, **SMALL)


def test_every_unit_is_found_once_and_right(known):
    _, truth, found = known
    comparison = muemg.compare(found, truth)
    assert len(found) == len(truth)
    assert (comparison.truth["f1"] >= 0.95).all()
    assert muemg.metrics.find_duplicates(found) == ()


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("ckc", {}),
        ("fastica", {"contrast": "kurtosis"}),
        ("fastica", {"contrast": "log_cosh"}),
        ("fastica", {"contrast": "power", "exponent": 2.5}),
        ("fastica", {"mode": "symmetric"}),
        ("fastica", {"mode": "deflation"}),
        ("fastica", {"delay_spacing": 1}),
    ],
)
def test_other_ways_find_the_same_units(known, method, parameters):
    recording, truth, _ = known
    found = muemg.decompose(recording, method, **SMALL, **parameters)
    comparison = muemg.compare(found, truth)
    # Each has its own weak units; none may report what is not there.
    assert (comparison.truth["f1"] >= 0.95).sum() >= len(truth) - 1
    assert (comparison.found["f1"] >= 0.95).all()
    assert found.parameters["method"] == method


def test_more_passes_are_made_as_long_as_they_bring_enough(known):
    recording, _, _ = known
    once = muemg.decompose(recording, **SMALL | {"n_rounds": 1, "n_starts": 2, "min_gain": 1.0})
    often = muemg.decompose(
        recording, **SMALL | {"n_rounds": 1, "n_starts": 2, "min_gain": 0.0, "max_passes": 20}
    )
    assert len(once) < len(often)
    assert any("still found units (see min_gain)" in note for note in once.notes)


def test_the_record_is_complete(known):
    recording, _, found = known
    assert found.sources.shape == (len(found), recording.n_samples)
    assert found.muaps.shape[:2] == (len(found), recording.n_channels)
    assert set(found.quality.columns) >= {"sil", "pnr", "cov_isi", "rate", "n_spikes", "accepted"}
    assert (found.quality["sil"] >= 0.9).all()
    assert found.quality["n_spikes"].tolist() == found.spikes.n_spikes.tolist()
    assert found.parameters["method"] == "fastica"
    assert found.parameters["seed"] == 0
    assert found.parameters["version"] == muemg.__version__


def test_muaps_are_in_volts_at_their_offset(known):
    recording, _, found = known
    for spikes, muap in zip(found.spikes, found.muaps):
        strength = np.linalg.norm(muap, axis=0)
        assert abs(int(np.argmax(strength)) - found.muap_offset) <= len(strength) // 8
        inner = spikes[(spikes > 100) & (spikes < recording.n_samples - 100)]
        window = slice(found.muap_offset - 20, found.muap_offset + 21)
        average = np.mean([recording.signal[:, t - 20 : t + 21] for t in inner], axis=0)
        cosine = np.sum(average * muap[:, window]) / np.linalg.norm(average) / np.linalg.norm(muap[:, window])
        assert cosine > 0.9
        assert np.linalg.norm(muap[:, window]) == pytest.approx(np.linalg.norm(average), rel=0.3)


def test_same_seed_same_bytes(known):
    recording, _, found = known
    again = muemg.decompose(recording, seed=0, **SMALL)
    assert again == found


@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_amplitude_does_not_matter(known, scale):
    recording, truth, _ = known
    scaled = recording.with_signal(recording.signal * np.float32(scale))
    found = muemg.decompose(scaled, seed=0, **SMALL)
    assert (muemg.compare(found, truth).truth["f1"] >= 0.95).all()
    assert any("volts" in note for note in found.notes)


def test_order_of_channels_does_not_matter(known):
    recording, truth, _ = known
    order = np.random.default_rng(0).permutation(recording.n_channels)
    found = muemg.decompose(recording.select_channels(order), seed=0, **SMALL)
    assert (muemg.compare(found, truth).truth["f1"] >= 0.95).all()


def test_bad_channels_are_excluded_and_reported(known):
    recording, truth, _ = known
    signal = np.array(recording.signal)
    signal[3] = 0
    signal[7, 100] = np.nan
    found = muemg.decompose(recording.with_signal(signal), seed=0, **SMALL)
    assert set(found.excluded_channels) == {3, 7}
    assert any("excluded" in note for note in found.notes)
    assert np.isnan(found.muaps[:, [3, 7]]).all()
    assert np.isfinite(np.delete(found.muaps, [3, 7], axis=1)).all()
    assert (muemg.compare(found, truth).truth["f1"] >= 0.95).all()


@pytest.mark.parametrize("seed", range(5))
def test_noise_has_no_motor_unit(seed):
    rng = np.random.default_rng(seed)
    noise = muemg.Recording(rng.normal(scale=1e-5, size=(16, 12_000)), 2048.0)
    assert len(muemg.decompose(noise, seed=seed, **SMALL)) == 0


def test_units_that_are_not_accepted_can_be_asked_for(known):
    recording, _, found = known
    strict = FastICA(min_silhouette=1.0, accepted_only=False, **SMALL).decompose(recording)
    assert len(strict) >= len(found)
    assert not strict.quality["accepted"].any()
    assert all("silhouette" in verdict for verdict in strict.quality["verdict"])
    assert len(FastICA(min_silhouette=1.0, **SMALL).decompose(recording)) == 0


def test_progress_rises_to_the_end():
    recording, _ = scene(1, duration=3)
    told: list[float] = []
    muemg.decompose(recording, progress=lambda share, text: told.append(share), **SMALL)
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1


@pytest.mark.parametrize("rate", [1000.0, 10_240.0])
def test_other_sampling_rates(rate):
    recording, truth = scene(2, duration=8)
    # The same samples on another clock are a slower or faster muscle; what counts is that nothing is tied to 2048.
    found = muemg.decompose(muemg.Recording(recording.signal, rate), high=0.2 * rate, **SMALL)
    other = muemg.SpikeTrains(truth.samples, rate, recording.n_samples)
    assert muemg.compare(found, other).n_matched >= (4 if rate < 2048 else 0)


class TestBadInput:
    def test_no_recording(self):
        with pytest.raises(
            InvalidArgumentError, match=r"recording must be a Recording, got ndarray.*muemg\.read"
        ):
            muemg.decompose(np.zeros((4, 100)))

    def test_unknown_method(self, known):
        with pytest.raises(InvalidArgumentError, match="method must be one of 'fastica'"):
            muemg.decompose(known[0], method="magic")

    def test_unknown_parameter(self, known):
        with pytest.raises(InvalidArgumentError, match=r"'contrasts' is no parameter .* contrast"):
            muemg.decompose(known[0], contrasts="skewness")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("contrast", "x"),
            ("low", 0.0),
            ("n_delays", 0),
            ("min_silhouette", 2),
            ("min_spikes", 1),
            ("n_starts", 1.5),
            ("min_gain", -0.1),
            ("mode", "both"),
            ("exponent", 0.0),
        ],
    )
    def test_parameters_out_of_range(self, name, value):
        with pytest.raises(InvalidArgumentError, match=name):
            FastICA(**{name: value})

    def test_parameters_of_ckc_out_of_range(self):
        with pytest.raises(InvalidArgumentError, match="n_peaks"):
            CKC(n_peaks=0)

    def test_all_channels_bad(self):
        with pytest.raises(UnusableRecordingError, match="all 4 channels"):
            muemg.decompose(muemg.Recording(np.zeros((4, 4000)), 2048.0))

    def test_shorter_than_the_extension(self):
        short = muemg.Recording(np.random.default_rng(0).normal(size=(16, 60)), 2048.0)
        with pytest.raises(UnusableRecordingError, match="fewer than its 16 channels"):
            muemg.decompose(short)

    def test_one_channel_works(self):
        recording, _ = scene(3, n_channels=1, n_units=1, duration=6)
        found = muemg.decompose(recording)
        assert found.muaps.shape[1] == 1


def test_a_burst_of_movement_is_left_out_and_said(known):
    recording, truth, _ = known
    signal = np.array(recording.signal)
    rng = np.random.default_rng(0)
    first, last = 4000, 5000
    walk = np.cumsum(rng.normal(size=(len(signal), last - first)), axis=1) * np.hanning(last - first)
    signal[:, first:last] += (30 * signal.std() * walk / walk.std()).astype(np.float32)
    found = muemg.decompose(recording.with_signal(signal), **SMALL)
    assert any("left out: a burst" in note for note in found.notes)
    outside = [train[(train < first - 200) | (train > last + 200)] for train in truth]
    outside = muemg.SpikeTrains(tuple(outside), truth.sampling_rate, truth.n_samples)
    comparison = muemg.compare(found, outside)
    assert (comparison.truth["f1"] >= 0.95).sum() >= len(truth) - 1
