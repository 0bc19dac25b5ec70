"""A worker of a local cluster leaves Ctrl-C to the process that started it."""

from __future__ import annotations

import signal
from typing import Any

__all__ = ["dask_setup"]


def dask_setup(worker: Any) -> None:
    """Called by Dask in the main thread of a worker that has loaded this module."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
