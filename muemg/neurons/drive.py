"""Courses of excitation in time, as fractions of the maximum: what a person was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_count, check_fraction, check_positive

__all__ = ["ballistic", "constant", "points", "sine", "staircase", "trapezoid", "triangle"]


def constant(n_samples: int, *, level: float) -> np.ndarray:
    """The same excitation throughout, shape (n_samples,).

    Parameters
    ----------
    n_samples : int
        Length.
    level : float
        Fraction of the maximal excitation, 0 … 1.
    """
    return np.full(check_count("n_samples", n_samples), check_fraction("level", level))


def trapezoid(n_samples: int, sampling_rate: float, *, level: float, rest: float, ramp: float) -> np.ndarray:
    """Rest, linear rise, plateau, linear fall, rest; the plateau fills what the rest leaves.

    Parameters
    ----------
    n_samples : int
        Length.
    sampling_rate : float
        In Hz.
    level : float
        Plateau as a fraction of the maximal excitation, 0 … 1.
    rest : float
        Duration in seconds of the rest at the beginning, and again at the end.
    ramp : float
        Duration in seconds of the rise, and again of the fall; 0 is a step.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    InvalidArgumentError
        If rests and ramps leave no room for a plateau.
    """
    rate = check_positive("sampling_rate", sampling_rate, "Hz")
    height = check_fraction("level", level)
    pause = check_positive("rest", rest, "s", allow_zero=True)
    rise = check_positive("ramp", ramp, "s", allow_zero=True)
    duration = check_count("n_samples", n_samples) / rate
    if 2 * (pause + rise) >= duration:
        raise InvalidArgumentError(
            f"rest and ramp, twice each, must be shorter than the {duration:.4g} s, "
            f"got {pause:g} and {rise:g} s"
        )
    times = np.arange(n_samples) / rate
    # Without a ramp the two corners fall on one instant; the later value of a repeated time is the plateau.
    edge = max(rise, 0.5 / rate)
    corners = [pause, pause + edge, duration - pause - edge, duration - pause]
    return np.interp(times, corners, [0.0, height, height, 0.0])


def triangle(n_samples: int, sampling_rate: float, *, level: float, rest: float) -> np.ndarray:
    """Rest, linear rise to `level` in the middle, linear fall, rest.

    Parameters
    ----------
    n_samples, sampling_rate, level, rest
        As for `trapezoid`.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    InvalidArgumentError
        If the two rests fill the duration.
    """
    height = check_fraction("level", level)
    return _between_rests(
        n_samples, sampling_rate, rest, lambda t, end: np.interp(t, [0.0, end / 2, end], [0.0, height, 0.0])
    )


def sine(
    n_samples: int,
    sampling_rate: float,
    *,
    level: float,
    frequency: float,
    depth: float = 1.0,
    rest: float = 0.0,
) -> np.ndarray:
    """Between two rests, level · (1 − depth (1 + cos 2πft) / 2): from (1 − depth) · level up to `level`.

    Parameters
    ----------
    n_samples, sampling_rate, rest
        As for `trapezoid`.
    level : float
        Highest excitation as a fraction of the maximum.
    frequency : float
        In Hz; the swing begins at its lowest point.
    depth : float
        0 is none, 1 goes down to rest.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    height, deep = check_fraction("level", level), check_fraction("depth", depth)
    pace = 2 * np.pi * check_positive("frequency", frequency, "Hz")
    return _between_rests(
        n_samples, sampling_rate, rest, lambda t, end: height * (1 - deep * (1 + np.cos(pace * t)) / 2)
    )


def ballistic(
    n_samples: int,
    sampling_rate: float,
    *,
    level: float,
    interval: float,
    time_to_peak: float = 0.1,
    rest: float = 0.0,
) -> np.ndarray:
    """Brief bursts, one every `interval`: level · (t/T) exp(1 − t/T) after the start of each.

    Parameters
    ----------
    n_samples, sampling_rate, rest
        As for `trapezoid`.
    level : float
        Peak of a burst as a fraction of the maximal excitation.
    interval : float
        Seconds between the starts of two bursts.
    time_to_peak : float
        T in seconds. The shape and 0.1 s are schematic: as fast as possible, then relaxing.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    peak, period = (
        check_positive("time_to_peak", time_to_peak, "s"),
        check_positive("interval", interval, "s"),
    )
    height = check_fraction("level", level)

    def bursts(t: np.ndarray, end: float) -> np.ndarray:
        since = np.mod(t, period) / peak
        return height * since * np.exp(1 - since)

    return _between_rests(n_samples, sampling_rate, rest, bursts)


def staircase(
    n_samples: int, sampling_rate: float, *, level: float, steps: int, rest: float = 0.0
) -> np.ndarray:
    """Between two rests, equally long steps from level/steps up to `level`.

    Parameters
    ----------
    n_samples, sampling_rate, rest
        As for `trapezoid`.
    level : float
        Last and highest step as a fraction of the maximal excitation.
    steps : int
        Number of steps.

    Returns
    -------
    ndarray of float64, shape (n_samples,)
    """
    height, count = check_fraction("level", level), check_count("steps", steps)
    return _between_rests(
        n_samples,
        sampling_rate,
        rest,
        lambda t, end: height * np.clip(np.floor(t / end * count) + 1, 0, count) / count,
    )


def points(
    n_samples: int,
    sampling_rate: float,
    *,
    levels: npt.ArrayLike,
    times: Sequence[float] | npt.ArrayLike | None = None,
) -> np.ndarray:
    """A course of one's own, straight between points.

    Parameters
    ----------
    n_samples, sampling_rate
        As for `trapezoid`.
    levels : array_like, shape (n_points,)
        Fractions of the maximal excitation, 0 … 1; `n_samples` of them without `times` are taken as they are.
    times : array_like, shape (n_points,), optional
        Increasing times in seconds; by default the points are spread evenly from first to last sample.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    InvalidArgumentError
        If there is no point, a level is not between 0 and 1, or the times do not increase.
    """
    _, clock = _clock(n_samples, sampling_rate)
    values = np.asarray(levels, dtype=np.float64)
    if values.ndim != 1 or not values.size or not ((values >= 0) & (values <= 1)).all():
        raise InvalidArgumentError("levels must be one or more numbers between 0 and 1, in one dimension")
    if times is None:
        at = np.linspace(0, clock[-1], values.size) if values.size > 1 else np.zeros(1)
    else:
        at = np.asarray(times, dtype=np.float64)
        if at.shape != values.shape or not np.isfinite(at).all() or (np.diff(at) < 0).any():
            raise InvalidArgumentError(
                f"times must be {values.size} times in seconds that do not decrease, one for each level"
            )
    return np.interp(clock, at, values)


def _clock(n_samples: int, sampling_rate: float) -> tuple[float, np.ndarray]:
    rate = check_positive("sampling_rate", sampling_rate, "Hz")
    count = check_count("n_samples", n_samples)
    return count / rate, np.arange(count) / rate


def _between_rests(
    n_samples: int, sampling_rate: float, rest: float, course: Callable[[np.ndarray, float], np.ndarray]
) -> np.ndarray:
    """A course of the time since the first rest and of how long it lasts; nothing during the two rests."""
    duration, times = _clock(n_samples, sampling_rate)
    pause = check_positive("rest", rest, "s", allow_zero=True)
    if 2 * pause >= duration:
        raise InvalidArgumentError(f"rest, twice, must be shorter than the {duration:.4g} s, got {pause:g} s")
    within = (times >= pause) & (times < duration - pause)
    return np.where(within, course(times - pause, duration - 2 * pause), 0.0)
