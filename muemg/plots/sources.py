"""Source: the innervation pulse train of one unit, with the peaks that count as its discharges."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from muemg.errors import check_instance, check_positive
from muemg.plots._style import ACCENT, FORCE, INK, blank_figure, style
from muemg.plots._units import check_unit
from muemg.results import Decomposition

__all__ = ["plot_source"]


def plot_source(
    decomposition: Decomposition, unit: int, *, close_up: float = 2.0, width: float = 6.0
) -> Figure:
    """One unit's source over the whole recording, and a close-up of where it is busiest.

    Parameters
    ----------
    decomposition : Decomposition
        Where the unit comes from.
    unit : int
        Index of the unit.
    close_up : float
        Length of the close-up in seconds.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidArgumentError
        If there is no such unit.
    """
    check_instance("decomposition", decomposition, Decomposition)
    index = check_unit(decomposition, unit)
    length = check_positive("close_up", close_up, "s")
    spikes = decomposition.spikes
    source = np.asarray(decomposition.sources[index], dtype=np.float64)
    train = spikes[index]
    # In units of the typical discharge, sources of different methods look alike.
    height = float(np.median(source[train])) if len(train) else float(np.max(np.abs(source), initial=0.0))
    source = source / height if height > 0 else source
    with style():
        figure = blank_figure(width, 2.7)
        whole, part = figure.subplots(2, 1, height_ratios=(1, 1.15))
        start = _busiest(train / spikes.sampling_rate, spikes.duration, length)
        bins = int(130 * width)
        for axes, first, last in ((whole, 0.0, spikes.duration), (part, start, start + length)):
            axes.plot(*_outline(source, spikes.sampling_rate, first, last, bins), color=INK, lw=0.6)
            inside = train[(train >= first * spikes.sampling_rate) & (train < last * spikes.sampling_rate)]
            axes.plot(
                inside / spikes.sampling_rate,
                source[inside],
                "o",
                ms=2.2 if axes is whole else 3.5,
                mew=0,
                color=FORCE,
            )
            axes.set_xlim(first, last)
            axes.set_ylim(
                min(-0.5, float(source.min(initial=0))), max(1.6, 1.05 * float(source.max(initial=0)))
            )
            axes.set_yticks([0, 1])
        whole.axvspan(start, start + length, color=ACCENT, alpha=0.15, lw=0)
        part.set_xlabel("time (s)")
        figure.supylabel("source (1 = typical discharge)", fontsize=7.5)
    return figure


def _busiest(times: np.ndarray, duration: float, length: float) -> float:
    """Start of the stretch of the given length with the most discharges."""
    if not len(times) or duration <= length:
        return 0.0
    count = np.searchsorted(times, times + length) - np.arange(len(times))
    return float(np.clip(times[np.argmax(count)] - 0.02 * length, 0, duration - length))


def _outline(
    values: np.ndarray, sampling_rate: float, first: float, last: float, bins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Times and values from `first` to `last`; of many samples the extremes of each of `bins` stretches."""
    a, b = int(first * sampling_rate), min(len(values), int(np.ceil(last * sampling_rate)))
    step = (b - a) // bins
    if step < 3:
        return np.arange(a, b) / sampling_rate, values[a:b]
    parts = values[a : a + (b - a) // step * step].reshape(-1, step)
    middles = (a + step * (np.arange(len(parts)) + 0.5)) / sampling_rate
    extremes = np.column_stack([parts.min(axis=1), parts.max(axis=1)])
    return np.repeat(middles, 2), extremes.ravel()
