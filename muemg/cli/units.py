"""Commands about motor units: find them, compare them, follow them, report them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muemg._terminal import print_comparison, print_decomposition, print_tracking, progress_bar, wrote
from muemg.cli._app import (
    Force,
    InputFile,
    Method,
    OutputFile,
    Seed,
    Settings,
    as_settings,
    check_output,
    read_contents,
    run_method,
    with_decomposition,
)

if TYPE_CHECKING:
    from muemg.io import Contents
    from muemg.results import Decomposition

__all__ = ["compare", "decode", "decompose", "report", "track"]


def decompose(
    file: InputFile,
    output: OutputFile,
    method: Method = "fastica",
    seed: Seed = 0,
    set_: Settings = None,
    force: Force = False,
) -> None:
    """Find the motor units of a recording.

    The recording and known spike trains are written along with what was found: a report needs one file.
    """
    contents = read_contents(file)
    recording = contents.require("recording")
    check_output(output, force, sources=(file,))
    from muemg.io import write

    found = run_method(recording, method, seed, as_settings(set_))
    write(output, with_decomposition(contents, found))
    print_decomposition(found)
    wrote(output)


def compare(
    found: Annotated[Path, typer.Argument(metavar="FOUND", help="File with the units to be judged.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="File with the true units.")],
    tolerance_ms: Annotated[float, typer.Option(help="Largest distance of matching discharges.")] = 1.0,
) -> None:
    """Match found motor units with the true ones."""
    from muemg.metrics import compare as run

    judged, right = read_contents(found).spike_trains("found"), read_contents(truth).spike_trains("known")
    print_comparison(run(judged, right, tolerance=tolerance_ms * 1e-3))


def decode(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="The recording to decode.")],
    decomposition: Annotated[
        Path,
        typer.Argument(
            metavar="DECOMPOSITION", help="File with the units, and with what they were found in."
        ),
    ],
    output: OutputFile,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Let the filters follow a drifting contraction.")
    ] = False,
    force: Force = False,
) -> None:
    """Find the units of a decomposition in another recording, by their filters."""
    contents = read_contents(recording)
    signal = contents.require("recording")
    check_output(output, force, sources=(recording, decomposition))
    from muemg.io import write
    from muemg.separation import Adaptation
    from muemg.separation import decode as run

    found = run(
        signal, _with_filters(read_contents(decomposition)), adaptation=Adaptation() if adapt else None
    )
    write(output, with_decomposition(contents, found))
    print_decomposition(found)
    wrote(output)


def track(
    files: Annotated[
        list[Path], typer.Argument(metavar="A B …", help="Files with decompositions, in order.")
    ],
    max_shift_mm: Annotated[float, typer.Option(help="Largest displacement of the electrodes.")] = 10.0,
    min_confidence: Annotated[float, typer.Option(help="Matches less probable than this are none.")] = 0.5,
) -> None:
    """Find the same motor units in several decompositions."""
    from muemg.separation import track as run

    sessions = []
    for contents in map(read_contents, files):
        found = contents.require("decomposition")
        sessions.append(found if contents.recording is None else (found, contents.recording))
    print_tracking(run(*sessions, max_shift=max_shift_mm * 1e-3, min_confidence=min_confidence))


def report(
    file: InputFile,
    output: OutputFile,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="True units; by default those known in the file itself."),
    ] = None,
    force: Force = False,
) -> None:
    """Write a decomposition as one self-contained HTML page."""
    contents = read_contents(file)
    found = contents.require("decomposition")
    reference = contents.spikes if truth is None else read_contents(truth).spike_trains("known")
    check_output(output, force, endings=(".html", ".htm"))
    from muemg.report import write_report

    with progress_bar("drawing") as tell:
        title = f"Motor units of {file.stem}"
        write_report(output, found, contents.recording, reference, title=title, progress=tell)
    wrote(output)


def _with_filters(contents: Contents) -> Decomposition:
    """The decomposition, its filters learned if the file holds none but the recording."""
    from dataclasses import replace

    found = contents.require("decomposition")
    if found.filters is not None or contents.recording is None:
        return found
    from muemg.separation import learn_filters

    return replace(found, filters=learn_filters(contents.recording, found))
