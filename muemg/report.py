"""Report: one self-contained HTML page that shows a decomposition to a person, figure by figure.

The page needs no network and no other file, and says how it was made. The same input gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from muemg import __version__
from muemg.errors import InvalidArgumentError, check_instance
from muemg.io._atomic import atomic_write
from muemg.metrics import Comparison, compare
from muemg.plots import plot_muap, plot_quality, plot_raster, plot_rates, plot_source
from muemg.recording import Recording
from muemg.results import Decomposition, Simulation
from muemg.spikes import SpikeTrains

__all__ = ["write_report"]

# At 96 pixels an inch: the width of the page's column, and that of a phone less its margins.
_WIDE = 11.0
_NARROW = 3.7
# Beyond so many bytes a line drawing may be smaller, and faster to show, as pixels.
_LARGEST_SVG = 150_000
_PIXELS_PER_INCH = 192

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
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(resources.files("muemg").joinpath("report.html").read_text("utf-8"))
    muscle = "" if recording is None else str(recording.metadata.get("muscle", ""))
    tables = [_quality_table(decomposition, comparison)] if len(decomposition) else []
    if comparison is not None:
        tables.append(_comparison_table(comparison))
    return template.render(
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
        version=__version__,
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
    return [
        {"heading": heading, "text": text, "wide": _picture(draw(_WIDE)), "narrow": _picture(draw(_NARROW))}
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
                f"{heading.split(' (')[0]} {_number(row[column] * factor, digits)}{_unit_of(heading)}"
                for column, heading, _, factor, digits in _MEASURES
                if column in row and column != "sil_linear"
            ],
            "doubt": "" if row.get("accepted", True) else str(row.get("verdict", "not accepted")),
            "source": _picture(plot_source(decomposition, index, width=_NARROW)),
            "muap": _picture(plot_muap(decomposition, index, electrodes, width=_NARROW)) if has_muaps else "",
        }
    progress(1.0, "drawn")


def _unit_of(heading: str) -> str:
    inside = re.search(r"\((.+)\)", heading)
    return f"\u202f{inside[1]}" if inside else ""


# ------------------------------------------------------------------ tables


def _number(value: float, digits: int) -> str:
    return "–" if not np.isfinite(value) else f"{value:.{digits}f}"


def _cell(value: float, digits: int) -> dict[str, Any]:
    """A number as it is shown, and as it is sorted."""
    return {"text": _number(value, digits), "key": float(value) if np.isfinite(value) else ""}


def _name(value: object) -> dict[str, Any]:
    return {"text": str(value), "key": value if isinstance(value, int | float) else str(value)}


def _quality_table(decomposition: Decomposition, comparison: Comparison | None) -> dict[str, Any]:
    quality, spikes = decomposition.quality, decomposition.spikes
    measures = [measure for measure in _MEASURES if measure[0] in quality]
    columns = [("unit", "name of the unit"), *((heading, said) for _, heading, said, _, _ in measures)]
    columns.append(("first (s)", "time of the first discharge"))
    if comparison is not None:
        columns.append(("agreement", "rate of agreement with the matching reference unit"))
    rows = []
    for index, unit in enumerate(spikes.unit_ids):
        row = [_name(unit)]
        row += [
            _cell(float(quality[name][index]) * factor, digits) for name, _, _, factor, digits in measures
        ]
        row.append(_cell(spikes.times(index)[0] if len(spikes[index]) else np.nan, 2))
        if comparison is not None:
            matched = comparison.found["matched"][index]
            row.append(_cell(comparison.found["rate_of_agreement"][index] if matched else np.nan, 3))
        rows.append(row)
    return {"id": "quality", "heading": "Quality of each unit", "text": "", "columns": columns, "rows": rows}


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
        scores = [_cell(unit[name], 3) for name in ("rate_of_agreement", "precision", "recall")]
        match = _name(unit["match"]) if unit["matched"] else {"text": "missed", "key": ""}
        delay = _cell(unit["delay"] * 1e3, 1)
        rows.append([_name(unit["unit"]), match, *scores, delay, _cell(unit["n_spikes"], 0)])
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


# ------------------------------------------------------------------ pictures


def _picture(figure: Figure) -> Markup:
    """A figure as a data URI: line drawing, or pixels where that is smaller."""
    kind, content = "svg+xml", _svg(figure)
    if len(content) > _LARGEST_SVG:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_PIXELS_PER_INCH, metadata={"Software": None})
        if len(stream.getvalue()) < len(content):
            kind, content = "png", stream.getvalue()
    return Markup(f"data:image/{kind};base64,{base64.b64encode(content).decode()}")


def _svg(figure: Figure) -> bytes:
    """The figure as SVG; two decimals of a point are finer than any screen."""
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "muemg", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    short = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), stream.getvalue())
    return short.encode()
