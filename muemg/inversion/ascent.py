"""Ascent over the model: from a bank's starts to the motor units of a signal, along potentials that units can have.

Each start θ gives a filter, its output a train, the train a mean whitened observation q. One Gauss–Newton step moves θ
so that the model's response comes nearer to q,

    min_δ  n |q − g (h + J δ)|² + (u + δ − u₀)ᵀ P (u + δ − u₀),     h, J: whitened response and its derivatives,

which is the fixed point of the contrast, held to the ten degrees of freedom of a motor unit: a mean over discharges,
half of which may be wrong, has rank/n of noise, its projection on the model ten/n. The metric begins tolerant
(C_x̃ + λ C_bank with a large λ) and ends selective: under C_x̃ alone a start 1 mm beside a unit does not see it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muemg.inversion.bank import Bank, cut, windows
from muemg.inversion.gauss_newton import prior
from muemg.inversion.unit_model import UnitModel
from muemg.metrics.quality import source_peaks
from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended
from muemg.separation._search import SearchSettings

__all__ = ["Summits", "ascend", "different"]

_LOADINGS = (0.5, 0.3, 0.15, 0.07, 0.03)  # of C_bank, from tolerant to selective
_DAMPING = 0.3
_LONGEST_STEP = 1.0  # unbounded coordinates
_LATENCY_DEVIATION = 4.0  # samples
_ALIKE = 0.9  # correlation of two outputs from which two starts are going to one unit
_FASTEST = 35.0  # Hz; more peaks than that are no discharges of one unit
_GUESSED_RATE = 12.0  # Hz


@dataclass(frozen=True, eq=False)
class Summits:
    """Where the starts ended.

    Attributes
    ----------
    unbounded : ndarray, shape (n_ends, n_parameters)
    latency : ndarray, shape (n_ends,)
        Seconds from the train's discharges to the start of the waves.
    trains : list of ndarray of int64
    silhouettes : ndarray, shape (n_ends,)
    """

    unbounded: np.ndarray
    latency: np.ndarray
    trains: list[np.ndarray]
    silhouettes: np.ndarray


def ascend(
    model: UnitModel,
    bank: Bank,
    signal: Extended,
    covariance: np.ndarray,
    starts: np.ndarray,
    settings: SearchSettings,
    *,
    floor: float,
    loadings: tuple[float, ...] = _LOADINGS,
) -> Summits:
    """Follow starts through ever more selective metrics.

    Parameters
    ----------
    model : UnitModel
    bank : Bank
        For C_bank.
    signal : Extended
    covariance : ndarray, shape (R·C, R·C)
        Of its extended observations.
    starts : ndarray, shape (n_starts, n_parameters)
        θ in unbounded coordinates.
    settings : SearchSettings
    floor : float
        Noise floor of the covariance's eigenvalues.
    loadings : tuple of float
        λ of every step; none keeps the starts where they are.
    """
    unbounded, latency = starts.astype(np.float64), np.zeros(len(starts))
    _, last = windows(model.muaps(unbounded), signal.n_delays, signal.spacing)
    for loading in loadings:
        whitening = bank.loaded_whitening(covariance, loading, floor)
        muaps, jacobian = model.derivatives(unbounded, latency)
        response = cut(muaps, last, signal.n_delays, signal.spacing) @ whitening.T
        tangents = np.stack(
            [cut(each, last, signal.n_delays, signal.spacing) @ whitening.T for each in jacobian], axis=1
        )
        sources = signal.filter(response @ whitening)
        trains, silhouettes = detect_spikes(sources, settings.min_distance)
        apart = different(sources, silhouettes, len(sources), most_alike=_ALIKE)
        picked = [_plausible(trains[i], sources[i], settings) for i in apart]
        mean = signal.mean_responses(picked) @ whitening.T
        n_spikes = np.array([len(train) for train in picked])
        moves = _step(model, unbounded[apart], mean, response[apart], tangents[apart], n_spikes)
        unbounded = unbounded[apart] + moves[:, :-1]
        latency = latency[apart] + moves[:, -1] / model.sampling_rate
        last = last[apart]
    whitening = bank.loaded_whitening(covariance, loadings[-1] if loadings else _LOADINGS[0], floor)
    response = cut(model.muaps(unbounded, latency), last, signal.n_delays, signal.spacing) @ whitening.T
    trains, silhouettes = detect_spikes(signal.filter(response @ whitening), settings.min_distance)
    # The output peaks when the window has passed; its middle, where the potential is strongest, is the discharge.
    half = signal.span // 2
    latency = latency + (model.offset - last + half) / model.sampling_rate
    return Summits(unbounded, latency, [train - half for train in trains], silhouettes)


def different(outputs: np.ndarray, scores: np.ndarray, most: int, *, most_alike: float = 0.7) -> np.ndarray:
    """Indices, best score first, of outputs none of which correlates with a better one above `most_alike`.

    Parameters
    ----------
    outputs : ndarray, shape (n_outputs, n_samples)
    scores : ndarray, shape (n_outputs,)
    most : int
    most_alike : float
    """
    length = np.linalg.norm(outputs, axis=1)
    free = np.isfinite(scores) & (length > 0)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if not free[i]:
            continue
        kept.append(int(i))
        if len(kept) == most:
            break
        free &= outputs @ outputs[i] < most_alike * length * length[i]
    return np.array(kept, dtype=np.int64)


def _plausible(train: np.ndarray, source: np.ndarray, settings: SearchSettings) -> np.ndarray:
    """The detected discharges, or the highest peaks where the detection found no two classes."""
    seconds = len(source) / settings.sampling_rate
    if settings.min_spikes <= len(train) <= _FASTEST * seconds:
        return train
    peaks, heights = source_peaks(source, settings.sampling_rate)
    return np.sort(peaks[np.argsort(-heights)[: max(settings.min_spikes, round(_GUESSED_RATE * seconds))]])


def _step(
    model: UnitModel,
    unbounded: np.ndarray,
    mean: np.ndarray,
    response: np.ndarray,
    tangents: np.ndarray,
    n_spikes: np.ndarray,
) -> np.ndarray:
    """One damped Gauss–Newton step of every start, by (u, latency in samples)."""
    centre, deviation = prior(model)
    precision = np.concatenate([deviation**-2.0, [_LATENCY_DEVIATION**-2.0, 0.0]])
    power = np.einsum("ir,ir->i", response, response)
    gain = np.maximum(np.einsum("ir,ir->i", response, mean) / power, 1e-9)
    full = np.concatenate([gain[:, None, None] * tangents, response[:, None]], axis=1)
    normal = (full @ full.transpose(0, 2, 1)).astype(np.float64) * n_spikes[:, None, None]
    left = mean - gain[:, None] * response
    away = np.concatenate([unbounded - centre, np.zeros((len(unbounded), 2))], axis=1)
    slope = (full @ left[:, :, None])[:, :, 0] * n_spikes[:, None] - precision * away
    normal += np.diag(precision)
    diagonal = np.einsum("iaa->ia", normal)
    normal += _DAMPING * diagonal[:, :, None] * np.eye(len(precision))
    moves = np.linalg.solve(normal, slope[:, :, None])[:, :-1, 0]
    return np.clip(moves, -_LONGEST_STEP, _LONGEST_STEP)
