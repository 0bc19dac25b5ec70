"""Persistent inward currents by paired-motor-unit analysis: how much less input keeps a unit firing than recruits it.

The smoothed rate of a unit recruited early (the control, or reporter) stands for the synaptic input of the pool.
ΔF is its rate when a later unit (the test unit) is recruited minus its rate when that unit stops: positive if the
test unit, its persistent inward current once switched on, goes on at less input than it needed to begin
(Gorassini, Yang, Siu & Bennett 2002, 10.1152/jn.00024.2001). Rates are smoothed by support vector regression
(Beauchamp, Khurram, Dewald, Heckman & Pearcey 2022, 10.1088/1741-2552/ac4594).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_count, check_fraction, check_instance, check_positive
from muemg.spikes import SpikeTrains

__all__ = ["DeltaF", "delta_f", "regressed_rates"]

# Hyperparameters of Beauchamp et al. 2022: width of the Gaussian kernel (1/s²), cost, tolerance as a share of the
# interquartile range of the rates.
_GAMMA, _COST, _TOLERANCE = 1 / 1.6, 1 / 0.370, 1 / 11
_END_WEIGHT = 5.0


@dataclass(frozen=True, eq=False)
class DeltaF:
    """ΔF of motor units and of pairs.

    Attributes
    ----------
    units : Table, one row per motor unit
        ``unit``; ``delta_f`` in Hz, the mean over the pairs that it is the test unit of and that pass the criteria,
        not-a-number without any; ``n_pairs``, how many these are.
    pairs : Table, one row per pair
        ``control``, ``test``; ``delta_f`` in Hz; ``correlation`` of the smoothed rates while both fire;
        ``recruitment_difference`` in seconds; ``modulation``, range in Hz of the control unit's rate while the
        test unit fires; ``accepted``, whether the criteria are met. A pair that never fires together has
        not-a-numbers.
    """

    units: Table
    pairs: Table


def regressed_rates(spikes: SpikeTrains, *, longest: float = 1.0, n_end_weights: int = 5) -> np.ndarray:
    """Smoothed rates by support vector regression of the instantaneous rates (Beauchamp et al. 2022).

    The instantaneous rate of an interval stands at its second discharge. The first and last discharges weigh five
    times as much as the others, so that the fit holds at recruitment and derecruitment.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    longest : float
        Pauses above this many seconds have no rate.
    n_end_weights : int
        How many rates at either end weigh more.

    Returns
    -------
    ndarray, shape (n_units, n_samples)
        In Hz; not-a-number before the second discharge, after the last, in pauses, and for units with fewer than
        three discharges.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range.
    """
    from sklearn.svm import SVR

    check_instance("spikes", spikes, SpikeTrains)
    check_positive("longest", longest, "s")
    check_count("n_end_weights", n_end_weights, minimum=0)
    rates = np.full((len(spikes), spikes.n_samples), np.nan)
    for rate, train in zip(rates, spikes):
        if len(train) < 3:
            continue
        at, instantaneous = train[1:], spikes.sampling_rate / np.diff(train)
        weights = np.ones(len(at))
        weights[:n_end_weights] = _END_WEIGHT
        weights[len(weights) - n_end_weights :] = _END_WEIGHT
        spread = float(np.subtract(*np.percentile(instantaneous, [75, 25])))
        model = SVR(kernel="rbf", gamma=_GAMMA, C=_COST, epsilon=spread * _TOLERANCE)
        model.fit(at[:, None] / spikes.sampling_rate, instantaneous, sample_weight=weights)
        firing = np.zeros(spikes.n_samples, dtype=bool)
        for first, last in pairwise(at):
            if last - first <= longest * spikes.sampling_rate:
                firing[first : last + 1] = True
        shown = np.flatnonzero(firing)
        if len(shown):
            rate[shown] = _on_a_grid(model, shown, spikes.sampling_rate)
    return rates


def _on_a_grid(model: object, samples: np.ndarray, sampling_rate: float) -> np.ndarray:
    """The fit at some samples, by cubic interpolation between values 10 ms apart.

    The kernel's standard deviation is 0.9 s: what lies between is smooth to 1e-9 of the rates.
    """
    from scipy.interpolate import CubicSpline

    n_knots = max(4, int(np.ceil((samples[-1] - samples[0]) / sampling_rate * 100)) + 1)
    knots = np.linspace(samples[0], max(samples[-1], samples[0] + 1), n_knots)
    values = model.predict(knots[:, None] / sampling_rate)  # type: ignore[attr-defined]
    return CubicSpline(knots, values)(samples)


def delta_f(
    spikes: SpikeTrains,
    rates: npt.ArrayLike | None = None,
    *,
    min_correlation: float = 0.7,
    min_recruitment_difference: float = 1.0,
    min_modulation: float = 0.5,
) -> DeltaF:
    """ΔF of every motor unit, over all pairs in which it is recruited later.

    Recruitment is the second discharge, the first that has a rate. Where the control unit stops first, its last
    discharge takes the place of the test unit's: ΔF is then underestimated.

    Parameters
    ----------
    spikes : SpikeTrains
        Discharges during one contraction that rises and falls.
    rates : array_like, shape (n_units, n_samples), optional
        Smoothed rates in Hz, not-a-number where a unit does not fire; by default `regressed_rates`.
    min_correlation : float
        Pairs whose rates are correlated by no more than this are left out: they do not share their input.
    min_recruitment_difference : float
        In seconds; pairs that are recruited less apart are left out: the control unit's own current may not be fully
        switched on.
    min_modulation : float
        In Hz; pairs are left out whose control unit's rate varies by no more than this while the test unit fires: it
        is saturated.

    Returns
    -------
    DeltaF

    Raises
    ------
    InvalidArgumentError
        If `rates` has another shape, or a criterion is out of range.
    """
    check_instance("spikes", spikes, SpikeTrains)
    check_fraction("min_correlation", min_correlation)
    check_positive("min_recruitment_difference", min_recruitment_difference, "s", allow_zero=True)
    check_positive("min_modulation", min_modulation, "Hz", allow_zero=True)
    smooth = regressed_rates(spikes) if rates is None else np.asarray(rates, dtype=np.float64)
    wanted = (len(spikes), spikes.n_samples)
    if smooth.shape != wanted:
        raise InvalidArgumentError(f"rates must have shape {wanted}, got {smooth.shape}")
    found = [
        _pair(spikes, smooth, *pair)
        for pair in combinations(range(len(spikes)), 2)
        if min(len(spikes[pair[0]]), len(spikes[pair[1]])) > 2
    ]
    values = {
        name: np.array([row[2][k] for row in found], dtype=np.float64) for k, name in enumerate(_MEASURES)
    }
    accepted = (
        (values["correlation"] > min_correlation)
        & (values["recruitment_difference"] > min_recruitment_difference)
        & (values["modulation"] > min_modulation)
    )
    ids = np.array(spikes.unit_ids) if len(spikes) else np.zeros(0, dtype=np.int64)
    control, test = (np.array([row[k] for row in found], dtype=np.int64) for k in range(2))
    counted = accepted & np.isfinite(values["delta_f"])
    per_unit = [values["delta_f"][counted & (test == unit)] for unit in range(len(spikes))]
    return DeltaF(
        Table(
            {
                "unit": ids,
                "delta_f": np.array([v.mean() if len(v) else np.nan for v in per_unit], dtype=np.float64),
                "n_pairs": np.array([len(v) for v in per_unit], dtype=np.int64),
            }
        ),
        Table({"control": ids[control], "test": ids[test]} | values | {"accepted": accepted}),
    )


_MEASURES = ("delta_f", "correlation", "recruitment_difference", "modulation")


def _pair(
    spikes: SpikeTrains, rates: np.ndarray, one: int, other: int
) -> tuple[int, int, tuple[float, float, float, float]]:
    """Control unit, test unit, and the measures of the pair."""
    # Recruited first; of two recruited at once, the one that goes on longer.
    control, test = sorted((one, other), key=lambda unit: (spikes[unit][1], -spikes[unit][-1]))
    begin, end = int(spikes[test][1]), int(min(spikes[test][-1], spikes[control][-1]))
    if end - begin < 2:
        return control, test, (np.nan, np.nan, np.nan, np.nan)
    reporter, tested = rates[control, begin:end], rates[test, begin:end]
    both = np.isfinite(reporter) & np.isfinite(tested)
    correlation = np.nan
    if both.sum() > 2 and np.ptp(reporter[both]) > 0 and np.ptp(tested[both]) > 0:
        correlation = float(np.corrcoef(reporter[both], tested[both])[0, 1])
    modulation = float(np.ptp(reporter[np.isfinite(reporter)])) if np.isfinite(reporter).any() else np.nan
    difference = (begin - int(spikes[control][1])) / spikes.sampling_rate
    change = float(rates[control, begin] - rates[control, end])
    return control, test, (change, correlation, difference, modulation)
