"""The same motor units in another recording: matched by their action potentials, and by their filters.

The action potential of a unit on a grid of electrodes is its fingerprint. Between two sessions the grid may lie
a few millimetres elsewhere, which moves the fingerprints of all units alike: one common displacement is sought,
the potentials of one session are interpolated to the other's places, and pairs are compared by normalised
cross-correlation over channels and time, with a lag of their own. Where electrodes stayed, a unit's filter
finds it again, which is the stronger evidence. Both are turned into the probability that two units are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.optimize import linear_sum_assignment

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_fraction, check_instance, check_positive
from muemg.metrics.matching import match_all_pairs
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation.online import decode

__all__ = ["Tracking", "track"]

Session = Decomposition | tuple[Decomposition, Recording]

_WINDOW = 50e-3  # s, centred on the discharge
_HIGHEST = 500.0  # Hz; above it an action potential is noise
_LENGTH = 0.8  # of the electrodes' distance: how far potentials resemble each other
_RIDGE = 0.02  # noise over signal in what is interpolated
_NEAR = 0.75  # of the electrodes' distance: how far from an electrode is still interpolated
_TOLERANCE = 1e-3  # s
_MOST_DELAY = 50e-3  # s between the trains of a filter and of the unit
_USUAL = 0.6  # similarity of two units that has to be reckoned with, where no other pair shows it
# Logistic regression of "is the same unit" on the evidence: fitted by benchmarks/separation/tracking.py --fit.
_SHAPE_ONLY = (0.71, 0.74, 6.96, -6.37)
_WITH_FILTERS = (0.39, -0.64, 7.08, -7.77, 9.16)


@dataclass(frozen=True)
class Tracking:
    """Motor units followed through recordings.

    Attributes
    ----------
    units : Table
        One row per motor unit: ``motor_unit``, and for each session ``session_0``, ``session_1``, … the unit's index
        there, −1 where it was not found.
    matches : Table
        One row per match: ``motor_unit``, ``session_a``, ``unit_a``, ``session_b``, ``unit_b`` (indices),
        ``confidence`` (probability that the two are one unit), ``similarity`` (normalised cross-correlation, −1
        … 1), ``margin`` (how far it is above the best other pair of either, or 0.6), ``lag`` (s), ``agreement`` (rate
        of agreement of the trains that each session's filters find in the other with the trains decomposed
        there; not-a-number without filters and recordings).
    displacements : Table
        One row per pair of sessions compared: ``session_a``, ``session_b``, ``along`` and ``across`` in metres, by
        which the electrodes of b lie further along the grid's rows and columns than those of a.
    """

    units: Table
    matches: Table
    displacements: Table

    def __repr__(self) -> str:
        n_sessions = len(self.units.columns) - 1
        head = f"<Tracking: {self.units.n_rows} motor units through {n_sessions} sessions, "
        return f"{head}{self.matches.n_rows} matches>\n{self.matches}"


def track(
    *sessions: Session, max_shift: float = 10e-3, max_lag: float = 5e-3, min_confidence: float = 0.5
) -> Tracking:
    """Find the same motor units in several recordings.

    Parameters
    ----------
    *sessions : Decomposition or (Decomposition, Recording)
        At least two, in order. A recording tells where the electrodes are, and with the decompositions' filters whether
        units are found again by them.
    max_shift : float
        Largest displacement in metres of the electrodes between two sessions, along and across; needs recordings with
        electrodes on a grid, and 0 takes them to have stayed.
    max_lag : float
        Largest difference in seconds between the times at which two decompositions see one unit's discharges.
    min_confidence : float
        A match below it is none.

    Returns
    -------
    Tracking

    Raises
    ------
    InvalidArgumentError
        If there are fewer than two sessions, or they do not share channels and sampling rate.
    """
    if len(sessions) < 2:
        raise InvalidArgumentError(f"sessions must be at least two, got {len(sessions)}")
    shift = check_positive("max_shift", max_shift, "m", allow_zero=True)
    lag = check_positive("max_lag", max_lag, "s", allow_zero=True)
    least = check_fraction("min_confidence", min_confidence)
    views = [_View.of(f"sessions[{i}]", session) for i, session in enumerate(sessions)]
    first = views[0]
    for i, view in enumerate(views):
        if (view.n_channels, view.rate) != (first.n_channels, first.rate):
            raise InvalidArgumentError(
                f"sessions must share channels and sampling rate: sessions[0] has {first.n_channels} channels at "
                f"{first.rate:g} Hz, sessions[{i}] {view.n_channels} at {view.rate:g} Hz"
            )
    identity: list[np.ndarray] = [np.full(len(view.muaps), -1) for view in views]
    identity[0] = np.arange(len(first.muaps))
    n_units = len(first.muaps)
    matches: list[dict[str, float]] = []
    displacements: list[dict[str, float]] = []
    for b in range(1, len(views)):
        # The latest sighting first; who paused is looked for further back.
        for a in range(b - 1, -1, -1):
            later = np.concatenate([[-1], *identity[a + 1 : b + 1]])
            rows = np.flatnonzero(~np.isin(identity[a], later))
            columns = np.flatnonzero(identity[b] < 0)
            if not len(rows) or not len(columns):
                continue
            evidence = _compare(views[a], views[b], shift, lag)
            displacements.append({"session_a": a, "session_b": b} | evidence.displacement)
            for i, j in _assign(evidence.confidence[np.ix_(rows, columns)], least):
                row, column = rows[i], columns[j]
                identity[b][column] = identity[a][row]
                matches.append(
                    {"motor_unit": identity[a][row], "session_a": a, "unit_a": row, "session_b": b}
                    | {"unit_b": column}
                    | {name: values[row, column] for name, values in evidence.columns().items()}
                )
        new = np.flatnonzero(identity[b] < 0)
        identity[b][new] = n_units + np.arange(len(new))
        n_units += len(new)
    units: dict[str, np.ndarray] = {"motor_unit": np.arange(n_units)}
    for s, names in enumerate(identity):
        column = np.full(n_units, -1)
        column[names] = np.arange(len(names))
        units[f"session_{s}"] = column
    return Tracking(Table(units), _table(matches, _MATCH_COLUMNS), _table(displacements, _SHIFT_COLUMNS))


_MATCH_COLUMNS = {
    **dict.fromkeys(("motor_unit", "session_a", "unit_a", "session_b", "unit_b"), np.int64),
    **dict.fromkeys(("confidence", "similarity", "margin", "lag", "agreement"), np.float64),
}
_SHIFT_COLUMNS = {"session_a": np.int64, "session_b": np.int64, "along": np.float64, "across": np.float64}


def _table(rows: Sequence[dict[str, float]], columns: dict) -> Table:
    return Table({name: np.array([row[name] for row in rows], dtype=kind) for name, kind in columns.items()})


@dataclass(frozen=True)
class _View:
    """A session as the comparison sees it."""

    decomposition: Decomposition
    recording: Recording | None
    muaps: np.ndarray  # (n_units, n_channels, n_lags), centred on the discharge, zero where not known
    known: np.ndarray  # (n_channels,)
    places: np.ndarray | None  # (n_channels, 2) in m along rows and columns of the grid
    spacing: float
    rate: float

    @property
    def n_channels(self) -> int:
        return self.muaps.shape[1]

    @classmethod
    def of(cls, name: str, session: object) -> _View:
        pair = session if isinstance(session, tuple) and len(session) == 2 else (session, None)
        hint = "a Decomposition or a pair of it and its Recording"
        found: Decomposition = check_instance(name, pair[0], Decomposition, hint)
        recording: Recording | None = pair[1]
        if recording is not None:
            check_instance(f"{name}[1]", recording, Recording)
            if recording.n_channels != found.muaps.shape[1] and len(found):
                raise InvalidArgumentError(
                    f"{name}: the recording has {recording.n_channels} channels, the decomposition "
                    f"{found.muaps.shape[1]}"
                )
        rate = found.spikes.sampling_rate
        half = round(_WINDOW * rate / 2)
        n_units, n_channels, n_lags = found.muaps.shape
        muaps = np.zeros((n_units, n_channels, 2 * half))
        begin = half - found.muap_offset
        low, high = max(0, begin), min(2 * half, begin + n_lags)
        if high > low:
            muaps[:, :, low:high] = found.muaps[:, :, low - begin : high - begin]
        known = np.asarray(np.isfinite(muaps).all(axis=(0, 2)))
        muaps[:, ~known] = 0
        places, spacing = _places(recording)
        return cls(found, recording, muaps, known, places, spacing, rate)


def _places(recording: Recording | None) -> tuple[np.ndarray | None, float]:
    """Where the electrodes lie on the unrolled grid, and their distance, in metres."""
    electrodes = None if recording is None else recording.electrodes
    if electrodes is None or electrodes.grid_index is None or len(electrodes) < 2:
        return None, 1.0
    index = np.asarray(electrodes.grid_index, dtype=np.float64)
    apart = np.abs(index[:, None] - index[None])
    distance = np.linalg.norm(electrodes.positions[:, None] - electrodes.positions[None], axis=2)
    steps = []
    for axis in (0, 1):
        neighbours = (apart[:, :, axis] == 1) & (apart[:, :, 1 - axis] == 0)
        steps.append(float(np.median(distance[neighbours])) if neighbours.any() else 0.0)
    return index * steps, min(step for step in steps if step > 0)


# ------------------------------------------------------------------ evidence


@dataclass(frozen=True)
class _Evidence:
    """For every pair of units of two sessions; arrays of shape (n_a, n_b)."""

    confidence: np.ndarray
    similarity: np.ndarray
    margin: np.ndarray
    lag: np.ndarray
    ratio: np.ndarray
    agreement: np.ndarray
    displacement: dict[str, float]

    def columns(self) -> dict[str, np.ndarray]:
        names = ("confidence", "similarity", "margin", "lag", "agreement")
        return {name: getattr(self, name) for name in names}


def _compare(a: _View, b: _View, max_shift: float, max_lag: float) -> _Evidence:
    spectra_a, spectra_b = _spectra(a), _spectra(b)
    n_lags = a.muaps.shape[2]
    reach = min(round(max_lag * a.rate), n_lags // 2)

    def at(along: float, across: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return _similarity(a, b, spectra_a, spectra_b, (along, across), reach, n_lags)

    best = (0.0, 0.0)
    if max_shift > 0 and a.places is not None and b.places is not None:
        best = _displacement(at, a, max_shift)
    similarity, lag, ratio = at(*best)
    margin = similarity - _best_other(similarity)
    agreement = _agreement(a, b)
    confidence = _confidence(similarity, margin, ratio, agreement)
    displacement = {"along": best[0], "across": best[1]}
    return _Evidence(confidence, similarity, margin, lag / a.rate, ratio, agreement, displacement)


def _spectra(view: _View) -> np.ndarray:
    """Fourier transforms of the potentials below 500 Hz, shape (n_frequencies, n_units, n_channels)."""
    n_lags = view.muaps.shape[2]
    # Twice as long: a lag must not wrap around.
    spectra = np.fft.rfft(view.muaps, 2 * n_lags, axis=2)
    keep = np.fft.rfftfreq(2 * n_lags, 1 / view.rate) <= _HIGHEST
    return np.ascontiguousarray(spectra[:, :, keep].transpose(2, 0, 1))


def _similarity(
    a: _View,
    b: _View,
    spectra_a: np.ndarray,
    spectra_b: np.ndarray,
    shift: tuple[float, float],
    reach: int,
    n_lags: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Largest normalised cross-correlation of all pairs, its lag in samples, and |log| of their amplitudes' ratio."""
    operator, rows = _interpolation(a, b, shift)
    moved = spectra_a @ operator.T
    there = spectra_b[:, :, rows]
    # What all electrodes see alike says little about which unit it is.
    moved = moved - moved.mean(axis=2, keepdims=True)
    there = there - there.mean(axis=2, keepdims=True)
    cross = np.matmul(moved.conj(), there.transpose(0, 2, 1))
    full = np.zeros((n_lags + 1, *cross.shape[1:]), dtype=complex)
    full[: len(cross)] = cross
    correlation = np.fft.irfft(full, 2 * n_lags, axis=0)
    near = np.concatenate([correlation[-reach:] if reach else correlation[:0], correlation[: reach + 1]])

    def energy(spectra: np.ndarray) -> np.ndarray:
        power = np.einsum("fuc,fuc->u", spectra, spectra.conj()).real
        dc = np.einsum("uc,uc->u", spectra[0], spectra[0].conj()).real
        return np.maximum((2 * power - dc) / (2 * n_lags), 1e-300)

    energy_a, energy_b = energy(moved), energy(there)
    scaled = near / np.sqrt(energy_a[:, None] * energy_b[None])
    at = np.argmax(scaled, axis=0)
    similarity = np.take_along_axis(scaled, at[None], axis=0)[0]
    return similarity, at - float(reach), np.abs(np.log(energy_a[:, None] / energy_b[None])) / 2


def _interpolation(a: _View, b: _View, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Operator from a's channels to the places of b's electrodes, and which of b's channels it reaches."""
    if a.places is None or b.places is None:
        rows = np.flatnonzero(a.known & b.known)
        return np.eye(a.n_channels)[rows], rows
    target = b.places + np.asarray(shift)
    known = np.flatnonzero(a.known)
    source = a.places[known]
    apart = np.linalg.norm(target[:, None] - source[None], axis=2) / a.spacing
    rows = np.flatnonzero(b.known & (apart.min(axis=1) <= _NEAR))
    if len(rows) < 4:
        rows = np.flatnonzero(b.known)
    within = np.linalg.norm(source[:, None] - source[None], axis=2) / a.spacing
    gram = _kernel(within) + _RIDGE * np.eye(len(known))
    operator = np.zeros((len(rows), a.n_channels))
    operator[:, known] = scipy.linalg.solve(gram, _kernel(apart[rows]).T, assume_a="pos").T
    return operator, rows


def _kernel(distance: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * (distance / _LENGTH) ** 2)


def _displacement(at, a: _View, max_shift: float) -> tuple[float, float]:
    """The displacement common to all units at which the best pairs resemble each other most."""

    def score(along: float, across: float) -> float:
        # A few pairs that resemble each other closely say more than many that do so a little.
        closeness = -np.log(1.02 - np.clip(at(along, across)[0], 0, 1))
        return float(closeness[linear_sum_assignment(closeness, maximize=True)].sum())

    step = a.spacing / 2
    n = int(max_shift / step + 1e-9)
    best, highest = (0.0, 0.0), -1.0
    candidates = [(step * i, step * j) for i in range(-n, n + 1) for j in range(-n, n + 1)]
    # The nearest first: where shapes cannot tell, electrodes stayed.
    candidates.sort(key=lambda shift: shift[0] ** 2 + shift[1] ** 2)
    for _ in range(3):
        for along, across in candidates:
            if max(abs(along), abs(across)) > max_shift + 1e-9:
                continue
            value = score(along, across)
            if value > highest * (1 + 1e-6):
                best, highest = (along, across), value
        step /= 2
        centre = best
        candidates = [(centre[0] + step * i, centre[1] + step * j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return best


def _best_other(values: np.ndarray) -> np.ndarray:
    """For every pair the largest value of another pair that has one of the two units."""
    other = np.full(values.shape, _USUAL)
    for axis in (0, 1):
        if values.shape[axis] < 2:
            continue
        ordered = np.sort(values, axis=axis)
        top = np.take(ordered, [-1], axis=axis)
        second = np.take(ordered, [-2], axis=axis)
        other = np.maximum(other, np.where(values == top, second, top))
    return other


def _agreement(a: _View, b: _View) -> np.ndarray:
    """Rate of agreement of what each session's filters find in the other's recording with the units there."""
    best = np.full((len(a.muaps), len(b.muaps)), np.nan)
    for one, other, swapped in ((a, b, False), (b, a, True)):
        filters = one.decomposition.filters
        if filters is None or other.recording is None or not len(one.muaps) or not len(other.muaps):
            continue
        again = decode(other.recording, filters).spikes.samples
        trains = other.decomposition.spikes.samples
        matched, _ = match_all_pairs(
            again, trains, round(_TOLERANCE * other.rate), round(_MOST_DELAY * other.rate)
        )
        sizes = np.array([len(t) for t in again])[:, None] + np.array([len(t) for t in trains])[None]
        rate = matched / np.maximum(sizes - matched, 1)
        best = np.fmax(best, rate.T if swapped else rate)
    return best


def _features(similarity: np.ndarray, margin: np.ndarray, ratio: np.ndarray) -> tuple[np.ndarray, ...]:
    closeness = -np.log(1.02 - np.clip(similarity, -1, 1))
    return np.ones_like(similarity), closeness, margin, ratio


def _confidence(
    similarity: np.ndarray, margin: np.ndarray, ratio: np.ndarray, agreement: np.ndarray
) -> np.ndarray:
    shape = _features(similarity, margin, ratio)
    alone = sum(weight * feature for weight, feature in zip(_SHAPE_ONLY, shape))
    seen = sum(weight * feature for weight, feature in zip(_WITH_FILTERS, (*shape, np.nan_to_num(agreement))))
    log_odds = np.where(np.isfinite(agreement), seen, alone)
    return 1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))


def _assign(confidence: np.ndarray, least: float) -> list[tuple[int, int]]:
    """One-to-one pairs of most expected right matches, each at least so probable."""
    rows, columns = linear_sum_assignment(confidence, maximize=True)
    return [(i, j) for i, j in zip(rows, columns) if confidence[i, j] >= least]
