"""A page that needs no network and no other file: figures within it, tables that sort, one look.

The same input gives the same bytes.
"""

from __future__ import annotations

import base64
import io
import re
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import jinja2
import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from muemg import __version__

__all__ = ["cell", "name_cell", "number", "picture", "render"]

# Beyond so many bytes a line drawing may be smaller, and faster to show, as pixels.
_LARGEST_SVG = 150_000
_PIXELS_PER_INCH = 192


def render(template: Traversable, **values: Any) -> str:
    """The template with its values; ``style``, ``script`` and ``version`` are given.

    Parameters
    ----------
    template : Traversable
        A file of Jinja.
    **values
        What it names.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    own = resources.files("muemg")
    return environment.from_string(template.read_text("utf-8")).render(
        style=Markup((own / "page.css").read_text("utf-8")),
        script=Markup((own / "page.js").read_text("utf-8")),
        version=__version__,
        **values,
    )


def number(value: float, digits: int) -> str:
    """A number as a page shows it; not-a-number is a dash."""
    return "–" if not np.isfinite(value) else f"{value:.{digits}f}"


def cell(value: float, digits: int) -> dict[str, Any]:
    """A number as it is shown, and as it is sorted."""
    return {"text": number(value, digits), "key": float(value) if np.isfinite(value) else ""}


def name_cell(value: object) -> dict[str, Any]:
    """A name as it is shown, and as it is sorted."""
    return {"text": str(value), "key": value if isinstance(value, int | float) else str(value)}


def picture(figure: Figure) -> Markup:
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
