"""Would the competition accept this zip file: the rules of its validator, and those its scoring silently relies on."""

from __future__ import annotations

import csv
import json
import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muemg.errors import FileFormatError
from muemg.io._bids_events import SPIKE
from muemg.io.munitquest import EVENTS, LOG, OPTIONAL, REQUIRED

__all__ = ["SubmissionCheck", "check_submission"]

_NAME = re.compile(r"recording-[A-Za-z0-9]+_challenge-(isometric|dynamic)")
_COLUMNS = ("onset", "duration", "sample", "unit_id", "event_type")
_NOTHING = ("", "n/a")


@dataclass(frozen=True)
class SubmissionCheck:
    """What `check_submission` found.

    Parameters
    ----------
    recordings : tuple of str
        The recordings that the archive holds a prediction for.
    errors : tuple of str
        What makes the submission invalid or its score wrong.
    warnings : tuple of str
        What the competition would like better.
    """

    recordings: tuple[str, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error."""
        return not self.errors


def check_submission(path: str | Path) -> SubmissionCheck:
    """Check a zip file before it is uploaded to the MUnitQuest competition.

    Parameters
    ----------
    path : str or Path
        The zip file.

    Returns
    -------
    SubmissionCheck
        Every complaint names the file within the archive.

    Raises
    ------
    FileFormatError
        If the file is no readable zip archive.
    """
    errors: list[str] = []
    warnings: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            texts = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    except (OSError, zipfile.BadZipFile) as error:
        raise FileFormatError(f"cannot read {path} as a zip archive: {error}") from error
    recordings = sorted(name.removesuffix(EVENTS) for name in texts if name.endswith(EVENTS))
    for name in texts:
        if "/" in name:
            errors.append(f"{name}: files must lie at the root of the archive, in no folder")
        elif not name.endswith((EVENTS, LOG)):
            errors.append(f"{name}: names must end in {EVENTS} or {LOG}")
        elif name.endswith(LOG) and name.removesuffix(LOG) not in recordings:
            errors.append(f"{name}: there is no {name.removesuffix(LOG)}{EVENTS}")
    if not recordings:
        errors.append(f"the archive holds no …{EVENTS}")
    for recording in recordings:
        if not _NAME.fullmatch(Path(recording).name):
            warnings.append(
                f"{recording}: the competition's recordings are called recording-…_challenge-isometric or -dynamic"
            )
        errors += [f"{recording}{EVENTS}: {said}" for said in _events(texts[recording + EVENTS])]
        if recording + LOG not in texts:
            errors.append(f"{recording}{EVENTS}: there is no {recording}{LOG}")
            continue
        wrong, better = _log(texts[recording + LOG])
        errors += [f"{recording}{LOG}: {said}" for said in wrong]
        warnings += [f"{recording}{LOG}: {said}" for said in better]
    return SubmissionCheck(tuple(recordings), tuple(errors), tuple(warnings))


def _events(content: bytes) -> list[str]:
    """What is wrong with a table of discharges."""
    try:
        table = list(csv.reader(content.decode("utf-8").splitlines(), delimiter="\t"))
    except (UnicodeDecodeError, csv.Error) as error:
        return [f"not a table in UTF-8: {error}"]
    header = table[0] if table else []
    missing = [column for column in _COLUMNS if column not in header]
    if missing:
        return [f"columns missing: {', '.join(missing)}"]
    place = {column: header.index(column) for column in _COLUMNS}
    said: list[str] = []
    discharges: set[tuple[int, int]] = set()
    for number, row in enumerate(table[1:], start=2):
        if len(row) != len(header):
            said.append(f"line {number} has {len(row)} cells instead of {len(header)}")
            continue
        cell = {column: row[index] for column, index in place.items()}
        if cell["event_type"] != SPIKE:
            continue
        onset, duration = _number(cell["onset"]), _number(cell["duration"])
        sample, unit = _count(cell["sample"]), _count(cell["unit_id"])
        if onset is None or onset < 0:
            said.append(f"line {number}: onset must be a number of seconds ≥ 0, got {cell['onset']!r}")
        if duration != 0:
            said.append(f"line {number}: duration must be 0, got {cell['duration']!r}")
        if sample is None:
            said.append(f"line {number}: sample must be an integer ≥ 0, got {cell['sample']!r}")
        if unit is None:
            said.append(f"line {number}: unit_id must be an integer ≥ 0, got {cell['unit_id']!r}")
        if sample is not None and unit is not None:
            if (unit, sample) in discharges:
                said.append(f"line {number}: unit {unit} discharges twice at sample {sample}")
            discharges.add((unit, sample))
    if not discharges and not said:
        said.append(f"there is no {SPIKE}; leave the recording out instead")
    units = sorted({unit for unit, _ in discharges})
    if units != list(range(len(units))):
        # The scoring takes ids for positions in a list.
        said.append(f"unit ids must be 0 to {len(units) - 1} without gaps, got {_some(units)}")
    return said


def _log(content: bytes) -> tuple[list[str], list[str]]:
    """What is wrong with a log, and what could be better."""
    try:
        log = json.loads(content.decode("utf-8"))
    except ValueError as error:
        return [f"not JSON: {error}"], []
    if not isinstance(log, dict):
        return ["must be a JSON object"], []
    wrong: list[str] = []
    better: list[str] = []
    methods = log.get("GeneratedBy")
    if not isinstance(methods, list) or not methods or not all(isinstance(each, dict) for each in methods):
        wrong.append("GeneratedBy must be a list of at least one object")
    else:
        for method in methods:
            wrong += [f"GeneratedBy must say {key}" for key in REQUIRED if not _says(method.get(key))]
            better += [f"GeneratedBy should say {key}" for key in OPTIONAL if not _says(method.get(key))]
    execution = log.get("Execution")
    runtime = execution.get("Runtime") if isinstance(execution, dict) else None
    if not isinstance(runtime, float) or not math.isfinite(runtime) or runtime <= 0:
        # 50 is no float to the validator, 50.0 is.
        wrong.append(f"Execution.Runtime must be seconds > 0 with a decimal point, got {runtime!r}")
    if not isinstance(log.get("RuntimeEnvironment"), dict):
        wrong.append("RuntimeEnvironment must be an object")
    return wrong, better


def _says(value: Any) -> bool:
    return isinstance(value, str) and value.strip() not in _NOTHING


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _some(values: list[int]) -> str:
    return ", ".join(map(str, values[:10])) + (", …" if len(values) > 10 else "")
