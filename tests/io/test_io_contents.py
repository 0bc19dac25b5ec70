"""Contents: one record for every format, with clear words about what is missing."""

import io_records as records
import pytest

import muemg
from muemg import Contents
from muemg.errors import FileFormatError, InvalidArgumentError


def test_require_gives_the_part_or_names_file_and_contents(tmp_path):
    muemg.write(tmp_path / "found.h5", records.decomposition())
    contents = muemg.read(tmp_path / "found.h5")
    assert contents.require("decomposition") == records.decomposition()
    with pytest.raises(FileFormatError, match=r"found\.h5 holds no recording, only a decomposition"):
        contents.require("recording")
    with pytest.raises(InvalidArgumentError, match="part must be one of 'recording'"):
        contents.require("recordings")


def test_spike_trains_prefers_what_is_asked_for():
    known, found = records.spikes(1), records.decomposition(2)
    both = Contents(spikes=known, decomposition=found)
    assert both.spike_trains("known") == known
    assert both.spike_trains("found") == found.spikes
    assert Contents(spikes=known).spike_trains("found") == known
    assert Contents(decomposition=found).spike_trains("known") == found.spikes
    with pytest.raises(FileFormatError, match="holds no spike trains, only a recording"):
        Contents(recording=records.recording()).spike_trains()


def test_a_simulation_brings_its_recording_and_truth():
    simulation = records.simulation()
    contents = Contents(simulation=simulation)
    assert contents.recording is simulation.recording
    assert contents.spikes is simulation.spikes


def test_parts_share_one_clock():
    with pytest.raises(InvalidArgumentError, match=r"one clock.*recording: 64 samples.*spikes: 32 samples"):
        Contents(recording=records.recording(), spikes=records.spikes().time_slice(0, 32 / records.RATE))
    with pytest.raises(InvalidArgumentError, match="recording must be a Recording, got SpikeTrains"):
        Contents(recording=records.spikes())


def test_equality_ignores_where_it_came_from(tmp_path):
    muemg.write(tmp_path / "x.h5", records.contents())
    muemg.write(tmp_path / "x.npz", records.contents())
    assert muemg.read(tmp_path / "x.h5") == muemg.read(tmp_path / "x.npz")
    assert muemg.read(tmp_path / "x.h5") != Contents(recording=records.recording())


def test_repr_is_one_line_a_part(tmp_path):
    muemg.write(tmp_path / "x.h5", records.contents())
    lines = repr(muemg.read(tmp_path / "x.h5")).splitlines()
    assert lines[0] == "<Contents of x.h5 (muemg-hdf5):"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "recording",
        "spikes",
        "decomposition",
        "simulation",
    ]
    assert repr(Contents()) == "<Contents: nothing>"
