"""Mutual information of spike counts: how many bits the count of one motor unit tells about that of another."""

from __future__ import annotations

import numpy as np

from muemg.drive.frames import count_frames
from muemg.errors import InvalidArgumentError, check_positive
from muemg.spikes import SpikeTrains

__all__ = ["mutual_information"]


def mutual_information(spikes: SpikeTrains, *, frame: float = 0.1, corrected: bool = True) -> np.ndarray:
    """Mutual information, in bits per frame, of the discharges per frame of all pairs.

    I = Σ p(a, b) log₂ [p(a, b) / (p(a) p(b))], the probabilities being shares of the N frames. Of a limited
    sample it comes out too large, for unrelated units by (B_a − 1)(B_b − 1) / (2 N ln 2) on average, B the number
    of values that a count takes (Panzeri & Treves 1996, Network 7:87–107); an entropy too small by (B −
    1) / (2 N ln 2) (Miller 1955).

    Parameters
    ----------
    spikes : SpikeTrains
        At least one unit.
    frame : float
        Length in seconds of a frame; more than one interval is needed for counts to vary.
    corrected : bool
        Whether to take the bias off. Corrected estimates of unrelated units scatter about 0 and may be negative.

    Returns
    -------
    ndarray, shape (n_units, n_units)
        Symmetric; on the diagonal the entropy of each unit's count.

    Raises
    ------
    InvalidArgumentError
        If there is no unit, or no frame fits into the recording.
    """
    counts = count_frames(spikes, 1 / check_positive("frame", frame, "s")).astype(np.int64)
    if not counts.shape[1]:
        raise InvalidArgumentError("spikes must hold at least one unit, got none")
    n_frames, n_units = counts.shape
    # Units side by side as 0/1 columns, one per count that can occur: one product gives all joint histograms.
    n_values = counts.max(axis=0) + 1
    first = np.concatenate([[0], np.cumsum(n_values)])
    occurs = np.zeros((n_frames, first[-1]))
    np.put_along_axis(occurs, counts + first[:-1], 1.0, axis=1)
    joint = occurs.T @ occurs
    bits = np.empty((n_units, n_units))
    for i in range(n_units):
        for j in range(i + 1):
            table = joint[first[i] : first[i + 1], first[j] : first[j + 1]]
            bits[i, j] = bits[j, i] = _information(table, n_frames)
    if corrected:
        n_free = np.array([len(np.unique(column)) - 1 for column in counts.T])
        excess = np.outer(n_free, n_free)
        np.fill_diagonal(excess, -n_free)
        bits -= excess / (2 * n_frames * np.log(2))
    return bits


def _information(table: np.ndarray, n_frames: int) -> float:
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    seen = table > 0
    ratio = table[seen] * n_frames / np.outer(rows, columns)[seen]
    return float((table[seen] * np.log2(ratio)).sum() / n_frames)
