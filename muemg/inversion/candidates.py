"""Where to begin: trains that filters of the model find in a signal.

The bank members of highest skewness whose outputs differ are taken as starts and followed up the contrast without
leaving the model (`ascent`). Strong units attract most of the bank, so this serves best on a signal from which
they were removed.
"""

from __future__ import annotations

import numpy as np

from muemg.inversion.ascent import Summits, ascend, different
from muemg.inversion.bank import Bank
from muemg.inversion.unit_model import UnitModel
from muemg.separation._extension import Extended
from muemg.separation._search import SearchSettings
from muemg.separation._trains import is_new

__all__ = ["candidates"]

_N_FIT = 4096  # samples on which the bank is scored
_LOADING = 0.5  # of C_bank where starts are chosen


def candidates(
    signal: Extended,
    covariance: np.ndarray,
    model: UnitModel,
    bank: Bank,
    known: list[np.ndarray],
    settings: SearchSettings,
    rng: np.random.Generator,
    *,
    n_starts: int,
    ascent: bool,
    floor: float,
) -> Summits:
    """Candidate units that are not among the known ones, best silhouette first.

    Parameters
    ----------
    signal : Extended
    covariance : ndarray, shape (R·C, R·C)
        Of its extended observations.
    model : UnitModel
    bank : Bank
    known : list of ndarray of int64
    settings : SearchSettings
    rng : numpy.random.Generator
    n_starts : int
        Members of the bank followed.
    ascent : bool
        Whether starts are followed, or taken as they are.
    floor : float
        Noise floor of the covariance's eigenvalues.
    """
    n_samples = signal.n_samples
    chosen = np.sort(rng.choice(n_samples, min(_N_FIT, n_samples), replace=False))
    outputs, skewness = bank.outputs(bank.loaded_whitening(covariance, _LOADING, floor), signal.at(chosen))
    starts = bank.unbounded[different(outputs, skewness, n_starts)]
    del outputs
    steps = {} if ascent else {"loadings": ()}
    ends = ascend(model, bank, signal, covariance, starts, settings, floor=floor, **steps)
    kept: list[int] = []
    for i in np.argsort(-ends.silhouettes):
        others = known + [ends.trains[k] for k in kept]
        if (
            ends.silhouettes[i] >= settings.least_silhouette
            and len(ends.trains[i]) >= settings.min_spikes
            and is_new(ends.trains[i], others, settings.tolerance, settings.reach)
        ):
            kept.append(int(i))
    return Summits(
        ends.unbounded[kept],
        ends.latency[kept],
        [ends.trains[i] for i in kept],
        ends.silhouettes[kept],
    )
