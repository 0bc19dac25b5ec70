"""Short-term synchrony: discharges of two motor units that coincide more often than by chance.

From the cross-correlogram, the histogram of the differences of all discharge times. The borders of its central
peak are where the cumulative sum of (count − baseline) has made 10 and 90 % of its rise; k′ is the ratio of
counts in the peak to those expected (Ellaway & Murthy 1985), CIS the discharges in excess per second of common
activity (Nordstrom, Fuglevand & Enoka 1992, 10.1113/jphysiol.1992.sp019244).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_instance, check_positive
from muemg.spikes import SpikeTrains

__all__ = ["cross_correlogram", "synchrony"]

_DEFAULT_PEAK = 5e-3  # half width in seconds where no peak stands out
_Z_LIMIT = 1.96


def cross_correlogram(
    spikes: SpikeTrains, reference: int, other: int, *, max_lag: float = 0.1, bin_width: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Histogram of the discharge times of one unit about those of another.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    reference, other : int
        Indices of the two.
    max_lag : float
        Largest lag in seconds; rounded to whole bins.
    bin_width : float
        In seconds.

    Returns
    -------
    lags : ndarray, shape (n_bins,)
        Centres of the bins in seconds, positive where the other unit fires later; 0 is in the middle.
    counts : ndarray of int64, shape (n_bins,)

    Raises
    ------
    InvalidArgumentError
        If a bin is shorter than a sample or an index is out of range.
    """
    check_instance("spikes", spikes, SpikeTrains)
    width = check_positive("bin_width", bin_width, "s")
    if width * spikes.sampling_rate < 1:
        raise InvalidArgumentError(
            f"bin_width must be at least one sample, {1 / spikes.sampling_rate:.3g} s, got {bin_width:g}"
        )
    n_side = max(1, round(check_positive("max_lag", max_lag, "s") / width))
    for name, index in (("reference", reference), ("other", other)):
        if not 0 <= index < len(spikes):
            raise InvalidArgumentError(f"{name} must lie in 0..{len(spikes) - 1}, got {index}")
    a, b = spikes[reference], spikes[other]
    reach = (n_side + 0.5) * width * spikes.sampling_rate
    first, last = np.searchsorted(b, a - reach), np.searchsorted(b, a + reach, side="right")
    n_near = last - first
    which = np.repeat(np.arange(len(a)), n_near)
    rank = np.arange(len(which)) - np.repeat(np.cumsum(n_near) - n_near, n_near)
    difference = (b[first[which] + rank] - a[which]) / spikes.sampling_rate
    edges = (np.arange(2 * n_side + 2) - n_side - 0.5) * width
    counts, _ = np.histogram(difference, edges)
    return np.arange(-n_side, n_side + 1) * width, counts.astype(np.int64)


def synchrony(
    spikes: SpikeTrains,
    *,
    max_lag: float = 0.1,
    bin_width: float = 1e-3,
    baseline: float = 0.06,
    search: float = 0.02,
) -> Table:
    """Strength of short-term synchrony of all pairs of motor units.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units, during steady activity.
    max_lag, bin_width : float
        Of the cross-correlogram, in seconds.
    baseline : float
        Bins at lags of at least this many seconds give the counts expected by chance.
    search : float
        The peak is looked for within ± this many seconds. If the mean of its bins does not exceed the baseline's mean
        by 1.96 standard deviations of the baseline's bins, or there is no rise, ± 5 ms are taken for the peak.

    Returns
    -------
    Table, one row per pair
        ``unit_a``, ``unit_b``; ``cis`` in discharges per second; ``k_prime``; ``excess``, discharges in excess as
        a share of the discharges of the unit with fewer (E, Datta & Stephens 1990); ``peak_begin``, ``peak_end``
        in seconds, borders of the peak; ``z``, how many standard deviations of chance (those of a Poisson count)
        the peak's counts lie above what is expected; ``significant``, whether a peak stood out. Not-a-number if a
        unit has no discharges or the baseline no counts.

    Raises
    ------
    InvalidArgumentError
        If `search` ≤ `baseline` < `max_lag` does not hold.
    """
    check_instance("spikes", spikes, SpikeTrains)
    far = check_positive("baseline", baseline, "s")
    near = check_positive("search", search, "s")
    if not near <= far < max_lag:
        raise InvalidArgumentError(
            f"search ≤ baseline < max_lag must hold, got {near:g}, {far:g} and {max_lag:g} s"
        )
    pairs = list(combinations(range(len(spikes)), 2))
    found = [
        _peak(*cross_correlogram(spikes, a, b, max_lag=max_lag, bin_width=bin_width), far, near)
        for a, b in pairs
    ]
    ids = np.array(spikes.unit_ids) if len(spikes) else np.zeros(0, dtype=np.int64)
    one, other = (np.array([pair[k] for pair in pairs], dtype=np.int64) for k in range(2))
    columns = np.array(found, dtype=np.float64).reshape(len(pairs), 6).T
    counted, expected, begin, end, stands_out, usable = columns
    fewer = np.minimum(spikes.n_spikes[one], spikes.n_spikes[other])
    shared = np.array([_common_time(spikes, a, b) for a, b in pairs], dtype=np.float64)
    blank = np.where((usable > 0) & (shared > 0), 1.0, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Table(
            {
                "unit_a": ids[one],
                "unit_b": ids[other],
                "cis": blank * (counted - expected) / shared,
                "k_prime": blank * counted / expected,
                "excess": blank * (counted - expected) / fewer,
                "peak_begin": blank * begin,
                "peak_end": blank * end,
                "z": blank * (counted - expected) / np.sqrt(expected),
                "significant": (stands_out > 0) & np.isfinite(blank),
            }
        )


def _peak(lags: np.ndarray, counts: np.ndarray, far: float, near: float) -> tuple[float, ...]:
    """Counts in the peak, counts expected there, its borders, whether it stands out, whether there is a baseline."""
    width = lags[1] - lags[0]
    chance = counts[np.abs(lags) >= far - 1e-9]
    mean, deviation = chance.mean(), chance.std()
    inside = np.flatnonzero(np.abs(lags) <= near + 1e-9)
    risen = np.cumsum(counts[inside] - mean)
    bottom, top = int(risen.argmin()), int(risen.argmax())
    peak, stands_out = np.flatnonzero(np.abs(lags) <= _DEFAULT_PEAK + 1e-9), False
    low, height = (risen[bottom], risen[top] - risen[bottom]) if bottom < top else (0.0, risen[top])
    if mean > 0 and height > 0:
        begin = 0 if bottom >= top else bottom
        rise = risen[begin : top + 1]
        first = begin + int(np.argmax(rise >= low + 0.1 * height))
        last = begin + int(np.argmax(rise >= low + 0.9 * height))
        candidate = inside[first : last + 1]
        if counts[candidate].mean() > mean + _Z_LIMIT * deviation:
            peak, stands_out = candidate, True
    return (
        float(counts[peak].sum()),
        float(mean * len(peak)),
        float(lags[peak[0]] - width / 2),
        float(lags[peak[-1]] + width / 2),
        float(stands_out),
        float(mean > 0),
    )


def _common_time(spikes: SpikeTrains, one: int, other: int) -> float:
    """Seconds from the first to the last discharge that both units are active for."""
    a, b = spikes[one], spikes[other]
    if not len(a) or not len(b):
        return 0.0
    return max(0, int(min(a[-1], b[-1])) - int(max(a[0], b[0]))) / spikes.sampling_rate
