"""Where to begin: trains that the bank's filters find in a signal.

The bank members of highest skewness whose outputs differ are taken as starts; each is followed to a maximum of
the contrast by a few fixed-point steps on the whitened observations, begun from the model instead of at random.
"""

from __future__ import annotations

import numpy as np

from muemg.inversion.bank import Bank
from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended, Whitening
from muemg.separation._fixed_point import fixed_point
from muemg.separation._search import SearchSettings
from muemg.separation._trains import is_new

__all__ = ["candidates", "different"]

_MOST_ALIKE = 0.7  # correlation of two starts' outputs
_N_FIT = 8192  # samples on which the bank is scored
_LOADINGS = (0.03, 0.3)  # of C_bank: selective, then tolerant


def candidates(
    signal: Extended,
    covariance: np.ndarray,
    whitening: Whitening,
    bank: Bank,
    known: list[np.ndarray],
    settings: SearchSettings,
    rng: np.random.Generator,
    *,
    n_starts: int,
    n_iterations: int,
    floor: float,
) -> list[np.ndarray]:
    """Trains of candidate units that are not among the known ones, best silhouette first.

    Parameters
    ----------
    signal : Extended
    covariance : ndarray, shape (R·C, R·C)
        Of its extended observations.
    whitening : Whitening
        Of the same.
    bank : Bank
    known : list of ndarray of int64
    settings : SearchSettings
    rng : numpy.random.Generator
    n_starts : int
        Members of the bank followed, for each loading.
    n_iterations : int
        Fixed-point steps from each; 0 keeps to the bank's own filters.
    floor : float
        Noise floor of the covariance's eigenvalues.
    """
    n_samples = signal.n_samples
    chosen = np.sort(rng.choice(n_samples, min(_N_FIT, n_samples), replace=False))
    observed = signal.rows[chosen]
    whitened = observed @ whitening.matrix.T
    filters = []
    for loading in _LOADINGS:
        loaded = bank.loaded_whitening(covariance, loading, floor)
        outputs, skewness = bank.outputs(loaded, observed)
        starts = different(outputs, skewness, n_starts)
        filters.append((bank.responses[starts] @ loaded.T) @ loaded)
        if n_iterations:
            # The start's output, squared, marks the samples where the unit discharged.
            begun = (outputs[starts] * np.abs(outputs[starts])) @ whitened
            directions = fixed_point(whitened, begun, contrast=settings.contrast, n_iterations=n_iterations)
            filters.append(directions @ whitening.matrix)
    trains, silhouettes = detect_spikes(signal.filter(np.concatenate(filters)), settings.min_distance)
    kept: list[np.ndarray] = []
    for i in np.argsort(-silhouettes):
        if silhouettes[i] < settings.least_silhouette:
            break
        if len(trains[i]) >= settings.min_spikes and is_new(
            trains[i], known + kept, settings.tolerance, settings.reach
        ):
            kept.append(trains[i])
    return kept


def different(outputs: np.ndarray, scores: np.ndarray, most: int) -> np.ndarray:
    """Indices, best score first, of outputs none of which correlates with a better one above `_MOST_ALIKE`."""
    free = np.isfinite(scores)
    kept: list[int] = []
    for i in np.argsort(-scores):
        if not free[i]:
            continue
        kept.append(int(i))
        if len(kept) == most:
            break
        free &= outputs @ outputs[i] < _MOST_ALIKE
    return np.array(kept, dtype=np.int64)
