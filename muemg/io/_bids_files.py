"""How a BIDS folder is laid out: entities in file names, tables of text, and sidecars that are inherited.

A sidecar holds for every file below it whose name has all of its entities (the inheritance principle of the
Brain Imaging Data Structure, Gorgolewski et al. 2016): JSON keys add up from the root downwards, of tables
the nearest one counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from muemg.errors import FileFormatError, InvalidArgumentError

__all__ = [
    "DATA_EXTENSIONS",
    "ENTITIES",
    "MISSING",
    "data_files",
    "dataset_root",
    "entities_of",
    "file_stem",
    "inherited_json",
    "inherited_table",
    "json_bytes",
    "read_json",
    "read_table",
    "sidecars",
    "table_bytes",
]

# In the order in which BIDS writes them: key in a file name, argument here.
ENTITIES = {
    "sub": "subject",
    "ses": "session",
    "task": "task",
    "acq": "acquisition",
    "run": "run",
    "recording": "recording",
}
DATA_EXTENSIONS = (".edf", ".bdf")
MISSING = "n/a"
# Folders of a dataset in which no raw recording lies.
_ELSEWHERE = {"derivatives", "sourcedata", "code", "stimuli", "phenotype"}


# ---------------------------------------------------------------------- names


def entities_of(file: Path) -> dict[str, str]:
    """Entities of a name: ``sub-01_task-rest_emg.bdf`` has sub and task."""
    parts = file.name.split(".")[0].split("_")[:-1]
    return dict(part.split("-", 1) for part in parts if "-" in part)


def _suffix_of(file: Path) -> str:
    return file.name.split(".")[0].rsplit("_", 1)[-1]


def file_stem(entities: Mapping[str, str | None]) -> str:
    """The beginning of a name with these entities, such as ``sub-01_task-rest``.

    Raises
    ------
    InvalidArgumentError
        If a label holds anything but letters and digits, or an index anything but digits.
    """
    parts = []
    for key, argument in ENTITIES.items():
        label = entities.get(argument)
        if label is None:
            continue
        is_index = argument == "run"
        if not (label.isascii() and (label.isdigit() if is_index else label.isalnum())):
            allowed = "digits" if is_index else "letters and digits"
            raise InvalidArgumentError(f"{argument} must be made of {allowed} to be a name, got {label!r}")
        parts.append(f"{key}-{label}")
    return "_".join(parts)


def data_files(folder: Path) -> list[Path]:
    """Every EMG recording of a dataset, or of a subject's or session's folder within one."""
    found = []
    for extension in DATA_EXTENSIONS:
        for file in folder.rglob(f"*_emg{extension}"):
            inner = file.relative_to(folder).parts[:-1]
            if not any(part in _ELSEWHERE or part.startswith(".") for part in inner):
                found.append(file)
    return sorted(found)


def dataset_root(file: Path) -> Path:
    """The dataset that a recording lies in: where its description is, or else above the subject's folder."""
    root = file.parent
    for folder in file.absolute().parents:  # not resolved: archives link to where the bytes lie
        if (folder / "dataset_description.json").is_file():
            return folder
        if folder.name.startswith("sub-"):
            root = folder.parent
    return root


# ---------------------------------------------------------------------- sidecars


def sidecars(file: Path, root: Path, suffix: str, extension: str, extra: Sequence[str] = ()) -> list[Path]:
    """Sidecars that hold for `file`, from the most general to the nearest.

    Parameters
    ----------
    file : Path
        The data file.
    root : Path
        The dataset.
    suffix, extension : str
        Such as ``"channels"`` and ``".tsv"``.
    extra : sequence of str
        Entities that the sidecar may have beyond those of the file, such as ``"space"``.
    """
    wanted = entities_of(file)
    folders = [folder for folder in (file.parent, *file.parent.parents) if folder.is_relative_to(root)]
    found: list[Path] = []
    for folder in reversed(folders):
        here = []
        for candidate in folder.iterdir():
            if candidate.name.endswith(extension) and _suffix_of(candidate) == suffix and candidate.is_file():
                has = entities_of(candidate)
                if all(wanted.get(key) == label for key, label in has.items() if key not in extra):
                    here.append(candidate)
        found += sorted(here, key=lambda item: (len(entities_of(item)), item.name))
    return found


def inherited_json(file: Path, root: Path, suffix: str) -> dict[str, Any]:
    """All keys that hold for `file`; a nearer sidecar overrides a more general one."""
    merged: dict[str, Any] = {}
    for sidecar in sidecars(file, root, suffix, ".json"):
        merged.update(read_json(sidecar))
    return merged


def inherited_table(file: Path, root: Path, suffix: str) -> list[dict[str, str]] | None:
    """Rows of the nearest table that holds for `file`; None if there is none."""
    tables = sidecars(file, root, suffix, ".tsv", ("space",))
    return read_table(tables[-1]) if tables else None


# ---------------------------------------------------------------------- JSON and tables


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        value = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FileFormatError(f"{file.name} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise FileFormatError(f"{file.name} must hold a JSON object, got {type(value).__name__}")
    return value


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A JSON object for people: indented, in UTF-8; numbers that JSON lacks become null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "backslashreplace")


def _finite(value: Any) -> Any:
    match value:
        case Mapping():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case float() if value != value or abs(value) == float("inf"):
            return None
    return value


def read_table(file: Path) -> list[dict[str, str]]:
    """Rows of a table of text, by the names of its columns."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{file.name} cannot be read as a table: {error}") from error
    lines = [line.removesuffix("\r") for line in lines]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise FileFormatError(f"{file.name} is empty; a table needs a line with the names of its columns")
    columns = [name.strip() for name in lines[0].split("\t")]
    if len(set(columns)) != len(columns):
        raise FileFormatError(f"{file.name} names a column twice: {', '.join(columns)}")
    rows = []
    for number, line in enumerate(lines[1:], 2):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(columns):
            raise FileFormatError(
                f"{file.name}, line {number} must have {len(columns)} cells with tabs between, "
                f"got {len(cells)}"
            )
        rows.append(dict(zip(columns, cells)))
    return rows


def table_bytes(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A table of text; what is not known is ``n/a``."""
    lines = ["\t".join(columns), *("\t".join(map(_cell, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return MISSING
    text = repr(value) if isinstance(value, float) else str(value)
    return " ".join(text.split()) or MISSING
