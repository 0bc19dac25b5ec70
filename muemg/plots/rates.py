"""Smoothed discharge rates: how fast each motor neuron fires, and how they rise and fall together."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from muemg.errors import check_instance, check_positive
from muemg.plots._style import MUTED, as_spikes, blank_figure, recruitment_order, style, unit_colours
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["plot_rates", "smoothed_rates"]


def smoothed_rates(
    spikes: SpikeTrains, window: float = 1.0, step: float = 0.02
) -> tuple[np.ndarray, np.ndarray]:
    """Discharge rates smoothed with a Hann window of unit area (De Luca, LeFever, McCue & Xenakis 1982).

    Near the ends, where part of the window lies outside the recording, it is scaled to keep its area.

    Parameters
    ----------
    spikes : SpikeTrains
        The discharges.
    window : float
        Length of the window in seconds: 0.4 follows fast changes, 1 smooths single intervals away.
    step : float
        Distance in seconds between the instants at which the rate is given.

    Returns
    -------
    times : ndarray, shape (n_times,)
        In seconds.
    rates : ndarray, shape (n_units, n_times)
        In Hz.

    Raises
    ------
    InvalidArgumentError
        If `window` or `step` is not positive.
    """
    check_instance("spikes", spikes, SpikeTrains)
    window = check_positive("window", window, "s")
    step = check_positive("step", step, "s")
    times = (np.arange(max(1, int(spikes.duration / step))) + 0.5) * step
    rates = np.zeros((len(spikes), len(times)))
    for rate, train in zip(rates, spikes):
        # Sums of the window over the spikes near each instant, one offset of the window at a time.
        nearest = train / spikes.sampling_rate
        first = np.searchsorted(nearest, times - window / 2)
        count = np.searchsorted(nearest, times + window / 2) - first
        for k in range(int(count.max(initial=0))):
            here = count > k
            distance = nearest[first[here] + k] - times[here]
            rate[here] += (1 + np.cos(2 * np.pi * distance / window)) / window
    inside = _share_of_hann(times, window) - _share_of_hann(times - spikes.duration, window)
    return times, rates / inside


def _share_of_hann(time: np.ndarray, window: float) -> np.ndarray:
    """Integral of the Hann window of unit area from −∞ to `time`."""
    s = np.clip(time / window, -0.5, 0.5)
    return 0.5 + s + np.sin(2 * np.pi * s) / (2 * np.pi)


def plot_rates(found: Decomposition | SpikeTrains, *, window: float = 1.0, width: float = 9.0) -> Figure:
    """Smoothed discharge rate of every unit, coloured by recruitment; a unit's line breaks where it rests.

    Parameters
    ----------
    found : Decomposition or SpikeTrains
        Whose discharge rates to show.
    window : float
        Length in seconds of the Hann window.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    spikes = as_spikes(found)
    order = recruitment_order(spikes)
    times, rates = smoothed_rates(spikes, window)
    with style():
        figure = blank_figure(width, 3.2 if width > 6 else 2.6)
        axes = figure.add_subplot()
        for index, colour in zip(order, unit_colours(len(order))):
            shown = np.where(_active(times, spikes.times(index), window), rates[index], np.nan)
            axes.plot(times, shown, color=colour, lw=1.1, label=str(spikes.unit_ids[index]))
        axes.set(xlabel="time (s)", ylabel="discharge rate (Hz)", xlim=(0, spikes.duration))
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=MUTED, alpha=0.25, lw=0.5)
        if len(order) > 1:
            said = f"dark: recruited first, light: last ({window:g} s Hann window)"
            axes.set_title(said, fontsize=7.5, fontweight="normal")
    return figure


def _active(times: np.ndarray, discharges: np.ndarray, window: float) -> np.ndarray:
    """Where the window holds at least one discharge."""
    return np.searchsorted(discharges, times + window / 2) > np.searchsorted(discharges, times - window / 2)
