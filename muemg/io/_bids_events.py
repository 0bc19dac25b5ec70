"""Discharges as BIDS events: one row each, with the motor unit that discharged."""

from __future__ import annotations

from typing import Any

from muemg.io import _bids_files as bids
from muemg.io._tree import plain_json
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["OWN_KEY", "SPIKE", "events", "levels", "of_decomposition"]

SPIKE = "motor-unit-spike"
OWN_KEY = "Muemg"


def events(spikes: SpikeTrains | None, others: list[Any]) -> tuple[bytes, dict[str, Any]]:
    """One row per discharge, and the rows that the recording came with, by onset."""
    further = list(dict.fromkeys(key for row in others for key in row))
    base = ["onset", "duration", "sample", "unit_id", "event_type"]
    columns = base + [key for key in further if key not in base]
    table: list[tuple[float, list[object]]] = []
    names: dict[str, int | str] = {}
    if spikes is not None:
        names = dict(zip(_unit_names(spikes), spikes.unit_ids))
        blank = [None] * (len(columns) - len(base))
        for name, train in zip(names, spikes):
            for sample in train.tolist():
                onset = sample / spikes.sampling_rate
                table.append((onset, [onset, 0, sample, name, SPIKE, *blank]))
    for row in others:
        try:
            when = float(row.get("onset", "n/a"))
        except ValueError:
            when = float("inf")
        table.append((when, [row.get(column) for column in columns]))
    table.sort(key=lambda item: item[0])
    described: dict[str, Any] = {
        "sample": {"Description": "Sample of the recording, from 0, at which the event begins"},
        "unit_id": {
            "Description": "Motor unit that discharged",
            "Levels": dict.fromkeys(names, "motor unit"),
        },
        "event_type": {"Description": "Kind of event", "Levels": {SPIKE: "Discharge of a motor unit"}},
        OWN_KEY: {"UnitIds": names} if spikes is not None else {},
    }
    return bids.table_bytes(columns, [row for _, row in table]), described


def _unit_names(spikes: SpikeTrains) -> list[str]:
    """A different cell of text for each unit: 7 and "7" are two units."""
    names: list[str] = []
    for unit in spikes.unit_ids:
        plain = " ".join(str(unit).split())
        name = plain = "unit" if plain in ("", bids.MISSING) else plain
        number = 1
        while name in names:
            number += 1
            name = f"{plain}~{number}"
        names.append(name)
    return names


def levels(found: Decomposition) -> dict[str, str]:
    """What is known of each unit, in words."""
    said = []
    for i in range(len(found)):
        parts = [
            f"{key} {found.quality[key][i]:.3g}" for key in ("sil", "pnr", "rate") if key in found.quality
        ]
        if "accepted" in found.quality:
            parts.append("accepted" if found.quality["accepted"][i] else "not accepted")
        said.append(", ".join(parts) or "motor unit")
    return dict(zip(_unit_names(found.spikes), said))


def of_decomposition(found: Decomposition) -> dict[str, Any]:
    columns = {
        name: {"Type": column.dtype.str, "Values": column.tolist()} for name, column in found.quality.items()
    }
    return {
        "Quality": columns,
        "ExcludedChannels": {str(channel): reason for channel, reason in found.excluded_channels.items()},
        "Parameters": plain_json("parameters", dict(found.parameters)),
        "Notes": list(found.notes),
    }
