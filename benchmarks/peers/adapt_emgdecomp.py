"""emgdecomp 0.1.0 (MIT): aliases that newer NumPy dropped are given back, and the input is band-passed beforehand.

Its documentation asks for filtered input and names 10 to 900 Hz.
"""

import numpy as np
from adapter import adapt
from scipy.signal import butter, sosfiltfilt

for name, kind in (("int", int), ("float", float), ("bool", bool)):
    if name not in np.__dict__:
        setattr(np, name, kind)

from emgdecomp.decomposition import EmgDecomposition  # noqa: E402
from emgdecomp.parameters import EmgDecompositionParams  # noqa: E402


def decompose(emg, fs, seed, settings):
    """Parameters of `EmgDecompositionParams` as settings; the seed is NumPy's, which it draws from."""
    edges = butter(2, (10, min(900, 0.45 * fs)), "bandpass", fs=fs, output="sos")
    model = EmgDecomposition(EmgDecompositionParams(sampling_rate=fs, **settings))
    found = model.decompose(sosfiltfilt(edges, emg, axis=1))
    return [found["discharge_samples"][found["source_idx"] == k] for k in np.unique(found["source_idx"])]


adapt("emgdecomp", decompose, compiles=True)
