"""Every motor unit seen with the others' action potentials removed.

With the templates H of all units fitted jointly, e = x − Σ_u h_u ∗ s_u is what no unit explains. Unit u seen
alone is e + h_u ∗ s_u; its best linear filter there is w_u = C_e⁻¹ h̃_u, whose output is that on e (one pass over
the signal for all units) plus the short response w_u ∗ h_u added at the unit's own discharges. A discharge
that was missed is still in e and rises; one that was wrong has left −h_u in e and falls: single
mistakes are not confirmed. A train that is no unit at all would be, which is why `_held_out` judges it first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np

from muemg.metrics.quality import silhouette_of_heights, source_peaks
from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended, Whitening
from muemg.separation._search import SearchSettings
from muemg.separation._threads import in_pieces

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
    alone : callable(int)
        Whitened observations at the discharges of one unit, the other units removed, shape (n_spikes, rank).
    """

    trains: list[np.ndarray]
    sources: np.ndarray
    silhouettes: np.ndarray
    held_out: np.ndarray
    survival: np.ndarray
    alone: Callable[[int], np.ndarray]


def best_responses(
    templates: np.ndarray, whitening: Whitening, n_delays: int, offset: int, spacing: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """For each template the window of R samples that the filter sees best.

    Parameters
    ----------
    templates : ndarray of float32, shape (n_units, n_lags, n_channels)
    whitening : Whitening
    n_delays : int
        R.
    offset : int
        Sample of the templates at which the discharge lies.
    spacing : int
        Samples from one delayed copy to the next.

    Returns
    -------
    responses : ndarray of float32, shape (n_units, R·C)
        Extended responses at the chosen delay.
    delays : ndarray of int, shape (n_units,)
        Samples from the discharge to the peak of the filter's output.
    """
    n_units, n_lags, n_channels = templates.shape
    span = (n_delays - 1) * spacing + 1
    padded = np.zeros((n_units, n_lags + 2 * span, n_channels), dtype=np.float32)
    padded[:, span : span + n_lags] = templates
    # Sample of the template at which the window ends: near the discharge, where the template is strongest, since the
    # cut ends of a template are steps that no real response holds.
    last = np.arange(max(0, offset - span), min(n_lags, offset + 2 * span), max(1, span // 8))
    windows = np.stack([padded[:, end + 1 : end + 1 + span : spacing] for end in last])
    windows = windows.reshape(len(last), n_units, n_delays * n_channels)
    deflections = np.linalg.norm(windows @ whitening.matrix.T, axis=2)
    best = np.argmax(deflections, axis=0)
    return windows[best, np.arange(n_units)], last[best] - offset


def redetect(
    residual: Extended,
    templates: np.ndarray,
    trains: Sequence[np.ndarray],
    whitening: Whitening,
    offset: int,
    settings: SearchSettings,
) -> Redetection:
    """Detect every unit's discharges again, the others' action potentials removed.

    Parameters
    ----------
    residual : Extended
        The recording without any unit.
    templates : ndarray of float32, shape (n_units, n_lags, n_channels)
    trains : sequence of ndarray of int64
        Discharges that the residual was made with.
    whitening : Whitening
        Of the residual.
    offset : int
        Sample of the templates at which the discharge lies.
    settings : SearchSettings
    """
    n_units = len(templates)
    n_samples, n_delays = residual.n_samples, residual.n_delays
    responses, delays = best_responses(templates, whitening, n_delays, offset, residual.spacing)
    filters, _ = whitening.filters(responses)
    sources = residual.filter(filters)
    outputs = _own_outputs(templates, filters, n_delays, residual.spacing)

    def add_own(u: int) -> None:
        # The output of the filter follows the discharge by `delays[u]`: shift it back onto the discharge.
        sources[u] = _with_own(sources[u], outputs[u], trains[u] - offset, delays[u])

    in_pieces(add_own, range(n_units))
    found, silhouettes = detect_spikes(sources, settings.min_distance)

    def alone(u: int) -> np.ndarray:
        observed = residual.at(np.clip(found[u] + delays[u], 0, n_samples - 1))
        observed[_near(found[u], trains[u], 2)] += responses[u]
        return observed @ whitening.matrix.T

    judged = in_pieces(lambda u: _held_out(alone(u), sources[u], found[u], settings), range(n_units))
    held_out = np.array(judged).reshape(n_units, 2)
    return Redetection(found, sources, silhouettes, held_out[:, 0], held_out[:, 1], alone)


def _own_outputs(templates: np.ndarray, filters: np.ndarray, n_delays: int, spacing: int) -> np.ndarray:
    """Each filter's output on its own unit's template, shape (n_units, n_lags + span − 1)."""
    n_units, n_lags, n_channels = templates.shape
    tail = (n_delays - 1) * spacing

    def output(u: int) -> np.ndarray:
        padded = np.zeros((n_lags + tail, n_channels), dtype=np.float32)
        padded[:n_lags] = templates[u]
        return Extended.of(padded, n_delays, spacing).at(np.arange(n_lags + tail)) @ filters[u]

    return np.array(in_pieces(output, range(n_units))).reshape(n_units, n_lags + tail)


@numba.njit(cache=True, nogil=True)
def _with_own(source, own, firsts, delay):
    """A source with its unit's own output added at each discharge, `delay` samples earlier."""
    n_samples = len(source)
    seen = np.zeros(n_samples, dtype=source.dtype)
    for t in range(max(0, -delay), min(n_samples, n_samples - delay)):
        seen[t] = source[t + delay]
    for first in firsts:
        for i in range(len(own)):
            t = first + i - delay
            if 0 <= t < n_samples:
                seen[t] += own[i]
    return seen


def _near(samples: np.ndarray, train: np.ndarray, width: int) -> np.ndarray:
    """Which samples have a discharge of the train within `width`."""
    after = np.searchsorted(train, samples)
    near = np.zeros(len(samples), dtype=bool)
    for index in (after - 1, after):
        near |= np.abs(train[np.clip(index, 0, len(train) - 1)] - samples) <= width
    return near


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
    mean = alone.mean(axis=0) if n_spikes else np.zeros(1)
    length = float(np.linalg.norm(mean))
    if n_spikes < 3 or length == 0:
        return 0.0, 0.0
    left_out = (n_spikes * (alone @ mean) - np.einsum("ij,ij->i", alone, alone)) / ((n_spikes - 1) * length)
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
