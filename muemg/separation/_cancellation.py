"""Every motor unit seen with the others' action potentials removed.

With the templates H of all units fitted jointly, e = x − Σ_u h_u ∗ s_u is what no unit explains. Unit u seen
alone is e + h_u ∗ s_u; its best linear filter there is w_u = C_e⁻¹ h̃_u, whose output is that on e (one pass over
the signal for all units) plus the short response w_u ∗ h_u added at the unit's own discharges. A discharge
that was missed is still in e and rises; one that was wrong has left −h_u in e and falls: single
mistakes are not confirmed. A train that is no unit at all would be, which is why `_held_out` judges it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muemg.metrics.quality import silhouette_of_heights, source_peaks
from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Whitening, apply_filters, extended_columns
from muemg.separation._search import SearchSettings

__all__ = ["Redetection", "best_responses", "redetect"]


@dataclass(frozen=True)
class Redetection:
    """Units as found again with the interference of the others removed.

    Attributes
    ----------
    trains : list of ndarray of int64
    sources : ndarray of float32, shape (n_units, n_samples)
    silhouettes : ndarray, shape (n_units,)
        With the discharges' own heights.
    held_out : ndarray, shape (n_units,)
        Silhouette with each discharge's height taken from a filter that did not see that discharge.
    survival : ndarray, shape (n_units,)
        Share of the discharges whose held-out height is still above the threshold.
    alone : list of ndarray of float32, shape (rank, n_spikes)
        Whitened observation at each discharge, the other units removed.
    """

    trains: list[np.ndarray]
    sources: np.ndarray
    silhouettes: np.ndarray
    held_out: np.ndarray
    survival: np.ndarray
    alone: list[np.ndarray]


def best_responses(
    templates: np.ndarray, whitening: Whitening, offset: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each template the window of R samples that the filter sees best.

    Parameters
    ----------
    templates : ndarray of float32, shape (n_units, n_channels, n_lags)
    whitening : Whitening
    offset : int
        Sample of the templates at which the discharge lies.

    Returns
    -------
    responses : ndarray of float32, shape (n_units, R·C)
        Extended responses at the chosen delay.
    delays : ndarray of int, shape (n_units,)
        Samples from the discharge to the peak of the filter's output.
    deflections : ndarray, shape (n_units,)
    """
    n_units, n_channels, n_lags = templates.shape
    n_delays = whitening.n_delays
    padded = np.zeros((n_units, n_channels, n_lags + 2 * n_delays), dtype=np.float32)
    padded[:, :, n_delays : n_delays + n_lags] = templates
    delays = np.arange(-n_delays, 2 * n_delays + 1)
    delays = delays[(offset + delays >= 0) & (offset + delays < n_lags + n_delays - 1)]
    best = np.full(n_units, -1.0)
    chosen = np.zeros((n_units, n_delays * n_channels), dtype=np.float32)
    at = np.zeros(n_units, dtype=np.int64)
    for delay in delays[:: max(1, n_delays // 8)]:
        # Row r·C + c of x̃ at t + delay is x_c(t + delay − r).
        window = padded[:, :, n_delays + offset + delay - np.arange(n_delays)]
        response = window.transpose(0, 2, 1).reshape(n_units, n_delays * n_channels)
        deflection = np.linalg.norm(response @ whitening.matrix.T, axis=1)
        better = deflection > best
        best[better] = deflection[better]
        chosen[better] = response[better]
        at[better] = delay
    return chosen, at, best


def redetect(
    residual: np.ndarray,
    templates: np.ndarray,
    trains: Sequence[np.ndarray],
    whitening: Whitening,
    offset: int,
    settings: SearchSettings,
) -> Redetection:
    """Detect every unit's discharges again, the others' action potentials removed.

    Parameters
    ----------
    residual : ndarray of float32, shape (n_channels, n_samples)
        The recording without any unit.
    templates : ndarray of float32, shape (n_units, n_channels, n_lags)
    trains : sequence of ndarray of int64
        Discharges that the residual was made with.
    whitening : Whitening
        Of the residual.
    offset : int
        Sample of the templates at which the discharge lies.
    settings : SearchSettings
    """
    n_units, n_channels, n_lags = templates.shape
    n_samples = residual.shape[1]
    n_delays = whitening.n_delays
    responses, delays, _ = best_responses(templates, whitening, offset)
    filters, _ = whitening.filters(responses)
    sources = apply_filters(filters, residual, n_delays)
    margin = n_lags + 2 * n_delays
    for u in range(n_units):
        taps = filters[u].reshape(n_delays, n_channels)
        own = np.zeros(n_lags + n_delays - 1, dtype=np.float32)
        for delay in range(n_delays):
            own[delay : delay + n_lags] += taps[delay] @ templates[u]
        # The output of the filter follows the discharge by `delays[u]`: shift it back onto the discharge.
        track = np.zeros(n_samples + 2 * margin, dtype=np.float32)
        track[margin : margin + n_samples] = sources[u]
        for spike in trains[u]:
            first = spike - offset + margin
            track[first : first + len(own)] += own
        sources[u] = track[margin + delays[u] : margin + delays[u] + n_samples]
    found, silhouettes, _ = detect_spikes(sources, settings.min_distance)
    seen_alone = [
        _alone(residual, responses[u], trains[u], found[u], int(delays[u]), whitening) for u in range(n_units)
    ]
    held_out = np.array(
        [_held_out(seen_alone[u], sources[u], found[u], settings) for u in range(n_units)]
    ).reshape(n_units, 2)
    return Redetection(found, sources, silhouettes, held_out[:, 0], held_out[:, 1], seen_alone)


def _alone(
    residual: np.ndarray,
    response: np.ndarray,
    train: np.ndarray,
    found: np.ndarray,
    delay: int,
    whitening: Whitening,
) -> np.ndarray:
    """Whitened observations at the discharges `found`, the others removed, shape (rank, n_spikes)."""
    columns = extended_columns(residual, np.clip(found + delay, 0, residual.shape[1] - 1), whitening.n_delays)
    subtracted = np.zeros(len(found), dtype=bool)
    near = np.searchsorted(train, found)
    for index in (near - 1, near):
        index = np.clip(index, 0, len(train) - 1)
        subtracted |= np.abs(train[index] - found) <= 2
    columns[:, subtracted] += response[:, None]
    return whitening.matrix @ columns


def _held_out(
    alone: np.ndarray, source: np.ndarray, found: np.ndarray, settings: SearchSettings
) -> tuple[float, float]:
    """Silhouette and survival when discharge i is filtered by the mean of all discharges but i.

    A filter is the mean of n whitened observations z_i at its discharges; each contributes |z_i|²/n ≈ rank/n to its
    own height, which makes a handful of noise peaks look like a motor unit. Left out,
    s_i = (n w̄ᵀz_i − |z_i|²) / ((n−1)|w̄|), at the price of one product. The discharges of a motor unit stay far above
    the threshold; peaks picked from the tail of noise crowd just above it and mostly fall below.
    """
    n_spikes = len(found)
    mean = alone.mean(axis=1) if n_spikes else np.zeros(1)
    length = float(np.linalg.norm(mean))
    if n_spikes < 3 or length == 0:
        return 0.0, 0.0
    left_out = (n_spikes * (mean @ alone) - np.einsum("ij,ij->j", alone, alone)) / ((n_spikes - 1) * length)
    peaks, heights = source_peaks(source, settings.sampling_rate)
    background = heights[~np.isin(peaks, found)]
    spike_heights = left_out * np.abs(left_out)
    if not len(background):
        return 0.0, 0.0
    threshold = (source[found].min() ** 2 + background.max()) / 2
    survival = float(np.mean(spike_heights > threshold))
    if spike_heights.mean() <= background.mean():
        return 0.0, survival
    return silhouette_of_heights(spike_heights, background), survival
