"""Commands about recordings: look into a file, simulate one or many, change the format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from muemg._terminal import print_decomposition, progress_bar, wrote
from muemg.cli._app import (
    Force,
    InputFile,
    OutputFile,
    Seed,
    Settings,
    as_settings,
    check_output,
    read_contents,
)

__all__ = ["convert", "info", "simulate", "simulate_dataset"]


def info(file: InputFile) -> None:
    """Say what a file holds, and which channels of it look bad."""
    from muemg.preprocessing import find_bad_channels, remove_power_line

    contents = read_contents(file)
    typer.echo(f"{file} ({contents.format})")
    if contents.recording is not None:
        recording = contents.recording
        typer.echo(repr(recording))
        bad = find_bad_channels(recording)
        for channel, reason in bad.items():
            typer.echo(f"  bad channel {recording.channel_names[channel]}: {reason}")
        if not bad:
            typer.echo("  no bad channels")
        _, lines = remove_power_line(recording)
        at = ", ".join(f"{line:.4g} Hz" for line in lines)
        typer.echo(f"  power line: {at or 'none'}")
    for part in (contents.simulation, contents.spikes):
        if part is not None:
            typer.echo(repr(part))
    if contents.decomposition is not None:
        print_decomposition(contents.decomposition)


def simulate(
    output: OutputFile,
    scenario: Annotated[
        str, typer.Argument(metavar="[SCENARIO]", help="A TOML file, or the name of a ready-made scenario.")
    ] = "demo-64",
    seed: Seed = 0,
    set_: Settings = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw it, too: .png, .pdf or .svg.")
    ] = None,
    force: Force = False,
) -> None:
    """Simulate a recording whose motor units are known; a name without extension is a BIDS folder."""
    check_output(output, force)
    if plot is not None:
        check_output(plot, force, endings=(".png", ".pdf", ".svg"))
    from muemg.io import write
    from muemg.simulation import Scenario
    from muemg.simulation import simulate as run

    chosen = Scenario.load(scenario).override(as_settings(set_))
    with progress_bar("simulating") as tell:
        result = run(chosen, seed=seed, progress=tell)
    write(output, result)
    typer.echo(repr(result))
    wrote(output)
    if plot is not None:
        from muemg.plots import plot_simulation, save_figure

        save_figure(plot, plot_simulation(result))
        wrote(plot)


def simulate_dataset(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A TOML file: what to vary, and how often.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder, new or begun by an earlier run.")
    ],
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="A Dask scheduler, instead of workers on this machine."),
    ] = None,
    workers: Annotated[int, typer.Option(help="How many workers on this machine.")] = 2,
) -> None:
    """Simulate a plan of many recordings; run it again to go on after an interruption."""
    from muemg.simulation import simulate_dataset as run

    try:
        with progress_bar("simulating") as tell:
            made = run(plan, output, scheduler, workers, progress=tell)
    except KeyboardInterrupt:
        typer.echo(f"muemg: the same command goes on with what is in {output}", err=True)
        raise
    typer.echo(repr(made))
    typer.echo(f"wrote {made.folder}")


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="File to read.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="File, by its extension; without one, a BIDS folder.")
    ],
    force: Force = False,
) -> None:
    """Convert between .h5, .npz, .edf, .bdf, BIDS folders, .json of openhdemg and .mat (read only)."""
    contents = read_contents(source)
    check_output(target, force, sources=(source,))
    from muemg.io import write

    write(target, contents)
    typer.echo(repr(contents))
    wrote(target)
