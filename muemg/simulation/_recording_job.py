"""What a worker does: one recording of a data set, simulated with one thread and written whole or not at all."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from muemg import __version__
from muemg._workers import with_threads
from muemg.errors import FileFormatError, InvalidArgumentError

__all__ = ["belongs_to", "file_checksum", "make_recording", "versions"]

_LIBRARIES = ("numpy", "scipy", "jax", "jaxlib", "numba", "h5py")

# Fraction of its memory above which a worker forgets what it has compiled.
_FULL = 0.7


def make_recording(job: Mapping[str, Any]) -> dict[str, Any]:
    """Simulate one recording and write it; its line in the manifest.

    Parameters
    ----------
    job : mapping
        ``folder`` and ``file`` to write, checksum of the ``plan``, ``scenario`` and ``entry`` (with the
        seeds), and the ``memory`` in bytes that this process should stay below.

    Returns
    -------
    dict
        The entry with ``bytes`` and ``sha256`` of the file, and the ``versions`` of the libraries.
    """
    # A worker that somebody else started may not have it; once these are loaded it would come too late.
    if not {"jax", "numba"} & sys.modules.keys():
        os.environ.update(with_threads(os.environ, 1))
    from threadpoolctl import threadpool_limits

    from muemg.io import Contents, write
    from muemg.simulation.scenario import Scenario
    from muemg.simulation.synthesis import simulate

    entry = dict(job["entry"])
    path = Path(job["folder"]) / job["file"]
    identity = {"plan": job["plan"], "index": entry["index"]}
    with threadpool_limits(1):
        made = simulate(
            Scenario.from_dict(job["scenario"]), seed=entry["seed"], subject=entry["subject_seed"]
        )
        if path.exists() and not belongs_to(path, identity):
            raise FileExistsError(f"{path} is in the way: it does not belong to this data set")
        write(path, Contents(simulation=made, metadata={"dataset": identity}))
    del made
    _make_room(job["memory"])
    return {**entry, "bytes": path.stat().st_size, "sha256": file_checksum(path), "versions": versions()}


def versions() -> dict[str, str]:
    """Versions of everything that the bytes depend on."""
    found = {name: metadata.version(name) for name in _LIBRARIES}
    return {"muemg": __version__, "python": platform.python_version(), **found}


def file_checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def belongs_to(path: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a file says of itself that it is that recording of that plan."""
    from muemg.io import read

    try:
        return read(path).metadata.get("dataset") == identity
    except (FileFormatError, InvalidArgumentError):
        return False


def _make_room(memory: float) -> None:
    """Forget what was compiled, for other shapes perhaps, when much of the memory is taken."""
    import psutil

    if psutil.Process().memory_info().rss < _FULL * memory:
        return
    import jax

    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        # The C library keeps what was freed; without this the process would stay as large as it was.
        ctypes.CDLL(None).malloc_trim(0)
