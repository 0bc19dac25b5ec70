"""emgdecompy 0.6.7 (GPL-3): its modules without the package's ``__init__``, whose plots need a panel of years ago."""

import sys
import types
from importlib.util import find_spec

import numpy as np
from adapter import adapt

bare = types.ModuleType("emgdecompy")
bare.__path__ = list(find_spec("emgdecompy").submodule_search_locations)
sys.modules["emgdecompy"] = bare

from emgdecompy import contrast, decomposition  # noqa: E402


def decompose(emg, fs, seed, settings):
    """Arguments of its ``decomposition`` as settings, the contrast by its name."""
    chosen = dict(settings)
    if "contrast_fun" in chosen:
        chosen["contrast_fun"] = getattr(contrast, chosen["contrast_fun"])
    grid = np.empty(len(emg), dtype=object)
    for channel, signal in enumerate(emg):
        grid[channel] = signal[None]
    found = decomposition.decomposition(grid, fs=fs, highcut=min(900, 0.45 * fs), random_seed=seed, **chosen)
    return list(found["MUPulses"])


adapt("emgdecompy", decompose)
