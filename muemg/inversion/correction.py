"""How far a motor unit's potential may leave the model: as far as it departs more than the noise of a mean explains.

Of a unit two estimates exist: m, what the model says after its few parameters were fitted, with the model's error; and
h, by least squares from n discharges, with the noise of a mean. They are blended,

    g = m + ρ (h − m),     ρ = max(0, 1 − σ² / |h − m|²),

in whitened coordinates, where the noise of h has the energy σ² = rank / n. This minimises Stein's unbiased
estimate of the error of g, which is what leaving discharges out would measure (James & Stein 1961). Many
discharges or a strong unit give ρ → 1, the spike-triggered filter of blind separation; few discharges of a
weak unit give ρ → 0, a filter with ten degrees of freedom.
"""

from __future__ import annotations

import numpy as np

from muemg.metrics.quality import silhouette_of_heights, source_peaks

__all__ = ["held_out", "share_to_trust", "unexplained_share"]


def share_to_trust(departures: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """ρ of every unit.

    Parameters
    ----------
    departures : ndarray, shape (n_units, rank)
        Least-squares response minus the model's, whitened.
    noise : ndarray, shape (n_units,)
        Energy of the noise in it.
    """
    energy = np.einsum("ij,ij->i", departures, departures).astype(np.float64)
    return np.clip(1 - noise / np.maximum(energy, 1e-12), 0.0, 1.0)


def unexplained_share(
    templates: np.ndarray, modelled: np.ndarray, n_spikes: np.ndarray, noise: float
) -> np.ndarray:
    """Share of each potential's energy that the model leaves, the noise of its estimate taken off.

    Parameters
    ----------
    templates, modelled : ndarray, shape (n_units, n_lags, n_channels)
    n_spikes : ndarray, shape (n_units,)
    noise : float
        Mean square of the signal without any unit.
    """
    blur = noise * templates[0].size / np.maximum(n_spikes, 1)
    gap = np.square(templates - modelled).sum(axis=(1, 2))
    whole = np.square(templates).sum(axis=(1, 2))
    return (np.maximum(gap - blur, 0) / np.maximum(whole - blur, 0.1 * whole)).astype(np.float64)


def held_out(
    alone: np.ndarray,
    modelled: np.ndarray,
    share: float,
    source: np.ndarray,
    found: np.ndarray,
    sampling_rate: float,
) -> tuple[float, float]:
    """Silhouette and survival with each discharge seen by a filter of the model and the *other* discharges.

    Parameters
    ----------
    alone : ndarray, shape (n_spikes, rank)
        Whitened observation at each discharge, other units removed.
    modelled : ndarray, shape (rank,)
        The model's whitened response.
    share : float
        ρ.
    source : ndarray, shape (n_samples,)
    found : ndarray of int64
        Discharges, those of `alone`.
    sampling_rate : float
        In Hz.
    """
    n = len(found)
    if n < 3:
        return 0.0, 0.0
    total = alone.sum(axis=0)
    blended = (1 - share) * modelled + share * total / n
    length = float(np.linalg.norm(blended))
    if length == 0:
        return 0.0, 0.0
    energy = np.einsum("ij,ij->i", alone, alone)
    others = (alone @ total - energy) / (n - 1)
    heights_out = ((1 - share) * (alone @ modelled) + share * others) / length
    peaks, heights = source_peaks(source, sampling_rate)
    background = heights[~np.isin(peaks, found)]
    if not len(background):
        return 0.0, 0.0
    seen = heights_out * np.abs(heights_out)
    threshold = (float(source[found].min()) ** 2 + float(background.max())) / 2
    survival = float(np.mean(seen > threshold))
    if seen.mean() <= background.mean():
        return 0.0, survival
    return silhouette_of_heights(seen, background), survival
