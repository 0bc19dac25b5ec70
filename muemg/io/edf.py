"""EDF and BDF: the European data format (Kemp et al. 1992; Kemp & Olivan 2003) and its 24-bit sibling.

Each channel is stored as integers between the smallest and the largest value it takes, so a sample comes back
within one step of its own channel. The number of samples is kept exactly, discharges are annotations, and
what a header cannot say (names beyond 16 characters, a sampling rate beyond eight) is an annotation at 0 s.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muemg.errors import FileFormatError
from muemg.io._contents import Contents
from muemg.io._edf_layout import BITS, OWN_ENTRY, UNIT_ENTRY, names_of, volts_per_unit
from muemg.io._edf_write import labels_of, unit_of_volts, write_bdf, write_edf
from muemg.recording import Recording
from muemg.spikes import SpikeTrains

if TYPE_CHECKING:
    import edfio

__all__ = [
    "labels_of",
    "read",
    "read_bdf",
    "read_edf",
    "recognises_bdf",
    "recognises_edf",
    "unit_of_volts",
    "write_bdf",
    "write_edf",
]

_EDF_HEAD = b"0       "
_BDF_HEAD = b"\xffBIOSEMI"

# First words of EDF+ labels (Kemp & Olivan 2003, standard texts) that name another signal than EMG.
_OTHER_TYPES = frozenset(
    "EEG ECG EOG ERG MEG MCG EP EKG Temp Resp SaO2 Light Sound Event Status Force Torque Trigger TRIG".upper().split()
)


def recognises_edf(head: bytes) -> bool:
    """Whether these are the first bytes of an EDF file: its version 0, and a number of header bytes."""
    return head.startswith(_EDF_HEAD) and head[184:192].strip().isdigit()


def recognises_bdf(head: bytes) -> bool:
    """Whether these are the first bytes of a BDF file."""
    return head.startswith(_BDF_HEAD)


# ---------------------------------------------------------------------- reading


@dataclass(frozen=True)
class _Track:
    """One signal of the file, in the unit of its header."""

    label: str
    unit: str
    rate: Fraction
    values: np.ndarray

    @property
    def is_emg(self) -> bool:
        first = self.label.split()[0].upper() if self.label.split() else ""
        return volts_per_unit(self.unit) is not None and first not in _OTHER_TYPES


def read_edf(path: Path) -> Contents:
    """Read an EDF or EDF+ file."""
    return read(path, "EDF")


def read_bdf(path: Path) -> Contents:
    """Read a BDF or BDF+ file."""
    return read(path, "BDF")


def read(path: Path, kind: str, channels: Sequence[tuple[str, str, str]] | None = None) -> Contents:
    """Read a file whose header is of this kind.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"EDF", "BDF"}
        Which of the two.
    channels : sequence of (str, str, str), optional
        Label, type and unit of each signal as a sidecar file says; the types say what is EMG, and the units
        count where the header has none. Without it, signals in volts are EMG, unless their label begins
        with another type of EDF+.
    """
    file = _open(path, kind)
    notes: dict[str, Any] = {}
    tracks = [_track(signal, _record_duration(file), notes) for signal in file.signals]
    annotations, own = _annotations(file, notes)
    if channels is None:
        tracks, emg = _told_by_header(tracks, own, notes)
    else:
        tracks, emg = _told_by_sidecar(tracks, channels, notes)
    chosen = [track for track, wanted in zip(tracks, emg) if wanted]
    rate, n_samples = _main_clock(chosen)
    on_clock = [track.rate == rate and len(track.values) == n_samples for track in tracks]
    signal = np.empty((sum(e and c for e, c in zip(emg, on_clock)), n_samples), dtype=np.float32)
    labels, auxiliary, units, resampled, row = [], {}, {}, {}, 0
    for track, wanted, same in zip(tracks, emg, on_clock):
        if wanted and same:
            volts = volts_per_unit(track.unit)
            signal[row] = track.values * (1.0 if volts is None else volts)
            labels.append(track.label)
            row += 1
            continue
        name = str(own.get("auxiliary", {}).get(track.label, track.label))
        while name in auxiliary:
            name += "'"
        units[name] = track.unit
        auxiliary[name] = track.values
        if not same:
            resampled[name] = float(track.rate)
            clock = np.arange(n_samples) / float(rate)
            times = np.arange(len(track.values)) / float(track.rate)
            auxiliary[name] = np.interp(clock, times, track.values) if len(times) else np.zeros(n_samples)
    if resampled:
        notes["auxiliary_resampled_from_hz"] = resampled
    signal.flags.writeable = False
    sampling_rate = _exact_rate(float(rate), own)
    spikes, other = _split_annotations(annotations, own, sampling_rate, n_samples)
    metadata = {
        "source": kind,
        **_identification(file),
        **({"auxiliary_units": units} if any(units.values()) else {}),
        **({"annotations": other} if other else {}),
        **notes,
    }
    names = _channel_names(labels, own)
    recording = Recording(signal, sampling_rate, None, auxiliary, names, metadata)
    return Contents(recording=recording, spikes=spikes)


def _open(path: Path, kind: str) -> edfio.Edf | edfio.Bdf:
    """The file, once its header and its length agree."""
    import edfio

    size = path.stat().st_size
    # Latin-1 reads every byte: vendors write µ in several encodings.
    with warnings.catch_warnings():
        # It warns about lengths that do not agree; they are checked below.
        warnings.simplefilter("ignore")
        file = (edfio.read_edf if kind == "EDF" else edfio.read_bdf)(path, header_encoding="latin-1")
    with open(path, "rb") as stream:
        header = stream.read(256).decode("latin-1")
    n_records = int(header[236:244])
    lengths = [signal.samples_per_data_record for signal in file._signals]
    per_record = sum(lengths) * BITS[kind] // 8
    if file.bytes_in_header_record != 256 * (len(lengths) + 1):
        raise FileFormatError(
            f"its header says {file.bytes_in_header_record} bytes of header, {len(lengths)} signals need "
            f"{256 * (len(lengths) + 1)}"
        )
    if not file.signals or any(length < 1 for length in lengths):
        raise FileFormatError("its header names no signal, or one without samples")
    held = (size - file.bytes_in_header_record) // per_record
    # A recorder that was stopped leaves −1, or a count from earlier; what is there counts.
    if held < max(n_records, 1):
        raise FileFormatError(f"its header says {n_records} data records, the file holds {held}")
    if header[192:197] == f"{kind}+D" and not file.is_continuous:
        raise FileFormatError("its data records leave gaps in time (EDF+D), which one recording cannot have")
    return file


def _record_duration(file: edfio.Edf | edfio.Bdf) -> Fraction:
    duration = file.data_record_duration
    if not 0 < duration < np.inf:
        raise FileFormatError(f"the duration of its data records must be positive, got {duration:g} s")
    return Fraction(str(duration))


def _track(signal: Any, duration: Fraction, notes: dict[str, Any]) -> _Track:
    low, high = signal.digital_min, signal.digital_max
    if low >= high:
        raise FileFormatError(f"signal {signal.label!r} must have digital minimum < maximum: {low}, {high}")
    first, last = signal.physical_min, signal.physical_max
    if not np.isfinite([first, last]).all():
        raise FileFormatError(f"signal {signal.label!r} must have a finite physical range: {first}, {last}")
    values = first + (signal.digital - float(low)) * ((last - first) / (high - low))
    if first == last:
        values[:] = np.nan  # the scale is lost: nobody can say what its samples were
        notes.setdefault("uncalibrated_signals", []).append(signal.label)
    unit = signal.physical_dimension.strip().replace("Â", "")
    return _Track(signal.label.strip(), unit, signal.samples_per_data_record / duration, values)


def _told_by_header(
    tracks: list[_Track], own: dict[str, Any], notes: dict[str, Any]
) -> tuple[list[_Track], list[bool]]:
    if "auxiliary" in own:
        return tracks, [track.label not in own["auxiliary"] for track in tracks]
    emg = [track.is_emg for track in tracks]
    if not any(emg):
        # Some exports leave all units out.
        emg = [not track.unit and track.label.split()[:1] != ["Status"] for track in tracks]
        tracks = [
            _Track(track.label, "uV", track.rate, track.values) if bare else track
            for track, bare in zip(tracks, emg)
        ]
        notes["unit"] = "uV (assumed; the file does not say)"
    if not any(emg):
        seen = ", ".join(f"{track.label!r} in {track.unit!r}" for track in tracks[:8])
        raise FileFormatError(f"no signal is an EMG in volts; it holds {seen}")
    return tracks, emg


def _told_by_sidecar(
    tracks: list[_Track], channels: Sequence[tuple[str, str, str]], notes: dict[str, Any]
) -> tuple[list[_Track], list[bool]]:
    said = {label: (kind, unit) for label, kind, unit in channels}
    labels = {track.label for track in tracks}
    if not labels & said.keys() and len(channels) == len(tracks):
        notes["channels_matched_by_order"] = True
        rows = [(kind, unit) for _, kind, unit in channels]
    else:
        absent = [label for label in said if label not in labels]
        if absent:
            raise FileFormatError(
                f"channels.tsv names {', '.join(map(repr, absent[:5]))}, which the file does not hold; it "
                f"holds {', '.join(repr(track.label) for track in tracks[:5])}, …"
            )
        rows = [said.get(track.label, ("MISC", "")) for track in tracks]
    emg, found = [], []
    for track, (kind, unit) in zip(tracks, rows):
        is_emg = kind.strip().upper() == "EMG"
        told = track.unit if volts_per_unit(track.unit) is not None else unit.strip() or track.unit
        if is_emg and volts_per_unit(told) is None:
            raise FileFormatError(f"EMG channel {track.label!r} must have a unit of volts, got {told!r}")
        other = volts_per_unit(unit) if is_emg else None
        if other is not None and other != volts_per_unit(told):
            notes["units"] = f"those of the data file; channels.tsv says {unit!r}"
        emg.append(is_emg)
        found.append(_Track(track.label, told, track.rate, track.values))
    if not any(emg):
        kinds = ", ".join(sorted({kind for kind, _ in rows}))
        raise FileFormatError(f"no channel is of type EMG in channels.tsv, only {kinds}")
    return found, emg


def _main_clock(tracks: list[_Track]) -> tuple[Fraction, int]:
    """The rate and length that most EMG signals share; of equally many, the fastest."""
    counts = Counter((track.rate, len(track.values)) for track in tracks)
    (rate, n_samples), _ = max(counts.items(), key=lambda item: (item[1], item[0]))
    return rate, n_samples


def _exact_rate(rate: float, own: dict[str, Any]) -> float:
    exact = own.get("sampling_rate")
    # Only the rounding of a duration to eight characters can lie between the two.
    return float(exact) if isinstance(exact, int | float) and abs(exact / rate - 1) < 1e-2 else rate


def _channel_names(labels: list[str], own: dict[str, Any]) -> tuple[str, ...]:
    names = own.get("channel_names")
    if isinstance(names, list) and len(names) == len(labels):
        return tuple(map(str, names))
    found = names_of(labels)
    counts: Counter[str] = Counter()
    for i, name in enumerate(found):
        counts[name] += 1
        if counts[name] > 1:
            found[i] = f"{name} ({counts[name]})"
    return tuple(found) if len(set(found)) == len(found) else tuple(map(str, range(len(labels))))


def _identification(file: edfio.Edf | edfio.Bdf) -> dict[str, str]:
    """Who and when, as far as the header says more than that it does not say."""
    found = {
        "patient": file.local_patient_identification,
        "recording": file.local_recording_identification,
    }
    said = {key: text for key, text in found.items() if text.strip("X ") not in ("", "Startdate")}
    try:
        start = file.startdatetime.isoformat()
    except ValueError:  # anonymised, or written in a way of the writer's own
        return said
    return said if start.startswith("1985-01-01") else {**said, "start": start}


# ---------------------------------------------------------------------- annotations


def _annotations(
    file: edfio.Edf | edfio.Bdf, notes: dict[str, Any]
) -> tuple[list[tuple[float, float | None, str]], dict[str, Any]]:
    """Annotations as (onset in s, duration in s, text), and what muemg wrote for itself."""
    try:
        every = [(item.onset, item.duration, item.text) for item in file.annotations]
    except (ValueError, UnicodeError) as error:  # the signal is worth reading without them
        notes["annotations_unreadable"] = str(error)[:200]
        return [], {}
    own: dict[str, Any] = {}
    rest = []
    for onset, duration, text in every:
        if onset == 0 and text.startswith(OWN_ENTRY + "{"):
            try:
                own.update(json.loads(text.removeprefix(OWN_ENTRY)))
                continue
            except json.JSONDecodeError:
                pass
        rest.append((onset, duration, text))
    return rest, own


def _split_annotations(
    annotations: list[tuple[float, float | None, str]], own: dict[str, Any], rate: float, n_samples: int
) -> tuple[SpikeTrains | None, list[list[Any]]]:
    """Discharges as trains, where the file says which motor units there are; everything else as it is."""
    units = own.get("motor_units")
    if not isinstance(units, dict):
        return None, [list(item) for item in annotations]
    trains: dict[str, list[float]] = {label: [] for label in units}
    rest = []
    for onset, duration, text in annotations:
        label = text.removeprefix(UNIT_ENTRY)
        if text.startswith(UNIT_ENTRY) and label in trains:
            trains[label].append(onset)
        else:
            rest.append([onset, duration, text])
    samples = tuple(np.rint(np.array(train) * rate).astype(np.int64) for train in trains.values())
    return SpikeTrains(samples, rate, n_samples, tuple(units.values())), rest
