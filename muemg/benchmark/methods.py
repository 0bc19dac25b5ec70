"""What is compared: a method of muemg, anybody's function, or anybody's program.

A program is a command line to which ``INPUT.npz OUTPUT.npz --seed N --threads N --settings JSON`` is added. The input
holds ``emg`` (channels, samples) in volts and ``fs`` in Hz; the output must hold ``samples``, all discharges one unit
after the other, and ``n_spikes`` of each unit, and may hold ``wall_s``, ``cpu_s`` and ``version``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from muemg.errors import InvalidArgumentError, check_count
from muemg.methods import METHODS

__all__ = ["Method", "function_of", "source_digest"]

_BOUNDS = {"linear bound": "linear_upper_bound", "cancelling bound": "cancelling_upper_bound"}
_KEYS = ("name", "call", "command", "settings", "threads", "compiles", "truth")

# What decides the result of our own methods, and of the simulator.
_SEPARATION = (
    "separation",
    "inversion",
    "preprocessing",
    "metrics",
    "methods.py",
    "recording.py",
    "spikes.py",
)
_SIMULATION = ("simulation", "muscle", "neurons", "recording.py", "spikes.py")


@dataclass(frozen=True)
class Method:
    """A method under a name.

    Parameters
    ----------
    name : str
        As it stands in tables.
    call : str or callable
        ``"module:function"`` or ``"file.py:function"``, run in a process of its own, or a function, run in this
        process with the threads that it has. It is called with the `Recording`, ``seed`` and the settings as
        keywords, and returns a `Decomposition`, `SpikeTrains`, or the sample indices of each unit.
    command : tuple of str
        Instead: a program and its first arguments. ``{python}`` is the running Python, ``{here}`` the folder of the
        file that declares it.
    settings : mapping of str to JSON values
        Handed to it.
    threads : int
        Of its libraries; 0 is as the suite says.
    compiles : bool
        Whether it runs on a small piece first, so that compiling does not count.
    truth : bool
        Whether it may know something, as bounds do, and is given the `Simulation` instead of the recording.

    Raises
    ------
    InvalidArgumentError
        If it has both a call and a command, or neither, or a setting that no file can hold.
    """

    name: str
    call: str | Callable[..., Any] = ""
    command: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 0
    compiles: bool = False
    truth: bool = False

    def __post_init__(self) -> None:
        if bool(self.call) == bool(self.command):
            raise InvalidArgumentError(f"method {self.name!r} must have either a call or a command")
        if isinstance(self.call, str) and self.call and ":" not in self.call:
            raise InvalidArgumentError(
                f"the call of method {self.name!r} must be 'module:function' or 'file.py:function', got {self.call!r}"
            )
        check_count(f"threads of method {self.name!r}", self.threads, minimum=0)
        try:
            json.dumps(dict(self.settings))
        except TypeError as error:
            raise InvalidArgumentError(f"settings of method {self.name!r} must be JSON: {error}") from None

    @classmethod
    def named(cls, name: str) -> Method:
        """A method of muemg, a bound, or the function that ``file.py:function`` names.

        Raises
        ------
        InvalidArgumentError
            If there is no such method.
        """
        if name == "bmiss":  # it needs to know the tissue
            return cls(name, "muemg.benchmark.informed:bmiss", compiles=True, truth=True)
        if name in METHODS:
            return cls(name, "muemg.methods:decompose", settings={"method": name}, compiles=True)
        if name in _BOUNDS:
            call = f"muemg.benchmark.bounds:{_BOUNDS[name]}"
            return cls(name, call, compiles=True, truth=True)
        if ":" in name:
            return cls(name.rpartition(":")[2], name)
        known = ", ".join([*METHODS, *_BOUNDS])
        raise InvalidArgumentError(
            f"method must be one of {known}, or file.py:function, or be declared in the suite; got {name!r}"
        )

    @classmethod
    def from_table(cls, table: Mapping[str, Any], folder: Path | None = None) -> Method:
        """A method from a table of a TOML file that lies in `folder`."""
        for key in table:
            if key not in _KEYS:
                raise InvalidArgumentError(f"a method has no {key!r}; it has {', '.join(_KEYS)}")
        if not isinstance(table.get("name"), str):
            raise InvalidArgumentError(f"a method must have a name, got {dict(table)!r}")
        values = dict(table)
        here = str((folder or Path()).resolve())
        values["command"] = tuple(
            part.replace("{here}", here).replace("{python}", sys.executable)
            for part in table.get("command", ())
        )
        call = values.get("call", "")
        if call.partition(":")[0].endswith(".py"):
            values["call"] = str(Path(here) / call)
        if not call and not values["command"]:
            base = cls.named(str(values.get("settings", {}).get("method", "")))
            values |= {"call": base.call, "compiles": base.compiles}
        return cls(**values)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides what it finds in a recording, as JSON."""
        return {
            "call": self.call
            if isinstance(self.call, str)
            else getattr(self.call, "__qualname__", repr(self.call)),
            "command": [Path(part).name for part in self.command],
            "settings": dict(self.settings),
            "threads": self.threads,
            "code": self._code(),
        }

    def _code(self) -> str:
        """Digest of the source: of muemg for its own methods, of a function's file, of a script and its neighbours."""
        if self.command:
            scripts = [
                Path(part) for part in self.command[1:] if part.endswith(".py") and Path(part).is_file()
            ]
            files = sorted(file for script in scripts for file in script.parent.glob("*.py"))
            return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
        if isinstance(self.call, str):
            module = self.call.rpartition(":")[0]
            if not module.endswith(".py"):
                return source_digest(*_SEPARATION) if module.startswith("muemg.") else ""
            return hashlib.sha256(Path(module).read_bytes()).hexdigest()[:12]
        code = getattr(self.call, "__code__", None)
        return hashlib.sha256(code.co_code).hexdigest()[:12] if code is not None else ""


def function_of(call: str) -> Callable[..., Any]:
    """The function that ``module:function`` or ``file.py:function`` names.

    Raises
    ------
    InvalidArgumentError
        If there is none.
    """
    place, _, name = call.rpartition(":")
    try:
        module = _module_of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, OSError) as error:
        raise InvalidArgumentError(f"cannot import {place!r}: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise InvalidArgumentError(f"{place!r} has no function {name!r}")
    return function


def _module_of_file(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None or not path.is_file():
        raise ImportError(f"there is no Python file {str(path)!r}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


@cache
def source_digest(*parts: str) -> str:
    """Twelve hexadecimal digits of the SHA-256 of some parts of muemg, and of the forward models.

    Parameters
    ----------
    *parts : str
        Packages and modules within muemg; by default those of the simulator.
    """
    package = Path(__file__).parent.parent
    roots = [package / part for part in parts or _SIMULATION] + [package.parent / "forward_models"]
    digest = hashlib.sha256()
    for root in roots:
        for file in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
            digest.update(file.relative_to(package.parent).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
