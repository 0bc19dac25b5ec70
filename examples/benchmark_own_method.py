"""A method of one's own in the benchmark: scikit-learn's FastICA."""

import numpy as np
from sklearn.decomposition import FastICA

import muemg
from muemg.benchmark import Method, markdown, run_benchmark


def sklearn_fastica(recording, seed, n_sources=20, n_delays=5):
    """Every source of instantaneous ICA on delayed copies of the channels that looks like a motor unit."""
    signal = muemg.preprocessing.band_pass(recording).signal
    delayed = np.vstack([np.roll(signal, delay, axis=1) for delay in range(n_delays)])
    ica = FastICA(n_sources, fun="cube", whiten="unit-variance", tol=1e-2, random_state=seed)
    sources = ica.fit_transform(delayed.T).T
    trains = []
    for source in sources * np.sign(np.mean(sources**3, axis=1, keepdims=True)):
        spikes, silhouette = muemg.metrics.detect_spikes(source, recording.sampling_rate)
        if silhouette > 0.85:
            trains.append(spikes)
    found = muemg.SpikeTrains(tuple(trains), recording.sampling_rate, recording.n_samples)
    again = [later for group in muemg.metrics.find_duplicates(found) for later in group[1:]]
    return found.select_units(np.setdiff1d(np.arange(len(found)), again))


if __name__ == "__main__":
    methods = [Method("scikit-learn", sklearn_fastica)]  # "fastica" and "linear bound" may stand beside it
    results = run_benchmark({"parts": [{"scenes": ["scene-a"]}]}, "muemg-benchmark", methods=methods)
    print(markdown(results.rows, "One's own method"))
