"""Candidate motor units in a signal: blocks of sources started where nothing is explained yet.

A start is the whitened observation at a peak of the activity |z(t)|²: it already resembles the response of the
unit that discharged there. The most active samples meet the same strong units again and again; so after every
round the surroundings of the starts and of the discharges just found are closed to further starts, and the search goes
on until a round brings nothing, or no activity is left that noise would not show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.stats

from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended, Whitening
from muemg.separation._trains import is_new

__all__ = ["SearchSettings", "refine", "search"]

_SOURCES = 2**24  # numbers of sources held at once
_ENOUGH = 60  # discharges that show where a unit's response is strongest


@dataclass(frozen=True)
class SearchSettings:
    """What the search needs to know, in samples; made by `Run` from a method's parameters."""

    sampling_rate: float
    n_starts: int
    n_rounds: int
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
    converge: Callable[[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]], np.ndarray],
) -> tuple[list[np.ndarray], bool]:
    """Candidate units that are not among the known ones.

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
    converge : callable(whitened, starts, blind)
        Directions to which the starts lead; see `BlindSeparation.converge`.

    Returns
    -------
    trains : list of ndarray of int64
        By falling silhouette within a round.
    quiet : bool
        Whether no observation rises above what Gaussian noise would reach: little can be left to find.
    """
    n_samples = signal.n_samples
    columns = _subset(n_samples, settings.n_fit, turn)
    whitened = signal.project(whitening.matrix, columns)
    activity = np.einsum("ij,ij->i", whitened, whitened)
    open_to_starts = np.ones(n_samples, dtype=bool)
    open_to_starts[: signal.span + settings.reach] = False
    open_to_starts[-settings.reach :] = False
    found: list[np.ndarray] = []
    quiet = True
    # Of Gaussian noise |z|² is χ² with as many degrees of freedom as there are dimensions.
    noise = scipy.stats.chi2.isf(0.5 / len(columns), whitening.rank)
    for round_number in range(settings.n_rounds):
        starts = _starts(
            np.where(open_to_starts[columns], activity, 0), columns, settings.n_starts, settings.min_distance
        )
        loud = len(starts) > 0 and activity[starts[0]] > noise
        if round_number == 0:
            quiet = not loud
        elif not loud:
            break
        if not len(starts):
            break
        overlap = signal.span
        blind = (
            np.searchsorted(columns, columns[starts] - overlap, side="right"),
            np.searchsorted(columns, columns[starts] + overlap),
        )
        directions = converge(whitened, whitened[starts], blind)
        trains, silhouettes = _detect(signal, directions @ whitening.matrix, settings)
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
    return found, quiet


def _detect(
    signal: Extended, filters: np.ndarray, settings: SearchSettings
) -> tuple[list[np.ndarray], np.ndarray]:
    """Trains and silhouettes of filters, a few sources of a long recording at a time."""
    step = max(8, _SOURCES // signal.n_samples)
    found = [
        detect_spikes(signal.filter(filters[first : first + step]), settings.min_distance)
        for first in range(0, len(filters), step)
    ]
    trains = [train for some, _ in found for train in some]
    return trains, np.concatenate([np.zeros(0), *(silhouettes for _, silhouettes in found)])


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


def _starts(activity: np.ndarray, samples: np.ndarray, n_starts: int, distance: int) -> np.ndarray:
    """The highest peaks of the activity that lie at least `distance` samples apart: as many discharges."""
    rises = activity >= np.concatenate([[0], activity[:-1]])
    falls = activity > np.concatenate([activity[1:], [0]])
    peaks = np.flatnonzero(rises & falls & (activity > 0))
    taken = np.zeros(samples[-1] + 1, dtype=bool)
    starts: list[int] = []
    for peak in peaks[np.argsort(-activity[peaks], kind="stable")]:
        at = samples[peak]
        if not taken[at]:
            starts.append(peak)
            taken[max(0, at - distance + 1) : at + distance] = True
            if len(starts) == n_starts:
                break
    return np.array(starts, dtype=np.int64)


def refine(
    signal: Extended,
    whitening: Whitening,
    trains: list[np.ndarray],
    settings: SearchSettings,
    *,
    n_iterations: int = 3,
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
        detected, silhouettes = _detect(signal, filters, settings)
        for i, train in enumerate(detected):
            if len(train) < settings.min_spikes:
                continue
            current[i] = train
            if silhouettes[i] > score[i]:
                best[i], score[i] = train, silhouettes[i]
    return best, score


def _centred(signal: Extended, whitening: Whitening, trains: list[np.ndarray]) -> list[np.ndarray]:
    """Each train shifted to the delay at which the mean whitened observation is longest."""
    shifts = np.unique(np.linspace(-signal.span, signal.span, 17).astype(np.int64))
    centred = []
    for train in trains:
        some = train[:: -(-len(train) // _ENOUGH)]
        responses = signal.mean_responses([some + shift for shift in shifts])
        lengths = np.linalg.norm(responses @ whitening.matrix.T, axis=1)
        moved = train + shifts[np.argmax(lengths)]
        centred.append(moved[(moved >= 0) & (moved < signal.n_samples)])
    return centred
