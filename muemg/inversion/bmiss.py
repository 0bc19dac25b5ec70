"""BMISS: motor units found together with their anatomy, by inverting the forward model.

One pass over what is left of the signal: a blind search, and from the second pass on an ascent over the model
from a bank of motor units that could be (`bank`, `candidates`, `ascent`); the potentials of all units by joint
least squares; their parameters by Gauss–Newton in the metric of the noise (`gauss_newton`, `noise`);
potentials and filters that leave the model only as far as the data demand (`correction`); every unit detected
again with the others removed, by height and rhythm (`rhythm`). Passes go on until one adds nothing. At the end
each unit carries its parameters with intervals (`intervals`). `_informed` puts these together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from muemg.errors import (
    InvalidArgumentError,
    check_count,
    check_fraction,
    check_instance,
    check_positive,
)
from muemg.inversion._informed import InformedRun
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation import FastICA
from muemg.separation._preparation import prepare
from muemg.separation._threads import threads

if TYPE_CHECKING:
    from forward_models import VolumeConductor

__all__ = ["BMISS"]


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
    ascent : bool
        Whether these starts are followed, or stay the bank's own filters.
    blind_starts : bool
        Whether a blind search adds its candidates to those of the bank (hybrid).
    correct : bool
        Whether potentials and filters are blended with the model's, or are the data's alone.
    n_delays : int, optional
        Delayed copies of each channel (extension factor R); by default as many as in a blind separation.
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
    n_bank: int = 2048
    n_starts: int = 24
    ascent: bool = True
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
        with threads(self.n_threads):
            prepared = prepare(recording, low=self.low, high=self.high)
            return InformedRun(self, recording, prepared, seed, tell).result()

    def blind(self) -> FastICA:
        """The blind separation whose joint fit, peel-off and verdicts this one shares."""
        return FastICA(
            n_delays=self.n_delays,
            low=self.low,
            high=self.high,
            max_passes=self.max_passes,
            min_gain=0.0,
            min_spikes=self.min_spikes,
            min_silhouette=self.min_silhouette,
            accepted_only=self.accepted_only,
        )

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values; of the conductor its name."""
        values = {name: value for name, value in vars(self).items() if name != "conductor"}
        return values | {"conductor": type(self.conductor).__name__}
