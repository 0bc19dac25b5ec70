"""How much of a recording the motor units explain: the signal rebuilt from discharges and action potentials."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

from muemg.errors import InvalidArgumentError, check_instance
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.spikes import SpikeTrains

__all__ = ["explained_variance"]


def explained_variance(
    recording: Recording,
    units: Decomposition | SpikeTrains,
    muaps: npt.ArrayLike | None = None,
    *,
    muap_offset: int | None = None,
) -> float:
    """Share of the recording's power that the motor units account for.

    With x̂_c(t) = Σ_u Σ_i h_uc(t − t_ui) the signal rebuilt from discharges and action potentials, it is
    1 − Σ (x − x̂)² / Σ x² over all usable channels and all samples. It is below 0 where the rebuilt signal is further
    from the recording than silence is.

    Parameters
    ----------
    recording : Recording
        Filtered as the action potentials are: those of a `Decomposition` belong to
        ``muemg.preprocessing.band_pass(recording)``, those of a `Simulation` to the raw recording.
    units : Decomposition or SpikeTrains
        Discharges, on the clock of the recording.
    muaps : array_like, shape (n_units, n_channels, n_lags), optional
        Action potentials in volts; by default those of the decomposition. A channel on which one is not-a-number is
        not usable, nor is one on which the recording is.
    muap_offset : int, optional
        Sample of an action potential at which its discharge lies; by default that of the decomposition, or 0.

    Returns
    -------
    float
        At most 1; not-a-number where no channel is usable or the recording is zero.

    Raises
    ------
    InvalidArgumentError
        If the parts do not fit each other.
    """
    check_instance("recording", recording, Recording)
    if isinstance(units, Decomposition):
        spikes = units.spikes
        shapes = units.muaps if muaps is None else np.asarray(muaps, dtype=np.float32)
        offset = units.muap_offset if muap_offset is None else int(muap_offset)
    else:
        spikes = check_instance("units", units, SpikeTrains, "or a Decomposition")
        if muaps is None:
            raise InvalidArgumentError(
                "muaps must be given with SpikeTrains; only a Decomposition has its own"
            )
        shapes, offset = np.asarray(muaps, dtype=np.float32), int(muap_offset or 0)
    if spikes.n_samples != recording.n_samples or spikes.sampling_rate != recording.sampling_rate:
        raise InvalidArgumentError(
            f"units must be on the clock of the recording ({recording.n_samples} samples at "
            f"{recording.sampling_rate:g} Hz), got {spikes.n_samples} samples at {spikes.sampling_rate:g} Hz"
        )
    if shapes.ndim != 3 or shapes.shape[:2] != (len(spikes), recording.n_channels):
        raise InvalidArgumentError(
            f"muaps must have shape ({len(spikes)}, {recording.n_channels}, n_lags), got {shapes.shape}"
        )
    usable = np.isfinite(recording.signal).all(axis=1) & np.isfinite(shapes).all(axis=(0, 2))
    starts = np.concatenate([np.zeros(0, dtype=np.int64), *spikes]) - offset
    unit = np.repeat(np.arange(len(spikes)), spikes.n_spikes)
    power, left = 0.0, 0.0
    for channel in np.flatnonzero(usable):
        residual = recording.signal[channel].astype(np.float64)
        power += float(residual @ residual)
        _subtract(residual, np.ascontiguousarray(shapes[:, channel]), starts, unit)
        left += float(residual @ residual)
    return 1 - left / power if power > 0 else float("nan")


@numba.njit(cache=True)
def _subtract(signal, shapes, starts, unit):
    n_lags = shapes.shape[1]
    for i in range(len(starts)):
        first = starts[i]
        for lag in range(max(0, -first), min(n_lags, len(signal) - first)):
            signal[first + lag] -= shapes[unit[i], lag]
