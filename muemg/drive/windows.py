"""Windows: what a classifier sees at one instant, what it should say, and which trial it must not be split from.

A window is known at the end of its last sample: that is its time. Windows that would span two trials or two labels,
or hold unlabelled samples, are left out, so that a split by trial can never put one stretch of signal on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_instance, check_option, check_positive
from muemg.recording import Recording
from muemg.spikes import SpikeTrains

__all__ = ["Windows", "count_windows", "join_windows", "row_windows", "signal_windows"]


@dataclass(frozen=True, eq=False)
class Windows:
    """What was cut from one or several recordings.

    Parameters
    ----------
    X : ndarray of float64, shape (n_windows, n_features) or (n_windows, n_channels, n_samples)
        Features, or the signal itself.
    times : ndarray, shape (n_windows,)
        End of each window in seconds, from the start of its recording.
    y : ndarray, shape (n_windows,), optional
        Labels or targets.
    groups : ndarray, shape (n_windows,), optional
        Trial, or subject, of each window: what a split must keep together.

    Raises
    ------
    InvalidArgumentError
        If the parts differ in length.
    """

    X: np.ndarray
    times: np.ndarray
    y: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("times", "y", "groups"):
            part = getattr(self, name)
            if part is not None and len(part) != len(self.X):
                raise InvalidArgumentError(
                    f"{name} must have one entry for each of the {len(self.X)} windows, got {len(part)}"
                )

    def __len__(self) -> int:
        return len(self.X)

    def select(self, windows: npt.ArrayLike) -> Windows:
        """Some windows (indices or a boolean mask), in the order given."""
        keep = np.asarray(windows)
        parts = (None if part is None else part[keep] for part in (self.y, self.groups))
        return Windows(self.X[keep], self.times[keep], *parts)

    def with_features(self, X: npt.ArrayLike) -> Windows:
        """The same windows with other features, for example those of a transformer."""
        return Windows(np.asarray(X), self.times, self.y, self.groups)

    def __repr__(self) -> str:
        parts = [f"{len(self)} × {' × '.join(map(str, self.X.shape[1:]))}"]
        for name, part in (("labels", self.y), ("groups", self.groups)):
            if part is not None:
                parts.append(f"{len(np.unique(part))} {name}")
        return f"<Windows: {', '.join(parts)}>"


# ------------------------------------------------------------------ cutting


def count_windows(
    spikes: SpikeTrains,
    *,
    length: float,
    step: float,
    labels: Any = None,
    groups: Any = None,
    targets: npt.ArrayLike | None = None,
) -> Windows:
    """Discharges of every motor unit in every window.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units; none at all gives windows without features.
    length, step : float
        Length of a window, and distance of the beginnings of two, in seconds; rounded to samples.
    labels, groups : scalar or array_like of shape (n_samples,), optional
        What to predict, and the trial: one for the whole recording, or one per sample. Missing ones
        (not-a-number, None or an empty text) mark samples that belong to no window.
    targets : array_like of float, shape (n_samples,), optional
        Instead of labels: what to regress, such as force. A window has the value at its end.

    Returns
    -------
    Windows
        With X of shape (n_windows, n_units). The features lie `length` / 2 behind on average.

    Raises
    ------
    InvalidArgumentError
        If a window is longer than the recording, or labels or groups have another length.
    """
    check_instance("spikes", spikes, SpikeTrains)
    starts, n_length = _starts(spikes.n_samples, spikes.sampling_rate, length, step)
    starts, y, trials = _uniform(starts, n_length, spikes.n_samples, labels, groups, targets)
    X = np.empty((len(starts), len(spikes)))
    for unit, train in enumerate(spikes):
        X[:, unit] = np.searchsorted(train, starts + n_length) - np.searchsorted(train, starts)
    return Windows(X, (starts + n_length) / spikes.sampling_rate, y, trials)


def signal_windows(
    recording: Recording,
    *,
    length: float,
    step: float,
    labels: Any = None,
    groups: Any = None,
    targets: npt.ArrayLike | None = None,
) -> Windows:
    """Windows of the signal itself, as `EMGFeatures` takes them.

    Parameters
    ----------
    recording : Recording
        In volts.
    length, step, labels, groups, targets
        As for `count_windows`.

    Returns
    -------
    Windows
        With X of shape (n_windows, n_channels, n_samples), a view unless windows were left out.

    Raises
    ------
    InvalidArgumentError
        As for `count_windows`.
    """
    check_instance("recording", recording, Recording)
    starts, n_length = _starts(recording.n_samples, recording.sampling_rate, length, step)
    every = np.lib.stride_tricks.sliding_window_view(recording.signal, n_length, axis=1)
    kept, y, trials = _uniform(starts, n_length, recording.n_samples, labels, groups, targets)
    stride = starts[1] - starts[0] if len(starts) > 1 else 1
    X = every[:, :: int(stride)].swapaxes(0, 1)[: len(starts)]
    if len(kept) < len(starts):
        X = X[np.searchsorted(starts, kept)]
    return Windows(X, (kept + n_length) / recording.sampling_rate, y, trials)


def row_windows(
    rows: npt.ArrayLike,
    frame_rate: float,
    *,
    length: float,
    step: float,
    labels: Any = None,
    groups: Any = None,
    targets: npt.ArrayLike | None = None,
    summary: str = "mean",
) -> Windows:
    """Windows of the rows of a transformer, such as discharge rates.

    Parameters
    ----------
    rows : array_like of float, shape (n_frames, n_features)
        One row per frame.
    frame_rate : float
        Frames per second.
    length, step, labels, groups, targets
        As for `count_windows`, the latter three per frame.
    summary : {"mean", "last"}
        The rows' mean over the window, or what they are at its end.

    Returns
    -------
    Windows
        With X of shape (n_windows, n_features).

    Raises
    ------
    InvalidArgumentError
        As for `count_windows`, or if `rows` has not two dimensions.
    """
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2:
        raise InvalidArgumentError(f"rows must have shape (n_frames, n_features), got {values.shape}")
    check_option("summary", summary, ("mean", "last"))
    rate = check_positive("frame_rate", frame_rate, "Hz")
    starts, n_length = _starts(len(values), rate, length, step)
    starts, y, trials = _uniform(starts, n_length, len(values), labels, groups, targets)
    if summary == "last":
        X = values[starts + n_length - 1]
    else:
        # Each window summed by itself: a running sum would carry its rounding along.
        every = np.lib.stride_tricks.sliding_window_view(values, n_length, axis=0)
        X = every[starts].mean(axis=2)
    return Windows(X, (starts + n_length) / rate, y, trials)


def join_windows(parts: Sequence[Windows]) -> Windows:
    """Windows of several recordings as one; all must have labels, or groups, or none of them.

    Raises
    ------
    InvalidArgumentError
        If there are none, features differ in number, or labels or groups are missing in some.
    """
    if not parts:
        raise InvalidArgumentError("parts must hold at least one set of windows, got none")
    shapes = {part.X.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise InvalidArgumentError(f"parts must have the same features, got shapes {sorted(shapes)}")
    joined: dict[str, np.ndarray | None] = {}
    for name in ("y", "groups"):
        given = [getattr(part, name) for part in parts]
        missing = [i for i, values in enumerate(given) if values is None]
        if missing and len(missing) < len(parts):
            raise InvalidArgumentError(f"parts must all have {name} or none, missing in {missing}")
        joined[name] = None if missing else np.concatenate(given)
    return Windows(
        np.concatenate([part.X for part in parts]), np.concatenate([part.times for part in parts]), **joined
    )


# ------------------------------------------------------------------ inside


def _starts(n_samples: int, rate: float, length: float, step: float) -> tuple[np.ndarray, int]:
    n_length = max(1, round(check_positive("length", length, "s") * rate))
    n_step = max(1, round(check_positive("step", step, "s") * rate))
    if n_length > n_samples:
        raise InvalidArgumentError(
            f"length must be at most the {n_samples / rate:.4g} s of the recording, got {length:g} s"
        )
    return np.arange(0, n_samples - n_length + 1, n_step), n_length


def _uniform(
    starts: np.ndarray, n_length: int, n_samples: int, labels: Any, groups: Any, targets: Any
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The windows that lie within one label and one group, and these."""
    if labels is not None and targets is not None:
        raise InvalidArgumentError("labels and targets are one or the other, got both")
    given = {
        name: _per_sample(name, values, n_samples)
        for name, values in (("labels", labels), ("groups", groups), ("targets", targets))
        if values is not None
    }
    last = starts + n_length - 1
    kept = np.ones(len(starts), dtype=bool)
    for name, values in given.items():
        unusable = _missing(values)
        holes = np.concatenate([[0], np.cumsum(unusable)])
        kept &= holes[last + 1] == holes[starts]
        if name != "targets":
            # Changes counted from the start: none of them may lie within a window.
            changed = np.zeros(n_samples, dtype=np.int64)
            changed[1:] = (values[1:] != values[:-1]) & ~unusable[1:] & ~unusable[:-1]
            breaks = np.cumsum(changed)
            kept &= breaks[last] == breaks[starts]
    taken = {name: _plain(values[last[kept]]) for name, values in given.items()}
    return starts[kept], taken.get("labels", taken.get("targets")), taken.get("groups")


def _per_sample(name: str, given: Any, n_samples: int) -> np.ndarray:
    values = np.asarray(given)
    if values.ndim == 0:
        if _missing(values[None])[0]:
            raise InvalidArgumentError(f"{name} must say something, got {given!r}")
        return np.broadcast_to(values, n_samples)
    if values.shape != (n_samples,):
        raise InvalidArgumentError(
            f"{name} must be one value or have shape ({n_samples},), got {values.shape}"
        )
    return values


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "U":
        return values == ""
    if values.dtype.kind == "O":
        return np.array([v is None or v != v or v == "" for v in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _plain(values: np.ndarray) -> np.ndarray:
    """Objects, once none is missing, as the numbers or texts that they are."""
    return np.array(values.tolist()) if values.dtype.kind == "O" else values
