"""Become a peer: put its adapter, in the peer's own environment, in the place of this process.

    python benchmarks/peers/run.py PEER INPUT.npz OUTPUT.npz --threads 2 --seed 0 --settings '{"n_iterations": 60}'

The environment must have been made: ``python benchmarks/environments/make.py PEER``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "environments"))

from make import declared, is_complete, python_of  # noqa: E402


def main() -> int:
    name, *arguments = sys.argv[1:] or [""]
    adapter = HERE / f"adapt_{name.partition('-')[0]}.py"
    if name not in declared() or not adapter.exists():
        known = sorted(name for name in declared() if (HERE / f"adapt_{name.partition('-')[0]}.py").exists())
        print(f"no peer {name!r}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    if not is_complete(name):
        print(f"make its environment first: python benchmarks/environments/make.py {name}", file=sys.stderr)
        return 2
    python = str(python_of(name))
    os.environ.update(QT_QPA_PLATFORM="offscreen", MPLBACKEND="agg")
    # The same process, so that time and memory are those of the peer.
    os.execv(python, [python, "-W", "ignore", str(adapter), *arguments])


if __name__ == "__main__":
    sys.exit(main())
