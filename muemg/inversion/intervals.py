"""How sure the parameters are: intervals from the Fisher information, model mismatch included.

What a fit leaves, r = h − g H(θ), is noise of the MUAP's estimate and error of the model; both are smooth
over electrodes and in time, so that its many samples are few independent ones. With the covariance of r
written as a product, Σ = S (electrodes) ⊗ T (lags), both estimated from r itself, the estimate of θ has the
covariance

    (JᵀJ + P)⁻¹ (Jᵀ Σ J + P) (JᵀJ + P)⁻¹            (in units of the mean square of r for the prior P),

the "sandwich" of misspecified models (White 1982). What cannot be seen in r is by how much the truth differs
from a disc of fibres with Gaussian scatter; it enters as a factor on every standard deviation and a least one
per parameter. Both are judged, not fitted: docs/inversion.md says how often the intervals held the truth.
"""

from __future__ import annotations

import numpy as np

from muemg._table import Table
from muemg.inversion.gauss_newton import Fit, prior
from muemg.inversion.noise import Noise
from muemg.inversion.parameters import PARAMETERS
from muemg.inversion.unit_model import UnitModel

__all__ = ["anatomy"]

_Z = 1.96  # of a 95 % interval
# Judged, not fitted; see above.
_FACTOR = 1.5
_LEAST = {
    "lateral": 0.15e-3,
    "depth": 0.3e-3,
    "zone": 0.18e-3,
    "distal_length": 1.0e-3,
    "proximal_length": 1.0e-3,
    "velocity": 0.03,
    "radius": 1.0e-3,
    "plate_scatter": 0.3e-3,
    "end_scatter": 0.5e-3,
    "zone_tilt": 0.1,
}


def standard_deviations(model: UnitModel, fit: Fit, muaps: np.ndarray, noise: Noise) -> np.ndarray:
    """Standard deviations of the unbounded coordinates, shape (n_units, n_parameters).

    Parameters
    ----------
    model : UnitModel
    fit : Fit
    muaps : ndarray, shape (n_units, n_channels, n_lags)
        What was fitted.
    noise : Noise
        The metric it was fitted in.
    """
    _, deviation = prior(model)
    n = len(deviation)
    precision = np.diag(np.concatenate([deviation**-2.0, [1e-4, 0.0]]))
    result = np.empty((len(muaps), n))
    shapes, derivatives = model.derivatives(fit.unbounded, fit.latency)
    for i, (muap, fitted) in enumerate(zip(muaps, fit.muaps)):
        left = noise.whiten(muap - fitted).astype(np.float64)
        power = max(float(np.mean(left**2)), 1e-30)
        space = left @ left.T / left.shape[1] / power
        # The gain moves by a share of itself, so that the matrix is not lopsided.
        jacobian = fit.gain[i] * np.concatenate([derivatives[:, i], shapes[i : i + 1]])
        jacobian = noise.whiten(jacobian.astype(np.float32)).astype(np.float64)
        flat = jacobian.reshape(n + 2, -1)
        spread = np.einsum("cd,adl->acl", space, jacobian)
        spread = np.einsum("acl,lm->acm", spread, _in_time(left)).reshape(n + 2, -1)
        information = flat @ flat.T / power + precision
        middle = flat @ spread.T / power + precision
        inverse = np.linalg.inv(information)
        result[i] = np.sqrt(np.maximum(np.diag(inverse @ middle @ inverse)[:n], 0))
    return result


def _in_time(left: np.ndarray) -> np.ndarray:
    """Correlation of the residual between lags, as of a stationary process; 1 on the diagonal."""
    n_lags = left.shape[1]
    spectrum = np.abs(np.fft.rfft(left, 2 * n_lags, axis=1)) ** 2
    correlation = np.fft.irfft(spectrum.sum(axis=0))[:n_lags]
    correlation /= max(correlation[0], 1e-300)
    lag = np.arange(n_lags)
    return correlation[np.abs(lag[:, None] - lag[None])]


def anatomy(model: UnitModel, fit: Fit, muaps: np.ndarray, noise: Noise) -> Table:
    """Anatomy of every unit with 95 % intervals, one row each.

    Columns: per parameter ``name``, ``name_low``, ``name_high`` in SI units; ``x`` and ``y`` of the territory's centre
    in the conductor's frame; ``amplitude``, the largest peak-to-peak of the modelled MUAP in the unit of `muaps`; and
    ``cosine`` between the MUAP and the model's.
    """
    centre = np.asarray(model.ranges.physical(fit.unbounded), dtype=np.float64)
    deviation = standard_deviations(model, fit, muaps, noise)
    span = model.ranges.high - model.ranges.low
    share = (centre - model.ranges.low) / span
    # dp/du, for the change from the unbounded scale
    own = deviation * span * share * (1 - share)
    columns: dict[str, np.ndarray] = {}
    for i, parameter in enumerate(PARAMETERS):
        half = _Z * np.hypot(_FACTOR * own[:, i], _LEAST[parameter.name])
        columns[parameter.name] = centre[:, i]
        columns[f"{parameter.name}_low"] = np.maximum(centre[:, i] - half, model.ranges.low[i])
        columns[f"{parameter.name}_high"] = np.minimum(centre[:, i] + half, model.ranges.high[i])
    place = np.asarray(model.skin.transverse(centre[:, 0], centre[:, 1]), dtype=np.float64).reshape(-1, 2)
    columns |= {"x": place[:, 0], "y": place[:, 1]}
    columns["amplitude"] = np.ptp(fit.muaps, axis=2).max(axis=1, initial=0).astype(np.float64)
    columns["cosine"] = fit.cosine.astype(np.float64)
    return Table(columns)
