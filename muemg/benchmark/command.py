"""``muemg benchmark``: a suite, or a person's own recordings, as a table on the terminal and a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["benchmark"]


def benchmark(
    suite: Annotated[
        str,
        typer.Argument(
            metavar="SUITE|FOLDER",
            help="A ready-made suite, a TOML file, or a folder of recordings with truth.",
        ),
    ] = "quick",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder, new or begun by an earlier run.")
    ] = Path("muemg-benchmark"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Instead of the suite's: a method, or FILE.py:FUNCTION. Several times."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds 0 … N − 1 instead of the suite's.")] = None,
    threads: Annotated[
        int | None, typer.Option(help="Threads of every method, instead of the suite's.")
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Dask workers on this machine; 0: one row after the other.")
    ] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler, instead of workers on this machine."),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="Results of an earlier run to compare with.")
    ] = None,
) -> None:
    """Compare methods of decomposition; run it again to go on after an interruption."""
    from muemg._terminal import print_table, progress_bar, wrote
    from muemg.benchmark.journal import read_rows
    from muemg.benchmark.page import write_page
    from muemg.benchmark.regression import compare_runs
    from muemg.benchmark.runner import run_benchmark
    from muemg.benchmark.tables import markdown
    from muemg.io._atomic import atomic_write

    before = read_rows(baseline) if baseline is not None else None
    try:
        with progress_bar("benchmark") as bar:
            results = run_benchmark(
                suite,
                output,
                methods=method or None,
                seeds=None if seeds is None else range(seeds),
                threads=threads,
                n_workers=workers,
                scheduler=scheduler,
                progress=bar if sys.stderr.isatty() else _line,
            )
    except KeyboardInterrupt:
        typer.echo(f"muemg: the same command goes on with what is in {output}", err=True)
        raise
    table = markdown(results.rows, f"Benchmark {results.suite}")
    written = output / "results.md", output / "results.html"
    with atomic_write(written[0]) as stream:
        stream.write(table.encode())
    write_page(written[1], results.rows, title=f"Benchmark {results.suite}")
    typer.echo(table)
    if before is not None:
        print_table(compare_runs(results.rows, before))
    typer.echo(repr(results))
    wrote(results.file, *written)


def _line(share: float, what: str) -> None:
    """Progress where there is no terminal: a suite may take an hour, and a log should say how far it is."""
    typer.echo(f"{100 * share:3.0f} % {what}", err=True)
