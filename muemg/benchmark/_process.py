"""A program run to its end, or to its time limit: what it cost, and what it said if it failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finished", "own_peak_memory_mb", "run_program"]


@dataclass(frozen=True)
class Finished:
    """How a program ended.

    Parameters
    ----------
    reason : str
        Empty if it ended well, or else why it did not.
    wall_s, cpu_s : float
        From start to end, and of all its threads; the latter not-a-number where nobody could say.
    peak_memory_mb : float
        Largest resident memory; not-a-number where nobody could say.
    """

    reason: str
    wall_s: float
    cpu_s: float = float("nan")
    peak_memory_mb: float = float("nan")


def run_program(command: Sequence[str], environment: Mapping[str, str], time_limit: float) -> Finished:
    """Run a program and wait for it.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    environment : mapping of str to str
        Added to that of this process.
    time_limit : float
        Seconds after which it is killed, with everything it has started.
    """
    with tempfile.TemporaryDirectory(prefix="muemg-benchmark-") as folder:
        said, report = Path(folder) / "said", Path(folder) / "report.json"
        watch = [sys.executable, "-I", str(Path(__file__).with_name("_watch.py")), str(report)]
        began = time.perf_counter()
        with open(said, "wb") as stream:
            process = subprocess.Popen(
                [*watch, *command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
            try:
                process.wait(time_limit)
            except subprocess.TimeoutExpired:
                return Finished(f"not done after {time_limit:g} s", time.perf_counter() - began)
            finally:
                _kill_group(process)
        wall = time.perf_counter() - began
        try:
            cost = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            cost = {"code": process.returncode}
        code = cost.pop("code")
        return Finished("" if code == 0 else _last_words(said, code), wall, **cost)


def own_peak_memory_mb() -> float:
    """Largest resident memory of this process so far; not-a-number where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    per_mb = 1e6 if sys.platform == "darwin" else 1e6 / 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it has started, if any are left."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _last_words(said: Path, code: int) -> str:
    """The last line that a failed program wrote, with its exit code or signal."""
    written = said.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line.strip() for line in written if line.strip()]
    end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{lines[-1][:300]} ({end})" if lines else end
