"""The real recording: what it holds, and what happens without a network or with a damaged cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import muemg
from forward_models import ElectrodeArray
from muemg.datasets import DownloadError, cache_folder


@pytest.fixture(scope="module")
def real():
    try:
        return muemg.datasets.vastus_lateralis()
    except DownloadError as error:
        pytest.skip(str(error))


def test_recording(real):
    recording = real.require("recording")
    assert (recording.n_channels, recording.n_samples, recording.sampling_rate) == (64, 66_560, 2048.0)
    assert recording.electrodes == ElectrodeArray.from_code("GR08MM1305")
    # Volts: surface EMG of a few hundred microvolts.
    assert 20e-6 < np.median(recording.signal.std(axis=1)) < 500e-6
    np.testing.assert_allclose(recording.signal[0].max(), 837.7075e-6, rtol=1e-6)
    assert recording.metadata["auxiliary_units"]["force"] == "%(MVC)"
    assert 25 < recording.auxiliary["force"].max() < 30


def test_vendor_units(real):
    assert real.require("spikes").n_spikes.tolist() == [137, 154, 197, 293, 292]
    assert [train[0] for train in real.spikes] == [4998, 10244, 7070, 4521, 4816]


def test_vendor_sources_peak_eight_samples_before_its_firings(real):
    """As exported; read, they peak at the firings, for nearly every discharge of every unit."""
    found = real.require("decomposition")
    assert found.parameters["source_lead_samples"] == 8
    offsets = np.arange(-10, 11)
    for source, train in zip(found.sources, found.spikes):
        peaks = offsets[np.argmax(source[train[:, None] + offsets], axis=1)]
        assert np.mean(peaks == 0) > 0.98


def test_a_damaged_cache_is_fetched_again(real, tmp_path, monkeypatch):
    good = cache_folder() / real.path.name
    monkeypatch.setenv("MUEMG_CACHE", str(tmp_path))
    damaged = tmp_path / real.path.name
    damaged.write_bytes(good.read_bytes()[:-1000])
    try:
        again = muemg.datasets.vastus_lateralis()
    except DownloadError as error:
        pytest.skip(str(error))
    assert again == real
    assert damaged.read_bytes() == good.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == [damaged.name]


def without_network(cache: Path) -> subprocess.CompletedProcess:
    """The call in a fresh process whose pip may neither use an index nor a cache."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment |= {
        "MUEMG_CACHE": str(cache),
        "PIP_NO_INDEX": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(cache),
    }
    code = (
        "import muemg\n"
        "try:\n    print(muemg.datasets.vastus_lateralis())\n"
        "except muemg.MuemgError as error:\n    print(error)"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True, env=environment
    )


def test_without_a_network_the_error_says_what_to_do(tmp_path):
    said = without_network(tmp_path).stdout
    assert said.startswith("cannot fetch the recording: ")
    assert "python -m pip download --no-deps openhdemg==0.1.2" in said
    assert said.rstrip().endswith(str(tmp_path / "vastus_lateralis_otb.mat"))
    assert not list(tmp_path.iterdir())


def test_a_file_placed_by_hand_needs_no_network(real, tmp_path):
    shutil.copy(real.path, tmp_path / real.path.name)
    assert "64 channels × 32.5 s at 2048 Hz" in without_network(tmp_path).stdout


def test_another_wheel_of_that_name_is_refused(tmp_path):
    wheel = tmp_path / "openhdemg-0.1.2-py3-none-any.whl"
    import zipfile

    with zipfile.ZipFile(wheel, "w") as archive:
        info = "openhdemg-0.1.2.dist-info/"
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: openhdemg\nVersion: 0.1.2\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", "")
    said = without_network(tmp_path).stdout
    assert "the SHA-256 of openhdemg-0.1.2-py3-none-any.whl is not the published dca7ab05" in said


def test_a_cache_folder_that_cannot_be_made(real, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MUEMG_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(DownloadError, match=r"cannot (make the cache folder|fetch the recording)"):
        muemg.datasets.vastus_lateralis()
