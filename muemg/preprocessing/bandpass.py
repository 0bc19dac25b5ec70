"""Band-pass: keep the frequencies in which the surface EMG lives, without shifting it in time."""

from __future__ import annotations

import numpy as np
from scipy import signal as scipy_signal

from muemg.errors import InvalidArgumentError, check_instance, check_positive
from muemg.recording import Recording

__all__ = ["band_pass"]

# A digital Butterworth filter cannot reach the Nyquist frequency itself.
_HIGHEST_FRACTION_OF_NYQUIST = 0.95
_ORDER = 2


def band_pass(recording: Recording, low: float = 20.0, high: float = 500.0) -> Recording:
    """Zero-phase Butterworth band-pass filter.

    A second-order filter runs forwards and backwards over each channel, so that nothing is delayed; the
    amplitude at both edges is one half (−6 dB). Beyond the ends the signal is continued by its mirror image
    through the end point.

    Parameters
    ----------
    recording : Recording
        The raw recording. A channel with not-a-number or infinite samples comes out as not-a-number
        throughout; the others are not affected.
    low, high : float
        Edges of the pass band in Hz; `high` is cut to 95 % of the Nyquist frequency. The defaults are the
        band usual for surface EMG.

    Returns
    -------
    Recording
        The filtered recording; everything but the signal is as it was.

    Raises
    ------
    InvalidArgumentError
        If an edge is not positive or the band is empty at this sampling rate.
    """
    check_instance("recording", recording, Recording)
    low = check_positive("low", low, "Hz")
    high = check_positive("high", high, "Hz")
    limit = _HIGHEST_FRACTION_OF_NYQUIST * recording.sampling_rate / 2
    top = min(high, limit)
    if low >= top:
        raise InvalidArgumentError(
            f"low must be below high and below {limit:g} Hz (95 % of the Nyquist frequency at "
            f"{recording.sampling_rate:g} Hz), got low={low:g}, high={high:g}"
        )
    sections = scipy_signal.butter(_ORDER, (low, top), "bandpass", fs=recording.sampling_rate, output="sos")
    # The slowest transient lasts about one period of the lower edge.
    padding = min(recording.n_samples - 1, int(np.ceil(3 * recording.sampling_rate / low)))
    filtered = np.empty_like(recording.signal)
    for channel, samples in enumerate(recording.signal):
        if np.isfinite(samples).all():
            filtered[channel] = scipy_signal.sosfiltfilt(sections, samples.astype(np.float64), padlen=padding)
        else:
            filtered[channel] = np.nan
    filtered.flags.writeable = False
    return recording.with_signal(filtered)
