"""muniverse-emg (GPL-3): convolutive blind source separation with the stages before and after it that come with it.

These are the stages of its own configuration file: band-pass and notch, then removal of duplicates and of sources
of low silhouette.
"""

import json
from importlib.resources import files

from adapter import adapt
from muniverse.algorithms import decompose_recording


def decompose(emg, fs, seed, settings):
    """Keys of ``algorithmConfig`` as settings; seed 0 is the seed of its configuration."""
    configuration = json.loads(files("muniverse").joinpath("configs/cbss.json").read_text())
    algorithm = configuration["algorithmConfig"]
    unknown = sorted(set(settings) - set(algorithm))
    if unknown:
        raise KeyError(f"no such setting: {', '.join(unknown)}; there are {', '.join(algorithm)}")
    algorithm |= {"verbose": False, "random_seed": algorithm["random_seed"] + seed, **settings}
    found, _ = decompose_recording(emg, fs, method="cbss", algorithm_config=configuration)
    if found["spikes"] is None:
        raise RuntimeError("it failed; its message is above")
    spikes = found["spikes"]
    return [spikes["sample"][spikes["unit_id"] == unit] for unit in sorted(set(spikes["unit_id"]))]


adapt("muniverse-emg", decompose)
