"""Editing a decomposition by hand, in code: every step can be undone, and the steps are kept in the file.

An edit is the state of the units it touched before and after. Undoing swaps them back, exactly; nothing is
computed again, so a file opened later, without its recording, can be undone as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_instance
from muemg.recording import Recording
from muemg.results import Decomposition, SeparationFilters
from muemg.separation._decoded import measured
from muemg.separation.filters import FilterLearner
from muemg.separation.online import OnlineDecoder
from muemg.spikes import SpikeTrains

__all__ = ["Editor"]

_FILTER_PARTS = ("taps", "responses", "lags", "spike_heights", "background_heights", "thresholds")
_Id = int | str


class Editor:
    """Edit the units of a decomposition.

    Parameters
    ----------
    decomposition : Decomposition
        To begin with; if it was edited before, that can be undone here.
    recording : Recording, optional
        The raw recording; `refilter` needs it.

    Attributes
    ----------
    decomposition : Decomposition
        As it is now; its ``history`` is what `muemg.write` keeps.

    Raises
    ------
    InvalidArgumentError
        If the recording is not on the decomposition's clock.

    Examples
    --------
    >>> editor = Editor(found, recording)              # doctest: +SKIP
    >>> editor.remove_spikes(3, [10_240])              # doctest: +SKIP
    >>> editor.refilter(3)                             # doctest: +SKIP
    >>> editor.undo()                                  # doctest: +SKIP
    >>> muemg.write("edited.h5", editor.decomposition)  # doctest: +SKIP
    """

    def __init__(self, decomposition: Decomposition, recording: Recording | None = None) -> None:
        check_instance("decomposition", decomposition, Decomposition)
        if recording is not None:
            check_instance("recording", recording, Recording)
            spikes = decomposition.spikes
            if (recording.n_samples, recording.sampling_rate) != (spikes.n_samples, spikes.sampling_rate):
                raise InvalidArgumentError(
                    f"recording must be the decomposition's, of {spikes.n_samples} samples at "
                    f"{spikes.sampling_rate:g} Hz, got {recording.n_samples} at {recording.sampling_rate:g} Hz"
                )
        self.decomposition = decomposition
        self._recording = recording
        self._learner: FilterLearner | None = None

    # ------------------------------------------------------------------ edits

    def add_spikes(self, unit: _Id, samples: npt.ArrayLike) -> None:
        """Add discharges to a unit; those it has already stay as they are.

        Parameters
        ----------
        unit : int or str
            The unit's id.
        samples : array_like of int
            Sample indices.

        Raises
        ------
        InvalidArgumentError
            If there is no such unit, or a sample lies outside the recording.
        """
        index = self._index(unit)
        new = self._samples(samples)
        self._set_train("add spikes", unit, np.union1d(self.decomposition.spikes[index], new))

    def remove_spikes(self, unit: _Id, samples: npt.ArrayLike) -> None:
        """Remove discharges from a unit.

        Raises
        ------
        InvalidArgumentError
            If there is no such unit, or it does not discharge at one of the samples.
        """
        train = self.decomposition.spikes[self._index(unit)]
        gone = self._samples(samples)
        missing = np.setdiff1d(gone, train)
        if len(missing):
            raise InvalidArgumentError(
                f"samples must be discharges of unit {unit!r}; it has none at {missing[:5].tolist()}"
            )
        self._set_train("remove spikes", unit, np.setdiff1d(train, gone))

    def refilter(self, unit: _Id) -> None:
        """Learn a unit's filter from its discharges as they are now, apply it, and detect them again.

        Raises
        ------
        InvalidArgumentError
            If there is no such unit, it has no discharge, or the editor has no recording.
        """
        index, found = self._index(unit), self.decomposition
        if self._recording is None:
            raise InvalidArgumentError("refilter needs the recording: Editor(decomposition, recording)")
        if not len(found.spikes[index]):
            raise InvalidArgumentError(f"unit {unit!r} has no discharge to learn a filter from")
        if self._learner is None:
            self._learner = FilterLearner(
                self._recording,
                **_learning(found.filters),
                excluded_channels=found.excluded_channels,
            )
        filters = self._learner.filters(replace(found.spikes, samples=(found.spikes[index],), unit_ids=()))
        decoder = OnlineDecoder(filters)
        parts = (decoder.process(self._recording.signal), decoder.finish())
        source = np.concatenate([part.sources[0] for part in parts])[: self._recording.n_samples]
        train = np.concatenate([part.spikes[0] for part in parts])
        state = self._state(unit, train, source)
        kept = found.filters
        if (
            kept is not None
            and np.array_equal(kept.channels, filters.channels)
            and kept.taps.shape[1:] == filters.taps.shape[1:]
        ):
            state["filter"] = {name: getattr(filters, name)[0:1].copy() for name in _FILTER_PARTS}
        self._do("refilter", self._ids, {unit: state})

    def delete(self, unit: _Id) -> None:
        """Take a unit out.

        Raises
        ------
        InvalidArgumentError
            If there is no such unit.
        """
        self._index(unit)
        self._do("delete", [other for other in self._ids if other != unit], {unit: None})

    def merge(self, units: Sequence[_Id]) -> None:
        """Make one unit of several: the first keeps its name, source and filter, and gains the others' discharges.

        Of discharges nearer than half of 10 ms, as one discharge seen twice is, the earlier-named unit's stays.

        Raises
        ------
        InvalidArgumentError
            If there are fewer than two, one is named twice, or one does not exist.
        """
        names = list(units)
        if len(names) < 2 or len(set(names)) != len(names):
            raise InvalidArgumentError(f"units must name at least two different units, got {names}")
        spikes = self.decomposition.spikes
        near = round(5e-3 * spikes.sampling_rate)
        train = spikes[self._index(names[0])]
        for name in names[1:]:
            other = spikes[self._index(name)]
            train = np.union1d(train, other[_distance(other, train) > near])
        states: dict[_Id, dict[str, Any] | None] = dict.fromkeys(names[1:])
        states[names[0]] = self._state(names[0], train)
        self._do("merge", [other for other in self._ids if other not in names[1:]], states)

    # ------------------------------------------------------------------ history

    @property
    def history(self) -> tuple[str, ...]:
        """What was done and not undone, first to last."""
        return tuple(_said(step) for step in self.decomposition.history if not step["undone"])

    def undo(self) -> None:
        """Take the last edit back.

        Raises
        ------
        InvalidArgumentError
            If there is nothing to undo.
        """
        steps = list(self.decomposition.history)
        done = [i for i, step in enumerate(steps) if not step["undone"]]
        if not done:
            raise InvalidArgumentError("there is nothing to undo")
        self._swap(steps, done[-1], undone=True)

    def redo(self) -> None:
        """Do again what was undone last.

        Raises
        ------
        InvalidArgumentError
            If there is nothing to redo.
        """
        steps = list(self.decomposition.history)
        undone = [i for i, step in enumerate(steps) if step["undone"]]
        if not undone:
            raise InvalidArgumentError("there is nothing to redo")
        self._swap(steps, undone[0], undone=False)

    # ------------------------------------------------------------------ the work

    @property
    def _ids(self) -> list[_Id]:
        return list(self.decomposition.spikes.unit_ids)

    def _index(self, unit: _Id) -> int:
        if unit not in self._ids:
            raise InvalidArgumentError(f"unit must be one of {self._ids}, got {unit!r}")
        return self._ids.index(unit)

    def _samples(self, samples: npt.ArrayLike) -> np.ndarray:
        array = np.unique(np.atleast_1d(np.asarray(samples)))
        n_samples = self.decomposition.spikes.n_samples
        if not np.issubdtype(array.dtype, np.integer) or array[0] < 0 or array[-1] >= n_samples:
            raise InvalidArgumentError(f"samples must be integers in 0..{n_samples - 1}, got {samples!r}")
        return array.astype(np.int64)

    def _set_train(self, kind: str, unit: _Id, train: np.ndarray) -> None:
        self._do(kind, self._ids, {unit: self._state(unit, train)})

    def _state(self, unit: _Id, train: np.ndarray, source: np.ndarray | None = None) -> dict[str, Any]:
        """A unit with other discharges, and perhaps another source; its quality measured again."""
        found, index = self.decomposition, self._index(unit)
        quality = found.quality.row(index)
        seen = found.sources[index] if source is None else source
        values = measured(seen, train, found.spikes.sampling_rate)
        quality |= {name: value for name, value in values.items() if name in quality}
        state: dict[str, Any] = {"samples": train.astype(np.int64), "quality": _pairs(quality)}
        if source is not None:
            state["source"] = np.array(source, dtype=np.float32)
        return state

    def _whole(self, unit: _Id) -> dict[str, Any]:
        found, index = self.decomposition, self._index(unit)
        state: dict[str, Any] = {
            "samples": np.array(found.spikes[index]),
            "quality": _pairs(found.quality.row(index)),
            "source": np.array(found.sources[index]),
            "muap": np.array(found.muaps[index]),
        }
        if found.filters is not None:
            state["filter"] = {
                name: getattr(found.filters, name)[index : index + 1] for name in _FILTER_PARTS
            }
        return state

    def _do(self, kind: str, order: list[_Id], states: Mapping[_Id, dict[str, Any] | None]) -> None:
        """Apply an edit, and forget what had been undone before it."""
        before, after = {}, {}
        for i, (unit, state) in enumerate(states.items()):
            whole = self._whole(unit)
            # What an edit leaves alone need not be kept.
            kept = whole if state is None else {name: whole[name] for name in state}
            before[f"unit_{i}"] = {"id": unit, **kept}
            if state is not None:
                after[f"unit_{i}"] = {"id": unit, **state}
        step: dict[str, Any] = {
            "kind": kind,
            "undone": False,
            "order_before": self._ids,
            "order_after": order,
            "before": before,
        }
        if after:  # not every file format can hold that there is nothing
            step["after"] = after
        steps = [*(old for old in self.decomposition.history if not old["undone"]), step]
        self._swap(steps, len(steps) - 1, undone=False)

    def _swap(self, steps: list[Mapping[str, Any]], index: int, *, undone: bool) -> None:
        step = steps[index]
        states, order = (
            (step["before"], step["order_before"]) if undone else (step.get("after", {}), step["order_after"])
        )
        steps[index] = {**step, "undone": undone}
        changed = _with_units(self.decomposition, list(order), {s["id"]: s for s in states.values()})
        self.decomposition = replace(changed, history=tuple(steps))


def _with_units(
    found: Decomposition, order: list[_Id], states: Mapping[_Id, Mapping[str, Any]]
) -> Decomposition:
    """The decomposition with the units `order`, those in `states` as they are there."""
    place = {unit: i for i, unit in enumerate(found.spikes.unit_ids)}

    def part(unit: _Id, name: str, present: Any) -> Any:
        state = states.get(unit, {})
        return state[name] if name in state else present[place[unit]]

    trains = tuple(part(unit, "samples", found.spikes.samples) for unit in order)
    n_samples = found.spikes.n_samples
    sources = np.zeros((len(order), n_samples), dtype=np.float32)
    muaps = np.zeros((len(order), *found.muaps.shape[1:]), dtype=np.float32)
    rows = []
    for i, unit in enumerate(order):
        sources[i] = part(unit, "source", found.sources)
        muaps[i] = part(unit, "muap", found.muaps)
        state = states.get(unit, {})
        rows.append(dict(state["quality"]) if "quality" in state else found.quality.row(place[unit]))
    quality = Table(
        {
            name: np.array([row[name] for row in rows], dtype=column.dtype)
            for name, column in found.quality.items()
        }
    )
    filters = found.filters
    if filters is not None:
        stacked: dict[str, Any] = {}
        for name in _FILTER_PARTS:
            have = getattr(filters, name)
            parts = [
                np.asarray(states[unit]["filter"][name])
                if "filter" in states.get(unit, {})
                else have[place[unit] : place[unit] + 1]
                for unit in order
            ]
            stacked[name] = np.concatenate([have[:0], *parts])
        filters = replace(filters, **stacked)
    spikes = SpikeTrains(trains, found.spikes.sampling_rate, n_samples, tuple(order))
    return replace(found, spikes=spikes, sources=sources, muaps=muaps, quality=quality, filters=filters)


def _pairs(row: Mapping[str, Any]) -> list[list[Any]]:
    """A row as a list, which any column's name fits into."""
    return [[name, value] for name, value in row.items()]


def _learning(filters: SeparationFilters | None) -> dict[str, Any]:
    """How the decomposition's own filters were learned."""
    if filters is None:
        return {}
    return {
        "low": filters.low,
        "high": filters.high,
        "n_delays": filters.taps.shape[2],
        "min_interval": filters.min_interval,
    }


def _distance(samples: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Distance of each sample to the nearest one of a sorted train."""
    if not len(train):
        return np.full(len(samples), np.iinfo(np.int64).max)
    at = np.searchsorted(train, samples)
    left = np.abs(samples - train[np.maximum(at - 1, 0)])
    right = np.abs(samples - train[np.minimum(at, len(train) - 1)])
    return np.minimum(left, right)


def _said(step: Mapping[str, Any]) -> str:
    units = ", ".join(str(state["id"]) for state in step["before"].values())
    return f"{step['kind']}: {units}"
