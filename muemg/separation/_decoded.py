"""Discharges and sources as a decomposition: quality per unit, action potentials by spike-triggered averages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from muemg import __version__
from muemg._table import Table
from muemg.metrics.quality import cov_isi, mean_discharge_rate, pulse_to_noise_ratio, silhouette
from muemg.preprocessing import band_pass
from muemg.recording import Recording
from muemg.results import Decomposition, SeparationFilters
from muemg.spikes import SpikeTrains

__all__ = ["as_decomposition", "measured", "triggered_averages"]

_MUAP_WINDOW = 50e-3  # s, centred on the discharge


def measured(source: np.ndarray, train: np.ndarray, sampling_rate: float) -> dict[str, float]:
    """Quality of one unit from its source and discharges: the numbers of `Decomposition.quality`."""
    return {
        "sil": float(silhouette(source, train, sampling_rate)) if len(train) else float("nan"),
        "pnr": float(pulse_to_noise_ratio(source, train)) if len(train) else float("nan"),
        "cov_isi": float(cov_isi(train, sampling_rate)),
        "rate": float(mean_discharge_rate(train, sampling_rate)),
        "n_spikes": len(train),
    }


def triggered_averages(
    recording: Recording, trains: Sequence[np.ndarray], channels: np.ndarray
) -> tuple[np.ndarray, int]:
    """Mean of the band-passed channels around the discharges, shape (n_units, n_channels, n_lags), and the offset.

    Not-a-number on channels that are not used, and for units whose windows all leave the recording.
    """
    half = max(1, round(_MUAP_WINDOW * recording.sampling_rate / 2))
    signal = band_pass(recording.select_channels(channels)).signal
    averages = np.full((len(trains), recording.n_channels, 2 * half), np.nan, dtype=np.float32)
    for average, train in zip(averages, trains):
        inside = train[(train >= half) & (train + half <= recording.n_samples)]
        if not len(inside):
            continue
        total = np.zeros((len(channels), 2 * half))
        for spike in inside:
            total += signal[:, spike - half : spike + half]
        average[channels] = total / len(inside)
    return averages, half


def as_decomposition(
    recording: Recording,
    trains: tuple[np.ndarray, ...],
    sources: np.ndarray,
    filters: SeparationFilters,
    parameters: Mapping[str, Any],
    unit_ids: tuple[int | str, ...] = (),
) -> Decomposition:
    """What filters made of a recording, as a decomposition; every unit counts as accepted, nothing is judged."""
    rate = recording.sampling_rate
    rows = [measured(source, train, rate) for source, train in zip(sources, trains)]
    names = ("sil", "pnr", "cov_isi", "rate", "n_spikes")
    columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names[:-1]}
    quality = Table(
        columns
        | {
            "n_spikes": np.array([row["n_spikes"] for row in rows], dtype=np.int64),
            "accepted": np.ones(len(rows), dtype=bool),
        }
    )
    muaps, offset = triggered_averages(recording, trains, filters.channels)
    unused = sorted(set(range(recording.n_channels)) - set(filters.channels.tolist()))
    return Decomposition(
        SpikeTrains(trains, rate, recording.n_samples, unit_ids),
        sources,
        muaps,
        quality,
        offset,
        dict.fromkeys(unused, "not used by the filters"),
        {"version": __version__, **parameters},
        (),
        filters,
    )
