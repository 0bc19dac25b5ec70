"""Classifiers and regressors for windowed features: standardised, then one of the field's usual models.

Linear discriminant analysis is what prostheses run and what others are measured against (Englehart & Hudgins 2003,
10.1109/TBME.2003.813539).
"""

from __future__ import annotations

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from muemg.errors import check_count, check_option

__all__ = ["CLASSIFIERS", "REGRESSORS", "make_classifier", "make_regressor"]

CLASSIFIERS = ("lda", "svm", "mlp")
REGRESSORS = ("ridge", "mlp")


def make_classifier(kind: str = "lda", *, seed: int = 0) -> Pipeline:
    """A classifier of windows.

    Parameters
    ----------
    kind : {"lda", "svm", "mlp"}
        Linear discriminant analysis with the covariance shrunk after Ledoit and Wolf, so that units that were silent
        in training do no harm; a linear support vector machine; a perceptron with one hidden layer of 64.
    seed : int
        Of the support vector machine's and the perceptron's training.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Not fitted.
    """
    check_option("kind", kind, CLASSIFIERS)
    seed = check_count("seed", seed, minimum=0)
    models = {
        "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "svm": lambda: LinearSVC(random_state=seed, max_iter=10_000),
        "mlp": lambda: MLPClassifier(
            hidden_layer_sizes=(64,), alpha=1e-2, tol=1e-3, max_iter=1000, random_state=seed
        ),
    }
    return Pipeline([("scale", StandardScaler()), (kind, models[kind]())])


def make_regressor(kind: str = "ridge", *, seed: int = 0) -> Pipeline:
    """A regressor of windows, for force or joint angle.

    Parameters
    ----------
    kind : {"ridge", "mlp"}
        Ridge regression with penalty 1; a perceptron with one hidden layer of 64.
    seed : int
        Of the perceptron's training.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Not fitted.
    """
    check_option("kind", kind, REGRESSORS)
    seed = check_count("seed", seed, minimum=0)
    if kind == "ridge":
        return Pipeline([("scale", StandardScaler()), (kind, Ridge())])
    network = MLPRegressor(hidden_layer_sizes=(64,), alpha=1e-2, tol=1e-3, max_iter=1000, random_state=seed)
    return Pipeline([("scale", StandardScaler()), (kind, network)])
