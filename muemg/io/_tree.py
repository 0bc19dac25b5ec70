"""Records as trees of named arrays and back: what the native file and ``.npz`` both store.

A leaf is a NumPy array or a JSON text, a branch a dictionary. `FIELDS` says for each leaf what it means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, Union
from urllib.parse import quote

import numpy as np

from forward_models import ElectrodeArray
from muemg._table import Table
from muemg.errors import FileFormatError, InvalidArgumentError
from muemg.io._contents import Contents
from muemg.recording import Recording
from muemg.results import Decomposition, SeparationFilters, Simulation
from muemg.spikes import SpikeTrains

__all__ = ["FIELDS", "Tree", "contents_from_tree", "plain_json", "tree_from_contents"]

Tree = dict[str, Union[np.ndarray, np.generic, str, "Tree"]]
_Kind = TypeVar("_Kind")

# name: (unit, dimensions, meaning)
FIELDS: dict[str, tuple[str, str, str]] = {
    "signal": ("V", "channel, sample", "surface or intramuscular potentials"),
    "sampling_rate": ("Hz", "", "samples per second"),
    "channel_names": ("", "channel", "JSON list of text"),
    "auxiliary_names": ("", "track", "JSON list of text; 'force' is the one that reports look for"),
    "auxiliary": ("", "track, sample", "what was sampled together with the signal, in its own unit"),
    "positions": ("m", "channel, (x, y, z)", "electrode centres; z along the fibres, y out of the tissue"),
    "radius": ("m", "", "radius of the electrode discs"),
    "grid_index": ("", "channel, (row, column)", "cell of each electrode; rows follow the fibres"),
    "name": ("", "", "JSON text: name of the electrode array"),
    "samples": ("sample", "spike", "sample index, from 0, of every discharge, unit after unit"),
    "n_spikes": ("", "unit", "number of discharges of each unit: how to cut 'samples'"),
    "n_samples": ("sample", "", "length of the recording that the discharges belong to"),
    "unit_ids": ("", "unit", "JSON list of numbers or text"),
    "sources": ("1", "unit, sample", "innervation pulse trains"),
    "muaps": ("V", "unit, channel, lag", "motor-unit action potentials"),
    "muap_offset": ("sample", "", "lag at which the discharge lies"),
    "excluded_channels": ("", "", "JSON list of (channel, reason)"),
    "parameters": ("", "", "JSON object: what it takes to make this again"),
    "notes": ("", "", "JSON list of text"),
    "metadata": ("", "", "JSON object"),
    "columns": ("", "column", "JSON list of text: the columns in order"),
    "taps": ("1/V", "unit, used channel, tap", "separation filters; the first tap weighs the newest sample"),
    "responses": (
        "V",
        "unit, used channel, tap",
        "mean of the band-passed channels at the peaks of the source",
    ),
    "lags": ("sample", "unit", "by how much the source's peak follows the discharge"),
    "thresholds": ("1", "unit", "height s|s| above which a peak is a discharge"),
    "spike_heights": ("1", "unit", "mean s|s| of the discharges"),
    "background_heights": ("1", "unit", "mean s|s| of the other peaks"),
    "channels": ("", "used channel", "channels of the recording that the filters use"),
    "covariance": (
        "V^2",
        "tap, used channel, used channel",
        "lagged covariances of the band-passed channels",
    ),
    "noise_floor": ("V^2", "", "added to the diagonal of the extended covariance"),
}

_FILTER_ARRAYS = (
    "taps",
    "responses",
    "lags",
    "spike_heights",
    "background_heights",
    "thresholds",
    "channels",
    "covariance",
)
_FILTER_NUMBERS = ("noise_floor", "sampling_rate", "low", "high", "min_interval")


# ---------------------------------------------------------------------- records to trees


def tree_from_contents(contents: Contents) -> Tree:
    """The tree of a file's contents; what a simulation shares with the top level is stored once."""
    tree: Tree = {}
    if contents.recording is not None:
        tree["recording"] = _from_recording(contents.recording)
    if contents.spikes is not None:
        tree["spikes"] = _from_spikes(contents.spikes)
    if contents.decomposition is not None:
        tree["decomposition"] = _from_decomposition(contents.decomposition)
    simulation = contents.simulation
    if simulation is not None:
        branch = tree["simulation"] = {
            "muaps": simulation.muaps,
            "motor_units": _from_table(simulation.motor_units),
            "muap_offset": np.int64(simulation.muap_offset),
            "parameters": _json("parameters", dict(simulation.parameters)),
        }
        if simulation.recording is not contents.recording and simulation.recording != contents.recording:
            branch["recording"] = _from_recording(simulation.recording)
        if simulation.spikes is not contents.spikes and simulation.spikes != contents.spikes:
            branch["spikes"] = _from_spikes(simulation.spikes)
    if contents.metadata:
        tree["metadata"] = _json("metadata", dict(contents.metadata))
    return tree


def _from_recording(recording: Recording) -> Tree:
    tree: Tree = {
        "signal": recording.signal,
        "sampling_rate": np.float64(recording.sampling_rate),
        "channel_names": _json("channel_names", list(recording.channel_names)),
        "metadata": _json("metadata", dict(recording.metadata)),
    }
    if recording.auxiliary:
        tree["auxiliary_names"] = _json("auxiliary", list(recording.auxiliary))
        tree["auxiliary"] = np.stack(list(recording.auxiliary.values()))
    if recording.electrodes is not None:
        electrodes = recording.electrodes
        branch: Tree = {
            "positions": electrodes.positions,
            "radius": np.float64(electrodes.radius),
            "name": _json("name", electrodes.name),
        }
        if electrodes.grid_index is not None:
            branch["grid_index"] = electrodes.grid_index
        tree["electrodes"] = branch
    return tree


def _from_spikes(spikes: SpikeTrains) -> Tree:
    return {
        "samples": np.concatenate([np.zeros(0, dtype=np.int64), *spikes.samples]),
        "n_spikes": spikes.n_spikes,
        "sampling_rate": np.float64(spikes.sampling_rate),
        "n_samples": np.int64(spikes.n_samples),
        "unit_ids": _json("unit_ids", list(spikes.unit_ids)),
    }


def _from_decomposition(found: Decomposition) -> Tree:
    tree: Tree = {
        "spikes": _from_spikes(found.spikes),
        "sources": found.sources,
        "muaps": found.muaps,
        "quality": _from_table(found.quality),
        "muap_offset": np.int64(found.muap_offset),
        "excluded_channels": _json(
            "excluded_channels", [list(item) for item in found.excluded_channels.items()]
        ),
        "parameters": _json("parameters", dict(found.parameters)),
        "notes": _json("notes", list(found.notes)),
    }
    if found.filters is not None:
        filters = found.filters
        branch: Tree = {name: getattr(filters, name) for name in _FILTER_ARRAYS}
        branch |= {name: np.float64(getattr(filters, name)) for name in _FILTER_NUMBERS}
        branch["n_channels"] = np.int64(filters.n_channels)
        tree["filters"] = branch
    if found.anatomy is not None:
        tree["anatomy"] = _from_table(found.anatomy)
    if found.history:
        tree["history"] = {
            f"edit_{i:05d}": _from_nest("history", step) for i, step in enumerate(found.history)
        }
    return tree


def _from_nest(name: str, nest: Mapping[str, Any]) -> Tree:
    """Arrays as arrays, mappings as branches, everything else as JSON."""
    tree: Tree = {}
    for key, value in nest.items():
        if isinstance(value, Mapping):
            tree[key] = _from_nest(f"{name}[{key!r}]", value)
        else:
            tree[key] = value if isinstance(value, np.ndarray) else _json(f"{name}[{key!r}]", value)
    return tree


def _to_nest(tree: Tree) -> dict[str, Any]:
    nest: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            nest[key] = _to_nest(value)
        else:
            nest[key] = _from_json(tree, key, object) if isinstance(value, str) else value
    return nest


def _from_table(table: Table) -> Tree:
    tree: Tree = {"columns": _json("columns", list(table.columns))}
    for name, column in table.items():
        if column.dtype.kind == "U":
            tree[_column_key(name)] = _json(name, {"dtype": column.dtype.str, "values": column.tolist()})
        elif column.dtype.kind in "biuf":
            tree[_column_key(name)] = column
        else:
            raise InvalidArgumentError(
                f"column {name!r} must hold numbers, truth values or text, got {column.dtype}"
            )
    return tree


def _column_key(name: str) -> str:
    """A column's name as one that no container gives a meaning of its own ('/' and '.' have one)."""
    return "column_" + quote(name, safe=" ", errors="surrogatepass").replace(".", "%2E")


def _json(name: str, value: Any) -> str:
    return json.dumps(plain_json(name, value))


def plain_json(name: str, value: Any) -> Any:
    """`value` with NumPy scalars and arrays as Python numbers and lists.

    Raises
    ------
    InvalidArgumentError
        If it holds something that JSON cannot express; the message begins with `name`.
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.generic() | np.ndarray():
            return plain_json(name, value.tolist())
        case list() | tuple():
            return [plain_json(name, item) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: plain_json(f"{name}[{key!r}]", item) for key, item in value.items()}
        case dict():
            raise InvalidArgumentError(f"{name} must have text as keys to be written, got {list(value)[:5]}")
    raise InvalidArgumentError(f"{name} must hold JSON values to be written, got {type(value).__name__}")


# ---------------------------------------------------------------------- trees to records


def contents_from_tree(tree: Tree) -> Contents:
    """The contents of a tree.

    Raises
    ------
    FileFormatError
        If something is missing or of the wrong kind.
    InvalidArgumentError
        If the values are impossible, as the records' own checks say.
    """
    recording = _to_recording(_branch(tree, "recording")) if "recording" in tree else None
    spikes = _to_spikes(_branch(tree, "spikes")) if "spikes" in tree else None
    found = _to_decomposition(_branch(tree, "decomposition")) if "decomposition" in tree else None
    simulation = None
    if "simulation" in tree:
        branch = _branch(tree, "simulation")
        if "recording" in branch or recording is None:
            simulated = _to_recording(_branch(branch, "recording"))
        else:
            simulated = recording
        true_spikes = (
            _to_spikes(_branch(branch, "spikes")) if "spikes" in branch or spikes is None else spikes
        )
        simulation = Simulation(
            simulated,
            true_spikes,
            _array(branch, "muaps"),
            _to_table(_branch(branch, "motor_units")),
            int(_scalar(branch, "muap_offset")),
            _from_json(branch, "parameters", dict),
        )
    metadata = _from_json(tree, "metadata", dict) if "metadata" in tree else {}
    contents = Contents("", recording, spikes, found, simulation, metadata=metadata)
    if not contents.parts:
        raise FileFormatError("it holds neither a recording nor spike trains nor a decomposition")
    return contents


def _to_recording(tree: Tree) -> Recording:
    electrodes = None
    if "electrodes" in tree:
        branch = _branch(tree, "electrodes")
        electrodes = ElectrodeArray(
            _array(branch, "positions"),
            _scalar(branch, "radius"),
            _from_json(branch, "name", str),
            _array(branch, "grid_index") if "grid_index" in branch else None,
        )
    auxiliary = {}
    if "auxiliary" in tree:
        names, tracks = _from_json(tree, "auxiliary_names", list), _array(tree, "auxiliary")
        if tracks.ndim != 2 or len(names) != len(tracks):
            raise FileFormatError(f"auxiliary must hold {len(names)} tracks, got shape {tracks.shape}")
        auxiliary = dict(zip(names, tracks))
    signal = _array(tree, "signal")
    signal.flags.writeable = False  # nobody else holds it: the recording need not copy it
    return Recording(
        signal,
        _scalar(tree, "sampling_rate"),
        electrodes,
        auxiliary,
        tuple(_from_json(tree, "channel_names", list)) if "channel_names" in tree else (),
        _from_json(tree, "metadata", dict) if "metadata" in tree else {},
    )


def _to_spikes(tree: Tree) -> SpikeTrains:
    samples, counts = _array(tree, "samples"), _array(tree, "n_spikes")
    if samples.ndim != 1 or counts.ndim != 1 or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise FileFormatError("samples and n_spikes must each be one row of integers")
    if int(counts.sum()) != len(samples):
        raise FileFormatError(f"n_spikes must add up to the {len(samples)} samples, got {int(counts.sum())}")
    trains = np.split(samples, np.cumsum(counts)[:-1]) if len(counts) else []
    return SpikeTrains(
        tuple(trains),
        _scalar(tree, "sampling_rate"),
        int(_scalar(tree, "n_samples")),
        tuple(_from_json(tree, "unit_ids", list)),
    )


def _to_decomposition(tree: Tree) -> Decomposition:
    return Decomposition(
        _to_spikes(_branch(tree, "spikes")),
        _array(tree, "sources"),
        _array(tree, "muaps"),
        _to_table(_branch(tree, "quality")),
        int(_scalar(tree, "muap_offset")),
        {int(channel): str(reason) for channel, reason in _from_json(tree, "excluded_channels", list)},
        _from_json(tree, "parameters", dict),
        tuple(_from_json(tree, "notes", list)),
        _to_filters(_branch(tree, "filters")) if "filters" in tree else None,
        tuple(_to_nest(_branch(_branch(tree, "history"), step)) for step in sorted(_branch(tree, "history")))
        if "history" in tree
        else (),
        _to_table(_branch(tree, "anatomy")) if "anatomy" in tree else None,
    )


def _to_filters(tree: Tree) -> SeparationFilters:
    parts: dict[str, Any] = {name: _array(tree, name) for name in _FILTER_ARRAYS}
    parts |= {name: _scalar(tree, name) for name in _FILTER_NUMBERS}
    return SeparationFilters(n_channels=int(_scalar(tree, "n_channels")), **parts)


def _to_table(tree: Tree) -> Table:
    columns = {}
    for name in _from_json(tree, "columns", list):
        key = _column_key(name)
        if isinstance(tree.get(key), str):
            text = _from_json(tree, key, dict)
            columns[name] = np.array(text["values"], dtype=text["dtype"])
        else:
            columns[name] = _array(tree, key)
    return Table(columns)


def _leaf(tree: Tree, name: str, kind: type[_Kind], called: str) -> _Kind:
    if name not in tree:
        raise FileFormatError(f"{name!r} is missing")
    value = tree[name]
    if not isinstance(value, kind):
        raise FileFormatError(f"{name!r} must be {called}")
    return value


def _branch(tree: Tree, name: str) -> Tree:
    return _leaf(tree, name, dict, "a group")


def _array(tree: Tree, name: str) -> np.ndarray:
    return _leaf(tree, name, np.ndarray, "an array of numbers")


def _scalar(tree: Tree, name: str) -> float:
    value = _array(tree, name)
    if value.shape != () or value.dtype.kind not in "iuf":
        raise FileFormatError(f"{name!r} must be one number, got {value.dtype} of shape {value.shape}")
    return value.item()


def _from_json(tree: Tree, name: str, kind: type[_Kind]) -> _Kind:
    try:
        value = json.loads(_leaf(tree, name, str, "a JSON text"))
    except json.JSONDecodeError as error:
        raise FileFormatError(f"{name!r} must be a JSON text: {error}") from error
    if not isinstance(value, kind):
        raise FileFormatError(f"{name!r} must be a JSON {kind.__name__}, got {type(value).__name__}")
    return value
