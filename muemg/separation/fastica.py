"""Blind separation by convolutive fastICA (method ``"fastica"``): sources whose distribution is least Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from muemg.errors import check_option, check_positive
from muemg.separation._blind import BlindSeparation, Checks
from muemg.separation._fixed_point import CONTRASTS, MODES, fixed_point

__all__ = ["FastICA"]


@dataclass(frozen=True, kw_only=True)
class FastICA(BlindSeparation):
    """Convolutive fastICA of a high-density EMG recording, with joint peel-off.

    Parameters
    ----------
    contrast : str
        ``"skewness"``, ``"kurtosis"``, ``"log_cosh"`` or ``"power"``.
    exponent : float
        Of the contrast ``"power"``, E[|s|^a]: between 1 and 2 it is robust against outliers, above 2 it looks for rare
        discharges.
    mode : str
        ``"block"``: sources are iterated together and those that meet are merged. ``"symmetric"``: they are kept
        apart by symmetric decorrelation in every iteration. ``"deflation"``: one after the other, each orthogonal to
        those before, as in the reference algorithm; slow.
    **others
        Those of every blind method, see `BlindSeparation`.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range.

    References
    ----------
    Negro et al. 2016 (10.1088/1741-2560/13/2/026027), Chen & Zhou 2016 (peel-off), Hyvärinen 1999 (fixed point,
    deflation and symmetric decorrelation).
    """

    contrast: str = "skewness"
    exponent: float = 3.0
    mode: str = "block"

    name: ClassVar[str] = "fastica"
    checks: ClassVar[Checks] = {
        **BlindSeparation.checks,
        "contrast": partial(check_option, allowed=CONTRASTS),
        "exponent": check_positive,
        "mode": partial(check_option, allowed=MODES),
    }

    def converge(
        self, whitened: np.ndarray, starts: np.ndarray, blind: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Directions to which the fixed-point iteration of the contrast goes; see `BlindSeparation.converge`."""
        return fixed_point(
            whitened,
            starts,
            contrast=self.contrast,
            exponent=self.exponent,
            mode=self.mode,
            n_iterations=self.n_iterations,
            blind=blind,
        )
