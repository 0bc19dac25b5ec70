"""The frame of every command: errors about its input become one line, options look the same everywhere."""

from __future__ import annotations

import functools
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muemg._terminal import progress_bar
from muemg.errors import InvalidArgumentError, MuemgError

if TYPE_CHECKING:
    from muemg.io import Contents
    from muemg.results import Decomposition

__all__ = [
    "Force",
    "InputFile",
    "Method",
    "OutputFile",
    "Seed",
    "Settings",
    "app",
    "as_settings",
    "check_output",
    "command",
    "main",
    "read_contents",
    "run_method",
    "with_decomposition",
]

app = typer.Typer(
    name="muemg",
    help="Motor units from high-density EMG, and high-density EMG from motor units.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_INTERRUPTED = 130  # as shells report SIGINT

InputFile = Annotated[Path, typer.Argument(metavar="FILE", help="A recording, decomposition or simulation.")]
OutputFile = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace files that exist.")]
Seed = Annotated[int, typer.Option(help="Random seed: the same seed gives the same bytes.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given several times."),
]
Method = Annotated[str, typer.Option(help="Method of separation.")]


def main(arguments: list[str] | None = None) -> None:
    """Run the command; exits with 0, 1 (bad input), 2 (bad usage) or 130 (interrupted)."""
    app(args=arguments, prog_name="muemg")


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command whose errors about its input become one line and exit code 1."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader, `head` for example, has seen enough; keep Python from complaining on its way out.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (MuemgError, OSError, MemoryError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            typer.echo(f"muemg: error: {said}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("muemg: interrupted; nothing half-written was left behind", err=True)
            raise typer.Exit(_INTERRUPTED) from None

    return app.command()(run)


def _show_version(wanted: bool) -> None:
    if wanted:
        from muemg import __version__

        typer.echo(f"muemg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    pass


# ------------------------------------------------------------------ input and output


def read_contents(file: Path) -> Contents:
    from muemg.io import read

    return read(file)


def run_method(recording: Any, method: str, seed: int, parameters: dict[str, Any]) -> Decomposition:
    from muemg.methods import decompose as run

    with progress_bar("decomposing") as tell:
        return run(recording, method=method, seed=seed, progress=tell, **parameters)


def with_decomposition(contents: Contents, found: Decomposition) -> Contents:
    """The contents with another decomposition; a vendor's stays as known spike trains."""
    from dataclasses import replace

    known = contents.spikes
    if known is None and contents.decomposition is not None and contents.format != "muemg-hdf5":
        known = contents.decomposition.spikes
    return replace(contents, decomposition=found, spikes=known)


def check_output(
    target: Path, force: bool, *, endings: tuple[str, ...] = (), sources: tuple[Path, ...] = ()
) -> None:
    """Raise before the work begins if its result could not, or should not, be written."""
    if not endings:
        from muemg.io import FORMATS, is_folder_name

        if is_folder_name(target):
            _check_folder(target, force, sources)
            return
        endings = tuple(end for known in FORMATS if known.write is not None for end in known.extensions)
    if target.suffix.lower() not in endings:
        raise InvalidArgumentError(f"the output must end in {', '.join(endings)}; got {target.name!r}")
    if not target.parent.is_dir():
        raise InvalidArgumentError(f"cannot write {target}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise InvalidArgumentError(f"cannot write {target}: the folder {target.parent} is not writable")
    if target.is_dir():
        raise InvalidArgumentError(f"cannot write {target}: it is a folder")
    if any(source.exists() and target.exists() and target.samefile(source) for source in sources):
        raise InvalidArgumentError(f"cannot write {target}: it is the input")
    if target.exists() and not force:
        raise InvalidArgumentError(f"{target} exists; --force replaces it")


def _check_folder(target: Path, force: bool, sources: tuple[Path, ...]) -> None:
    """Raise if a BIDS folder could not, or should not, be written."""
    if not target.parent.is_dir():
        raise InvalidArgumentError(f"cannot write {target}: there is no folder {target.parent}")
    own = {target.resolve(), *target.resolve().rglob("*_emg.[eb]df")}
    if any(source.resolve() in own for source in sources):
        raise InvalidArgumentError(f"cannot write {target}: it is the input")
    if target.exists() and not target.is_dir():
        raise InvalidArgumentError(f"cannot write {target}: it is a file; a file needs an extension")
    if target.is_dir() and any(target.iterdir()):
        if not (target / "dataset_description.json").is_file():
            raise InvalidArgumentError(f"cannot write {target}: it holds files that are no BIDS dataset")
        if not force:
            raise InvalidArgumentError(f"{target} exists; --force replaces the recording in it")


def as_settings(items: list[str] | None) -> dict[str, Any]:
    """``KEY=VALUE`` as keys and values: numbers, true and false as in TOML, anything else as text."""
    settings: dict[str, Any] = {}
    for item in items or []:
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals or not key:
            raise InvalidArgumentError(f"--set must be KEY=VALUE, such as drive.level=0.2; got {item!r}")
        try:
            settings[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key] = value
    return settings
