"""One separation under way whose candidates, potentials and verdicts know of the model.

A pass begins with a blind search; from the second on, the strong units gone, the model adds its own candidates
(`candidates`). The potentials of all units by joint least squares are blended with those of the model
(`gauss_newton`, `correction`) and taken out of the signal; every unit is detected again without the others, and
trains are brought into rhythm (`rhythm`). Joint fit, peel-off, splitting of double trains and the other verdicts
are those of the blind separation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from muemg import __version__
from muemg._table import Table
from muemg.errors import InvalidArgumentError
from muemg.inversion.bank import Bank
from muemg.inversion.candidates import candidates
from muemg.inversion.correction import held_out, share_to_trust, unexplained_share
from muemg.inversion.gauss_newton import Fit, fit_parameters
from muemg.inversion.intervals import anatomy
from muemg.inversion.noise import Noise
from muemg.inversion.parameters import PARAMETERS
from muemg.inversion.rhythm import expected_agreement, regular_train
from muemg.inversion.unit_model import UnitModel
from muemg.metrics.quality import cov_isi, mean_discharge_rate
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._cancellation import Redetection, best_responses
from muemg.separation._extension import Whitening, whiten, whiten_above, whiten_within
from muemg.separation._preparation import Prepared
from muemg.separation._run import Run
from muemg.separation._search import refine, search
from muemg.separation._templates import add_templates, fit_templates
from muemg.separation._trains import is_new, shared_spikes

if TYPE_CHECKING:
    from muemg.inversion.bmiss import BMISS

__all__ = ["InformedRun"]

_LEAST_REFINED = 0.8  # silhouette of a candidate to enter the joint fit
# Share of a potential left by the model above which a new unit is not removed from the signal.
_HOPELESS = 0.6
_SAME = 0.5  # share of common discharges from which a unit keeps the parameters it was given
# Gauss–Newton steps of a unit when it is new, at every later fit, and at the end.
_FIRST_STEPS, _LATER_STEPS, _LAST_STEPS = 4, 1, 5
_SETTLED = 0.98  # agreement of a train with itself one fit earlier from which its parameters stay
_RHYTHMIC = 0.8  # expected agreement from which a train's rhythm can be trusted to mend it
_MANY = 15  # discharges whose rhythm is evidence
_CONFIRMED = 0.9  # silhouette and survival that it is worth
_LEAST_EXPECTED = 0.9  # expected agreement of an accepted unit
_FIRM = 0.95  # expected agreement of a unit that is believed though it shows only with the others removed
_MISFIT = 0.3  # share of a typical potential left by the model from which a note is made


class InformedRun(Run):
    """The signal, what is left of it, and the units so far with their parameters."""

    def __init__(
        self,
        informed: BMISS,
        recording: Recording,
        prepared: Prepared,
        seed: int,
        tell: Callable[[float, str], None],
    ) -> None:
        from forward_models import ForwardModelError

        super().__init__(informed.blind(), recording, prepared, seed, tell)
        self.informed = informed
        self.generator = np.random.default_rng(seed)
        tell(0.02, "computing the bank of motor units")
        electrodes = recording.select_channels(prepared.channels).electrodes
        if informed.conductor is None or electrodes is None:
            raise InvalidArgumentError(
                "a conductor and the electrodes on it are needed to compute potentials"
            )
        try:
            self.model = UnitModel.make(
                informed.conductor,
                electrodes,
                recording.sampling_rate,
                n_lags=self.n_lags,
                offset=self.offset,
                low=informed.low,
                high=informed.high,
            )
            self.bank = Bank.make(self.model, informed.n_bank, self.n_delays, self.spacing, seed=seed)
        except ForwardModelError as error:
            raise InvalidArgumentError(f"the conductor does not fit the electrodes: {error}") from error
        self.modelled = self.templates
        self.share = np.zeros(0)
        self.unexplained = np.zeros(0)
        self.delays = np.zeros(0, dtype=np.int64)  # from discharge to the end of the filter's window
        # Unbounded θ and latency that a train was given, to start from when it comes again.
        self.places: list[tuple[np.ndarray, np.ndarray]] = []

    def result(self) -> Decomposition:
        """The units that the passes leave, their trains brought into rhythm, with their anatomy, best first."""
        found = super().result()
        self.tell(0.99, "fitting the anatomy")
        if not len(found):
            return replace(found, anatomy=Table({}))
        rate = self.settings.sampling_rate
        trains = [regular_train(source, train, rate) for source, train in zip(found.sources, found.spikes)]
        found = replace(
            found,
            spikes=replace(found.spikes, samples=tuple(trains)),
            quality=self._judged(found.quality, trains),
        )
        templates = fit_templates(self.signal.by_sample, trains, self.n_lags, self.offset)
        add_templates(self.signal.by_sample, templates, trains, self.offset, sign=-1)
        noise = Noise.of(self.signal.by_sample, self.n_lags)
        muaps, n_spikes = templates.transpose(0, 2, 1), np.array([len(train) for train in trains])
        fit = self._fit_model(trains, muaps, noise, n_spikes, n_iterations=_LAST_STEPS)
        table = anatomy(self.model, fit, muaps, noise)
        unexplained = unexplained_share(
            templates, fit.muaps.transpose(0, 2, 1), n_spikes, float(np.mean(self.signal.by_sample**2))
        )
        volts = np.full(found.muaps.shape, np.nan, dtype=np.float32)
        volts[:, self.prepared.channels] = muaps * self.prepared.scale
        amplitude = table["amplitude"] * self.prepared.scale
        whole = replace(
            found,
            muaps=volts,
            anatomy=Table({**table, "amplitude": amplitude, "unexplained": unexplained}),
        )
        typical = float(np.median(unexplained))
        if typical > _MISFIT:
            note = (
                f"the model leaves {100 * typical:.0f} % of a typical potential: the conductor may be wrong"
            )
            whole = replace(whole, notes=(*whole.notes, note))
        if not self.informed.accepted_only:
            return whole
        kept = whole.select_units(np.flatnonzero(whole.quality["accepted"]))
        return replace(kept, spikes=replace(kept.spikes, unit_ids=()))

    def _judged(self, quality: Table, trains: list[np.ndarray]) -> Table:
        """The verdicts on trains brought into rhythm: one whose intervals tell of mistakes is not believed."""
        rate = self.settings.sampling_rate
        expected = np.array([expected_agreement(train) for train in trains])
        doubtful = expected < _LEAST_EXPECTED
        reason = "intervals of a train with mistakes"
        verdict = [
            str(text) if not bad else reason if text == "accepted" else f"{text}; {reason}"
            for text, bad in zip(quality["verdict"], doubtful)
        ]
        again = {
            "cov_isi": np.array([cov_isi(train, rate) for train in trains]),
            "rate": np.array([mean_discharge_rate(train, rate) for train in trains]),
            "n_spikes": np.array([len(train) for train in trains]),
            "expected_agreement": expected,
            "accepted": quality["accepted"] & ~doubtful,
            "verdict": np.array(verdict),
        }
        return Table({**quality, **again})

    def _provenance(self) -> dict[str, Any]:
        used = self.informed.to_dict() | {"n_delays": self.n_delays}
        return {"method": "bmiss", "seed": self.seed, "version": __version__, **used}

    def _pass(self) -> None:
        self._say("whitening")
        covariance = self.signal.covariance()
        if self.passes == 0:
            self.plain, self.floor = whiten(covariance.copy())
        whitening = self.plain if self.passes == 0 else whiten_within(covariance, self.plain)
        fresh = self._fresh(whitening, covariance)
        n_before = len(self.trains)
        self.trains = self.trains + fresh
        self.passes += 1
        if fresh:
            self._say("fitting all units together")
            self._fit()
            self._keep(self._redetect(), n_before)
            self._peel_again()
        self.exhausted = len(self.trains) == n_before and (self.passes > 1 or not self.informed.blind_starts)

    def _fresh(self, whitening: Whitening, covariance: np.ndarray) -> list[np.ndarray]:
        """New trains: of a blind search, and from the second pass on, the strong units gone, of the model."""
        found: list[np.ndarray] = []
        silhouettes = np.zeros(0)
        if self.informed.blind_starts:
            self._say("searching blindly")
            converge = self.parameters.converge
            blind, _ = search(self.signal, whitening, self.trains, self.settings, self.passes, converge)
            found, silhouettes = refine(self.signal, whitening, blind, self.settings)
        if self.passes or not self.informed.blind_starts:
            self._say("searching from the model")
            ends = candidates(
                self.signal,
                covariance,
                self.model,
                self.bank,
                self.trains,
                self.settings,
                self.generator,
                n_starts=self.informed.n_starts,
                ascent=self.informed.ascent,
                floor=self.floor,
            )
            found = found + ends.trains
            silhouettes = np.concatenate([silhouettes, ends.silhouettes])
            self.places += [
                (train, np.append(u, t)) for train, u, t in zip(ends.trains, ends.unbounded, ends.latency)
            ]
        fresh: list[np.ndarray] = []
        for i in np.argsort(-silhouettes):
            if silhouettes[i] >= _LEAST_REFINED and is_new(
                found[i], self.trains + fresh, self.settings.tolerance, self.settings.reach
            ):
                fresh.append(found[i])
        return fresh

    def _fit(self) -> None:
        """Potentials of all units together, blended with the model's, and taken out of the signal."""
        self._restore()
        self.templates = self._fit_templates()
        self._align()
        n_units = len(self.trains)
        self.share, self.modelled, self.unexplained = np.ones(n_units), self.templates, np.zeros(n_units)
        self.delays = np.zeros(n_units, dtype=np.int64)
        by_sample = self.signal.by_sample
        add_templates(by_sample, self.templates, self.trains, self.offset, sign=-1)
        self.peeled = self.trains
        if not (self.informed.correct and n_units):
            return
        self.modelled = self._modelled()
        n_spikes = np.array([len(train) for train in self.trains])
        noise = float(np.mean(np.square(by_sample)))
        self.unexplained = unexplained_share(self.templates, self.modelled, n_spikes, noise)
        whitening = whiten_above(self.signal.covariance(), self.floor)
        _, self.delays = best_responses(self.templates, whitening, self.n_delays, self.offset, self.spacing)
        missing = self.templates - self.modelled
        self.share = share_to_trust(self._whitened(missing, whitening), whitening.rank / n_spikes)
        share = self.share[:, None, None].astype(np.float32)
        # Back comes what of the departure from the model is not trusted.
        add_templates(by_sample, (1 - share) * missing, self.trains, self.offset)
        self.templates = self.modelled + share * missing

    def _peel_again(self) -> None:
        super()._peel_again()
        if self.parents is not None:
            for name in ("modelled", "share", "unexplained", "delays"):
                setattr(self, name, getattr(self, name)[self.parents])

    def _modelled(self) -> np.ndarray:
        """The model's potential of every unit, fitted to its own."""
        noise = Noise.of(self.signal.by_sample, self.n_lags)
        n_spikes = np.array([len(train) for train in self.trains])
        muaps = self.templates.transpose(0, 2, 1)
        fit = self._fit_model(self.trains, muaps, noise, n_spikes, n_iterations=_LATER_STEPS)
        self.places = [
            (train, np.append(u, t)) for train, u, t in zip(self.trains, fit.unbounded, fit.latency)
        ]
        return np.ascontiguousarray(fit.muaps.transpose(0, 2, 1))

    def _fit_model(
        self,
        trains: list[np.ndarray],
        muaps: np.ndarray,
        noise: Noise,
        n_spikes: np.ndarray,
        *,
        n_iterations: int,
    ) -> Fit:
        """θ of every train: from what it was given when it was last seen, else from the bank and in more steps."""
        known = [train for train, _ in self.places]
        starts = np.zeros((len(trains), len(PARAMETERS) + 1))
        agreement = np.zeros(len(trains))
        for i, train in enumerate(trains):
            alike, overlap = shared_spikes(train, known, self.settings.tolerance, 0)
            if len(overlap) and overlap.max() > _SAME:
                starts[i], agreement[i] = self.places[int(np.argmax(overlap))][1], max(alike.max(), 0.01)
        muap = np.empty_like(muaps)
        ends, gain, cosine = starts.copy(), np.zeros(len(trains)), np.zeros(len(trains))
        new, settled = agreement == 0, (agreement > _SETTLED) & (n_iterations == _LATER_STEPS)
        for rows, n_steps in (
            (new, max(_FIRST_STEPS, n_iterations)),
            (settled, 0),
            (~new & ~settled, n_iterations),
        ):
            if rows.any():
                place = None if n_steps and rows is new else (starts[rows, :-1], starts[rows, -1])
                fit = fit_parameters(
                    self.model,
                    self.bank,
                    muaps[rows],
                    noise,
                    n_spikes[rows],
                    start=place,
                    n_starts=1,
                    n_iterations=n_steps,
                    other_lengths=n_iterations == _LAST_STEPS,
                )
                ends[rows] = np.column_stack([fit.unbounded, fit.latency])
                muap[rows], gain[rows], cosine[rows] = fit.muaps, fit.gain, fit.cosine
        return Fit(ends[:, :-1], ends[:, -1], gain, muap, cosine)

    def _whitened(self, potentials: np.ndarray, whitening: Whitening) -> np.ndarray:
        """Responses in the windows that the units' filters use, whitened, shape (n_units, rank)."""
        span = self.signal.span
        padded = np.pad(potentials, ((0, 0), (span, span), (0, 0)))
        last = span + self.offset + self.delays
        samples = last[:, None] - self.spacing * np.arange(self.n_delays)[::-1]
        responses = np.take_along_axis(padded, samples[:, :, None], axis=1).reshape(len(padded), -1)
        return responses.astype(np.float32) @ whitening.matrix.T

    def _redetect(self) -> Redetection:
        """Every unit detected again without the others; silhouettes and survival held out with the model's help."""
        seen = super()._redetect()
        if not (self.informed.correct and len(seen.trains)):
            return seen
        whitening = whiten_above(self.signal.covariance(), self.floor)
        modelled = self._whitened(self.modelled, whitening)
        judged = np.array(
            [
                held_out(
                    seen.alone(i),
                    modelled[i],
                    self.share[i],
                    seen.sources[i],
                    train,
                    self.settings.sampling_rate,
                )
                for i, train in enumerate(seen.trains)
            ]
        )
        # Regular discharges confirm one another: peaks picked from noise have no rhythm.
        rhythmic = np.array(
            [len(train) >= _MANY and expected_agreement(train) >= _LEAST_EXPECTED for train in seen.trains]
        )
        held, survival = np.where(rhythmic[:, None], np.maximum(judged, _CONFIRMED), judged).T
        return replace(seen, held_out=held, survival=survival)

    def _seen_plainly(self) -> tuple[list[np.ndarray], np.ndarray]:
        """As without a model, but a unit of firm rhythm needs no witness on the untouched signal."""
        trains, silhouettes = super()._seen_plainly()
        firm = [len(own) >= _MANY and expected_agreement(own) >= _FIRM for own in self.trains]
        return [own if sure else plain for own, plain, sure in zip(self.trains, trains, firm)], silhouettes

    def _keep(self, seen: Redetection, n_known: int) -> None:
        """As without a model, but no new unit that no territory explains; and trains are brought into rhythm."""
        hopeless = (np.arange(len(seen.trains)) >= n_known) & (self.unexplained > _HOPELESS)
        super()._keep(replace(seen, held_out=np.where(hopeless, 0.0, seen.held_out)), n_known)
        source_of = {id(train): source for train, source in zip(seen.trains, seen.sources)}
        self.trains = [
            regular_train(source_of[id(train)], train, self.settings.sampling_rate)
            if id(train) in source_of and expected_agreement(train) > _RHYTHMIC
            else train
            for train in self.trains
        ]
