"""Classical EMG features: amplitude, zero crossings, spectrum of a window of the signal itself.

What neural-drive features are compared with. Names, and everything not said otherwise in ``docs/drive.md``, are
those of libemg.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from muemg.drive._emg_formulas import DESCRIPTORS, FORMULAS, descriptors
from muemg.drive._estimators import CheckedEstimator, Rule, count, positive
from muemg.errors import InvalidArgumentError, check_option, check_positive

__all__ = ["FEATURE_SETS", "EMGFeatures"]

_NAMES = (*FORMULAS, *DESCRIPTORS)
FEATURE_SETS = {
    "HTD": ("MAV", "ZC", "SSC", "WL"),  # Hudgins et al. 1993
    "TDAR": ("MAV", "ZC", "SSC", "WL", "AR"),
    "TDPSD": DESCRIPTORS,  # Al-Timemy et al. 2016
    "TIME": ("MAV", "WL", "ZC", "SSC", "RMS", "IAV", "VAR", "WAMP", "LD"),
    "ALL": _NAMES,
}


def _not_negative(name: str, value: object) -> float:
    return check_positive(name, value, "V", allow_zero=True)


class EMGFeatures(TransformerMixin, CheckedEstimator):
    """Classical features of windows of EMG.

    Parameters
    ----------
    features : str or sequence of str
        A set (``"HTD"``, Hudgins' four; ``"TDAR"``; ``"TDPSD"``; ``"TIME"``; ``"ALL"``), or names: ``MAV`` mean
        absolute value, ``WL`` waveform length, ``ZC`` zero crossings, ``SSC`` slope sign changes, ``RMS``,
        ``IAV`` sum of absolute values, ``VAR`` variance (over N), ``WAMP`` Willison amplitude, ``LD`` log
        detector, ``M0 M2 M4 SPARSI IRF WLF`` power spectral descriptors, ``AR`` autoregressive coefficients,
        ``MDF`` and ``MNF`` median and mean frequency in Hz.
    sampling_rate : float
        In Hz; only MDF and MNF use it.
    zc_threshold : float
        In volts: least difference of the two samples of a crossing; keeps noise about zero from counting.
    ssc_threshold : float
        In volts: least size of one of the two slopes, per sample.
    wamp_threshold : float
        In volts: what the difference of two samples must exceed.
    log_floor : float
        In volts: what the log detector takes for smaller samples, exact zeros among them.
    ar_order : int
        Number of coefficients.

    Attributes
    ----------
    n_channels_in_ : int
        Channels of the windows it was fitted on.
    delay_s : float
        Half of a window of those it was fitted on, in seconds.

    Raises
    ------
    InvalidArgumentError
        By `fit`, if a name is unknown, a parameter is out of range, or windows are too short (AR needs two
        samples more than its order, the descriptors three).

    Notes
    -----
    Windows of a flat or silent channel give finite values: 0 for MDF, MNF and AR.
    """

    _rules: ClassVar[Mapping[str, Rule]] = {
        "sampling_rate": positive("Hz"),
        "zc_threshold": _not_negative,
        "ssc_threshold": _not_negative,
        "wamp_threshold": _not_negative,
        "log_floor": positive("V"),
        "ar_order": count(),
    }
    causal = True

    def __init__(
        self,
        features: str | Sequence[str] = "HTD",
        *,
        sampling_rate: float = 2048.0,
        zc_threshold: float = 0.0,
        ssc_threshold: float = 0.0,
        wamp_threshold: float = 20e-6,
        log_floor: float = 1e-9,
        ar_order: int = 4,
    ) -> None:
        self.features = features
        self.sampling_rate = sampling_rate
        self.zc_threshold = zc_threshold
        self.ssc_threshold = ssc_threshold
        self.wamp_threshold = wamp_threshold
        self.log_floor = log_floor
        self.ar_order = ar_order

    @property
    def delay_s(self) -> float:
        """By how much features lie behind on average: half a window, in seconds."""
        check_is_fitted(self, "n_samples_in_")
        return self.n_samples_in_ / (2 * self.sampling_rate)

    def fit(self, X: npt.ArrayLike, y: object = None) -> EMGFeatures:
        """Check parameters and the shape of the windows; nothing is learned.

        Parameters
        ----------
        X : array_like of float, shape (n_windows, n_channels, n_samples) or (n_windows, n_samples)
            In volts; two dimensions are windows of one channel.
        y : object
            Not used.
        """
        self._check_parameters()
        self.names_ = self._names()
        windows = self._as_rows(X, reset=True, allow_nd=True)
        if windows.ndim > 3:
            raise InvalidArgumentError(
                f"X must have shape (n_windows, n_channels, n_samples), got {windows.shape}"
            )
        self.n_channels_in_ = windows.shape[1] if windows.ndim == 3 else 1
        if windows.ndim == 3:
            self.n_features_in_ = windows.shape[1]
        self.n_samples_in_ = windows.shape[-1]
        described = bool(set(DESCRIPTORS) & set(self.names_))
        n_needed = max(self.ar_order + 2 if "AR" in self.names_ else 1, 3 if described else 1)
        if windows.shape[-1] < n_needed:
            raise InvalidArgumentError(
                f"X must have windows of at least {n_needed} samples, got {windows.shape[-1]} feature(s)"
            )
        return self

    def transform(self, X: npt.ArrayLike) -> np.ndarray:
        """Features, shape (n_windows, n_values · n_channels): all channels of the first feature, then of the next."""
        check_is_fitted(self, "n_channels_in_")
        windows = self._as_rows(X, allow_nd=True)
        if windows.ndim == 2:
            windows = windows[:, None]
        if windows.ndim != 3 or windows.shape[1] != self.n_channels_in_:
            raise InvalidArgumentError(
                f"X must have windows of {self.n_channels_in_} channels, got shape {windows.shape}"
            )
        settings = {name: getattr(self, name) for name in self._rules}
        described = descriptors(windows) if set(DESCRIPTORS) & set(self.names_) else {}
        values = [
            described[name] if name in described else FORMULAS[name](windows, **settings)
            for name in self.names_
        ]
        # Several numbers per channel: all of the first channel, then of the next, as in libemg.
        return np.concatenate([value.reshape(len(windows), -1) for value in values], axis=1)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """``MAV_0``, ``MAV_1``, …: feature and channel; ``AR1_0`` for the first of several."""
        check_is_fitted(self, "n_channels_in_")
        names = []
        for name in self.names_:
            suffixes = [str(k + 1) for k in range(self.ar_order)] if name == "AR" else [""]
            names += [f"{name}{k}_{channel}" for channel in range(self.n_channels_in_) for k in suffixes]
        return np.array(names, dtype=object)

    def _names(self) -> tuple[str, ...]:
        if isinstance(self.features, str):
            if self.features in FEATURE_SETS:
                return FEATURE_SETS[self.features]
            return (check_option("features", self.features, (*FEATURE_SETS, *_NAMES)),)
        names = tuple(self.features)
        if not names:
            raise InvalidArgumentError("features must name at least one, got none")
        for name in names:
            check_option("features", name, _NAMES)
        return names
