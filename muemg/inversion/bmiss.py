"""BMISS: motor units found together with their anatomy, by inverting the forward model.

One pass over what is left of the signal: starts from a bank of motor units that could be (`bank`,
`candidates`) and, if wanted, from a blind search; refinement; the potentials of all units by joint least
squares; their parameters by Gauss–Newton (`gauss_newton`); potentials and filters that leave the model only
as far as the data demand (`correction`); every unit detected again with the others removed. Passes go on
until one adds nothing. At the end each unit carries its parameters with intervals (`intervals`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from muemg import __version__
from muemg._table import Table
from muemg.errors import (
    InvalidArgumentError,
    check_count,
    check_fraction,
    check_instance,
    check_positive,
)
from muemg.inversion.bank import Bank
from muemg.inversion.candidates import candidates
from muemg.inversion.correction import (
    held_out,
    most_unexplained,
    share_to_trust,
    unexplained_share,
)
from muemg.inversion.gauss_newton import fit_parameters
from muemg.inversion.intervals import anatomy
from muemg.inversion.unit_model import UnitModel
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._cancellation import Redetection, best_responses
from muemg.separation._extension import Whitening, whiten, whiten_above
from muemg.separation._preparation import Prepared, prepare
from muemg.separation._search import refine, search
from muemg.separation._templates import add_templates
from muemg.separation._trains import is_new, shared_spikes
from muemg.separation.fastica import FastICA, _Run, _threads

if TYPE_CHECKING:
    from forward_models import VolumeConductor

__all__ = ["BMISS"]

_LEAST_REFINED = 0.8  # silhouette of a candidate to enter the joint fit
_HOPELESS = (
    0.4  # share of a new unit's potential left by the model above which it is not removed from the signal
)
_SAME = 0.5  # share of common discharges from which a unit keeps the parameters it was given
_EMPTY_PASSES = 2  # passes without a new unit after which the search ends


@dataclass(frozen=True, eq=False)
class BMISS:
    """Separation informed by a forward model.

    Parameters
    ----------
    conductor : VolumeConductor
        Tissue under the electrodes, of `forward_models`; the recording must have electrodes that lie on it.
    n_bank : int
        Motor units in the bank.
    n_starts : int
        Members of the bank followed in each pass.
    n_iterations : int
        Fixed-point steps from each start; 0 keeps to the bank's own filters.
    blind_starts : bool
        Whether a blind search adds its candidates to those of the bank (hybrid).
    correct : bool
        Whether potentials and filters are blended with the model's, or are the data's alone.
    n_delays : int, optional
        Delayed copies of each channel (extension factor R); by default some 1000 channels × delays in all.
    low, high : float
        Pass band in Hz.
    max_passes : int
        Most passes over the residual.
    min_spikes : int
        Least discharges of a unit.
    min_silhouette : float
        Held-out silhouette from which a unit is accepted.
    accepted_only : bool
        Whether units that are not accepted are left out of the result.
    n_threads : int, optional
        Threads for linear algebra and compiled loops, by default as many as cores.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range, or `conductor` is missing.

    References
    ----------
    Halatsis, Mamidanna, Pereira & Farina 2025 (arXiv 2510.17822); Negro et al. 2016; Chen & Zhou 2016 (peel-off).
    """

    conductor: VolumeConductor | None = None
    n_bank: int = 4096
    n_starts: int = 64
    n_iterations: int = 6
    blind_starts: bool = True
    correct: bool = True
    n_delays: int | None = None
    low: float = 20.0
    high: float = 500.0
    max_passes: int = 6
    min_spikes: int = 10
    min_silhouette: float = 0.9
    accepted_only: bool = True
    n_threads: int | None = None

    def __post_init__(self) -> None:
        from forward_models import VolumeConductor

        if not isinstance(self.conductor, VolumeConductor):
            raise InvalidArgumentError(
                "conductor must be a VolumeConductor of forward_models, such as forward_models.presets.planar(); got "
                f"{type(self.conductor).__name__}"
            )
        check_positive("low", self.low, "Hz")
        check_positive("high", self.high, "Hz")
        for name in ("n_bank", "n_starts", "max_passes"):
            check_count(name, getattr(self, name))
        check_count("n_iterations", self.n_iterations, minimum=0)
        check_count("min_spikes", self.min_spikes, minimum=3)
        check_fraction("min_silhouette", self.min_silhouette)
        for name in ("n_delays", "n_threads"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))

    def decompose(
        self, recording: Recording, *, seed: int = 0, progress: Callable[[float, str], None] | None = None
    ) -> Decomposition:
        """Separate a recording into motor units with their anatomy.

        Parameters
        ----------
        recording : Recording
            With electrodes in the conductor's frame.
        seed : int
            The same seed gives the same result on the same machine.
        progress : callable(float, str), optional
            Told the share done and what is being done.

        Returns
        -------
        Decomposition
            ``anatomy`` holds each unit's parameters with 95 % intervals.

        Raises
        ------
        UnusableRecordingError
            If every channel is bad or the recording is shorter than its extension.
        InvalidArgumentError
            If the recording has no electrodes, or they do not lie on the conductor.
        """
        check_instance("recording", recording, Recording, "muemg.read(path).recording gives one")
        check_count("seed", seed, minimum=0)
        if recording.electrodes is None:
            raise InvalidArgumentError(
                "recording must have electrodes: without their places no model can be inverted"
            )
        tell = progress or (lambda share, text: None)
        tell(0.0, "filtering")
        with _threads(self.n_threads):
            prepared = prepare(recording, low=self.low, high=self.high)
            return _InformedRun(self, recording, prepared, seed, tell).result()

    def blind(self) -> FastICA:
        """The blind separation whose joint fit, peel-off and verdicts this one shares."""
        return FastICA(
            n_delays=self.n_delays,
            low=self.low,
            high=self.high,
            max_passes=self.max_passes,
            min_spikes=self.min_spikes,
            min_silhouette=self.min_silhouette,
            accepted_only=self.accepted_only,
        )

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values; of the conductor its name."""
        values = {name: value for name, value in vars(self).items() if name != "conductor"}
        return values | {"conductor": type(self.conductor).__name__}


class _InformedRun(_Run):
    """A separation under way whose candidates, potentials and judgement know of the model.

    Joint fit, peel-off, splitting of double trains and verdicts are those of the blind separation.
    """

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
            self.bank = Bank.make(self.model, informed.n_bank, self.n_delays, seed=seed)
        except ForwardModelError as error:
            raise InvalidArgumentError(f"the conductor does not fit the electrodes: {error}") from error
        self.modelled = self.templates
        self.share = np.zeros(0)
        self.unexplained = np.zeros(0)
        # Unbounded θ and latency that a train was given, to start from when it comes again.
        self.places: list[tuple[np.ndarray, np.ndarray]] = []

    def result(self) -> Decomposition:
        """The units that the passes leave, with their anatomy, best first."""
        found = super().result()
        self.tell(0.99, "fitting the anatomy")
        muaps = found.muaps[:, self.prepared.channels] / self.prepared.scale
        if not len(found):
            return replace(found, anatomy=Table({}))
        fit = fit_parameters(self.model, self.bank, muaps, n_starts=2, n_iterations=8)
        table = anatomy(self.model, fit, muaps)
        left = self.prepared.signal.T.copy()
        templates = np.ascontiguousarray(muaps.transpose(0, 2, 1))
        add_templates(left, templates, list(found.spikes), self.offset, sign=-1)
        modelled = fit.muaps.transpose(0, 2, 1)
        unexplained = unexplained_share(templates, modelled, found.spikes.n_spikes, float(np.mean(left**2)))
        amplitude = table["amplitude"] * self.prepared.scale
        whole = replace(
            found,
            anatomy=Table({**table, "amplitude": amplitude, "unexplained": unexplained}),
            quality=self._doubted(found.quality, unexplained),
        )
        typical = float(np.median(unexplained))
        if typical > most_unexplained(np.zeros(1)):
            note = (
                f"the model leaves {100 * typical:.0f} % of a typical potential: the conductor may be wrong"
            )
            whole = replace(whole, notes=(*whole.notes, note))
        if not self.informed.accepted_only:
            return whole
        kept = whole.select_units(np.flatnonzero(whole.quality["accepted"]))
        return replace(kept, spikes=replace(kept.spikes, unit_ids=()))

    def _provenance(self) -> dict[str, Any]:
        used = self.informed.to_dict() | {"n_delays": self.n_delays}
        return {"method": "bmiss", "seed": self.seed, "version": __version__, **used}

    def _doubted(self, quality: Table, unexplained: np.ndarray) -> Table:
        """The verdicts, with doubts about units that the model explains much worse than the others."""
        if not self.informed.correct:
            return quality
        worse = unexplained > most_unexplained(unexplained[quality["accepted"]])
        reason = "potential unlike any unit of the model"
        verdict = [
            str(text) if not bad else reason if text == "accepted" else f"{text}; {reason}"
            for text, bad in zip(quality["verdict"], worse)
        ]
        accepted = quality["accepted"] & ~worse
        return Table({**quality, "accepted": accepted, "verdict": np.array(verdict)})

    def _pass(self) -> None:
        self._say("whitening")
        covariance = self.signal.covariance()
        whitening, self.floor = whiten(covariance.copy())
        if self.passes == 0:
            self.plain = whitening
        self._say("searching from the model")
        found = candidates(
            self.signal,
            covariance,
            whitening,
            self.bank,
            self.trains,
            self.settings,
            self.generator,
            n_starts=self.informed.n_starts,
            n_iterations=self.informed.n_iterations,
            floor=self.floor,
        )
        if self.informed.blind_starts:
            self._say("searching blindly")
            found += search(self.signal, whitening, self.trains + found, self.settings, self.passes)
        found, silhouettes = refine(self.signal, whitening, found, self.settings)
        fresh: list[np.ndarray] = []
        for i in np.argsort(-silhouettes):
            if silhouettes[i] >= _LEAST_REFINED and is_new(
                found[i], self.trains + fresh, self.settings.tolerance, self.settings.reach
            ):
                fresh.append(found[i])
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

    def _fit(self) -> None:
        """Potentials of all units together, blended with the model's, and taken out of the signal."""
        self._restore()
        self.templates = self._fit_templates()
        self._align()
        n_units = len(self.trains)
        self.share, self.modelled, self.unexplained = np.ones(n_units), self.templates, np.zeros(n_units)
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
        missing = self.templates - self.modelled
        self.share = share_to_trust(self._whitened(missing, whitening), whitening.rank / n_spikes)
        share = self.share[:, None, None].astype(np.float32)
        # Back comes what of the departure from the model is not trusted.
        add_templates(by_sample, (1 - share) * missing, self.trains, self.offset)
        self.templates = self.modelled + share * missing

    def _modelled(self) -> np.ndarray:
        """The model's potential of every unit, scaled to its own; units seen for the first time are fitted."""
        places: list[np.ndarray | None] = []
        known = [train for train, _ in self.places]
        for train in self.trains:
            overlap = shared_spikes(train, known, self.settings.tolerance, 0)[1]
            places.append(
                self.places[int(np.argmax(overlap))][1] if len(overlap) and overlap.max() > _SAME else None
            )
        new = [i for i, place in enumerate(places) if place is None]
        if new:
            muaps = self.templates[new].transpose(0, 2, 1)
            fit = fit_parameters(self.model, self.bank, muaps, n_starts=1, n_iterations=4)
            for row, i in enumerate(new):
                places[i] = np.append(fit.unbounded[row], fit.latency[row])
        table = np.array(places, dtype=float)
        self.places = list(zip(self.trains, table))
        shapes = self.model.muaps(table[:, :-1], table[:, -1]).transpose(0, 2, 1)
        gain = np.einsum("ulc,ulc->u", shapes, self.templates) / np.einsum("ulc,ulc->u", shapes, shapes)
        return np.ascontiguousarray(np.maximum(gain, 0)[:, None, None] * shapes, dtype=np.float32)

    def _whitened(self, potentials: np.ndarray, whitening: Whitening) -> np.ndarray:
        """Responses in the windows that the units' filters use, whitened, shape (n_units, rank)."""
        _, delays = best_responses(self.templates, whitening, self.n_delays, self.offset)
        padded = np.pad(potentials, ((0, 0), (self.n_delays, self.n_delays), (0, 0)))
        first = self.offset + delays + 1  # of R samples that end at the discharge + delay
        samples = first[:, None] + np.arange(self.n_delays)
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
        return replace(seen, held_out=judged[:, 0], survival=judged[:, 1])

    def _keep(self, seen: Redetection, n_known: int) -> None:
        """As without a model, but a new unit that no territory explains at all is dropped."""
        hopeless = (np.arange(len(seen.trains)) >= n_known) & (self.unexplained > _HOPELESS)
        super()._keep(replace(seen, held_out=np.where(hopeless, 0.0, seen.held_out)), n_known)
