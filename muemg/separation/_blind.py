"""What every blind method shares: its parameters, their checks, and the entry point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from muemg.errors import check_count, check_fraction, check_instance, check_positive
from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._preparation import prepare
from muemg.separation._run import Run
from muemg.separation._threads import threads

__all__ = ["BlindSeparation", "Checks", "optional"]

Checks = dict[str, Callable[[str, Any], Any]]


def optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """A check that lets None pass."""
    return lambda name, value: None if value is None else check(name, value)


@dataclass(frozen=True, kw_only=True)
class BlindSeparation:
    """Parameters of a blind separation and how it is run; `FastICA` and `CKC` say how a source is found.

    Parameters
    ----------
    n_delays : int, optional
        Delayed copies of each channel (extension factor R); by default some 1000 channels × delays in all, fewer for
        a short recording.
    delay_spacing : int, optional
        Samples from one delayed copy to the next; by default as many as the pass band allows (Nyquist), so that
        the same number of copies covers more of an action potential.
    low, high : float
        Pass band in Hz; the upper edge is kept below the Nyquist frequency.
    n_starts : int
        Sources iterated together.
    n_rounds : int
        Most blocks of starts per pass.
    n_iterations : int
        Iterations per block.
    max_passes : int
        Most passes over the residual.
    min_gain : float
        New units, as a share of those already known, that a pass must bring for another to follow; 0 goes on until a
        pass brings none.
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
    """

    n_delays: int | None = None
    delay_spacing: int | None = None
    low: float = 20.0
    high: float = 500.0
    n_starts: int = 64
    n_rounds: int = 2
    n_iterations: int = 6
    max_passes: int = 12
    min_gain: float = 0.2
    min_spikes: int = 20
    min_silhouette: float = 0.9
    accepted_only: bool = True
    n_threads: int | None = None

    name: ClassVar[str] = ""
    checks: ClassVar[Checks] = {
        "n_delays": optional(check_count),
        "delay_spacing": optional(check_count),
        "low": partial(check_positive, unit="Hz"),
        "high": partial(check_positive, unit="Hz"),
        "n_starts": check_count,
        "n_rounds": check_count,
        "n_iterations": check_count,
        "max_passes": check_count,
        "min_gain": check_fraction,
        "min_spikes": partial(check_count, minimum=3),
        "min_silhouette": check_fraction,
        "n_threads": optional(check_count),
    }

    def __post_init__(self) -> None:
        for parameter, check in self.checks.items():
            check(parameter, getattr(self, parameter))

    def converge(
        self, whitened: np.ndarray, starts: np.ndarray, blind: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Directions to which sources go that start at some of the whitened observations.

        Parameters
        ----------
        whitened : ndarray of float32, shape (n_samples, rank)
        starts : ndarray of float32, shape (n_starts, rank)
        blind : pair of ndarray of int, shape (n_starts,)
            First row and one past the last row of `whitened` that overlap the observation a source starts from.

        Returns
        -------
        ndarray of float32, shape (n_distinct, rank)
            Unit vectors.
        """
        raise NotImplementedError

    def decompose(
        self, recording: Recording, *, seed: int = 0, progress: Callable[[float, str], None] | None = None
    ) -> Decomposition:
        """Separate a recording into motor units.

        Parameters
        ----------
        recording : Recording
        seed : int
            Recorded with the result. Nothing is drawn at random: starts are the most active samples, and sources
            are learned from evenly spread ones.
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
        with threads(self.n_threads):
            tell(0.0, "filtering")
            prepared = prepare(recording, low=self.low, high=self.high)
            return Run(self, recording, prepared, seed, tell).result()

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return asdict(self)
