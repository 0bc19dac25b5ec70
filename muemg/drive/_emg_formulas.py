"""Formulas of the classical EMG features, each over the last axis of an array of windows.

Time domain after Hudgins, Parker & Scott 1993 (10.1109/10.204774) and Phinyomark, Phukpattaranont & Limsakul 2012
(10.1016/j.eswa.2012.01.102); power spectral descriptors after Al-Timemy, Khushaba, Bugmann & Escudero 2016
(10.1109/TNSRE.2015.2445634); autoregressive coefficients by Burg's method (Burg 1975).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["DESCRIPTORS", "FORMULAS", "descriptors"]

# What a logarithm sees instead of an exact zero.
_TINY = np.finfo(np.float64).tiny


def _mav(x: np.ndarray) -> np.ndarray:
    return np.abs(x).mean(axis=-1)


def _iav(x: np.ndarray) -> np.ndarray:
    return np.abs(x).sum(axis=-1)


def _rms(x: np.ndarray) -> np.ndarray:
    return np.sqrt((x**2).mean(axis=-1))


def _var(x: np.ndarray) -> np.ndarray:
    return x.var(axis=-1)


def _wl(x: np.ndarray) -> np.ndarray:
    return np.abs(np.diff(x)).sum(axis=-1)


def _ld(x: np.ndarray, floor: float) -> np.ndarray:
    return np.exp(np.log(np.maximum(np.abs(x), floor)).mean(axis=-1))


def _wamp(x: np.ndarray, threshold: float) -> np.ndarray:
    return (np.abs(np.diff(x)) > threshold).sum(axis=-1).astype(np.float64)


def _zc(x: np.ndarray, threshold: float) -> np.ndarray:
    """Changes of sign from one non-zero sample to the next non-zero one, a swing of at least `threshold` apart."""
    return _turns(x, threshold, lambda before, after: np.abs(after - before))


def _ssc(x: np.ndarray, threshold: float) -> np.ndarray:
    """Changes of sign of the slope, flat stretches passed over, if one of the two slopes reaches `threshold`."""
    return _turns(np.diff(x), threshold, lambda before, after: np.maximum(np.abs(before), np.abs(after)))


def _turns(
    x: np.ndarray, threshold: float, size: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    # Zeros take the value before them, so that a crossing through exact zeros counts, and counts once.
    index = np.where(x != 0, np.arange(x.shape[-1]), 0)
    held = np.take_along_axis(x, np.maximum.accumulate(index, axis=-1), axis=-1)
    before, after = held[..., :-1], held[..., 1:]
    crossed = ((before < 0) & (after > 0)) | ((before > 0) & (after < 0))
    return (crossed & (size(before, after) >= threshold)).sum(axis=-1).astype(np.float64)


# ------------------------------------------------------------------ power spectral descriptors


def descriptors(x: np.ndarray) -> dict[str, np.ndarray]:
    """All six descriptors by name: −2 a b / (a² + b²), a of the signal and b of its logarithm, log(x² + 2.2e-16)."""
    plain, logarithmic = _descriptors(x), _descriptors(np.log(x**2 + np.spacing(1.0)))
    result = {}
    for name, a in plain.items():
        b = logarithmic[name]
        size = a**2 + b**2
        result[name] = np.divide(-2 * a * b, size, out=np.zeros_like(a), where=size > 0)
    return result


def _descriptors(x: np.ndarray) -> dict[str, np.ndarray]:
    """Logarithms of the moments m0, m2, m4 of the spectrum, by Parseval's theorem from the signal's differences."""
    n = x.shape[-1] - 1
    first, second = np.diff(x), np.diff(x, n=2)
    m0 = _power(np.sqrt((x**2).sum(axis=-1)) / n)
    m2 = _power(np.sqrt((first**2).sum(axis=-1) / n))
    m4 = _power(np.sqrt((second**2).sum(axis=-1) / n))
    length, bends = np.abs(first).sum(axis=-1), np.abs(second).sum(axis=-1)
    safe0 = np.maximum(m0, _TINY)
    return {
        "M0": _log(m0),
        "M2": _log(m0 - m2),
        "M4": _log(m0 - m4),
        "SPARSI": _log(np.sqrt(np.abs((m0 - m2) * (m0 - m4))) / safe0),
        "IRF": _log(m2 / np.maximum(np.sqrt(m0 * m4), _TINY)),
        "WLF": _log(np.sqrt(length / np.maximum(bends, _TINY))),
    }


def _power(moment: np.ndarray) -> np.ndarray:
    return moment**0.1 / 0.1


def _log(value: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.abs(value), _TINY))


# ------------------------------------------------------------------ spectrum and autoregression


def _spectrum(x: np.ndarray, sampling_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Power up to below half the sampling rate, the window filled up with zeros to a power of two."""
    n_fft = 1 << (x.shape[-1] - 1).bit_length()
    power = np.abs(np.fft.rfft(x, n_fft)[..., : max(1, n_fft // 2)]) ** 2
    return np.arange(power.shape[-1]) * sampling_rate / n_fft, power


def _mnf(x: np.ndarray, sampling_rate: float) -> np.ndarray:
    frequencies, power = _spectrum(x, sampling_rate)
    total = power.sum(axis=-1)
    return np.divide(power @ frequencies, total, out=np.zeros_like(total), where=total > 0)


def _mdf(x: np.ndarray, sampling_rate: float) -> np.ndarray:
    frequencies, power = _spectrum(x, sampling_rate)
    risen = power.cumsum(axis=-1)
    return frequencies[(risen > risen[..., -1:] / 2).argmax(axis=-1)]


def _ar(x: np.ndarray, order: int) -> np.ndarray:
    """Prediction-error filter x_t + Σ a_k x_{t−k}, k = 1 … order, by Burg's method, on a new last axis."""
    forward, backward = x[..., 1:].copy(), x[..., :-1].copy()
    a = np.zeros((*x.shape[:-1], order + 1))
    a[..., 0] = 1
    for k in range(order):
        energy = (forward**2 + backward**2).sum(axis=-1)
        cross = -2 * (forward * backward).sum(axis=-1)
        reflection = np.divide(cross, energy, out=np.zeros_like(cross), where=energy > _TINY)[..., None]
        a[..., : k + 2] = a[..., : k + 2] + reflection * a[..., : k + 2][..., ::-1]
        forward, backward = (
            (forward + reflection * backward)[..., 1:],
            (backward + reflection * forward)[..., :-1],
        )
    return a[..., 1:]


# ------------------------------------------------------------------ by name

DESCRIPTORS = ("M0", "M2", "M4", "SPARSI", "IRF", "WLF")
FORMULAS: dict[str, Callable[..., np.ndarray]] = {
    "MAV": lambda x, **_: _mav(x),
    "WL": lambda x, **_: _wl(x),
    "ZC": lambda x, zc_threshold, **_: _zc(x, zc_threshold),
    "SSC": lambda x, ssc_threshold, **_: _ssc(x, ssc_threshold),
    "RMS": lambda x, **_: _rms(x),
    "IAV": lambda x, **_: _iav(x),
    "VAR": lambda x, **_: _var(x),
    "WAMP": lambda x, wamp_threshold, **_: _wamp(x, wamp_threshold),
    "LD": lambda x, log_floor, **_: _ld(x, log_floor),
    "AR": lambda x, ar_order, **_: _ar(x, ar_order),
    "MDF": lambda x, sampling_rate, **_: _mdf(x, sampling_rate),
    "MNF": lambda x, sampling_rate, **_: _mnf(x, sampling_rate),
}
