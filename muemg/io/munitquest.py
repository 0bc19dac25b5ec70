"""A submission to the MUnitQuest competition: spike trains and log of every recording in one zip file.

For each recording the archive holds, in no folder, a table of BIDS events with one row per discharge, and a log that
says what made it, on what machine and in what time. The format is that of the competition's tutorial on Codabench and
of its published validator, 2026: the columns `event_type`, which the validator reads, and `description`, which the
tutorial shows, are both written.
"""

from __future__ import annotations

import json
import os
import platform
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muemg import __version__
from muemg.errors import InvalidArgumentError, check_instance, check_positive
from muemg.io._atomic import atomic_write
from muemg.io._bids_events import SPIKE
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["Prediction", "runtime_environment", "write_submission"]

COLUMNS = ("onset", "duration", "sample", "unit_id", "event_type", "description")
EVENTS, LOG = "_desc-decomposed_events.tsv", "_desc-decomposed_log.json"
REQUIRED = ("Name", "Description", "CodeURL", "License")
OPTIONAL = ("Version", "Container")
_LAST_PART = re.compile(r"(_desc-[A-Za-z0-9]+)?(_(emg|events|log))?$")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same predictions give the same bytes


@dataclass(frozen=True)
class Prediction:
    """What was found in one recording of the competition.

    Parameters
    ----------
    recording : str
        Name of the recording, such as ``recording-001_challenge-isometric``, or of its file, ``…_emg.edf``.
    units : SpikeTrains or Decomposition
        The units, best first: of two that the competition takes for one it keeps the first.
    runtime : float
        Wall-clock time in seconds that the decomposition took.

    Raises
    ------
    InvalidArgumentError
        If the runtime is not positive or the units are no spike trains.
    """

    recording: str
    units: SpikeTrains | Decomposition
    runtime: float

    def __post_init__(self) -> None:
        name = _LAST_PART.sub("", Path(self.recording).name.split(".")[0])
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise InvalidArgumentError(
                f"recording must be a name of letters, digits, - and _, got {self.recording!r}"
            )
        if not isinstance(self.units, Decomposition):
            check_instance("units", self.units, SpikeTrains, "or a Decomposition")
        object.__setattr__(self, "recording", name)
        object.__setattr__(self, "runtime", check_positive("runtime", self.runtime, "s"))

    @property
    def trains(self) -> list[Any]:
        """Sample indices of the units that discharged: their places in the list are the ids submitted."""
        spikes = self.units.spikes if isinstance(self.units, Decomposition) else self.units
        return [train for train in spikes if len(train)]

    def events(self) -> str:
        """The table of discharges, by time; unit ids run from 0 without gaps."""
        spikes = self.units.spikes if isinstance(self.units, Decomposition) else self.units
        rows = sorted((sample, unit) for unit, train in enumerate(self.trains) for sample in train.tolist())
        lines = ["\t".join(COLUMNS)]
        for sample, unit in rows:
            lines.append(f"{sample / spikes.sampling_rate!r}\t0\t{sample}\t{unit}\t{SPIKE}\t{SPIKE}")
        return "\n".join(lines) + "\n"


def runtime_environment() -> dict[str, str]:
    """This machine and its software, as the log names them."""
    memory = "unknown"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f}"
    return {
        "CPU": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "GPU": "none used",
        "RAM_GB": memory,
        "OS": platform.system(),
        "Software": f"muemg {__version__}, Python {platform.python_version()}",
    }


def write_submission(
    path: str | Path,
    predictions: Iterable[Prediction],
    generated_by: Mapping[str, str],
    *,
    environment: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write the zip file that the competition takes.

    Parameters
    ----------
    path : str or Path
        Ending in ``.zip``; replaced if it exists.
    predictions : iterable of Prediction
        One per recording. A recording without any discharge is left out, as one without units makes the whole
        submission invalid, while a missing one scores 0.
    generated_by : mapping of str to str
        ``Name``, ``Description``, ``CodeURL`` and ``License`` of the method, all required by the competition;
        ``Version`` and ``Container`` are recommended.
    environment : mapping of str to JSON values, optional
        Machine and software; by default `runtime_environment`.

    Returns
    -------
    tuple of str
        Names of the recordings left out.

    Raises
    ------
    InvalidArgumentError
        If a required entry is missing or empty, a recording comes twice, or nothing is left to submit.
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() != ".zip":
        raise InvalidArgumentError(f"path must end in .zip, got {target.name!r}")
    method = _method(generated_by)
    machine = dict(runtime_environment() if environment is None else environment)
    files: dict[str, str] = {}
    left_out = []
    for prediction in predictions:
        if prediction.recording + EVENTS in files or prediction.recording in left_out:
            raise InvalidArgumentError(f"predictions hold {prediction.recording} twice")
        if not prediction.trains:
            left_out.append(prediction.recording)
            continue
        log = {
            "GeneratedBy": [method],
            "Execution": {"Runtime": prediction.runtime},
            "RuntimeEnvironment": machine,
        }
        files[prediction.recording + EVENTS] = prediction.events()
        files[prediction.recording + LOG] = json.dumps(log, indent=2, ensure_ascii=False) + "\n"
    if not files:
        raise InvalidArgumentError("predictions must hold at least one recording with a discharge")
    with atomic_write(target) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text.encode("utf-8"))
    return tuple(left_out)


def _method(generated_by: Mapping[str, str]) -> dict[str, str]:
    """The description of the method, checked."""
    method = {"Version": __version__, "Container": "none"} | dict(generated_by)
    unknown = sorted(set(method) - {*REQUIRED, *OPTIONAL})
    if unknown:
        raise InvalidArgumentError(
            f"generated_by may hold {', '.join(REQUIRED + OPTIONAL)}; got {', '.join(unknown)}"
        )
    empty = [key for key in REQUIRED if str(method.get(key, "")).strip() in ("", "n/a")]
    if empty:
        raise InvalidArgumentError(f"generated_by must say {', '.join(empty)}")
    return {key: str(method[key]) for key in (*REQUIRED, *OPTIONAL)}
