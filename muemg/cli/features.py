"""Commands about neural drive: what each motor unit does, windowed features, and what can be told from them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muemg._terminal import print_table, wrote
from muemg.cli._app import Force, InputFile, Seed, check_output, read_contents

if TYPE_CHECKING:
    from muemg.recording import Recording
    from muemg.spikes import SpikeTrains

__all__ = ["classify", "features"]


def features(
    file: InputFile,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.csv", help="Write windowed features, too.")
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="counts or rates of the motor units; or of the signal: HTD, TDAR, TDPSD, TIME, ALL."
        ),
    ] = "rates",
    length_ms: Annotated[float, typer.Option(help="Length of a window.")] = 200.0,
    step_ms: Annotated[float, typer.Option(help="Distance of the beginnings of two windows.")] = 50.0,
    label: Annotated[str, typer.Option(help="What was done, for muemg classify.")] = "",
    trial: Annotated[str, typer.Option(help="Which trial it is, for muemg classify.")] = "",
    force: Force = False,
) -> None:
    """Say how motor units discharge; with --output, write windowed features as a table."""
    contents = read_contents(file)
    if output is not None:
        check_output(output, force, endings=(".csv",), sources=(file,))
    from muemg.drive import discharge_statistics, feature_table, recruitment, write_table

    source: SpikeTrains | Recording
    if kind in ("counts", "rates"):
        source = spikes = contents.spike_trains("found")
        print_table(discharge_statistics(spikes))
        if contents.recording is not None and "force" in contents.recording.auxiliary:
            print_table(recruitment(spikes, contents.recording.auxiliary["force"]))
    else:
        source = contents.require("recording")
    table = feature_table(
        source, kind, length=length_ms * 1e-3, step=step_ms * 1e-3, label=label or None, trial=trial or None
    )
    if output is not None:
        write_table(output, table)
        wrote(output)


def classify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="A.csv B.csv …", help="Tables of muemg features with --label and --trial."),
    ],
    model: Annotated[str, typer.Option(help="lda, svm or mlp.")] = "lda",
    splits: Annotated[int, typer.Option(help="How many folds of whole trials.")] = 5,
    permutations: Annotated[int, typer.Option(help="How often to repeat with shuffled labels.")] = 0,
    seed: Seed = 0,
) -> None:
    """Say how well unseen trials are classified from windowed features."""
    from muemg._table import Table
    from muemg.decoding import evaluate, make_classifier, read_windows

    found = evaluate(
        make_classifier(model, seed=seed),
        read_windows(files),
        n_splits=splits,
        n_permutations=permutations,
        seed=seed,
    )
    typer.echo(repr(found).strip("<>"))
    columns = {f"as {name}": found.confusion[:, k] for k, name in enumerate(found.classes.tolist())}
    print_table(Table({"label": found.classes, **columns}))
