"""Parameters of motor units from their MUAPs: weighted Gauss–Newton with damping (Levenberg–Marquardt).

The MUAP h of a unit, a mean over n discharges, is modelled as g · H(θ, τ): gain g, parameters θ, latency τ. In the
metric of its noise (`noise`), with the derivatives J of g · H by (u, τ, g), u the unbounded coordinates of θ, one
step solves

    (n JᵀJ + P + μ D) δ = n Jᵀ r − P (u − u₀),      r = h − g H,   D = diag(n JᵀJ + P),

P the inverse covariance of a weak prior. All units of a batch step together: the forward model is the cost, and
it is fastest on many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from muemg.inversion.bank import Bank
from muemg.inversion.noise import Noise
from muemg.inversion.parameters import INDEX, PARAMETERS
from muemg.inversion.unit_model import UnitModel

__all__ = ["Fit", "fit_parameters", "prior"]

# Standard deviation of the prior in unbounded coordinates: that of a flat density over the range is π/√3.
_WIDE, _NARROW = 1.8, 1.0
_LENGTHS = np.linspace(-1.8, 1.2, 9)  # unbounded coordinates: 30 to 74 mm
_LONGEST_STEP = 1.5  # unbounded coordinates, samples of latency


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
    """

    unbounded: np.ndarray
    latency: np.ndarray
    gain: np.ndarray
    muaps: np.ndarray
    cosine: np.ndarray


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
    noise: Noise,
    n_spikes: np.ndarray,
    *,
    start: tuple[np.ndarray, np.ndarray] | None = None,
    n_starts: int = 2,
    n_iterations: int = 10,
    other_lengths: bool = False,
) -> Fit:
    """Fit θ, latency and gain to each MUAP, from the bank's most similar members or from known parameters.

    Parameters
    ----------
    model : UnitModel
    bank : Bank
    muaps : ndarray, shape (n_units, n_channels, n_lags)
        Band-passed as the model's, in the unit of the signal that `noise` was made of.
    noise : Noise
    n_spikes : ndarray, shape (n_units,)
        Discharges that each MUAP is a mean of.
    start : pair of ndarray, optional
        θ in unbounded coordinates and latency in seconds where to start instead of at the bank.
    n_starts : int
        Members of the bank to start from; the best end is kept.
    n_iterations : int
        Gauss–Newton steps.
    other_lengths : bool
        Whether other half lengths are tried first. It takes a potential that stands well out of the noise.
    """
    n_units = len(muaps)
    if start is not None:
        (unbounded, latency), repeats = start, 1
    else:
        members, shifts, _ = bank.nearest(muaps, n_starts)
        unbounded, repeats = bank.unbounded[members.ravel()], n_starts
        latency = shifts.ravel() / model.sampling_rate
    target = noise.whiten(np.asarray(muaps, dtype=np.float32))
    weight = np.repeat(np.maximum(n_spikes, 1).astype(np.float64), repeats)
    targets = np.repeat(target, repeats, axis=0)
    ends = _descend(model, noise, targets, weight, unbounded, latency, n_iterations, other_lengths)
    best = np.argmin(ends.cost.reshape(n_units, repeats), axis=1) + repeats * np.arange(n_units)
    fitted = ends.gain[best, None, None].astype(np.float32) * ends.muaps[best]
    product = np.einsum("ucl,ucl->u", fitted, muaps)
    lengths = np.linalg.norm(fitted, axis=(1, 2)) * np.linalg.norm(muaps, axis=(1, 2))
    cosine = product / np.maximum(lengths, 1e-30)
    return Fit(ends.unbounded[best], ends.latency[best], ends.gain[best], fitted, cosine)


@dataclass(eq=False)
class _State:
    """Where each descent stands, and the best it has seen."""

    unbounded: np.ndarray
    latency: np.ndarray
    gain: np.ndarray
    cost: np.ndarray
    muaps: np.ndarray
    jacobian: np.ndarray  # empty where no step follows

    def take(self, other: _State, better: np.ndarray) -> None:
        """The other's descents where they are better."""
        for name in ("unbounded", "latency", "gain", "cost", "muaps"):
            getattr(self, name)[better] = getattr(other, name)[better]
        if other.jacobian.size:
            self.jacobian[:, better] = other.jacobian[:, better]


def _descend(
    model: UnitModel,
    noise: Noise,
    target: np.ndarray,
    weight: np.ndarray,
    unbounded: np.ndarray,
    latency: np.ndarray,
    n_iterations: int,
    other_lengths: bool,
) -> _State:
    centre, deviation = prior(model)
    precision = np.concatenate([deviation**-2.0, [1e-4, 0.0]])
    flat = target.reshape(len(target), -1)

    def at(u: np.ndarray, t: np.ndarray, *, last: bool) -> _State:
        muaps, jacobian = (model.muaps(u, t), np.zeros(0)) if last else model.derivatives(u, t)
        seen = noise.whiten(muaps).reshape(flat.shape)
        power = np.einsum("ij,ij->i", seen, seen).astype(np.float64)
        gain = np.maximum(np.einsum("ij,ij->i", seen, flat) / np.maximum(power, 1e-300), 1e-12 / power**0.5)
        left = flat - gain[:, None] * seen
        cost = weight * np.einsum("ij,ij->i", left, left) + (precision[:-2] * (u - centre) ** 2).sum(axis=1)
        return _State(u, t, gain, np.where(np.isfinite(cost), cost, np.inf), muaps, jacobian)

    u, t = unbounded.astype(np.float64), latency.astype(np.float64)
    if other_lengths:
        u = _other_lengths(lambda u: at(u, t, last=True).cost, u)
    best = at(u, t.copy(), last=n_iterations == 0)
    damping = np.full(len(target), 0.1)
    for iteration in range(n_iterations):
        move = _step(noise, best, flat, weight, precision, centre, damping)
        u, t = best.unbounded + move[:, :-2], best.latency + move[:, -2] / model.sampling_rate
        tried = at(u, t, last=iteration == n_iterations - 1)
        better = tried.cost < best.cost
        damping = np.clip(np.where(better, damping / 4, damping * 6), 1e-5, 1e4)
        best.take(tried, better)
    return best


def _other_lengths(cost: Callable[[np.ndarray], np.ndarray], unbounded: np.ndarray) -> np.ndarray:
    """The best of a few half lengths on either side: an end effect is seen only from where it nearly fits."""
    best = unbounded.copy()
    for name in ("distal_length", "proximal_length"):
        lowest = cost(best)
        for length in _LENGTHS:
            tried = best.copy()
            tried[:, INDEX[name]] = length
            of_tried = cost(tried)
            better = of_tried < lowest
            best[better], lowest = tried[better], np.minimum(of_tried, lowest)
    return best


def _step(
    noise: Noise,
    state: _State,
    flat: np.ndarray,
    weight: np.ndarray,
    precision: np.ndarray,
    centre: np.ndarray,
    damping: np.ndarray,
) -> np.ndarray:
    seen = noise.whiten(state.muaps).reshape(flat.shape)
    tangents = noise.whiten(state.jacobian).reshape(len(state.jacobian), *flat.shape).transpose(1, 0, 2)
    gain = state.gain[:, None].astype(np.float32)
    # The gain moves by a share of itself, so that the normal matrix is not lopsided.
    full = np.concatenate([gain[:, :, None] * tangents, (gain * seen)[:, None]], axis=1)
    left = flat - gain * seen
    away = np.concatenate([state.unbounded - centre, np.zeros((len(flat), 2))], axis=1)
    normal = (full @ full.transpose(0, 2, 1)).astype(np.float64) * weight[:, None, None] + np.diag(precision)
    slope = (full @ left[:, :, None])[:, :, 0] * weight[:, None] - precision * away
    diagonal = np.einsum("iaa->ia", normal)
    normal += (damping[:, None] * diagonal)[:, :, None] * np.eye(len(precision))
    return np.clip(np.linalg.solve(normal, slope[:, :, None])[:, :, 0], -_LONGEST_STEP, _LONGEST_STEP)
