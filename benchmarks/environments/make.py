"""Make the virtual environment of a peer, or reuse the one that is there.

    python benchmarks/environments/make.py openhdemg-0.1.2

prints the path of the environment's Python. What goes into each is declared in ``peers.toml`` beside this
file. An environment counts as made once its ``complete.json`` says for which declaration; one that was
interrupted, or whose declaration has changed, is taken up again where it stands.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PATIENCE_S = 900


class EnvironmentFailure(Exception):
    """The environment could not be made; the message says which step failed and why."""


def declared() -> dict[str, dict[str, Any]]:
    """The peers by name."""
    return tomllib.loads((HERE / "peers.toml").read_text(encoding="utf-8"))


def folder_of(name: str) -> Path:
    """Where the environment lies: beside this file, or under the environment variable MUEMG_ENVIRONMENTS."""
    return Path(os.environ.get("MUEMG_ENVIRONMENTS") or HERE).resolve() / name


def python_of(name: str) -> Path:
    """The environment's Python."""
    folder = folder_of(name)
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def is_complete(name: str) -> bool:
    """Whether the environment was made for the declaration as it stands."""
    try:
        made = json.loads((folder_of(name) / "complete.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return made.get("declaration") == _digest(declared()[name]) and python_of(name).exists()


def make(name: str, *, quiet: bool = False) -> Path:
    """Make the environment unless it is there, and return its Python.

    Raises
    ------
    EnvironmentFailure
        If there is no suitable Python, no network, or a package that does not install.
    """
    peers = declared()
    if name not in peers:
        raise EnvironmentFailure(f"no peer {name!r}; declared are {', '.join(peers)}")
    folder = folder_of(name)
    with _lock(folder.parent / ".locks" / name):
        if is_complete(name):
            return python_of(name)
        peer, started = peers[name], time.monotonic()
        base = _suitable_python(peer["python"])
        marker = folder / "complete.json"
        marker.unlink(missing_ok=True)
        if not _works(python_of(name)):
            shutil.rmtree(folder, ignore_errors=True)
            _run([base, "-m", "venv", str(folder)], f"{name}: making the environment", quiet)
        pip = [
            str(python_of(name)),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--prefer-binary",
        ]
        if peer["requirements"]:
            _run([*pip, *peer["requirements"]], f"{name}: installing what it needs", quiet)
        if peer["without_dependencies"]:
            alone = [*pip, "--no-deps", *peer.get("pip_options", []), *peer["without_dependencies"]]
            _run(alone, f"{name}: installing it", quiet)
        _run([str(python_of(name)), "-W", "ignore", "-c", peer["check"]], f"{name}: checking it", quiet)
        made = {"declaration": _digest(peer), "seconds": round(time.monotonic() - started, 1), "python": base}
        partial = marker.with_suffix(".part")
        partial.write_text(json.dumps(made, indent=1), encoding="utf-8")
        partial.replace(marker)
    return python_of(name)


def _digest(peer: dict[str, Any]) -> str:
    content = {key: value for key, value in peer.items() if key != "notes"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _suitable_python(versions: list[str]) -> str:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running in versions:
        return sys.executable
    for version in versions:
        found = shutil.which(f"python{version}")
        if found and _works(Path(found)):
            return found
    raise EnvironmentFailure(
        f"needs Python {' or '.join(versions)}; this is {running} and no other is on the path"
    )


def _works(python: Path) -> bool:
    try:
        command = [str(python), "-c", "import ensurepip"]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _run(command: list[str], step: str, quiet: bool) -> None:
    if not quiet:
        print(step, file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFailure(f"{step} failed: {error}") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise EnvironmentFailure(f"{step} failed: {' | '.join(said[-3:])}")


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """One maker at a time; the lock falls with the process that holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as stream:
        if os.name != "nt":
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the virtual environments of peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(declared())}")
    names = parser.parse_args().names
    if not names:
        for name, peer in declared().items():
            print(f"{name:20} {'made' if is_complete(name) else 'not made':9} {peer['notes']}")
        return 0
    for name in names:
        try:
            print(make(name))
        except EnvironmentFailure as error:
            print(f"cannot make {name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
