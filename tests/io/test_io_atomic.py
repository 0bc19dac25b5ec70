"""A file appears whole or not at all: real full disks, real interruptions, real refusals."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import io_records as records
import numpy as np
import pytest

import muemg
from muemg import Recording
from muemg.errors import MuemgError
from muemg.io import OutputError

EXTENSIONS = (".h5", ".npz", ".json")


def big_recording(seed: int = 0) -> Recording:
    """Some 4 MB as float32."""
    return Recording(np.random.default_rng(seed).standard_normal((16, 65_536)) * 1e-4, 2048.0)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_places_where_nothing_can_be_written(tmp_path, extension):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / f"folder{extension}").mkdir()
    places = {
        tmp_path / "file" / f"x{extension}": "Not a directory",
        tmp_path / "missing" / f"x{extension}": "No such file or directory",
        tmp_path / f"folder{extension}": "it is a folder",
        tmp_path / f"{'x' * 300}{extension}": "File name too long",
        Path(f"/proc/x{extension}"): "No such file or directory|Permission denied",
    }
    for place, reason in places.items():
        with pytest.raises(OutputError, match=f"cannot write .*({reason})") as caught:
            muemg.write(place, records.recording())
        assert isinstance(caught.value, MuemgError)
        assert isinstance(caught.value, OSError)
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_an_older_file_is_replaced_keeping_its_mode_and_link(tmp_path, extension):
    target, link = tmp_path / f"target{extension}", tmp_path / f"link{extension}"
    muemg.write(target, records.recording(0))
    target.chmod(0o640)
    link.symlink_to(target)
    muemg.write(link, records.recording(1))
    assert link.is_symlink()
    assert muemg.read(target).recording.n_samples == records.N_SAMPLES
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(file.name for file in tmp_path.iterdir()) == [link.name, target.name]


def test_new_files_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        muemg.write(tmp_path / "x.npz", records.recording())
    finally:
        os.umask(old)
    assert (tmp_path / "x.npz").stat().st_mode & 0o777 == 0o640


# ---------------------------------------------------------------------- full disks

WRITER = """
import resource, sys
import numpy as np
import muemg
from muemg.io import OutputError
limit = int(sys.argv[2])
recording = muemg.Recording(np.random.default_rng(1).standard_normal((16, 65_536)) * 1e-4, 2048.0)
import h5py, pandas  # loading must not count
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    muemg.write(sys.argv[1], recording)
except OutputError as error:
    print(error)
    sys.exit(7)
"""


def run_writer(path: Path, limit: int = 0) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", WRITER, str(path), str(limit)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("limit", [1, 3000, 1_000_000])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_no_room_for_the_file(tmp_path, extension, limit):
    # The system itself refuses to let any file grow beyond the limit; the process must end cleanly all the
    # same.
    file = tmp_path / f"x{extension}"
    muemg.write(file, records.recording())
    before = file.read_bytes()
    done = run_writer(file, limit)
    assert (done.returncode, done.stderr) == (7, "")
    assert "File too large; the file that was there is unchanged" in done.stdout
    assert file.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == [file.name]


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 2 MB, where this may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_full_disk(small_disk, extension):
    file = small_disk / f"x{extension}"
    muemg.write(file, records.recording())
    done = run_writer(file)
    assert (done.returncode, done.stderr) == (7, "")
    assert "No space left on device" in done.stdout
    assert muemg.read(file).recording.n_channels == records.recording().n_channels
    assert [item.name for item in small_disk.iterdir()] == [file.name]


# ---------------------------------------------------------------------- interruptions

SLOW_WRITER = """
import os, sys, time
import numpy as np
import muemg
# The write is real; only its last step, when all bytes are there and the rename is next, waits to be
# interrupted.
real = os.fsync
def waiting_fsync(descriptor):
    real(descriptor)
    print("ready", flush=True)
    time.sleep(60)
os.fsync = waiting_fsync
recording = muemg.Recording(np.random.default_rng(1).standard_normal((16, 65_536)) * 1e-4, 2048.0)
muemg.write(sys.argv[1], recording)
"""


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_before_the_rename(tmp_path, extension, how):
    file = tmp_path / f"x{extension}"
    muemg.write(file, records.recording())
    before = file.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITER, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline().strip() == "ready"
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
    assert file.read_bytes() == before
    left = [item.name for item in tmp_path.iterdir() if item != file]
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in said
        assert left == []
    else:  # nobody can tidy up after a kill; what is left cannot be taken for a result
        assert all(name.startswith(f".x{extension}.") and name.endswith(".part") for name in left)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_killed_at_any_moment(tmp_path, extension):
    """Another process writes over and over and is killed: what lies there is always a whole file."""
    file = tmp_path / f"x{extension}"
    code = (
        "import sys, itertools, numpy as np, muemg\n"
        "for i in itertools.count():\n"
        "    muemg.write(sys.argv[1], muemg.Recording(np.full((8, 20_000), 1e-6 * (i % 7 + 1)), 2048.0))\n"
        "    print(i, flush=True)\n"
    )
    for pause in (0.0, 0.013, 0.037):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            process.stdout.readline()
            time.sleep(pause)
            process.kill()
            process.communicate(timeout=60)
        signal_read = muemg.read(file).recording.signal
        assert signal_read.shape == (8, 20_000)
        assert len(np.unique(signal_read)) == 1


def test_an_interruption_inside_hdf5_is_passed_on(tmp_path):
    """HDF5 calls back into Python for every write; an error there must come out, and leave HDF5 closed."""
    from muemg.io import native

    class Interrupted(BaseException):
        pass

    class Stream:
        def __init__(self, stream, after):
            self._stream, self._left = stream, after

        def write(self, data):
            self._left -= 1
            if self._left < 0:
                raise Interrupted
            return self._stream.write(data)

        def __getattr__(self, name):
            return getattr(self._stream, name)

    for after in (0, 1, 3):
        with open(tmp_path / "x", "w+b") as stream, pytest.raises(Interrupted):
            native.write(Stream(stream, after), muemg.Contents(recording=records.recording()))
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > len(os.listdir("/proc/self/fd"))
