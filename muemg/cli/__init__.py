"""The ``muemg`` command: thin, no science in it. Heavy modules load when a command needs them."""

from __future__ import annotations

from muemg.benchmark.command import benchmark
from muemg.cli._app import app, command, main
from muemg.cli.competition import submission
from muemg.cli.demo import demo
from muemg.cli.features import classify, features
from muemg.cli.recordings import convert, info, simulate, simulate_dataset
from muemg.cli.units import compare, decode, decompose, report, track

__all__ = ["app", "main"]

# In the order in which the help lists them.
_COMMANDS = (
    info,
    simulate,
    simulate_dataset,
    decompose,
    compare,
    decode,
    track,
    features,
    classify,
    report,
    convert,
    benchmark,
    submission,
    demo,
)
for _function in _COMMANDS:
    command(_function)
