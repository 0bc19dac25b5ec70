"""The command that walks the whole line once: recording, decomposition, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from muemg._terminal import print_comparison, print_decomposition, progress_bar, wrote
from muemg.cli._app import Force, Seed, Settings, as_settings, check_output, run_method, with_decomposition

__all__ = ["demo"]

_DEMO_FILES = ("recording.h5", "decomposition.h5", "report.html")


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
        check_output(target, force or own, endings=(target.suffix,))
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

        scenario = Scenario.preset("demo-64").override(as_settings(set_))
        with progress_bar("simulating") as tell:
            contents = Contents(simulation=run(scenario, seed=seed, progress=tell))
    write(targets[0], contents)
    recording = contents.require("recording")
    found = run_method(recording, "fastica", seed, {})
    result = with_decomposition(contents, found)
    write(targets[1], result)
    with progress_bar("drawing") as tell:
        title = f"Motor units of a {'vastus lateralis' if real else 'simulated muscle'}"
        write_report(targets[2], found, recording, result.spikes, title=title, progress=tell)
    from muemg.metrics import compare as match

    print_decomposition(found)
    print_comparison(match(found, result.spike_trains("known")))
    wrote(*targets)
