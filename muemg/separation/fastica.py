"""Blind separation of motor units: convolutive fastICA with joint peel-off (method ``"fastica"``).

A pass whitens what is left of the signal, searches it for candidate units, refines them by spike-triggered
averaging, and then fits the action potentials of all units together; every unit is detected again with the others'
potentials removed, trains that hold two units are split, echoes and fragments dropped. The residual goes to the
next pass, until one brings nothing new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from muemg import __version__
from muemg.errors import (
    UnusableRecordingError,
    check_count,
    check_fraction,
    check_instance,
    check_option,
    check_positive,
)
from muemg.metrics.quality import cov_isi
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._cancellation import Redetection, best_responses, redetect
from muemg.separation._detection import detect_spikes
from muemg.separation._extension import Extended, Whitening, whiten, whiten_above
from muemg.separation._fixed_point import CONTRASTS
from muemg.separation._preparation import Prepared, extension_factor, prepare
from muemg.separation._search import SearchSettings, refine, search
from muemg.separation._splitting import split_train
from muemg.separation._templates import add_templates, fit_templates, similarity
from muemg.separation._trains import distinct_trains, is_new, shared_spikes
from muemg.separation._verdict import LEAST_SURVIVAL, MOST_IRREGULAR, judge
from muemg.spikes import SpikeTrains

__all__ = ["FastICA"]

_MIN_INTERVAL = 10e-3  # s between two discharges of one unit
_TOLERANCE = 1e-3  # s by which one discharge may be seen earlier or later
_MUAP_WINDOW = 50e-3  # s, centred on the discharge
_N_FIT = 20_480  # samples on which the contrast is learned
_REMNANT = 0.6  # CoV of intervals from which a train may be what is left of another
_SAME_POTENTIAL = 0.9  # correlation of two templates at the best lag
_MOST_SETTLING = 4  # joint fits after the last pass
_SETTLED = 0.98  # agreement of a train with itself one fit earlier
_EMPTY_PASSES = 2  # passes without a new unit after which the search ends
_LEAST_REFINED = 0.8  # silhouette of a candidate to enter the joint fit
_LEAST_NEW = 0.9  # held-out silhouette of a new unit to be removed from the signal for the first time
_LEAST_KEPT = 0.8  # held-out silhouette of a unit to stay in it


@dataclass(frozen=True)
class FastICA:
    """Convolutive fastICA of a high-density EMG recording.

    Parameters
    ----------
    contrast : str
        ``"skewness"``, ``"kurtosis"`` or ``"log_cosh"``.
    n_delays : int, optional
        Delayed copies of each channel (extension factor R); by default some 1000 channels × delays in all.
    low, high : float
        Pass band in Hz; the upper edge is kept below the Nyquist frequency.
    n_starts : int
        Sources iterated together.
    n_rounds : int
        Most blocks of starts per pass.
    n_iterations : int
        Fixed-point iterations per block.
    max_passes : int
        Most passes over the residual.
    min_spikes : int
        Least discharges of a unit.
    min_silhouette : float
        Silhouette from which a unit is accepted.
    accepted_only : bool
        Whether units that are not accepted are left out of the result.
    n_threads : int, optional
        Threads for linear algebra and compiled loops, by default as many as cores.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range.

    References
    ----------
    Negro et al. 2016 (10.1088/1741-2560/13/2/026027), Chen & Zhou 2016 (peel-off), Hyvärinen 1999 (fixed point).
    """

    contrast: str = "skewness"
    n_delays: int | None = None
    low: float = 20.0
    high: float = 500.0
    n_starts: int = 96
    n_rounds: int = 4
    n_iterations: int = 8
    max_passes: int = 6
    min_spikes: int = 20
    min_silhouette: float = 0.9
    accepted_only: bool = True
    n_threads: int | None = None

    def __post_init__(self) -> None:
        check_option("contrast", self.contrast, CONTRASTS)
        check_positive("low", self.low, "Hz")
        check_positive("high", self.high, "Hz")
        for name in ("n_starts", "n_rounds", "n_iterations", "max_passes"):
            check_count(name, getattr(self, name))
        check_count("min_spikes", self.min_spikes, minimum=3)
        check_fraction("min_silhouette", self.min_silhouette)
        for name in ("n_delays", "n_threads"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))

    def decompose(
        self, recording: Recording, *, seed: int = 0, progress: Callable[[float, str], None] | None = None
    ) -> Decomposition:
        """Separate a recording into motor units.

        Parameters
        ----------
        recording : Recording
        seed : int
            Recorded with the result. Nothing is drawn at random: starts are the most active samples, and the contrast
            is learned from evenly spread ones.
        progress : callable(float, str), optional
            Told the share done and what is being done.

        Returns
        -------
        Decomposition

        Raises
        ------
        UnusableRecordingError
            If every channel is bad or the recording is shorter than its extension.
        InvalidArgumentError
            If the argument is not a `Recording` or the seed not an integer ≥ 0.
        """
        check_instance("recording", recording, Recording, "muemg.read(path).recording gives one")
        check_count("seed", seed, minimum=0)
        tell = progress or (lambda share, text: None)
        with _threads(self.n_threads):
            tell(0.0, "filtering")
            prepared = prepare(recording, low=self.low, high=self.high)
            return _Run(self, recording, prepared, seed, tell).result()

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return asdict(self)


class _Run:
    """One separation under way: the signal, what is left of it, and the units so far."""

    def __init__(
        self,
        parameters: FastICA,
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
        self.n_delays = parameters.n_delays or extension_factor(n_channels, rate)
        if n_samples < self.n_delays * n_channels:
            raise UnusableRecordingError(
                f"the recording's {n_samples} samples are fewer than its {n_channels} channels × "
                f"{self.n_delays} delays; record longer, or pass a smaller n_delays"
            )
        self.n_lags = 2 * max(round(_MUAP_WINDOW * rate / 2), self.n_delays)
        self.offset = self.n_lags // 2
        self.settings = SearchSettings(
            sampling_rate=rate,
            contrast=parameters.contrast,
            n_starts=parameters.n_starts,
            n_rounds=parameters.n_rounds,
            n_iterations=parameters.n_iterations,
            n_fit=_N_FIT,
            min_spikes=parameters.min_spikes,
            min_distance=max(1, round(_MIN_INTERVAL * rate)),
            tolerance=max(1, round(_TOLERANCE * rate)),
            reach=self.n_lags,
        )
        self.trains: list[np.ndarray] = []
        self.templates = np.zeros((0, self.n_lags, n_channels), dtype=np.float32)
        self.peeled: list[np.ndarray] = []  # the trains that were taken out of the signal
        self.signal = Extended.of(prepared.signal.T, self.n_delays)
        self.passes = 0
        self.empty_passes = 0
        self.exhausted = False
        self.floor = 0.0
        self.plain: Whitening  # of the signal, nothing removed: the first pass makes it

    def result(self) -> Decomposition:
        """Pass after pass until one brings nothing new; then the units, best first."""
        while self.passes < self.parameters.max_passes and not self.exhausted:
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
        notes = list(self.prepared.notes)
        if not self.exhausted:
            notes.append(f"stopped after max_passes = {self.passes} passes while still finding units")
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
        used = self.parameters.to_dict() | {"n_delays": self.n_delays}
        return {"method": "fastica", "seed": self.seed, "version": __version__, **used}

    def _seen_plainly(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Trains and silhouettes of the units' linear filters on the signal, nothing removed."""
        responses, delays = best_responses(self.templates, self.plain, self.n_delays, self.offset)
        filters, _ = self.plain.filters(responses)
        trains, silhouettes = detect_spikes(self.signal.filter(filters), self.settings.min_distance)
        return [train - delay for train, delay in zip(trains, delays)], silhouettes

    def _pass(self) -> None:
        self._say("whitening")
        whitening, self.floor = whiten(self.signal.covariance())
        if self.passes == 0:
            self.plain = whitening
        self._say("searching")
        candidates = search(self.signal, whitening, self.trains, self.settings, self.passes)
        candidates, silhouettes = refine(self.signal, whitening, candidates, self.settings)
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
            self._fit()
        self.empty_passes = 0 if len(self.trains) > n_before else self.empty_passes + 1
        self.exhausted = self.empty_passes == _EMPTY_PASSES

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
        self.trains = [trains[i] for i in sorted(keep) if not self._is_remnant(i, trains, alike[i])]

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


class _threads:
    """Linear algebra and compiled loops on the same number of threads, never one pool inside the other."""

    def __init__(self, n_threads: int | None) -> None:
        self.n_threads = n_threads

    def __enter__(self) -> None:
        import os

        import numba
        from threadpoolctl import threadpool_limits

        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        n_threads = min(self.n_threads or available, numba.config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
        self._numba_before = numba.get_num_threads()
        numba.set_num_threads(n_threads)
        self._limits = threadpool_limits(limits=n_threads, user_api="blas")

    def __exit__(self, *exc: object) -> None:
        import numba

        numba.set_num_threads(self._numba_before)
        self._limits.restore_original_limits()
