"""One separation under way: pass after pass over what is left of the signal, and the units so far.

A pass whitens what is left of the signal, searches it for candidate units, refines them by spike-triggered
averaging, and then fits the action potentials of all units together; every unit is detected again with the others'
potentials removed, trains that hold two units are split, echoes and fragments dropped. The residual goes to the
next pass, until one brings too little. Methods differ in how a pass comes to its candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from muemg import __version__
from muemg.errors import UnusableRecordingError
from muemg.metrics.quality import cov_isi
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._bursts import find_bursts
from muemg.separation._cancellation import Redetection, best_responses, redetect
from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended, Whitening, whiten, whiten_above, whiten_within
from muemg.separation._preparation import Prepared, extension_factor
from muemg.separation._search import SearchSettings, refine, search
from muemg.separation._splitting import split_train
from muemg.separation._templates import add_templates, fit_templates, similarity
from muemg.separation._trains import distinct_trains, is_new, shared_spikes
from muemg.separation._verdict import LEAST_SURVIVAL, MOST_IRREGULAR, judge
from muemg.spikes import SpikeTrains

if TYPE_CHECKING:
    from muemg.separation._blind import BlindSeparation

__all__ = ["Run"]

_MIN_INTERVAL = 10e-3  # s between two discharges of one unit
_TOLERANCE = 1e-3  # s by which one discharge may be seen earlier or later
_MUAP_WINDOW = 50e-3  # s, centred on the discharge
_N_FIT = 16_384  # samples on which the contrast is learned
_REMNANT = 0.6  # CoV of intervals from which a train may be what is left of another
_SAME_POTENTIAL = 0.9  # correlation of two templates at the best lag
_MOST_SETTLING = 1  # joint fits after the last pass
_SETTLED = 0.98  # agreement of a train with itself one fit earlier
_LEAST_REFINED = 0.8  # silhouette of a candidate to enter the joint fit
_LEAST_NEW = 0.9  # held-out silhouette of a new unit to be removed from the signal for the first time
_LEAST_KEPT = 0.8  # held-out silhouette of a unit to stay in it


class Run:
    """One separation under way: the signal, what is left of it, and the units so far."""

    def __init__(
        self,
        parameters: BlindSeparation,
        recording: Recording,
        prepared: Prepared,
        seed: int,
        tell: Callable[[float, str], None],
    ) -> None:
        rate = recording.sampling_rate
        n_channels, n_samples = prepared.signal.shape
        self.parameters, self.recording, self.prepared, self.seed, self.tell = (
            parameters,
            recording,
            prepared,
            seed,
            tell,
        )
        self.spacing = parameters.delay_spacing or max(1, int(rate / (2 * parameters.high)))
        self.n_delays = parameters.n_delays or extension_factor(
            n_channels, rate, spacing=self.spacing, n_samples=n_samples
        )
        if n_samples < self.n_delays * n_channels:
            raise UnusableRecordingError(
                f"the recording's {n_samples} samples are fewer than its {n_channels} channels × "
                f"{self.n_delays} delays; record longer, or pass a smaller n_delays"
            )
        self.n_lags = 2 * max(round(_MUAP_WINDOW * rate / 2), self.n_delays * self.spacing)
        self.offset = self.n_lags // 2
        self.settings = SearchSettings(
            sampling_rate=rate,
            n_starts=parameters.n_starts,
            n_rounds=parameters.n_rounds,
            n_fit=_N_FIT,
            min_spikes=parameters.min_spikes,
            min_distance=max(1, round(_MIN_INTERVAL * rate)),
            tolerance=max(1, round(_TOLERANCE * rate)),
            reach=self.n_lags,
        )
        self.trains: list[np.ndarray] = []
        self.templates = np.zeros((0, self.n_lags, n_channels), dtype=np.float32)
        self.peeled: list[np.ndarray] = []  # the trains that were taken out of the signal
        self.parents: list[int] | None = (
            None  # of each train the one it was detected from, unless one was split
        )
        self.signal = Extended.within(prepared.framed, prepared.margin, self.n_delays, self.spacing)
        self.passes = 0
        self.notes: list[str] = []
        self.exhausted = False  # nothing is left to find
        self.slow = False  # too little came to go on
        self.floor = 0.0
        self.plain: Whitening  # of the signal, nothing removed: the first pass makes it

    def result(self) -> Decomposition:
        """Pass after pass until one brings nothing new; then the units, best first."""
        while self.passes < self.parameters.max_passes and not (self.exhausted or self.slow):
            self._pass()
        self._settle()
        self.tell(0.98, "judging the units")
        n_samples = self.recording.n_samples
        seen = self._redetect()
        self._restore()
        plain_trains, plain_silhouettes = self._seen_plainly()
        self.trains = seen.trains
        quality = judge(
            seen.trains,
            seen.sources,
            seen.held_out,
            seen.survival,
            plain_trains,
            plain_silhouettes,
            sampling_rate=self.settings.sampling_rate,
            min_silhouette=self.parameters.min_silhouette,
            min_spikes=self.parameters.min_spikes,
            tolerance=self.settings.tolerance,
        )
        notes = [*self.prepared.notes, *self.notes]
        if not self.exhausted:
            limit = "min_gain" if self.slow else "max_passes"
            notes.append(
                f"stopped after {self.passes} passes, the last of which still found units (see {limit})"
            )
        n_accepted = int(quality["accepted"].sum())
        if n_accepted < len(quality["accepted"]):
            fate = "left out" if self.parameters.accepted_only else "kept, marked as not accepted"
            notes.append(f"{len(quality['accepted']) - n_accepted} units not accepted, {fate}")
        muaps = np.full((len(seen.trains), self.recording.n_channels, self.n_lags), np.nan, dtype=np.float32)
        muaps[:, self.prepared.channels] = self._fit_templates().transpose(0, 2, 1) * self.prepared.scale
        whole = Decomposition(
            SpikeTrains(tuple(seen.trains), self.settings.sampling_rate, n_samples),
            seen.sources,
            muaps,
            quality,
            self.offset,
            self.prepared.excluded,
            self._provenance(),
            tuple(notes),
        )
        chosen = np.lexsort((-quality["sil"], ~quality["accepted"]))
        # Two trains may have met in the last detection.
        chosen = np.array(
            distinct_trains(seen.trains, chosen, self.settings.tolerance, self.settings.reach), dtype=np.int64
        )
        if self.parameters.accepted_only:
            chosen = chosen[quality["accepted"][chosen]]
        ordered = whole.select_units(chosen)
        return replace(ordered, spikes=replace(ordered.spikes, unit_ids=()))

    def _provenance(self) -> dict[str, Any]:
        used = self.parameters.to_dict() | {"n_delays": self.n_delays, "delay_spacing": self.spacing}
        return {"method": self.parameters.name, "seed": self.seed, "version": __version__, **used}

    def _seen_plainly(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Trains and silhouettes of the units' linear filters on the signal, nothing removed."""
        responses, delays = best_responses(
            self.templates, self.plain, self.n_delays, self.offset, self.spacing
        )
        filters, _ = self.plain.filters(responses)
        trains, silhouettes = detect_spikes(self.signal.filter(filters), self.settings.min_distance)
        return [train - delay for train, delay in zip(trains, delays)], silhouettes

    def _pass(self) -> None:
        self._say("whitening")
        covariance = self.signal.covariance()
        if self.passes == 0:
            self.plain, self.floor = whiten(covariance)
            if self._silence_bursts():
                covariance = self.signal.covariance()
                self.plain, self.floor = whiten(covariance)
        whitening = self.plain if self.passes == 0 else whiten_within(covariance, self.plain)
        self._say("searching")
        found, quiet = self._candidates(whitening, covariance)
        candidates, silhouettes = refine(self.signal, whitening, found, self.settings)
        fresh: list[np.ndarray] = []
        for i in np.argsort(-silhouettes):
            if silhouettes[i] >= _LEAST_REFINED and is_new(
                candidates[i], self.trains + fresh, self.settings.tolerance, self.settings.reach
            ):
                fresh.append(candidates[i])
        n_before = len(self.trains)
        self.trains = self.trains + fresh
        self.passes += 1
        if fresh:
            self._say("fitting all units together")
            self._fit()
            self._keep(self._redetect(), n_before)
            self._peel_again()
        gained = len(self.trains) - n_before
        self.exhausted = gained <= 0
        self.slow = not quiet and gained < self.parameters.min_gain * n_before

    def _silence_bursts(self) -> bool:
        """Set to zero what is no EMG; true if there was any."""
        bursts = find_bursts(self.signal, self.plain, self.settings.sampling_rate)
        for first, last in bursts:
            self.signal.by_sample[first:last] = 0
            start, stop = first / self.settings.sampling_rate, last / self.settings.sampling_rate
            self.notes.append(f"{start:.2f}–{stop:.2f} s left out: a burst unlike the rest of the recording")
        return len(bursts) > 0

    def _candidates(self, whitening: Whitening, covariance: np.ndarray) -> tuple[list[np.ndarray], bool]:
        """Trains that may be new units, and whether the signal looks like noise; the step in which methods differ."""
        converge = self.parameters.converge
        return search(self.signal, whitening, self.trains, self.settings, self.passes, converge)

    def _settle(self) -> None:
        """Fit and detect again until the trains stay: each is cleaner the cleaner the others are."""
        for _ in range(_MOST_SETTLING):
            self.tell(0.95, f"fitting all {len(self.trains)} units together once more")
            before = self.trains
            self._keep(self._redetect(), len(self.trains))
            if len(before) == len(self.trains):
                alike = [
                    shared_spikes(old, [new], self.settings.tolerance, 0)[0][0]
                    for old, new in zip(before, self.trains)
                ]
                if min(alike, default=1.0) > _SETTLED:
                    break
            self._fit()

    def _fit(self) -> None:
        """Templates of all units together; they are taken out of the signal."""
        self._restore()
        self.templates = self._fit_templates()
        self._align()
        add_templates(self.signal.by_sample, self.templates, self.trains, self.offset, sign=-1)
        self.peeled = self.trains

    def _peel_again(self) -> None:
        """Take out the trains as they are now with the templates that are there; a train newly split needs a fit."""
        if self.parents is None:
            self._fit()
            return
        self._restore()
        self.templates = self.templates[self.parents]
        add_templates(self.signal.by_sample, self.templates, self.trains, self.offset, sign=-1)
        self.peeled = self.trains

    def _restore(self) -> None:
        """Put back what was taken out of the signal, which is held only once."""
        add_templates(self.signal.by_sample, self.templates, self.peeled, self.offset)
        self.peeled = []

    def _align(self) -> None:
        """Put each discharge where its template is strongest, so that the window holds all of it."""
        strength = np.einsum("ulc,ulc->ul", self.templates, self.templates)
        moves = np.argmax(strength, axis=1) - self.offset if len(self.trains) else np.zeros(0, dtype=int)
        if not np.any(np.abs(moves) > self.n_lags // 8):
            return
        n_samples = self.signal.n_samples
        moved = [
            train + (move if abs(move) > self.n_lags // 8 else 0) for train, move in zip(self.trains, moves)
        ]
        self.trains = [train[(train >= 0) & (train < n_samples)] for train in moved]
        self.templates = self._fit_templates()

    def _fit_templates(self) -> np.ndarray:
        return fit_templates(self.signal.by_sample, self.trains, self.n_lags, self.offset)

    def _redetect(self) -> Redetection:
        whitening = whiten_above(self.signal.covariance(), self.floor)
        return redetect(self.signal, self.templates, self.peeled, whitening, self.offset, self.settings)

    def _keep(self, seen: Redetection, n_known: int) -> None:
        """Take over what was detected again: split double trains, drop what is weak, repeated or a fragment.

        The first `n_known` trains are of earlier passes. A new one must stand on its own before its potentials
        are removed from the signal: removing what is no unit makes the next one look better.
        """
        trains: list[np.ndarray] = []
        scores: list[float] = []
        parents: list[int] = []
        least, rate = self.parameters.min_spikes, self.settings.sampling_rate
        for i, (train, score) in enumerate(zip(seen.trains, seen.held_out)):
            wanted = _LEAST_KEPT if i < n_known else _LEAST_NEW
            if len(train) < least or score < wanted or seen.survival[i] < LEAST_SURVIVAL:
                continue
            for part in split_train(train, partial(seen.alone, i), rate, min_spikes=least) or (train,):
                if cov_isi(part, rate) <= MOST_IRREGULAR:
                    trains.append(part)
                    scores.append(score)
                    parents.append(i)
        order = np.argsort(-np.array(scores), kind="stable")
        keep = distinct_trains(trains, order, self.settings.tolerance, self.settings.reach)
        alike = similarity(self.templates)[np.ix_(parents, parents)] >= _SAME_POTENTIAL
        kept = [i for i in sorted(keep) if not self._is_remnant(i, trains, alike[i])]
        self.trains = [trains[i] for i in kept]
        origin = [parents[i] for i in kept]
        self.parents = origin if len(set(origin)) == len(origin) else None

    def _is_remnant(self, index: int, trains: list[np.ndarray], alike: np.ndarray) -> bool:
        """Whether a train holds discharges that a more regular train of the same potential lacks.

        Left alone it would keep them: they are gone from the signal in which the other is detected.
        """
        rate = self.settings.sampling_rate
        irregularity = cov_isi(trains[index], rate)
        return irregularity > _REMNANT and any(
            alike[other] and cov_isi(trains[other], rate) < irregularity / 1.2 for other in range(len(trains))
        )

    def _say(self, text: str) -> None:
        share = min(0.95, 0.05 + 0.9 * self.passes / self.parameters.max_passes)
        self.tell(share, f"pass {self.passes + 1}: {text}, {len(self.trains)} units so far")
