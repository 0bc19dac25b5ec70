"""How many motor units a linear filter could find at most: separation by someone who knows every action potential.

Blind methods estimate both the mixture and the discharges. Whoever knows the action potentials of all units can write
down the best linear filter of each, the linear minimum mean square error estimator w = C⁻¹h̃ in the recording's own
covariance C, and is left with nothing but the noise and the other units. What that filter cannot tell apart, no
linear method can; a method that removes the units it has found from the signal may go further, up to the second bound.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from muemg.recording import Recording
from muemg.results import Decomposition
from muemg.separation._known import Known
from muemg.spikes import SpikeTrains

__all__ = ["cancelling_upper_bound", "linear_upper_bound"]

_MOST_ROUNDS = 10


def linear_upper_bound(
    recording: Recording,
    spikes: SpikeTrains,
    muaps: npt.ArrayLike,
    *,
    muap_offset: int = 0,
    n_delays: int | None = None,
    delay_spacing: int | None = None,
    low: float = 20.0,
    high: float = 500.0,
    threshold: str = "best",
    min_spikes: int = 10,
    min_agreement: float = 0.9,
    accepted_only: bool = True,
) -> Decomposition:
    """Motor units that their best linear filters find, the action potentials being known.

    With x̃ the extended observations of the band-passed recording, C their covariance and h̃ the extended action
    potential of a unit, its filter is w = C⁻¹h̃ (Holobar & Zazula 2007). Of all delays the one with the greatest
    h̃ᵀC⁻¹h̃ is taken. Discharges are the peaks of wᵀx̃ above a threshold; a unit counts as found if its rate of
    agreement with the true discharges, as `muemg.compare` defines it, is `min_agreement` or more.

    Parameters
    ----------
    recording : Recording
        The raw recording.
    spikes : SpikeTrains
        True discharges of every unit, on the clock of the recording.
    muaps : array_like, shape (n_units, n_channels, n_lags)
        True action potentials in volts on every channel of the recording, not band-passed.
    muap_offset : int
        Sample of `muaps` at which the discharge lies.
    n_delays : int, optional
        Delayed copies of each channel; by default some 1000 channels × delays in all, as `FastICA` takes.
    delay_spacing : int, optional
        Samples from one delayed copy to the next; by default as many as the pass band allows, as `FastICA` takes.
    low, high : float
        Pass band in Hz.
    threshold : str
        ``"best"``: the threshold with the highest rate of agreement, which only someone who knows the discharges can
        choose; ``"two-class"``: the one that two-class clustering of the peaks gives, as in blind separation.
    min_spikes : int
        Units with fewer discharges are not looked for.
    min_agreement : float
        Rate of agreement from which a unit counts as found.
    accepted_only : bool
        Whether units that were not found are left out of the result.

    Returns
    -------
    Decomposition
        Method ``"linear upper bound"``; unit ids are those of `spikes`. Beside the usual columns its quality has
        ``rate_of_agreement`` with the truth and ``deflection`` √(h̃ᵀC⁻¹h̃): how many standard deviations the filter's
        output rises at a discharge.

    Raises
    ------
    InvalidArgumentError
        If spikes or action potentials do not fit the recording, or a parameter is out of range.
    UnusableRecordingError
        If every channel is bad, or the recording is shorter than its extension.

    References
    ----------
    Holobar & Zazula 2007 (10.1109/TSP.2007.896108); Klotz & Rohlén 2025 (arXiv 2502.04065) on what limits it.
    """
    known = Known.of(
        recording,
        spikes,
        muaps,
        muap_offset=muap_offset,
        n_delays=n_delays,
        delay_spacing=delay_spacing,
        low=low,
        high=high,
        threshold=threshold,
        min_spikes=min_spikes,
        min_agreement=min_agreement,
    )
    return known.decomposition(known.seen((), known.wanted), "linear upper bound", accepted_only)


def cancelling_upper_bound(
    recording: Recording,
    spikes: SpikeTrains,
    muaps: npt.ArrayLike,
    *,
    muap_offset: int = 0,
    n_delays: int | None = None,
    delay_spacing: int | None = None,
    low: float = 20.0,
    high: float = 500.0,
    threshold: str = "best",
    min_spikes: int = 10,
    min_agreement: float = 0.9,
    accepted_only: bool = True,
) -> Decomposition:
    """Motor units found when those already found are removed without error: the bound of successive cancellation.

    The units that `linear_upper_bound` finds, the strongest, are taken out of the signal with their true action
    potentials at their true discharges; the covariance of what is left is estimated anew and the weaker units are
    looked for in it, until a round finds none. In the end every unit is judged with all others that were found
    removed. A peel-off that makes mistakes leaves more behind than this one.

    Parameters and errors as for `linear_upper_bound`. Action potentials that change during the recording are removed
    only in so far as `muaps` describes them; no unit is judged worse than without cancellation.

    Returns
    -------
    Decomposition
        Method ``"cancelling upper bound"``. Its quality also has ``round``: the round that first found the unit, from
        1, or 0 if none did.
    """
    known = Known.of(
        recording,
        spikes,
        muaps,
        muap_offset=muap_offset,
        n_delays=n_delays,
        delay_spacing=delay_spacing,
        low=low,
        high=high,
        threshold=threshold,
        min_spikes=min_spikes,
        min_agreement=min_agreement,
    )
    best = known.seen((), known.wanted)
    first_round = np.where(best.agreement >= min_agreement, 1, 0)
    for turn in range(2, _MOST_ROUNDS + 1):
        removed = np.flatnonzero(first_round)
        left = [unit for unit in known.wanted if not first_round[unit]]
        if not len(removed) or not left:
            break
        best = best.better(known.seen(removed, left))
        fresh = (first_round == 0) & (best.agreement >= min_agreement)
        if not fresh.any():
            break
        first_round[fresh] = turn
    removed = np.flatnonzero(first_round)
    best = best.better(known.seen(removed, removed))
    return known.decomposition(best, "cancelling upper bound", accepted_only, round=first_round)
