"""What the command says on a terminal: tables, progress bars, and plain lines where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from muemg._table import Table
    from muemg.metrics import Comparison
    from muemg.results import Decomposition
    from muemg.separation import Tracking

__all__ = [
    "print_comparison",
    "print_decomposition",
    "print_table",
    "print_tracking",
    "progress_bar",
    "wrote",
]


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[float, str], None]]:
    """A bar on the terminal, moved by a share from 0 to 1; one plain line where there is no terminal."""
    if not sys.stderr.isatty():
        typer.echo(f"{what} …", err=True)
        yield lambda share, message: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None)

        def move(share: float, message: str) -> None:
            bar.update(task, total=1.0, completed=min(max(share, 0.0), 1.0), description=message or what)

        yield move
        bar.update(task, total=1.0, completed=1.0)


def wrote(*files: Path) -> None:
    """Say which files are there now."""
    for file in files:
        typer.echo(f"wrote {file.resolve()} ({file.stat().st_size / 1e6:.1f} MB)")


def print_decomposition(found: Decomposition) -> None:
    """One row per unit, and what a person should know about the run."""
    typer.echo(repr(found).splitlines()[0])
    for note in found.notes:
        typer.echo(f"  {note}")
    for channel, reason in found.excluded_channels.items():
        typer.echo(f"  channel {channel} left out: {reason}")
    if len(found) and found.quality.columns:
        columns = {"unit": [str(unit) for unit in found.spikes.unit_ids]}
        columns |= {name: _texts(found.quality, name) for name in found.quality.columns}
        _print_table(columns)


def print_comparison(comparison: Comparison) -> None:
    """One row per true unit."""
    typer.echo(repr(comparison).splitlines()[0].rstrip(">").lstrip("<"))
    shown = ("unit", "match", "f1", "precision", "recall", "rate_of_agreement", "n_spikes")
    columns = {name: _texts(comparison.truth, name) for name in shown}
    columns["match"] = [
        text if matched else "missed" for text, matched in zip(columns["match"], comparison.truth["matched"])
    ]
    _print_table(columns)
    if comparison.extra:
        typer.echo(f"without a true unit: {', '.join(map(str, comparison.extra))}")


def print_tracking(tracking: Tracking) -> None:
    """One row per match, and how the electrodes were displaced."""
    typer.echo(repr(tracking).splitlines()[0].strip("<>"))
    for i in range(tracking.displacements.n_rows):
        row = tracking.displacements.row(i)
        moved = f"{1e3 * row['along']:+.1f} mm along, {1e3 * row['across']:+.1f} mm across"
        typer.echo(f"  electrodes of session {row['session_b']} against session {row['session_a']}: {moved}")
    if tracking.matches.n_rows:
        _print_table({name: _texts(tracking.matches, name) for name in tracking.matches.columns})


def print_table(table: Table) -> None:
    """All of a table."""
    _print_table({name: _texts(table, name) for name in table.columns})


def _texts(table: Table, name: str) -> list[str]:
    values = table[name].tolist()
    return [
        ("–" if value != value else f"{value:.3f}") if isinstance(value, float) else str(value)
        for value in values
    ]


def _print_table(columns: dict[str, list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table as Drawn

    drawn = Drawn(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        drawn.add_column(name, justify="right")
    for row in zip(*columns.values()):
        drawn.add_row(*row)
    # Without a terminal there is no width to respect: rows stay whole for whoever reads the pipe.
    Console(width=None if sys.stdout.isatty() else 160).print(drawn)
