"""MUAP: the potential of one motor unit on every electrode, laid out as the electrodes lie."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from forward_models import ElectrodeArray
from muemg.errors import InvalidArgumentError, check_instance
from muemg.plots._style import ACCENT, INK, MUTED, blank_figure, style
from muemg.plots._units import check_unit
from muemg.results import Decomposition

__all__ = ["channel_layout", "draw_on_grid", "plot_muap"]


def plot_muap(
    decomposition: Decomposition, unit: int, electrodes: ElectrodeArray | None = None, *, width: float = 4.0
) -> Figure:
    """One unit's action potential on the electrode grid, with a scale in µV and ms.

    Rows follow one another along the muscle fibres. A cross marks an excluded channel; the electrode that
    sees the largest potential is coloured.

    Parameters
    ----------
    decomposition : Decomposition
        Where the unit comes from.
    unit : int
        Index of the unit.
    electrodes : ElectrodeArray, optional
        Electrodes of the recording. Without them, or where they are no grid, the channels follow one another
        in columns of at most 16.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InvalidArgumentError
        If there is no such unit, the decomposition holds no MUAPs, or the electrodes are not its own.
    """
    check_instance("decomposition", decomposition, Decomposition)
    muap = np.asarray(decomposition.muaps[check_unit(decomposition, unit)], dtype=np.float64) * 1e6
    n_channels, n_lags = muap.shape
    if electrodes is not None and len(electrodes) != n_channels:
        raise InvalidArgumentError(
            f"electrodes must describe the {n_channels} channels of the decomposition, got {len(electrodes)}"
        )
    if not n_lags:
        raise InvalidArgumentError("decomposition must hold MUAPs, got none: its file format keeps no MUAPs")
    cells, _ = channel_layout(n_channels, electrodes)
    with style():
        figure = blank_figure(width, 1.1 + min(0.3 * (cells[:, 0].max() + 1), 5.5))
        draw_on_grid(figure.add_subplot(), muap, decomposition.spikes.sampling_rate, electrodes)
    return figure


def draw_on_grid(
    axes: Axes, potentials: np.ndarray, sampling_rate: float, electrodes: ElectrodeArray | None
) -> None:
    """A short piece of every channel at the place of its electrode, with a scale in µV and ms.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    potentials : ndarray, shape (n_channels, n_samples)
        In µV; a channel that is not a number is crossed out.
    sampling_rate : float
        In Hz.
    electrodes : ElectrodeArray or None
        Where the channels lie.
    """
    n_channels, n_samples = potentials.shape
    cells, pitch = channel_layout(n_channels, electrodes)
    n_rows, n_columns = cells.max(axis=0) + 1
    alive = np.isfinite(potentials).all(axis=1)
    swing = np.where(alive, np.ptp(np.where(np.isfinite(potentials), potentials, 0.0), axis=1), 0.0)
    largest = int(np.argmax(swing))
    scale = 1.25 / swing[largest] if swing[largest] > 0 else 0.0
    # One broken line for all channels draws faster, and is smaller in a file, than one line each.
    x = cells[:, 1, None] + np.append(np.linspace(-0.44, 0.44, n_samples), np.nan)
    y = cells[:, 0, None] - scale * (potentials - np.median(potentials, axis=1, keepdims=True))
    y = np.column_stack([y, np.full(n_channels, np.nan)])
    axes.plot(x[alive].ravel(), y[alive].ravel(), color=INK, lw=0.8 if n_channels <= 130 else 0.5)
    if scale > 0:
        axes.plot(x[largest], y[largest], color=ACCENT, lw=1.6 if n_channels <= 130 else 1.0)
    axes.plot(cells[~alive, 1], cells[~alive, 0], "x", color=MUTED, ms=4, mew=0.8)
    _axes_in_millimetres(axes, n_rows, n_columns, pitch)
    _scale_bars(axes, n_rows, n_columns, scale, 0.88 / (n_samples / sampling_rate * 1e3))


def channel_layout(
    n_channels: int, electrodes: ElectrodeArray | None
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Row and column of each channel; where there is a grid, the mm between rows and between columns."""
    if electrodes is None or electrodes.grid_index is None:
        n_rows = min(n_channels, 16)
        return np.column_stack([np.arange(n_channels) % n_rows, np.arange(n_channels) // n_rows]), None
    cells = electrodes.grid_index - electrodes.grid_index.min(axis=0)
    return cells, (_pitch(electrodes, 0), _pitch(electrodes, 1))


def _pitch(electrodes: ElectrodeArray, axis: int) -> float:
    """Median distance in mm between neighbours along one axis of the grid; 0 where there are none."""
    index = electrodes.grid_index
    place = {} if index is None else {(int(row), int(column)): i for i, (row, column) in enumerate(index)}
    step = (1, 0) if axis == 0 else (0, 1)
    pairs = [
        (i, place[row + step[0], column + step[1]])
        for (row, column), i in place.items()
        if (row + step[0], column + step[1]) in place
    ]
    if not pairs:
        return 0.0
    gaps = [np.linalg.norm(electrodes.positions[a] - electrodes.positions[b]) for a, b in pairs]
    return 1e3 * float(np.median(gaps))


def _axes_in_millimetres(axes: Axes, n_rows: int, n_columns: int, pitch: tuple[float, float] | None) -> None:
    axes.set_ylim(n_rows - 0.2, -1.7)
    axes.set_xlim(-0.6, n_columns - 0.4)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0)
    if pitch is None:
        axes.set(xticks=[], yticks=[], xlabel="channels, downwards (positions unknown)")
        return
    every_row = max(1, n_rows // 6)
    every_column = max(1, n_columns // 8)
    rows, columns = np.arange(0, n_rows, every_row), np.arange(0, n_columns, every_column)
    axes.set_yticks(rows, [f"{row * pitch[0]:g}" for row in rows])
    axes.set_xticks(columns, [f"{column * pitch[1]:g}" for column in columns])
    axes.set(ylabel="along the fibres (mm)", xlabel="across (mm)")


def _scale_bars(
    axes: Axes, n_rows: int, n_columns: int, per_microvolt: float, per_millisecond: float
) -> None:
    """A bar of a round number of µV upwards and one of ms to the right, under the last column."""
    if per_microvolt <= 0:
        axes.set_title("no potential", fontsize=7.5, fontweight="normal")
        return
    height, length = _round_down(0.9 / per_microvolt), _round_down(0.5 / per_millisecond)
    x, y = n_columns - 0.5 - length * per_millisecond, -0.75
    axes.text(x - 0.08, y - 0.3, f"{height:g} µV\n{length:g} ms", ha="right", va="center", fontsize=7.5)
    axes.plot(
        [x, x, x + length * per_millisecond],
        [y - height * per_microvolt, y, y],
        color=INK,
        lw=1.6,
        solid_capstyle="butt",
        clip_on=False,
    )


def _round_down(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `value`."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9)))
