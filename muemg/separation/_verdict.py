"""Which separated units to believe, and why not the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from muemg._table import Table
from muemg.metrics.quality import cov_isi, mean_discharge_rate, pulse_to_noise_ratio
from muemg.separation._trains import shared_spikes

__all__ = ["LEAST_SURVIVAL", "MOST_IRREGULAR", "judge"]

LEAST_SURVIVAL = 0.75  # noise peaks reach some 0.3, motor units nearly 1
_SLOWEST, _FASTEST = 2.0, 60.0  # Hz, mean discharge rate without pauses
MOST_IRREGULAR = 0.8  # CoV of the inter-spike intervals; 1 is a Poisson process with no refractory period
_LEAST_CONFIRMED = 0.5
# Share of the intervals below half their median: two regular units of similar rate in one train have 0.16–0.20,
# one unit with a CoV of 0.3 some 0.05.
_MOST_SHORT = 0.13


def judge(
    trains: Sequence[np.ndarray],
    sources: np.ndarray,
    silhouettes: np.ndarray,
    survival: np.ndarray,
    plain_trains: Sequence[np.ndarray],
    plain_silhouettes: np.ndarray,
    *,
    sampling_rate: float,
    min_silhouette: float,
    min_spikes: int,
    tolerance: int,
) -> Table:
    """Quality of every unit, one row each.

    Columns: ``sil`` (silhouette of the source, each discharge's height from a filter that did not see it),
    ``sil_linear`` (silhouette of the unit's linear filter on the recording, nothing removed, as other tools report it),
    ``pnr`` in dB, ``cov_isi``, ``rate`` in Hz, ``n_spikes``, ``accepted``, and ``verdict``: ``"accepted"`` or the
    reasons against it.

    Parameters
    ----------
    trains : sequence of ndarray of int64
        Discharges with the other units' potentials removed.
    sources : ndarray of float32, shape (n_units, n_samples)
    silhouettes : ndarray, shape (n_units,)
        Held-out silhouettes of the sources.
    survival : ndarray, shape (n_units,)
        Share of the discharges that stay above the threshold in a filter that did not see them.
    plain_trains, plain_silhouettes
        The same from linear filters on the recording itself. A unit that the recording does not show without
        help, at half of its discharges at least, is not believed.
    sampling_rate : float
        In Hz.
    min_silhouette : float
    min_spikes : int
    tolerance : int
        Samples that two sightings of one discharge may differ by.
    """
    n_units = len(trains)
    columns: dict[str, list] = {
        name: []
        for name in ("sil", "sil_linear", "pnr", "cov_isi", "rate", "n_spikes", "accepted", "verdict")
    }
    for i in range(n_units):
        train = trains[i]
        irregularity = cov_isi(train, sampling_rate)
        rate = mean_discharge_rate(train, sampling_rate)
        confirmed, _ = shared_spikes(train, [plain_trains[i]], tolerance, 10 * tolerance)
        reasons = []
        if silhouettes[i] < min_silhouette:
            reasons.append(f"silhouette below {min_silhouette:g}")
        if len(train) < min_spikes:
            reasons.append(f"fewer than {min_spikes} discharges")
        if survival[i] < LEAST_SURVIVAL:
            reasons.append("discharges not confirmed by one another")
        if not _SLOWEST <= rate <= _FASTEST:
            reasons.append(f"rate outside {_SLOWEST:g}–{_FASTEST:g} Hz")
        if irregularity > MOST_IRREGULAR:
            reasons.append(f"CoV of intervals above {MOST_IRREGULAR:g}")
        if _short_intervals(train) > _MOST_SHORT:
            reasons.append("intervals of two units")
        if confirmed[0] < _LEAST_CONFIRMED:
            reasons.append("not seen without removing other units")
        columns["sil"].append(float(silhouettes[i]))
        columns["sil_linear"].append(float(plain_silhouettes[i]))
        columns["pnr"].append(pulse_to_noise_ratio(sources[i], train))
        columns["cov_isi"].append(irregularity)
        columns["rate"].append(rate)
        columns["n_spikes"].append(len(train))
        columns["accepted"].append(not reasons)
        columns["verdict"].append("; ".join(reasons) or "accepted")
    kinds = {"n_spikes": np.int64, "accepted": np.bool_, "verdict": np.str_}
    return Table(
        {name: np.array(values, dtype=kinds.get(name, np.float64)) for name, values in columns.items()}
    )


def _short_intervals(train: np.ndarray) -> float:
    """Share of the intervals below half of their median."""
    intervals = np.diff(train)
    return float(np.mean(intervals < 0.5 * np.median(intervals))) if len(intervals) else 0.0
