"""The other side of the interchange: runs in an environment of the real openhdemg, never imports muemg.

python openhdemg_side.py analyse FILE.json RESULT.json [COPY.json]
python openhdemg_side.py sample COPY.json
python openhdemg_side.py delete-all FILE.json COPY.json
"""

import json
import os
import sys
import types
import warnings

os.environ["QT_QPA_PLATFORM"] = "offscreen"
import matplotlib

matplotlib.use("Agg")
try:
    import tkinter  # noqa: F401
except ImportError:
    # Version 0.1.2 imports it for its file dialogs, which nothing here opens.
    for name in ("tkinter", "tkinter.filedialog", "tkinter.ttk", "matplotlib.backends.backend_tkagg"):
        stand_in = types.ModuleType(name)
        stand_in.__getattr__ = lambda _: type("Absent", (), {})
        stand_in.__all__ = []
        sys.modules[name] = stand_in

import numpy as np
import openhdemg.library as emg

warnings.simplefilter("ignore")


def plain(values):
    """Numbers as JSON, not-a-number as null."""
    return [None if np.isnan(value) else float(value) for value in np.ravel(np.asarray(values, dtype=float))]


def analyse(file, result, copy=None):
    emgfile = emg.emg_from_json(file)
    has_force = len(emgfile["REF_SIGNAL"]) > 0
    grid = emg.sort_rawemg(emgfile, code="GR08MM1305", orientation=180) if emgfile["IED"] == 8 else None
    sta = emg.sta(emgfile, grid, firings="all", timewindow=50) if grid is not None else {}
    thresholds = (
        emg.compute_thresholds(emgfile, event_="rt_dert", type_="rel", mvc=1.0) if has_force else None
    )
    said = {
        "source": emgfile["SOURCE"],
        "fsamp": emgfile["FSAMP"],
        "ied": emgfile["IED"],
        "n_units": emgfile["NUMBER_OF_MUS"],
        "length": emgfile["EMG_LENGTH"],
        "shapes": {
            key: list(emgfile[key].shape) for key in ("RAW_SIGNAL", "IPTS", "BINARY_MUS_FIRING", "ACCURACY")
        },
        "integer_columns": all(
            np.issubdtype(emgfile[key].columns.dtype, np.integer)
            for key in ("RAW_SIGNAL", "REF_SIGNAL", "IPTS", "BINARY_MUS_FIRING", "ACCURACY")
        ),
        "mupulses": [[int(sample) for sample in train] for train in emgfile["MUPULSES"]],
        "first_channel": plain(emgfile["RAW_SIGNAL"][0]),
        "binary_sums": plain(emgfile["BINARY_MUS_FIRING"].sum()),
        "accuracy": plain(emgfile["ACCURACY"]),
        "idr": [plain(table["idr"]) if len(table) else [] for table in emg.compute_idr(emgfile).values()],
        "recruitment": plain(thresholds["rel_RT"]) if has_force and len(thresholds) else [],
        "derecruitment": plain(thresholds["rel_DERT"]) if has_force and len(thresholds) else [],
        # by unit and electrode: the grid's second column, third row
        "sta": [plain(sta[unit]["col1"].iloc[:, 2]) for unit in sta],
        "sta_missing_corner": [plain(sta[unit]["col0"].iloc[:, 0]) for unit in sta],
    }
    with open(result, "w", encoding="utf-8") as stream:
        json.dump(said, stream)
    if copy:
        emg.save_json_emgfile(emgfile, copy)


def sample(copy):
    emg.save_json_emgfile(emg.emg_from_samplefile(), copy)


def delete_all(file, copy):
    emgfile = emg.emg_from_json(file)
    emg.save_json_emgfile(emg.delete_mus(emgfile, list(range(emgfile["NUMBER_OF_MUS"]))), copy)


{"analyse": analyse, "sample": sample, "delete-all": delete_all}[sys.argv[1]](*sys.argv[2:])
