"""The JSON file of openhdemg: a gzipped dictionary in which every value is itself a JSON text.

Signals are pandas data frames in ``orient="split"`` with integer columns, one column per channel or unit;
discharges (``MUPULSES``) are lists of sample indices from 0. The format names no unit of the signal: muemg
writes microvolts, which is also what files that openhdemg imported from OTBioLab+ hold, and says so in an
entry ``MUEMG`` of its own that openhdemg passes over.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from forward_models import ElectrodeArray
from muemg._table import Table
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.io._contents import Contents
from muemg.io._tree import plain_json
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["read", "recognises", "write"]

# openhdemg 0.1.2 opens only files whose source is one of its own; this one stands for "from elsewhere".
_SOURCE = "CUSTOMCSV"
_OWN_ENTRY = "MUEMG"
_VOLTS = 1e-6
_COMPRESSION = 4


def recognises(head: bytes) -> bool:
    """Whether these are the first bytes of a JSON dictionary, gzipped or plain."""
    if not head.startswith(b"\x1f\x8b"):
        return head.lstrip().startswith(b"{")
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 64).lstrip().startswith(b"{")
    except zlib.error:
        return False


# ---------------------------------------------------------------------- reading


def read(path: Path) -> Contents:
    """Read a file that openhdemg or muemg wrote."""
    with open(path, "rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else open(path, "rb") as stream:
        outer = json.load(stream)
    if not isinstance(outer, dict) or "SOURCE" not in outer:
        raise FileFormatError("it is JSON, but not of openhdemg: it has no entry 'SOURCE'")
    source = _value(outer, "SOURCE")
    if "RAW_SIGNAL" not in outer:
        raise FileFormatError(f"it holds no EMG, only {', '.join(outer)} (source {source!r})")
    own = _value(outer, _OWN_ENTRY) if _OWN_ENTRY in outer else {}
    rate = float(_value(outer, "FSAMP"))
    signal = _frame(outer, "RAW_SIGNAL")
    n_samples, spacing = len(signal), float(_value(outer, "IED"))
    recording = Recording(
        (signal * _VOLTS).T,
        rate,
        _electrodes(own, signal.shape[1]),
        _auxiliary(outer, n_samples),
        tuple(own.get("channel_names", ())),
        {
            "source": f"openhdemg ({source})",
            "file_name": _value(outer, "FILENAME"),
            "interelectrode_distance_mm": spacing if math.isfinite(spacing) else None,
            "unit": "uV" if own else "uV (assumed; the file does not say)",
        },
    )
    pulses, n_units = _value(outer, "MUPULSES"), int(_value(outer, "NUMBER_OF_MUS"))
    if n_units == 0:  # openhdemg may then keep one empty list
        return Contents(recording=recording)
    if len(pulses) != n_units:
        raise FileFormatError(f"MUPULSES has {len(pulses)} units, NUMBER_OF_MUS says {n_units}")
    spikes = SpikeTrains(
        tuple(np.asarray(train) for train in pulses), rate, n_samples, tuple(own.get("unit_ids", ()))
    )
    sources = _frame(outer, "IPTS")
    if sources.shape != (n_samples, len(spikes)):
        return Contents(recording=recording, spikes=spikes)
    return Contents(
        recording=recording,
        decomposition=Decomposition(
            spikes,
            sources.T,
            np.zeros((len(spikes), recording.n_channels, 0)),
            _quality(_frame(outer, "ACCURACY"), spikes),
            parameters=own.get("parameters") or {"method": f"openhdemg ({source})"},
            notes=("the openhdemg format holds no MUAPs, and of the quality only the silhouette",),
        ),
    )


def _value(outer: Mapping[str, Any], name: str) -> Any:
    if name not in outer:
        raise FileFormatError(f"entry {name!r} is missing")
    if not isinstance(outer[name], str):
        raise FileFormatError(f"entry {name!r} must be a JSON text inside the JSON")
    return json.loads(outer[name])


def _frame(outer: Mapping[str, Any], name: str) -> np.ndarray:
    """A data frame's numbers, rows in the order of their index, missing ones as NaN."""
    frame = _value(outer, name)
    if not isinstance(frame, dict) or not {"columns", "index", "data"} <= frame.keys():
        raise FileFormatError(f"entry {name!r} must be a data frame with columns, index and data")
    rows, n_columns = frame["data"], len(frame["columns"])
    if not rows:
        return np.zeros((0, n_columns))
    values = np.array(rows, dtype=np.float64)
    if values.shape != (len(frame["index"]), n_columns):
        raise FileFormatError(f"entry {name!r} has data of shape {values.shape} for {n_columns} columns")
    return values[np.argsort(np.array(frame["index"], dtype=np.int64), kind="stable")]


def _auxiliary(outer: Mapping[str, Any], n_samples: int) -> dict[str, np.ndarray]:
    """The reference signal as force, and whatever numeric tracks of full length stand beside it."""
    tracks: dict[str, np.ndarray] = {}
    reference = _frame(outer, "REF_SIGNAL")
    if len(reference) == n_samples:
        for number, track in enumerate(reference.T):
            tracks["force" if number == 0 else f"force ({number})"] = track
    extras = _value(outer, "EXTRAS")
    if isinstance(extras, dict) and len(extras.get("data", ())) == n_samples:
        for name, track in zip(extras["columns"], _frame(outer, "EXTRAS").T):
            tracks.setdefault(str(name), track)
    return tracks


def _electrodes(own: Mapping[str, Any], n_channels: int) -> ElectrodeArray | None:
    said = own.get("electrodes")
    if said is None:
        return None
    array = ElectrodeArray(said["positions_m"], said["radius_m"], said["name"], said["grid_index"])
    return array if len(array) == n_channels else None


def _quality(accuracy: np.ndarray, spikes: SpikeTrains) -> Table:
    n_units = len(spikes)
    unknown = np.full(n_units, np.nan)
    known = accuracy.shape == (n_units, 1)
    return Table(
        {
            "sil": accuracy[:, 0] if known else unknown,
            "pnr": unknown,
            "cov_isi": unknown,
            "rate": unknown,
            "n_spikes": spikes.n_spikes,
            "accepted": np.ones(n_units, dtype=bool),
        }
    )


# ---------------------------------------------------------------------- writing


def write(stream: BinaryIO, contents: Contents) -> None:
    """Write recording, discharges, sources and silhouettes as openhdemg saves them.

    The units are those of the decomposition, or else the known spike trains.
    """
    recording = contents.recording
    if recording is None:
        raise InvalidArgumentError(
            "what must hold a recording to be written as openhdemg JSON: "
            "use Contents(recording=…, decomposition=…)"
        )
    found, spikes = contents.decomposition, contents.spikes
    if found is not None:
        spikes = found.spikes
    n_samples, n_units = recording.n_samples, 0 if spikes is None else len(spikes)
    force = recording.auxiliary.get("force")
    others = {name: track for name, track in recording.auxiliary.items() if name != "force"}
    outer = {
        "SOURCE": json.dumps(_SOURCE),
        "FILENAME": json.dumps(contents.path.name if contents.path is not None else "muemg"),
        "RAW_SIGNAL": _signal_frame(recording.signal.T.astype(np.float64) / _VOLTS),
        "REF_SIGNAL": _empty_frame(1) if force is None else _signal_frame(force[:, None]),
        "ACCURACY": _accuracy(found, n_units),
        "IPTS": _empty_frame(max(n_units, 1)),
        "MUPULSES": json.dumps([] if spikes is None else [train.tolist() for train in spikes]),
        "FSAMP": json.dumps(recording.sampling_rate),
        "IED": json.dumps(_interelectrode_distance_mm(recording.electrodes)),
        "EMG_LENGTH": json.dumps(n_samples),
        "NUMBER_OF_MUS": json.dumps(n_units),
        "BINARY_MUS_FIRING": _empty_frame(1),
        "EXTRAS": _signal_frame(np.stack(list(others.values()), 1), list(others))
        if others
        else _empty_frame(1),
        _OWN_ENTRY: json.dumps(plain_json("parameters", _own_entry(recording, spikes, found))),
    }
    if found is not None and n_units:
        outer["IPTS"] = _signal_frame(found.sources.T.astype(np.float64))
    if spikes is not None and n_units:
        outer["BINARY_MUS_FIRING"] = _signal_frame(spikes.to_dense().T)
    # Neither name nor time in the gzip header: the same input gives the same bytes.
    with (
        gzip.GzipFile("", "wb", _COMPRESSION, stream, mtime=0) as zipped,
        TextIOWrapper(zipped, encoding="utf-8") as text,
    ):
        json.dump(outer, text)


def _own_entry(
    recording: Recording, spikes: SpikeTrains | None, found: Decomposition | None
) -> dict[str, Any]:
    entry: dict[str, Any] = {"signal_unit": "uV", "channel_names": list(recording.channel_names)}
    electrodes = recording.electrodes
    if electrodes is not None:
        index = electrodes.grid_index
        entry["electrodes"] = {
            "name": electrodes.name,
            "radius_m": electrodes.radius,
            "positions_m": electrodes.positions.tolist(),
            "grid_index": None if index is None else index.tolist(),
        }
    if spikes is not None:
        entry["unit_ids"] = list(spikes.unit_ids)
    if found is not None:
        entry["parameters"] = dict(found.parameters)
    return entry


def _signal_frame(values: np.ndarray, columns: list[str] | None = None) -> str:
    import pandas as pd

    frame = pd.DataFrame(values, columns=columns)
    text = frame.to_json(orient="split", double_precision=10)
    return str(text)


def _empty_frame(n_columns: int) -> str:
    return json.dumps({"columns": list(range(n_columns)), "index": [], "data": []})


def _accuracy(found: Decomposition | None, n_units: int) -> str:
    """The silhouettes, one row per unit; openhdemg looks for the row even where nothing is known."""
    if not n_units:
        return _empty_frame(1)
    known = found is not None and "sil" in found.quality
    return _signal_frame(found.quality["sil"][:, None] if found and known else np.full((n_units, 1), np.nan))


def _interelectrode_distance_mm(electrodes: ElectrodeArray | None) -> float:
    """The smallest distance between two electrodes, in millimetres; not-a-number where it is unknown."""
    if electrodes is None or len(electrodes) < 2:
        return float("nan")
    offsets = electrodes.positions[:, None] - electrodes.positions
    distances = np.sqrt((offsets**2).sum(axis=-1))
    return round(float(distances[np.triu_indices(len(electrodes), 1)].min()) * 1e3, 6)
