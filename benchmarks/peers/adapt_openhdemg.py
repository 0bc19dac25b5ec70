"""openhdemg 0.2.0b1 (BSD-3): its whole pipeline, which filters, decomposes and removes duplicates."""

import openhdemg.library as emg_library
import pandas as pd
from adapter import adapt


def decompose(emg, fs, seed, settings):
    """Fields of `ConvolutiveBSSParams` as settings; seed 0 is its own seed."""
    channels = range(len(emg))
    file = {
        "SOURCE": "CUSTOMCSV",
        "FILENAME": "benchmark",
        "RAW_SIGNAL": pd.DataFrame(emg.T, columns=channels),
        "REF_SIGNAL": pd.DataFrame(columns=[0]),
        "ACCURACY": pd.DataFrame(columns=[0]),
        "IPTS": pd.DataFrame(),
        "MUPULSES": [],
        "FSAMP": fs,
        "IED": 8.0,
        "EMG_LENGTH": emg.shape[1],
        "NUMBER_OF_MUS": 0,
        "BINARY_MUS_FIRING": pd.DataFrame(),
        "EXTRAS": pd.DataFrame(),
        "GOOD_CHANNELS": dict.fromkeys(channels, True),
    }
    pipeline = emg_library.EMGDecomposer()
    parameters = emg_library.ConvolutiveBSSParams(random_state=42 + seed, **settings)
    pipeline.set_decomposition_parameters(params=parameters)
    found = pipeline.run_decomposition(file)
    return found["MUPULSES"] if found["NUMBER_OF_MUS"] else []


adapt("openhdemg", decompose)
