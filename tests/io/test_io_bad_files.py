"""A file that is damaged, misnamed or holds impossible values gives one clear error, never another."""

import gzip
import json
import shutil
from dataclasses import replace

import h5py
import io_records as records
import numpy as np
import otb_files
import pytest

import muemg
from muemg import Contents
from muemg.errors import FileFormatError, InvalidArgumentError

EXTENSIONS = (".h5", ".npz", ".json", ".mat", ".v73.mat")


@pytest.fixture(scope="module")
def good_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    whole = Contents(recording=records.recording(), decomposition=records.decomposition())
    for extension in (".h5", ".npz", ".json"):
        muemg.write(folder / f"x{extension}", whole)
    otb_files.save_mat5(folder / "x.mat")
    otb_files.save_mat73(folder / "x.v73.mat")
    files = {extension: folder / f"x{extension}" for extension in EXTENSIONS}
    for file in files.values():
        assert muemg.read(file).recording is not None
    return files


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_truncated_at_many_lengths(good_files, tmp_path, extension):
    whole = good_files[extension].read_bytes()
    lengths = {0, 1, 2, 4, 7, 8, 100, 127, 128, 129, 135, 136, len(whole) - 1, len(whole) - 4}
    lengths |= set(np.linspace(0, len(whole) - 1, 150).astype(int).tolist())
    file = tmp_path / f"x{extension}"
    for length in sorted(lengths & set(range(len(whole)))):
        file.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cannot read"):
            muemg.read(file)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_damaged_bytes_never_give_another_error(good_files, tmp_path, extension):
    # Flipped bytes of the plain signal cannot be told from a signal; everything else must raise the one
    # error.
    whole = good_files[extension].read_bytes()
    rng = np.random.default_rng(11)
    file, n_refused = tmp_path / f"x{extension}", 0
    for trial in range(60 if "v73" in extension else 200):
        damaged = bytearray(whole)
        start = int(rng.integers(0, min(len(whole), 3000 if trial % 2 else len(whole))))
        damaged[start : start + 8] = rng.bytes(len(damaged[start : start + 8]))
        file.write_bytes(damaged)
        try:
            muemg.read(file)
        except FileFormatError:
            n_refused += 1
    assert n_refused > 5


@pytest.mark.parametrize("extension", [".h5", ".npz", ".json", ".mat"])
def test_random_bytes(tmp_path, extension):
    rng = np.random.default_rng(5)
    heads = [
        b"",
        b"\x89HDF\r\n\x1a\n",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"{",
        b"MATLAB 5.0 MAT-file",
        b"MATLAB 7.3 MAT-file",
    ]
    for trial in range(70):
        (tmp_path / f"x{extension}").write_bytes(heads[trial % len(heads)] + rng.bytes(1 + 40 * trial))
        with pytest.raises(FileFormatError, match="cannot read"):
            muemg.read(tmp_path / f"x{extension}")


@pytest.mark.parametrize("extension", [".h5", ".npz", ".json", ".mat"])
def test_a_file_that_is_not_what_its_name_says(tmp_path, extension):
    file = tmp_path / f"x{extension}"
    file.write_bytes(b"%PDF-1.7 this is no recording")
    with pytest.raises(FileFormatError, match=r"it is not the .* that its name says \(a PDF document\)"):
        muemg.read(file)


def test_unknown_name_and_content_lists_what_is_read(tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3\n")
    with pytest.raises(
        FileFormatError, match=r"unknown \(it begins with b'1,2,3.*native HDF5 \(.h5, .hdf5\)"
    ):
        muemg.read(tmp_path / "x.csv")


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("wrong", [".h5", ".npz", ".json", ".mat", ".txt"])
def test_a_known_format_under_another_name_is_read_by_its_content(good_files, tmp_path, extension, wrong):
    shutil.copy(good_files[extension], tmp_path / f"y{wrong}")
    assert muemg.read(tmp_path / f"y{wrong}") == muemg.read(good_files[extension])


def test_no_file_an_empty_file_a_folder(tmp_path):
    with pytest.raises(FileFormatError, match="there is no such file"):
        muemg.read(tmp_path / "missing.h5")
    (tmp_path / "empty.h5").touch()
    with pytest.raises(FileFormatError, match="the file is empty"):
        muemg.read(tmp_path / "empty.h5")
    with pytest.raises(FileFormatError, match=r"it holds no \*_emg\.edf and no \*_emg\.bdf"):
        muemg.read(tmp_path)
    with pytest.raises(FileFormatError, match="there is no such file"):
        muemg.read(tmp_path / "empty.h5" / "below.h5")
    with pytest.raises(FileFormatError, match="not a regular file"):
        muemg.read("/dev/null")


# ---------------------------------------------------------------------- versions and foreign files


def test_newer_major_version_is_refused_newer_minor_is_read(good_files, tmp_path):
    for version, passes in (("1.9", True), ("2.0", False)):
        shutil.copy(good_files[".h5"], tmp_path / "x.h5")
        with h5py.File(tmp_path / "x.h5", "a") as file:
            file.attrs["format_version"] = np.bytes_(version)
            file["recording"]["a_new_thing"] = np.arange(3)
        if passes:
            assert muemg.read(tmp_path / "x.h5") == muemg.read(good_files[".h5"])
        else:
            with pytest.raises(FileFormatError, match=r"format version 2\.0.*upgrade muemg"):
                muemg.read(tmp_path / "x.h5")


def test_hdf5_of_someone_else(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["emg"] = np.zeros((2, 10))
        file.attrs["format"] = "muemg"  # of variable length, which muemg does not write
    with pytest.raises(FileFormatError, match="not one that muemg wrote"):
        muemg.read(tmp_path / "x.h5")


def test_hdf5_links_to_other_files_are_not_followed(good_files, tmp_path):
    shutil.copy(good_files[".h5"], tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["recording/signal"]
        file["recording/signal"] = h5py.ExternalLink(str(good_files[".h5"]), "/recording/signal")
    with pytest.raises(FileFormatError, match="'signal' is missing"):
        muemg.read(tmp_path / "x.h5")


def test_npz_without_the_accepted_keys_lists_them(tmp_path):
    np.savez(tmp_path / "x.npz", data=np.zeros((2, 10)))
    with pytest.raises(
        FileFormatError, match=r"no signal: the accepted keys are 'emg' or 'signal'.*holds 'data'"
    ):
        muemg.read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", emg=np.zeros((2, 10)))
    with pytest.raises(FileFormatError, match=r"no sampling rate: .*'fs' or 'sampling_rate'"):
        muemg.read(tmp_path / "x.npz")


def test_npz_with_a_pickle_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", emg=np.array([{"a": 1}], dtype=object), fs=1.0)
    with pytest.raises(FileFormatError, match="allow_pickle"):
        muemg.read(tmp_path / "x.npz")


def test_json_of_someone_else(tmp_path):
    (tmp_path / "x.json").write_text('{"a": 1}')
    with pytest.raises(FileFormatError, match="not of openhdemg"):
        muemg.read(tmp_path / "x.json")
    with gzip.open(tmp_path / "x.json", "wt") as stream:
        json.dump({"SOURCE": '"OTB_REFSIG"', "FSAMP": "2048", "REF_SIGNAL": "{}"}, stream)
    with pytest.raises(FileFormatError, match="holds no EMG"):
        muemg.read(tmp_path / "x.json")


# ---------------------------------------------------------------------- impossible values


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"emg": np.zeros((100, 3)), "fs": 2048.0}, "looks transposed"),
        (
            {"emg": np.zeros((3, 100), dtype=np.int16), "fs": 2048.0},
            "must be floating-point volts, got int16",
        ),
        ({"emg": np.zeros((3, 100)), "fs": 0.0}, "sampling_rate must be a finite number > 0 Hz"),
        ({"emg": np.zeros((3, 100)), "fs": -1}, "sampling_rate must be a finite number > 0 Hz"),
        ({"emg": np.zeros((3, 100)), "fs": [1.0, 2.0]}, "the sampling rate must be one number"),
        ({"emg": np.zeros((3, 100)), "fs": 1.0, "unit": "furlong"}, "unit must be one of V, mV, uV"),
        ({"emg": np.zeros(100), "fs": 2048.0}, r"must have shape \(n_channels, n_samples\)"),
        ({"emg": np.zeros((0, 100)), "fs": 2048.0}, "at least one channel"),
    ],
)
def test_impossible_recordings(tmp_path, arrays, message):
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(FileFormatError, match=rf"x\.npz as NumPy \.npz: .*{message}"):
        muemg.read(tmp_path / "x.npz")


def test_samples_that_are_no_numbers_and_extreme_amplitudes_are_kept(tmp_path):
    signal = np.random.default_rng(0).standard_normal((4, 50)) * np.array([[1e-9], [1e6], [0.0], [1.0]])
    signal[3, :3] = np.nan, np.inf, -np.inf
    np.savez(tmp_path / "x.npz", emg=signal, fs=2048.0)
    np.testing.assert_array_equal(muemg.read(tmp_path / "x.npz").recording.signal, signal.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("samples", [70, 80, 90], r"must lie in 0\.\.63"),
        ("samples", [-1, 5, 9], r"must lie in 0\.\.63"),
        ("samples", [3, 7, 5], "strictly increasing"),
        ("n_spikes", [1, 1, 7], "must add up"),
        ("n_spikes", [-1, 2, 2], "integers"),
        ("unit_ids", "not JSON", "must be a JSON text"),
        ("unit_ids", '{"a": 1}', "must be a JSON list"),
    ],
)
def test_impossible_spike_trains(tmp_path, name, values, message):
    muemg.write(tmp_path / "x.h5", muemg.SpikeTrains(([3], [], [5, 7]), 2000.0, 64))
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file[f"spikes/{name}"]
        file[f"spikes/{name}"] = np.bytes_(values.encode()) if isinstance(values, str) else np.array(values)
    with pytest.raises(FileFormatError, match=rf"x\.h5 as native HDF5: .*{message}"):
        muemg.read(tmp_path / "x.h5")


def test_a_missing_array_is_named(good_files, tmp_path):
    for name in ("recording/signal", "recording/sampling_rate", "decomposition/quality/columns"):
        shutil.copy(good_files[".h5"], tmp_path / "x.h5")
        with h5py.File(tmp_path / "x.h5", "a") as file:
            del file[name]
        with pytest.raises(FileFormatError, match=f"'{name.rsplit('/')[-1]}' is missing"):
            muemg.read(tmp_path / "x.h5")


# ---------------------------------------------------------------------- what cannot be written


def test_what_and_where_to_write_are_checked(tmp_path):
    with pytest.raises(
        InvalidArgumentError, match=r"must end in .h5, .hdf5, .npz, .json, .edf, .bdf; got 'x.csv'"
    ):
        muemg.write(tmp_path / "x.csv", records.recording())
    with pytest.raises(InvalidArgumentError, match="muemg only reads OTBioLab"):
        muemg.write(tmp_path / "x.mat", records.recording())
    with pytest.raises(InvalidArgumentError, match=r"what must be a Recording.*got ndarray"):
        muemg.write(tmp_path / "x.h5", np.zeros(3))
    with pytest.raises(InvalidArgumentError, match="empty Contents"):
        muemg.write(tmp_path / "x.h5", Contents())
    with pytest.raises(InvalidArgumentError, match="must hold a recording"):
        muemg.write(tmp_path / "x.json", records.spikes())
    unusual = replace(records.decomposition(), parameters={"made by": object()})
    with pytest.raises(InvalidArgumentError, match="must hold JSON values to be written, got object"):
        muemg.write(tmp_path / "x.json", Contents(recording=records.recording(), decomposition=unusual))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("metadata", [{"when": object()}, {"table": {1: 2}}])
def test_metadata_that_is_not_json_is_refused_and_the_old_file_stays(tmp_path, metadata):
    muemg.write(tmp_path / "x.h5", records.recording())
    with pytest.raises(InvalidArgumentError, match="metadata"):
        muemg.write(tmp_path / "x.h5", muemg.Recording(np.zeros((1, 9)), 1.0, metadata=metadata))
    assert muemg.read(tmp_path / "x.h5").recording == records.recording()
    assert [file.name for file in tmp_path.iterdir()] == ["x.h5"]
