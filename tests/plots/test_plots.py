"""Figures show what the records hold: read back from the artists, not from pixels."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from forward_models import ElectrodeArray
from muemg import Decomposition, Simulation, SpikeTrains, Table, plots
from muemg.errors import InvalidArgumentError


def drawn(figure):
    """The figure, once it has really been rendered."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()
    return figure


def without_units(n_channels=8):
    spikes = SpikeTrains((), 2000.0, 4000)
    return Decomposition(spikes, np.zeros((0, 4000)), np.zeros((0, n_channels, 11)), Table({}))


@pytest.mark.parametrize("width", [3.7, 11.0])
def test_the_raster_has_a_tick_for_every_discharge_and_the_force_behind(small_scene, width):
    figure = drawn(plots.plot_raster(small_scene.decomposition, small_scene.recording, width=width))
    ticks, behind = figure.axes
    times = [np.sort(np.array(row.get_positions())) for row in ticks.collections]
    for row, train in zip(times, small_scene.decomposition.spikes):
        np.testing.assert_allclose(row, train / 2000.0)
    assert behind.get_ylabel() == "force (% MVC)"
    assert behind.lines[0].get_ydata().max() == pytest.approx(20)
    assert figure.get_figwidth() == width


def test_the_raster_orders_by_recruitment():
    late_first = SpikeTrains(([300, 400], [10, 500], []), 1000.0, 1000, ("late", "early", "silent"))
    axes = drawn(plots.plot_raster(late_first)).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["early", "late", "silent"]


def test_many_units_are_labelled_sparsely():
    spikes = SpikeTrains(tuple([[i] for i in range(100)]), 1000.0, 1000)
    axes = drawn(plots.plot_raster(spikes)).axes[0]
    # 0.17 inches a row hold a label of 8.5 points (0.12 inches) each.
    assert 50 <= len(axes.get_yticks()) <= 100


# A regular train at r Hz has the smoothed rate r but for the ripple of the window: below 1 % for 1 s at 5 Hz.
@given(rate=st.floats(5, 40), phase=st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_the_smoothed_rate_of_a_regular_train_is_its_rate(rate, phase):
    spikes = SpikeTrains.from_times([(np.arange(int(rate * 9)) + phase) / rate], 10_000.0, 100_000)
    times, rates = plots.smoothed_rates(spikes)
    middle = (times > 1) & (times < 8)
    assert rates[0, middle] == pytest.approx(rate, rel=0.01)


def test_the_smoothed_rate_counts_every_discharge_once():
    spikes = SpikeTrains(([4000, 4001, 9000], []), 2000.0, 20_000)
    times, rates = plots.smoothed_rates(spikes, window=0.5, step=0.01)
    # The window has unit area, and the trapezoidal sum of a smooth periodic window is exact.
    assert np.sum(rates, axis=1) * 0.01 == pytest.approx([3, 0], abs=1e-9)
    assert times[0] == pytest.approx(0.005)


def test_the_smoothed_rate_does_not_sink_at_the_ends():
    spikes = SpikeTrains.from_times([np.arange(0.05, 5, 0.1)], 1000.0, 5000)
    _, rates = plots.smoothed_rates(spikes)
    # Half a window at the end holds 5 of 10 intervals; where they fall within it leaves a few percent.
    assert rates == pytest.approx(10, rel=0.05)


def test_rates_are_drawn_only_while_a_unit_is_active(small_scene):
    axes = drawn(plots.plot_rates(small_scene.decomposition)).axes[0]
    assert len(axes.lines) == 3
    times, rates = axes.lines[0].get_data()
    assert np.isnan(rates[times < 0.4]).all()
    # Intervals vary by 10 %; the median over 5 s of them lies within a few percent of the rate.
    assert np.nanmedian(rates) == pytest.approx(8, rel=0.1)


def test_the_muap_lies_where_its_electrodes_lie(small_scene):
    decomposition, electrodes = small_scene.decomposition, small_scene.recording.electrodes
    axes = drawn(plots.plot_muap(decomposition, 1, electrodes)).axes[0]
    everything, strongest, crosses = axes.lines[:3]
    assert crosses.get_xydata().tolist() == [[1, 2]]
    x, y = everything.get_data()
    traces = [(x[k : k + 41].mean(), y[k : k + 41]) for k in range(0, len(x), 42)]
    alive = [channel for channel in range(8) if channel != 5]
    assert len(traces) == 7
    for channel, (middle, trace) in zip(alive, traces):
        row, column = electrodes.grid_index[channel]
        assert middle == pytest.approx(column)
        assert np.median(trace) == pytest.approx(row, abs=1e-9)
    # Upwards on the page is positive: the axis is turned, row 0 on top.
    potential = decomposition.muaps[1, 0]
    assert np.argmin(traces[0][1]) == np.argmax(potential)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert len(strongest.get_xdata()) == 42


@pytest.mark.parametrize("unit", [0, 1, 2])
def test_the_bars_of_the_muap_have_the_length_they_say(small_scene, unit):
    decomposition = small_scene.decomposition
    axes = drawn(plots.plot_muap(decomposition, unit, small_scene.recording.electrodes)).axes[0]
    bar_x, bar_y = axes.lines[-1].get_data()
    said = axes.texts[-1].get_text().split()
    microvolts, milliseconds = float(said[0]), float(said[2])
    everything = axes.lines[0].get_ydata()
    swing = np.nanmax(everything[:41]) - np.nanmin(everything[:41])
    true_swing = 1e6 * np.ptp(decomposition.muaps[unit, 0])
    assert np.ptp(bar_y) / microvolts == pytest.approx(swing / true_swing)
    width = np.ptp(axes.lines[0].get_xdata()[:41])
    # 41 samples cover 40 intervals; the scale counts 41.
    assert np.ptp(bar_x) / milliseconds == pytest.approx(width / (41 / 2.0))


def test_muaps_without_a_grid_stand_in_channel_order(small_scene):
    drawn(plots.plot_muap(small_scene.decomposition, 0))
    scattered = ElectrodeArray(small_scene.recording.electrodes.positions)
    axes = drawn(plots.plot_muap(small_scene.decomposition, 0, scattered)).axes[0]
    assert "unknown" in axes.get_xlabel()


def test_a_unit_without_a_potential_can_be_drawn(small_scene):
    spikes = small_scene.decomposition.spikes.select_units([0])
    table = Table({"sil": [0.9]})
    for muaps in (np.zeros((1, 8, 11)), np.full((1, 8, 11), np.nan)):
        flat = Decomposition(spikes, np.zeros((1, spikes.n_samples)), muaps, table)
        muap = drawn(plots.plot_muap(flat, 0)).axes[0]
        assert muap.get_title(loc="left") == "no potential"
        crosses = [line for line in muap.lines if line.get_marker() == "x"]
        assert sum(len(line.get_xdata()) for line in crosses) == (8 if np.isnan(muaps).any() else 0)
        whole = drawn(plots.plot_source(flat, 0)).axes[0]
        assert np.all(whole.lines[-1].get_ydata() == 0)
        assert len(whole.lines[-1].get_xdata()) == len(spikes[0])
        assert drawn(plots.plot_quality(flat)).axes[0].get_xlabel() == "silhouette"


def test_the_source_has_a_dot_on_each_detected_peak(small_scene):
    decomposition = small_scene.decomposition
    whole, part = drawn(plots.plot_source(decomposition, 2)).axes
    x, y = whole.lines[-1].get_data()
    train = decomposition.spikes[2]
    np.testing.assert_allclose(x, train / 2000.0)
    source = decomposition.sources[2]
    np.testing.assert_allclose(y, source[train] / np.median(source[train]), rtol=1e-6)
    start, stop = part.get_xlim()
    assert stop - start == pytest.approx(2)
    inside = (train / 2000.0 >= start) & (train / 2000.0 < stop)
    assert len(part.lines[-1].get_xdata()) == np.count_nonzero(inside) > 15


def test_a_long_source_is_thinned_without_losing_its_peaks(small_scene):
    whole = drawn(plots.plot_source(small_scene.decomposition, 0, width=3.0)).axes[0]
    _, outline = whole.lines[0].get_data()
    source = small_scene.decomposition.sources[0]
    height = np.median(source[small_scene.decomposition.spikes[0]])
    assert len(outline) < 0.1 * len(source)
    assert outline.max() == pytest.approx(source.max() / height)
    assert outline.min() == pytest.approx(source.min() / height)


@pytest.mark.parametrize("width", [3.7, 9.0])
def test_quality_shows_every_measure_of_every_unit(small_scene, width):
    figure = drawn(plots.plot_quality(small_scene.decomposition, width=width))
    values = np.sort(np.concatenate([line.get_xdata() for line in figure.axes[0].lines]))
    np.testing.assert_allclose(values, [0.91, 0.93, 0.95])
    assert len(figure.axes) == 4


def test_nothing_found_can_be_drawn():
    raster = drawn(plots.plot_raster(without_units())).axes[0]
    assert [text.get_text() for text in raster.texts] == ["no motor units"]
    assert raster.get_xlim() == (0, 2)
    rates = drawn(plots.plot_rates(without_units())).axes[0]
    assert not rates.lines
    assert rates.get_xlim() == (0, 2)
    # No column of quality, so no strip is shown.
    assert not any(axes.get_visible() for axes in drawn(plots.plot_quality(without_units())).axes)


def test_what_cannot_be_drawn_is_a_clear_error(small_scene):
    decomposition = small_scene.decomposition
    with pytest.raises(InvalidArgumentError, match=r"unit must be an index in 0\.\.2; got 3"):
        plots.plot_source(decomposition, 3)
    with pytest.raises(InvalidArgumentError, match="there are no units"):
        plots.plot_muap(without_units(), 0)
    with pytest.raises(InvalidArgumentError, match="electrodes must describe the 8 channels"):
        plots.plot_muap(decomposition, 0, ElectrodeArray.grid(3, 3, 8e-3))
    with pytest.raises(InvalidArgumentError, match="found must be a Decomposition or SpikeTrains"):
        plots.plot_raster(small_scene.recording)
    lagless = Decomposition(
        decomposition.spikes, decomposition.sources, np.zeros((3, 8, 0)), decomposition.quality
    )
    with pytest.raises(InvalidArgumentError, match="keeps no MUAPs"):
        plots.plot_muap(lagless, 0)


def test_drawing_leaves_the_callers_style_alone(small_scene):
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn(plots.plot_raster(small_scene.decomposition, small_scene.recording))
    assert dict(matplotlib.rcParams) == before


def simulation(scene):
    spikes = scene.spikes
    table = Table({"threshold": [0.01, 0.1, 0.3], "n_fibres": [20, 50, 300], "depth": [5e-3, 8e-3, 12e-3]})
    muaps = np.nan_to_num(scene.decomposition.muaps)
    return Simulation(scene.recording, spikes, muaps, table, 20)


def test_a_simulation_shows_its_signal_its_discharges_and_its_units(small_scene):
    made = simulation(small_scene)
    figure = drawn(plots.plot_simulation(made, excerpt=0.2, n_muaps=2))
    grid, raster, force, first, last = figure.axes
    assert [len(row.get_positions()) for row in raster.collections] == made.spikes.n_spikes.tolist()
    np.testing.assert_allclose(force.lines[0].get_ydata().max(), 20)
    # The traces are the 0.2 s that the title names, all scaled alike: their shape is that of the signal.
    start = float(grid.get_title(loc="left").split("from ")[1].split()[0])
    traces = grid.lines[0].get_ydata().reshape(8, -1)[:, :400]
    cells = made.recording.electrodes.grid_index[:, 0]
    shapes = cells[:, None] - traces
    # The title rounds to 10 ms, so the piece may begin up to 10 samples earlier or later.
    near = [
        made.recording.signal[:, at : at + 400]
        for at in range(round(start * 2000) - 11, round(start * 2000) + 12)
    ]
    assert max(np.corrcoef(shapes[0], piece[0])[0, 1] for piece in near) > 0.9999
    assert "recruited at 1 %\n20 fibres, 5 mm deep" in first.get_title(loc="left")
    assert "300 fibres" in last.get_title(loc="left")


def test_a_simulation_in_which_nobody_fires_can_be_shown(small_scene):
    made = simulation(small_scene)
    silent = SpikeTrains(([], [], []), 2000.0, made.recording.n_samples)
    figure = drawn(plots.plot_simulation(replace(made, spikes=silent)))
    assert "0 motor units, and 3 that are silent" in figure.axes[1].get_title(loc="left")


@pytest.mark.parametrize(("ending", "magic"), [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml")])
def test_a_figure_is_saved_whole_and_twice_alike(small_scene, tmp_path, ending, magic):
    figures = [plots.plot_rates(small_scene.spikes) for _ in range(2)]
    files = [plots.save_figure(tmp_path / f"{i}{ending}", figure) for i, figure in enumerate(figures)]
    assert files[0].read_bytes().startswith(magic)
    if ending != ".svg":  # matplotlib numbers the parts of an SVG by chance
        assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(InvalidArgumentError, match=r"must end in \.png, \.pdf, \.svg; got 'x\.tif'"):
        plots.save_figure(tmp_path / "x.tif", figures[0])
