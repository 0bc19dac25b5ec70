"""What all transformers of frames share: parameters checked by a table of rules, rows that may come in chunks.

Rows are frames in time, columns are motor units (or whatever was recorded). `transform` treats its input as a
whole recording; `partial_transform` goes on where the call before ended, so that the rows of any chunks, one
after the other, are those of the whole, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from muemg.errors import (
    InvalidArgumentError,
    check_count,
    check_fraction,
    check_option,
    check_positive,
)

__all__ = ["CheckedEstimator", "FrameTransformer", "count", "fraction", "one_of", "positive", "yes_or_no"]

Rule = Callable[[str, Any], Any]

# ------------------------------------------------------------------ rules


def positive(unit: str = "") -> Rule:
    """A finite number above 0."""
    return partial(check_positive, unit=unit)


def count(minimum: int = 1) -> Rule:
    """An integer ≥ `minimum`."""
    return partial(check_count, minimum=minimum)


def one_of(*allowed: Any) -> Rule:
    """One of the values listed."""
    return partial(check_option, allowed=allowed)


def fraction() -> Rule:
    """A number from 0 to 1."""
    return check_fraction


def yes_or_no() -> Rule:
    """True or False."""

    def rule(name: str, value: Any) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise InvalidArgumentError(f"{name} must be True or False, got {value!r}")
        return bool(value)

    return rule


# ------------------------------------------------------------------ estimators


class CheckedEstimator(BaseEstimator):
    """A scikit-learn estimator whose parameters are checked, each by the rule of its name, when it is fitted."""

    _rules: ClassVar[Mapping[str, Rule]] = {}

    def _check_parameters(self) -> None:
        for name, rule in self._rules.items():
            rule(name, getattr(self, name))

    def _as_rows(self, X: npt.ArrayLike, *, reset: bool = False, **options: Any) -> np.ndarray:
        """X as finite float64 of shape (n_rows, n_columns), its columns those of `fit` unless `reset`."""
        try:
            return validate_data(self, X, dtype=np.float64, reset=reset, **options)
        except ValueError as error:
            raise InvalidArgumentError(str(error)) from error


class FrameTransformer(TransformerMixin, CheckedEstimator):
    """Base of the transformers of frames; a subclass says how a stream begins, goes on and ends."""

    def fit(self, X: npt.ArrayLike, y: object = None) -> FrameTransformer:
        """Check parameters and columns; nothing is learned from the rows.

        Parameters
        ----------
        X : array_like of float, shape (n_frames, n_units)
            Discharges per frame, as `count_frames` gives them.
        y : object
            Not used.
        """
        self._check_parameters()
        self._as_rows(X, reset=True)
        self._stream: Any = None
        self._prepare()
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Transform a whole recording.

        Parameters
        ----------
        X : array_like of float, shape (n_frames, n_units)
            Discharges per frame.

        Returns
        -------
        ndarray of float64
            One row per frame.
        """
        check_is_fitted(self, "n_features_in_")
        rows = self._as_rows(X)
        stream = self._begin()
        return np.concatenate([self._go_on(stream, rows), self._end(stream)])

    def partial_transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Transform the next frames of a stream; returns the rows that they made certain.

        Parameters
        ----------
        X : array_like of float, shape (n_new_frames, n_units)
            Any number of frames, none included.
        """
        check_is_fitted(self, "n_features_in_")
        rows = self._as_rows(X, ensure_min_samples=0)
        if self._stream is None:
            self._stream = self._begin()
        return self._go_on(self._stream, rows)

    def finish(self) -> np.ndarray:
        """The rows still waited for, as if silence followed; a new stream may then begin."""
        check_is_fitted(self, "n_features_in_")
        stream = self._begin() if self._stream is None else self._stream
        self._stream = None
        return self._end(stream)

    def reset(self) -> None:
        """Forget the stream."""
        self._stream = None

    def _prepare(self) -> None:
        """Compute what depends on the parameters only."""

    def _begin(self) -> Any:
        raise NotImplementedError

    def _go_on(self, stream: Any, rows: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _end(self, stream: Any) -> np.ndarray:
        raise NotImplementedError
