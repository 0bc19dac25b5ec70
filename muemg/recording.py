"""Recording: what an amplifier gives.

A multichannel signal in volts, its sampling rate, where the electrodes are, and what was recorded beside it
(force, for example). It is validated once, when it is made, and never changes afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_positive

if TYPE_CHECKING:
    from forward_models import ElectrodeArray

__all__ = ["Recording"]


@dataclass(frozen=True, eq=False)
class Recording:
    """A multichannel EMG signal in volts.

    Parameters
    ----------
    signal : array_like of float, shape (n_channels, n_samples)
        Potentials in volts; kept as float32. Not-a-number and infinite samples are kept as they came:
        preprocessing excludes and reports the channels that hold them.
    sampling_rate : float
        In Hz.
    electrodes : ElectrodeArray, optional
        Positions of the electrodes, in the order of the channels.
    auxiliary : mapping of str to array_like, shape (n_samples,), optional
        What was sampled together with the signal, by name: ``"force"`` is the one that reports look for.
    channel_names : sequence of str, optional
        One name per channel; by default their numbers, from 0.
    metadata : mapping of str to JSON values, optional
        Anything else worth keeping, such as subject, muscle, device, or the scenario of a simulation.

    Raises
    ------
    InvalidArgumentError
        If the signal is not a two-dimensional floating-point array, has no channel or no sample, looks
        transposed (more channels than samples), or if the other arguments do not fit it.
    """

    signal: np.ndarray
    sampling_rate: float
    electrodes: ElectrodeArray | None = None
    auxiliary: Mapping[str, np.ndarray] = field(default_factory=dict)
    channel_names: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        signal = _as_signal(self.signal)
        n_channels, n_samples = signal.shape
        if n_channels > n_samples:
            raise InvalidArgumentError(
                f"signal must have shape (n_channels, n_samples); {n_channels} channels × {n_samples} samples "
                "looks transposed: pass signal.T"
            )
        if self.electrodes is not None and len(self.electrodes) != n_channels:
            raise InvalidArgumentError(
                f"electrodes must describe the {n_channels} channels of the signal, got {len(self.electrodes)}"
            )
        names = tuple(str(name) for name in self.channel_names) or tuple(map(str, range(n_channels)))
        if len(names) != n_channels or len(set(names)) != n_channels:
            raise InvalidArgumentError(
                f"channel_names must be {n_channels} different names, got {len(names)}"
            )
        auxiliary = {}
        for name, values in dict(self.auxiliary).items():
            track = np.array(values, dtype=np.float64)
            if track.shape != (n_samples,):
                raise InvalidArgumentError(
                    f"auxiliary[{name!r}] must have shape ({n_samples},), got {track.shape}"
                )
            track.flags.writeable = False
            auxiliary[str(name)] = track
        self._set(
            signal=signal,
            sampling_rate=check_positive("sampling_rate", self.sampling_rate, "Hz"),
            auxiliary=MappingProxyType(auxiliary),
            channel_names=names,
            metadata=MappingProxyType(dict(self.metadata)),
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _with(self, **changes: Any) -> Recording:
        """A copy with some fields replaced by values that are known to be valid; arrays are shared."""
        copy = object.__new__(Recording)
        copy._set(**{item.name: changes.get(item.name, getattr(self, item.name)) for item in fields(self)})
        copy.signal.flags.writeable = False
        return copy

    # ------------------------------------------------------------------ size

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.signal.shape[0])

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return int(self.signal.shape[1])

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sampling_rate

    @property
    def times(self) -> np.ndarray:
        """Time in seconds of every sample, from 0."""
        return np.arange(self.n_samples) / self.sampling_rate

    # ------------------------------------------------------------------ slices

    def time_slice(self, start: float = 0.0, stop: float | None = None) -> Recording:
        """The part from `start` (included) to `stop` (excluded), in seconds; times then begin at 0 again.

        Raises
        ------
        InvalidArgumentError
            If no sample lies between `start` and `stop`.
        """
        first, last = time_window(start, stop, self.sampling_rate, self.n_samples)
        return self._with(
            signal=self.signal[:, first:last],
            auxiliary=MappingProxyType({name: track[first:last] for name, track in self.auxiliary.items()}),
        )

    def select_channels(self, channels: npt.ArrayLike) -> Recording:
        """The recording restricted to some channels (indices or a boolean mask), in the order given.

        Raises
        ------
        InvalidArgumentError
            If no channel is left, one is chosen twice, or an index is out of range.
        """
        keep = _as_index("channels", channels, self.n_channels)
        if not len(keep):
            raise InvalidArgumentError("channels must choose at least one channel, got none")
        return self._with(
            signal=self.signal[keep],
            electrodes=None if self.electrodes is None else self.electrodes.select(keep),
            channel_names=tuple(self.channel_names[i] for i in keep),
        )

    def with_signal(self, signal: npt.ArrayLike) -> Recording:
        """The same recording with another signal of the same shape, for example a filtered one.

        Raises
        ------
        InvalidArgumentError
            If the shape differs or the values are not floating-point.
        """
        array = _as_signal(signal)
        if array.shape != self.signal.shape:
            raise InvalidArgumentError(f"signal must have shape {self.signal.shape}, got {array.shape}")
        return self._with(signal=array)

    # ------------------------------------------------------------------ comparison and display

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recording):
            return NotImplemented
        return (
            self.sampling_rate == other.sampling_rate
            and np.array_equal(self.signal, other.signal, equal_nan=True)
            and self.electrodes == other.electrodes
            and self.channel_names == other.channel_names
            and dict(self.metadata) == dict(other.metadata)
            and self.auxiliary.keys() == other.auxiliary.keys()
            and all(np.array_equal(v, other.auxiliary[k], equal_nan=True) for k, v in self.auxiliary.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = [f"{self.n_channels} channels × {self.duration:.4g} s at {self.sampling_rate:g} Hz"]
        if self.electrodes is not None:
            parts.append(self.electrodes.name or f"{len(self.electrodes)} electrodes")
        if self.auxiliary:
            parts.append("with " + ", ".join(self.auxiliary))
        return f"<Recording: {'; '.join(parts)}>"


def _as_signal(signal: npt.ArrayLike) -> np.ndarray:
    """The signal as a read-only float32 array of shape (n_channels, n_samples), copied unless already so."""
    array = np.asarray(signal)
    if array.ndim != 2:
        raise InvalidArgumentError(f"signal must have shape (n_channels, n_samples), got {array.shape}")
    if np.issubdtype(array.dtype, np.integer) or array.dtype == bool:
        raise InvalidArgumentError(
            f"signal must be floating-point volts, got {array.dtype}: multiply the converter's counts by the "
            "volts per count"
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise InvalidArgumentError(f"signal must be floating-point volts, got {array.dtype}")
    if 0 in array.shape:
        raise InvalidArgumentError(f"signal must have at least one channel and one sample, got {array.shape}")
    if array.dtype == np.float32 and not array.flags.writeable:
        return array
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, order="C")
    array.flags.writeable = False
    return array


def time_window(start: float, stop: float | None, sampling_rate: float, n_samples: int) -> tuple[int, int]:
    """First and one-past-last sample of the times [start, stop) in seconds, cut to what there is."""
    start = check_positive("start", start, "s", allow_zero=True)
    first = int(np.ceil(start * sampling_rate - 1e-9))
    last = n_samples
    if stop is not None:
        last = min(n_samples, int(np.ceil(check_positive("stop", stop, "s") * sampling_rate - 1e-9)))
    if first >= last:
        duration = n_samples / sampling_rate
        raise InvalidArgumentError(
            f"start to stop must hold samples of the {duration:.4g} s, got {start} to {stop}"
        )
    return first, last


def _as_index(name: str, chosen: npt.ArrayLike, size: int) -> np.ndarray:
    """Indices or a boolean mask as unique, in-range integer indices."""
    array = np.atleast_1d(np.asarray(chosen))
    if array.dtype == bool:
        if array.shape != (size,):
            raise InvalidArgumentError(f"{name} must be a mask of shape ({size},), got {array.shape}")
        return np.flatnonzero(array)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise InvalidArgumentError(f"{name} must be integer indices or a boolean mask, got {array.dtype}")
    if array.min() < -size or array.max() >= size:
        raise InvalidArgumentError(f"{name} must lie in 0..{size - 1}, got {array.min()}..{array.max()}")
    index = array.astype(np.int64) % size
    if len(np.unique(index)) != len(index):
        raise InvalidArgumentError(f"{name} must not repeat")
    return index
