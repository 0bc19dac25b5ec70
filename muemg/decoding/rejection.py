"""Rejection: a classifier that may say that it does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from muemg.drive._estimators import CheckedEstimator, Rule, fraction
from muemg.errors import InvalidArgumentError

__all__ = ["RejectingClassifier", "confidence"]


def confidence(model: Any, X: Any) -> np.ndarray:
    """Confidence of a fitted classifier in each class, shape (n_windows, n_classes), rows of sum 1.

    Its probabilities, or, where it has none, the softmax of its decision function, which is not calibrated.
    """
    if len(model.classes_) == 1:
        return np.ones((len(X), 1))
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    scores = model.decision_function(X)
    if scores.ndim == 1:
        return np.column_stack([expit(-scores), expit(scores)])
    return softmax(scores, axis=1)


class RejectingClassifier(ClassifierMixin, MetaEstimatorMixin, CheckedEstimator):
    """A classifier that gives the label `rejected` where it is less confident than a threshold.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Cloned and fitted.
    threshold : float
        Least confidence, 0 … 1, that is believed.
    rejected : int or str
        What is said instead; of the kind of the labels, and none of them.

    Attributes
    ----------
    estimator_ : classifier
        The fitted one.
    classes_ : ndarray
        Labels, `rejected` not among them.

    Raises
    ------
    InvalidArgumentError
        By `fit`, if the threshold is out of range or `rejected` is a label or of another kind.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {"threshold": fraction()}

    def __init__(self, estimator: Any, threshold: float = 0.5, rejected: int | str = -1) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.rejected = rejected

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> RejectingClassifier:
        """Fit the classifier."""
        self._check_parameters()
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.classes_ = self.estimator_.classes_
        self.n_features_in_ = self.estimator_.n_features_in_
        texts = self.classes_.dtype.kind in "USO"
        if self.threshold > 0 and (isinstance(self.rejected, str) != texts or self.rejected in self.classes_):
            raise InvalidArgumentError(
                f"rejected must be of the kind of the labels and none of {list(self.classes_)}, got {self.rejected!r}"
            )
        return self

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """Labels, shape (n_windows,); `rejected` where no class reaches the threshold."""
        trust = self.predict_proba(X)
        labels = self.classes_[trust.argmax(axis=1)]
        doubtful = trust.max(axis=1) < self.threshold
        if not doubtful.any():
            return labels
        # As wide as both need: a fixed-width text would be cut.
        labels = labels.astype(np.result_type(labels, np.asarray(self.rejected)))
        labels[doubtful] = self.rejected
        return labels

    def predict_proba(self, X: npt.ArrayLike) -> np.ndarray:
        """Confidence in each class, shape (n_windows, n_classes)."""
        check_is_fitted(self, "estimator_")
        return confidence(self.estimator_, X)
