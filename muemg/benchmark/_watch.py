"""Start a program and say what it cost: ``python _watch.py REPORT PROGRAM …``. A script, of the standard library only.

The system counts into a program's peak memory what the process that started it held at that moment. This one holds
nothing; and it takes the program with it when whoever asked for it is gone.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys


def end_with_parent() -> None:
    """Ask the system to kill this process when its parent ends; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> int:
    """Run the program, write CPU seconds and peak memory in MB to the report, and return its exit status."""
    report, *command = sys.argv[1:]
    end_with_parent()
    try:
        process = subprocess.Popen(command, preexec_fn=end_with_parent if os.name == "posix" else None)
    except OSError as error:
        print(f"cannot be started: {error}", file=sys.stderr)
        return 127
    cost = {}
    if hasattr(os, "wait4"):
        _, status, usage = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        per_mb = 1e6 if sys.platform == "darwin" else 1e6 / 1024  # bytes there, KiB elsewhere
        cost = {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_memory_mb": usage.ru_maxrss / per_mb}
    else:  # Windows
        code = process.wait()
    with open(report, "w", encoding="utf-8") as stream:
        json.dump({"code": code, **cost}, stream)
    return 0 if code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
