"""Surrogates: spike trains that keep what each motor unit does alone and lose what units do together.

Shuffled intervals keep the histogram of the intervals and lose their order, and with it every slow course of the
rate; a circular shift keeps the whole train, its course included, and loses only its place in time. What exceeds
the second is common in time; what exceeds the first may also be a course that every unit has for itself.
"""

from __future__ import annotations

import numpy as np

from muemg.errors import check_instance
from muemg.spikes import SpikeTrains

__all__ = ["shift_trains", "shuffle_intervals"]


def shuffle_intervals(spikes: SpikeTrains, seed: int | np.random.Generator = 0) -> SpikeTrains:
    """The same trains with their inter-spike intervals in another order, first and last discharge in place.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    seed : int or numpy.random.Generator
        Of the order.
    """
    check_instance("spikes", spikes, SpikeTrains)
    rng = np.random.default_rng(seed)
    trains = tuple(
        np.cumsum(np.concatenate([train[:1], rng.permutation(np.diff(train))])) if len(train) else train
        for train in spikes
    )
    return SpikeTrains(trains, spikes.sampling_rate, spikes.n_samples, spikes.unit_ids)


def shift_trains(spikes: SpikeTrains, seed: int | np.random.Generator = 0) -> SpikeTrains:
    """The same trains, each moved by a random time of its own; what leaves at the end comes in at the beginning.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    seed : int or numpy.random.Generator
        Of the shifts, uniform over the recording.
    """
    check_instance("spikes", spikes, SpikeTrains)
    rng = np.random.default_rng(seed)
    trains = tuple(np.sort((train + rng.integers(spikes.n_samples)) % spikes.n_samples) for train in spikes)
    return SpikeTrains(trains, spikes.sampling_rate, spikes.n_samples, spikes.unit_ids)
