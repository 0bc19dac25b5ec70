"""A bank of motor units that could be: MUAPs of quasi-random parameters, scored all at once on a recording.

For parameters θ the forward model gives a MUAP and so, in the recording's own covariance, the best linear filter

    w(θ) = (C_x̃ + λ C_bank)⁻¹ h̃(θ),   J(θ) = E[s³] / E[s²]^(3/2),   s = w(θ)ᵀ x̃.

J, the skewness of the output, is large where a unit like θ discharges. C_bank = E_θ[h̃ h̃ᵀ], scaled to the power of the
recording, says in which directions the model may be wrong: without it C⁻¹ is so selective that a unit's own
filter misses it (at 20 dB the nearest of 4096 bank members has a cosine of some 0.1 with a strong unit in the whitened
metric). As in robust beamforming, the loading λ buys tolerance with selectivity. All of it is matrix products:
n_bank × (R·C) × n_observed for the outputs, nothing per member.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from scipy.stats import qmc

from muemg.inversion.parameters import INDEX
from muemg.inversion.unit_model import UnitModel
from muemg.separation._threads import in_pieces

__all__ = ["Bank", "cut", "windows"]

_BASIS = 128  # dimensions in which MUAPs are compared
_OF_PLACE = ("lateral", "depth", "zone", "radius")
_OF_WAVE = ("distal_length", "proximal_length", "velocity")
_BLOCK = 512
_SHARING = 8  # members in a row of one velocity and lengths: their current is computed once


@dataclass(frozen=True, eq=False)
class Bank:
    """MUAPs of n_bank parameter vectors under one array.

    Parameters
    ----------
    unbounded : ndarray, shape (n_bank, n_parameters)
        θ in unbounded coordinates.
    responses : ndarray of float32, shape (n_bank, R·C)
        Extended response in the R samples that hold most of the MUAP's energy, of length 1.
    basis : ndarray of float32, shape (n_channels · n_lags, n_basis)
        Orthonormal; holds nearly all of any member.
    coordinates : ndarray of float32, shape (n_bank, n_basis)
        Members in the basis, each of length 1.
    covariance : ndarray, shape (R·C, R·C)
        E_θ[h̃ h̃ᵀ], its trace R·C.
    """

    unbounded: np.ndarray
    responses: np.ndarray
    basis: np.ndarray
    coordinates: np.ndarray
    covariance: np.ndarray

    @classmethod
    def make(cls, model: UnitModel, size: int, n_delays: int, spacing: int = 1, *, seed: int) -> Bank:
        """A bank of `size` members (a power of two fills the ranges best) for filters of `n_delays` taps."""
        unbounded = model.ranges.unbounded(quasi_random(model, size, seed))
        responses, coordinates = [], []
        basis = np.zeros((0, 0), dtype=np.float32)
        for start in range(0, size, _BLOCK):
            muaps = model.muaps_of_groups(unbounded[start : start + _BLOCK], _SHARING)
            responses.append(windows(muaps, n_delays, spacing)[0])
            flat = muaps.reshape(len(muaps), -1)
            flat /= np.linalg.norm(flat, axis=1, keepdims=True)
            if not basis.size:
                basis = _principal(flat, _BASIS)
            coordinates.append(flat @ basis)
        extended, inside = _unit(np.concatenate(responses)), _unit(np.concatenate(coordinates))
        covariance = (extended.T @ extended).astype(np.float64)
        covariance *= len(covariance) / np.trace(covariance)
        return cls(unbounded, extended, basis, inside, covariance)

    def __len__(self) -> int:
        return len(self.unbounded)

    def loaded_whitening(self, covariance: np.ndarray, loading: float, floor: float) -> np.ndarray:
        """L⁻¹ with L Lᵀ = C_x̃ + λ C_bank + floor · I, for a λ relative to the power of the recording."""
        power = np.trace(covariance) / len(covariance)
        loaded = (covariance + loading * power * self.covariance).astype(np.float32)
        loaded[np.diag_indices(len(loaded))] += floor
        # What C_bank adds makes single precision enough, at half the time.
        factor = scipy.linalg.cholesky(loaded, lower=True, overwrite_a=True, check_finite=False)
        inverse, _ = scipy.linalg.lapack.strtri(factor, lower=1, overwrite_c=1)
        return np.ascontiguousarray(inverse)

    def outputs(self, whitening: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Filter outputs of all members on some extended observations, and their skewness.

        Parameters
        ----------
        whitening : ndarray of float32, shape (R·C, R·C)
            From `loaded_whitening`.
        observed : ndarray of float32, shape (n_observed, R·C)

        Returns
        -------
        outputs : ndarray of float32, shape (n_bank, n_observed)
            Each of length 1.
        skewness : ndarray, shape (n_bank,)
        """
        whitened = whitening @ observed.T
        outputs = np.empty((len(self), len(observed)), dtype=np.float32)
        skewness = np.empty(len(self))

        def score(start: int) -> None:
            block = slice(start, start + _BLOCK)
            source = np.matmul(self.responses[block] @ whitening.T, whitened, out=outputs[block])
            square = source * source
            power = square.mean(axis=1)
            skewness[block] = np.einsum("ij,ij->i", square, source) / source.shape[1] / power**1.5
            source /= np.sqrt(power * source.shape[1])[:, None]

        in_pieces(score, range(0, len(self), _BLOCK))
        return outputs, skewness

    def nearest(
        self, muaps: np.ndarray, n_each: int, *, most_shift: int = 28, step: int = 2
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each MUAP the members most like it, whatever the delay.

        Parameters
        ----------
        muaps : ndarray, shape (n_units, n_channels, n_lags)
        n_each : int
            Members per MUAP.
        most_shift, step : int
            Delays tried, in samples.

        Returns
        -------
        members : ndarray of int, shape (n_units, n_each)
        shifts : ndarray of int, shape (n_units, n_each)
            Samples by which the MUAP follows the member.
        cosines : ndarray, shape (n_units, n_each)
        """
        shifts = np.arange(-most_shift, most_shift + 1, step)
        length = np.linalg.norm(muaps.reshape(len(muaps), -1), axis=1)
        best = np.full((len(muaps), len(self)), -1.0, dtype=np.float32)
        at = np.zeros(best.shape, dtype=np.int64)
        for shift in shifts:
            moved = np.roll(muaps, -shift, axis=2).reshape(len(muaps), -1) @ self.basis
            cosine = moved @ self.coordinates.T / np.where(length > 0, length, 1)[:, None]
            better = cosine > best
            best[better] = cosine[better]
            at[better] = shift
        order = np.argsort(-best, axis=1)[:, :n_each]
        return order, np.take_along_axis(at, order, axis=1), np.take_along_axis(best, order, axis=1)


def quasi_random(model: UnitModel, size: int, seed: int) -> np.ndarray:
    """Sobol points θ in SI units: shallow units twice as dense as deep ones, scatters at their usual values."""
    ranges = model.ranges
    theta = np.tile((ranges.low + ranges.high) / 2, (size, 1))
    placed = qmc.Sobol(len(_OF_PLACE), seed=seed).random(size)
    waves = qmc.Sobol(len(_OF_WAVE), seed=seed + 1).random(-(-size // _SHARING))
    share = np.hstack([placed, np.repeat(waves, _SHARING, axis=0)[:size]])
    for column, name in enumerate(_OF_PLACE + _OF_WAVE):
        i = INDEX[name]
        values = share[:, column]
        if name == "depth":
            values = values**1.5
        elif name.endswith("length"):
            values = 0.15 + 0.55 * values
        elif name == "radius":
            values = 0.05 + 0.8 * values**1.3
        theta[:, i] = ranges.low[i] + (ranges.high[i] - ranges.low[i]) * values
    theta[:, INDEX["plate_scatter"]] = 1.5e-3
    theta[:, INDEX["end_scatter"]] = 2e-3
    theta[:, INDEX["zone_tilt"]] = 0.0
    return theta


def windows(muaps: np.ndarray, n_delays: int, spacing: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Extended response of each MUAP in the window of most energy, and the last sample of that window.

    Entry r·C + c of x̃(t) is x_c(t − (R − 1 − r)·spacing): oldest sample first.
    """
    span = (n_delays - 1) * spacing + 1
    energy = np.cumsum(np.einsum("ucl,ucl->ul", muaps, muaps), axis=1)
    last = (energy[:, span:] - energy[:, :-span]).argmax(axis=1) + span
    return cut(muaps, last, n_delays, spacing), last


def cut(muaps: np.ndarray, last: np.ndarray, n_delays: int, spacing: int) -> np.ndarray:
    """Extended response of each MUAP in the window that ends at `last`, shape (n_units, R·C)."""
    samples = last[:, None] - spacing * np.arange(n_delays)[::-1]
    picked = np.take_along_axis(muaps, samples[:, None, :], axis=2)
    return np.ascontiguousarray(picked.transpose(0, 2, 1).reshape(len(muaps), -1), np.float32)


def _principal(rows: np.ndarray, most: int) -> np.ndarray:
    """Orthonormal columns that hold most of the energy of these rows, through their small Gram matrix."""
    values, vectors = np.linalg.eigh(rows @ rows.T)
    kept = values > values[-1] * 1e-6
    columns = rows.T @ (vectors[:, kept] / np.sqrt(values[kept]))
    return np.ascontiguousarray(columns[:, ::-1][:, :most])


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)
