"""Report: one self-contained HTML page that shows a decomposition to a person, figure by figure.

The page needs no network and no other file, and says how it was made. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from muemg import __version__
from muemg._page import cell, name_cell, number, picture, render
from muemg.errors import InvalidArgumentError, check_instance
from muemg.io._atomic import atomic_write
from muemg.metrics import Comparison, compare
from muemg.plots import plot_anatomy, plot_muap, plot_quality, plot_raster, plot_rates, plot_source
from muemg.recording import Recording
from muemg.results import Decomposition, Simulation
from muemg.spikes import SpikeTrains

__all__ = ["write_report"]

# At 96 pixels an inch: the width of the page's column, and that of a phone less its margins.
_WIDE = 11.0
_NARROW = 3.7

# Column of the quality table, heading, explanation, factor, digits.
_MEASURES = (
    ("sil", "SIL", "silhouette: how far the discharges stand out of the source; 1 is best", 1.0, 3),
    (
        "sil_linear",
        "SIL lin.",
        "silhouette of the unit's linear filter on the recording, nothing removed",
        1.0,
        3,
    ),
    ("pnr", "PNR (dB)", "pulse-to-noise ratio of the source", 1.0, 1),
    ("cov_isi", "CoV (%)", "coefficient of variation of the inter-spike intervals", 100.0, 1),
    ("rate", "rate (Hz)", "mean discharge rate while active", 1.0, 1),
    ("n_spikes", "spikes", "number of discharges", 1.0, 0),
)

# Parameter of the anatomy, heading, explanation, factor, digits; after each value its 95 % interval.
_PLACES = (
    ("depth", "depth (mm)", "of the territory's centre below the skin", 1e3, 1),
    ("lateral", "lateral (mm)", "position across the fibres, along the skin", 1e3, 1),
    ("zone", "innervation zone (mm)", "position of the end-plates along the fibres", 1e3, 1),
    ("velocity", "velocity (m/s)", "mean conduction velocity of the fibres", 1.0, 2),
    ("distal_length", "distal (mm)", "from the end-plates to the fibres' distal ends", 1e3, 0),
    ("proximal_length", "proximal (mm)", "from the end-plates to the fibres' proximal ends", 1e3, 0),
    ("radius", "radius (mm)", "of the territory", 1e3, 1),
    ("unexplained", "unexplained (%)", "share of the action potential that the model leaves", 100.0, 1),
)

# Columns that a phone has no room for.
_ROOMY = ("first (s)", "SIL lin.")


def write_report(
    path: str | os.PathLike[str],
    decomposition: Decomposition,
    recording: Recording | None = None,
    reference: SpikeTrains | Decomposition | Simulation | None = None,
    *,
    title: str = "",
    progress: Callable[[float, str], object] | None = None,
) -> Path:
    """Write a decomposition as one HTML page.

    Parameters
    ----------
    path : path-like
        Where to; an older file of that name is replaced in one step.
    decomposition : Decomposition
        What to show.
    recording : Recording, optional
        The recording it comes from: gives the force, the layout of the electrodes and the provenance.
    reference : SpikeTrains, Decomposition or Simulation, optional
        Known discharges to compare with, such as a simulation's truth.
    title : str
        Title of the page; by default the recording's muscle, where its metadata name one.
    progress : callable, optional
        Called with the share of the work done, 0 to 1, and what is being done.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidArgumentError
        If the recording or the reference does not fit the decomposition.
    OutputError
        If the file cannot be written; the older file is unchanged.
    """
    check_instance("decomposition", decomposition, Decomposition)
    if recording is not None:
        _check_fit(decomposition, check_instance("recording", recording, Recording))
    comparison = None if reference is None else compare(decomposition, reference)
    page = _page(decomposition, recording, comparison, title, progress or (lambda share, message: None))
    file = Path(path)
    with atomic_write(file) as stream:
        stream.write(page.encode("utf-8"))
    return file


def _check_fit(decomposition: Decomposition, recording: Recording) -> None:
    spikes = decomposition.spikes
    if (recording.n_samples, recording.sampling_rate) != (spikes.n_samples, spikes.sampling_rate):
        raise InvalidArgumentError(
            f"recording must be the one that was decomposed ({spikes.n_samples} samples at "
            f"{spikes.sampling_rate:g} Hz), got {recording.n_samples} at {recording.sampling_rate:g} Hz"
        )
    n_channels = decomposition.muaps.shape[1]
    if len(decomposition) and n_channels != recording.n_channels:
        raise InvalidArgumentError(
            f"recording must have the {n_channels} channels of the decomposition, got {recording.n_channels}"
        )


# ------------------------------------------------------------------ the page


def _page(
    decomposition: Decomposition,
    recording: Recording | None,
    comparison: Comparison | None,
    title: str,
    progress: Callable[[float, str], object],
) -> str:
    muscle = "" if recording is None else str(recording.metadata.get("muscle", ""))
    tables = [_quality_table(decomposition, comparison)] if len(decomposition) else []
    if decomposition.anatomy is not None and "depth" in decomposition.anatomy:
        tables.append(_anatomy_table(decomposition))
    if comparison is not None:
        tables.append(_comparison_table(comparison))
    return render(
        resources.files("muemg") / "report.html",
        title=title or (f"Motor units of {muscle}" if muscle else "Motor units"),
        subtitle=_subtitle(decomposition, recording),
        headline=list(_headline(decomposition, recording, comparison)),
        notes=decomposition.notes,
        excluded=_excluded(decomposition, recording),
        overview=_overview(decomposition, recording),
        tables=tables,
        units=list(_units(decomposition, recording, progress)),
        provenance=_provenance(decomposition, recording, comparison),
        roomy=_ROOMY,
    )


def _subtitle(decomposition: Decomposition, recording: Recording | None) -> str:
    spikes = decomposition.spikes
    parts = [f"{spikes.duration:.4g} s at {spikes.sampling_rate:g} Hz"]
    if recording is not None:
        array = recording.electrodes.name if recording.electrodes is not None else ""
        parts.insert(0, f"{recording.n_channels} channels" + (f" ({array})" if array else ""))
    parts.append(f"method {decomposition.parameters.get('method', 'unknown')}")
    return " · ".join(parts)


def _headline(
    decomposition: Decomposition, recording: Recording | None, comparison: Comparison | None
) -> Iterator[tuple[str, str]]:
    """Number and what it counts."""
    yield str(len(decomposition)), "motor unit" if len(decomposition) == 1 else "motor units"
    if "accepted" in decomposition.quality and not all(decomposition.quality["accepted"]):
        yield str(int(np.count_nonzero(decomposition.quality["accepted"]))), "of them accepted"
    yield f"{int(decomposition.spikes.n_spikes.sum()):,}".replace(",", "\u202f"), "discharges"
    for column, label, digits in (("sil", "median silhouette", 2), ("pnr", "median PNR (dB)", 1)):
        given = decomposition.quality[column] if column in decomposition.quality else np.zeros(0)
        values = given[np.isfinite(given)]
        if len(values):
            yield f"{np.median(values):.{digits}f}", label
    if comparison is not None:
        active = int(np.count_nonzero(comparison.truth["n_spikes"]))
        yield f"{comparison.n_matched} of {active}", "reference units found"
    if recording is not None and decomposition.excluded_channels:
        yield f"{len(decomposition.excluded_channels)} of {recording.n_channels}", "channels left out"


def _excluded(decomposition: Decomposition, recording: Recording | None) -> list[tuple[str, str]]:
    names = None if recording is None else recording.channel_names
    return [
        (names[channel] if names is not None and channel < len(names) else str(channel), reason)
        for channel, reason in sorted(decomposition.excluded_channels.items())
    ]


def _overview(decomposition: Decomposition, recording: Recording | None) -> list[dict[str, Any]]:
    """The figures about all units, each in two widths: a figure made for a desk is unreadable on a phone."""
    if not len(decomposition):
        return []
    force = recording is not None and "force" in recording.auxiliary
    drawn: list[tuple[str, str, Callable[[float], Figure]]] = [
        (
            "Discharges" + (" and force" if force else ""),
            "Each tick is a discharge; units are ordered by recruitment.",
            lambda width: plot_raster(decomposition, recording, width=width),
        ),
        (
            "Discharge rates",
            "Smoothed with a Hann window of 1 s.",
            lambda width: plot_rates(decomposition, width=width),
        ),
        (
            "Quality at a glance",
            "One dot a unit, in the order of recruitment; the table below has the numbers.",
            lambda width: plot_quality(decomposition, width=width),
        ),
    ]
    if decomposition.anatomy is not None and "depth" in decomposition.anatomy:
        drawn.append(
            (
                "Where the motor units lie",
                "Estimated through the forward model; thin lines are 95 % intervals. The table below has the numbers.",
                lambda width: plot_anatomy(decomposition, recording, width=width),
            )
        )
    return [
        {"heading": heading, "text": text, "wide": picture(draw(_WIDE)), "narrow": picture(draw(_NARROW))}
        for heading, text, draw in drawn
    ]


def _units(
    decomposition: Decomposition, recording: Recording | None, progress: Callable[[float, str], object]
) -> Iterator[dict[str, Any]]:
    """What the page shows of each unit."""
    electrodes = None if recording is None else recording.electrodes
    has_muaps = decomposition.muaps.shape[2] > 0
    for index, unit in enumerate(decomposition.spikes.unit_ids):
        progress(index / len(decomposition), f"drawing unit {unit}")
        row = decomposition.quality.row(index) if decomposition.quality.columns else {}
        yield {
            "name": str(unit),
            "facts": [
                f"{heading.split(' (')[0]} {number(row[column] * factor, digits)}{_unit_of(heading)}"
                for column, heading, _, factor, digits in _MEASURES
                if column in row and column != "sil_linear"
            ],
            "doubt": "" if row.get("accepted", True) else str(row.get("verdict", "not accepted")),
            "source": picture(plot_source(decomposition, index, width=_NARROW)),
            "muap": picture(plot_muap(decomposition, index, electrodes, width=_NARROW)) if has_muaps else "",
        }
    progress(1.0, "drawn")


def _unit_of(heading: str) -> str:
    inside = re.search(r"\((.+)\)", heading)
    return f"\u202f{inside[1]}" if inside else ""


# ------------------------------------------------------------------ tables


def _quality_table(decomposition: Decomposition, comparison: Comparison | None) -> dict[str, Any]:
    quality, spikes = decomposition.quality, decomposition.spikes
    measures = [measure for measure in _MEASURES if measure[0] in quality]
    columns = [("unit", "name of the unit"), *((heading, said) for _, heading, said, _, _ in measures)]
    columns.append(("first (s)", "time of the first discharge"))
    if comparison is not None:
        columns.append(("agreement", "rate of agreement with the matching reference unit"))
    rows = []
    for index, unit in enumerate(spikes.unit_ids):
        row = [name_cell(unit)]
        row += [cell(float(quality[name][index]) * factor, digits) for name, _, _, factor, digits in measures]
        row.append(cell(spikes.times(index)[0] if len(spikes[index]) else np.nan, 2))
        if comparison is not None:
            matched = comparison.found["matched"][index]
            row.append(cell(comparison.found["rate_of_agreement"][index] if matched else np.nan, 3))
        rows.append(row)
    return {"id": "quality", "heading": "Quality of each unit", "text": "", "columns": columns, "rows": rows}


def _anatomy_table(decomposition: Decomposition) -> dict[str, Any]:
    anatomy = decomposition.anatomy
    shown = [place for place in _PLACES if anatomy is not None and place[0] in anatomy]
    rows = []
    for index, unit in enumerate(decomposition.spikes.unit_ids):
        row = [name_cell(unit)]
        known = {} if anatomy is None else anatomy.row(index)
        for name, _, _, factor, digits in shown:
            value = cell(float(known[name]) * factor, digits)
            if f"{name}_low" in known:
                low, high = (
                    number(float(known[f"{name}_{end}"]) * factor, digits) for end in ("low", "high")
                )
                value = value | {"text": f"{value['text']} ({low} to {high})"}
            row.append(value)
        rows.append(row)
    return {
        "id": "anatomy",
        "heading": "Anatomy of each unit",
        "text": "In brackets 95 % intervals.",
        "columns": [("unit", "name of the unit"), *((heading, said) for _, heading, said, _, _ in shown)],
        "rows": rows,
    }


def _comparison_table(comparison: Comparison) -> dict[str, Any]:
    columns = [
        ("unit", "reference unit"),
        ("found as", "unit of this decomposition that matches it"),
        ("agreement", "rate of agreement: TP / (TP + FP + FN)"),
        ("precision", "share of the found discharges that are right"),
        ("recall", "share of the reference discharges that were found"),
        ("delay (ms)", "how much later the found discharges come"),
        ("spikes", "number of discharges of the reference unit"),
    ]
    rows = []
    for index in range(comparison.truth.n_rows):
        unit = comparison.truth.row(index)
        scores = [cell(unit[name], 3) for name in ("rate_of_agreement", "precision", "recall")]
        match = name_cell(unit["match"]) if unit["matched"] else {"text": "missed", "key": ""}
        delay = cell(unit["delay"] * 1e3, 1)
        rows.append([name_cell(unit["unit"]), match, *scores, delay, cell(unit["n_spikes"], 0)])
    settings = comparison.settings
    text = (
        f"Discharges match within ±{settings['tolerance'] * 1e3:g} ms once the delay of a unit is taken out; "
        "units are assigned one to one."
    )
    if comparison.extra:
        text += f" Without a match in the reference: {', '.join(map(str, comparison.extra))}."
    return {
        "id": "reference",
        "heading": "Against the reference",
        "text": text,
        "columns": columns,
        "rows": rows,
    }


def _provenance(
    decomposition: Decomposition, recording: Recording | None, comparison: Comparison | None
) -> list[tuple[str, list[tuple[str, str]]]]:
    """What it takes to make the page again: headed lists of names and values."""
    parts = [("Parameters of the decomposition", list(_flat(decomposition.parameters)))]
    if comparison is not None:
        parts.append(("Parameters of the comparison", list(_flat(comparison.settings))))
    if recording is not None:
        digest = hashlib.sha256(np.ascontiguousarray(recording.signal).tobytes()).hexdigest()
        said = [
            ("signal", f"{recording.n_channels} × {recording.n_samples} float32 in volts"),
            ("sampling rate", f"{recording.sampling_rate:g} Hz"),
            ("SHA-256 of the signal", digest),
            *_flat(recording.metadata),
        ]
        parts.append(("Recording", said))
    packages = [(name, metadata.version(name)) for name in ("numpy", "scipy", "matplotlib")]
    parts.append(("This page", [("muemg", __version__), ("Python", platform.python_version()), *packages]))
    return parts


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested values as lines of text: ``a.b`` and what it is."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            text = f"{value:.6g}" if isinstance(value, float) else str(value)
            yield f"{prefix}{name}", text if len(text) <= 400 else text[:400] + " …"
