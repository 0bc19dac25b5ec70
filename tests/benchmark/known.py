"""Three known units, and programs whose answers are known too."""

import numpy as np

from muemg import SpikeTrains

RATE, N_SAMPLES = 1000.0, 3000
TRUTH = tuple(np.arange(first, N_SAMPLES - 100, step) for first, step in ((100, 97), (130, 113), (160, 131)))


# A peer: a program that reads nothing but the input it is given, and needs nothing but NumPy.
PROGRAM = """
import sys, time
import numpy as np
with np.load(sys.argv[1]) as given:
    assert given["emg"].shape == (4, 3000) and float(given["fs"]) == 1000.0
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
print("reading done")
if options["--settings"] != "{}":
    exec(__import__("json").loads(options["--settings"])["do"])
trains = [np.arange(100, 2900, 97), np.arange(130, 2900, 113)]
np.savez(sys.argv[2], samples=np.concatenate(trains), n_spikes=[len(t) for t in trains], version="peer 7")
"""


def spike_trains(*trains):
    """Trains on the clock of the recording."""
    return SpikeTrains(trains, RATE, N_SAMPLES)
