"""Is a run better or worse than a baseline: differences on the same recordings, with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from muemg._table import Table
from muemg.errors import check_fraction

__all__ = ["compare_runs"]

# Column, and whether more of it is better.
_MEASURES = {"right": True, "extra": False, "f1_of_all": True, "wall_s": False}
_N_RESAMPLES = 9999


def compare_runs(
    rows: Iterable[Mapping[str, Any]], baseline: Iterable[Mapping[str, Any]], *, confidence: float = 0.95
) -> Table:
    """Compare two runs, method by method and scene by scene, paired over seeds.

    Rows are pairs if method, recording (by its checksum) and seed are the same, and for times also threads and
    machine. The interval of the mean difference is a bootstrap over the pairs (percentiles; Efron & Tibshirani 1993);
    times are compared as ratios. The last line of each method and measure takes all its pairs together and adds
    Wilcoxon's signed-rank test.

    Parameters
    ----------
    rows, baseline : iterable of dict
        From `run_benchmark` or a file of results.
    confidence : float
        Of the interval.

    Returns
    -------
    Table
        ``method``, ``scene`` ("all" for the last line), ``measure``, ``n_pairs``, ``baseline`` and ``now`` (means),
        ``difference`` (of times: ratio) with ``low`` and ``high``, ``p`` (not-a-number but for the last line), and
        ``verdict``: "better", "worse", "same" where nothing changed, or "cannot tell", where the interval holds no
        change or there are fewer than three pairs.

    Raises
    ------
    InvalidArgumentError
        If the confidence is not between 0 and 1.
    """
    level = check_fraction("confidence", confidence)
    before = {_place(row): row for row in baseline}
    pairs: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for row in rows:
        old = before.get(_place(row))
        if old is None:
            continue
        for measure in _MEASURES:
            values = _values(measure, old, row)
            if values is not None:
                for scene in (_scene(row), "all"):
                    pairs.setdefault((row["method"], scene, measure), []).append(values)
    lines = [
        {
            "method": method,
            "scene": scene,
            "measure": measure,
            **_compared(measure, found, level, scene == "all"),
        }
        for (method, scene, measure), found in sorted(
            pairs.items(), key=lambda item: (item[0][0], item[0][1] == "all")
        )
    ]
    names = (
        "method",
        "scene",
        "measure",
        "n_pairs",
        "baseline",
        "now",
        "difference",
        "low",
        "high",
        "p",
        "verdict",
    )
    return Table({name: [line[name] for line in lines] for name in names})


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["method"], row["recording"]["sha256"], row["seed"]


def _scene(row: Mapping[str, Any]) -> str:
    return ", ".join([row["scene"], *(f"{key} = {value}" for key, value in row["changes"].items())])


def _values(measure: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[float, float] | None:
    if measure == "wall_s" and any(old[name] != new[name] for name in ("machine", "threads")):
        return None
    found = []
    for row in (old, new):
        value = row[measure]
        if value is None and row["status"] != "ok" and measure in ("right", "f1_of_all"):
            value = 0.0  # a method that failed found nothing
        if value is None or (measure == "wall_s" and value <= 0):
            return None
        found.append(float(value))
    return found[0], found[1]


def _compared(measure: str, found: Sequence[tuple[float, float]], level: float, test: bool) -> dict[str, Any]:
    old, new = np.array(found).T
    ratio = measure == "wall_s"
    changes = np.log(new / old) if ratio else new - old
    low, high = _interval(changes, level)
    centre, (low, high) = changes.mean(), (np.exp([low, high]) if ratio else (low, high))
    p = math.nan
    if test and np.count_nonzero(changes) >= 2:
        from scipy.stats import wilcoxon

        p = float(wilcoxon(changes).pvalue)
    none = 1.0 if ratio else 0.0
    if not changes.any():
        said = "same"
    elif len(changes) < 3 or low <= none <= high:
        said = "cannot tell"
    else:
        said = "better" if (low > none) == _MEASURES[measure] else "worse"
    return {
        "n_pairs": len(found),
        "baseline": float(old.mean()),
        "now": float(new.mean()),
        "difference": float(np.exp(centre) if ratio else centre),
        "low": float(low),
        "high": float(high),
        "p": p,
        "verdict": said,
    }


def _interval(changes: np.ndarray, level: float) -> tuple[float, float]:
    """Bootstrap percentiles of the mean; of one pair, or of equal ones, the mean itself."""
    if len(changes) < 2 or np.ptp(changes) == 0:
        return float(changes.mean()), float(changes.mean())
    from scipy.stats import bootstrap

    result = bootstrap(
        (changes,),
        np.mean,
        n_resamples=_N_RESAMPLES,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
