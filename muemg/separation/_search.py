"""Candidate motor units in a signal: blocks of fixed-point searches started where nothing is explained yet.

A start is the whitened observation at a peak of the activity |z(t)|²: it already resembles the response of the
unit that discharged there. The most active samples meet the same strong units again and again; so after every
round the surroundings of the starts and of the discharges just found are closed to further starts, and the search goes
on until a round brings nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended, Whitening
from muemg.separation._fixed_point import fixed_point
from muemg.separation._trains import is_new

__all__ = ["SearchSettings", "refine", "search"]


@dataclass(frozen=True)
class SearchSettings:
    """What the search needs to know, in samples; made by `FastICA` from its parameters."""

    sampling_rate: float
    contrast: str
    n_starts: int
    n_rounds: int
    n_iterations: int
    n_fit: int
    min_spikes: int
    min_distance: int
    tolerance: int
    reach: int
    least_silhouette: float = 0.7


def search(
    signal: Extended,
    whitening: Whitening,
    known: list[np.ndarray],
    settings: SearchSettings,
    turn: int,
) -> list[np.ndarray]:
    """Trains of candidate units that are not among the known ones, by falling silhouette within a round.

    Parameters
    ----------
    signal : Extended
    whitening : Whitening
        Of the signal.
    known : list of ndarray of int64
        Trains of the units already found.
    settings : SearchSettings
    turn : int
        Number of the pass: each learns from other samples.
    """
    n_samples = signal.n_samples
    columns = _subset(n_samples, settings.n_fit, turn)
    whitened = signal.rows[columns] @ whitening.matrix.T
    activity = np.einsum("ij,ij->i", whitened, whitened)
    open_to_starts = np.ones(n_samples, dtype=bool)
    found: list[np.ndarray] = []
    for _ in range(settings.n_rounds):
        starts = _starts(np.where(open_to_starts[columns], activity, 0), settings.n_starts)
        if not len(starts):
            break
        overlap = signal.n_delays
        blind = (
            np.searchsorted(columns, columns[starts] - overlap, side="right"),
            np.searchsorted(columns, columns[starts] + overlap),
        )
        directions = fixed_point(
            whitened,
            whitened[starts],
            contrast=settings.contrast,
            n_iterations=settings.n_iterations,
            blind=blind,
        )
        sources = signal.filter(directions @ whitening.matrix)
        trains, silhouettes = detect_spikes(sources, settings.min_distance)
        before = len(found)
        for i in np.argsort(-silhouettes):
            if silhouettes[i] < settings.least_silhouette:
                break
            if len(trains[i]) >= settings.min_spikes and is_new(
                trains[i], known + found, settings.tolerance, settings.reach
            ):
                found.append(trains[i])
        for times in (columns[starts], *found[before:]):
            for shift in range(-settings.min_distance, settings.min_distance + 1):
                open_to_starts[np.clip(times + shift, 0, n_samples - 1)] = False
        if len(found) == before:
            break
    return found


def _subset(n_samples: int, n_fit: int, turn: int) -> np.ndarray:
    """Evenly spread samples from which the contrast is learned; discharges are detected on all.

    Every sample within a stride is taken by one turn or another: the fractions of turn times the golden ratio are
    the most even sequence there is. Nothing is drawn, so that the same recording gives the same units.
    """
    if n_samples <= 1.5 * n_fit:
        return np.arange(n_samples)
    stride = n_samples / n_fit
    phase = (turn * 0.6180339887498949) % 1.0
    return ((np.arange(n_fit) + phase) * stride).astype(np.int64)


def _starts(activity: np.ndarray, n_starts: int) -> np.ndarray:
    """The highest local maxima of the activity."""
    rises = activity >= np.concatenate([[0], activity[:-1]])
    falls = activity > np.concatenate([activity[1:], [0]])
    peaks = np.flatnonzero(rises & falls & (activity > 0))
    return peaks[np.argsort(-activity[peaks], kind="stable")][:n_starts]


def refine(
    signal: Extended,
    whitening: Whitening,
    trains: list[np.ndarray],
    settings: SearchSettings,
    *,
    n_iterations: int = 5,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Spike-triggered refinement of all candidates at once, keeping each one's best iterate.

    A filter is re-estimated as C⁻¹ times the mean extended observation at the discharges, which are then detected
    again. After the first iteration the filter's window is moved to where the unit's response stands out most.

    Returns
    -------
    trains : list of ndarray of int64
        For each candidate the train of its iterate with the highest silhouette.
    silhouettes : ndarray, shape (n_candidates,)
    """
    best = list(trains)
    score = np.zeros(len(trains))
    current = list(trains)
    if not trains:
        return best, score
    for iteration in range(n_iterations):
        if iteration == 1:
            current = _centred(signal, whitening, current)
            score[:] = 0
        filters, _ = whitening.filters(signal.mean_responses(current))
        sources = signal.filter(filters)
        detected, silhouettes = detect_spikes(sources, settings.min_distance)
        for i, train in enumerate(detected):
            if len(train) < settings.min_spikes:
                continue
            current[i] = train
            if silhouettes[i] > score[i]:
                best[i], score[i] = train, silhouettes[i]
    return best, score


def _centred(signal: Extended, whitening: Whitening, trains: list[np.ndarray]) -> list[np.ndarray]:
    """Each train shifted to the delay at which the mean whitened observation is longest."""
    n_delays = signal.n_delays
    shifts = np.unique(np.linspace(-n_delays, n_delays, 17).astype(np.int64))
    centred = []
    for train in trains:
        responses = signal.mean_responses([train + shift for shift in shifts])
        lengths = np.linalg.norm(responses @ whitening.matrix.T, axis=1)
        moved = train + shifts[np.argmax(lengths)]
        centred.append(moved[(moved >= 0) & (moved < signal.n_samples)])
    return centred
