"""How every figure looks: colours that colour-blind readers can tell apart, plain axes, sizes in inches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muemg.errors import InvalidArgumentError, check_positive
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = [
    "ACCENT",
    "FORCE",
    "INK",
    "MUTED",
    "as_spikes",
    "blank_figure",
    "recruitment_order",
    "style",
    "thin_ticks",
    "unit_colours",
]

# Okabe and Ito (2008), told apart by all common kinds of colour vision.
INK = "#1b1e23"
MUTED = "#8a9099"
ACCENT = "#0072b2"
FORCE = "#d55e00"

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "path.simplify_threshold": 0.2,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of this package, without changing the caller's settings."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def blank_figure(width: float, height: float) -> Figure:
    """An empty figure that belongs to no window, so that none has to be closed."""
    return Figure(figsize=(check_positive("width", width, "inches"), height), layout="constrained")


def unit_colours(n_units: int) -> np.ndarray:
    """One colour per unit in the order of recruitment: viridis without its palest end, shape (n_units, 4)."""
    return matplotlib.colormaps["viridis"](np.linspace(0.0, 0.82, max(n_units, 1))[:n_units])


def as_spikes(found: Decomposition | SpikeTrains) -> SpikeTrains:
    """The spike trains of what was given."""
    if isinstance(found, Decomposition):
        return found.spikes
    if isinstance(found, SpikeTrains):
        return found
    raise InvalidArgumentError(f"found must be a Decomposition or SpikeTrains, got {type(found).__name__}")


def recruitment_order(spikes: SpikeTrains) -> np.ndarray:
    """Indices of the units by their first discharge; silent units come last."""
    first = [train[0] if len(train) else spikes.n_samples for train in spikes]
    return np.argsort(first, kind="stable")


def thin_ticks(axes: Axes, names: list[str], room: float) -> None:
    """Label the rows of a plot, but only every n-th where `room` inches do not hold them all."""
    step = max(1, int(np.ceil(len(names) * 0.16 / max(room, 0.1))))
    axes.set_yticks(np.arange(0, len(names), step), names[::step])
