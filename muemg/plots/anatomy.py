"""Anatomy: where the motor units lie, across the fibres and along them, with intervals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muemg.errors import InvalidArgumentError, check_instance
from muemg.plots._style import ACCENT, INK, MUTED, blank_figure, recruitment_order, style, unit_colours
from muemg.recording import Recording
from muemg.results import Decomposition

__all__ = ["plot_anatomy"]

_MM = 1e3


def plot_anatomy(
    decomposition: Decomposition, recording: Recording | None = None, *, width: float = 9.0
) -> Figure:
    """Motor units in the cross-section and along the fibres, beside the electrodes.

    Left: territories across the fibres, at their depth below the skin. Right: each unit's fibres from tendon to tendon
    with its innervation zone, at its lateral position. Thin lines are 95 % intervals.

    Parameters
    ----------
    decomposition : Decomposition
        With ``anatomy``, as method ``"bmiss"`` gives it.
    recording : Recording, optional
        Shows its electrodes.
    width : float
        In inches; below 6 the two views stand one above the other.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidArgumentError
        If the decomposition has no anatomy.
    """
    check_instance("decomposition", decomposition, Decomposition)
    anatomy = decomposition.anatomy
    if anatomy is None or "depth" not in anatomy:
        raise InvalidArgumentError("decomposition must have anatomy, as method='bmiss' gives it; it has none")
    at = {name: np.asarray(anatomy[name]) * _MM for name in anatomy.columns if name != "cosine"}
    order = recruitment_order(decomposition.spikes)
    colours = np.empty((len(order), 4))
    colours[order] = unit_colours(len(order))
    with style():
        wide = width > 6
        figure = blank_figure(width, 3.4 if wide else 6.4)
        across, along = figure.subplots(1 if wide else 2, 2 if wide else 1, squeeze=False).ravel()
        turn = np.linspace(0, 2 * np.pi, 60)
        for i, colour in enumerate(colours):
            x, depth, radius = at["lateral"][i], at["depth"][i], at["radius"][i]
            across.fill(
                x + radius * np.cos(turn), depth + radius * np.sin(turn), color=colour, alpha=0.25, lw=0
            )
            _interval(across, at, i, "lateral", depth, colour, horizontal=True)
            _interval(across, at, i, "depth", x, colour, horizontal=False)
            zone = at["zone"][i]
            ends = zone - at["proximal_length"][i], zone + at["distal_length"][i]
            along.plot(ends, (x, x), color=colour, alpha=0.35, lw=2.5)
            along.plot(zone, x, "o", color=colour, ms=3.5)
            _interval(along, at, i, "zone", x, INK, horizontal=True)
        _electrodes(recording, across, along)
        across.invert_yaxis()
        across.set_aspect("equal", adjustable="datalim")
        across.set(
            xlabel="lateral position (mm)", ylabel="depth below the skin (mm)", title="Across the fibres"
        )
        along.set(
            xlabel="position along the fibres (mm)", ylabel="lateral position (mm)", title="Along the fibres"
        )
    return figure


def _interval(
    axes: Axes,
    at: dict[str, np.ndarray],
    unit: int,
    name: str,
    other: float,
    colour: str | np.ndarray,
    *,
    horizontal: bool,
) -> None:
    ends, level = (at[f"{name}_low"][unit], at[f"{name}_high"][unit]), (other, other)
    axes.plot(*((ends, level) if horizontal else (level, ends)), color=colour, lw=0.9)


def _electrodes(recording: Recording | None, across: Axes, along: Axes) -> None:
    if recording is None or recording.electrodes is None:
        return
    x, _, z = recording.electrodes.positions.T * _MM
    columns = np.unique(np.round(x, 3))
    across.plot(columns, np.zeros(len(columns)), "s", color=ACCENT, ms=3, mew=0, label="electrodes")
    along.plot(z, x, ".", color=MUTED, ms=2, zorder=0)
    across.legend(loc="lower right")
