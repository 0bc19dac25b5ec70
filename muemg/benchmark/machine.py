"""Where something was measured: processor, memory, system, versions, and the commit of a checkout."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["commit", "libraries", "machine"]

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "numba", "jax", "jaxlib")


@cache
def machine() -> dict[str, Any]:
    """Processor, number of cores that this process may use, memory in GB, system and Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = None
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1)
    return {
        "processor": _processor(),
        "cores": cores,
        "memory_gb": memory,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@cache
def libraries() -> dict[str, str]:
    """Versions of the libraries that results and times depend on."""
    return {name: metadata.version(name) for name in _LIBRARIES}


@cache
def commit() -> str | None:
    """Commit of the checkout that muemg runs from, with ``+`` if files were changed; None if it is installed."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        said = [
            subprocess.run(
                ["git", *what], cwd=root, capture_output=True, text=True, timeout=20, check=True
            ).stdout
            for what in (
                ("rev-parse", "--short=12", "HEAD"),
                ("status", "--porcelain", "--untracked-files=no"),
            )
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return said[0].strip() + ("+" if said[1].strip() else "")
