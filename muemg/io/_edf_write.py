"""Writing EDF and BDF: each channel in steps of its own range, discharges as annotations."""

from __future__ import annotations

import io
import json
import os
from typing import Any, BinaryIO

import numpy as np

from muemg.errors import InvalidArgumentError
from muemg.io._contents import Contents
from muemg.io._edf_layout import (
    BITS,
    DIMENSION_LENGTH,
    OWN_ENTRY,
    PREFIX,
    UNIT_ENTRY,
    VOLTS_PER,
    ascii_labels,
    cut_into_records,
    finite_range,
    names_of,
    physical_range,
)
from muemg.recording import Recording

__all__ = ["labels_of", "unit_of_volts", "write_bdf", "write_edf"]


def write_edf(stream: BinaryIO, contents: Contents) -> None:
    """Write a recording, and the discharges that are known, as EDF+ (16 bits a sample)."""
    _write(stream, contents, "EDF")


def write_bdf(stream: BinaryIO, contents: Contents) -> None:
    """Write a recording, and the discharges that are known, as BDF+ (24 bits a sample)."""
    _write(stream, contents, "BDF")


def labels_of(recording: Recording) -> tuple[list[str], list[str]]:
    """The labels that a file gives to the channels and to the auxiliary tracks."""
    taken: set[str] = set()
    # "EMG" in front is how EDF+ says what a signal is; other programs tell the type by it.
    emg = ascii_labels([PREFIX + name for name in recording.channel_names], taken)
    return emg, ascii_labels(list(recording.auxiliary), taken)


def _write(stream: BinaryIO, contents: Contents, kind: str) -> None:
    import edfio

    recording = contents.recording
    if recording is None:
        raise InvalidArgumentError(f"what must hold a recording to be written as {kind}")
    records = cut_into_records(recording.n_samples, recording.sampling_rate)
    rate = records.length / records.duration
    labels, auxiliary_labels = labels_of(recording)
    units = dict(recording.metadata.get("auxiliary_units") or {})
    signals = [
        _signal(kind, f"channel {name!r}", values.astype(np.float64) / VOLTS_PER[unit], label, unit, rate)
        for name, values, label in zip(recording.channel_names, recording.signal, labels)
        for unit in [unit_of_volts(values)]
    ]
    for (name, track), label in zip(recording.auxiliary.items(), auxiliary_labels):
        unit = ascii_labels([str(units[name])], set())[0][:DIMENSION_LENGTH] if units.get(name) else ""
        signals.append(_signal(kind, f"auxiliary track {name!r}", track, label, unit, rate))
    entry, annotations = _entries(contents, labels, auxiliary_labels, records.exact)
    if entry:
        text = OWN_ENTRY + json.dumps(entry)
        annotations.append((0.0, None, text))

    class Counted(edfio.Edf if kind == "EDF" else edfio.Bdf):  # type: ignore[misc]
        # edfio divides lengths of time to count the records, which rounding spoils after some 1000 s.
        def _set_num_data_records_with_signals(self, signals: Any) -> None:
            self._set_num_data_records(records.count)

    made: Any = Counted(
        signals,
        data_record_duration=records.duration,
        annotations=[edfio.EdfAnnotation(*item) for item in annotations] if annotations else None,
    )
    try:
        # edfio writes to a stream of its own kind; a second descriptor spares a copy of the file in memory.
        with open(os.dup(stream.fileno()), "wb") as twin:
            made.write(twin)
    except (io.UnsupportedOperation, AttributeError):
        stream.write(made.to_bytes())


def unit_of_volts(values: np.ndarray) -> str:
    """Microvolts, the unit that every reader of EDF knows, as long as its numbers fit the header."""
    largest = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    return "uV" if largest < 0.9 else "mV" if largest < 900 else "V"


def _signal(kind: str, what: str, values: np.ndarray, label: str, unit: str, rate: float) -> Any:
    import edfio

    signal_class: Any = edfio.EdfSignal if kind == "EDF" else edfio.BdfSignal
    dtype: Any = np.int16 if kind == "EDF" else np.int32
    most = 2 ** (BITS[kind] - 1)

    def make(digital: np.ndarray, limits: tuple[float, float]) -> Any:
        return signal_class.from_digital(
            digital, rate, label=label, physical_dimension=unit, physical_range=limits
        )

    limits = physical_range(what, *finite_range(what, values))
    probe = np.zeros(1, dtype=dtype)
    while (said := tuple(make(probe, limits).physical_range)) != limits:
        limits = said  # edfio rounds outwards once more; samples are counted in steps of what it writes
    low, high = limits
    digital = np.rint((values - low) * ((2 * most - 1) / (high - low)) - most)
    return make(np.clip(digital, -most, most - 1).astype(dtype), limits)


def _entries(
    contents: Contents, labels: list[str], auxiliary_labels: list[str], exact: bool
) -> tuple[dict[str, Any], list[tuple[float, float | None, str]]]:
    """What the header cannot say, and the annotations: discharges, and those that a file came with."""
    recording = contents.require("recording")
    entry: dict[str, Any] = {}
    if not exact:
        entry["sampling_rate"] = recording.sampling_rate
    if tuple(names_of(labels)) != recording.channel_names:
        entry["channel_names"] = list(recording.channel_names)
    if recording.auxiliary:
        entry["auxiliary"] = dict(zip(auxiliary_labels, recording.auxiliary))
    annotations: list[tuple[float, float | None, str]] = []
    for onset, duration, text in recording.metadata.get("annotations") or ():
        clean = "".join(" " if ord(c) < 32 else c for c in str(text)).encode("utf-8", "replace").decode()
        annotations.append((float(onset), None if duration is None else float(duration), clean))
    trains = contents.spikes
    if trains is None and contents.decomposition is not None:
        trains = contents.decomposition.spikes
    if trains is not None:
        names = ascii_labels([str(unit) for unit in trains.unit_ids], set())
        entry["motor_units"] = dict(zip(names, trains.unit_ids))
        for name, train in zip(names, trains):
            onsets = (train / trains.sampling_rate).tolist()
            annotations += [(onset, None, UNIT_ENTRY + name) for onset in onsets]
    return entry, annotations
