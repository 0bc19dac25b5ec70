"""Found motor units against the true ones: which is which, and how well each was found.

Matching as in the MUniverse benchmark (Mamidanna et al. 2025): per pair of units the delay by
cross-correlation and a one-to-one matching of spikes, then the assignment of units with the least total cost
1 − F1 (Hungarian method).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_fraction, check_positive
from muemg.metrics.matching import match_all_pairs
from muemg.results import Decomposition, Simulation
from muemg.spikes import SpikeTrains

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare", "find_duplicates"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Found motor units against the true ones, from `compare`.

    Parameters
    ----------
    truth : Table, one row per true unit, in the order of the truth
        ``unit`` (id), ``matched``, ``match`` (id of the found unit; −1, or an empty string where ids are
        strings, if there is none), ``f1``, ``precision``, ``recall``, ``rate_of_agreement``, ``delay`` (s,
        positive where the found spikes come later; not-a-number without a match), ``n_spikes``, ``tp``,
        ``fp``, ``fn``. A unit that was missed has scores of 0; one that never discharged has scores of
        not-a-number, so that averages leave it out.
    found : Table, one row per found unit, in the order found
        The same columns. A unit that matches no true one has scores of 0.
    f1 : ndarray of float64, shape (n_truth, n_found)
        F1 of every pair at its own delay, whether assigned or not.
    settings : mapping of str to float
        ``tolerance`` (s), ``max_delay`` (s) and ``min_f1``, as used.
    """

    truth: Table
    found: Table
    f1: np.ndarray
    settings: dict[str, float] = field(default_factory=dict)

    @property
    def n_matched(self) -> int:
        """Number of true units that were found."""
        return int(self.truth["matched"].sum())

    @property
    def missed(self) -> list[int | str]:
        """Ids of the true units that discharged and were not found."""
        silent = self.truth["n_spikes"] == 0
        return list(self.truth["unit"][~self.truth["matched"] & ~silent].tolist())

    @property
    def extra(self) -> list[int | str]:
        """Ids of the found units that match no true one."""
        return list(self.found["unit"][~self.found["matched"]].tolist())

    def to_frame(self) -> pd.DataFrame:
        """The table of the true units as a pandas `DataFrame`; ``.found.to_frame()`` gives the other."""
        return self.truth.to_frame()

    def __repr__(self) -> str:
        n_active = int(np.count_nonzero(self.truth["n_spikes"]))
        head = f"<Comparison: {self.n_matched} of {n_active} active true units found"
        if self.n_matched:
            f1 = self.truth["f1"][self.truth["matched"]]
            head += f", their F1 {f1.min():.3f}–{f1.max():.3f}, median {np.median(f1):.3f}"
        head += f"; {len(self.missed)} missed, {len(self.extra)} extra>"
        if not self.truth.n_rows:
            return head
        shown = self.truth.to_frame()[["unit", "match", "f1", "precision", "recall", "rate_of_agreement"]]
        shown["delay_ms"] = self.truth["delay"] * 1e3
        shown["n_spikes"] = self.truth["n_spikes"]
        return (
            f"{head}\n{shown.to_string(index=False, max_rows=24, float_format='{:.3f}'.format, na_rep='–')}"
        )


def compare(
    found: SpikeTrains | Decomposition,
    truth: SpikeTrains | Decomposition | Simulation,
    *,
    tolerance: float = 1e-3,
    max_delay: float = 0.1,
    min_f1: float = 0.3,
) -> Comparison:
    """Match found motor units with the true ones and score each.

    For every pair of a true and a found unit: the delay by `best_delay`, the largest one-to-one matching of
    spikes there (`match_spikes`), TP matched spikes, FP found spikes and FN true spikes left over, and

        precision = TP / (TP + FP),   recall = TP / (TP + FN),   F1 = 2 TP / (2 TP + FP + FN),
        rate of agreement = TP / (TP + FP + FN).

    True and found units are then assigned one to one so that the sum of F1 is largest.

    Parameters
    ----------
    found : SpikeTrains or Decomposition
        What was found.
    truth : SpikeTrains, Decomposition or Simulation
        What is right.
    tolerance : float
        Largest distance in seconds of two matched spikes after alignment; rounded down to whole samples.
    max_delay : float
        Largest delay in seconds between a found and a true unit.
    min_f1 : float
        A pair that agrees less is no match: the best of many delays lets two unrelated trains agree a little
        (F1 of some 0.06 at 15 Hz over a minute, more in short recordings). 0 assigns whatever shares a spike,
        as the benchmark does.

    Returns
    -------
    Comparison
        A table per true unit and a table per found unit.

    Raises
    ------
    InvalidArgumentError
        If the two differ in sampling rate or length, or are not spike trains.
    """
    found_trains, true_trains = _spike_trains("found", found), _spike_trains("truth", truth)
    _check_same_clock(found_trains, true_trains)
    width, reach = _in_samples(tolerance, max_delay, true_trains.sampling_rate)
    least = check_fraction("min_f1", min_f1)

    matched, delay = match_all_pairs(true_trains.samples, found_trains.samples, width, reach)
    n_true, n_found = true_trains.n_spikes, found_trains.n_spikes
    total = n_true[:, None] + n_found[None, :]
    f1 = 2 * matched / np.maximum(total, 1)
    rows, columns = _assign(np.where(f1 >= least, f1, 0.0))

    tp = matched[rows, columns]
    seconds = delay[rows, columns] / true_trains.sampling_rate
    shared = (tp, n_true[rows], n_found[columns], seconds)
    settings = {"tolerance": float(tolerance), "max_delay": float(max_delay), "min_f1": least}
    return Comparison(
        truth=_score_table(true_trains, rows, found_trains, columns, *shared, of_truth=True),
        found=_score_table(found_trains, columns, true_trains, rows, *shared, of_truth=False),
        f1=f1,
        settings=settings,
    )


def find_duplicates(
    units: SpikeTrains | Decomposition,
    *,
    tolerance: float = 1e-3,
    max_delay: float = 0.1,
    min_agreement: float = 0.3,
) -> tuple[tuple[int, ...], ...]:
    """Groups of units that are most likely one motor unit found several times.

    Two units are linked if their rate of agreement TP / (TP + FP + FN), at their best delay, reaches
    `min_agreement`; a group is what links connect.

    Parameters
    ----------
    units : SpikeTrains or Decomposition
        The units.
    tolerance, max_delay : float
        In seconds, as for `compare`.
    min_agreement : float
        Between 0 and 1; motor units of one pool that are truly different share far less.

    Returns
    -------
    tuple of tuple of int
        Indices of the units of each group with at least two, increasing.

    Raises
    ------
    InvalidArgumentError
        If an argument is out of range.
    """
    from scipy.sparse.csgraph import connected_components

    trains = _spike_trains("units", units)
    width, reach = _in_samples(tolerance, max_delay, trains.sampling_rate)
    least = check_fraction("min_agreement", min_agreement)
    matched, _ = match_all_pairs(trains.samples, trains.samples, width, reach)
    union = trains.n_spikes[:, None] + trains.n_spikes[None, :] - matched
    linked = (matched > 0) & (matched >= least * union)
    if not len(trains):
        return ()
    n_groups, group = connected_components(linked, directed=False)
    groups = [tuple(np.flatnonzero(group == k).tolist()) for k in range(n_groups)]
    return tuple(members for members in groups if len(members) > 1)


def _assign(f1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of the one-to-one assignment with the largest sum, those of value 0 left out."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(f1, maximize=True)
    real = f1[rows, columns] > 0
    return rows[real], columns[real]


def _score_table(
    trains: SpikeTrains,
    index: np.ndarray,
    partners: SpikeTrains,
    partner_index: np.ndarray,
    tp: np.ndarray,
    n_true: np.ndarray,
    n_found: np.ndarray,
    delay: np.ndarray,
    *,
    of_truth: bool,
) -> Table:
    """One row per unit of `trains`; those at `index` have one of `partners` and the counts given."""
    n_units, n_spikes = len(trains), trains.n_spikes
    matched = np.zeros(n_units, dtype=bool)
    matched[index] = True
    names = _column(partners.unit_ids)
    match = np.full(n_units, "" if names.dtype.kind == "U" else -1, dtype=names.dtype)
    match[index] = names[partner_index]
    # What has no partner was missed (true units) or is false altogether (found units).
    tp_all = np.zeros(n_units, dtype=np.int64)
    fp_all = np.zeros(n_units, dtype=np.int64) if of_truth else n_spikes.copy()
    fn_all = n_spikes.copy() if of_truth else np.zeros(n_units, dtype=np.int64)
    tp_all[index], fp_all[index], fn_all[index] = tp, n_found - tp, n_true - tp
    undefined = (n_spikes == 0) if of_truth else np.zeros(n_units, dtype=bool)

    def ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
        return np.where(undefined, np.nan, over / np.maximum(under, 1))

    delay_all = np.full(n_units, np.nan)
    delay_all[index] = delay
    return Table(
        {
            "unit": _column(trains.unit_ids),
            "matched": matched,
            "match": match,
            "f1": ratio(2 * tp_all, 2 * tp_all + fp_all + fn_all),
            "precision": ratio(tp_all, tp_all + fp_all),
            "recall": ratio(tp_all, tp_all + fn_all),
            "rate_of_agreement": ratio(tp_all, tp_all + fp_all + fn_all),
            "delay": delay_all,
            "n_spikes": n_spikes,
            "tp": tp_all,
            "fp": fp_all,
            "fn": fn_all,
        }
    )


def _column(ids: Sequence[int | str]) -> npt.NDArray:
    """Ids as a column: integers if they all are, otherwise strings."""
    if any(isinstance(unit, str) for unit in ids):
        return np.array([str(unit) for unit in ids])
    return np.array(ids, dtype=np.int64)


def _spike_trains(name: str, units: object) -> SpikeTrains:
    if isinstance(units, Decomposition | Simulation):
        return units.spikes
    if isinstance(units, SpikeTrains):
        return units
    raise InvalidArgumentError(
        f"{name} must be SpikeTrains, a Decomposition or a Simulation, got {type(units).__name__}"
    )


def _check_same_clock(found: SpikeTrains, truth: SpikeTrains) -> None:
    if found.sampling_rate != truth.sampling_rate:
        raise InvalidArgumentError(
            f"found and truth must have one sampling rate, got {found.sampling_rate:g} and "
            f"{truth.sampling_rate:g} Hz; SpikeTrains.from_times puts times on another clock"
        )
    if found.n_samples != truth.n_samples:
        raise InvalidArgumentError(
            f"found and truth must have one length, got {found.n_samples} and {truth.n_samples} samples; "
            "cut the longer with time_slice"
        )


def _in_samples(tolerance: float, max_delay: float, sampling_rate: float) -> tuple[int, int]:
    """Tolerance and largest delay in whole samples, rounded down."""
    width = check_positive("tolerance", tolerance, "s", allow_zero=True)
    reach = check_positive("max_delay", max_delay, "s", allow_zero=True)
    # 1e-9 samples: 1 ms at 2000 Hz is two samples, not 1.9999999.
    return int(width * sampling_rate + 1e-9), int(reach * sampling_rate + 1e-9)
