"""Motor units as they discharge: separation filters applied to a stream of samples, in chunks of any size.

A filter of R taps on C channels is R·C products per sample; for all units together a small matrix product. It
runs over tiles of 16 samples that lie on a fixed grid in time, so that every sample's product has the same
operands in the same places however the samples came: the same stream gives the same bytes in any chunks. A
discharge is a sample that is above the unit's threshold and the highest within ± the least interval between
discharges, which is the delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from muemg.errors import InvalidArgumentError, check_instance
from muemg.recording import Recording
from muemg.results import Decomposition, SeparationFilters
from muemg.separation._adaptation import Adaptation, Adapter
from muemg.separation._decoded import as_decomposition
from muemg.separation.filters import CausalBandPass

__all__ = ["Adaptation", "DecodedChunk", "OnlineDecoder", "decode"]

_TILE = 16
_CAPACITY = 8192  # samples between two moves of the buffers' tails to their beginning


@dataclass(frozen=True)
class DecodedChunk:
    """What has become certain with one chunk.

    Attributes
    ----------
    first_sample : int
        Index, from the start of the stream, of the first sample decoded here.
    sources : ndarray of float32, shape (n_units, n_decoded)
        Sources of these samples, each unit's moved back onto its discharges.
    spikes : tuple of ndarray of int64
        Discharges of each unit among these samples, counted from the start of the stream.
    """

    first_sample: int
    sources: np.ndarray
    spikes: tuple[np.ndarray, ...]


class OnlineDecoder:
    """Decode a stream of raw samples with the filters of a decomposition.

    Parameters
    ----------
    filters : SeparationFilters or Decomposition
        A decomposition must carry its filters; `muemg.learn_filters` makes them for one that does not.
    adaptation : Adaptation, optional
        Lets filters and thresholds follow a contraction that drifts; by default they stay as they are.

    Raises
    ------
    InvalidArgumentError
        If there are no filters.
    """

    def __init__(
        self, filters: SeparationFilters | Decomposition, *, adaptation: Adaptation | None = None
    ) -> None:
        self._initial = _filters_of(filters)
        self._settings = adaptation
        if adaptation is not None:
            check_instance("adaptation", adaptation, Adaptation, "Adaptation() has the defaults")
        self.reset()

    def reset(self) -> None:
        """Forget the stream and what was adapted."""
        f = self._initial
        n_units, n_used, n_taps = f.taps.shape
        self._gap = max(1, round(f.min_interval * f.sampling_rate))
        self._lags = f.lags
        self._late = max(0, int(f.lags.max(initial=0)))
        self._early = max(0, -int(f.lags.min(initial=0)))
        self._adapter = None if self._settings is None else Adapter(f, self._settings)
        reach = 0 if self._adapter is None else self._adapter.reach
        # Everything that a later step looks back at.
        self._kept = n_taps + self.delay_samples + self._early + self._gap + reach + 2 * _TILE
        capacity = _CAPACITY + self._kept
        self._band_pass = CausalBandPass(n_used, f.sampling_rate, f.low, f.high)
        self._signal = np.zeros((capacity + _TILE, n_used), dtype=np.float32)
        self._sources = np.zeros((capacity + _TILE, n_units), dtype=np.float32)
        self._raw = np.empty((_CAPACITY, n_used), dtype=np.float32)
        self._extended = np.empty((_TILE, n_taps * n_used), dtype=np.float32)
        self._tile = np.empty((_TILE, n_units), dtype=np.float32)
        # Zeros before the stream; its sample 0 lies on the grid of tiles.
        self._begin = -(-self._kept // _TILE) * _TILE
        self._start = -self._begin
        self._n_samples = 0
        self._n_decoded = 0
        self._take_over(f)

    # ------------------------------------------------------------------ properties

    @property
    def delay_samples(self) -> int:
        """Samples by which what is decoded lies behind what came."""
        return self._gap - 1 + self._late

    @property
    def delay(self) -> float:
        """The same in seconds; the band-pass's own delay belongs to the filters, whose lags include it."""
        return self.delay_samples / self._initial.sampling_rate

    @property
    def n_samples(self) -> int:
        """Samples that came so far."""
        return self._n_samples

    @property
    def filters(self) -> SeparationFilters:
        """The filters as they are now, adapted if they adapt."""
        return self._initial if self._adapter is None else self._adapter.filters()

    # ------------------------------------------------------------------ decoding

    def process(self, chunk: npt.ArrayLike) -> DecodedChunk:
        """Take the next samples and return what they made certain.

        Parameters
        ----------
        chunk : array_like of float, shape (n_channels, n)
            Raw potentials in volts, all channels of the recording, in order; any number of samples.

        Returns
        -------
        DecodedChunk
            Altogether, `delay_samples` fewer samples than came.

        Raises
        ------
        InvalidArgumentError
            If the chunk has another number of channels or is not floating-point.
        """
        array = np.asarray(chunk)
        n_channels = self._initial.n_channels
        if array.ndim != 2 or len(array) != n_channels or not np.issubdtype(array.dtype, np.floating):
            raise InvalidArgumentError(
                f"chunk must be floating-point volts of shape ({n_channels}, n), got {array.dtype} of shape "
                f"{array.shape}"
            )
        return self._decode(array, self._n_samples + array.shape[1])

    def finish(self) -> DecodedChunk:
        """The last `delay_samples` samples, as if silence followed; the decoder then needs `reset`."""
        n_samples = self._n_samples
        silence = np.zeros((self._initial.n_channels, self.delay_samples), dtype=np.float32)
        # Silence is nothing to adapt to.
        self._adapter = None
        return self._decode(silence, n_samples + self.delay_samples)

    def _decode(self, array: np.ndarray, until: int) -> DecodedChunk:
        first = self._n_decoded
        sources: list[np.ndarray] = []
        units: list[np.ndarray] = []
        samples: list[np.ndarray] = []
        taken = 0
        while taken < array.shape[1] or (until == self._n_samples and not sources):
            n = min(array.shape[1] - taken, _CAPACITY)
            if self._adapter is not None:
                n = min(n, self._adapter.next_step - self._n_samples)
            self._push(array[:, taken : taken + n])
            taken += n
            source, unit, sample = self._settled()
            sources.append(source)
            units.append(unit)
            samples.append(sample)
            if self._adapter is not None and self._n_samples == self._adapter.next_step:
                self._adapt()
        unit, sample = np.concatenate(units), np.concatenate(samples)
        spikes = tuple(sample[unit == u] for u in range(len(self._initial)))
        return DecodedChunk(first, np.concatenate(sources, axis=1), spikes)

    def _take_over(self, filters: SeparationFilters) -> None:
        # Rows of the extended tile run from the oldest sample to the newest, channel by channel.
        n_units, n_used, n_taps = filters.taps.shape
        self._weights = np.ascontiguousarray(
            filters.taps[:, :, ::-1].transpose(2, 1, 0).reshape(n_taps * n_used, n_units)
        )
        self._roots = np.sqrt(filters.thresholds).astype(np.float32)

    def _push(self, samples: np.ndarray) -> None:
        """Band-pass samples into the buffer and filter them, tile by tile."""
        n = samples.shape[1]
        if not n:
            return
        f = self._initial
        _, n_used, n_taps = f.taps.shape
        if self._begin + n > len(self._signal) - _TILE:
            self._move_tail()
        raw = self._raw[:n]
        np.copyto(raw, samples[f.channels].T, casting="same_kind")
        self._band_pass.apply(raw, self._signal[self._begin : self._begin + n])
        stop = self._begin + n
        stride = self._signal.strides[0]
        for tile in range((self._begin // _TILE) * _TILE, stop, _TILE):
            oldest = self._signal[tile - n_taps + 1 :]
            rows = as_strided(oldest, (_TILE, n_taps * n_used), (stride, self._signal.itemsize))
            np.copyto(self._extended, rows)
            np.matmul(self._extended, self._weights, out=self._tile)
            low, high = max(tile, self._begin), min(tile + _TILE, stop)
            self._sources[low:high] = self._tile[low - tile : high - tile]
        self._begin = stop
        self._n_samples += n

    def _move_tail(self) -> None:
        """Move what is still looked back at to the beginning of the buffers, on the grid of tiles."""
        kept = -(-self._kept // _TILE) * _TILE + self._begin % _TILE
        first = self._begin - kept
        for buffer in (self._signal, self._sources):
            buffer[:kept] = buffer[first : self._begin]
        self._start += first
        self._begin = kept

    def _settled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources and discharges that no later sample can change."""
        n_units = len(self._initial)
        until = max(self._n_decoded, self._n_samples - self.delay_samples)
        n = until - self._n_decoded
        sources = np.empty((n_units, n), dtype=np.float32)
        at = self._n_decoded - self._start
        units, samples = np.empty(n_units * n, dtype=np.int64), np.empty(n_units * n, dtype=np.int64)
        count = _detect(self._sources, at, n, self._lags, self._roots, self._gap, sources, units, samples)
        self._n_decoded = until
        return sources, units[:count].copy(), samples[:count] + self._start

    def _adapt(self) -> None:
        adapter = self._adapter
        if adapter is None:
            return
        if adapter.step(self._signal, self._sources, self._begin):
            self._weights = adapter.weights
            self._roots = adapter.roots


@numba.njit(cache=True)
def _detect(by_sample, at, n, lags, roots, gap, sources, units, samples):
    count = 0
    for u in range(len(lags)):
        for i in range(n):
            t = at + i + lags[u]
            value = by_sample[t, u]
            sources[u, i] = value
            if value <= roots[u]:
                continue
            highest = True
            for d in range(1, gap):
                if by_sample[t - d, u] >= value or by_sample[t + d, u] > value:
                    highest = False
                    break
            if highest:
                units[count] = u
                samples[count] = at + i
                count += 1
    return count


def decode(
    recording: Recording,
    filters: SeparationFilters | Decomposition,
    *,
    adaptation: Adaptation | None = None,
) -> Decomposition:
    """Decode a whole recording with filters learned elsewhere: the online decoder, run offline.

    Parameters
    ----------
    recording : Recording
        The raw recording, with the channels of the one that the filters were learned on.
    filters : SeparationFilters or Decomposition
        As for `OnlineDecoder`.
    adaptation : Adaptation, optional
        As for `OnlineDecoder`.

    Returns
    -------
    Decomposition
        The same units, in order and under their names, with what they did in this recording. ``filters`` are those
        at the end.

    Raises
    ------
    InvalidArgumentError
        If channels or sampling rate are not those of the filters.
    """
    check_instance("recording", recording, Recording, "muemg.read(path).recording gives one")
    used = _filters_of(filters)
    if (recording.n_channels, recording.sampling_rate) != (used.n_channels, used.sampling_rate):
        raise InvalidArgumentError(
            f"recording must have the filters' {used.n_channels} channels at {used.sampling_rate:g} Hz, got "
            f"{recording.n_channels} at {recording.sampling_rate:g} Hz"
        )
    decoder = OnlineDecoder(used, adaptation=adaptation)
    body = decoder.process(recording.signal)
    last = decoder.filters
    tail = decoder.finish()
    sources = np.concatenate([body.sources, tail.sources], axis=1)[:, : recording.n_samples]
    trains = tuple(np.concatenate([one, other]) for one, other in zip(body.spikes, tail.spikes))
    parameters: dict[str, Any] = {"method": "decode"}
    if adaptation is not None:
        parameters["adaptation"] = adaptation.to_dict()
    ids = filters.spikes.unit_ids if isinstance(filters, Decomposition) else ()
    return as_decomposition(recording, trains, sources, last, parameters, ids)


def _filters_of(filters: object) -> SeparationFilters:
    if isinstance(filters, SeparationFilters):
        return filters
    if isinstance(filters, Decomposition):
        if filters.filters is None:
            raise InvalidArgumentError(
                "filters must be carried by the decomposition, and this one has none: "
                "dataclasses.replace(found, filters=muemg.learn_filters(recording, found)) adds them"
            )
        return filters.filters
    raise InvalidArgumentError(
        f"filters must be SeparationFilters or a Decomposition, got {type(filters).__name__}"
    )
