"""Settings as frozen dataclasses in SI, and as tables whose keys carry the unit (``fat_mm``).

A section declares each of its fields once, by `quantity`, `number` or `choice`: default, unit in the key,
range. From that follow the checks, the conversion from and to tables, and messages that name key, allowed
values and line.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from muemg.errors import InvalidArgumentError

__all__ = [
    "Section",
    "check_setting",
    "choice",
    "flag",
    "from_table",
    "line_of",
    "list_of_numbers",
    "list_of_words",
    "number",
    "quantity",
    "text",
    "to_table",
    "unknown_key",
]

# What a key ends in, and how many such units one SI unit is: 36 / 1000 is the double nearest 0.036, 36 ×
# 0.001 is not.
_PER_SI = {
    "": 1.0,
    "s": 1.0,
    "ms": 1e3,
    "us": 1e6,
    "mm": 1e3,
    "um": 1e6,
    "hz": 1.0,
    "db": 1.0,
    "percent": 1e2,
    "uv": 1e6,
    "mv": 1e3,
    "per_min": 60.0,
    "deg": 180 / math.pi,
    "m_per_s": 1.0,
    "per_mm2": 1e-6,
}


def quantity(
    default: float, unit: str = "", *, low: float = 0.0, high: float = math.inf, open_low: bool = False
) -> Any:
    """Declare a real number: default and range in SI, `unit` as the key says it."""
    meta = {"kind": float, "unit": unit, "low": low, "high": high, "open_low": open_low}
    return dataclasses.field(default=default, metadata=meta)


def number(default: int, *, low: int = 0) -> Any:
    """Declare a whole number."""
    return dataclasses.field(default=default, metadata={"kind": int, "unit": "", "low": low})


def choice(default: str, options: Sequence[str]) -> Any:
    """Declare one of several words."""
    return dataclasses.field(default=default, metadata={"kind": str, "unit": "", "options": tuple(options)})


def flag(default: bool) -> Any:
    """Declare true or false."""
    return dataclasses.field(default=default, metadata={"kind": bool, "unit": ""})


def text(default: str) -> Any:
    """Declare free text."""
    return dataclasses.field(default=default, metadata={"kind": str, "unit": ""})


def list_of_numbers(unit: str = "", *, low: float = -math.inf, high: float = math.inf) -> Any:
    """Declare real numbers, as many as wanted; none by default."""
    meta = {"kind": tuple, "of": float, "unit": unit, "low": low, "high": high, "open_low": False}
    return dataclasses.field(default=(), metadata=meta)


def list_of_words() -> Any:
    """Declare words, as many as wanted; none by default."""
    return dataclasses.field(default=(), metadata={"kind": tuple, "of": str, "unit": ""})


@dataclasses.dataclass(frozen=True)
class Section:
    """Base of the sections of a scenario; checks every field when it is made."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            label = f"{type(self).__name__}.{item.name}"
            value = _checked(label, item, getattr(self, item.name), per_si=1.0)
            object.__setattr__(self, item.name, value)


S = TypeVar("S", bound=Section)


def from_table(kind: type[S], section: str, table: Any, where: Any = lambda key: "") -> S:
    """A section from a table with units in its keys.

    Parameters
    ----------
    kind : type
        The section's class.
    section : str
        Its name in messages and files.
    table : mapping
        Keys with units, and values.
    where : callable
        Gives for a key what to write in front of a message, such as the line in a file.
    """
    if not isinstance(table, Mapping):
        raise InvalidArgumentError(f"{where('')}{section} must be a table of settings, got {table!r}")
    by_key = {_key(item): item for item in dataclasses.fields(kind)}
    values = {}
    for key, raw in table.items():
        if key not in by_key:
            raise unknown_key(f"{where(key)}{section}.{key}", key, by_key)
        item = by_key[key]
        values[item.name] = _checked(
            f"{where(key)}{section}.{key}", item, raw, _PER_SI[item.metadata["unit"]]
        )
    try:
        return kind(**values)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{where('')}{error}") from None


def check_setting(kind: type[Section], label: str, key: str, raw: Any) -> None:
    """Raise `InvalidArgumentError`, its message beginning with `label`, unless `raw` can be a section's `key`."""
    by_key = {_key(item): item for item in dataclasses.fields(kind)}
    if key not in by_key:
        raise unknown_key(label, key, by_key)
    _checked(label, by_key[key], raw, _PER_SI[by_key[key].metadata["unit"]])


def to_table(section: Section) -> dict[str, Any]:
    """The table that `from_table` reads back."""
    table: dict[str, Any] = {}
    for item in dataclasses.fields(section):
        value = getattr(section, item.name)
        per_si = _PER_SI[item.metadata["unit"]]
        if item.metadata["kind"] is float:
            value = _shortened(value, per_si)
        elif item.metadata["kind"] is tuple:
            value = [_shortened(one, per_si) if isinstance(one, float) else one for one in value]
        table[_key(item)] = value
    return table


def _shortened(value: float, per_si: float) -> float:
    # 0.004 m is 4 mm, not 4.000000000000001, if that is what reads back as 0.004 m.
    short = float(f"{value * per_si:.12g}")
    return short if short / per_si == value else value * per_si


def unknown_key(label: str, key: str, allowed: Any) -> InvalidArgumentError:
    """The error for a key that does not exist: what is meant, perhaps, and what there is."""
    near = difflib.get_close_matches(str(key), list(allowed), n=1, cutoff=0.6)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return InvalidArgumentError(
        f"{label} is not a setting{hint}; the settings there are {', '.join(allowed)}"
    )


def line_of(source: str, section: str, key: str) -> int | None:
    """Line, from 1, on which a TOML text sets `key` of `section` (either may be empty), if it can be told."""
    current = ""
    for i, line in enumerate(source.splitlines(), start=1):
        header = re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line)
        if header:
            current = header[1].strip("\"'")
            if current == section and not key:
                return i
            continue
        assigned = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if assigned:
            name = assigned[1].replace('"', "").replace("'", "")
            full = f"{current}.{name}" if current else name
            wanted = f"{section}.{key}".strip(".")
            if full == wanted:
                return i
    return None


def _key(item: dataclasses.Field) -> str:
    unit = item.metadata["unit"]
    return f"{item.name}_{unit}" if unit else item.name


def _checked(label: str, item: dataclasses.Field, raw: Any, per_si: float) -> Any:
    """`raw` as the field's SI value, or an error that speaks in the unit it came in."""
    meta = item.metadata
    if meta["kind"] is bool:
        if not isinstance(raw, bool):
            raise InvalidArgumentError(f"{label} must be true or false, got {raw!r}")
        return raw
    if meta["kind"] is tuple:
        if isinstance(raw, str) or not isinstance(raw, Sequence):
            kind = "numbers" if meta["of"] is float else "words"
            raise InvalidArgumentError(f"{label} must be a list of {kind}, got {raw!r}")
        each = dataclasses.field(metadata={**meta, "kind": meta["of"]})
        return tuple(_checked(f"{label}[{i}]", each, one, per_si) for i, one in enumerate(raw))
    if meta["kind"] is str:
        options = meta.get("options")
        if not isinstance(raw, str) or (options and raw not in options):
            allowed = f"one of {', '.join(map(repr, options))}" if options else "text"
            raise InvalidArgumentError(f"{label} must be {allowed}, got {raw!r}")
        return raw
    if meta["kind"] is int:
        if isinstance(raw, bool) or not isinstance(raw, numbers.Integral) or raw < meta["low"]:
            raise InvalidArgumentError(f"{label} must be a whole number ≥ {meta['low']}, got {raw!r}")
        return int(raw)
    low, high = meta["low"], meta["high"]
    value = math.nan
    infinite_is_meant = meta["unit"] == "db"
    if infinite_is_meant and raw == "inf":  # JSON has no infinity
        raw = math.inf
    if isinstance(raw, numbers.Real) and not isinstance(raw, bool):
        value = float(raw) / per_si
    inside = (low < value if meta["open_low"] else low <= value) and value <= high
    if not inside or (math.isinf(value) and not infinite_is_meant):
        relation = ">" if meta["open_low"] else "≥"
        bounds = [] if low == -math.inf else [f"{relation} {low * per_si:.4g}"]
        bounds += [] if high == math.inf else [f"≤ {high * per_si:.4g}"]
        raise InvalidArgumentError(
            f"{label} must be a number {' and '.join(bounds)}".rstrip() + f", got {raw!r}"
        )
    return value
