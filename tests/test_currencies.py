"""Recording, SpikeTrains and the records made of them: what they accept, refuse, and keep."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forward_models import ElectrodeArray
from muemg import Decomposition, MuemgError, Recording, SpikeTrains, Table
from muemg.errors import InvalidArgumentError


def recording(**changes) -> Recording:
    signal = np.arange(4 * 100, dtype=np.float64).reshape(4, 100)
    fields = {
        "signal": signal,
        "sampling_rate": 100.0,
        "electrodes": ElectrodeArray.grid(2, 2, 8e-3),
        "auxiliary": {"force": np.arange(100.0)},
    }
    return Recording(**(fields | changes))


class TestRecording:
    def test_is_single_precision_frozen_and_apart_from_its_source(self):
        source = np.ones((2, 10))
        made = Recording(source, 10)
        source[:] = 5
        assert made.signal.dtype == np.float32
        assert (made.signal == 1).all()
        with pytest.raises(ValueError, match="read-only"):
            made.signal[0, 0] = 2
        with pytest.raises(dataclasses.FrozenInstanceError):
            made.sampling_rate = 5

    def test_slices_in_time_carry_everything_along(self):
        part = recording().time_slice(0.25, 0.75)
        np.testing.assert_array_equal(part.signal[0], np.arange(25, 75))
        np.testing.assert_array_equal(part.auxiliary["force"], np.arange(25, 75))
        assert part.duration == pytest.approx(0.5)

    def test_a_slice_may_have_more_channels_than_samples(self):
        assert recording().time_slice(0.0, 0.02).signal.shape == (4, 2)

    @given(cut=st.integers(1, 99))
    def test_two_slices_make_the_whole(self, cut):
        whole = recording()
        parts = whole.time_slice(0, cut / 100), whole.time_slice(cut / 100)
        np.testing.assert_array_equal(np.concatenate([p.signal for p in parts], axis=1), whole.signal)

    @pytest.mark.parametrize("channels", [[3, 1], np.array([False, True, False, True])])
    def test_channels_take_their_electrodes_along(self, channels):
        part = recording().select_channels(channels)
        assert len(part.electrodes) == part.n_channels == 2
        index = np.arange(4)[channels]
        np.testing.assert_array_equal(part.electrodes.positions, recording().electrodes.positions[index])
        assert part.channel_names == tuple(str(i) for i in index)

    def test_repr_says_what_it_is(self):
        assert repr(recording()) == "<Recording: 4 channels × 1 s at 100 Hz; 4 electrodes; with force>"

    def test_not_a_number_is_kept_for_preprocessing_to_report(self):
        signal = np.zeros((1, 5))
        signal[0, 2] = np.nan
        assert np.isnan(Recording(signal, 10).signal[0, 2])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"signal": np.zeros(5)}, r"signal must have shape \(n_channels, n_samples\)"),
            ({"signal": np.zeros((4, 100), dtype=np.int16)}, "volts, got int16: multiply"),
            ({"signal": np.zeros((4, 100), dtype=complex)}, "got complex128"),
            ({"signal": np.zeros((100, 4))}, "looks transposed: pass signal.T"),
            ({"signal": np.zeros((0, 5))}, "at least one channel"),
            ({"sampling_rate": 0}, "sampling_rate must be a finite number > 0 Hz, got 0"),
            ({"sampling_rate": -2048.0}, "got -2048"),
            ({"sampling_rate": np.nan}, "got nan"),
            ({"sampling_rate": None}, "got None"),
            ({"sampling_rate": "2048"}, "got '2048'"),
            ({"electrodes": ElectrodeArray.grid(1, 3, 8e-3)}, "4 channels of the signal, got 3"),
            ({"auxiliary": {"force": np.zeros(7)}}, r"auxiliary\['force'\] must have shape \(100,\)"),
            ({"channel_names": ("a", "a", "b", "c")}, "4 different names"),
        ],
    )
    def test_bad_input_is_named(self, changes, message):
        with pytest.raises(InvalidArgumentError, match=message):
            recording(**changes)

    @pytest.mark.parametrize("window", [(2.0, None), (0.5, 0.2), (-1.0, None)])
    def test_empty_or_negative_windows_are_refused(self, window):
        with pytest.raises(InvalidArgumentError, match="start"):
            recording().time_slice(*window)

    @pytest.mark.parametrize("channels", [[], [0, 0], [4], [0.5], [True, False]])
    def test_bad_choices_of_channels_are_refused(self, channels):
        with pytest.raises(InvalidArgumentError, match="channels"):
            recording().select_channels(channels)


class TestSpikeTrains:
    def test_units_with_and_without_discharges(self):
        trains = SpikeTrains(([1, 5, 9], []), 10.0, 20, ("a", 7))
        assert len(trains) == 2
        assert trains[0].dtype == np.int64
        assert trains.n_spikes.tolist() == [3, 0]
        assert trains.unit_ids == ("a", 7)
        np.testing.assert_allclose(trains.times(0), [0.1, 0.5, 0.9])
        assert repr(trains) == "<SpikeTrains: 2 units × 2 s at 10 Hz, 0–3 spikes each>"

    def test_no_unit_at_all(self):
        assert len(SpikeTrains((), 10.0, 20)) == 0
        assert SpikeTrains((), 10.0, 20).to_dense().shape == (0, 20)

    @given(st.lists(st.sets(st.integers(0, 99)), max_size=4))
    def test_dense_and_back(self, units):
        trains = SpikeTrains(tuple(sorted(unit) for unit in units), 50.0, 100)
        if len(trains):
            assert SpikeTrains.from_dense(trains.to_dense(), 50.0) == trains

    def test_slices_count_from_their_start(self):
        part = SpikeTrains(([1, 5, 9], [4]), 10.0, 20, ("a", "b")).time_slice(0.5, 1.0)
        assert [train.tolist() for train in part] == [[0, 4], []]
        assert part.n_samples == 5
        assert part.unit_ids == ("a", "b")

    def test_units_keep_their_names(self):
        part = SpikeTrains(([1], [2], [3]), 10.0, 20, (4, 9, 2)).select_units([2, 0])
        assert part.unit_ids == (2, 4)
        assert part[0].tolist() == [3]

    def test_times_are_rounded_to_samples(self):
        assert SpikeTrains.from_times([[0.1004, 0.2]], 1000.0, 500)[0].tolist() == [100, 200]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((([5, 20],), 10.0, 20), r"samples\[0\] must lie in 0..19, got 5..20"),
            ((([-1],), 10.0, 20), r"must lie in 0..19"),
            ((([3, 3],), 10.0, 20), "strictly increasing"),
            ((([4, 2],), 10.0, 20), "strictly increasing"),
            ((([0.5],), 10.0, 20), "from_times"),
            (((np.zeros((2, 2)),), 10.0, 20), "one dimension"),
            ((np.zeros((2, 20)), 10.0, 20), "from_dense"),
            ((([1],), 0.0, 20), "sampling_rate"),
            ((([1],), 10.0, 0), "n_samples must be an integer ≥ 1"),
            ((([1], [2]), 10.0, 20, ("a", "a")), "2 different names"),
        ],
    )
    def test_bad_input_is_named(self, arguments, message):
        with pytest.raises(InvalidArgumentError, match=message):
            SpikeTrains(*arguments)


class TestRecords:
    def test_a_decomposition_agrees_with_itself(self):
        spikes = SpikeTrains(([1], [2]), 10.0, 20)
        quality = Table({"sil": [0.9, 0.8]})
        made = Decomposition(spikes, np.zeros((2, 20)), np.zeros((2, 3, 5)), quality)
        assert made.select_units([1]).quality["sil"].tolist() == [0.8]
        assert len(made.select_units([])) == 0
        with pytest.raises(InvalidArgumentError, match="same units"):
            Decomposition(spikes, np.zeros((1, 20)), np.zeros((2, 3, 5)), quality)
        with pytest.raises(InvalidArgumentError, match="20 samples"):
            Decomposition(spikes, np.zeros((2, 19)), np.zeros((2, 3, 5)), quality)

    def test_a_table_is_columns_rows_and_a_frame(self):
        table = Table({"unit": [0, 1], "name": ["a", "b"]})
        assert table.n_rows == 2
        assert table.row(1) == {"unit": 1, "name": "b"}
        assert list(table.to_frame().columns) == ["unit", "name"]
        assert table.select([True, False]) == Table({"unit": [0], "name": ["a"]})
        with pytest.raises(KeyError, match="the columns are unit, name"):
            table["sil"]
        with pytest.raises(InvalidArgumentError, match="one length"):
            Table({"a": [1], "b": [1, 2]})

    def test_every_error_is_of_one_family(self):
        assert issubclass(InvalidArgumentError, MuemgError)
        assert issubclass(MuemgError, ValueError)


class TestVendorGrids:
    def test_the_snake_of_13_by_5(self):
        # OT Bioelettronica's table: channel 1 below the missing corner, 12 at the far end, 13 beside it, 25 back at
        # the near end of the second column, 64 at the far end of the last.
        grid = ElectrodeArray.from_code("GR08MM1305")
        cells = {
            1: (1, 0),
            12: (12, 0),
            13: (12, 1),
            25: (0, 1),
            26: (0, 2),
            38: (12, 2),
            51: (0, 3),
            52: (0, 4),
            64: (12, 4),
        }
        for channel, cell in cells.items():
            assert tuple(grid.grid_index[channel - 1]) == cell
        assert (0, 0) not in {tuple(cell) for cell in grid.grid_index}
        assert len(grid) == 64

    def test_spacing_and_order(self):
        grid = ElectrodeArray.from_code("GR04MM1305")
        np.testing.assert_allclose(grid.positions[1] - grid.positions[0], [0, 0, 4e-3], atol=1e-12)
        np.testing.assert_allclose(grid.positions[12] - grid.positions[11], [4e-3, 0, 0], atol=1e-12)

    def test_eight_by_eight_has_all_corners(self):
        grid = ElectrodeArray.from_code("GR10MM0808")
        assert len(grid) == 64
        assert {(0, 0), (0, 7), (7, 0), (7, 7)} <= {tuple(cell) for cell in grid.grid_index}
        assert tuple(grid.grid_index[7]) == (0, 0)
        assert tuple(grid.grid_index[56]) == (7, 7)

    def test_unknown_code_lists_the_known(self):
        with pytest.raises(ValueError, match="GR08MM1305"):
            ElectrodeArray.from_code("GR99")
