"""Raster: who fired when, from the first recruited unit to the last, with the force beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
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

__all__ = ["draw_raster", "plot_raster"]

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
    height = 1.1 + _ROW * max(len(spikes), 6)
    with style():
        figure = blank_figure(width, height)
        axes = figure.add_subplot()
        draw_raster(axes, spikes, recording, room=height - 1.1, line_width=0.7 if width > 6 else 0.5)
    return figure


def draw_raster(
    axes: Axes, spikes: SpikeTrains, recording: Recording | None, *, room: float, line_width: float = 0.7
) -> None:
    """Discharges as ticks by recruitment, in front of the force and, where there is one, its target.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    spikes : SpikeTrains
        Whose discharges.
    recording : Recording or None
        With auxiliary tracks ``"force"`` and ``"target"``, if any.
    room : float
        Height in inches, for the labels.
    line_width : float
        Of a tick, in points.
    """
    order = recruitment_order(spikes)
    if recording is not None and "force" in recording.auxiliary:
        _draw_force(axes, recording)
    axes.eventplot(
        [spikes.times(i) for i in order] or [np.zeros(0)],
        colors=list(unit_colours(len(order))) or [INK],
        linelengths=0.75,
        linewidths=line_width,
    )
    thin_ticks(axes, [str(spikes.unit_ids[i]) for i in order], room)
    axes.set(xlabel="time (s)", ylabel="motor unit, by recruitment", xlim=(0, spikes.duration))
    axes.set_ylim(-0.7, max(len(order), 1) - 0.3)
    if not len(order):
        axes.text(0.5, 0.5, "no motor units", transform=axes.transAxes, ha="center")


def _draw_force(axes: Axes, recording: Recording) -> None:
    behind = axes.twinx()
    behind.plot(*_thinned(recording.times, recording.auxiliary["force"]), color=FORCE, lw=1.6, alpha=0.75)
    if "target" in recording.auxiliary:
        target = _thinned(recording.times, recording.auxiliary["target"])
        behind.plot(*target, color=FORCE, lw=0.9, ls="--", alpha=0.75)
    unit = dict(recording.metadata.get("auxiliary_units", {})).get("force", "")
    behind.set_ylabel(f"force ({unit})" if unit else "force", color=FORCE)
    behind.tick_params(axis="y", labelcolor=FORCE)
    behind.spines["right"].set_visible(True)
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)


def _thinned(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means over some thousand stretches: more than a figure can show."""
    step = max(1, len(values) // 1000)
    whole = len(values) // step * step
    return times[:whole].reshape(-1, step).mean(axis=1), values[:whole].reshape(-1, step).mean(axis=1)
