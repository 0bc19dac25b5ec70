"""Edits do what they say, undo exactly, and survive the file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import muemg
from muemg.errors import InvalidArgumentError
from tests.separation._scenes import RATE, scene

RECORDING, TRUTH = scene(5, n_units=4, n_channels=12, duration=6.0)


@pytest.fixture(scope="module")
def found():
    decoded = muemg.decode(RECORDING, muemg.learn_filters(RECORDING, TRUTH))
    return replace(decoded, spikes=replace(decoded.spikes, unit_ids=(3, "b", 7, 1)))


def test_add_and_remove(found):
    editor = muemg.Editor(found)
    train = found.spikes[1]
    free = int(train[3]) + 50
    editor.add_spikes("b", [free, int(train[0])])
    assert editor.decomposition.spikes[1].tolist() == sorted([*train.tolist(), free])
    editor.remove_spikes("b", free)
    assert editor.decomposition.spikes == found.spikes
    assert editor.history == ("add spikes: b", "remove spikes: b")


def test_quality_follows(found):
    editor = muemg.Editor(found)
    editor.remove_spikes(7, found.spikes[2][::2])
    quality = editor.decomposition.quality
    assert quality["n_spikes"][2] == len(found.spikes[2][1::2])
    assert quality["rate"][2] == pytest.approx(found.quality["rate"][2] / 2, rel=0.05)
    assert quality.select([0, 1, 3]) == found.quality.select([0, 1, 3])


def test_refilter_finds_what_was_taken_away(found):
    editor = muemg.Editor(found, RECORDING)
    train = found.spikes[0]
    editor.remove_spikes(3, train[1::3])
    editor.refilter(3)
    edited = editor.decomposition
    agreement = muemg.compare(edited.select_units([0]), found.select_units([0])).truth["rate_of_agreement"][0]
    assert agreement > 0.95
    assert not np.array_equal(edited.sources[0], found.sources[0])
    assert not np.array_equal(edited.filters.taps[0], found.filters.taps[0])
    np.testing.assert_array_equal(edited.sources[1:], found.sources[1:])
    # The filter is the one that belongs to the source.
    again = muemg.decode(RECORDING, edited)
    np.testing.assert_allclose(again.sources[0], edited.sources[0], atol=1e-4)


def test_delete_and_merge(found):
    editor = muemg.Editor(found)
    editor.delete("b")
    assert editor.decomposition.spikes.unit_ids == (3, 7, 1)
    assert len(editor.decomposition.filters) == 3
    one, two = found.spikes[0], found.spikes[2]
    editor.merge([7, 3])
    merged = editor.decomposition
    assert merged.spikes.unit_ids == (7, 1)
    kept = [t for t in one if np.abs(two - t).min() > 10]
    assert merged.spikes[0].tolist() == sorted([*two.tolist(), *kept])
    editor.undo()
    editor.undo()
    assert replace(editor.decomposition, history=()) == found
    with pytest.raises(InvalidArgumentError, match="nothing to undo"):
        editor.undo()


@pytest.mark.parametrize("name", ["edited.h5", "edited.npz"])
def test_the_file_keeps_the_history(found, tmp_path, name):
    editor = muemg.Editor(found, RECORDING)
    editor.remove_spikes(1, found.spikes[3][:2])
    editor.refilter(1)
    editor.delete(7)
    editor.undo()
    muemg.write(tmp_path / name, editor.decomposition)
    opened = muemg.read(tmp_path / name).require("decomposition")
    assert opened == editor.decomposition
    # Without the recording: nothing is computed again.
    later = muemg.Editor(opened)
    later.redo()
    assert later.decomposition.spikes.unit_ids == (3, "b", 1)
    for _ in range(3):
        later.undo()
    assert replace(later.decomposition, history=()) == found
    for _ in range(3):
        later.redo()
    editor.redo()
    assert later.decomposition == editor.decomposition


def test_an_edit_after_undo_forgets_what_was_undone(found):
    editor = muemg.Editor(found)
    editor.delete(7)
    editor.undo()
    editor.delete(3)
    assert editor.history == ("delete: 3",)
    with pytest.raises(InvalidArgumentError, match="nothing to redo"):
        editor.redo()


def test_awkward_column_names_survive(found, tmp_path):
    columns = {"a/b.c": np.array(["x", "", "long ü", "y"]), **found.quality}
    named = replace(found, quality=muemg.Table(columns), filters=None)
    editor = muemg.Editor(named)
    editor.delete("b")
    muemg.write(tmp_path / "x.h5", editor.decomposition)
    later = muemg.Editor(muemg.read(tmp_path / "x.h5").require("decomposition"))
    later.undo()
    assert replace(later.decomposition, history=()) == named


def test_bad_input_is_named(found):
    editor = muemg.Editor(found)
    with pytest.raises(InvalidArgumentError, match=r"unit must be one of \[3, 'b', 7, 1\], got 0"):
        editor.delete(0)
    with pytest.raises(InvalidArgumentError, match="samples must be discharges of unit 3; it has none at"):
        editor.remove_spikes(3, found.spikes[0][0] + 1)
    with pytest.raises(InvalidArgumentError, match="samples must be integers in"):
        editor.add_spikes(3, [-1])
    with pytest.raises(InvalidArgumentError, match="refilter needs the recording"):
        editor.refilter(3)
    with pytest.raises(InvalidArgumentError, match="at least two different"):
        editor.merge([3, 3])
    with pytest.raises(InvalidArgumentError, match="recording must be the decomposition's"):
        muemg.Editor(found, RECORDING.time_slice(1))
    assert editor.decomposition is found


class AnyOrder(RuleBasedStateMachine):
    """Whatever is done, undoing all of it gives the beginning, and doing it again the end."""

    def __init__(self):
        super().__init__()
        trains = tuple(np.arange(start, 2000, 150) for start in (10, 40, 90, 120))
        sources = np.random.default_rng(0).standard_normal((4, 2000))
        spikes = muemg.SpikeTrains(trains, RATE, 2000)
        quality = muemg.Table({"sil": np.ones(4), "n_spikes": spikes.n_spikes, "accepted": np.ones(4, bool)})
        self.start = muemg.Decomposition(spikes, sources, np.zeros((4, 2, 5)), quality)
        self.editor = muemg.Editor(self.start)
        self.states = [self.start]

    def did(self):
        del self.states[len(self.editor.history) :]
        self.states.append(self.editor.decomposition)

    def ids(self):
        return self.editor.decomposition.spikes.unit_ids

    @precondition(lambda self: self.ids())
    @rule(sample=st.integers(0, 1999), pick=st.integers(0, 3))
    def add(self, sample, pick):
        self.editor.add_spikes(self.ids()[pick % len(self.ids())], sample)
        self.did()

    @precondition(lambda self: self.ids())
    @rule(pick=st.integers(0, 3))
    def delete(self, pick):
        self.editor.delete(self.ids()[pick % len(self.ids())])
        self.did()

    @precondition(lambda self: len(self.ids()) > 1)
    @rule(pick=st.integers(0, 3))
    def merge(self, pick):
        ids = self.ids()
        self.editor.merge([ids[pick % len(ids)], ids[(pick + 1) % len(ids)]])
        self.did()

    @precondition(lambda self: self.editor.history)
    @rule()
    def undo(self):
        self.editor.undo()

    @precondition(lambda self: len(self.editor.history) < len(self.editor.decomposition.history))
    @rule()
    def redo(self):
        self.editor.redo()

    @invariant()
    def the_state_is_the_one_of_then(self):
        then = self.states[len(self.editor.history)]
        assert replace(self.editor.decomposition, history=()) == replace(then, history=())


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)
