"""Blind separation at its limits: distance to the machine's, length, width, halves of a recording, disturbances, noise.

    python benchmarks/separation/limits.py rate | length | wide | halves | robust | noise

Each prints one table. Everything is simulated (scene B of the benchmark suites, repeated or disturbed) or the real
vastus lateralis; times are of this machine, on as many threads as it has cores.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import typer

import muemg
from muemg.separation._fixed_point import fixed_point
from muemg.separation._threads import threads

app = typer.Typer(add_completion=False, help=(__doc__ or "").splitlines()[0])
SEEDS = typer.Option(5, help="How many seeds.")


def scene(seed: int, **overrides: Any) -> muemg.Simulation:
    """Twenty motor units under 64 electrodes for 20 s (preset ``demo-64``)."""
    return muemg.simulate("demo-64", seed=seed, **overrides)


def timed(work: Callable[..., Any], *arguments: Any, **settings: Any) -> tuple[Any, float]:
    """Result and wall seconds."""
    start = time.perf_counter()
    result = work(*arguments, **settings)
    return result, time.perf_counter() - start


def peak_gib() -> float:
    """Most memory this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def repeated(simulation: muemg.Simulation, duration: float) -> tuple[muemg.Recording, muemg.SpikeTrains]:
    """A recording played again and again, each time with other noise, and its discharges."""
    recording, rate = simulation.recording, simulation.recording.sampling_rate
    n_samples = round(duration * rate)
    rng = np.random.default_rng(0)
    signal = np.empty((recording.n_channels, n_samples), dtype=np.float32)
    noise = 0.05 * float(recording.signal.std())
    for first in range(0, n_samples, recording.n_samples):
        part = signal[:, first : first + recording.n_samples]
        part[:] = recording.signal[:, : part.shape[1]]
        part += noise * rng.standard_normal(part.shape, dtype=np.float32)
    starts = range(0, n_samples, recording.n_samples)
    trains = [np.concatenate([train + start for start in starts]) for train in simulation.spikes]
    spikes = muemg.SpikeTrains(tuple(train[train < n_samples] for train in trains), rate, n_samples)
    signal.flags.writeable = False  # handed over: a recording copies what may still change
    return muemg.Recording(signal, rate, recording.electrodes), spikes


def right(found: muemg.Decomposition, truth: muemg.SpikeTrains) -> int:
    """Units found with an agreement of 0.9 at least."""
    return int((muemg.compare(found, truth, min_f1=0).found["rate_of_agreement"] >= 0.9).sum())


@app.command()
def rate() -> None:
    """Operations per second of the block iteration, beside those of one large matrix product."""
    rng = np.random.default_rng(0)
    square = rng.standard_normal((4000, 4000), dtype=np.float32)
    best = min(timed(np.matmul, square, square)[1] for _ in range(5))
    gemm = 2 * 4000**3 / best
    typer.echo(f"single-precision matrix product {gemm / 1e9:.0f} GFLOP/s")
    n_samples, rank = 16_384, 700
    whitened = rng.standard_normal((n_samples, rank), dtype=np.float32)
    for n_starts in (1, 16, 64, 128):
        # Orthogonal, so that no two of the block meet and none rests early.
        starts = np.linalg.qr(rng.standard_normal((rank, n_starts)))[0].T.astype(np.float32)
        with threads():
            took = min(timed(fixed_point, whitened, starts, n_iterations=4)[1] for _ in range(6))
        # Four iterations of two products on every other sample, and the sign of the third moment at the end.
        operations = (4 * 4 + 2) * (n_samples // 2) * rank * n_starts
        speed = operations / took
        share = f"{speed / 1e9:6.0f} GFLOP/s {speed / gemm:5.0%}"
        typer.echo(f"{n_starts:4d} sources, 4 iterations {took * 1e3:7.1f} ms {share}")


@app.command()
def length(longest: float = 1200.0) -> None:
    """Time against duration at 64 channels."""
    simulation = scene(0)
    muemg.decompose(simulation.recording.time_slice(0, 5))
    typer.echo("duration s  wall s  wall/duration  right  reported  peak GiB")
    for duration in (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0):
        if duration > longest:
            break
        recording, truth = repeated(simulation, duration)
        found, took = timed(muemg.decompose, recording)
        typer.echo(
            f"{duration:10.0f}  {took:6.1f}  {took / duration:13.3f}  {right(found, truth):5d}  {len(found):8d}"
            f"  {peak_gib():8.2f}"
        )


@app.command()
def wide(channels: int = 320, duration: float = 600.0, sampling_rate: float = 2048.0) -> None:
    """Memory of a wide and long recording: 64 channels side by side, each copy with other noise and other timing."""
    simulation = scene(0)
    copies, rate = -(-channels // 64), sampling_rate
    rng = np.random.default_rng(0)
    n_samples = round(duration * rate)
    signal = np.empty((channels, n_samples), dtype=np.float32)
    step = simulation.recording.sampling_rate / rate
    for copy in range(copies):
        block = signal[64 * copy : 64 * (copy + 1)]
        columns = ((np.arange(n_samples) + copy * 4000) * step).astype(
            np.int64
        ) % simulation.recording.n_samples
        for channel, row in enumerate(block):
            row[:] = simulation.recording.signal[channel, columns]
            row += 0.05 * row.std() * rng.standard_normal(n_samples, dtype=np.float32)
    signal.flags.writeable = False  # handed over: a recording copies what may still change
    recording = muemg.Recording(signal, rate)
    typer.echo(f"recording {recording.signal.nbytes / 1024**3:.2f} GiB, held {peak_gib():.2f} GiB before")
    found, took = timed(muemg.decompose, recording)
    typer.echo(
        f"{channels} channels, {duration:g} s at {rate:g} Hz: {len(found)} units, {took:.0f} s, "
        f"peak {peak_gib():.2f} GiB"
    )


@app.command()
def halves() -> None:
    """The real vastus lateralis: linear filters learned on one half of the plateau decode the other half.

    Compared with the whole recording's decomposition, unit by unit, for units whose linear filter shows them
    clearly (``sil_linear`` of 0.92 at least) and that discharge in both halves.
    """
    recording = muemg.datasets.vastus_lateralis().require("recording")
    whole = muemg.decompose(recording)
    clear = whole.select_units(np.flatnonzero(whole.quality["sil_linear"] >= 0.92)).spikes
    first, second = (6.0, 16.0), (16.0, 26.0)
    for name, learn, test in (("first → second", first, second), ("second → first", second, first)):
        filters = muemg.learn_filters(recording.time_slice(*learn), clear.time_slice(*learn), n_delays=32)
        decoded = muemg.decode(recording.time_slice(*test), filters)
        table = muemg.compare(decoded, clear.time_slice(*test), min_f1=0)
        agreement = np.sort(table.truth["rate_of_agreement"])
        at_least = int((agreement >= 0.9).sum())
        typer.echo(
            f"{name}: {at_least} of {len(clear)} units at 0.9 or more; {np.round(agreement, 3).tolist()}"
        )


@app.command()
def robust(seeds: int = SEEDS) -> None:
    """Units found with and without what real recordings suffer from."""
    typer.echo(f"{'disturbance':28s} right, of reported, per seed of demo-64")
    for name, disturb in DISTURBANCES.items():
        counts = []
        for seed in range(seeds):
            simulation = scene(seed)
            recording, truth = disturb(simulation.recording, np.random.default_rng(seed)), simulation.spikes
            if recording.sampling_rate != truth.sampling_rate:
                times = [truth.times(i) for i in range(len(truth))]
                truth = muemg.SpikeTrains.from_times(times, recording.sampling_rate, recording.n_samples)
            recorded = (recording.signal != 0).any(axis=0)  # nobody finds what was not recorded
            trains = tuple(train[recorded[train]] for train in truth)
            truth = muemg.SpikeTrains(trains, truth.sampling_rate, truth.n_samples)
            found = muemg.decompose(recording)
            finite = np.isfinite(found.sources).all() and np.isfinite(found.quality["sil"]).all()
            counts.append(f"{right(found, truth)}/{len(found)}{'' if finite else ' not finite'}")
        typer.echo(f"{name:28s} " + "  ".join(counts))


@app.command()
def noise(recordings: int = 20) -> None:
    """Accepted units in recordings of pure noise: white, coloured, with a common part, and with outliers."""
    for kind in ("white", "coloured", "common", "outliers"):
        accepted = []
        for seed in range(recordings // 4):
            rng = np.random.default_rng(seed)
            signal = rng.standard_normal((64, 20_480))
            if kind == "coloured":
                signal = np.cumsum(signal, axis=1) - np.cumsum(np.roll(signal, 40, axis=1), axis=1)
            elif kind == "common":
                signal += 2 * rng.standard_normal(20_480)
            elif kind == "outliers":
                signal = rng.standard_t(3, size=signal.shape)
            accepted.append(len(muemg.decompose(muemg.Recording(1e-5 * signal, 2048.0))))
        typer.echo(f"{kind:10s} {accepted}")


def _bad_channels(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
    signal = np.array(recording.signal)
    bad = rng.choice(len(signal), len(signal) // 10, replace=False)
    for i, channel in enumerate(bad):
        signal[channel] = 0 if i % 2 else 50 * signal.std() * rng.standard_normal(signal.shape[1])
    return recording.with_signal(signal)


def _power_line(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
    times = np.arange(recording.n_samples) / recording.sampling_rate
    gain = (
        10 * np.sqrt(2) * recording.signal.std() * (1 + 0.2 * rng.standard_normal((recording.n_channels, 1)))
    )
    return recording.with_signal(recording.signal + gain * np.sin(2 * np.pi * 50.03 * times))


def _heart(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
    times = np.arange(recording.n_samples) / recording.sampling_rate
    beats = np.cumsum(rng.normal(0.85, 0.04, 40))
    wave = sum(np.exp(-(((times - beat) / 0.012) ** 2)) for beat in beats)
    gain = 8 * recording.signal.std() * np.linspace(0.8, 1.2, recording.n_channels)[:, None]
    return recording.with_signal(recording.signal + gain * wave)


def _movement(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
    signal = np.array(recording.signal)
    first, last = round(9 * recording.sampling_rate), round(9.5 * recording.sampling_rate)
    burst = np.cumsum(rng.standard_normal((len(signal), last - first)), axis=1) * np.hanning(last - first)
    signal[:, first:last] += 20 * signal.std() * burst / burst.std()
    return recording.with_signal(signal)


def _twelve_bits(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
    step = 2 * np.abs(recording.signal).max() / 2**12
    return recording.with_signal(np.round(recording.signal / step) * step)


def _gap(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
    signal = np.array(recording.signal)
    signal[:, round(8 * recording.sampling_rate) : round(10 * recording.sampling_rate)] = 0
    return recording.with_signal(signal)


def _resampled(rate: float) -> Callable[[muemg.Recording, np.random.Generator], muemg.Recording]:
    from scipy.signal import resample

    def change(recording: muemg.Recording, rng: np.random.Generator) -> muemg.Recording:
        n_samples = round(recording.duration * rate)
        return muemg.Recording(resample(recording.signal, n_samples, axis=1).astype(np.float32), rate)

    return change


DISTURBANCES = {
    "none": lambda recording, rng: recording,
    "10 % bad channels": _bad_channels,
    "50 Hz at 10 × the signal": _power_line,
    "ECG": _heart,
    "movement burst": _movement,
    "12 bits": _twelve_bits,
    "gap of 2 s": _gap,
    "1000 Hz": _resampled(1000.0),
    "4096 Hz": _resampled(4096.0),
    "10,240 Hz": _resampled(10_240.0),
}


if __name__ == "__main__":
    app()
