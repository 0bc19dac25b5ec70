"""Tables of results: medians over the seeds of a method on a scene, beside the bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "BOUNDS",
    "COLUMNS",
    "Cell",
    "Question",
    "described",
    "is_ours",
    "markdown",
    "shown",
    "summary",
    "varied",
    "verdict",
]

BOUNDS = ("linear bound", "cancelling bound")

# Column of a row, heading, digits.
COLUMNS = (
    ("n_seeds", "seeds", 0),
    ("right", "right", 0),
    ("bound", "bound", 0),
    ("reported", "reported", 0),
    ("extra", "extra", 0),
    ("unit_precision", "unit precision", 3),
    ("f1", "F1", 3),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("wall_s", "wall s", 1),
    ("cpu_s", "CPU s", 1),
    ("peak_memory_mb", "peak MB", 0),
)


@dataclass(frozen=True)
class Cell:
    """A method on a scene: medians over the seeds.

    Parameters
    ----------
    scene, method : str
        Names.
    changes : tuple of (str, value)
        What was changed in the scene.
    values : dict of str to float
        ``n_seeds``, and the medians of the columns. A method that failed found no unit; a bound that failed says
        nothing.
    failures : tuple of str
        Why rows failed, or found nothing.
    version : str
        Of the method.
    """

    scene: str
    method: str
    changes: tuple[tuple[str, Any], ...]
    values: dict[str, float]
    failures: tuple[str, ...]
    version: str


def summary(rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """Rows of the same scene and method taken together: scene by scene, methods of muemg first, bounds last.

    Parameters
    ----------
    rows : iterable of dict
        From `run_benchmark` or a file of results.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["scene"], row["method"], tuple(row["changes"].items())), []).append(row)
    cells = []
    for (scene, method, changes), group in groups.items():
        values = {"n_seeds": float(len(group))}
        for name, _, _ in COLUMNS[1:]:
            missing = 0 if name in ("right", "reported") and method not in BOUNDS else None
            counted = [missing if row["status"] != "ok" and row[name] is None else row[name] for row in group]
            known = [value for value in counted if value is not None]
            values[name] = float(np.median(known)) if known else math.nan
        reasons = tuple(dict.fromkeys(row["reason"] for row in group if row["reason"]))
        version = next((row["version"] for row in group if row["version"]), "")
        cells.append(Cell(scene, method, changes, values, reasons, version))
    place = {scene: index for index, scene in enumerate(dict.fromkeys(cell.scene for cell in cells))}
    return sorted(
        cells,
        key=lambda cell: (place[cell.scene], bool(cell.changes), cell.method in BOUNDS, not is_ours(cell)),
    )


def is_ours(cell: Cell) -> bool:
    """Whether it is a method of muemg."""
    return cell.version.startswith("muemg ")


def verdict(cells: Sequence[Cell]) -> str:
    """One sentence on a scene: our best method beside the best of the others, in units and in time."""
    ours: list[Cell] = []
    others: list[Cell] = []
    for cell in cells:
        if cell.method not in BOUNDS:
            (ours if is_ours(cell) else others).append(cell)
    others = [cell for cell in others if cell.values["right"] > 0]
    if not ours or not others:
        return ""

    def first(group: list[Cell]) -> Cell:
        return min(group, key=lambda cell: (-cell.values["right"], cell.values["wall_s"]))

    mine, theirs = first(ours), first(others)
    fastest = min(others, key=lambda cell: cell.values["wall_s"])
    said = (
        f"Most right units of muemg: {mine.values['right']:g} ({mine.method}, {mine.values['wall_s']:.1f} s); of the "
        f"others: {theirs.values['right']:g} ({theirs.method}, {theirs.values['wall_s']:.1f} s)"
    )
    ratio = fastest.values["wall_s"] / mine.values["wall_s"]
    said += f"; the fastest of them ({fastest.method}) takes {ratio:.1f} times as long as {mine.method}"
    if mine.values["right"] < theirs.values["right"]:
        said += " – MORE UNITS THAN MUEMG"
    if ratio < 1:
        said += " – FASTER THAN MUEMG"
    return said + "."


def markdown(rows: Sequence[Mapping[str, Any]], title: str = "Results") -> str:
    """All rows as Markdown: a table for every scene, and one for everything that was varied.

    Parameters
    ----------
    rows : sequence of dict
        From `run_benchmark` or a file of results.
    title : str
        Of the page.
    """
    cells = summary(rows)
    parts = [f"# {title}\n", described(rows) + "\n"]
    for scene in dict.fromkeys(cell.scene for cell in cells if not cell.changes):
        of = [cell for cell in cells if cell.scene == scene and not cell.changes]
        parts.append(f"## {scene}\n")
        heading = ["method", *(said for _, said, _ in COLUMNS), "note"]
        lines = [
            [cell.method, *(shown(cell.values[n], d) for n, _, d in COLUMNS), "; ".join(cell.failures)]
            for cell in of
        ]
        parts.append(_table(heading, lines))
        if verdict(of):
            parts.append(verdict(of) + "\n")
    for question in varied(cells):
        parts.append(f"## {question.scene}: right units for {question.setting}\n")
        lines = [
            [
                method,
                *(shown(question.right.get((method, value), math.nan), 0) for value in question.values),
            ]
            for method in question.methods
        ]
        parts.append(_table(["method", *map(str, question.values)], lines))
    return "\n".join(parts)


@dataclass(frozen=True)
class Question:
    """A setting of a scene that was varied.

    Parameters
    ----------
    scene, setting : str
        Names; the scene's says which other settings were changed.
    values : tuple
        Of the setting, in the order of the suite.
    methods : tuple of str
        In the order of the suite.
    right : dict of (str, value) to float
        Right units of each method at each value.
    """

    scene: str
    setting: str
    values: tuple[Any, ...]
    methods: tuple[str, ...]
    right: dict[tuple[str, Any], float]


def varied(cells: Iterable[Cell]) -> list[Question]:
    """Everything that was varied: of several changes the last one."""
    found: dict[tuple[str, str], dict[tuple[str, Any], float]] = {}
    for cell in cells:
        if cell.changes:
            *fixed, (setting, value) = cell.changes
            scene = ", ".join([cell.scene, *(f"{name} = {other}" for name, other in fixed)])
            found.setdefault((scene, setting), {})[cell.method, value] = cell.values["right"]
    return [
        Question(
            scene,
            setting,
            tuple(dict.fromkeys(value for _, value in right)),
            tuple(dict.fromkeys(method for method, _ in right)),
            right,
        )
        for (scene, setting), right in found.items()
    ]


def described(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the numbers mean, and where they were measured."""
    machines = sorted({_said(row["machine"]) for row in rows})
    threads = sorted({row["threads"] for row in rows})
    versions = sorted({row["version"] for row in rows if row["version"]})
    commits = sorted({row["commit"] for row in rows if row["commit"]})
    return (
        "Medians over seeds. A unit is right if its rate of agreement with a true one is 0.9 or more; extra units "
        f"match no true one. Measured on {' and '.join(machines)}; threads: {', '.join(map(str, threads))}; "
        f"{', '.join(versions)}{'; commit ' + ', '.join(commits) if commits else ''}."
    )


def _said(machine: Mapping[str, Any]) -> str:
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}, "
        f"Python {machine['python']}"
    )


def shown(value: float, digits: int) -> str:
    """A number as tables show it: not-a-number is a dash; of a count a half is shown, as medians may have it."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.{digits}f}" if digits else f"{value:.1f}".removesuffix(".0")


def _table(heading: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in (heading, rule, *lines))
