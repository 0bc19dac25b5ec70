"""Neural modes: the few courses in time that the rates of many motor units are made of.

Rates are standardised and factorised; as many factors are kept as have eigenvalues of the correlation matrix
above those of surrogates in which units share nothing (parallel analysis: Horn 1965, 10.1007/BF02289447), one
after the other from the largest, up to the first that fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import NMF, PCA, FactorAnalysis
from sklearn.utils.validation import check_is_fitted

from muemg.drive._estimators import CheckedEstimator, Rule, count, fraction, one_of, positive
from muemg.drive.kernels import Kernel, Smoother
from muemg.errors import InvalidArgumentError, check_count

__all__ = ["NeuralModes"]


class NeuralModes(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CheckedEstimator):
    """Common courses of the discharge rates of a pool, and how many there are.

    Parameters
    ----------
    method : {"pca", "factor_analysis", "nmf"}
        Principal components and factor analysis of standardised rates; non-negative matrix factorisation of rates
        over their standard deviations.
    n_components : int, optional
        By default as many as parallel analysis finds, and none if it finds none.
    width : float
        Length in seconds of the centred Hann window that makes rates of counts.
    frame_rate : float
        Frames per second of the input.
    surrogate : {"shift", "shuffle"}
        Circular shifts keep each unit's own slow course; shuffled intervals do not.
    n_surrogates : int
        Number of surrogates.
    quantile : float
        Of the surrogates' eigenvalues that a factor must exceed.
    seed : int
        Of surrogates and factorisation.

    Attributes
    ----------
    n_components_ : int
        Factors kept.
    eigenvalues_ : ndarray, shape (n_units,)
        Of the correlation matrix of the rates, falling; their sum is the number of units that vary.
    surrogate_quantiles_ : ndarray, shape (n_units,)
        What they had to exceed; not-a-number if `n_components` was given.
    loadings_ : ndarray, shape (n_components_, n_units)
        Weight of each unit in each factor.
    mean_, scale_ : ndarray, shape (n_units,)
        Of the rates in Hz; a unit that does not vary has scale 1.
    delay_s : float
        0: the window is centred.
    causal : bool
        False.

    Raises
    ------
    InvalidArgumentError
        By `fit`, if a parameter is out of range, X is not finite, or more factors are wanted than there are units.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "method": one_of("pca", "factor_analysis", "nmf"),
        "width": positive("s"),
        "frame_rate": positive("Hz"),
        "surrogate": one_of("shift", "shuffle"),
        "n_surrogates": count(),
        "quantile": fraction(),
        "seed": count(0),
    }
    causal = False
    delay_s = 0.0

    def __init__(
        self,
        method: str = "pca",
        n_components: int | None = None,
        *,
        width: float = 0.4,
        frame_rate: float = 100.0,
        surrogate: str = "shift",
        n_surrogates: int = 100,
        quantile: float = 0.95,
        seed: int = 0,
    ) -> None:
        self.method = method
        self.n_components = n_components
        self.width = width
        self.frame_rate = frame_rate
        self.surrogate = surrogate
        self.n_surrogates = n_surrogates
        self.quantile = quantile
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: object = None) -> NeuralModes:
        """Find the factors.

        Parameters
        ----------
        X : array_like of float, shape (n_frames, n_units)
            Discharges per frame, as `count_frames` gives them.
        y : object
            Not used.
        """
        self._check_parameters()
        counts = self._as_rows(X, reset=True, ensure_min_samples=2)
        n_units = counts.shape[1]
        rates = self._inner_rates(counts)
        self.mean_ = rates.mean(axis=0)
        deviation = rates.std(axis=0)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        self.eigenvalues_ = _eigenvalues(rates)
        self.surrogate_quantiles_ = np.full(n_units, np.nan)
        if self.n_components is not None:
            self.n_components_ = check_count("n_components", self.n_components)
            if self.n_components_ > n_units:
                raise InvalidArgumentError(
                    f"n_components must be at most the {n_units} units, got {self.n_components_}"
                )
        else:
            self.surrogate_quantiles_ = np.quantile(self._of_surrogates(counts), self.quantile, axis=0)
            above = self.eigenvalues_ > self.surrogate_quantiles_ + 1e-9
            self.n_components_ = n_units if above.all() else int(above.argmin())
        self._factorise(rates)
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Courses of the factors, shape (n_frames, n_components_)."""
        check_is_fitted(self, "loadings_")
        rates = self._rates(self._as_rows(X))
        if not self.n_components_:
            return np.zeros((len(rates), 0))
        return self._model.transform(self._scaled(rates))

    def standardised_rates(self, X: npt.ArrayLike) -> np.ndarray:
        """Smoothed rates of the units less their means, over their standard deviations, shape (n_frames, n_units)."""
        check_is_fitted(self, "loadings_")
        return (self._rates(self._as_rows(X)) - self.mean_) / self.scale_

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _inner_rates(self, counts: np.ndarray) -> np.ndarray:
        """Without half a window at either end: rates there are noisier, in all units at once."""
        edge = min(round(self.width * self.frame_rate / 2), len(counts) // 4)
        return self._rates(counts)[edge : len(counts) - edge]

    def _rates(self, counts: np.ndarray) -> np.ndarray:
        kernel = Kernel.of("hann", self.width, self.frame_rate, causal=False)
        # The ends, where part of the window lies outside, are scaled: else all units would seem to fall together.
        with_share = np.column_stack([counts, np.full(len(counts), 1 / self.frame_rate)])
        smoother = Smoother(kernel, with_share.shape[1])
        rates = np.concatenate([smoother.push(with_share), smoother.finish()])
        return rates[:, :-1] / rates[:, -1:]

    def _scaled(self, rates: np.ndarray) -> np.ndarray:
        return (
            np.maximum(rates, 0) / self.scale_ if self.method == "nmf" else (rates - self.mean_) / self.scale_
        )

    def _of_surrogates(self, counts: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        values = np.empty((self.n_surrogates, counts.shape[1]))
        rates = self._inner_rates(counts)
        for row in values:
            if self.surrogate == "shift":
                shifts = rng.integers(len(rates), size=counts.shape[1])
                rows = (np.arange(len(rates))[:, None] - shifts) % len(rates)
                row[:] = _eigenvalues(np.take_along_axis(rates, rows, axis=0))
            else:
                row[:] = _eigenvalues(self._inner_rates(_with_shuffled_intervals(counts, rng)))
        return values

    def _factorise(self, rates: np.ndarray) -> None:
        self.loadings_ = np.zeros((0, rates.shape[1]))
        if not self.n_components_:
            return
        kinds = {
            "pca": lambda: PCA(self.n_components_, random_state=self.seed),
            "factor_analysis": lambda: FactorAnalysis(self.n_components_, random_state=self.seed),
            "nmf": lambda: NMF(self.n_components_, init="nndsvda", max_iter=2000, random_state=self.seed),
        }
        self._model = kinds[self.method]().fit(self._scaled(rates))
        self.loadings_ = self._model.components_


def _eigenvalues(rates: np.ndarray) -> np.ndarray:
    """Eigenvalues of the correlation matrix, falling; a unit that does not vary adds a 0."""
    centred = rates - rates.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    centred = centred / np.where(size > 1e-12, size, np.inf)
    return np.linalg.eigvalsh(centred.T @ centred)[::-1]


def _with_shuffled_intervals(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts with the distances between occupied frames in another order, and so the counts in them."""
    shuffled = np.zeros_like(counts)
    for column, out in zip(counts.T, shuffled.T):
        at = np.flatnonzero(column)
        if len(at):
            moved = np.cumsum(np.concatenate([at[:1], rng.permutation(np.diff(at))]))
            out[moved] = rng.permutation(column[at])
    return shuffled
