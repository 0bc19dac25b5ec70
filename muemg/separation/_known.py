"""What someone sees in a recording who knows every action potential: the best linear filter of each motor unit.

The action potentials go through the recording's own band-pass and become extended responses h̃; C is the covariance of
the extended recording, w = C⁻¹h̃ the filter, and its output at the true discharges says how well the unit can be told
from the noise and from the other units. Units may be removed from the signal, each with its true action potential
at its true discharges, before the others are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.linalg

from muemg import __version__
from muemg._table import Table
from muemg.errors import (
    InvalidArgumentError,
    UnusableRecordingError,
    check_count,
    check_fraction,
    check_instance,
    check_option,
    check_positive,
)
from muemg.metrics.matching import best_delay, match_spikes
from muemg.metrics.quality import (
    cov_isi,
    mean_discharge_rate,
    pulse_to_noise_ratio,
    silhouette,
    source_peaks,
    two_class_threshold,
)
from muemg.preprocessing import band_pass
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._extension import Extended, Whitening, whiten_above
from muemg.separation._preparation import Prepared, extension_factor, prepare
from muemg.separation._templates import add_templates
from muemg.spikes import SpikeTrains

__all__ = ["Known", "Seen"]

THRESHOLDS = ("best", "two-class")
_TOLERANCE = 1e-3  # s by which a discharge may be seen earlier or later
_SKIRT = 50e-3  # s by which the band-pass smears an action potential: one period of its lower edge
_QUIET = 1e-2  # of a potential's greatest power
_ROUNDING = 1e-6  # of the largest eigenvalue; lagged products are summed in single precision


@dataclass(frozen=True)
class Seen:
    """What filters showed of every unit; zeros where none looked."""

    sources: np.ndarray
    trains: tuple[np.ndarray, ...]
    agreement: np.ndarray
    deflection: np.ndarray

    def better(self, other: Seen) -> Seen:
        """Of each unit the sighting with the higher agreement, this one if they are equal; its sources are reused."""
        gain = other.agreement > self.agreement
        self.sources[gain] = other.sources[gain]
        return Seen(
            self.sources,
            tuple(b if take else a for a, b, take in zip(self.trains, other.trains, gain)),
            np.where(gain, other.agreement, self.agreement),
            np.where(gain, other.deflection, self.deflection),
        )


@dataclass(frozen=True)
class Known:
    """A recording made ready, and the truth about it."""

    recording: Recording
    prepared: Prepared
    signal: Extended
    covariance: np.ndarray  # of the untouched signal
    loading: float
    spikes: SpikeTrains
    muaps: np.ndarray
    muap_offset: int
    templates: np.ndarray  # (n_units, n_lags, n_good_channels), band-passed, in the prepared signal's unit
    offset: int
    threshold: str
    wanted: np.ndarray  # units with discharges enough to be looked for
    min_agreement: float
    parameters: dict[str, object]

    @classmethod
    def of(
        cls,
        recording: Recording,
        spikes: SpikeTrains,
        muaps: npt.ArrayLike,
        *,
        muap_offset: int,
        n_delays: int | None,
        delay_spacing: int | None,
        low: float,
        high: float,
        threshold: str,
        min_spikes: int,
        min_agreement: float,
    ) -> Known:
        """Check what was given, filter recording and action potentials alike."""
        check_instance("recording", recording, Recording, "muemg.read(path).recording gives one")
        check_instance("spikes", spikes, SpikeTrains)
        potentials = np.asarray(muaps, dtype=np.float32)
        if potentials.ndim != 3 or potentials.shape[:2] != (len(spikes), recording.n_channels):
            raise InvalidArgumentError(
                f"muaps must have shape ({len(spikes)}, {recording.n_channels}, n_lags), got {potentials.shape}"
            )
        if (spikes.sampling_rate, spikes.n_samples) != (recording.sampling_rate, recording.n_samples):
            raise InvalidArgumentError(
                f"spikes must be on the clock of the recording ({recording.n_samples} samples at "
                f"{recording.sampling_rate:g} Hz), got {spikes.n_samples} samples at {spikes.sampling_rate:g} Hz"
            )
        check_option("threshold", threshold, THRESHOLDS)
        least = check_count("min_spikes", min_spikes)
        prepared = prepare(
            recording, low=check_positive("low", low, "Hz"), high=check_positive("high", high, "Hz")
        )
        n_channels, n_samples = prepared.signal.shape
        if n_delays is None:
            n_delays = extension_factor(n_channels, recording.sampling_rate)
        if delay_spacing is None:
            delay_spacing = max(1, int(recording.sampling_rate / (2 * high)))
        if n_samples < check_count("n_delays", n_delays) * n_channels:
            raise UnusableRecordingError(
                f"the recording's {n_samples} samples are fewer than its {n_channels} channels × {n_delays} delays; "
                "record longer, or pass a smaller n_delays"
            )
        # A bad channel has no potential worth knowing, and the others must not be not-a-number.
        good = potentials[:, prepared.channels] / prepared.scale
        if not np.isfinite(good).all():
            raise InvalidArgumentError("muaps must be finite on every usable channel of the recording")
        templates, offset = _band_passed(good, muap_offset, recording.sampling_rate, low, high)
        signal = Extended.of(prepared.signal.T, n_delays, check_count("delay_spacing", delay_spacing))
        covariance = signal.covariance()
        return cls(
            recording,
            prepared,
            signal,
            covariance,
            _loading(covariance),
            spikes,
            potentials,
            muap_offset,
            templates,
            offset,
            threshold,
            np.flatnonzero(spikes.n_spikes >= least),
            check_fraction("min_agreement", min_agreement),
            {
                "n_delays": n_delays,
                "delay_spacing": delay_spacing,
                "low": low,
                "high": high,
                "threshold": threshold,
                "min_spikes": least,
                "min_agreement": min_agreement,
            },
        )

    def seen(self, removed: Sequence[int] | np.ndarray, wanted: Sequence[int] | np.ndarray) -> Seen:
        """The wanted units as their filters show them, each with the removed ones, but for itself, gone."""
        signal, n_samples = self.signal, self.signal.n_samples
        gone = list(removed)
        trains = [self.spikes[unit] for unit in gone]
        add_templates(signal.by_sample, self.templates[gone], trains, self.offset, sign=-1)
        covariance = signal.covariance() if gone else self.covariance
        whitening = whiten_above(covariance, self.loading)
        responses, delays = _best_windows(self.templates[wanted], whitening, signal, self.offset)
        filters, deflection = whitening.filters(responses)
        outputs = signal.filter(filters)
        for i, unit in enumerate(wanted):
            if unit in gone:
                self._add_own(outputs[i], filters[i], unit)
        add_templates(signal.by_sample, self.templates[gone], trains, self.offset)

        n_units = len(self.spikes)
        seen = Seen(
            np.zeros((n_units, n_samples), dtype=np.float32),
            tuple(np.zeros(0, dtype=np.int64) for _ in range(n_units)),
            np.zeros(n_units),
            np.zeros(n_units),
        )
        found = list(seen.trains)
        for output, delay, rise, unit in zip(outputs, delays, deflection, wanted):
            # The output follows the discharge by the delay: shifted back onto it.
            source = seen.sources[unit]
            source[max(0, -delay) : n_samples - max(0, delay)] = output[
                max(0, delay) : n_samples + min(0, delay)
            ]
            found[unit], seen.agreement[unit] = _discharges(
                source, self.spikes[unit], self.recording.sampling_rate, self.threshold
            )
            seen.deflection[unit] = rise
        return replace(seen, trains=tuple(found))

    def _add_own(self, output: np.ndarray, taps: np.ndarray, unit: int) -> None:
        """Put back what a removed unit itself contributes to the output of its filter, in place."""
        tail = np.zeros((self.signal.span - 1, self.templates.shape[2]), dtype=np.float32)
        potential = np.concatenate([self.templates[unit], tail])
        own = Extended.of(potential, self.signal.n_delays, self.signal.spacing).filter(taps[None])
        add_templates(output[:, None], own[:, :, None], [self.spikes[unit]], self.offset)

    def decomposition(
        self, seen: Seen, method: str, accepted_only: bool, **columns: np.ndarray
    ) -> Decomposition:
        """The sightings as a result like any other."""
        rate = self.recording.sampling_rate
        spikes = SpikeTrains(seen.trains, rate, self.recording.n_samples, self.spikes.unit_ids)
        muaps = self.muaps.copy()
        muaps[:, list(self.prepared.excluded)] = np.nan
        quality = Table(
            {
                "sil": [silhouette(source, train, rate) for source, train in zip(seen.sources, spikes)],
                "pnr": [pulse_to_noise_ratio(source, train) for source, train in zip(seen.sources, spikes)],
                "cov_isi": [cov_isi(train, rate) for train in spikes],
                "rate": [mean_discharge_rate(train, rate) for train in spikes],
                "n_spikes": spikes.n_spikes,
                "accepted": seen.agreement >= self.min_agreement,
                "rate_of_agreement": seen.agreement,
                "deflection": seen.deflection,
                **columns,
            }
        )
        whole = Decomposition(
            spikes,
            seen.sources,
            muaps,
            quality,
            self.muap_offset,
            self.prepared.excluded,
            {"method": method, "version": __version__, **self.parameters},
            self.prepared.notes,
        )
        return whole.select_units(np.flatnonzero(quality["accepted"])) if accepted_only else whole


def _band_passed(
    muaps: np.ndarray, offset: int, sampling_rate: float, low: float, high: float
) -> tuple[np.ndarray, int]:
    """Action potentials behind the recording's band-pass, sample by sample, and where their discharge lies then."""
    n_units, n_channels, n_lags = muaps.shape
    skirt = round(_SKIRT * sampling_rate)
    length = n_lags + 2 * skirt
    # One after the other as one recording, so that the very filter of the recording can be used.
    line = np.zeros((n_channels, max(n_units * length, n_channels)), dtype=np.float32)
    line[:, : n_units * length].reshape(n_channels, n_units, length)[:, :, skirt : skirt + n_lags] = (
        muaps.transpose(1, 0, 2)
    )
    filtered = band_pass(Recording(line, sampling_rate), low=low, high=high).signal[:, : n_units * length]
    by_sample = filtered.reshape(n_channels, n_units, length).transpose(1, 2, 0)
    return np.ascontiguousarray(by_sample), offset + skirt


def _loading(covariance: np.ndarray) -> float:
    """The noise floor that is added to the diagonal before inversion: the mean of the smaller half of the eigenvalues.

    In recordings of a few seconds it finds more units than hardly any loading; in long ones it makes no difference.
    """
    values = scipy.linalg.eigvalsh(covariance, check_finite=False)
    return max(float(values[: max(1, len(values) // 2)].mean()), _ROUNDING * float(values[-1]))


def _best_windows(
    templates: np.ndarray, whitening: Whitening, signal: Extended, offset: int
) -> tuple[np.ndarray, np.ndarray]:
    """For each template the extended window with the greatest h̃ᵀC⁻¹h̃, and by how much it ends after the discharge."""
    n_units, n_lags, n_channels = templates.shape
    framed = np.zeros((n_units, n_lags + signal.span - 1, n_channels), dtype=np.float32)
    framed[:, signal.span - 1 :] = templates
    responses = np.zeros((n_units, signal.dimension), dtype=np.float32)
    greatest, delays = np.full(n_units, -1.0), np.zeros(n_units, dtype=np.int64)
    power = np.einsum("ulc,ulc->ul", templates, templates)
    loud = np.flatnonzero((power > _QUIET * power.max(axis=1, keepdims=True)).any(axis=0))
    # A window with nothing but the skirts of the band-pass in it is nobody's best.
    for end in range(loud[0], min(n_lags, loud[-1] + signal.span)) if len(loud) else ():
        window = framed[:, end : end + signal.span : signal.spacing].reshape(n_units, signal.dimension)
        deflection = np.linalg.norm(window @ whitening.matrix.T, axis=1)
        better = deflection > greatest
        responses[better], greatest[better], delays[better] = window[better], deflection[better], end - offset
    return responses, delays


def _discharges(
    source: np.ndarray, truth: np.ndarray, sampling_rate: float, threshold: str
) -> tuple[np.ndarray, float]:
    """Peaks of the source above the threshold, and their rate of agreement with the true discharges."""
    width = int(_TOLERANCE * sampling_rate + 1e-9)
    peaks, heights = source_peaks(source, sampling_rate)
    order = np.argsort(-heights, kind="stable")
    # Seen a sample or two late, all of them alike: the delay of the highest peaks.
    delay = best_delay(truth, np.sort(peaks[order[: len(truth)]]), width, 4 * width)
    _, right = match_spikes(truth, peaks - delay, width)
    is_right = np.zeros(len(peaks), dtype=bool)
    is_right[right] = True
    # Agreement TP / (TP + FP + FN) of the n highest peaks, for every n.
    hits = np.cumsum(is_right[order])
    agreement = hits / (np.arange(1, len(peaks) + 1) + len(truth) - hits)
    if threshold == "best":
        n_found = int(np.argmax(agreement)) + 1 if len(peaks) else 0
    else:
        n_found = int(np.count_nonzero(heights > two_class_threshold(heights)))
    found = np.sort(peaks[order[:n_found]]) - delay
    return found[(found >= 0) & (found < len(source))], float(agreement[n_found - 1]) if n_found else 0.0
