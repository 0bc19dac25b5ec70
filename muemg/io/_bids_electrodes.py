"""Electrodes of an EMG-BIDS recording: positions in metres, brought into one frame.

A device has a frame of its own; where its coordinate system names a parent and the place of one electrode in
it, the device is moved there. The axes are taken as parallel, since BIDS states no rotation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from forward_models import ElectrodeArray
from muemg.errors import FileFormatError
from muemg.io import _bids_files as bids

__all__ = ["electrode_array"]

_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}


def electrode_array(
    file: Path, root: Path, channels: list[dict[str, str]], names: tuple[str, ...], metadata: dict[str, Any]
) -> ElectrodeArray | None:
    """The electrodes under the channels, or None with the reason in ``metadata["electrodes"]``.

    Parameters
    ----------
    file, root : Path
        The data file and its dataset.
    channels : list of dict
        Rows of channels.tsv, one per channel, as far as there are any.
    names : tuple of str
        Names of the channels.
    metadata : dict
        Where a reason, and the description of the frame, go.
    """
    rows = bids.inherited_table(file, root, "electrodes")
    if rows is None:
        return None
    missing = [column for column in ("name", "x", "y") if rows and column not in rows[0]]
    if missing:
        raise FileFormatError(f"the electrodes.tsv of {file.name} has no column {', '.join(missing)}")
    chosen = _under_channels(rows, channels, names)
    if chosen is None:
        metadata["electrodes"] = "electrodes.tsv does not name an electrode for each channel"
        return None
    systems = _coordinate_systems(file, root)
    positions = []
    for row in chosen:
        place = _place(row, rows, systems)
        if place is None:
            metadata["electrodes"] = f"the place of electrode {row['name']!r} is not known in metres"
            return None
        positions.append(place)
    described = {
        text
        for system in systems.values()
        if isinstance(text := system.get("EMGCoordinateSystemDescription"), str)
    }
    if len(described) == 1:
        metadata["coordinate_system"] = described.pop()
    flat = all(row.get("z", bids.MISSING) == bids.MISSING for row in chosen)
    array = np.array(positions)
    if flat:
        # A drawing in the plane of the grid: x across the fibres as here, y along them.
        array = array[:, [0, 2, 1]]
    radii = [_number(row.get("radius", bids.MISSING)) for row in chosen]
    groups = {row.get("group", bids.MISSING) for row in chosen} - {bids.MISSING}
    name = groups.pop() if len(groups) == 1 else ""
    index = _grid_index(chosen)
    radius = radii[0] if radii[0] is not None and radii[0] >= 0 else 0.0
    return ElectrodeArray(array, radius, name, index)


def _under_channels(
    rows: list[dict[str, str]], channels: list[dict[str, str]], names: tuple[str, ...]
) -> list[dict[str, str]] | None:
    """The electrode of each channel: by the channel's signal electrode, or by its name, within its group."""
    by_name: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        by_name.setdefault(("", row["name"]), row)
        by_name[row.get("group", ""), row["name"]] = row
    chosen = []
    for name, channel in zip(names, channels):
        group = channel.get("group", "")
        candidates = (channel.get("signal_electrode", bids.MISSING), channel.get("name", name), name)
        keys = [(where, label) for label in candidates if label != bids.MISSING for where in (group, "")]
        found = [by_name[key] for key in keys if key in by_name]
        if not found:
            return None
        chosen.append(found[0])
    return chosen


def _coordinate_systems(file: Path, root: Path) -> dict[str, dict[str, Any]]:
    """Coordinate systems by the label of their space; one without a label is the default."""
    found = {}
    for sidecar in bids.sidecars(file, root, "coordsystem", ".json", ("space",)):
        found[bids.entities_of(sidecar).get("space", "")] = bids.read_json(sidecar)
    return found


def _place(
    row: dict[str, str], rows: list[dict[str, str]], systems: dict[str, dict[str, Any]]
) -> np.ndarray | None:
    """Position in metres in the outermost frame, or None if a number or a unit is missing."""
    here = _coordinates(row)
    label = row.get("coordinate_system", "")
    label = label if label in systems else ("" if "" in systems else next(iter(systems), ""))
    system = systems.get(label)
    if here is None or system is None:
        return None
    scale = _METRES.get(str(system.get("EMGCoordinateUnits")))
    if scale is None:
        return None
    parent = str(system.get("ParentCoordinateSystem", ""))
    parent = parent.removeprefix("space-")
    if not parent:
        # Several devices, each in a frame of its own, have no common one.
        alone = {other.get("coordinate_system", label) for other in rows} <= {label}
        return here * scale if alone or not _is_split(rows, systems) else None
    outer = systems.get(parent)
    anchor = next(
        (other for other in rows if other["name"] == system.get("AnchorElectrode") and _same(other, row)),
        None,
    )
    place = None if anchor is None else _coordinates(anchor)
    at = system.get("AnchorCoordinates")
    outer_scale = None if outer is None else _METRES.get(str(outer.get("EMGCoordinateUnits")))
    if place is None or outer_scale is None or not isinstance(at, list) or not 1 <= len(at) <= 3:
        return None
    return (here - place) * scale + np.array([*at, 0.0, 0.0][:3], dtype=np.float64) * outer_scale


def _is_split(rows: list[dict[str, str]], systems: dict[str, dict[str, Any]]) -> bool:
    """Whether electrodes lie in several frames of which not all hang on one."""
    used = {row.get("coordinate_system", "") for row in rows}
    roots = {str(systems[label].get("ParentCoordinateSystem", label)) for label in used if label in systems}
    return len(roots) > 1


def _same(one: dict[str, str], other: dict[str, str]) -> bool:
    return one.get("coordinate_system", "") == other.get("coordinate_system", "")


def _coordinates(row: dict[str, str]) -> np.ndarray | None:
    x, y = _number(row["x"]), _number(row["y"])
    z = row.get("z", bids.MISSING)
    height = 0.0 if z == bids.MISSING else _number(z)
    return None if x is None or y is None or height is None else np.array([x, y, height])


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _grid_index(rows: list[dict[str, str]]) -> np.ndarray | None:
    """Row and column, where the table has them and no two electrodes share a cell."""
    cells = [(row.get("row", ""), row.get("column", "")) for row in rows]
    if not all(a.isascii() and a.isdigit() and b.isascii() and b.isdigit() for a, b in cells):
        return _cells_of_one_grid(rows)
    index = np.array([[int(a), int(b)] for a, b in cells])
    return index if len(np.unique(index, axis=0)) == len(index) else None


def _cells_of_one_grid(rows: list[dict[str, str]]) -> np.ndarray | None:
    """Cells of a plain rectangular grid in x and y, from the positions; None where it is none."""
    if len({row.get("group", "") for row in rows}) != 1 or len(rows) < 4:
        return None
    places = [_coordinates(row) for row in rows]
    if any(place is None for place in places):
        return None
    xyz = np.array(places)
    axes = [axis for axis in (2, 1, 0) if np.ptp(xyz[:, axis]) > 0]
    if len(axes) != 2:
        return None
    levels = []
    for axis in axes:
        spread = np.ptp(xyz[:, axis])
        levels.append(np.unique(np.round(xyz[:, axis] / spread, 4), return_inverse=True)[1])
    index = np.column_stack(levels)
    n_cells = int(np.prod(index.max(axis=0) + 1))
    # A grid fills most of its cells; electrodes scattered anywhere would fill few.
    filled = len(np.unique(index, axis=0)) == len(index) >= 0.75 * n_cells
    return index if filled else None
