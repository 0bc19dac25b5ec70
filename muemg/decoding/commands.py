"""Separation of neural commands: how many the motor neurons of a muscle receive, and which neuron follows which.

The standardised rates of the units are z = M c + noise with a few common courses c. Factor analysis finds the
space of the factors (motor unit modes: Del Vecchio et al. 2023, J. Neurosci. 43:2860–2873) and parallel analysis
its dimension; within it units that follow one command alone lie on rays, and units that follow several lie
between. Varimax turns the axes towards the rays (Kaiser 1958, 10.1007/BF02289233), then each axis moves to the
mean of the units near it, so that commands that are correlated, which rays at an acute angle mean, are not forced
apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from muemg.drive import NeuralModes
from muemg.drive._estimators import CheckedEstimator, Rule, count, fraction, positive
from muemg.errors import InvalidArgumentError

__all__ = ["CommandSeparation"]

_NEAR = 0.95  # cosine of the angle to an axis within which a unit belongs to its ray
_N_TURNS = 20
_LEAST_NOISE = 0.02  # share of a unit's variance that is never believed to be explained


class CommandSeparation(ClassNamePrefixFeaturesOutMixin, TransformerMixin, CheckedEstimator):
    """Find the commands that motor units share.

    Parameters
    ----------
    n_commands : int, optional
        K; by default what parallel analysis on circularly shifted rates finds.
    width : float
        Length in seconds of the Hann window that makes rates of counts; commands faster than about 1 / `width`
        are lost.
    frame_rate : float
        Frames per second of the input.
    shared_below : float
        A unit whose largest share is below this follows several commands.
    n_surrogates : int
        For parallel analysis.
    quantile : float
        Of the surrogates' eigenvalues that a command must exceed.
    seed : int
        Of the surrogates.

    Attributes
    ----------
    n_commands_ : int
        K; 0 if the units share nothing.
    memberships_ : ndarray, shape (n_units, n_commands_)
        Shares of the commands in what each unit receives; rows of sum 1, or 0 for a unit that follows none.
    labels_ : ndarray of int64, shape (n_units,)
        Which command a unit follows; −1 if several, or none.
    weights_ : ndarray, shape (n_units, n_commands_)
        M: standard deviations of a unit's rate per standard deviation of a command.
    modes_ : NeuralModes
        Eigenvalues and what the surrogates reach.

    Raises
    ------
    InvalidArgumentError
        By `fit`, if there are fewer than two units or a parameter is out of range.

    Notes ----- Commands have no order, no mean and no unit; their sign is such that most of the units that follow
    one fire more with it. Units should fire throughout: what all of them do at once at recruitment counts as a
    command.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "width": positive("s"),
        "frame_rate": positive("Hz"),
        "shared_below": fraction(),
        "n_surrogates": count(),
        "quantile": fraction(),
        "seed": count(0),
    }

    def __init__(
        self,
        n_commands: int | None = None,
        *,
        width: float = 0.4,
        frame_rate: float = 50.0,
        shared_below: float = 0.75,
        n_surrogates: int = 50,
        quantile: float = 0.95,
        seed: int = 0,
    ) -> None:
        self.n_commands = n_commands
        self.width = width
        self.frame_rate = frame_rate
        self.shared_below = shared_below
        self.n_surrogates = n_surrogates
        self.quantile = quantile
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: object = None) -> CommandSeparation:
        """Find number, memberships and courses of the commands.

        Parameters
        ----------
        X : array_like of float, shape (n_frames, n_units)
            Discharges per frame, as `muemg.drive.count_frames` gives them.
        y : object
            Not used.
        """
        self._check_parameters()
        counts = self._as_rows(X, reset=True, ensure_min_samples=2)
        if counts.shape[1] < 2:
            raise InvalidArgumentError(f"X must have at least two units, got {counts.shape[1]} feature(s)")
        self.modes_ = NeuralModes(
            "factor_analysis",
            self.n_commands,
            width=self.width,
            frame_rate=self.frame_rate,
            n_surrogates=self.n_surrogates,
            quantile=self.quantile,
            seed=self.seed,
        ).fit(counts)
        self.n_commands_ = self.modes_.n_components_
        loadings = self.modes_.loadings_.T
        axes = _axes(loadings)
        self.weights_ = loadings @ np.linalg.pinv(axes).T
        positive_part = np.maximum(self.weights_, 0)
        total = positive_part.sum(axis=1, keepdims=True)
        self.memberships_ = np.divide(
            positive_part, total, out=np.zeros_like(positive_part), where=total > 1e-9
        )
        self.labels_ = np.full(counts.shape[1], -1, dtype=np.int64)
        if self.n_commands_:
            alone = self.memberships_.max(axis=1) >= self.shared_below
            self.labels_[alone] = self.memberships_.argmax(axis=1)[alone]
        # Weighted least squares: z ≈ M c, each unit weighted by what its rate says beyond its own noise.
        noise = np.maximum(1 - (loadings**2).sum(axis=1), _LEAST_NOISE)
        weighted = self.weights_.T / noise
        self._reader = np.linalg.pinv(weighted @ self.weights_) @ weighted
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Courses of the commands, shape (n_frames, n_commands_), of mean 0 where it was fitted."""
        check_is_fitted(self, "weights_")
        return self.modes_.standardised_rates(self._as_rows(X)) @ self._reader.T

    @property
    def _n_features_out(self) -> int:
        return self.n_commands_


def _axes(loadings: np.ndarray) -> np.ndarray:
    """Directions of the rays on which units with one command lie, shape (K, K), unit columns."""
    n_commands = loadings.shape[1]
    if not n_commands:
        return np.zeros((0, 0))
    turned = loadings @ _varimax(loadings)
    rotation = np.linalg.lstsq(turned, loadings, rcond=None)[0]
    axes = np.eye(n_commands) * np.where(turned.sum(axis=0) < 0, -1.0, 1.0)
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    directions = np.divide(turned, length, out=np.zeros_like(turned), where=length > 1e-9)
    for _ in range(_N_TURNS):
        cosines = directions @ axes
        nearest = cosines.argmax(axis=1)
        for k in range(n_commands):
            near = (nearest == k) & (cosines[:, k] > _NEAR)
            if near.any():
                middle = turned[near].sum(axis=0)
                axes[:, k] = middle / np.linalg.norm(middle)
    return rotation.T @ axes


def _varimax(loadings: np.ndarray) -> np.ndarray:
    """Orthogonal rotation of largest variance of the squared loadings (Kaiser 1958), units weighted alike."""
    length = np.linalg.norm(loadings, axis=1, keepdims=True)
    rows = np.divide(loadings, length, out=np.zeros_like(loadings), where=length > 1e-9)
    rotation = np.eye(loadings.shape[1])
    for _ in range(200):
        turned = rows @ rotation
        gradient = rows.T @ (turned**3 - turned * (turned**2).mean(axis=0))
        left, _, right = np.linalg.svd(gradient)
        following = left @ right
        if np.abs(following - rotation).max() < 1e-10:
            break
        rotation = following
    return rotation
