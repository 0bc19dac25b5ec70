"""The ``muemg`` command: thin, no science in it. Heavy modules load when a command needs them."""

from __future__ import annotations

import functools
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from muemg._terminal import print_comparison, print_decomposition, print_tracking, progress_bar, wrote
from muemg.errors import InvalidArgumentError, MuemgError

if TYPE_CHECKING:
    from muemg.io import Contents
    from muemg.results import Decomposition

__all__ = ["app", "main"]

app = typer.Typer(
    name="muemg",
    help="Motor units from high-density EMG, and high-density EMG from motor units.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_INTERRUPTED = 130  # as shells report SIGINT
_DEMO_FILES = ("recording.h5", "decomposition.h5", "report.html")

Result = TypeVar("Result")

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


def _command(function: Callable[..., None]) -> Callable[..., None]:
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


# ------------------------------------------------------------------ commands


@_command
def info(file: InputFile) -> None:
    """Say what a file holds, and which channels of it look bad."""
    from muemg.preprocessing import find_bad_channels, remove_power_line

    contents = _read(file)
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


@_command
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
    _check_output(output, force)
    if plot is not None:
        _check_output(plot, force, endings=(".png", ".pdf", ".svg"))
    from muemg.io import write
    from muemg.simulation import Scenario
    from muemg.simulation import simulate as run

    chosen = Scenario.load(scenario).override(_settings(set_))
    with progress_bar("simulating") as tell:
        result = run(chosen, seed=seed, progress=tell)
    write(output, result)
    typer.echo(repr(result))
    wrote(output)
    if plot is not None:
        from muemg.plots import plot_simulation, save_figure

        save_figure(plot, plot_simulation(result))
        wrote(plot)


@_command
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


@_command
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
    contents = _read(file)
    recording = contents.require("recording")
    _check_output(output, force, sources=(file,))
    from muemg.io import write

    found = _decompose(recording, method, seed, _settings(set_))
    write(output, _with_decomposition(contents, found))
    print_decomposition(found)
    wrote(output)


@_command
def compare(
    found: Annotated[Path, typer.Argument(metavar="FOUND", help="File with the units to be judged.")],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="File with the true units.")],
    tolerance_ms: Annotated[float, typer.Option(help="Largest distance of matching discharges.")] = 1.0,
) -> None:
    """Match found motor units with the true ones."""
    from muemg.metrics import compare as run

    judged, right = _read(found).spike_trains("found"), _read(truth).spike_trains("known")
    print_comparison(run(judged, right, tolerance=tolerance_ms * 1e-3))


@_command
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
    contents = _read(recording)
    signal = contents.require("recording")
    _check_output(output, force, sources=(recording, decomposition))
    from muemg.io import write
    from muemg.separation import Adaptation
    from muemg.separation import decode as run

    found = run(signal, _with_filters(_read(decomposition)), adaptation=Adaptation() if adapt else None)
    write(output, _with_decomposition(contents, found))
    print_decomposition(found)
    wrote(output)


@_command
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
    for contents in map(_read, files):
        found = contents.require("decomposition")
        sessions.append(found if contents.recording is None else (found, contents.recording))
    print_tracking(run(*sessions, max_shift=max_shift_mm * 1e-3, min_confidence=min_confidence))


@_command
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
    contents = _read(file)
    found = contents.require("decomposition")
    reference = contents.spikes if truth is None else _read(truth).spike_trains("known")
    _check_output(output, force, endings=(".html", ".htm"))
    from muemg.report import write_report

    with progress_bar("drawing") as tell:
        title = f"Motor units of {file.stem}"
        write_report(output, found, contents.recording, reference, title=title, progress=tell)
    wrote(output)


@_command
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="File to read.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="File, by its extension; without one, a BIDS folder.")
    ],
    force: Force = False,
) -> None:
    """Convert between .h5, .npz, .edf, .bdf, BIDS folders, .json of openhdemg and .mat (read only)."""
    contents = _read(source)
    _check_output(target, force, sources=(source,))
    from muemg.io import write

    write(target, contents)
    typer.echo(repr(contents))
    wrote(target)


@_command
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to.")] = Path(
        "muemg-demo"
    ),
    real: Annotated[
        bool,
        typer.Option(
            "--real", help="Decompose a real vastus lateralis (fetched once) instead of a simulation."
        ),
    ] = False,
    seed: Seed = 0,
    set_: Settings = None,
    force: Force = False,
) -> None:
    """Walk the whole line once: recording, decomposition, report."""
    # The default folder is the demo's own: there, running it twice surprises nobody.
    own = output == Path("muemg-demo")
    targets = [output / name for name in _DEMO_FILES]
    if not output.exists():
        output.mkdir(parents=True)
    for target in targets:
        _check_output(target, force or own, endings=(target.suffix,))
    from muemg.io import Contents, write
    from muemg.report import write_report

    if real:
        from muemg.datasets import vastus_lateralis

        with progress_bar("fetching the recording"):
            contents = vastus_lateralis()
        contents = Contents(recording=contents.recording, spikes=contents.spikes, metadata=contents.metadata)
    else:
        from muemg.simulation import Scenario
        from muemg.simulation import simulate as run

        scenario = Scenario.preset("demo-64").override(_settings(set_))
        with progress_bar("simulating") as tell:
            contents = Contents(simulation=run(scenario, seed=seed, progress=tell))
    write(targets[0], contents)
    recording = contents.require("recording")
    found = _decompose(recording, "fastica", seed, {})
    result = _with_decomposition(contents, found)
    write(targets[1], result)
    with progress_bar("drawing") as tell:
        title = f"Motor units of a {'vastus lateralis' if real else 'simulated muscle'}"
        write_report(targets[2], found, recording, result.spikes, title=title, progress=tell)
    from muemg.metrics import compare as match

    print_decomposition(found)
    print_comparison(match(found, result.spike_trains("known")))
    wrote(*targets)


# ------------------------------------------------------------------ input and output


def _read(file: Path) -> Contents:
    from muemg.io import read

    return read(file)


def _decompose(recording: Any, method: str, seed: int, parameters: dict[str, Any]) -> Decomposition:
    from muemg.methods import decompose as run

    with progress_bar("decomposing") as tell:
        return run(recording, method=method, seed=seed, progress=tell, **parameters)


def _with_filters(contents: Contents) -> Decomposition:
    """The decomposition, its filters learned if the file holds none but the recording."""
    from dataclasses import replace

    found = contents.require("decomposition")
    if found.filters is not None or contents.recording is None:
        return found
    from muemg.separation import learn_filters

    return replace(found, filters=learn_filters(contents.recording, found))


def _with_decomposition(contents: Contents, found: Decomposition) -> Contents:
    """The contents with another decomposition; a vendor's stays as known spike trains."""
    from dataclasses import replace

    known = contents.spikes
    if known is None and contents.decomposition is not None and contents.format != "muemg-hdf5":
        known = contents.decomposition.spikes
    return replace(contents, decomposition=found, spikes=known)


def _check_output(
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


def _settings(items: list[str] | None) -> dict[str, Any]:
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
