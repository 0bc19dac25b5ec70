"""Exports as OTBioLab+ lays them out, small: a matrix of tracks and their descriptions."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import savemat

RATE = 2048
N_SAMPLES = 300
LEAD = 8
GRID = "Vastus Lateralis - AUX 3 (Channel 1->1) - GR08MM1305"
TRAINS = ([30, 80, 150, 240], [50, 100, 260])


def tracks(
    *, channels: tuple[int, ...] = tuple(range(1, 65)), grid: str = GRID, unit: str = "uV", units: bool = True
) -> dict[str, np.ndarray]:
    """Tracks by description; the vendor's sources peak `LEAD` samples before its firings."""
    rng = np.random.default_rng(3)
    made = {f"{grid} ({channel})[{unit}]": rng.normal(0, 100, N_SAMPLES) for channel in channels}
    if units:
        for number, train in enumerate(TRAINS, 1):
            firing = np.zeros(N_SAMPLES)
            firing[list(train)] = 1
            made[f"1 - 2 - Decomposition of {grid} ({number})[a.u]"] = firing
        for number, train in enumerate(TRAINS, 1):
            source = rng.normal(0, 0.002, N_SAMPLES)
            source[np.array(train) - LEAD] = 0.1
            made[f"2 - Source for decomposition of {grid} ({number})[a.u]"] = source
    made["acquired data[ %(MVC)]"] = np.linspace(0, 30, N_SAMPLES)
    return made


def _cell(values: list[Any], shape: tuple[int, int]) -> np.ndarray:
    cells = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        cells[position] = value
    return cells.reshape(shape)


def save_mat5(path: Path, made: dict[str, np.ndarray] | None = None, *, compressed: bool = True) -> None:
    made = tracks() if made is None else made
    variables = {
        "Data": _cell([np.column_stack(list(made.values())).astype(np.float32)], (1, 1)),
        "Description": _cell(list(made), (len(made), 1)),
        "OTBFile": "unknown",
        "SamplingFrequency": np.array([[RATE]], dtype=np.uint16),
        "Time": _cell([7 + np.arange(N_SAMPLES)[:, None] / RATE], (1, 1)),
    }
    savemat(path, variables, do_compression=compressed)


def save_mat73(path: Path, made: dict[str, np.ndarray] | None = None) -> None:
    """As MATLAB writes it since 7.3: HDF5 behind a text header, cells as references, text as codes."""
    made = tracks() if made is None else made
    with h5py.File(path, "w", userblock_size=512) as file:

        def put(name: str, values: np.ndarray, matlab_class: bytes) -> h5py.Dataset:
            dataset = file.create_dataset(name, data=values.T)
            dataset.attrs["MATLAB_class"] = np.bytes_(matlab_class)
            return dataset

        def put_cells(name: str, datasets: list[h5py.Dataset]) -> None:
            references = np.array([dataset.ref for dataset in datasets], dtype=h5py.ref_dtype)
            put(name, references.reshape(-1, 1), b"cell")

        matrix = np.column_stack(list(made.values())).astype(np.float32)
        put_cells("Data", [put("#refs#/data", matrix, b"single")])
        texts = [np.array([[ord(letter) for letter in text]], dtype=np.uint16) for text in made]
        put_cells("Description", [put(f"#refs#/text{i}", text, b"char") for i, text in enumerate(texts)])
        put("SamplingFrequency", np.array([[RATE]], dtype=np.uint16), b"uint16")
        put_cells("Time", [put("#refs#/time", 7 + np.arange(N_SAMPLES)[:, None] / RATE, b"double")])
    with open(path, "r+b") as stream:
        header = (
            b"MATLAB 7.3 MAT-file, Platform: PCWIN64, Created on: Wed May 10 14:49:19 2023 HDF5 schema 1.00 ."
        )
        stream.write(header.ljust(124) + b"\x00\x02IM")
