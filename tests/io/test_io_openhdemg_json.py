"""openhdemg JSON, as far as it can be checked without the package: layout, units, what comes back."""

import gzip
import json

import io_records as records
import numpy as np
import pytest

import muemg
from muemg import Contents, Recording
from muemg.errors import FileFormatError


def finite_contents() -> Contents:
    """The format holds no infinity."""
    recording = records.recording()
    signal = np.where(np.isinf(recording.signal), 0, recording.signal)
    return Contents(recording=recording.with_signal(signal), decomposition=records.decomposition())


def entries(file) -> dict:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return json.load(stream)


def test_layout(tmp_path):
    muemg.write(tmp_path / "x.json", finite_contents())
    outer = entries(tmp_path / "x.json")
    assert all(isinstance(value, str) for value in outer.values())
    inner = {name: json.loads(value) for name, value in outer.items()}
    assert inner["SOURCE"] == "CUSTOMCSV"
    assert inner["FSAMP"] == records.RATE
    assert inner["IED"] == 8.0
    assert inner["EMG_LENGTH"] == records.N_SAMPLES
    assert inner["NUMBER_OF_MUS"] == 3
    assert inner["MUPULSES"][1:] == [[], [0, records.N_SAMPLES - 1]]
    assert inner["RAW_SIGNAL"]["columns"] == [0, 1, 2, 3]
    assert inner["RAW_SIGNAL"]["index"] == list(range(records.N_SAMPLES))
    assert np.shape(inner["BINARY_MUS_FIRING"]["data"]) == (records.N_SAMPLES, 3)
    assert inner["EXTRAS"]["columns"] == ["z/tri.gger"]


def test_comes_back_but_for_what_the_format_cannot_hold(tmp_path):
    ours = finite_contents()
    muemg.write(tmp_path / "x.json", ours)
    back = muemg.read(tmp_path / "x.json")
    # microvolts with 10 decimals
    np.testing.assert_allclose(back.recording.signal, ours.recording.signal, rtol=1e-6)
    assert back.recording.electrodes == ours.recording.electrodes
    assert back.recording.channel_names == ours.recording.channel_names
    assert back.recording.metadata["unit"] == "uV"
    assert set(back.recording.auxiliary) == {"force", "z/tri.gger"}
    assert back.decomposition.spikes == ours.decomposition.spikes
    np.testing.assert_array_equal(back.decomposition.quality["sil"], ours.decomposition.quality["sil"])
    assert back.decomposition.parameters == ours.decomposition.parameters


def test_plain_text_json_is_read_too(tmp_path):
    muemg.write(tmp_path / "x.json", finite_contents())
    (tmp_path / "y.json").write_text(json.dumps(entries(tmp_path / "x.json"), indent=1))
    assert muemg.read(tmp_path / "y.json") == muemg.read(tmp_path / "x.json")


def test_signal_scale_survives(tmp_path):
    signal = np.random.default_rng(0).standard_normal((3, 40)) * np.array([[1e-9], [1e6], [0.0]])
    muemg.write(tmp_path / "x.json", Recording(signal, 2048.0))
    # 1 nV is 1e-3 µV, of which 10 decimals leave 7 digits
    np.testing.assert_allclose(
        muemg.read(tmp_path / "x.json").recording.signal, signal, rtol=1e-5, atol=1e-15
    )


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("MUPULSES", "[[1, 2], [3]]", "MUPULSES has 2 units, NUMBER_OF_MUS says 3"),
        ("MUPULSES", "[[1, 1], [3], []]", "strictly increasing"),
        ("MUPULSES", "[[1, 64], [3], []]", r"must lie in 0\.\.63"),
        ("MUPULSES", "[[1, 6.5], [3], []]", "whole sample indices"),
        ("FSAMP", "0", "sampling_rate must be"),
        ("FSAMP", "null", "damaged"),
        ("RAW_SIGNAL", '{"columns": [0], "index": [0], "data": [[1, 2]]}', "RAW_SIGNAL' has data of shape"),
        ("RAW_SIGNAL", "[]", "RAW_SIGNAL' must be a data frame"),
        ("RAW_SIGNAL", "{", "damaged"),
        ("IPTS", None, "entry 'IPTS' is missing"),
    ],
)
def test_damaged_entries_are_named(tmp_path, entry, value, message):
    muemg.write(tmp_path / "x.json", finite_contents())
    outer = entries(tmp_path / "x.json")
    if value is None:
        del outer[entry]
    else:
        outer[entry] = value
    (tmp_path / "x.json").write_text(json.dumps(outer))
    with pytest.raises(FileFormatError, match=message):
        muemg.read(tmp_path / "x.json")


def test_values_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"SOURCE": "\\"OTB\\"", "RAW_SIGNAL": 3, "FSAMP": "2048"}')
    with pytest.raises(FileFormatError, match="'RAW_SIGNAL' must be a JSON text inside the JSON"):
        muemg.read(tmp_path / "x.json")


def test_rows_come_in_the_order_of_their_index(tmp_path):
    muemg.write(tmp_path / "x.json", Recording(np.arange(6.0)[None] * 1e-6, 1000.0))
    outer = entries(tmp_path / "x.json")
    frame = json.loads(outer["RAW_SIGNAL"])
    frame["index"], frame["data"] = frame["index"][::-1], frame["data"][::-1]
    outer["RAW_SIGNAL"] = json.dumps(frame)
    (tmp_path / "x.json").write_text(json.dumps(outer))
    np.testing.assert_allclose(
        muemg.read(tmp_path / "x.json").recording.signal[0], np.arange(6) * 1e-6, rtol=1e-6
    )
