"""Blind separation by convolution kernel compensation (method ``"ckc"``): sources correlated with their own peaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from muemg.errors import check_count
from muemg.separation._blind import BlindSeparation, Checks
from muemg.separation._kernel_compensation import compensate

__all__ = ["CKC"]


@dataclass(frozen=True, kw_only=True)
class CKC(BlindSeparation):
    """Convolution kernel compensation of a high-density EMG recording, with joint peel-off.

    A source is ν(t) = ĉᵀ C⁻¹ x̃(t), with ĉ the estimated correlation of the discharges with the extended observations:
    the mean of x̃ at the highest peaks of ν so far. Starting from one observation, ever more peaks are
    taken.

    Parameters
    ----------
    n_peaks : int
        Peaks from which ĉ is estimated in the last iteration.
    **others
        Those of every blind method, see `BlindSeparation`.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range.

    References
    ----------
    Holobar & Zazula 2007 (10.1109/TSP.2007.896108), Chen & Zhou 2016 (peel-off).
    """

    n_peaks: int = 64

    name: ClassVar[str] = "ckc"
    checks: ClassVar[Checks] = {**BlindSeparation.checks, "n_peaks": check_count}

    def converge(
        self, whitened: np.ndarray, starts: np.ndarray, blind: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Directions of the correlation vectors; see `BlindSeparation.converge`."""
        return compensate(whitened, starts, n_iterations=self.n_iterations, n_peaks=self.n_peaks, blind=blind)
