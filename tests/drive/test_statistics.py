"""Rates, thresholds and ΔF: hand-worked trains, and contractions whose answer is known by construction."""

import numpy as np
import pytest

from muemg import SpikeTrains
from muemg.drive import delta_f, discharge_statistics, recruitment, regressed_rates
from muemg.errors import InvalidArgumentError

FEW = SpikeTrains(([], [40], [40, 90], [0, 100, 300, 400, 1500, 1600, 1650]), 1000.0, 2000, tuple("abcd"))


def test_statistics_by_hand():
    table = discharge_statistics(FEW, n_ends=3)
    assert table["unit"].tolist() == ["a", "b", "c", "d"]
    assert table["n_spikes"].tolist() == [0, 1, 2, 7]
    # Two discharges are one interval of 50 ms: a rate, but no variability and no ends.
    two = table.row(2)
    assert (two["rate"], two["rate_mean_instantaneous"], two["active"]) == (20.0, 20.0, 0.05)
    assert np.isnan([two["rate_sd"], two["cov_isi"], two["rate_recruitment"]]).all()
    for row in (0, 1):
        assert np.isnan(
            [v for k, v in table.row(row).items() if k not in {"unit", "n_spikes", "active"}]
        ).all()
    # Intervals 100, 200, 100 | pause of 1.1 s left out | 100, 50 ms.
    seven = table.row(3)
    assert seven["rate"] == pytest.approx(1 / 0.11)
    assert seven["rate_mean_instantaneous"] == pytest.approx((10 + 5 + 10 + 10 + 20) / 5)
    assert seven["rate_sd"] == pytest.approx(np.std([10, 5, 10, 10, 20], ddof=1))
    assert (seven["rate_recruitment"], seven["rate_derecruitment"]) == (7.5, 15.0)
    assert seven["active"] == pytest.approx(0.55)
    assert discharge_statistics(FEW, longest=np.inf)["rate"][3] == pytest.approx(1 / 0.275)


def test_thresholds_and_slope_by_hand():
    force = np.arange(2000) / 100.0
    table = recruitment(FEW, force)
    assert table["recruitment_time"][1:].tolist() == [0.04, 0.04, 0.0]
    assert table["recruitment_force"][1:].tolist() == [0.4, 0.4, 0.0]
    assert table["derecruitment_force"][1:].tolist() == [0.4, 0.9, 16.5]
    assert np.isnan([table[name][0] for name in table.columns[1:]]).all()
    assert np.isnan(table["rate_slope"][:3]).all()
    assert recruitment(FEW, force, n_discharges=2)["derecruitment_force"][3] == pytest.approx(16.25)
    slope, intercept = np.polyfit([1, 3, 4, 16, 16.5], [10, 5, 10, 10, 20], 1)
    assert table["rate_slope"][3] == pytest.approx(slope)
    assert table["rate_intercept"][3] == pytest.approx(intercept)
    assert np.isnan(recruitment(FEW, np.ones(2000))["rate_slope"]).all()


def test_no_units_make_empty_tables():
    none = SpikeTrains((), 1000.0, 2000)
    assert discharge_statistics(none).n_rows == 0
    assert recruitment(none, np.ones(2000)).n_rows == 0
    found = delta_f(none)
    assert found.units.n_rows == found.pairs.n_rows == 0


def test_bad_force_is_refused():
    with pytest.raises(InvalidArgumentError, match=r"shape \(2000,\)"):
        recruitment(FEW, np.ones(1999))
    with pytest.raises(InvalidArgumentError, match="finite"):
        recruitment(FEW, np.full(2000, np.nan))
    with pytest.raises(InvalidArgumentError, match="n_ends"):
        discharge_statistics(FEW, n_ends=1)


# ------------------------------------------------------------------ persistent inward currents


def triangle(begin, end, test_begin, test_end):
    """A control unit whose rate goes 6, 12, 6 Hz along a triangle of 20 s, and a test unit."""
    fs, n = 1000.0, 20_000
    time = np.arange(n) / fs
    course = 6 + 6 * np.minimum(time, 20 - time) / 10

    def train(rate, first, last):
        operational = np.cumsum(rate) / fs
        at = np.searchsorted(operational, np.arange(1, operational[-1]))
        return at[(at >= first * fs) & (at <= last * fs)]

    spikes = SpikeTrains((train(course, begin, end), train(course - 2, test_begin, test_end)), fs, n)
    rates = np.full((2, n), np.nan)
    for rate, source, unit in zip(rates, (course, course - 2), spikes):
        rate[unit[1] : unit[-1] + 1] = source[unit[1] : unit[-1] + 1]
    return spikes, rates, course


def test_delta_f_of_a_known_hysteresis():
    spikes, rates, course = triangle(0, 20, 5, 17)
    found = delta_f(spikes, rates)
    expected = course[spikes[1][1]] - course[spikes[1][-1]]
    assert found.units["delta_f"][1] == pytest.approx(expected)
    assert expected == pytest.approx(1.2, abs=0.3)  # recruited at 5 s, stopped at 17 s, 0.6 Hz per second
    assert np.isnan(found.units["delta_f"][0])
    row = found.pairs.row(0)
    assert (row["control"], row["test"], row["accepted"]) == (0, 1, True)
    assert row["correlation"] == pytest.approx(1)
    assert row["modulation"] == pytest.approx(course.max() - course[spikes[1][-1] - 1], abs=1e-3)
    # Regressed from the discharges, as by default: at both instants within the tolerance, IQR / 11 = 0.27 Hz.
    assert delta_f(spikes).units["delta_f"][1] == pytest.approx(expected, abs=2 * 0.27)


def test_the_control_unit_may_stop_first():
    spikes, rates, course = triangle(0, 15, 5, 17)
    found = delta_f(spikes, rates)
    assert found.units["delta_f"][1] == pytest.approx(course[spikes[1][1]] - course[spikes[0][-1]])


@pytest.mark.parametrize(
    "criteria",
    [{"min_correlation": 1.0}, {"min_recruitment_difference": 9.0}, {"min_modulation": 7.0}],
)
def test_each_criterion_leaves_the_pair_out(criteria):
    spikes, rates, _ = triangle(0, 20, 5, 17)
    found = delta_f(spikes, rates, **criteria)
    assert not found.pairs["accepted"].any()
    assert np.isnan(found.units["delta_f"]).all()
    assert np.isfinite(found.pairs["delta_f"]).all()


def test_units_that_never_meet_have_no_delta_f():
    spikes, rates, _ = triangle(0, 6, 8, 17)
    found = delta_f(spikes, rates)
    assert np.isnan(found.pairs["delta_f"]).all()
    assert found.units["n_pairs"].tolist() == [0, 0]


def test_regressed_rates_stop_in_pauses_and_need_three_discharges():
    one = np.concatenate([np.arange(1000, 3001, 100), np.arange(6000, 8001, 100)])
    rates = regressed_rates(SpikeTrains((one, [5, 10]), 1000.0, 10_000))
    shown = np.isfinite(rates[0])
    assert np.flatnonzero(np.diff(shown)).tolist() == [1099, 3000, 5999, 8000]
    assert not np.isfinite(rates[1]).any()
    np.testing.assert_allclose(rates[0, 1500:2500], 10.0, atol=1.0)


def test_rates_of_another_shape_are_refused():
    with pytest.raises(InvalidArgumentError, match=r"shape \(4, 2000\)"):
        delta_f(FEW, np.zeros((4, 10)))
