"""Windows from tables of features, one file per trial or several trials in one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from muemg.drive import Windows, join_windows
from muemg.errors import FileFormatError, InvalidArgumentError

__all__ = ["read_windows"]

_NEEDED = ("time", "label", "trial")


def read_windows(paths: Iterable[str | os.PathLike[str]]) -> Windows:
    """Read windows with labels and trials from comma-separated tables, as `muemg features` writes them.

    Parameters
    ----------
    paths : iterable of path-like
        Tables with the columns ``time``, ``label``, ``trial``, and features of the same names in all of them.

    Returns
    -------
    Windows
        Labels and trials as texts.

    Raises
    ------
    FileFormatError
        If a file is no such table.
    InvalidArgumentError
        If there is no file, or features differ between files.
    """
    parts, names = [], None
    for path in map(Path, paths):
        windows, columns = _read(path)
        if names is not None and columns != names:
            raise InvalidArgumentError(
                f"paths must hold the same features; {path.name} has {', '.join(columns) or 'none'} instead of "
                f"{', '.join(names) or 'none'}"
            )
        names = columns
        parts.append(windows)
    return join_windows(parts)


def _read(path: Path) -> tuple[Windows, list[str]]:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"label": str, "trial": str}, keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise FileFormatError(f"{path} is no comma-separated table: {error}") from error
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise FileFormatError(
            f"{path} has no column {', '.join(missing)}: muemg features writes them with --label and --trial"
        )
    features = table.drop(columns=list(_NEEDED))
    try:
        X = features.to_numpy(dtype=np.float64)
        times = table["time"].to_numpy(dtype=np.float64)
    except ValueError as error:
        raise FileFormatError(f"{path} must hold numbers in all columns of features: {error}") from error
    labels, trials = (np.array(table[name].tolist(), dtype=str) for name in ("label", "trial"))
    return Windows(X, times, labels, trials), [str(name) for name in features.columns]
