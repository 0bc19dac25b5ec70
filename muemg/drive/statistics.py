"""How motor units discharge: rates, variability, and the force at which they come and go.

Each function returns a table with one row per motor unit; what too few discharges leave undefined is not-a-number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from muemg._table import Table
from muemg.errors import InvalidArgumentError, check_count, check_instance, check_positive
from muemg.metrics import coefficient_of_dispersion, cov_isi, interspike_intervals, mean_discharge_rate
from muemg.spikes import SpikeTrains

__all__ = ["discharge_statistics", "recruitment"]

_LONGEST_INTERVAL = 0.5


def discharge_statistics(
    spikes: SpikeTrains, *, longest: float = _LONGEST_INTERVAL, n_ends: int = 4
) -> Table:
    """Rates and variability of the discharges of each motor unit.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    longest : float
        Intervals above this many seconds are pauses and left out; infinity keeps every interval.
    n_ends : int
        Number of discharges at the beginning, and at the end, whose n − 1 intervals make the rates at recruitment and
        derecruitment; at least 2.

    Returns
    -------
    Table, one row per unit
        ``unit``; ``n_spikes``; ``rate``, one over the mean interval, and ``rate_median``;
        ``rate_mean_instantaneous``, the mean of one over each interval, which is never smaller (Jensen's
        inequality), and ``rate_sd``, its sample standard deviation; ``rate_recruitment`` and
        ``rate_derecruitment``, the mean instantaneous rate of the first and last `n_ends` discharges;
        ``cov_isi``; ``dispersion``; ``active``, the time in seconds that the intervals fill.

    Raises
    ------
    InvalidArgumentError
        If `longest` is not above 0 or `n_ends` below 2.
    """
    check_instance("spikes", spikes, SpikeTrains)
    if longest != np.inf:
        check_positive("longest", longest, "s")
    check_count("n_ends", n_ends, minimum=2)
    rows = [_statistics(train, spikes.sampling_rate, longest, n_ends) for train in spikes]
    measured = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in _COLUMNS}
    ids = np.array(spikes.unit_ids) if len(spikes) else np.zeros(0, dtype=np.int64)
    return Table({"unit": ids, "n_spikes": spikes.n_spikes, **measured})


_COLUMNS = (
    "rate",
    "rate_median",
    "rate_mean_instantaneous",
    "rate_sd",
    "rate_recruitment",
    "rate_derecruitment",
    "cov_isi",
    "dispersion",
    "active",
)


def _statistics(train: np.ndarray, sampling_rate: float, longest: float, n_ends: int) -> dict[str, float]:
    intervals = interspike_intervals(train, sampling_rate, longest=longest)
    rates = 1 / intervals
    enough = len(rates) >= n_ends - 1
    nan = float("nan")
    return {
        "rate": mean_discharge_rate(train, sampling_rate, longest=longest),
        "rate_median": float(np.median(rates)) if len(rates) else nan,
        "rate_mean_instantaneous": float(rates.mean()) if len(rates) else nan,
        "rate_sd": float(rates.std(ddof=1)) if len(rates) > 1 else nan,
        "rate_recruitment": float(rates[: n_ends - 1].mean()) if enough else nan,
        "rate_derecruitment": float(rates[1 - n_ends :].mean()) if enough else nan,
        "cov_isi": cov_isi(train, sampling_rate, longest=longest),
        "dispersion": coefficient_of_dispersion(train, sampling_rate, longest=longest),
        "active": float(intervals.sum()),
    }


def recruitment(
    spikes: SpikeTrains, force: npt.ArrayLike, *, n_discharges: int = 1, longest: float = _LONGEST_INTERVAL
) -> Table:
    """Force at which each motor unit is recruited and derecruited, and how its rate follows the force.

    Parameters
    ----------
    spikes : SpikeTrains
        The motor units.
    force : array_like of float, shape (n_samples,)
        In any unit, such as percent of the maximal voluntary contraction; thresholds come in the same.
    n_discharges : int
        Thresholds are the mean force at this many first, and last, discharges; 1 is the usual choice, more are
        less sensitive to a single false discharge.
    longest : float
        Intervals above this many seconds are pauses and left out of the regression.

    Returns
    -------
    Table, one row per unit
        ``unit``; ``recruitment_time``, ``derecruitment_time`` in seconds; ``recruitment_force``,
        ``derecruitment_force``; ``rate_slope`` (Hz per unit of force) and ``rate_intercept`` (Hz), the
        least-squares line of the instantaneous rates over the force at the second discharge of each interval, and
        its ``rate_correlation``. The line needs three intervals and a force that varies.

    Raises
    ------
    InvalidArgumentError
        If `force` has another length than the spike trains or is not finite.
    """
    check_instance("spikes", spikes, SpikeTrains)
    course = np.asarray(force, dtype=np.float64)
    if course.shape != (spikes.n_samples,):
        raise InvalidArgumentError(f"force must have shape ({spikes.n_samples},), got {course.shape}")
    if not np.isfinite(course).all():
        raise InvalidArgumentError("force must be finite, got not-a-number or infinite samples")
    check_count("n_discharges", n_discharges)
    names = ("time", "force")
    ends = {f"{end}_{name}": np.full(len(spikes), np.nan) for end in _ENDS for name in names}
    line = np.full((3, len(spikes)), np.nan)
    for unit, train in enumerate(spikes):
        if not len(train):
            continue
        for end, at in zip(_ENDS, (train[:n_discharges], train[-n_discharges:])):
            ends[f"{end}_time"][unit] = at[0 if end == "recruitment" else -1] / spikes.sampling_rate
            ends[f"{end}_force"][unit] = course[at].mean()
        intervals = np.diff(train) / spikes.sampling_rate
        kept = intervals <= longest
        line[:, unit] = _line(course[train[1:]][kept], 1 / intervals[kept])
    ids = np.array(spikes.unit_ids) if len(spikes) else np.zeros(0, dtype=np.int64)
    fitted = dict(zip(("rate_slope", "rate_intercept", "rate_correlation"), line))
    return Table({"unit": ids} | ends | fitted)


_ENDS = ("recruitment", "derecruitment")


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope, intercept and correlation of the least-squares line."""
    if len(x) < 3 or np.ptp(x) == 0:
        return (np.nan, np.nan, np.nan)
    dx, dy = x - x.mean(), y - y.mean()
    slope = float(dx @ dy / (dx @ dx))
    spread = float(np.sqrt((dx @ dx) * (dy @ dy)))
    return slope, float(y.mean() - slope * x.mean()), float(dx @ dy / spread) if spread else float("nan")
