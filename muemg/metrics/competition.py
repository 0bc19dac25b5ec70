"""The score of the MUnitQuest competition (2026): how many motor units were found, each weighted by how well.

Units found twice are dropped, the others assigned to the labelled ones; an assigned unit counts with its F1. Where the
labels are known to be incomplete, a unit that matches none may still be real: it counts with a confidence between 0
and 1, graded from its silhouette, its pulse-to-noise ratio and the dispersion of its intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError
from muemg.metrics.comparison import _check_same_clock, _column, _in_samples, _spike_trains, compare
from muemg.metrics.matching import match_all_pairs
from muemg.metrics.quality import coefficient_of_dispersion
from muemg.metrics.variants import pulse_to_noise_variant, silhouette_variant
from muemg.results import Decomposition, Simulation
from muemg.spikes import SpikeTrains

__all__ = ["CompetitionScore", "munitquest_score"]

_TOLERANCE = 1e-3  # s
_MAX_DELAY = 0.1  # s between a found and a labelled unit
_DUPLICATE_DELAY = 10e-3  # s between two found units
_DUPLICATE = 0.3  # share of common spikes, of the larger train
_MIN_F1 = 0.5
_MIN_SPIKES = 10
_MIN_SILHOUETTE = 0.9
# From which value on how much: the first that is reached counts.
_SILHOUETTE_GRADES = ((0.95, 1.0), (0.925, 0.75), (0.9, 0.5))
_PNR_GRADES = ((37.1, 1.0), (33.9, 0.75), (30.0, 0.5))
# Below which value how much; regular beyond what motor neurons are counts nothing.
_LEAST_DISPERSION = 0.05
_DISPERSION_GRADES = ((0.197, 1.0), (0.372, 0.75), (0.73, 0.5))


@dataclass(frozen=True)
class CompetitionScore:
    """What `munitquest_score` gives for one recording.

    Parameters
    ----------
    score : float
        Label score plus, for incomplete labels, model score.
    label_score : float
        Sum of F1 over the found units that match a labelled one.
    model_score : float
        Sum of the confidence over those that match none; 0 for complete labels.
    units : Table, one row per found unit, in the order found
        ``unit`` (id), ``status`` (``"matched"``, ``"unmatched"``, ``"duplicate"`` or ``"rejected"``), ``match`` (id of
        the labelled unit; −1, or an empty string where ids are strings), ``f1`` (0 unless matched), ``sil``,
        ``pnr`` (dB), ``cod`` (not-a-number unless needed) and ``points``: what the unit adds to the score.
    """

    score: float
    label_score: float
    model_score: float
    units: Table

    def __repr__(self) -> str:
        status = self.units["status"]
        counted = ", ".join(
            f"{np.count_nonzero(status == kind)} {kind}"
            for kind in ("matched", "unmatched", "duplicate", "rejected")
        )
        return (
            f"<CompetitionScore: {self.score:.3f} = {self.label_score:.3f} from labels + "
            f"{self.model_score:.3f} from quality; {counted}>"
        )


def munitquest_score(
    found: SpikeTrains | Decomposition,
    truth: SpikeTrains | Decomposition | Simulation,
    *,
    complete: bool = True,
    quality: Mapping[str, npt.ArrayLike] | None = None,
) -> CompetitionScore:
    """Score of one recording in the MUnitQuest competition of 2026.

    1. A unit is a duplicate if it shares at least 30 % of the larger train's spikes with an earlier one, ±1 ms, at
       their best delay within ±10 ms; the first stays.
    2. The others are assigned one to one to the labelled units so that the sum of F1 is largest (delays within
       ±100 ms); a pair below F1 = 0.5 is no match.
    3. Label score: the sum of F1.
    4. For incomplete labels, unmatched units with at least 10 spikes and a silhouette of at least 0.9 add the mean of
       three grades, 1, 0.75 or 0.5: silhouette ≥ 0.95, 0.925, 0.9; pulse-to-noise ratio ≥ 37.1, 33.9, 30 dB;
       coefficient of dispersion in 0.05–0.197, to 0.372, to 0.73. Anything else is graded 0.

    The competition's score of a submission is the mean over its recordings, 0 for one that is missing.

    Parameters
    ----------
    found : SpikeTrains or Decomposition
        What was found, the units in the order of their ids.
    truth : SpikeTrains, Decomposition or Simulation
        The labels.
    complete : bool
        Whether the labels hold every motor unit of the recording.
    quality : mapping of str to array_like, each of shape (n_found,), optional
        ``"sil"``, ``"pnr"`` in dB and ``"cod"`` of every found unit, for incomplete labels. By default the first two
        are computed from the sources of a `Decomposition` by the definitions of muniverse, which the competition
        uses (`silhouette_variant`, `pulse_to_noise_variant`), the third from the spikes, pauses included. The
        organisers fit sources of their own to the submitted spikes, so that their values differ somewhat.

    Returns
    -------
    CompetitionScore

    Raises
    ------
    InvalidArgumentError
        If the two differ in sampling rate or length, or incomplete labels come without sources and without `quality`.

    References
    ----------
    MUnitQuest algorithm challenge, page "Evaluation" and its published scoring program, 2026.
    """
    trains, labels = _spike_trains("found", found), _spike_trains("truth", truth)
    _check_same_clock(trains, labels)
    n_found = len(trains)
    duplicate = _repeats_an_earlier(trains)
    kept = np.flatnonzero(~duplicate)
    comparison = compare(
        trains.select_units(kept), labels, tolerance=_TOLERANCE, max_delay=_MAX_DELAY, min_f1=0
    )
    # Assigned over all pairs first, judged afterwards, as the competition does.
    accepted = comparison.found["matched"] & (comparison.found["f1"] >= _MIN_F1)

    status = np.where(duplicate, "duplicate", "unmatched").astype("<U9")
    f1 = np.zeros(n_found)
    names = _column(labels.unit_ids)
    match = np.full(n_found, "" if names.dtype.kind == "U" else -1, dtype=names.dtype)
    matched = kept[accepted]
    status[matched] = "matched"
    f1[matched] = comparison.found["f1"][accepted]
    match[matched] = comparison.found["match"][accepted]

    points = f1.copy()
    measures = {name: np.full(n_found, np.nan) for name in ("sil", "pnr", "cod")}
    if not complete:
        unmatched = np.flatnonzero(status == "unmatched")
        for name, values in _measures(found, trains, unmatched, quality).items():
            measures[name][unmatched] = values[unmatched]
        # Written so that not-a-number is rejected, too.
        plausible = (trains.n_spikes >= _MIN_SPIKES) & (measures["sil"] >= _MIN_SILHOUETTE)
        status[unmatched[~plausible[unmatched]]] = "rejected"
        counted = np.flatnonzero(status == "unmatched")
        grades = (
            _at_least(measures["sil"], _SILHOUETTE_GRADES),
            _at_least(measures["pnr"], _PNR_GRADES),
            _dispersion_grade(measures["cod"]),
        )
        points[counted] = np.mean(grades, axis=0)[counted]
    label_score = float(f1.sum())
    total = float(points.sum())
    units = {"unit": _column(trains.unit_ids), "status": status, "match": match, "f1": f1}
    return CompetitionScore(
        total, label_score, total - label_score, Table(units | measures | {"points": points})
    )


def _repeats_an_earlier(trains: SpikeTrains) -> np.ndarray:
    """Which units share 30 % of the larger train with a unit before them, be that one a duplicate itself or not."""
    width, reach = _in_samples(_TOLERANCE, _DUPLICATE_DELAY, trains.sampling_rate)
    matched, _ = match_all_pairs(trains.samples, trains.samples, width, reach)
    larger = np.maximum.outer(trains.n_spikes, trains.n_spikes)
    alike = matched >= _DUPLICATE * np.maximum(larger, 1)
    return np.triu(alike, k=1).any(axis=0)


def _measures(
    found: SpikeTrains | Decomposition,
    trains: SpikeTrains,
    wanted: np.ndarray,
    quality: Mapping[str, npt.ArrayLike] | None,
) -> dict[str, np.ndarray]:
    """Silhouette, pulse-to-noise ratio and dispersion of the wanted units, as given or computed."""
    measures = {name: np.full(len(trains), np.nan) for name in ("sil", "pnr", "cod")}
    given = quality or {}
    for name, values in given.items():
        if name in measures:
            measures[name] = np.array(values, dtype=np.float64)
            if measures[name].shape != (len(trains),):
                raise InvalidArgumentError(
                    f"quality[{name!r}] must have shape ({len(trains)},), got {measures[name].shape}"
                )
    missing = [name for name in ("sil", "pnr") if name not in given]
    if missing and not isinstance(found, Decomposition):
        raise InvalidArgumentError(
            f"for incomplete labels found must be a Decomposition with sources, or quality must hold "
            f"'sil' and 'pnr'; missing: {', '.join(missing)}"
        )
    rate = trains.sampling_rate
    for unit in wanted:
        train = trains[unit]
        if isinstance(found, Decomposition):
            if "sil" in missing:
                measures["sil"][unit] = silhouette_variant(found.sources[unit], train, rate, "muniverse")
            if "pnr" in missing:
                measures["pnr"][unit] = pulse_to_noise_variant(found.sources[unit], train, "muniverse")
        if "cod" not in given:
            measures["cod"][unit] = coefficient_of_dispersion(train, rate, longest=np.inf)
    return measures


def _at_least(values: np.ndarray, grades: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.select([values >= least for least, _ in grades], [grade for _, grade in grades], 0.0)


def _dispersion_grade(values: np.ndarray) -> np.ndarray:
    conditions = [values < _LEAST_DISPERSION] + [values < most for most, _ in _DISPERSION_GRADES]
    return np.select(conditions, [0.0] + [grade for _, grade in _DISPERSION_GRADES], 0.0)
