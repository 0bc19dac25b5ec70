"""Raster: who fired when, from the first recruited unit to the last, with the force beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from muemg.plots._style import (
    FORCE,
    INK,
    as_spikes,
    blank_figure,
    recruitment_order,
    style,
    thin_ticks,
    unit_colours,
)
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["plot_raster"]

_ROW = 0.17  # inches


def plot_raster(
    found: Decomposition | SpikeTrains, recording: Recording | None = None, *, width: float = 9.0
) -> Figure:
    """Discharges of every unit as ticks, ordered by recruitment.

    Parameters
    ----------
    found : Decomposition or SpikeTrains
        Whose discharges to show.
    recording : Recording, optional
        If it has an auxiliary channel ``"force"``, the force is drawn behind the ticks, on the right axis.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    spikes = as_spikes(found)
    order = recruitment_order(spikes)
    height = 1.1 + _ROW * max(len(order), 6)
    with style():
        figure = blank_figure(width, height)
        axes = figure.add_subplot()
        if recording is not None and "force" in recording.auxiliary:
            behind = axes.twinx()
            behind.plot(
                *_thinned(recording.times, recording.auxiliary["force"]), color=FORCE, lw=1.6, alpha=0.75
            )
            unit = dict(recording.metadata.get("auxiliary_units", {})).get("force", "")
            behind.set_ylabel(f"force ({unit})" if unit else "force", color=FORCE)
            behind.tick_params(axis="y", labelcolor=FORCE)
            behind.spines["right"].set_visible(True)
            axes.set_zorder(behind.get_zorder() + 1)
            axes.patch.set_visible(False)
        axes.eventplot(
            [spikes.times(i) for i in order] or [np.zeros(0)],
            colors=list(unit_colours(len(order))) or [INK],
            linelengths=0.75,
            linewidths=0.7 if width > 6 else 0.5,
        )
        thin_ticks(axes, [str(spikes.unit_ids[i]) for i in order], height - 1.1)
        axes.set(xlabel="time (s)", ylabel="motor unit, by recruitment", xlim=(0, spikes.duration))
        axes.set_ylim(-0.7, max(len(order), 1) - 0.3)
        if not len(order):
            axes.text(0.5, 0.5, "no motor units", transform=axes.transAxes, ha="center")
    return figure


def _thinned(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over some thousand stretches: more than a figure can show."""
    step = max(1, len(values) // 1000)
    whole = len(values) // step * step
    return times[:whole].reshape(-1, step).mean(axis=1), values[:whole].reshape(-1, step).mean(axis=1)
