"""Quality: how sure the separation is of each unit, measure by measure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from muemg.errors import check_instance
from muemg.plots._style import ACCENT, FORCE, MUTED, blank_figure, recruitment_order, style, thin_ticks
from muemg.results import Decomposition

__all__ = ["plot_quality"]

# Column, axis label, factor to the label's unit.
_MEASURES = (
    ("sil", "silhouette", 1.0),
    ("pnr", "pulse-to-noise ratio (dB)", 1.0),
    ("cov_isi", "CoV of the intervals (%)", 100.0),
    ("rate", "mean discharge rate (Hz)", 1.0),
)


def plot_quality(decomposition: Decomposition, *, width: float = 9.0) -> Figure:
    """Silhouette, pulse-to-noise ratio, CoV-ISI and mean rate of every unit, in the order of recruitment.

    Parameters
    ----------
    decomposition : Decomposition
        Whose quality to show; units that were not accepted are hollow.
    width : float
        In inches; below 6 the measures stand two by two.

    Returns
    -------
    matplotlib.figure.Figure
    """
    check_instance("decomposition", decomposition, Decomposition)
    quality = decomposition.quality
    order = recruitment_order(decomposition.spikes)
    shown = [measure for measure in _MEASURES if measure[0] in quality]
    accepted = (
        np.asarray(quality["accepted"], dtype=bool)
        if "accepted" in quality
        else np.ones(len(order), dtype=bool)
    )
    names = [str(decomposition.spikes.unit_ids[i]) for i in order]
    rows = np.arange(len(order))
    side_by_side = width > 6
    body = 0.165 * max(len(order), 6)
    with style():
        figure = blank_figure(width, 0.8 + body if side_by_side else 2 * (0.7 + body))
        grid = figure.subplots(1 if side_by_side else 2, 4 if side_by_side else 2, sharey=True, squeeze=False)
        for axes in grid.ravel()[len(shown) :]:
            axes.set_visible(False)
        for axes, (column, label, factor) in zip(grid.ravel(), shown):
            values = np.asarray(quality[column], dtype=np.float64)[order] * factor
            for kind, face in ((accepted[order], ACCENT), (~accepted[order], "none")):
                axes.plot(
                    values[kind], rows[kind], "o", ms=4, mfc=face, mec=ACCENT if face != "none" else FORCE
                )
            axes.set_xlabel(label)
            axes.grid(axis="x", color=MUTED, alpha=0.25, lw=0.5)
        thin_ticks(grid[0, 0], names, body)
        grid[0, 0].set_ylim(-0.7, max(len(order), 1) - 0.3)
        for axes in grid[:, 0]:
            axes.set_ylabel("motor unit")
    return figure
