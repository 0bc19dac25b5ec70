"""Windows: what is in each, when it is known, and what is left out."""

import numpy as np
import pytest

from muemg import Recording, SpikeTrains
from muemg.drive import Windows, count_windows, join_windows, row_windows, signal_windows
from muemg.errors import InvalidArgumentError

SPIKES = SpikeTrains(([0, 3, 4, 9], [5], []), 10.0, 11)


def test_counts_by_hand():
    windows = count_windows(SPIKES, length=0.4, step=0.3)
    # Windows 0–3, 3–6 and 6–9; sample 10 is in none.
    assert windows.X.tolist() == [[2, 0, 0], [2, 1, 0], [1, 0, 0]]
    assert windows.times.tolist() == [0.4, 0.7, 1.0]
    assert windows.y is None
    assert windows.groups is None


def test_the_last_window_may_end_with_the_recording():
    windows = count_windows(SPIKES, length=1.1, step=1.0)
    assert windows.X.tolist() == [[4, 1, 0]]


def test_windows_across_labels_trials_and_gaps_are_left_out():
    labels = np.array(["a", "a", "a", "a", "b", "b", "b", "b", "", "b", "b"])
    trials = np.array([1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    windows = count_windows(SPIKES, length=0.2, step=0.1, labels=labels, groups=trials)
    # Begin at 0 1 2 | 4 | 6 | 9: not over 3–4 (label), 5–6 (trial), 8 (no label).
    assert windows.times.tolist() == pytest.approx([0.2, 0.3, 0.4, 0.6, 0.8, 1.1])
    assert windows.y.tolist() == ["a", "a", "a", "b", "b", "b"]
    assert windows.groups.tolist() == [1, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("missing", [np.nan, None])
def test_missing_labels_as_numbers_or_none(missing):
    labels = np.array([1.0, 1.0, missing, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    windows = count_windows(SPIKES, length=0.2, step=0.1, labels=labels)
    assert windows.y.tolist() == [1] + [2] * 7
    assert windows.y.dtype.kind == "f"


def test_targets_are_those_of_the_end():
    force = np.where(np.arange(11) == 4, np.nan, np.arange(11) / 10)
    windows = count_windows(SPIKES, length=0.2, step=0.3, targets=force)
    assert windows.y.tolist() == [0.1, 0.7, 1.0]  # not 3–4
    with pytest.raises(InvalidArgumentError, match="one or the other"):
        count_windows(SPIKES, length=0.2, step=0.3, targets=force, labels=1)


def test_no_window_holds_samples_of_two_trials():
    rng = np.random.default_rng(0)
    trials = np.repeat(np.arange(20), rng.integers(3, 60, 20))
    spikes = SpikeTrains((np.arange(len(trials)),), 100.0, len(trials))
    windows = count_windows(spikes, length=0.1, step=0.03, groups=trials)
    last = np.rint(windows.times * 100).astype(int) - 1
    assert len(windows) > 100
    np.testing.assert_array_equal(trials[last], windows.groups)
    np.testing.assert_array_equal(trials[last - 9], windows.groups)


def test_signal_windows_are_the_signal():
    signal = np.arange(40, dtype=np.float32).reshape(2, 20)
    recording = Recording(signal, 10.0)
    windows = signal_windows(recording, length=0.5, step=0.3, labels="rest")
    assert windows.X.shape == (6, 2, 5)
    np.testing.assert_array_equal(windows.X[2], signal[:, 6:11])
    labels = np.where(np.arange(20) < 10, 1.0, np.nan)
    kept = signal_windows(recording, length=0.5, step=0.3, labels=labels)
    np.testing.assert_array_equal(kept.X, windows.X[:2])


def test_rows_are_averaged_or_the_last_taken():
    rows = np.arange(12.0).reshape(6, 2)
    assert row_windows(rows, 10.0, length=0.3, step=0.3).X.tolist() == [[2, 3], [8, 9]]
    assert row_windows(rows, 10.0, length=0.3, step=0.3, summary="last").X.tolist() == [[4, 5], [10, 11]]


def test_joining_keeps_order():
    one = count_windows(SPIKES, length=0.5, step=0.5, labels=1, groups="t1")
    two = count_windows(SPIKES, length=0.5, step=0.5, labels=0, groups="t2")
    joined = join_windows([one, two])
    assert joined.y.tolist() == [1, 1, 0, 0]
    assert joined.groups.tolist() == ["t1", "t1", "t2", "t2"]
    assert joined.select(joined.y == 0).X.tolist() == two.X.tolist()
    assert repr(joined) == "<Windows: 4 × 3, 2 labels, 2 groups>"


def test_no_units_give_windows_without_features():
    assert count_windows(SpikeTrains((), 10.0, 20), length=0.5, step=0.5).X.shape == (4, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"length": 1.2}, r"at most the 1\.1 s"),
        ({"step": 0}, "step must be"),
        ({"labels": [1, 2]}, r"shape \(11,\)"),
        ({"labels": np.nan}, "labels must say something"),
        ({"groups": np.zeros(12)}, r"groups must be one value or have shape \(11,\)"),
    ],
)
def test_bad_windows_are_refused(changes, said):
    with pytest.raises(InvalidArgumentError, match=said):
        count_windows(SPIKES, **({"length": 0.5, "step": 0.5} | changes))


def test_bad_joins_are_refused():
    one = Windows(np.zeros((2, 3)), np.zeros(2), np.zeros(2))
    with pytest.raises(InvalidArgumentError, match="at least one"):
        join_windows([])
    with pytest.raises(InvalidArgumentError, match=r"missing in \[1\]"):
        join_windows([one, Windows(np.zeros((2, 3)), np.zeros(2))])
    with pytest.raises(InvalidArgumentError, match="same features"):
        join_windows([one, Windows(np.zeros((2, 4)), np.zeros(2), np.zeros(2))])
    with pytest.raises(InvalidArgumentError, match="groups must have one entry"):
        Windows(np.zeros((2, 3)), np.zeros(2), groups=np.zeros(3))
    with pytest.raises(InvalidArgumentError, match="n_frames, n_features"):
        row_windows(np.zeros(3), 10.0, length=0.1, step=0.1)
