"""A suite, as data: which methods on which scenes with which seeds, and what of the scenes is varied.

::

    description = "..."
    threads = 2               # of every method's libraries
    time_limit_s = 600        # of one row; a part may have its own
    seeds = [0, 1, 2]
    methods = ["fastica"]     # of muemg, "linear bound", "cancelling bound", or declared below
    include = "methods.toml"  # further declarations
    base = ["standard"]       # suites whose parts come before these

    [[parts]]                 # as many as there are questions; seeds and methods may be given here too
    scenes = ["scene-a", "vastus-lateralis", "my_scenario.toml", "my_recording.h5"]

    [[parts]]
    scenes = ["demo-64"]
    vary."recording.snr_db" = [5, 10, 20, 40]

    [[declare]]               # see `Method`
    name = "mine"
    call = "my_file.py:my_function"
"""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from muemg.benchmark.cases import Scene, scenes_of_folder
from muemg.benchmark.methods import Method
from muemg.errors import FileFormatError, InvalidArgumentError, check_count, check_positive

__all__ = ["Part", "Suite", "suite_names"]

_KEYS = ("description", "base", "threads", "time_limit_s", "seeds", "methods", "include", "parts", "declare")
_PART_KEYS = ("scenes", "seeds", "methods", "vary", "time_limit_s")


@dataclass(frozen=True)
class Part:
    """One question of a suite: every method on every scene with every seed.

    Parameters
    ----------
    scenes : tuple of Scene
        What is varied included: one scene for each value.
    seeds : tuple of int
        Of the simulation and of the method.
    methods : tuple of Method
        In the order of the tables.
    time_limit : float
        Seconds for one row.
    """

    scenes: tuple[Scene, ...]
    seeds: tuple[int, ...]
    methods: tuple[Method, ...]
    time_limit: float = 600.0


@dataclass(frozen=True)
class Suite:
    """A benchmark.

    Parameters
    ----------
    name : str
        For tables.
    parts : tuple of Part
        Its questions.
    threads : int
        Of every method's libraries, unless the method says otherwise.
    description : str
        For people.
    """

    name: str
    parts: tuple[Part, ...]
    threads: int = 2
    description: str = ""

    @classmethod
    def load(cls, suite: str | Path | Mapping[str, Any] | Suite) -> Suite:
        """A ready-made suite, a TOML file, tables like those in one, or a folder of recordings with known discharges.

        Raises
        ------
        FileFormatError
            If the file cannot be read or is not TOML.
        InvalidArgumentError
            If there is no such suite, scene or method, or a key that none has.
        BenchmarkError
            If a folder holds no recording with known discharges.
        """
        if isinstance(suite, Suite):
            return suite
        if isinstance(suite, Mapping):
            return cls._from_tables(suite, "unnamed", Path())
        own = resources.files("muemg.benchmark") / "ready_made" / f"{suite}.toml"
        path = Path(str(own)) if own.is_file() else Path(suite)
        if path.is_dir():
            methods = (Method.named("fastica"),)
            return cls(path.resolve().name, (Part(scenes_of_folder(path), (0,), methods),))
        if not path.is_file():
            raise InvalidArgumentError(
                f"a suite must be a TOML file, a folder or one of {', '.join(suite_names())}; got {str(suite)!r}"
            )
        return cls._from_tables(_tables(path), path.stem, path.parent)

    @classmethod
    def _from_tables(cls, tables: Mapping[str, Any], name: str, folder: Path) -> Suite:
        _check_keys(f"suite {name!r}", tables, _KEYS)
        declared = {}
        for table, home in _declarations(tables, folder):
            method = Method.from_table(table, home)
            declared[method.name] = method
        parts = [part for base in tables.get("base", ()) for part in cls.load(_beside(folder, base)).parts]
        limit = check_positive("time_limit_s", tables.get("time_limit_s", Part.time_limit), "s")
        for number, table in enumerate(tables.get("parts", ())):
            _check_keys(f"part {number + 1} of suite {name!r}", table, _PART_KEYS)
            chosen = table.get("methods", tables.get("methods", ["fastica"]))
            seeds = tuple(
                check_count("a seed", seed, minimum=0)
                for seed in table.get("seeds", tables.get("seeds", [0]))
            )
            scenes = [Scene.load(scene, folder) for scene in table.get("scenes", ())]
            varied = [
                scene.changed(changes) for scene in scenes for changes in _settings(table.get("vary", {}))
            ]
            methods = tuple(declared.get(one) or Method.named(one) for one in chosen)
            if not (varied and seeds and methods):
                raise InvalidArgumentError(
                    f"part {number + 1} of suite {name!r} must have scenes, seeds and methods"
                )
            own = check_positive("time_limit_s", table.get("time_limit_s", limit), "s")
            parts.append(Part(tuple(varied), seeds, methods, own))
        if not parts:
            raise InvalidArgumentError(f"suite {name!r} must have parts")
        return cls(
            name,
            tuple(parts),
            check_count("threads", tables.get("threads", cls.threads)),
            tables.get("description", ""),
        )

    def only(
        self,
        methods: Sequence[Method] | None = None,
        seeds: Iterable[int] | None = None,
        threads: int | None = None,
    ) -> Suite:
        """The suite with other methods in every part, other seeds, or another number of threads."""
        kept = tuple(seeds) if seeds is not None else None
        parts = tuple(
            replace(
                part, methods=tuple(methods or part.methods), seeds=kept if kept is not None else part.seeds
            )
            for part in self.parts
        )
        return replace(
            self, parts=parts, threads=self.threads if threads is None else check_count("threads", threads)
        )

    def method(self, name: str) -> Method:
        """A method of the suite by its name, or one of muemg, or ``file.py:function``."""
        declared = {method.name: method for part in self.parts for method in part.methods}
        return declared.get(name) or Method.named(name)


def suite_names() -> tuple[str, ...]:
    """Names of the ready-made suites."""
    folder = resources.files("muemg.benchmark") / "ready_made"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def _tables(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileFormatError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{path.name} is not a TOML file: {error}") from error


def _beside(folder: Path, name: str) -> str | Path:
    """The file of that name in the folder, or else the name of a ready-made suite."""
    return folder / name if (folder / name).is_file() else name


def _declarations(tables: Mapping[str, Any], folder: Path) -> list[tuple[Mapping[str, Any], Path]]:
    """Declared methods with the folder that their paths are relative to, the suite's own last."""
    found = []
    if "include" in tables:
        file = folder / str(tables["include"])
        included = _tables(file)
        _check_keys(file.name, included, ("declare",))
        found += [(table, file.parent) for table in included.get("declare", ())]
    return found + [(table, folder) for table in tables.get("declare", ())]


def _settings(vary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the values of the settings that vary; one empty one if none does."""
    for key, values in vary.items():
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise InvalidArgumentError(f'vary."{key}" must be a list of values, got {values!r}')
    return [dict(zip(vary, values)) for values in itertools.product(*vary.values())]


def _check_keys(where: str, table: Mapping[str, Any], allowed: Sequence[str]) -> None:
    for key in table:
        if key not in allowed:
            raise InvalidArgumentError(f"{where} has no {key!r}; it may have {', '.join(allowed)}")
