"""Separation filters learned from known discharges: linear minimum mean square error filters for causal use.

Whatever found the discharges, the best linear filter of a motor unit is w = C⁻¹ h̃, with C the covariance of the
extended observations and h̃ their mean at the discharges. It is learned behind the same causal band-pass that runs
online, so that what is learned fits what will be seen. No power-line filter is needed: a filter that minimises the
mean square error steers around whatever is common to the channels.
"""

from __future__ import annotations

from collections.abc import Mapping

import numba
import numpy as np
import scipy.linalg
from scipy import signal as scipy_signal

from muemg.errors import (
    InvalidArgumentError,
    UnusableRecordingError,
    check_count,
    check_instance,
    check_positive,
)
from muemg.metrics.matching import match_spikes
from muemg.metrics.quality import source_peaks
from muemg.preprocessing import find_bad_channels
from muemg.recording import Recording
from muemg.results import Decomposition, SeparationFilters
from muemg.separation._extension import Extended
from muemg.separation._preparation import extension_factor
from muemg.spikes import SpikeTrains

__all__ = ["CausalBandPass", "FilterLearner", "block_toeplitz", "learn_filters"]

_ORDER = 2
_HIGHEST_FRACTION_OF_NYQUIST = 0.95
_LONGEST_LAG = 30e-3  # s from a discharge to the peak of its source
_TOLERANCE = 1e-3  # s
_LEAST_SHRINK = 0.3


class CausalBandPass:
    """Second-order Butterworth band-pass that takes samples as they come and keeps its state.

    Parameters
    ----------
    n_channels : int
    sampling_rate : float
        In Hz.
    low, high : float
        Edges in Hz; `high` is cut to 95 % of the Nyquist frequency.

    Raises
    ------
    InvalidArgumentError
        If the band is empty at this sampling rate.
    """

    def __init__(self, n_channels: int, sampling_rate: float, low: float, high: float) -> None:
        limit = _HIGHEST_FRACTION_OF_NYQUIST * sampling_rate / 2
        top = min(high, limit)
        if low >= top:
            raise InvalidArgumentError(
                f"low must be below high and below {limit:g} Hz (95 % of the Nyquist frequency at "
                f"{sampling_rate:g} Hz), got low={low:g}, high={high:g}"
            )
        sections = scipy_signal.butter(_ORDER, (low, top), "bandpass", fs=sampling_rate, output="sos")
        self._coefficients = np.ascontiguousarray(sections[:, [0, 1, 2, 4, 5]])
        self._state = np.zeros((len(sections), 2, n_channels))

    def apply(self, samples: np.ndarray, out: np.ndarray) -> None:
        """Filter samples of shape (n, n_channels) into `out`, single precision; sample by sample, so in any chunks.

        Samples that are not finite count as zero: one of them would stay in the state for ever.
        """
        _band_pass(samples, self._coefficients, self._state, out)


@numba.njit(cache=True)
def _band_pass(samples, coefficients, state, out):
    n_samples, n_channels = samples.shape
    n_sections = len(coefficients)
    row = np.empty(n_channels)
    for t in range(n_samples):
        for c in range(n_channels):
            value = np.float64(samples[t, c])
            row[c] = value if np.isfinite(value) else 0.0
        for k in range(n_sections):
            b0, b1, b2, a1, a2 = coefficients[k]
            first, second = state[k, 0], state[k, 1]
            for c in range(n_channels):
                value = row[c]
                filtered = b0 * value + first[c]
                first[c] = b1 * value - a1 * filtered + second[c]
                second[c] = b2 * value - a2 * filtered
                row[c] = filtered
        for c in range(n_channels):
            out[t, c] = row[c]


def block_toeplitz(lagged: np.ndarray) -> np.ndarray:
    """Covariance of the extended observations, shape (R·C, R·C), from lagged covariances E[x(t) xᵀ(t−r)]."""
    n_delays, n_channels, _ = lagged.shape
    covariance = np.empty((n_delays, n_channels, n_delays, n_channels), dtype=lagged.dtype)
    for row in range(n_delays):
        for column in range(n_delays):
            block = lagged[column - row] if column >= row else lagged[row - column].T
            covariance[row, :, column, :] = block
    return covariance.reshape(n_delays * n_channels, -1)


def learn_filters(
    recording: Recording,
    units: SpikeTrains | Decomposition,
    *,
    low: float = 20.0,
    high: float = 500.0,
    n_delays: int | None = None,
    excluded_channels: Mapping[int, str] | None = None,
    min_interval: float = 10e-3,
) -> SeparationFilters:
    """The filters that find some known units again, learned on a recording in which their discharges are known.

    Parameters
    ----------
    recording : Recording
        The raw recording, at least a few seconds of steady contraction.
    units : SpikeTrains or Decomposition
        The discharges, on the clock of the recording: a decomposition, a vendor's, or a simulation's truth.
    low, high : float
        Edges of the causal band-pass in Hz.
    n_delays : int, optional
        Taps per channel; by default some 1000 channels × taps in all.
    excluded_channels : mapping of int to str, optional
        Channels left out; by default those of the decomposition, or the bad ones of the recording.
    min_interval : float
        Least distance in seconds of two discharges of one unit.

    Returns
    -------
    SeparationFilters
        One filter per unit. A unit without discharges has a filter of zeros, which never fires.

    Raises
    ------
    InvalidArgumentError
        If the units are not on the clock of the recording, or a parameter is out of range.
    UnusableRecordingError
        If no channel is usable, or the recording is shorter than its extension.

    References
    ----------
    Holobar & Zazula 2007 (10.1109/TSP.2007.896108), equation of the linear minimum mean square error estimator.
    """
    check_instance("recording", recording, Recording, "muemg.read(path).recording gives one")
    if not isinstance(units, SpikeTrains | Decomposition):
        raise InvalidArgumentError(
            f"units must be SpikeTrains or a Decomposition, got {type(units).__name__}"
        )
    if excluded_channels is None and isinstance(units, Decomposition):
        excluded_channels = units.excluded_channels
    spikes = units.spikes if isinstance(units, Decomposition) else units
    learner = FilterLearner(recording, low, high, n_delays, excluded_channels, min_interval)
    return learner.filters(spikes)


class FilterLearner:
    """A recording made ready for learning filters of any units: band-passed, its covariance factorised.

    Parameters
    ----------
    recording, low, high, n_delays, excluded_channels, min_interval
        As for `learn_filters`.
    """

    def __init__(
        self,
        recording: Recording,
        low: float = 20.0,
        high: float = 500.0,
        n_delays: int | None = None,
        excluded_channels: Mapping[int, str] | None = None,
        min_interval: float = 10e-3,
    ) -> None:
        if excluded_channels is None:
            excluded_channels = find_bad_channels(recording)
        channels = np.array([c for c in range(recording.n_channels) if c not in excluded_channels], np.int64)
        rate, n_used = recording.sampling_rate, len(channels)
        if not n_used:
            raise UnusableRecordingError(f"all {recording.n_channels} channels of the recording are excluded")
        n_taps = check_count("n_delays", n_delays) if n_delays is not None else extension_factor(n_used, rate)
        if recording.n_samples < 2 * n_taps * n_used:
            raise UnusableRecordingError(
                f"the recording's {recording.n_samples} samples are fewer than twice its {n_used} channels × "
                f"{n_taps} taps; record longer, or pass a smaller n_delays"
            )
        self._gap = max(1, round(check_positive("min_interval", min_interval, "s") * rate))
        self._recording, self._low, self._high, self._min_interval = recording, low, high, min_interval
        self._n_taps, self._channels = n_taps, channels
        filtered = np.empty((recording.n_samples, n_used), dtype=np.float32)
        CausalBandPass(n_used, rate, low, high).apply(
            np.ascontiguousarray(recording.signal[channels].T), filtered
        )
        self._signal = np.ascontiguousarray(filtered.T)
        self._scale = float(np.sqrt(np.mean(np.square(self._signal, dtype=np.float64))))
        if self._scale == 0:
            raise UnusableRecordingError(f"nothing is left of the recording between {low:g} and {high:g} Hz")
        self._signal /= np.float32(self._scale)
        self._extended = Extended.of(self._signal.T, n_taps)
        self._lagged = self._extended.lagged_covariances()
        covariance = block_toeplitz(self._lagged)
        values = scipy.linalg.eigvalsh(covariance, check_finite=False)
        self._floor = max(float(values[: max(1, len(values) // 2)].mean()), float(values[-1]) * 1e-10)
        values = np.maximum(values, 0)
        self._rank = float(np.sum(values / (values + self._floor)))
        covariance[np.diag_indices(len(covariance))] += self._floor
        self._factor = scipy.linalg.cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)

    def filters(self, spikes: SpikeTrains) -> SeparationFilters:
        """One filter per unit."""
        recording = self._recording
        rate, scale = recording.sampling_rate, self._scale
        if (spikes.sampling_rate, spikes.n_samples) != (rate, recording.n_samples):
            raise InvalidArgumentError(
                f"units must be on the clock of the recording ({recording.n_samples} samples at {rate:g} Hz), "
                f"got {spikes.n_samples} samples at {spikes.sampling_rate:g} Hz"
            )
        responses, lags = _responses(
            self._signal, spikes, self._factor, self._n_taps, round(_LONGEST_LAG * rate)
        )
        whitened = scipy.linalg.solve_triangular(self._factor, responses.T, lower=True, check_finite=False)
        deflection = np.linalg.norm(whitened, axis=0)
        weights = scipy.linalg.solve_triangular(
            self._factor, whitened, lower=True, trans=1, check_finite=False
        ).T
        weights = weights / np.where(deflection > 0, deflection, 1)[:, None]
        # The taps run from the newest sample to the oldest, the extended observations the other way.
        taps = weights.reshape(len(spikes), self._n_taps, -1)[:, ::-1]
        sources = self._extended.filter(taps.reshape(len(spikes), -1).astype(np.float32))
        heights = np.zeros((3, len(spikes)))
        for u, (source, train) in enumerate(zip(sources, spikes)):
            # Each of n observations is part of the mean it is filtered by: in sample the filter rises too high.
            inflated = self._rank / (max(len(train), 1) * deflection[u] ** 2) if deflection[u] > 0 else 0.0
            shrink = max(_LEAST_SHRINK, 1 - inflated)
            lags[u], heights[:, u] = _heights(source, train, int(lags[u]), self._gap, rate, shrink)
        shape = (len(spikes), self._n_taps, len(self._channels))
        return SeparationFilters(
            taps=weights.reshape(shape).transpose(0, 2, 1) / scale,
            responses=responses.reshape(shape).transpose(0, 2, 1) * scale,
            lags=lags,
            spike_heights=heights[0],
            background_heights=heights[1],
            thresholds=heights[2],
            channels=self._channels,
            n_channels=recording.n_channels,
            covariance=self._lagged * scale**2,
            noise_floor=self._floor * scale**2,
            sampling_rate=rate,
            low=self._low,
            high=self._high,
            min_interval=self._min_interval,
        )


def _responses(
    signal: np.ndarray, spikes: SpikeTrains, factor: np.ndarray, n_taps: int, longest: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each unit the mean extended observation (row r·C + c) at the lag where it stands out most, and the lag."""
    n_channels, n_samples = signal.shape
    before, after = n_taps + n_taps // 2, longest + 1
    lags = np.arange(-(n_taps // 2), longest + 1, max(1, n_taps // 8))
    responses = np.zeros((len(spikes), n_taps * n_channels))
    best = np.zeros(len(spikes), dtype=np.int64)
    for u, train in enumerate(spikes):
        inside = train[(train >= before) & (train + after <= n_samples)]
        if not len(inside):
            continue
        around = np.zeros((n_channels, before + after))
        for spike in inside:
            around += signal[:, spike - before : spike + after]
        around /= len(inside)
        # At lag d and delay r the window shows x(spike + d − r).
        windows = around[:, before + lags[:, None] - np.arange(n_taps)]
        extended = windows.transpose(1, 2, 0).reshape(len(lags), -1)
        lengths = np.linalg.norm(
            scipy.linalg.solve_triangular(factor, extended.T, lower=True, check_finite=False), axis=0
        )
        chosen = int(np.argmax(lengths))
        responses[u], best[u] = extended[chosen], lags[chosen]
    return responses, best


def _heights(
    source: np.ndarray, train: np.ndarray, lag: int, gap: int, rate: float, shrink: float
) -> tuple[int, tuple[float, float, float]]:
    """Lag of the peaks behind the known discharges; mean heights of spikes and other peaks; threshold."""
    peaks, heights = source_peaks(source, rate, min_distance=gap / rate)
    if not len(train) or not len(peaks):
        return lag, (0.0, 0.0, float(np.inf))
    wide = max(1, round(2 * _TOLERANCE * rate))
    at_spike, at_peak = match_spikes(train + lag, peaks, wide)
    if len(at_spike):
        lag += round(float(np.median(peaks[at_peak] - train[at_spike] - lag)))
    _, at_peak = match_spikes(train + lag, peaks, max(1, round(_TOLERANCE * rate)))
    is_spike = np.zeros(len(peaks), dtype=bool)
    is_spike[at_peak] = True
    if not is_spike.any():
        return lag, (0.0, 0.0, float(np.inf))
    # Discharges that lie under others' are found by luck: the median does not hang on them.
    spike_height = float(np.median(heights[is_spike])) * shrink**2
    background = float(heights[~is_spike].mean()) if (~is_spike).any() else 0.0
    return lag, (spike_height, background, (spike_height + background) / 2)
