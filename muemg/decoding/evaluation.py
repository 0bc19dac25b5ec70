"""How well a model does on trials that it has not seen, and how well it would do by chance.

The control shuffles labels among whole trials and repeats everything: what a model reaches then is what the
structure of the data gives away without the labels (Ojala & Garriga 2010, permutation test 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.metrics import accuracy_score, confusion_matrix, r2_score

from muemg.decoding.splits import _complete, check_split, trial_splits
from muemg.drive import Windows
from muemg.errors import InvalidArgumentError, check_count, check_instance

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of a model on trials that it has not seen.

    Attributes
    ----------
    score : float
        Share of windows classified right, or R² of a regressor, over all windows tested.
    fold_scores : ndarray, shape (n_splits,)
        The same fold by fold.
    predictions : ndarray, shape (n_windows,)
        Of each window, by the model that had not seen its trial; None where `splits` test it never.
    classes : ndarray
        Labels in order; empty for a regressor.
    confusion : ndarray of int64, shape (n_classes, n_classes)
        Windows by true class (row) and predicted class (column); a rejected window is in no column.
    permuted_scores : ndarray, shape (n_permutations,)
        Scores with shuffled labels.
    p_value : float
        (1 + how many of these reach the score) / (1 + n_permutations); 1 without permutations.
    """

    score: float
    fold_scores: np.ndarray
    predictions: np.ndarray
    classes: np.ndarray
    confusion: np.ndarray
    permuted_scores: np.ndarray
    p_value: float

    def __repr__(self) -> str:
        kind = "accuracy" if len(self.classes) else "R²"
        chance = ""
        if len(self.permuted_scores):
            chance = f"; {np.mean(self.permuted_scores):.3f} with shuffled labels, p = {self.p_value:.3g}"
        return (
            f"<Evaluation: {kind} {self.score:.3f} on {len(self.fold_scores)} folds of unseen trials{chance}>"
        )


def evaluate(
    model: Any,
    windows: Windows,
    *,
    n_splits: int = 5,
    n_permutations: int = 0,
    splits: Iterable[tuple[Any, Any]] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Cross-validate a model over whole trials.

    Parameters
    ----------
    model : scikit-learn classifier or regressor
        Cloned for every fold, not changed.
    windows : Windows
        Features of shape (n_windows, n_features) with labels and trials.
    n_splits : int
        Number of folds.
    n_permutations : int
        How often the whole is repeated with shuffled labels. Where every trial has one label, labels are
        exchanged between trials; otherwise between the stretches of one label within each trial; targets of a
        regressor are shifted circularly within each trial.
    splits : iterable of (train, test), optional
        Folds of another kind, each checked for leaks; windows that are never tested do not count.
    seed : int
        Of folds and permutations.

    Returns
    -------
    Evaluation

    Raises
    ------
    InvalidArgumentError
        If labels or trials are missing, features are not finite or have not two dimensions, a class has one trial
        only, or a split shares trials between its sides.
    """
    X, y, groups = _checked(windows)
    check_count("n_permutations", n_permutations, minimum=0)
    given = None if splits is None else [(np.asarray(train), np.asarray(test)) for train, test in splits]
    regression = is_regressor(model)

    def run(labels: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
        # Shuffled labels get folds of their own, in which every class is learned.
        folds = trial_splits(labels, groups, n_splits=n_splits, seed=seed) if given is None else given
        return _cross_validate(model, X, labels, groups, folds, r2_score if regression else accuracy_score)

    total, per_fold, answers, tested = run(y)
    rng = np.random.default_rng(seed)
    permuted = np.array([run(_shuffled(y, groups, regression, rng))[0] for _ in range(n_permutations)])
    classes = np.zeros(0) if regression else np.unique(y)
    predictions = answers
    if not tested.all():
        predictions = np.full(len(X), None, dtype=object)
        predictions[tested] = answers
    return Evaluation(
        float(total),
        per_fold,
        predictions,
        classes,
        np.zeros((0, 0), np.int64) if regression else confusion_matrix(y[tested], answers, labels=classes),
        permuted,
        float((1 + np.count_nonzero(permuted >= total)) / (1 + n_permutations)),
    )


def _checked(windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels and trials, or an error that says what is missing."""
    check_instance("windows", windows, Windows, "muemg.drive.count_windows makes them")
    X = np.asarray(windows.X, dtype=np.float64)
    if X.ndim != 2 or not X.shape[1]:
        raise InvalidArgumentError(
            f"windows must have features of shape (n_windows, n_features), got {X.shape}; "
            "windows.with_features(…) puts them in"
        )
    unusable = ~np.isfinite(X).all(axis=1)
    if unusable.any():
        raise InvalidArgumentError(
            f"features must be finite, got not-a-number or infinite ones in {np.count_nonzero(unusable)} of "
            f"{len(X)} windows"
        )
    return X, _complete("y", windows.y), _complete("groups", windows.groups)


def _cross_validate(
    model: Any,
    X: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    folds: Iterable[tuple[np.ndarray, np.ndarray]],
    score: Callable[[np.ndarray, np.ndarray], float],
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Score over all windows tested, score per fold, answers, and which windows were tested."""
    predicted, tested = np.empty(len(X), dtype=object), np.zeros(len(X), dtype=bool)
    per_fold = []
    for train, test in folds:
        check_split(train, test, groups)
        answer = clone(model).fit(X[train], y[train]).predict(X[test])
        predicted[test], tested[test] = answer, True
        per_fold.append(score(y[test], answer))
    answers = np.array(predicted[tested].tolist())
    return score(y[tested], answers), np.array(per_fold), answers, tested


def _shuffled(y: np.ndarray, groups: np.ndarray, regression: bool, rng: np.random.Generator) -> np.ndarray:
    trials = [np.flatnonzero(groups == trial) for trial in np.unique(groups)]
    shuffled = y.copy()
    if regression:
        for trial in trials:
            shuffled[trial] = np.roll(y[trial], rng.integers(len(trial)))
    elif all(len(np.unique(y[trial])) == 1 for trial in trials):
        for trial, label in zip(trials, rng.permutation([y[trial[0]] for trial in trials])):
            shuffled[trial] = label
    else:
        for trial in trials:
            runs = np.split(trial, np.flatnonzero(y[trial][1:] != y[trial][:-1]) + 1)
            for run, label in zip(runs, rng.permutation([y[run[0]] for run in runs])):
                shuffled[run] = label
    return shuffled
