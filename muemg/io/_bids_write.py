"""Writing EMG-BIDS: one recording of one participant, its electrodes, and its discharges as events.

Names, columns and keys follow BIDS 1.11 (electromyography, formerly extension proposal 42).
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from forward_models import ElectrodeArray
from muemg.errors import InvalidArgumentError, check_option
from muemg.io import _bids_files as bids
from muemg.io import edf
from muemg.io._atomic import OutputError, atomic_folder, atomic_write
from muemg.io._bids_events import OWN_KEY, events, levels, of_decomposition
from muemg.io._contents import Contents, as_contents
from muemg.io._tree import plain_json
from muemg.recording import Recording
from muemg.results import Decomposition

__all__ = ["write_bids"]

BIDS_VERSION = "1.11.1"
_SPACE = "muscle"
_PIPELINE = Path("derivatives") / "muemg"

_File = bytes | Callable[[BinaryIO], None]


def write_bids(
    folder: str | os.PathLike[str],
    what: object,
    *,
    subject: str | None = None,
    session: str | None = None,
    task: str | None = None,
    acquisition: str | None = None,
    run: str | None = None,
    recording: str | None = None,
    data_format: str = "bdf",
    participant: Mapping[str, object] | None = None,
) -> Path:
    """Write a recording as a BIDS dataset, or add it to the dataset that is there.

    Known discharges become ``_events.tsv`` beside the recording, those of a decomposition the same under
    ``derivatives/muemg``. A new folder appears whole or not at all. In an existing dataset the files of a
    recording of the same name are replaced, the data file last; nothing else changes but the list of
    participants.

    Parameters
    ----------
    folder : path-like
        The dataset. It may be missing or empty, or hold a ``dataset_description.json``.
    what : Recording, Simulation or Contents
        What to write; it must hold a recording.
    subject, session, task, acquisition, run, recording : str, optional
        Labels for the file name: letters and digits, for `run` digits. By default those that the recording
        was read with; otherwise subject 01 and task contraction.
    data_format : {"bdf", "edf"}
        24 or 16 bits a sample.
    participant : mapping of str to number or text, optional
        Further columns of ``participants.tsv``, such as ``{"age": 31, "sex": "f"}``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InvalidArgumentError
        If there is no recording, or a label cannot stand in a file name.
    OutputError
        If the folder holds something else, or the system refuses.
    """
    contents = as_contents(what)
    if contents.recording is None:
        raise InvalidArgumentError("what must hold a recording to be written as BIDS")
    check_option("data_format", data_format, ("bdf", "edf"))
    kept = contents.recording.metadata.get("bids_entities")
    given = {
        "subject": subject,
        "session": session,
        "task": task,
        "acquisition": acquisition,
        "run": run,
        "recording": recording,
    }
    named = {"subject": "01", "task": "contraction"}
    if isinstance(kept, dict):
        named |= {key: str(kept[key]) for key in given if key in kept}
    named |= {key: str(label) for key, label in given.items() if label is not None}
    stem = bids.file_stem(named)
    inside = Path(
        f"sub-{named['subject']}", *([f"ses-{named['session']}"] if "session" in named else []), "emg"
    )
    target = Path(folder)
    files = _recording_files(contents, inside, stem, named, data_format, target)
    common = _dataset_files(contents)
    if (target / "dataset_description.json").is_file():
        _add(target, files, common, inside / stem)
    else:
        with atomic_folder(target) as temporary:
            for path, content in {**common, **files}.items():
                _put(temporary / path, content)
            _list_participant(temporary, named["subject"], participant or {})
        return target
    _list_participant(target, named["subject"], participant or {})
    return target


# ---------------------------------------------------------------------- folders


def _put(path: Path, content: _File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as stream:
        if isinstance(content, bytes):
            stream.write(content)
        else:
            content(stream)


def _add(target: Path, files: dict[Path, _File], common: dict[Path, bytes], stem: Path) -> None:
    """Write everything beside the dataset's own files first, then rename; the data file is the last."""
    staging = target / f".{secrets.token_hex(6)}.part"
    try:
        staging.mkdir()
        missing = {path: content for path, content in common.items() if not (target / path).exists()}
        for path, content in {**missing, **files}.items():
            _put(staging / path, content)
        same = bids.entities_of(Path(f"{stem.name}_emg"))
        for base in (target, target / _PIPELINE):
            for old in (base / stem.parent).glob(f"{stem.name}_*"):
                if old.relative_to(target) not in files and bids.entities_of(old) == same:
                    old.unlink()  # of the recording that this one replaces
        for path in [*missing, *files]:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / path, target / path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _list_participant(target: Path, subject: str, participant: Mapping[str, object]) -> None:
    file = target / "participants.tsv"
    rows = bids.read_table(file) if file.exists() else []
    columns = list(dict.fromkeys(["participant_id", *(rows[0] if rows else ()), *map(str, participant)]))
    name = f"sub-{subject}"
    mine = next((row for row in rows if row.get("participant_id") == name), None)
    if mine is None:
        rows.append(mine := {"participant_id": name})
    elif not participant:
        return
    mine.update({str(key): str(value) for key, value in participant.items()})
    _put(file, bids.table_bytes(columns, [[row.get(column) for column in columns] for row in rows]))


def _dataset_files(contents: Contents) -> dict[Path, bytes]:
    from muemg import __version__

    simulated = contents.simulation is not None
    made = {"Name": "muemg", "Version": __version__, "Description": "Motor units from high-density EMG"}
    title = "Simulated high-density EMG with its motor units" if simulated else "High-density EMG"
    files = {
        Path("dataset_description.json"): bids.json_bytes(
            {"Name": title, "BIDSVersion": BIDS_VERSION, "DatasetType": "raw", "GeneratedBy": [made]}
        ),
        Path("README.md"): _readme(title, simulated).encode(),
    }
    if contents.decomposition is not None:
        files[_PIPELINE / "dataset_description.json"] = bids.json_bytes(
            {
                "Name": "Motor units found by muemg",
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "derivative",
                "GeneratedBy": [made],
            }
        )
        text = "# Motor units found by muemg\n\nEach discharge is one line of an `_events.tsv`.\n"
        files[_PIPELINE / "README.md"] = text.encode()
    return files


def _readme(title: str, simulated: bool) -> str:
    origin = (
        "The recordings were simulated by muemg: there was no participant, and the discharges in the\n"
        "`_events.tsv` files are the truth. Scenario, seed and versions stand in each `_emg.json`."
        if simulated
        else "Discharges of motor units, where they are known, stand in the `_events.tsv` files."
    )
    return f"# {title}\n\n{origin} In `_events.tsv`, `unit_id` says which motor unit discharged.\n"


# ---------------------------------------------------------------------- one recording


def _recording_files(
    contents: Contents, inside: Path, stem: str, named: Mapping[str, str], data_format: str, target: Path
) -> dict[Path, _File]:
    """Every file of the recording, the data file last."""
    recording = contents.require("recording")
    signal_only = Contents(recording=_without_read_metadata(recording))
    writer = edf.write_edf if data_format == "edf" else edf.write_bdf
    found = contents.decomposition
    electrodes = recording.electrodes
    files: dict[Path, _File] = {
        inside / f"{stem}_channels.tsv": _channels(recording, found),
        inside / f"{stem}_emg.json": bids.json_bytes(_sidecar(contents, named)),
    }
    if electrodes is not None:
        table, described = _electrodes(recording, electrodes)
        frame = "_".join(part for part in stem.split("_") if part.startswith(("sub-", "ses-")))
        # Electrodes stay on for a session, so one table serves its recordings, unless this one differs.
        shared = target / inside / f"{frame}_electrodes.tsv"
        name = stem if shared.exists() and shared.read_bytes() != table else frame
        files[inside / f"{name}_electrodes.tsv"] = table
        files[inside / f"{name}_electrodes.json"] = bids.json_bytes(described)
        files[inside / f"{frame}_space-{_SPACE}_coordsystem.json"] = bids.json_bytes(
            {
                "EMGCoordinateSystem": "Other",
                "EMGCoordinateUnits": "m",
                "EMGCoordinateSystemDescription": "Right-handed; z runs along the muscle fibres from proximal "
                "to distal, x across them, y out of the tissue. On a plane skin, y is 0 on the skin; on a "
                "limb, the z axis is the limb's axis.",
            }
        )
    rows = recording.metadata.get("events")
    if contents.spikes is not None or rows:
        table, described = events(contents.spikes, rows if isinstance(rows, list) else [])
        files[inside / f"{stem}_events.tsv"] = table
        files[inside / f"{stem}_events.json"] = bids.json_bytes(described)
    if found is not None:
        table, described = events(found.spikes, [])
        described["unit_id"]["Levels"] = levels(found)
        described[OWN_KEY].update(of_decomposition(found))
        files[_PIPELINE / inside / f"{stem}_events.tsv"] = table
        files[_PIPELINE / inside / f"{stem}_events.json"] = bids.json_bytes(described)
    files[inside / f"{stem}_emg.{data_format}"] = lambda stream: writer(stream, signal_only)
    return files


def _without_read_metadata(recording: Recording) -> Recording:
    """Annotations that came with an EDF file go back into it; everything else stands in the sidecars."""
    kept = {
        key: recording.metadata[key]
        for key in ("annotations", "auxiliary_units")
        if key in recording.metadata
    }
    return recording._with(metadata=kept)


def _sidecar(contents: Contents, named: Mapping[str, str]) -> dict[str, Any]:
    recording = contents.require("recording")
    metadata = dict(recording.metadata)
    inherited = metadata.pop("bids", None)
    metadata.pop("events", None)
    metadata.pop("bids_entities", None)
    simulation = contents.simulation
    parameters = plain_json("parameters", dict(simulation.parameters)) if simulation is not None else {}
    scenario = parameters.get("scenario")
    scenario = scenario if isinstance(scenario, dict) else {}
    line = scenario.get("noise", {}).get("power_line_frequency_hz") if scenario else None
    montage = str(scenario.get("amplifier", {}).get("montage", "")) if scenario else ""
    known = recording.electrodes is not None
    measured = {
        "SamplingFrequency": recording.sampling_rate,
        "EMGChannelCount": recording.n_channels,
        "RecordingDuration": recording.duration,
    }
    sidecar: dict[str, Any] = {
        **({"Manufacturer": "simulated", "SoftwareVersions": _versions(parameters)} if parameters else {}),
        "TaskName": named["task"],
        "TaskDescription": str(scenario.get("description", "n/a")),
        "PowerLineFrequency": line or "n/a",
        "EMGReference": (montage + " (simulated)") if montage else "n/a",
        "EMGPlacementScheme": "Measured" if known else "Other",
        "RecordingType": "continuous",
        "SoftwareFilters": "n/a",
        **measured,
    }
    if not known:
        sidecar["EMGPlacementSchemeDescription"] = "n/a"
    if isinstance(inherited, dict):  # what another dataset said about this recording still holds
        sidecar.update({key: value for key, value in inherited.items() if key not in ("TaskName", OWN_KEY)})
        sidecar |= measured
    own = {"Metadata": plain_json("metadata", metadata), "Simulation": parameters}
    sidecar[OWN_KEY] = {key: value for key, value in own.items() if value}
    return {key: value for key, value in sidecar.items() if value != {}}


def _versions(parameters: Mapping[str, Any]) -> str:
    versions = parameters.get("versions")
    return ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, dict) else "n/a"


def _channels(recording: Recording, found: Decomposition | None) -> bytes:
    labels, auxiliary_labels = edf.labels_of(recording)
    units = dict(recording.metadata.get("auxiliary_units") or {})
    status = dict(recording.metadata.get("channel_status") or {})
    if found is not None:
        names = recording.channel_names
        status |= {names[i]: reason for i, reason in found.excluded_channels.items() if i < len(names)}
    array = recording.electrodes
    distance = None if array is None else _interelectrode_distance_mm(array)
    group = (array.name or None) if array is not None else None
    muscle = recording.metadata.get("muscle")
    columns = (
        *("name", "type", "units", "description", "signal_electrode", "reference", "group", "target_muscle"),
        *("interelectrode_distance", "status", "status_description"),
    )
    rows: list[list[object]] = []
    for label, name in zip(labels, recording.channel_names):
        bad = status.get(name)
        where = [group, muscle, distance]
        judged = ["bad" if bad else "good" if found is not None else None, bad]
        # The data file says the unit of each channel; it is uV unless a channel swings beyond 0.9 V.
        unit = edf.unit_of_volts(recording.signal[len(rows)])
        rows.append([label, "EMG", unit, f"channel {name}", name, None, *where, *judged])
    for label, name in zip(auxiliary_labels, recording.auxiliary):
        kind = "TRIG" if name.lower().startswith(("trig", "sync")) else "MISC"
        rows.append([label, kind, units.get(name), name, *[None] * 7])
    return bids.table_bytes(columns, rows)


def _interelectrode_distance_mm(array: ElectrodeArray) -> float | None:
    if len(array) < 2:
        return None
    offsets = np.linalg.norm(array.positions[:, None] - array.positions, axis=-1)
    return round(float(offsets[np.triu_indices(len(array), 1)].min()) * 1e3, 4)


def _electrodes(recording: Recording, array: ElectrodeArray) -> tuple[bytes, dict[str, Any]]:
    columns = ["name", "x", "y", "z", "coordinate_system", "type", "group", "radius"]
    described = {
        "group": {"Description": "Name of the electrode array"},
        "radius": {"Description": "Radius of the electrode disc; 0 is a point", "Units": "m"},
    }
    index = array.grid_index
    if index is not None:
        columns += ["row", "column"]
        described["row"] = {
            "Description": "Row of the grid, from 0; rows follow one another along the fibres"
        }
        described["column"] = {"Description": "Column of the grid, from 0, across the fibres"}
    rows: list[list[object]] = []
    for i, (name, position) in enumerate(zip(recording.channel_names, array.positions)):
        kind = "disc" if array.radius > 0 else "point"
        rows.append([name, *map(float, position), _SPACE, kind, array.name or None, array.radius])
        if index is not None:
            rows[-1] += [int(index[i, 0]), int(index[i, 1])]
    return bids.table_bytes(columns, rows), described
