"""The command that writes, or checks, a submission to the MUnitQuest competition."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muemg._terminal import wrote
from muemg.cli._app import Force, Method, Seed, Settings, as_settings, check_output, read_contents, run_method
from muemg.errors import InvalidArgumentError

if TYPE_CHECKING:
    from muemg.io import Prediction

__all__ = ["submission"]


def submission(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE …",
            help="Decompositions, or recordings to decompose; their names are the recordings'.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.zip", help="Where to write.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; check the zip files given.")] = False,
    name: Annotated[str, typer.Option(help="Name of your method.")] = "",
    description: Annotated[str, typer.Option(help="What it does, in a sentence.")] = "",
    code_url: Annotated[str, typer.Option(help="Where its code is; required even if it is private.")] = "",
    license_: Annotated[str, typer.Option("--license", help="Licence of the code.")] = "",
    runtime: Annotated[
        float | None, typer.Option(help="Seconds each decomposition took; those run here are timed.")
    ] = None,
    method: Method = "fastica",
    seed: Seed = 0,
    set_: Settings = None,
    force: Force = False,
) -> None:
    """Write the zip file for the MUnitQuest competition and check it, or check one with --check."""
    if check:
        verdicts = [_approve(file) for file in files]
        if not all(verdicts):
            raise typer.Exit(1)
        return
    if output is None:
        raise InvalidArgumentError("--output FILE.zip says where to write; --check only checks")
    check_output(output, force, endings=(".zip",), sources=tuple(files))
    from muemg.io import Prediction, write_submission

    said = {"Name": name, "Description": description, "CodeURL": code_url, "License": license_}
    missing = [
        option
        for option, value in zip(("--name", "--description", "--code-url", "--license"), said.values())
        if not value.strip()
    ]
    if missing:
        raise InvalidArgumentError(f"the competition requires {', '.join(missing)}")

    def prediction(file: Path) -> Prediction:
        contents = read_contents(file)
        if contents.decomposition is not None:
            if runtime is None:
                raise InvalidArgumentError(f"{file} holds a decomposition: --runtime says how long it took")
            return Prediction(file.name, contents.decomposition, runtime)
        recording = contents.require("recording")
        began = time.perf_counter()
        found = run_method(recording, method, seed, as_settings(set_))
        return Prediction(file.name, found, time.perf_counter() - began)

    left_out = write_submission(output, [prediction(file) for file in files], said)
    for recording in left_out:
        typer.echo(f"{recording}: no motor unit, left out; it will score 0")
    wrote(output)
    if not _approve(output):
        raise typer.Exit(1)


def _approve(file: Path) -> bool:
    """Print what the check of one archive says; whether it is valid."""
    from muemg.io import check_submission

    result = check_submission(file)
    for text in result.errors:
        typer.echo(f"  error: {text}")
    for text in result.warnings:
        typer.echo(f"  warning: {text}")
    verdict = "valid" if result.valid else "not valid"
    typer.echo(f"{file}: {len(result.recordings)} recordings, {verdict}")
    return result.valid
