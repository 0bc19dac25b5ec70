"""Common drive: how much the rates of two motor units rise and fall together."""

from __future__ import annotations

import numpy as np

from muemg._table import Table
from muemg.drive.frames import count_frames
from muemg.drive.kernels import Kernel, Smoother
from muemg.errors import InvalidArgumentError, check_instance, check_positive
from muemg.spikes import SpikeTrains

__all__ = ["common_drive_index"]


def common_drive_index(
    spikes: SpikeTrains,
    *,
    start: float = 0.0,
    stop: float | None = None,
    width: float = 0.4,
    high_pass: float = 0.75,
    max_lag: float = 0.05,
    frame_rate: float = 200.0,
) -> Table:
    """Highest correlation, within ± `max_lag`, of the smoothed and detrended discharge rates of each pair.

    Rates are smoothed with a Hann window of 400 ms and high-pass filtered at 0.75 Hz, so that only their common
    fluctuations count and not the force that both follow (De Luca, LeFever, McCue & Xenakis 1982, J. Physiol.
    329:113–128; De Luca & Erim 1994, Trends Neurosci. 17:299–305). Half a window at either end of the stretch is
    not used: rates there are incomplete.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    start, stop : float
        Stretch in seconds in which the units are active, a plateau of force; by default the whole recording.
    width : float
        Length of the Hann window in seconds.
    high_pass : float
        Cut-off in Hz of a zero-phase Butterworth high-pass of second order; 0 removes the mean only.
    max_lag : float
        In seconds.
    frame_rate : float
        Frames per second at which rates are compared.

    Returns
    -------
    Table, one row per pair
        ``unit_a``, ``unit_b``, ``index`` (−1 … 1), and ``lag`` in seconds, positive if `unit_b` follows.
        Not-a-number if one of the two has fewer than three discharges in the stretch.

    Raises
    ------
    InvalidArgumentError
        If the stretch is shorter than twice the window and the lags.
    """
    from scipy.signal import butter, sosfiltfilt

    check_instance("spikes", spikes, SpikeTrains)
    rate = check_positive("frame_rate", frame_rate, "Hz")
    check_positive("width", width, "s")
    edge = check_positive("high_pass", high_pass, "Hz", allow_zero=True)
    if edge >= rate / 2:
        raise InvalidArgumentError(
            f"high_pass must be below half the frame rate, {rate / 2:g} Hz, got {edge:g}"
        )
    n_lags = int(check_positive("max_lag", max_lag, "s", allow_zero=True) * rate)
    part = spikes.time_slice(start, stop)
    kernel = Kernel.of("hann", width, rate, causal=False)
    counts = count_frames(part, rate)
    if len(counts) < 2 * (len(kernel.weights) + n_lags):
        raise InvalidArgumentError(
            f"start to stop must be longer than twice the window of {width:g} s and the lags, got {part.duration:.4g} s"
        )
    smoother = Smoother(kernel, len(part))
    rates = np.concatenate([smoother.push(counts), smoother.finish()])
    # Half a window at either end lacks discharges from beyond the stretch.
    rates = rates[kernel.advance : len(rates) - kernel.advance]
    rates = rates - rates.mean(axis=0)
    if edge and len(part):
        rates = sosfiltfilt(butter(2, edge, "highpass", fs=rate, output="sos"), rates, axis=0)
    one, other = np.triu_indices(len(part), 1)
    best = np.full(len(one), -np.inf)
    lags = np.zeros(len(one))
    for lag in sorted(range(-n_lags, n_lags + 1), key=abs):
        value = _correlations(rates, lag)[one, other]
        higher = value > best
        best[higher], lags[higher] = value[higher], lag / rate
    few = (part.n_spikes < 3)[one] | (part.n_spikes < 3)[other] | ~np.isfinite(best)
    best[few], lags[few] = np.nan, np.nan
    ids = np.array(spikes.unit_ids) if len(spikes) else np.zeros(0, dtype=np.int64)
    return Table({"unit_a": ids[one], "unit_b": ids[other], "index": best, "lag": lags})


def _correlations(rates: np.ndarray, lag: int) -> np.ndarray:
    """Correlation of column i with column j `lag` rows later, at [i, j]."""
    n = len(rates) - abs(lag)
    early, late = (rates[:n], rates[lag:]) if lag >= 0 else (rates[-lag:], rates[:n])
    early, late = early - early.mean(axis=0), late - late.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return early.T @ late / np.sqrt(np.outer((early**2).sum(axis=0), (late**2).sum(axis=0)))
