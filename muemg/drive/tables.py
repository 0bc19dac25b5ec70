"""Features of a whole recording as one table, one row per window: what a spreadsheet or another program takes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from muemg._table import Table
from muemg.drive.emg_features import FEATURE_SETS, EMGFeatures
from muemg.drive.frames import count_frames
from muemg.drive.rates import DischargeRate
from muemg.drive.windows import count_windows, row_windows, signal_windows
from muemg.errors import InvalidArgumentError, check_option
from muemg.io._atomic import atomic_write
from muemg.recording import Recording
from muemg.spikes import SpikeTrains

__all__ = ["feature_table", "write_table"]

_DRIVE = ("counts", "rates")
_FRAME_RATE = 200.0


def feature_table(
    source: SpikeTrains | Recording,
    features: str = "rates",
    *,
    length: float = 0.2,
    step: float = 0.05,
    label: str | None = None,
    trial: str | None = None,
) -> Table:
    """Windowed features of motor units, or of the signal itself.

    Parameters
    ----------
    source : SpikeTrains or Recording
        Spike trains for ``"counts"`` and ``"rates"``, a recording for the others.
    features : str
        ``"counts"`` of discharges per window; ``"rates"``, discharge rates in Hz at the end of each window,
        smoothed by a causal Hann window of the same length; or a set of `EMGFeatures`, such as ``"HTD"``.
    length, step : float
        Length of a window, and distance of the beginnings of two, in seconds.
    label, trial : str, optional
        What was done in this recording, and which trial it is: columns that `muemg.decoding.read_windows` needs.

    Returns
    -------
    Table, one row per window
        ``time``, the end of the window in seconds, ``label`` and ``trial`` if given, and one column per unit
        (``count_3``, ``rate_3``) or per feature and channel (``MAV_E1``).

    Raises
    ------
    InvalidArgumentError
        If the features need another source, or no window fits into the recording.
    """
    check_option("features", features, (*_DRIVE, *FEATURE_SETS))
    wanted, name = (SpikeTrains, "spike trains") if features in _DRIVE else (Recording, "a recording")
    if not isinstance(source, wanted):
        raise InvalidArgumentError(f"features {features!r} need {name}, got a {type(source).__name__}")
    if isinstance(source, Recording):
        windows = signal_windows(source, length=length, step=step)
        model = EMGFeatures(features, sampling_rate=source.sampling_rate)
        X = model.fit_transform(windows.X)
        split = (str(column).rsplit("_", 1) for column in model.get_feature_names_out())
        names = [f"{feature}_{source.channel_names[int(channel)]}" for feature, channel in split]
        times = windows.times
    elif features == "counts" or not len(source):
        windows = count_windows(source, length=length, step=step)
        X, times = windows.X.astype(np.int64), windows.times
        names = [f"count_{unit}" for unit in source.unit_ids]
    else:
        rate = min(_FRAME_RATE, source.sampling_rate)
        rows = DischargeRate("hann", length, rate).fit_transform(count_frames(source, rate))
        windows = row_windows(rows, rate, length=length, step=step, summary="last")
        X, times = windows.X, windows.times
        names = [f"rate_{unit}" for unit in source.unit_ids]
    said = {name: np.full(len(times), text) for name, text in (("label", label), ("trial", trial)) if text}
    return Table({"time": times} | said | dict(zip(names, X.T)))


def write_table(path: str | os.PathLike[str], table: Table) -> Path:
    """Write a table as comma-separated values, numbers in full, in a file that appears whole or not at all."""
    file = Path(path)
    with atomic_write(file) as stream:
        stream.write(table.to_frame().to_csv(index=False).encode("utf-8"))
    return file
