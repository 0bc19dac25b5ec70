"""Online decoding: an amplifier that sends samples over a socket, a decoder that answers with discharges.

The sending side stands for an amplifier's own program: it sends float32 volts, sample by sample, all channels of one
sample together. The receiving side is what an experiment would run. With the Lab Streaming Layer only `chunks` changes:

    from pylsl import StreamInlet, resolve_byprop  # pip install pylsl
    inlet = StreamInlet(resolve_byprop("type", "EMG")[0])
    while True:
        samples, _ = inlet.pull_chunk()            # a list of samples, in the unit that the outlet says
        if samples:
            yield 1e-6 * np.array(samples).T       # microvolts to volts; (n_channels, n)
"""

import socket
import sys
import threading
import time

import numpy as np

import muemg

CHUNK = 41  # samples, 20 ms at 2048 Hz


def send(recording, port, *, speed):
    """An amplifier: samples leave it `speed` times as fast as they were recorded."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        begun = time.perf_counter()
        for first in range(0, recording.n_samples, CHUNK):
            due = begun + first / recording.sampling_rate / speed
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.sendall(recording.signal[:, first : first + CHUNK].T.tobytes())


def chunks(connection, n_channels):
    """Volts of shape (n_channels, n) as they arrive; a network keeps no sample whole, so bytes are kept until it is."""
    pending = b""
    while data := connection.recv(65_536):
        pending += data
        whole = len(pending) // (4 * n_channels) * 4 * n_channels
        if whole:
            yield np.frombuffer(pending[:whole], dtype=np.float32).reshape(-1, n_channels).T
            pending = pending[whole:]


def main(seconds=12.0, learn=8.0):
    scene = muemg.Scenario.preset("demo-64").override(
        {"recording.duration_s": seconds, "drive.profile": "constant", "drive.level": 0.2}
    )
    made = muemg.simulate(scene, seed=1)

    # Before the experiment: the first seconds are decomposed. Here the truth stands for it, to be quick.
    first = made.recording.time_slice(0, learn)
    filters = muemg.learn_filters(first, made.spikes.time_slice(0, learn))
    plain = filters.spike_heights > 12 * filters.background_heights  # those that stand out
    filters = filters.select_units(plain)
    units = np.flatnonzero(plain)

    # During it: every chunk is decoded as it comes.
    decoder = muemg.OnlineDecoder(filters)
    rest = made.recording.time_slice(learn)
    counts, slowest = np.zeros(len(filters), dtype=int), 0.0
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        amplifier = threading.Thread(target=send, args=(rest, port), kwargs={"speed": 4.0})
        amplifier.start()
        connection, _ = server.accept()
        with connection:
            for chunk in chunks(connection, rest.n_channels):
                begun = time.perf_counter()
                decoded = decoder.process(chunk)
                slowest = max(slowest, time.perf_counter() - begun)
                counts += [len(train) for train in decoded.spikes]
        amplifier.join()
    print(f"{len(filters)} motor units, decoded {1e3 * decoder.delay:.1f} ms after their discharge")
    print(f"slowest chunk: {1e3 * slowest:.1f} ms")
    truth = made.spikes.time_slice(learn)
    for unit, count in zip(units, counts):
        print(f"unit {unit}: {count} discharges, true {len(truth[unit])}")
    return units, counts, truth


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
