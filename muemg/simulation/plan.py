"""A plan of many recordings: subjects, recordings of each, and how their settings are spread (Latin hypercube).

In a Latin hypercube of n points every setting's range is cut into n equal parts (of probability) and each part
is visited once, so that few recordings cover every setting evenly (McKay, Beckman & Conover 1979,
10.2307/1268522).
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from muemg.errors import FileFormatError, InvalidArgumentError, check_count, check_option
from muemg.simulation._schema import check_setting, line_of, unknown_key
from muemg.simulation.scenario import Scenario

__all__ = ["Draft", "Plan", "Spread"]

_KEYS = ("name", "seed", "subjects", "recordings", "scenario", "each_subject", "each_recording")
_KINDS = ("uniform", "log_uniform", "integers", "choice")


@dataclass(frozen=True)
class Spread:
    """How the values of one setting are spread.

    Parameters
    ----------
    kind : {"uniform", "log_uniform", "integers", "choice"}
        Evenly between two numbers; evenly in the logarithm; whole numbers, both ends included; one of some
        values.
    values : tuple
        Lowest and highest, or all values of a choice, in the unit that the setting's key names.

    Raises
    ------
    InvalidArgumentError
        If there is no such kind, or it cannot have such values.
    """

    kind: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        check_option("kind", self.kind, _KINDS)
        # JSON and TOML tables made from it have a word for infinity.
        words = {"inf": math.inf, "-inf": -math.inf}
        values = (words.get(one, one) if isinstance(one, str) else one for one in self.values)
        object.__setattr__(self, "values", tuple(values))
        if self.kind == "choice":
            if not self.values:
                raise InvalidArgumentError("choice must list at least one value")
            return
        wanted = numbers.Integral if self.kind == "integers" else numbers.Real
        fits = len(self.values) == 2 and all(
            isinstance(value, wanted) and not isinstance(value, bool) and math.isfinite(value)
            for value in self.values
        )
        lowest = math.nextafter(0, 1) if self.kind == "log_uniform" else -math.inf
        if not fits or not lowest <= self.values[0] <= self.values[1]:
            sort = {"integers": "whole ", "log_uniform": "positive "}.get(self.kind, "")
            raise InvalidArgumentError(
                f"{self.kind} must be two {sort}numbers, [low, high], got {list(self.values)!r}"
            )

    def at(self, share: float) -> Any:
        """The value below which a share 0 … 1 of the values lies; numbers to six digits."""
        if self.kind == "choice":
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        low, high = self.values
        if self.kind == "integers":
            return min(low + int(share * (high - low + 1)), high)
        value = low * (high / low) ** share if self.kind == "log_uniform" else low + share * (high - low)
        return min(max(float(f"{value:.6g}"), low), high)


@dataclass(frozen=True)
class Draft:
    """One recording of a plan.

    Parameters
    ----------
    index, subject, recording : int
        Its number in the plan, its subject's, and its number among the subject's; all from 0.
    name : str
        Of its file, without the ending.
    seed, subject_seed : int
        What `muemg.simulate` takes as `seed` and `subject`.
    settings : mapping
        The settings that were drawn, such as ``{"drive.level": 0.2}``.
    scenario : Scenario
        With these settings.
    """

    index: int
    subject: int
    recording: int
    name: str
    seed: int
    subject_seed: int
    settings: Mapping[str, Any]
    scenario: Scenario


@dataclass(frozen=True)
class Plan:
    """Many recordings: a scenario, and what differs between subjects and between recordings.

    Parameters
    ----------
    scenario : Scenario
        What all recordings share.
    n_subjects, n_recordings : int
        Subjects, and recordings of each. Those of one subject are of the same muscle.
    each_subject, each_recording : mapping of str to Spread
        Settings, such as ``"conductor.fat_mm"``, drawn once for each subject, or anew for each recording.
    seed : int
        The same plan gives the same recordings.
    name : str
        For people.

    Raises
    ------
    InvalidArgumentError
        If a setting does not exist, is drawn twice, or cannot have one of the values.
    """

    scenario: Scenario
    n_subjects: int = 1
    n_recordings: int = 1
    each_subject: Mapping[str, Spread] = field(default_factory=dict)
    each_recording: Mapping[str, Spread] = field(default_factory=dict)
    seed: int = 0
    name: str = "unnamed"

    def __post_init__(self) -> None:
        check_count("subjects", self.n_subjects)
        check_count("recordings", self.n_recordings)
        check_count("seed", self.seed, minimum=0)
        for scope in ("each_subject", "each_recording"):
            for key, spread in getattr(self, scope).items():
                _check_spread(self.scenario, f"{scope}.{key}", key, spread)
        for key in self.each_recording:
            if key in self.each_subject:
                raise InvalidArgumentError(f"each_recording.{key} is drawn in each_subject too: keep one")

    # ------------------------------------------------------------------ tables and files

    @classmethod
    def load(cls, plan: str | Path | Mapping[str, Any] | Plan) -> Plan:
        """A plan from a TOML file or from tables like those in one; a plan is given back.

        Raises
        ------
        FileFormatError
            If the file cannot be read or is not TOML.
        InvalidArgumentError
            As `Plan` and `Scenario.from_dict`; of a file the message names the line.
        """
        if isinstance(plan, Plan):
            return plan
        if isinstance(plan, Mapping):
            return cls._from_tables(plan, lambda section, key: "", None)
        if not isinstance(plan, str | Path):
            raise InvalidArgumentError(f"plan must be a path, a Plan or a mapping, got {type(plan).__name__}")
        file = Path(plan)
        try:
            source = file.read_text(encoding="utf-8")
            tables = tomllib.loads(source)
        except OSError as error:
            raise FileFormatError(f"cannot read plan {str(file)!r}: {error.strerror or error}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise FileFormatError(f"{file.name} is not a TOML file: {error}") from error

        def where(section: str, key: str) -> str:
            line = line_of(source, section, key) or line_of(source, section, "")
            return f"{file.name}, line {line}: " if line else f"{file.name}: "

        return cls._from_tables({"name": file.stem, **tables}, where, file.parent)

    @classmethod
    def _from_tables(
        cls, tables: Mapping[str, Any], where: Callable[[str, str], str], folder: Path | None
    ) -> Plan:
        for key in tables:
            if key not in _KEYS:
                # A table is found by its header, anything else by its key.
                place = where(key, "") if isinstance(tables[key], Mapping) else where("", key)
                raise unknown_key(f"{place}{key}", key, _KEYS)
        name = tables.get("name", "unnamed")
        if not isinstance(name, str):
            raise InvalidArgumentError(f"{where('', 'name')}name must be text, got {name!r}")
        counts = {}
        for key, default in (("seed", 0), ("subjects", 1), ("recordings", 1)):
            with _placed(where("", key)):
                counts[key] = check_count(key, tables.get(key, default), minimum=int(key != "seed"))
        scenario = _scenario(tables.get("scenario"), where, folder)
        # What `to_dict` gives names every setting; in a file, a setting that is never used is a mistake.
        own = tables.get("scenario") if folder is not None else None
        fixed = _flat(own) if isinstance(own, Mapping) else {}
        drawn: dict[str, dict[str, Spread]] = {"each_subject": {}, "each_recording": {}}
        for scope, spreads in drawn.items():
            table = tables.get(scope, {})
            if not isinstance(table, Mapping):
                raise InvalidArgumentError(f"{where('', scope)}{scope} must be a table, got {table!r}")
            for key, written in _flat(table).items():
                section, _, short = key.rpartition(".")
                with _placed(where(f"{scope}.{section}".rstrip("."), short)):
                    if key in fixed:
                        raise InvalidArgumentError(f"{scope}.{key} is fixed in scenario too: keep one")
                    if key in drawn["each_subject"]:
                        raise InvalidArgumentError(f"{scope}.{key} is drawn in each_subject too: keep one")
                    spreads[key] = _spread(f"{scope}.{key}", written)
                    _check_spread(scenario, f"{scope}.{key}", key, spreads[key])
        return cls(
            scenario,
            counts["subjects"],
            counts["recordings"],
            drawn["each_subject"],
            drawn["each_recording"],
            counts["seed"],
            name,
        )

    def to_dict(self) -> dict[str, Any]:
        """Tables that `load` reads back; the scenario in full."""
        spreads = {
            scope: {key: {s.kind: json_ready(s.values)} for key, s in getattr(self, scope).items()}
            for scope in ("each_subject", "each_recording")
        }
        return {
            "name": self.name,
            "seed": self.seed,
            "subjects": self.n_subjects,
            "recordings": self.n_recordings,
            "scenario": json_ready(self.scenario.to_dict()),
            **spreads,
        }

    @property
    def checksum(self) -> str:
        """SHA-256 of everything that decides the recordings."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    # ------------------------------------------------------------------ recordings

    def __len__(self) -> int:
        return self.n_subjects * self.n_recordings

    def drafts(self) -> tuple[Draft, ...]:
        """All recordings, those of one subject side by side.

        Raises
        ------
        InvalidArgumentError
            If settings that were drawn contradict each other; the message names the recording.
        """
        n, of_each = self.n_subjects, self.n_recordings
        # Streams of their own: another number of recordings leaves the subjects as they were.
        bodies = _hypercube(self.each_subject, n, np.random.SeedSequence(self.seed, spawn_key=(0,)))
        tasks = _hypercube(
            self.each_recording, n * of_each, np.random.SeedSequence(self.seed, spawn_key=(1,))
        )
        digits = len(str(n - 1)), len(str(of_each - 1))
        found = []
        for index in range(n * of_each):
            subject, recording = divmod(index, of_each)
            name = f"subject-{subject:0{digits[0]}d}_recording-{recording:0{digits[1]}d}"
            settings = {**bodies[subject], **tasks[index]}
            try:
                scenario = self.scenario.override(settings)
            except InvalidArgumentError as error:
                drawn = ", ".join(f"{key} = {value}" for key, value in settings.items())
                raise InvalidArgumentError(f"{name} is impossible: {error} (drawn: {drawn})") from None
            seeds = _seed(self.seed, 2, index), _seed(self.seed, 3, subject)
            found.append(Draft(index, subject, recording, name, *seeds, settings, scenario))
        return tuple(found)


def _hypercube(spreads: Mapping[str, Spread], n: int, stream: np.random.SeedSequence) -> list[dict[str, Any]]:
    if not spreads:
        return [{} for _ in range(n)]
    from scipy.stats import qmc

    points = qmc.LatinHypercube(len(spreads), rng=np.random.default_rng(stream)).random(n)
    return [{key: spread.at(share) for (key, spread), share in zip(spreads.items(), row)} for row in points]


def _seed(seed: int, *place: int) -> int:
    # 53 bits: what every reader of the manifest holds exactly.
    return int(np.random.SeedSequence(seed, spawn_key=place).generate_state(1, np.uint64)[0] >> 11)


# ------------------------------------------------------------------ reading


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by section and key joined by a dot, however they were written."""
    flat: dict[str, Any] = {}
    for section, settings in table.items():
        if isinstance(settings, Mapping) and "." not in section:
            flat |= {f"{section}.{key}": value for key, value in settings.items()}
        else:
            flat[section] = settings
    return flat


def _scenario(written: Any, where: Callable[[str, str], str], folder: Path | None) -> Scenario:
    if isinstance(written, Mapping):
        return Scenario._from_tables(
            {"name": "plan", **written}, lambda section, key: where(f"scenario.{section}".rstrip("."), key)
        )
    if written is not None and not isinstance(written, str):
        raise InvalidArgumentError(
            f"{where('', 'scenario')}scenario must be a name or a table, got {written!r}"
        )
    with _placed(where("", "scenario")):
        beside = folder / written if folder is not None and isinstance(written, str) else None
        return Scenario.load(beside if beside is not None and beside.is_file() else written)


def _spread(label: str, written: Any) -> Spread:
    if (
        not isinstance(written, Mapping)
        or len(written) != 1
        or next(iter(written)) not in _KINDS
        or isinstance(next(iter(written.values())), str)
        or not isinstance(next(iter(written.values())), Sequence)
    ):
        raise InvalidArgumentError(
            f"{label} must be one of {{uniform = [low, high]}}, {{log_uniform = [low, high]}}, "
            f"{{integers = [low, high]}}, {{choice = [value, …]}}, got {written!r}"
        )
    kind, values = next(iter(written.items()))
    try:
        return Spread(kind, tuple(values))
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{label}: {error}") from None


def _check_spread(scenario: Scenario, label: str, key: str, spread: Spread) -> None:
    section, _, short = key.partition(".")
    sections = [name for name in scenario.to_dict() if name not in ("name", "description")]
    if section not in sections or not short:
        raise unknown_key(label, section, sections)
    # One in between too: a whole number cannot be spread evenly over all numbers.
    for value in (*spread.values, *([] if spread.kind == "choice" else [spread.at(0.37)])):
        check_setting(type(getattr(scenario, section)), label, short, value)


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """What goes wrong inside is told with its place in front."""
    try:
        yield
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{place}{error}") from None


def json_ready(value: Any) -> Any:
    """Infinity as the word that the settings read back; JSON has no number for it."""
    if isinstance(value, Mapping):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return str(value) if isinstance(value, float) and math.isinf(value) else value
