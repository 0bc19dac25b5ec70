"""Classical EMG features: values worked out by hand, exact zeros, flat and silent windows."""

import numpy as np
import pytest
from scipy.linalg import solve_toeplitz

from muemg.drive import FEATURE_SETS, EMGFeatures
from muemg.errors import InvalidArgumentError


def feature(name, window, **settings):
    (value,) = EMGFeatures(name, **settings).fit_transform(np.array([window], dtype=float))[0]
    return value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MAV", 2.0),
        ("IAV", 8.0),
        ("RMS", 6**0.5),
        ("VAR", 6 - 1.0),
        ("WL", 2 + 2 + 6.0),
        ("LD", (2 * 1e-9 * 2 * 4) ** 0.25),
    ],
)
def test_amplitudes_by_hand(name, expected):
    assert feature(name, [2, 0, -2, 4]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("window", "crossings"),
    [
        ([1, -1, 1], 2),
        ([1, 0, -1], 1),  # through an exact zero: once
        ([1, 0, 0, 0, -1], 1),
        ([1, 0, 1], 0),  # touches zero
        ([0, 0, 1, -1, 0], 1),
        ([0, 0, 0], 0),
        ([0.4, -0.4, 2.0], 1),  # the first swing is below the threshold of 1
    ],
)
def test_zero_crossings(window, crossings):
    assert feature("ZC", window, zc_threshold=1.0) == crossings


@pytest.mark.parametrize(
    ("window", "changes"),
    [
        ([0, 1, 0, 1], 2),
        ([0, 1, 1, 1, 0], 1),  # a plateau is one turn
        ([0, 1, 1, 2], 0),
        ([3, 3, 3, 3], 0),  # flat: none
        ([0, 0.2, 0.1, 2], 1),  # 0.2 to 0.1: neither slope reaches 0.5; 0.1 to 2: one does
    ],
)
def test_slope_sign_changes(window, changes):
    assert feature("SSC", window, ssc_threshold=0.5) == changes


def test_willison_amplitude_must_exceed_its_threshold():
    assert feature("WAMP", [0, 1, 3, 3.5], wamp_threshold=1.0) == 1


def test_frequencies_of_a_sine():
    # Exactly 32 cycles in 256 samples at 1024 Hz: 128 Hz, and nothing else.
    window = np.sin(2 * np.pi * 32 * np.arange(256) / 256)
    for name in ("MDF", "MNF"):
        assert feature(name, window, sampling_rate=1024.0) == pytest.approx(128.0, rel=1e-9)


def test_autoregression_finds_its_own_process():
    rng = np.random.default_rng(0)
    x = np.zeros(20_000)
    noise = rng.standard_normal(len(x))
    for t in range(2, len(x)):
        x[t] = 1.2 * x[t - 1] - 0.5 * x[t - 2] + noise[t]
    (found,) = EMGFeatures("AR", ar_order=2).fit_transform(x[None])
    # Standard error of a coefficient: sqrt((1 − 0.25)/20000) = 0.006.
    np.testing.assert_allclose(found, [-1.2, 0.5], atol=0.02)
    # Yule–Walker from the sample's autocovariance agrees for long windows.
    covariance = np.array([x[: len(x) - k] @ x[k:] for k in range(3)])
    np.testing.assert_allclose(found, -solve_toeplitz(covariance[:2], covariance[1:]), atol=2e-3)


@pytest.mark.parametrize("level", [0.0, 1e-3])
def test_flat_windows_have_finite_features(level):
    values = EMGFeatures("ALL").fit_transform(np.full((2, 3, 64), level))
    assert np.isfinite(values).all()


def test_scale_and_sign():
    x = np.random.default_rng(0).standard_normal((3, 2, 128))
    model = EMGFeatures(["MAV", "WL", "RMS", "IAV", "LD"], log_floor=1e-30).fit(x)
    np.testing.assert_allclose(model.transform(-1e-6 * x), 1e-6 * model.transform(x), rtol=1e-9)
    model = EMGFeatures(["ZC", "SSC", "AR", "MDF", "MNF"]).fit(x)
    np.testing.assert_allclose(model.transform(-1e-6 * x), model.transform(x), rtol=1e-9)


def test_columns_go_by_feature_then_channel():
    x = np.random.default_rng(0).standard_normal((4, 2, 64))
    model = EMGFeatures(["MAV", "AR"], ar_order=2, sampling_rate=1000.0).fit(x)
    assert model.get_feature_names_out().tolist() == ["MAV_0", "MAV_1", "AR1_0", "AR2_0", "AR1_1", "AR2_1"]
    swapped = model.transform(x[:, ::-1])
    np.testing.assert_array_equal(swapped[:, [1, 0, 4, 5, 2, 3]], model.transform(x))
    assert model.delay_s == 0.032
    assert set(FEATURE_SETS["HTD"]) == {"MAV", "ZC", "SSC", "WL"}


def test_what_does_not_fit_is_refused():
    model = EMGFeatures().fit(np.zeros((2, 3, 16)))
    with pytest.raises(InvalidArgumentError, match="3 "):
        model.transform(np.zeros((2, 4, 16)))
    with pytest.raises(InvalidArgumentError, match="n_windows, n_channels, n_samples"):
        EMGFeatures().fit(np.zeros((2, 3, 4, 5)))
    with pytest.raises(InvalidArgumentError, match="NaN"):
        model.transform(np.full((2, 3, 16), np.nan))
    with pytest.raises(InvalidArgumentError, match="zc_threshold"):
        EMGFeatures(zc_threshold=-1).fit(np.zeros((2, 3, 16)))
