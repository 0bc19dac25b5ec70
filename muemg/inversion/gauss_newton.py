"""Parameters of motor units from their MUAPs: weighted Gauss–Newton with damping (Levenberg–Marquardt).

Of each unit the MUAP h is modelled as g · H(θ, τ): gain g, parameters θ, latency τ. With the derivatives J of g · H by
(u, τ, g), u the unbounded coordinates of θ, one step solves

    (JᵀJ / s² + P + μ D) δ = Jᵀ r / s² − P (u − u₀),      r = h − g H,   D = diag(JᵀJ / s² + P),

s² the mean square of what no parameter explains, P the inverse covariance of a weak prior. All units of a batch step
together: the forward model is the cost, and it is fastest on many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.inversion.bank import Bank
from muemg.inversion.parameters import INDEX, PARAMETERS
from muemg.inversion.unit_model import UnitModel

__all__ = ["Fit", "fit_parameters"]

# Standard deviation of the prior in unbounded coordinates: that of a flat density over the range is π/√3.
_WIDE, _NARROW = 1.8, 1.0
_CLOSEST = 0.05  # relative error of the model that is assumed at least


@dataclass(frozen=True, eq=False)
class Fit:
    """Motor units whose MUAPs the model explains as well as it can.

    Attributes
    ----------
    unbounded : ndarray, shape (n_units, n_parameters)
    latency : ndarray, shape (n_units,)
        Seconds from the train's discharges to the start of the waves at the end-plates.
    gain : ndarray, shape (n_units,)
    muaps : ndarray of float32, shape (n_units, n_channels, n_lags)
        g · H.
    cosine : ndarray, shape (n_units,)
        Between the MUAP given and the model's.
    jacobian : ndarray of float32, shape (n_parameters + 2, n_units, n_channels, n_lags)
        Of g · H by (u, τ in samples, g).
    """

    unbounded: np.ndarray
    latency: np.ndarray
    gain: np.ndarray
    muaps: np.ndarray
    cosine: np.ndarray
    jacobian: np.ndarray


def prior(model: UnitModel) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of u: flat over the range, but for what a MUAP says little about."""
    middle = (model.ranges.low + model.ranges.high) / 2
    middle[INDEX["plate_scatter"]] = 1.5e-3
    middle[INDEX["end_scatter"]] = 2e-3
    deviation = np.full(len(PARAMETERS), _WIDE)
    deviation[[INDEX[name] for name in ("plate_scatter", "end_scatter", "zone_tilt")]] = _NARROW
    return model.ranges.unbounded(middle), deviation


def fit_parameters(
    model: UnitModel,
    bank: Bank,
    muaps: np.ndarray,
    *,
    start: Fit | None = None,
    n_starts: int = 2,
    n_iterations: int = 10,
) -> Fit:
    """Fit θ, latency and gain to each MUAP, from the bank's most similar members or from an earlier fit.

    Parameters
    ----------
    model : UnitModel
    bank : Bank
    muaps : ndarray, shape (n_units, n_channels, n_lags)
        Band-passed as the model's, in any unit.
    start : Fit, optional
        Where to start instead of the bank.
    n_starts : int
        Members of the bank to start from; the best end is kept.
    n_iterations : int
        Gauss–Newton steps.
    """
    n_units = len(muaps)
    if start is not None:
        unbounded, latency, repeats = start.unbounded, start.latency, 1
    else:
        members, shifts, _ = bank.nearest(muaps, n_starts)
        unbounded, repeats = bank.unbounded[members.ravel()], n_starts
        latency = shifts.ravel() / model.sampling_rate
    ends = _descend(model, np.repeat(muaps, repeats, axis=0), unbounded, latency, n_iterations)
    best = np.argmax(ends.cosine.reshape(n_units, repeats), axis=1) + repeats * np.arange(n_units)
    return Fit(
        ends.unbounded[best],
        ends.latency[best],
        ends.gain[best],
        ends.muaps[best],
        ends.cosine[best],
        ends.jacobian[:, best],
    )


def _descend(
    model: UnitModel, muaps: np.ndarray, unbounded: np.ndarray, latency: np.ndarray, n_iterations: int
) -> Fit:
    target = muaps.reshape(len(muaps), -1).astype(np.float64)
    size = np.linalg.norm(target, axis=1)
    target /= np.where(size > 0, size, 1)[:, None]
    centre, deviation = prior(model)
    n = len(centre)
    precision = np.concatenate([deviation**-2.0, [1e-4, 0.0]])
    damping = np.full(len(target), 0.1)
    u, t = unbounded.astype(np.float64).copy(), latency.astype(np.float64).copy()
    kept: tuple[np.ndarray, ...] = ()
    cost = np.full(len(target), np.inf)
    for _ in range(n_iterations + 1):
        h, jacobian = _at(model, u, t)
        gain = np.maximum(np.einsum("ij,ij->i", h, target) / np.einsum("ij,ij->i", h, h), 0)
        left = target - gain[:, None] * h
        mismatch = np.maximum(np.einsum("ij,ij->i", left, left), _CLOSEST**2)
        # Few of the samples are independent: a mean square per some twenty of them.
        weight = 200 / mismatch if not kept else kept[5]
        away = np.concatenate([u - centre, np.zeros((len(u), 2))], axis=1)
        new = weight * np.einsum("ij,ij->i", left, left) + (precision * away**2).sum(axis=1)
        new = np.where(np.isfinite(new), new, np.inf)
        better = new < cost
        if not kept:
            kept = (u, t, gain, h, jacobian, weight, left)
        else:
            kept = tuple(_choose(better, a, b) for a, b in zip((u, t, gain, h, jacobian, weight, left), kept))
        cost = np.where(better, new, cost)
        damping = np.clip(np.where(better, damping / 4, damping * 6), 1e-5, 1e4)
        u, t, gain, h, jacobian, weight, left = kept
        full = np.concatenate([gain[None, :, None] * jacobian, h[None]], axis=0)
        normal = np.einsum("aij,bij->iab", full, full) * weight[:, None, None]
        normal += np.diag(precision)
        away = np.concatenate([u - centre, np.zeros((len(u), 2))], axis=1)
        slope = np.einsum("aij,ij->ia", full, left) * weight[:, None] - precision * away
        diagonal = np.einsum("iaa->ia", normal)
        damped = normal + damping[:, None, None] * np.einsum("ia,ab->iab", diagonal, np.eye(n + 2))
        move = np.clip(np.linalg.solve(damped, slope[..., None])[..., 0], -1.5, 1.5)
        u = kept[0] + move[:, :n]
        t = kept[1] + move[:, n] / model.sampling_rate
    u, t, gain, h, jacobian, weight, left = kept
    cosine = np.einsum("ij,ij->i", h, target) / np.linalg.norm(h, axis=1)
    shape = (-1, *muaps.shape[1:])
    full = np.concatenate([gain[None, :, None] * jacobian, h[None]], axis=0) * size[None, :, None]
    return Fit(
        u,
        t,
        gain * size,
        (gain * size)[:, None, None] * h.reshape(shape),
        cosine,
        full.reshape(n + 2, *shape).astype(np.float32),
    )


def _choose(better: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    axis = 1 if new.ndim == 3 else 0  # of the Jacobian the units are the second axis
    shape = [1] * new.ndim
    shape[axis] = -1
    return np.where(better.reshape(shape), new, old)


def _at(model: UnitModel, u: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, jacobian = model.derivatives(u, t)
    # Scaled to length 1 at the outset only: a scale that moved with θ would be another model.
    return h.reshape(len(h), -1), jacobian.reshape(len(jacobian), len(h), -1)
