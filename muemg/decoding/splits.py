"""Splits by trial or by subject: what is tested was never seen, nor was anything recorded beside it.

Neighbouring windows overlap, and windows of one trial share its level of force, the place of the electrodes and
the state of the muscle. A split that puts some of them on each side measures memory; there is no function here
that makes one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from muemg.errors import InvalidArgumentError, check_count

__all__ = ["check_split", "trial_splits"]


def check_split(train: npt.ArrayLike, test: npt.ArrayLike, groups: npt.ArrayLike) -> None:
    """Raise if a split leaks: if windows of one trial are on both sides.

    Parameters
    ----------
    train, test : array_like of int
        Indices of windows.
    groups : array_like, shape (n_windows,)
        Trial, or subject, of each window.

    Raises
    ------
    InvalidArgumentError
        If a trial is on both sides, or a side is empty.
    """
    trial = np.asarray(groups)
    learned, tested = (np.unique(trial[np.asarray(side, dtype=np.int64)]) for side in (train, test))
    if not len(learned) or not len(tested):
        raise InvalidArgumentError("train and test must hold windows, got an empty side")
    both = np.intersect1d(learned, tested)
    if len(both):
        shown = ", ".join(map(str, both[:5]))
        raise InvalidArgumentError(
            f"train and test must not share trials: windows of {len(both)} trials are on both sides ({shown}"
            f"{', …' if len(both) > 5 else ''})"
        )


def trial_splits(
    y: npt.ArrayLike | None, groups: npt.ArrayLike | None, *, n_splits: int = 5, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Folds of whole trials (or subjects), each tested once.

    Labels (integers, texts, truth values) are spread as evenly over the folds as whole trials allow; continuous
    targets are split by trial only.

    Parameters
    ----------
    y : array_like, shape (n_windows,)
        Labels or targets.
    groups : array_like, shape (n_windows,)
        Trial, or subject, of each window.
    n_splits : int
        Number of folds, at most the number of trials of the rarest class.
    seed : int
        Of the order of the trials.

    Yields
    ------
    train, test : ndarray of int64
        Indices of windows.

    Raises
    ------
    InvalidArgumentError
        If labels or groups are missing, a class has too few trials for each fold to learn it, or there are fewer
        trials than folds.
    """
    labels, trials = _complete("y", y), _complete("groups", groups)
    if len(labels) != len(trials):
        raise InvalidArgumentError(f"y and groups must have one length, got {len(labels)} and {len(trials)}")
    n_folds = check_count("n_splits", n_splits, minimum=2)
    n_trials = len(np.unique(trials))
    if n_trials < n_folds:
        raise InvalidArgumentError(f"n_splits must be at most the {n_trials} trials, got {n_folds}")
    if not _is_label(labels):
        yield from GroupKFold(n_folds).split(labels, None, trials)
        return
    trials_of = {label: len(np.unique(trials[labels == label])) for label in np.unique(labels)}
    rare = {str(label): n for label, n in trials_of.items() if n < 2}
    if rare:
        raise InvalidArgumentError(
            f"every class must have at least two trials, one to learn and one to test; {', '.join(rare)} has one"
        )
    fewest = min(trials_of, key=lambda label: trials_of[label])
    if trials_of[fewest] < n_folds:
        raise InvalidArgumentError(
            f"n_splits must be at most the {trials_of[fewest]} trials of class {fewest}, got {n_folds}"
        )
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    for train, test in folds.split(labels, labels, trials):
        if len(test):
            yield train, test


def _complete(name: str, values: npt.ArrayLike | None) -> np.ndarray:
    if values is None:
        raise InvalidArgumentError(
            f"{name} is missing: windows need labels and the trial they come from (labels=…, groups=…)"
        )
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise InvalidArgumentError(f"{name} must have shape (n_windows,) and hold some, got {array.shape}")
    empty = np.array([v is None or v != v or v == "" for v in array.tolist()])
    if empty.any():
        raise InvalidArgumentError(f"{name} is missing for {np.count_nonzero(empty)} of {len(array)} windows")
    return array


def _is_label(values: np.ndarray) -> bool:
    return values.dtype.kind in "iubUSO" or bool((values == np.rint(values)).all())
