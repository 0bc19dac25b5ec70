"""Separation filters that follow a drifting contraction.

While electrodes slip, muscles shorten or fibres tire, action potentials change slowly and the best filter C⁻¹ h̃ with
them. Both halves are followed with a forgetting memory: C by exponentially weighted lagged covariances, h̃ by a running
mean of the extended observations at the unit's own discharges; the threshold stays halfway between running means of the
heights of discharges and of other peaks.

What makes such decision-directed tracking fail is a stronger unit: once some of its potentials pass the
threshold of a weaker one, they enter the weaker unit's mean, its filter turns towards them, and it is taken
over. But what passes through two filters discharges in both at one fixed lag. So coincidences are counted for
every pair of units and lag; where they are more than chance, the unit that stands out less does not learn from
them.

The work of one renewal (a Cholesky factor of the extended covariance) is cut into steps of some 20 ms of signal
each, so that no chunk waits for all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numba
import numpy as np
import scipy.linalg
from numpy.lib.stride_tricks import as_strided

from muemg.errors import check_fraction, check_positive
from muemg.results import SeparationFilters

__all__ = ["Adaptation", "Adapter"]

_STEP = 20e-3  # s of signal between two steps of the work
_REACH = 25e-3  # s within which the discharges of two units may be one potential
_PANEL = 64  # columns of the Cholesky factor per step
_GROUP = 16  # units solved for per step
_LEAST_COINCIDENCES = 4.0
_RECENT = 64  # discharges per unit that are remembered; at least 10 ms apart
_CONFIDENT = 0.0  # of the way from the threshold to the usual height, from where a discharge is learned from


@dataclass(frozen=True)
class Adaptation:
    """How filters follow a drift.

    Parameters
    ----------
    covariance_memory : float
        Seconds after which a sample weighs 1/e in the covariance.
    response_memory : float
        Discharges after which a discharge weighs 1/e in its unit's response and height.
    renewal : float
        Seconds of signal between two renewals of the filters.
    coincidence : float
        Share of a unit's discharges that, at one lag behind another unit's, are taken to be the other's.
    coincidence_memory : float
        Seconds over which coincidences are counted.

    Raises
    ------
    InvalidArgumentError
        If a parameter is out of range.
    """

    covariance_memory: float = 2.5
    response_memory: float = 22.0
    renewal: float = 0.5
    coincidence: float = 0.12
    coincidence_memory: float = 4.0

    def __post_init__(self) -> None:
        for name in ("covariance_memory", "renewal", "coincidence_memory"):
            check_positive(name, getattr(self, name), "s")
        check_positive("response_memory", self.response_memory, "discharges")
        check_fraction("coincidence", self.coincidence)

    def to_dict(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return asdict(self)


class Adapter:
    """Filters under way: what they were learned from so far, and the next ones being computed.

    Parameters
    ----------
    filters : SeparationFilters
        To begin with.
    settings : Adaptation
    """

    def __init__(self, filters: SeparationFilters, settings: Adaptation) -> None:
        self._filters, self._settings = filters, settings
        rate = filters.sampling_rate
        n_units, n_used, n_taps = filters.taps.shape
        self._gap = max(1, round(filters.min_interval * rate))
        self._window = max(1, round(_REACH * rate))
        self._step = max(1, round(_STEP * rate))
        size = n_used * n_taps
        n_steps = -(-n_used // _PANEL) * n_taps + -(-max(n_units, 1) // _GROUP) + 1
        self._n_steps = max(n_steps, round(settings.renewal * rate / self._step))
        self.next_step = self._step
        self.reach = self._window + 2 * self._gap + 2 * self._step + n_taps
        # Rows of an extended observation run from the oldest sample to the newest, channel by channel.
        self._response = np.ascontiguousarray(
            filters.responses[:, :, ::-1].transpose(0, 2, 1).reshape(n_units, size)
        )
        self._weights = np.ascontiguousarray(
            filters.taps[:, :, ::-1].transpose(2, 1, 0).reshape(size, n_units)
        )
        self._scale = 1 / np.sqrt(max(float(np.trace(filters.covariance[0])) / n_used, 1e-30))
        self._response *= np.float32(self._scale)
        self._lagged = filters.covariance * np.float32(self._scale**2)
        self._floor = np.float32(filters.noise_floor * self._scale**2)
        self._sum = np.zeros((n_used, size), dtype=np.float32, order="F")
        self._factor = np.zeros((size, size), dtype=np.float32)
        self._heights = np.stack([filters.spike_heights, filters.background_heights])
        self._alive = np.isfinite(filters.thresholds)
        self._counts = np.zeros((n_units, n_units, 2 * self._window + 1), dtype=np.float32)
        self._totals = np.zeros(n_units)
        self._recent = np.zeros((n_units, _RECENT), dtype=np.int64)
        self._n_recent = np.zeros(n_units, dtype=np.int64)
        self._seen = 0
        self._learned = 0
        self._ticks = 0
        self._work: Iterator[None] | None = None
        self._renewed = False

    # ------------------------------------------------------------------ what the decoder asks for

    @property
    def weights(self) -> np.ndarray:
        """Filters as columns, shape (R·C, n_units), oldest sample first, in 1/V."""
        return self._weights

    @property
    def roots(self) -> np.ndarray:
        """Source above which a peak is a discharge, shape (n_units,)."""
        return np.sqrt(self._thresholds()).astype(np.float32)

    def filters(self) -> SeparationFilters:
        """Everything as it is now."""
        f = self._filters
        n_units, n_used, n_taps = f.taps.shape
        return replace(
            f,
            taps=self._weights.reshape(n_taps, n_used, n_units)[::-1].transpose(2, 1, 0),
            responses=self._response.reshape(n_units, n_taps, n_used)[:, ::-1].transpose(0, 2, 1)
            / self._scale,
            spike_heights=self._heights[0],
            background_heights=self._heights[1],
            thresholds=self._thresholds(),
            covariance=self._lagged / self._scale**2,
        )

    def _thresholds(self) -> np.ndarray:
        return np.where(self._alive, self._heights.mean(axis=0), np.inf)

    # ------------------------------------------------------------------ learning

    def step(self, signal: np.ndarray, sources: np.ndarray, end: int) -> bool:
        """Learn from the last step's samples; whether weights or thresholds have changed.

        Parameters
        ----------
        signal : ndarray of float32, shape (n, n_used)
            Buffer of band-passed samples in volts.
        sources : ndarray of float32, shape (n, n_units)
            Buffer of sources.
        end : int
            One past the newest row of both.
        """
        offset = self.next_step - end  # stream index of row 0
        self._add_covariance(signal, end)
        self._learn(signal, sources, end, offset)
        self._ticks += 1
        self.next_step += self._step
        if self._work is not None:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
        if self._ticks % self._n_steps == 0:
            self._begin_renewal()
        renewed, self._renewed = self._renewed, False
        return renewed

    def _extended(self, signal: np.ndarray, end: int) -> np.ndarray:
        _, n_used, n_taps = self._filters.taps.shape
        oldest = signal[end - self._step - n_taps + 1 :]
        return as_strided(oldest, (self._step, n_taps * n_used), (signal.strides[0], signal.itemsize))

    def _add_covariance(self, signal: np.ndarray, end: int) -> None:
        """Add products of this step's samples with those up to R − 1 before; nothing before the renewal's beginning.

        A sum over one closed stretch of signal is a covariance of a signal that is zero outside, which is positive
        definite whatever the stretch; products across its beginning would not be.
        """
        newest = signal[end - self._step : end]
        _, n_used, n_taps = self._filters.taps.shape
        extended = np.array(self._extended(signal, end))
        since = (self._ticks % self._n_steps) * self._step
        for row in range(min(n_taps - 1 - since, self._step) if since < n_taps - 1 else 0):
            extended[row, : (n_taps - 1 - since - row) * n_used] = 0
        self._sum = scipy.linalg.blas.sgemm(
            self._scale**2, newest.T, extended.T, beta=1.0, c=self._sum, trans_b=1, overwrite_c=1
        )

    def _learn(self, signal: np.ndarray, sources: np.ndarray, end: int, offset: int) -> None:
        n_taps = self._filters.taps.shape[2]
        s = self._settings
        roots = self.roots
        until = self.next_step - self._gap  # peaks before it are settled
        forget = np.exp(-1 / s.response_memory)
        _observe(
            sources,
            offset,
            self._seen,
            max(until, self._seen),
            self._gap,
            roots,
            self._heights,
            1 - forget,
            self._recent,
            self._n_recent,
            self._window,
            self._counts,
            self._totals,
        )
        self._seen = max(until, self._seen)
        settled = max(self._seen - self._window, self._learned)
        _learn_responses(
            signal.reshape(-1),
            signal.shape[1],
            sources,
            offset,
            self._learned,
            settled,
            n_taps,
            np.float32(self._scale),
            roots,
            self._heights,
            self._response,
            1 - forget,
            self._recent,
            self._n_recent,
            self._window,
            self._counts,
            self._totals,
            s.coincidence,
            _LEAST_COINCIDENCES,
            _CONFIDENT,
        )
        self._learned = settled

    def _begin_renewal(self) -> None:
        _, n_used, n_taps = self._filters.taps.shape
        s, rate = self._settings, self._filters.sampling_rate
        n_samples = self._n_steps * self._step
        keep = np.exp(-n_samples / rate / s.covariance_memory)
        # Column block k of an extended row is delay R−1−k: E[x(t) x(t−r)ᵀ].
        new = self._sum.reshape(n_used, n_taps, n_used)
        self._lagged = keep * self._lagged + (1 - keep) / n_samples * new[:, ::-1].transpose(1, 0, 2)
        self._sum[:] = 0
        fade = np.float32(np.exp(-n_samples / rate / s.coincidence_memory))
        self._counts *= fade
        self._totals *= fade
        if self._work is None:
            self._work = self._renewal()

    def _renewal(self) -> Iterator[None]:
        """One renewal of the filters, in steps: the factor panel by panel, the solutions group by group."""
        n_units, n_used, n_taps = self._filters.taps.shape
        lagged, factor, size = self._lagged, self._factor, n_used * n_taps
        for delay in range(n_taps):
            for low in range(0, n_used, _PANEL):
                high = min(low + _PANEL, n_used)
                first, last = delay * n_used + low, delay * n_used + high
                panel = factor[first:, first:last]
                # Rows of delay block k lie (k − delay) samples after the panel's columns.
                for later in range(delay, n_taps):
                    block = lagged[later - delay][:, low:high]
                    at = later * n_used
                    if later == delay:
                        factor[first : at + n_used, first:last] = block[low:]
                    else:
                        factor[at : at + n_used, first:last] = block
                index = np.arange(high - low)
                panel[index, index] += self._floor
                if first:
                    panel -= factor[first:, :first] @ factor[first:last, :first].T
                try:
                    top = np.linalg.cholesky(panel[: high - low])
                except np.linalg.LinAlgError:
                    # An artefact that single precision cannot span: the filters stay until it is forgotten.
                    return
                panel[: high - low] = top
                if last < size:
                    panel[high - low :] = scipy.linalg.solve_triangular(
                        top, panel[high - low :].T, lower=True, check_finite=False
                    ).T
                yield
        weights = np.empty_like(self._weights)
        for low in range(0, n_units, _GROUP):
            response = self._response[low : low + _GROUP].T
            # The C-ordered lower factor is LAPACK's upper one, transposed.
            half, _ = scipy.linalg.lapack.strtrs(factor.T, response, lower=0, trans=1)
            solved, _ = scipy.linalg.lapack.strtrs(factor.T, half, lower=0, trans=0)
            length = np.linalg.norm(half, axis=0)
            weights[:, low : low + _GROUP] = solved * (self._scale / np.where(length > 0, length, 1))
            yield
        self._weights = weights
        self._renewed = True


@numba.njit(cache=True)
def _observe(
    sources, offset, first, last, gap, roots, heights, gain, recent, n_recent, window, counts, totals
):
    """Find the peaks of all sources at times first … last−1; count coincidences of discharges."""
    n_units = len(roots)
    for u in range(n_units):
        # Forget what is too long ago to coincide with anything.
        kept = 0
        for k in range(n_recent[u]):
            if recent[u, k] >= first - 3 * window:
                recent[u, kept] = recent[u, k]
                kept += 1
        n_recent[u] = kept
    for u in range(n_units):
        if not np.isfinite(roots[u]):
            continue
        for time in range(first, last):
            t = time - offset
            value = sources[t, u]
            if value <= 0:
                continue
            highest = True
            for d in range(1, gap):
                if sources[t - d, u] >= value or sources[t + d, u] > value:
                    highest = False
                    break
            if not highest:
                continue
            if value <= roots[u]:
                heights[1, u] += 0.25 * gain * (np.float64(value) * value - heights[1, u])
            elif n_recent[u] < recent.shape[1]:
                recent[u, n_recent[u]] = time
                n_recent[u] += 1
                totals[u] += 1
    for u in range(n_units):
        for v in range(n_units):
            if u == v:
                continue
            for i in range(n_recent[u]):
                for j in range(n_recent[v]):
                    apart = recent[v, j] - recent[u, i]
                    # Each pair counts once, when the later of the two is new.
                    if abs(apart) <= window and max(recent[v, j], recent[u, i]) >= first:
                        counts[u, v, apart + window] += 1


@numba.njit(cache=True)
def _learn_responses(
    flat,
    n_used,
    sources,
    offset,
    first,
    last,
    n_taps,
    scale,
    roots,
    heights,
    response,
    gain,
    recent,
    n_recent,
    window,
    counts,
    totals,
    share,
    least,
    confident,
):
    """Let every unit's response and height follow its own discharges at times first … last−1."""
    n_units = len(roots)
    for u in range(n_units):
        for i in range(n_recent[u]):
            time = recent[u, i]
            if time < first or time >= last:
                continue
            foreign = False
            for v in range(n_units):
                if v == u or heights[0, v] < heights[0, u]:
                    continue
                for j in range(n_recent[v]):
                    apart = recent[v, j] - time
                    if abs(apart) > window:
                        continue
                    together = np.float32(0)
                    for near in range(max(0, apart + window - 2), min(2 * window, apart + window + 2) + 1):
                        together += counts[u, v, near]
                    if together > max(share * totals[u], least):
                        foreign = True
            if foreign:
                continue
            t = time - offset
            height = np.float64(sources[t, u]) ** 2
            threshold = (heights[0, u] + heights[1, u]) / 2
            if height > threshold + confident * (heights[0, u] - threshold):
                begin = (t - n_taps + 1) * n_used
                for k in range(n_taps * n_used):
                    response[u, k] += np.float32(gain) * (scale * flat[begin + k] - response[u, k])
            heights[0, u] += gain * (height - heights[0, u])
