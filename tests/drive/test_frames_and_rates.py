"""Frames and their transformers: hand-worked counts, unit area, stated delays, the same bytes in any chunks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from muemg import SpikeTrains
from muemg.drive import (
    ActiveUnits,
    CumulativeSpikeTrain,
    DischargeRate,
    EMGFeatures,
    FrameCounter,
    NeuralModes,
    count_frames,
)
from muemg.errors import InvalidArgumentError

IN_TIME = "rows are instants of one recording: their order and neighbours matter"
TRANSFORMERS = [
    DischargeRate("hann", 0.07),
    DischargeRate("hann", 0.07, causal=False),
    DischargeRate("gaussian", 0.02),
    DischargeRate("boxcar", 0.05, causal=False),
    DischargeRate("exponential", 0.05),
    CumulativeSpikeTrain("hann", 0.06),
    CumulativeSpikeTrain("gaussian", 0.02, causal=False),
    ActiveUnits(0.05),
]


@parametrize_with_checks(
    [
        DischargeRate(),
        CumulativeSpikeTrain("exponential"),
        ActiveUnits(),
        NeuralModes(n_components=1),
        EMGFeatures(),
    ],
    expected_failed_checks=lambda estimator: (
        {}
        if isinstance(estimator, EMGFeatures | ActiveUnits)
        else dict.fromkeys(
            ("check_methods_sample_order_invariance", "check_methods_subset_invariance"), IN_TIME
        )
    ),
)
def test_scikit_learn_accepts_them(estimator, check):
    check(estimator)


# ------------------------------------------------------------------ frames


def test_frames_by_hand():
    # 10 frames a second at 25 Hz: frames of 2.5 samples, so samples 0 1 2 | 3 4 | 5 6 7 | 8 9.
    spikes = SpikeTrains(([0, 2, 3, 5, 7, 9], [4], []), 25.0, 11)
    assert count_frames(spikes, 10.0).tolist() == [[2, 0, 0], [1, 1, 0], [2, 0, 0], [1, 0, 0]]


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 500), max_size=8).map(sorted),
    frame_rate=st.sampled_from([1.0, 7.0, 10.0, 33.3, 100.0]),
)
def test_frames_of_a_stream_are_those_of_the_whole(cuts, frame_rate):
    rng = np.random.default_rng(3)
    spikes = SpikeTrains(tuple(np.flatnonzero(rng.random(500) < p) for p in (0.1, 0.5)), 100.0, 500)
    counter = FrameCounter(2, 100.0, frame_rate)
    parts = []
    for start, stop in zip([0, *cuts], [*cuts, 500]):
        parts.append(counter.push([t[(t >= start) & (t < stop)] for t in spikes], stop))
    np.testing.assert_array_equal(np.concatenate(parts), count_frames(spikes, frame_rate))
    assert counter.n_frames == sum(map(len, parts))


@pytest.mark.parametrize(
    ("spikes", "n_samples", "said"),
    [(([1],), 10, "2 units"), (([1], [10]), 10, "0..9"), (([1], []), -1, "n_samples")],
)
def test_a_counter_refuses(spikes, n_samples, said):
    with pytest.raises(InvalidArgumentError, match=said):
        FrameCounter(2, 100.0, 10.0).push(spikes, n_samples)


def test_a_counter_refuses_the_past():
    counter = FrameCounter(1, 100.0, 10.0)
    counter.push([[3]], 20)
    with pytest.raises(InvalidArgumentError, match=r"20\.\.29"):
        counter.push([[19]], 30)


def test_frames_longer_than_the_recording_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"0\.01 s"):
        count_frames(SpikeTrains(([1],), 1000.0, 10), 50.0)
    with pytest.raises(InvalidArgumentError, match="at most the sampling rate"):
        count_frames(SpikeTrains(([1],), 1000.0, 10), 1001.0)


# ------------------------------------------------------------------ rates


@pytest.mark.parametrize("kernel", ["boxcar", "hann", "gaussian", "exponential"])
def test_a_steady_train_has_its_rate(kernel):
    # One discharge in every frame of 10 ms: 100 Hz once the kernel is full (e⁻³⁰ of the exponential is left).
    rates = DischargeRate(kernel, 0.1).fit_transform(np.ones((300, 2)))
    np.testing.assert_allclose(rates[-1], 100.0, rtol=1e-12)


@pytest.mark.parametrize("transformer", TRANSFORMERS[:7], ids=str)
def test_the_area_is_one_and_the_delay_as_stated(transformer):
    counts = np.zeros((400, 1))
    counts[200] = 1
    out = clone(transformer).fit_transform(counts)[:, 0]
    lag = (np.arange(400) - 200) / 100.0
    assert out.sum() / 100 == pytest.approx(1, rel=1e-12)
    assert lag @ out / out.sum() == pytest.approx(transformer.delay_s, abs=1e-12)
    assert transformer.causal == (not out[:200].any())


def test_widths_mean_what_they_say():
    impulse = np.zeros((401, 1))
    impulse[200] = 1

    def response(kernel, width):
        return DischargeRate(kernel, width, causal=kernel == "exponential").fit_transform(impulse)[:, 0]

    lag = (np.arange(401) - 200) / 100
    assert np.count_nonzero(response("boxcar", 0.31)) == 31
    gaussian = response("gaussian", 0.1)
    # Cut at three standard deviations the variance is 0.973 of σ²; the last taps stand for half a frame more.
    assert lag**2 @ gaussian / gaussian.sum() == pytest.approx(0.973 * 0.01, rel=5e-3)
    decaying = response("exponential", 0.2)
    assert decaying[220] / decaying[200] == pytest.approx(np.exp(-1), rel=1e-12)
    hann = response("hann", 0.39)
    expected = (1 + np.cos(2 * np.pi * lag / 0.4)) / 0.4 * (np.abs(lag) < 0.2)
    np.testing.assert_allclose(hann, expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    which=st.integers(0, len(TRANSFORMERS) - 1),
    seed=st.integers(0, 5),
    cuts=st.lists(st.integers(0, 60), max_size=6).map(sorted),
)
def test_any_chunks_give_the_bytes_of_the_whole(which, seed, cuts):
    counts = np.random.default_rng(seed).poisson(0.2, (60, 3)).astype(float)
    transformer = clone(TRANSFORMERS[which]).fit(counts)
    parts = [transformer.partial_transform(counts[a:b]) for a, b in zip([0, *cuts], [*cuts, 60])]
    parts.append(transformer.finish())
    np.testing.assert_array_equal(np.concatenate(parts), transformer.transform(counts))
    # The stream has ended: the next one begins afresh.
    again = [transformer.partial_transform(counts), transformer.finish()]
    np.testing.assert_array_equal(np.concatenate(again), transformer.transform(counts))


def test_causal_rows_come_at_once_and_reset_forgets():
    counts = np.ones((10, 2))
    model = DischargeRate("hann", 0.1).fit(counts)
    assert len(model.partial_transform(counts)) == 10
    model.reset()
    np.testing.assert_array_equal(model.partial_transform(counts), model.transform(counts))


def test_active_units_by_hand():
    counts = np.array([[0, 1], [1, 0], [0, 0], [0, 0], [0, 0], [0, 2]], dtype=float)
    # A hold of three frames, the discharge's own included.
    assert ActiveUnits(0.03).fit_transform(counts)[:, 0].tolist() == [1, 2, 2, 1, 0, 1]


def test_the_cumulative_train_is_the_sum_of_the_rates():
    counts = np.random.default_rng(0).poisson(0.1, (200, 5)).astype(float)
    pooled = CumulativeSpikeTrain("gaussian", 0.05).fit_transform(counts)
    np.testing.assert_allclose(
        pooled[:, 0], DischargeRate("gaussian", 0.05).fit_transform(counts).sum(axis=1), rtol=1e-12
    )


def test_pipelines_names_and_frames():
    counts = np.random.default_rng(0).poisson(0.1, (100, 3)).astype(float)
    model = make_pipeline(DischargeRate("hann", 0.1), StandardScaler()).set_output(transform="pandas")
    table = model.fit_transform(counts)
    assert list(table.columns) == ["x0", "x1", "x2"]
    assert list(CumulativeSpikeTrain().fit(counts).get_feature_names_out()) == ["cumulativespiketrain0"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            DischargeRate("box"),
            "kernel must be one of 'boxcar', 'hann', 'gaussian', 'exponential'; got 'box'",
        ),
        (DischargeRate(width=0), "width must be a finite number > 0 s"),
        (DischargeRate(causal="yes"), "causal must be True or False"),
        (DischargeRate("exponential", causal=False), "only looks back"),
        (ActiveUnits(hold=-1), "hold must be a finite number > 0 s"),
        (NeuralModes("ica"), "method must be one of"),
        (NeuralModes(quantile=2), "quantile must be between 0 and 1"),
        (NeuralModes(n_components=4), "at most the 3 units"),
        (EMGFeatures("MAVV"), "features must be one of 'HTD'"),
        (EMGFeatures([]), "at least one"),
        (EMGFeatures("AR", ar_order=59), "at least 61 samples"),
    ],
)
def test_parameters_are_checked_when_fitted(model, said):
    with pytest.raises(InvalidArgumentError, match=said):
        model.fit(np.ones((60, 3)) if not isinstance(model, EMGFeatures) else np.ones((3, 60)))


def test_what_is_not_finite_or_has_other_units_is_refused():
    model = DischargeRate().fit(np.ones((5, 2)))
    with pytest.raises(InvalidArgumentError, match="NaN"):
        model.transform([[np.nan, 1.0]])
    with pytest.raises(InvalidArgumentError, match="2 features"):
        model.partial_transform(np.ones((5, 3)))
