"""Reading EMG-BIDS, other people's included: the data file says the volts, the sidecars what each channel is.

Nothing but the data file is required. What a sidecar says beyond channels, electrodes and discharges is kept in
the recording's metadata.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from muemg._table import Table
from muemg.errors import FileFormatError
from muemg.io import _bids_files as bids
from muemg.io import edf
from muemg.io._bids_electrodes import electrode_array
from muemg.io._bids_events import OWN_KEY, SPIKE
from muemg.io._contents import Contents
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["bids_recordings", "is_bids_file", "read_bids", "read_bids_file"]

_UNIT_COLUMNS = ("unit_id", "unit", "motor_unit", "mu_id", "mu")


def bids_recordings(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The EMG recordings of a BIDS dataset, or of one subject's or session's folder in it.

    Parameters
    ----------
    folder : path-like
        The dataset.

    Returns
    -------
    tuple of Path
        Data files (``*_emg.edf``, ``*_emg.bdf``); `muemg.read` reads one with all its sidecars.

    Raises
    ------
    FileFormatError
        If there is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileFormatError(f"cannot read {root}: there is no such folder")
    return tuple(bids.data_files(root))


def read_bids(
    folder: str | os.PathLike[str],
    *,
    subject: str | None = None,
    session: str | None = None,
    task: str | None = None,
    acquisition: str | None = None,
    run: str | None = None,
    recording: str | None = None,
) -> Contents:
    """Read one recording of a BIDS dataset with its electrodes, events and derivatives.

    Parameters
    ----------
    folder : path-like
        The dataset, or a folder within it.
    subject, session, task, acquisition, run, recording : str, optional
        Labels that the file name must have; enough of them to leave one recording.

    Returns
    -------
    Contents
        The recording; `spikes` from its ``_events.tsv``, `decomposition` from ``derivatives``.

    Raises
    ------
    FileFormatError
        If no recording, or more than one, has these labels, or a file cannot be read.
    """
    files = bids_recordings(folder)
    if not files:
        raise FileFormatError(f"cannot read {folder} as BIDS: it holds no *_emg.edf and no *_emg.bdf")
    given = dict(zip(bids.ENTITIES, (subject, session, task, acquisition, run, recording)))
    asked = {key: str(label) for key, label in given.items() if label is not None}
    chosen = [file for file in files if asked.items() <= bids.entities_of(file).items()]
    if len(chosen) != 1:
        listed = chosen or files
        names = ", ".join(file.name for file in listed[:8]) + (", …" if len(listed) > 8 else "")
        said = ", ".join(f"{bids.ENTITIES[key]} {label}" for key, label in asked.items()) or "no label"
        raise FileFormatError(
            f"cannot read {folder} as one recording: {len(chosen)} of {len(files)} match {said} ({names}); "
            "read one of these files, or give muemg.io.read_bids its labels"
        )
    try:
        return read_bids_file(chosen[0])
    except FileFormatError:
        raise
    except Exception as error:  # parsers of damaged files raise nearly anything
        raise FileFormatError(f"cannot read {chosen[0]}: {type(error).__name__}: {error}") from error


def is_bids_file(file: Path) -> bool:
    """Whether a file is named as the EMG recording of a BIDS dataset."""
    return file.name.startswith("sub-") and file.stem.endswith("_emg")


def read_bids_file(file: Path) -> Contents:
    """Read a data file and all that its sidecars say."""
    file = file.absolute()
    root = bids.dataset_root(file)
    sidecar = bids.inherited_json(file, root, "emg")
    own = sidecar.pop(OWN_KEY, None)
    rows = bids.inherited_table(file, root, "channels")
    channels = None
    if rows is not None:
        missing = [name for name in ("name", "type") if rows and name not in rows[0]]
        if missing:
            raise FileFormatError(f"the channels.tsv of {file.name} has no column {', '.join(missing)}")
        channels = [
            (row["name"], row["type"], "" if row.get("units") in (None, bids.MISSING) else row["units"])
            for row in rows
        ]
    kind = _kind(file)
    read = edf.read(file, kind, channels)
    recording = read.require("recording")
    rate = _rate(recording.sampling_rate, sidecar)
    metadata: dict[str, Any] = dict(recording.metadata)
    metadata["source"] = f"BIDS ({kind})"
    if isinstance(own, dict) and isinstance(own.get("Metadata"), dict):
        metadata |= own["Metadata"]
    if isinstance(own, dict) and isinstance(own.get("Simulation"), dict):
        metadata["simulation"] = own["Simulation"]
    names = {
        bids.ENTITIES[key]: label for key, label in bids.entities_of(file).items() if key in bids.ENTITIES
    }
    metadata |= {"bids_entities": names, "bids": sidecar} if sidecar else {"bids_entities": names}
    if "subject" in names:
        metadata |= _participant(root, names["subject"])
    labels, _ = edf.labels_of(recording)
    told = {row["name"]: row for row in rows or ()}
    by_channel = [told.get(label) or told.get(name) for label, name in zip(labels, recording.channel_names)]
    if rows is not None and len(rows) and None in by_channel:
        emg = [row for row in rows if row["type"].strip().upper() == "EMG"]
        by_channel = list(emg) if len(emg) == recording.n_channels else by_channel
    known = [row or {} for row in by_channel]
    metadata |= _channel_metadata(known, recording.channel_names)
    electrodes = electrode_array(file, root, known, recording.channel_names, metadata)
    recording = Recording(
        recording.signal, rate, electrodes, recording.auxiliary, recording.channel_names, metadata
    )
    spikes, events = _discharges(file, root, recording)
    if events:
        recording = recording._with(metadata={**recording.metadata, "events": events})
    found, others = _derivatives(file, root, recording)
    if others:
        recording = recording._with(metadata={**recording.metadata, "derivatives": others})
    known_trains = spikes if spikes is not None else read.spikes
    if known_trains is not None and known_trains.sampling_rate != rate:
        known_trains = replace(known_trains, sampling_rate=rate)
    return Contents(recording=recording, spikes=known_trains, decomposition=found)


def _kind(file: Path) -> str:
    with open(file, "rb") as stream:
        head = stream.read(256)
    if edf.recognises_edf(head):
        return "EDF"
    if edf.recognises_bdf(head):
        return "BDF"
    raise FileFormatError(f"it is neither EDF nor BDF: it begins with {head[:8]!r}")


def _rate(rate: float, sidecar: dict[str, Any]) -> float:
    """The sidecar's sampling rate where the header's differs by no more than its eight characters can."""
    said = sidecar.get("SamplingFrequency")
    if isinstance(said, int | float) and not isinstance(said, bool) and abs(said / rate - 1) < 1e-4:
        return float(said)
    return rate


def _participant(root: Path, subject: str) -> dict[str, Any]:
    file = root / "participants.tsv"
    rows = bids.read_table(file) if file.is_file() else []
    for row in rows:
        if row.pop("participant_id", None) == f"sub-{subject}" and (
            known := {key: value for key, value in row.items() if value != bids.MISSING}
        ):
            return {"participant": known}
    return {}


def _channel_metadata(rows: list[dict[str, str]], names: tuple[str, ...]) -> dict[str, Any]:
    """Muscle, groups and what is wrong with channels, as far as channels.tsv says."""
    found: dict[str, Any] = {}
    muscles = {row.get("target_muscle", bids.MISSING) for row in rows} - {bids.MISSING}
    if len(muscles) == 1:
        found["muscle"] = muscles.pop()
    elif muscles:
        found["muscles"] = [row.get("target_muscle", "") for row in rows]
    groups = [row.get("group", bids.MISSING) for row in rows]
    if len(set(groups)) > 1:
        found["groups"] = groups
    bad = {
        name: "bad" if (why := row.get("status_description", bids.MISSING)) == bids.MISSING else why
        for name, row in zip(names, rows)
        if row.get("status") == "bad"
    }
    if bad:
        found["channel_status"] = bad
    return found


# ---------------------------------------------------------------------- discharges


def _discharges(
    file: Path, root: Path, recording: Recording
) -> tuple[SpikeTrains | None, list[dict[str, str]]]:
    """Known discharges, and the other events as they stand."""
    rows = bids.inherited_table(file, root, "events")
    if rows is None:
        return None, []
    described = bids.inherited_json(file, root, "events")
    spikes, others = _trains(rows, described, recording, f"events.tsv of {file.name}")
    return spikes, others


def _trains(
    rows: list[dict[str, str]], described: dict[str, Any], recording: Recording, what: str
) -> tuple[SpikeTrains | None, list[dict[str, str]]]:
    own = described.get(OWN_KEY)
    ids = own.get("UnitIds") if isinstance(own, dict) else None
    column = next((name for name in _UNIT_COLUMNS if rows and name in rows[0]), None)
    if column is None and not (isinstance(ids, dict) and not rows):
        return None, rows
    trains: dict[str, list[float]] = {name: [] for name in ids} if isinstance(ids, dict) else {}
    others: list[dict[str, str]] = []
    onsets: list[float] = []
    stated: list[float] = []
    members: list[str] = []
    for row in rows:
        unit = row[column] if column is not None else bids.MISSING
        if unit == bids.MISSING or row.get("event_type", SPIKE) != SPIKE:
            others.append(row)
            continue
        onsets.append(_number(row.get("onset"), f"onset in {what}") * recording.sampling_rate)
        sample = row.get("sample", bids.MISSING)
        stated.append(onsets[-1] if sample == bids.MISSING else _number(sample, f"sample in {what}"))
        members.append(unit)
    samples = np.rint(stated if _agree(stated, onsets, rows, recording.sampling_rate) else onsets)
    for unit, sample in zip(members, samples):
        trains.setdefault(unit, []).append(sample)
    for unit, train in trains.items():
        outside = [sample for sample in train if not 0 <= sample < recording.n_samples]
        if outside:
            raise FileFormatError(
                f"unit {unit} discharges at {outside[0] / recording.sampling_rate:g} s in the {what}, the "
                f"recording lasts {recording.duration:g} s"
            )
    order = list(trains) if isinstance(ids, dict) else sorted(trains, key=_natural)
    named = {name: _unit_id(name, ids) for name in order}
    unique = tuple(np.unique(np.array(trains[name], dtype=np.int64)) for name in order)
    return SpikeTrains(unique, recording.sampling_rate, recording.n_samples, tuple(named.values())), others


def _agree(
    stated: list[float], onsets: list[float], rows: list[dict[str, str]], sampling_rate: float
) -> bool:
    """Whether the column of samples, which is exact, says the same as the onsets do with their decimals.

    It does not where it counts from 1, or on another clock.
    """
    texts = [row["onset"] for row in rows if row.get("onset", bids.MISSING) != bids.MISSING]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    apart = np.subtract(stated, onsets)
    if not len(apart):
        return True
    largest, mean = float(np.abs(apart).max()), float(apart.mean())
    return largest <= 0.5 + sampling_rate * 0.5 * 10.0**-decimals and abs(mean) < 0.75


def _number(text: str | None, what: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise FileFormatError(f"{what} must be a number at each discharge, got {text!r}")
    return value


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers in their order, then text."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def _unit_id(name: str, ids: object) -> int | str:
    if isinstance(ids, dict):
        value = ids.get(name, name)
        return value if isinstance(value, int) else str(value)
    return int(name) if name.isascii() and name.isdigit() and str(int(name)) == name else name


# ---------------------------------------------------------------------- derivatives


def _derivatives(file: Path, root: Path, recording: Recording) -> tuple[Decomposition | None, list[str]]:
    """What a decomposition found: that of muemg, or the only one; otherwise the names of all."""
    wanted = bids.entities_of(file)
    found: dict[str, list[Path]] = {}
    for table in sorted((root / "derivatives").glob("*/**/*_events.tsv")):
        has = bids.entities_of(table)
        if {key: label for key, label in has.items() if key in bids.ENTITIES} == wanted:
            found.setdefault(table.relative_to(root / "derivatives").parts[0], []).append(table)
    pipeline = "muemg" if "muemg" in found else next(iter(found), "")
    if not found or (pipeline != "muemg" and len(found) > 1) or len(found[pipeline]) > 1:
        return None, sorted(found)
    table = found[pipeline][0]
    sidecar = table.with_suffix(".json")
    described = bids.read_json(sidecar) if sidecar.is_file() else {}
    what = f"{table.name} of derivatives/{pipeline}"
    spikes, _ = _trains(bids.read_table(table), described, recording, what)
    others = sorted(found.keys() - {pipeline})
    return (None if spikes is None else _decomposition(spikes, described, recording, pipeline)), others


def _decomposition(
    spikes: SpikeTrains, described: dict[str, Any], recording: Recording, pipeline: str
) -> Decomposition:
    own = described.get(OWN_KEY)
    own = own if isinstance(own, dict) else {}
    pulses = np.zeros((len(spikes), spikes.n_samples), dtype=np.float32)
    for row, train in zip(pulses, spikes):
        row[train] = 1.0
    columns = {}
    for name, column in (own.get("Quality") or {}).items():
        values = [np.nan if value is None else value for value in column["Values"]]
        columns[name] = np.array(values, dtype=column["Type"])
    if not columns:
        columns = {
            **dict.fromkeys(("sil", "pnr", "cov_isi"), np.full(len(spikes), np.nan)),
            "rate": spikes.n_spikes / spikes.duration,
            "n_spikes": spikes.n_spikes,
            "accepted": np.ones(len(spikes), dtype=bool),
        }
    note = (
        "BIDS keeps discharges only: each source is 1 at a discharge and 0 elsewhere, and there are no MUAPs"
    )
    return Decomposition(
        spikes,
        pulses,
        np.zeros((len(spikes), recording.n_channels, 0)),
        Table(columns),
        excluded_channels={int(key): str(why) for key, why in (own.get("ExcludedChannels") or {}).items()},
        parameters=own.get("Parameters") or {"method": f"derivatives/{pipeline}"},
        notes=(*(text for text in own.get("Notes") or () if text != note), note),
    )
