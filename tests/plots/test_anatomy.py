"""The anatomy figure and the report's section show where the units lie, from a hand-made table."""

from dataclasses import replace

import numpy as np
import pytest

from muemg import Table, plots
from muemg.errors import InvalidArgumentError
from muemg.report import write_report


@pytest.fixture(scope="module")
def placed(small_scene):
    """The scene's units with made-up places."""
    found = small_scene.decomposition
    n = len(found)
    middle = {
        "lateral": np.linspace(-8e-3, 8e-3, n),
        "depth": np.linspace(6e-3, 14e-3, n),
        "zone": np.linspace(-5e-3, 5e-3, n),
        "velocity": np.full(n, 4.0),
        "distal_length": np.full(n, 50e-3),
        "proximal_length": np.full(n, 40e-3),
        "radius": np.full(n, 3e-3),
    }
    columns = dict(middle)
    for name, values in middle.items():
        columns |= {f"{name}_low": values - 1e-3, f"{name}_high": values + 1e-3}
    return replace(found, anatomy=Table(columns | {"unexplained": np.full(n, 0.05)}))


@pytest.mark.parametrize("width", [3.7, 11.0])
def test_units_are_drawn_where_they_lie(placed, small_scene, width):
    figure = plots.plot_anatomy(placed, small_scene.recording, width=width)
    figure.canvas.draw()
    across, along = figure.axes
    centres = [patch.get_xy().mean(axis=0) for patch in across.patches]
    # The closed outline repeats its first point: a sixtieth of the radius.
    np.testing.assert_allclose(
        centres, np.column_stack([placed.anatomy["lateral"], placed.anatomy["depth"]]) * 1e3, atol=0.15
    )
    fibres = [line for line in along.lines if line.get_linewidth() == 2.5]
    for line, zone in zip(fibres, placed.anatomy["zone"]):
        np.testing.assert_allclose(line.get_xdata(), [zone * 1e3 - 40, zone * 1e3 + 50])
    # Depth grows downwards.
    assert across.get_ylim()[0] > across.get_ylim()[1]


def test_without_anatomy_there_is_nothing_to_draw(small_scene):
    with pytest.raises(InvalidArgumentError, match="must have anatomy"):
        plots.plot_anatomy(small_scene.decomposition)


def test_the_report_shows_anatomy_where_there_is_some(placed, small_scene, tmp_path):
    few = placed.select_units([0, 1])
    page = write_report(tmp_path / "with.html", few, small_scene.recording).read_text(encoding="utf-8")
    assert "Where the motor units lie" in page
    assert "6.0 (5.0 to 7.0)" in page
