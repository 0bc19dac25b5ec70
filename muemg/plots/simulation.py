"""A simulation at a glance: what the electrodes saw, who fired when at which force, and what units look like."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muemg.errors import InvalidArgumentError, check_count, check_instance, check_positive
from muemg.io._atomic import atomic_write
from muemg.plots._style import blank_figure, recruitment_order, style
from muemg.plots.muaps import channel_layout, draw_on_grid
from muemg.plots.raster import draw_raster
from muemg.results import Simulation
from muemg.spikes import SpikeTrains

__all__ = ["plot_simulation", "save_figure"]

_FIGURE_ENDINGS = (".png", ".pdf", ".svg")
_PIXELS_PER_INCH = 150
_RASTER_ROOM = 3.6  # inches


def plot_simulation(
    simulation: Simulation, *, excerpt: float = 0.1, n_muaps: int = 4, width: float = 12.0
) -> Figure:
    """The recording on its grid, the discharges with the force behind, and the MUAPs of a few units.

    Parameters
    ----------
    simulation : Simulation
        What to show.
    excerpt : float
        Length in seconds of the piece of signal, taken where most units discharge.
    n_muaps : int
        How many motor units, from the first recruited to the last.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidArgumentError
        If `simulation` is none, or a number is not positive.
    """
    check_instance("simulation", simulation, Simulation)
    length = check_positive("excerpt", excerpt, "s")
    check_count("n_muaps", n_muaps)
    recording, spikes = simulation.recording, simulation.spikes
    active = recruitment_order(spikes)[: np.count_nonzero(spikes.n_spikes)]
    shown = active if len(active) else np.arange(len(spikes))
    shown = (
        shown[np.unique(np.linspace(0, max(len(shown) - 1, 0), n_muaps).astype(int))] if len(shown) else shown
    )
    rows, _ = channel_layout(recording.n_channels, recording.electrodes)
    tall = 4.6 if rows[:, 0].max() < 20 else 7.0
    with style():
        figure = blank_figure(width, 2 * tall if len(shown) else tall)
        upper, *lower = figure.subfigures(2 if len(shown) else 1, 1, squeeze=False).ravel()
        grid, raster = upper.subplots(1, 2, width_ratios=(1, 1.5))
        first, last = _busiest(spikes, length)
        microvolts = recording.signal[:, first:last].astype(np.float64) * 1e6
        draw_on_grid(grid, microvolts, recording.sampling_rate, recording.electrodes)
        start = first / recording.sampling_rate
        grid.set_title(
            f"{(last - first) / recording.sampling_rate * 1e3:.0f} ms of signal from {start:.2f} s"
        )
        draw_raster(raster, spikes.select_units(active), recording, room=_RASTER_ROOM)
        silent = len(spikes) - len(active)
        raster.set_title(f"{len(active)} motor units" + (f", and {silent} that are silent" if silent else ""))
        if lower:
            many = lower[0].subplots(1, len(shown), squeeze=False)[0]
            for axes, unit in zip(many, shown):
                _draw_muap(axes, simulation, int(unit))
    return figure


def _draw_muap(axes: Axes, simulation: Simulation, unit: int) -> None:
    microvolts = simulation.muaps[unit].astype(np.float64) * 1e6
    recording = simulation.recording
    draw_on_grid(axes, microvolts, recording.sampling_rate, recording.electrodes)
    table = simulation.motor_units
    lines = [f"motor unit {simulation.spikes.unit_ids[unit]}", ""]
    if "threshold" in table:
        lines[0] += f", recruited at {100 * table['threshold'][unit]:.3g} %"
    if "n_fibres" in table:
        lines[1] = f"{table['n_fibres'][unit]:.0f} fibres"
    if "depth" in table:
        lines[1] += f", {1e3 * table['depth'][unit]:.3g} mm deep"
    axes.set_title("\n".join(lines).rstrip(), fontsize=8, fontweight="normal")


def _busiest(spikes: SpikeTrains, length: float) -> tuple[int, int]:
    """First and one-past-last sample of the piece with the most discharges."""
    n_samples = min(spikes.n_samples, max(2, round(length * spikes.sampling_rate)))
    times = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *spikes.samples]))
    if not len(times):
        return 0, n_samples
    count = np.searchsorted(times, times + n_samples) - np.arange(len(times))
    first = int(np.clip(times[np.argmax(count)] - n_samples // 20, 0, spikes.n_samples - n_samples))
    return first, first + n_samples


def save_figure(path: str | os.PathLike[str], figure: Figure) -> Path:
    """Write a figure to a file that appears whole or not at all.

    Parameters
    ----------
    path : path-like
        Where to; ``.png``, ``.pdf`` or ``.svg``.
    figure : matplotlib.figure.Figure
        The figure.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If the extension is none of these.
    """
    file = Path(path)
    if file.suffix.lower() not in _FIGURE_ENDINGS:
        raise InvalidArgumentError(f"path must end in {', '.join(_FIGURE_ENDINGS)}; got {file.name!r}")
    kind = file.suffix.lower().removeprefix(".")
    # A date would give other bytes each time.
    undated = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
    with atomic_write(file) as stream, style():
        figure.savefig(stream, format=kind, dpi=_PIXELS_PER_INCH, metadata=undated[kind])
    return file
