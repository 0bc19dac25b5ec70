"""Results as one self-contained page: a figure and a table that sorts for every scene, curves for what was varied."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from muemg._page import name_cell, picture, render
from muemg.benchmark.tables import BOUNDS, COLUMNS, Cell, Question, described, shown, summary, varied, verdict
from muemg.errors import InvalidArgumentError
from muemg.io._atomic import atomic_write

__all__ = ["write_page"]

_WIDE, _NARROW = 11.0, 3.7
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a9099", "#f0e442")


def write_page(
    path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]], *, title: str = "Decomposition, compared"
) -> Path:
    """Write results as one HTML page that needs no network and no other file.

    Parameters
    ----------
    path : path-like
        Where to; an older file of that name is replaced in one step.
    rows : sequence of dict
        From `run_benchmark` or a file of results.
    title : str
        Of the page.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If there are no rows.
    OutputError
        If the file cannot be written; the older file is unchanged.
    """
    if not rows:
        raise InvalidArgumentError("rows must not be empty: there is nothing to show")
    cells = summary(rows)
    sections = [_scene(cells, scene) for scene in dict.fromkeys(c.scene for c in cells if not c.changes)]
    sections += [_curve(question) for question in varied(cells)]
    page = render(
        resources.files("muemg.benchmark") / "page.html",
        title=title,
        subtitle=f"{len(rows)} runs: {len({c.method for c in cells})} methods, {len(sections)} questions",
        sections=sections,
        described=described(rows),
        provenance=_provenance(rows),
    )
    file = Path(path)
    with atomic_write(file) as stream:
        stream.write(page.encode("utf-8"))
    return file


def _scene(cells: Sequence[Cell], scene: str) -> dict[str, Any]:
    """One scene: bars of units, right and extra, and the table."""
    of = [c for c in cells if c.scene == scene and not c.changes]
    rows = [
        [
            name_cell(c.method),
            *(_number_cell(c.values[name], digits) for name, _, digits in COLUMNS),
            name_cell("; ".join(c.failures)),
        ]
        for c in of
    ]
    return {
        "id": _anchor(scene),
        "heading": scene,
        "text": verdict(of),
        "columns": ["method", *(heading for _, heading, _ in COLUMNS), "note"],
        "rows": rows,
        **_pictures(lambda axes: _bars(axes, of), 0.4 + 0.24 * len(of)),
    }


def _curve(question: Question) -> dict[str, Any]:
    """What was varied: right units against its value."""
    rows = [
        [
            name_cell(method),
            *(_number_cell(question.right.get((method, value), math.nan), 0) for value in question.values),
        ]
        for method in question.methods
    ]
    return {
        "id": _anchor(f"{question.scene}-{question.setting}"),
        "heading": f"{question.scene}: {question.setting}",
        "text": f"Right units for each value of {question.setting}; dashed: the bounds.",
        "columns": ["method", *map(str, question.values)],
        "rows": rows,
        **_pictures(lambda axes: _lines(axes, question), 2.6),
    }


def _provenance(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    said = [("suite", ", ".join(sorted({row["suite"] for row in rows})))]
    said += [("started", f"{min(row['started'] for row in rows)} … {max(row['started'] for row in rows)}")]
    for name in sorted({name for row in rows for name in row["libraries"]}):
        said.append((name, ", ".join(sorted({row["libraries"].get(name, "–") for row in rows}))))
    for row in {row["method"]: row for row in rows}.values():
        identity = row["identity"]
        called = identity["call"] or " ".join(identity["command"])
        said.append((row["method"], f"{called} {row['settings'] or ''} ({row['version'] or 'no version'})"))
    return said


def _number_cell(value: float, digits: int) -> dict[str, Any]:
    return {"text": shown(value, digits), "key": value if math.isfinite(value) else ""}


def _anchor(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


# ------------------------------------------------------------------ figures


def _pictures(draw: Callable[[Axes], None], height: float) -> dict[str, Any]:
    """A figure in two widths: one made for a desk is unreadable on a phone."""
    made = {}
    for name, width in (("wide", _WIDE), ("narrow", _NARROW)):
        figure = Figure(figsize=(width, height + 0.6), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        draw(axes)
        made[name] = picture(figure)
    return made


def _bars(axes: Axes, cells: Sequence[Cell]) -> None:
    names = [one.method for one in cells]
    right = [_or_zero(one.values["right"]) for one in cells]
    extra = [_or_zero(one.values["reported"]) - known for one, known in zip(cells, right)]
    colours = [_COLOURS[6] if one.method in BOUNDS else _COLOURS[0] for one in cells]
    axes.barh(names, right, color=colours, label="right")
    axes.barh(names, extra, left=right, color=_COLOURS[1], alpha=0.4, label="other")
    for place, one in enumerate(cells):
        wall = one.values["wall_s"]
        said = f" {right[place]:g}" + (f", {wall:.3g} s" if math.isfinite(wall) else "")
        axes.text(right[place] + extra[place], place, said, va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("units: right, and reported besides (pale)", fontsize=8)


def _lines(axes: Axes, question: Question) -> None:
    numeric = all(isinstance(value, int | float) for value in question.values)
    places = list(question.values) if numeric else list(range(len(question.values)))
    for index, method in enumerate(question.methods):
        heights = [question.right.get((method, value), math.nan) for value in question.values]
        line = "--" if method in BOUNDS else "-o"
        axes.plot(places, heights, line, color=_COLOURS[index % len(_COLOURS)], markersize=4, label=method)
    if not numeric:
        axes.set_xticks(places, [str(value) for value in question.values])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(question.setting, fontsize=8)
    axes.set_ylabel("right units", fontsize=8)
    axes.legend(fontsize=7, frameon=False)


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0
