"""Units whose identity is known, followed through sessions: moved electrodes, absent units, other orders."""

from __future__ import annotations

import numpy as np
import pytest

import muemg
from forward_models import ElectrodeArray
from muemg.errors import InvalidArgumentError

RATE = 2048.0
ROWS, COLUMNS, SPACING = 8, 5, 8e-3
N_LAGS, OFFSET = 60, 30


def grid():
    return ElectrodeArray.grid(ROWS, COLUMNS, SPACING, name="8 × 5")


def potentials(seed, n_units, *, shift=(0.0, 0.0)):
    """Smooth fields that travel both ways from an end-plate, on electrodes moved by `shift` (along, across)."""
    rng = np.random.default_rng(seed)
    index = grid().grid_index * SPACING + np.asarray(shift)
    along, across = index[:, 0], index[:, 1]
    lags = (np.arange(N_LAGS) - OFFSET) / RATE
    muaps = np.zeros((n_units, len(index), N_LAGS))
    for muap in muaps:
        zone, centre = rng.uniform(0.01, 0.045), rng.uniform(0.0, 0.032)
        depth, speed, size = rng.uniform(6e-3, 14e-3), rng.uniform(3.6, 4.6), rng.uniform(0.5, 2)
        for side in (-1, 1):
            front = side * (along[:, None] - zone) - speed * (lags[None] + 5e-3)
            near = 1 / (1 + ((across - centre)[:, None] / depth) ** 2)
            muap -= (
                size
                * 2e-5
                * near
                * np.exp(-0.5 * (front / depth) ** 2)
                * (side * (along - zone) > 0)[:, None]
            )
    return muaps


def session(muaps, *, seed, noise=5e-7, electrodes=None):
    """A decomposition without sources worth the name: tracking by shape reads the potentials only."""
    rng = np.random.default_rng(seed)
    n_units, n_channels, _ = muaps.shape
    trains = tuple(np.arange(100 + 10 * u, 4000, 200) for u in range(n_units))
    spikes = muemg.SpikeTrains(trains, RATE, 4096)
    found = muemg.Decomposition(
        spikes,
        np.zeros((n_units, 4096)),
        muaps + noise * rng.standard_normal(muaps.shape),
        muemg.Table({"n_spikes": spikes.n_spikes}),
        muap_offset=OFFSET,
    )
    signal = 1e-6 * rng.standard_normal((n_channels, 4096))
    return found, muemg.Recording(signal, RATE, electrodes or grid())


def pairs(tracking):
    return set(zip(tracking.matches["unit_a"].tolist(), tracking.matches["unit_b"].tolist()))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (4e-3, -2e-3), (-6e-3, 3e-3)])
def test_units_are_found_again_where_the_grid_has_moved(shift):
    n = 12
    order = np.random.default_rng(1).permutation(n)
    a = session(potentials(0, n), seed=2)
    b = session(potentials(0, n, shift=shift)[order], seed=3)
    tracking = muemg.track(a, b)
    right = {(int(unit), place) for place, unit in enumerate(order)}
    assert pairs(tracking) <= right
    assert len(pairs(tracking)) >= n - 1
    moved = tracking.displacements.row(0)
    assert (moved["along"], moved["across"]) == pytest.approx(shift, abs=1.5e-3)


def test_units_that_are_absent_stay_unmatched():
    muaps = potentials(5, 16)
    tracking = muemg.track(session(muaps[:11], seed=0), session(muaps[5:], seed=1), min_confidence=0.9)
    right = {(i, i - 5) for i in range(5, 11)}
    assert pairs(tracking) & right == pairs(tracking)
    assert len(pairs(tracking)) >= 5


def test_a_unit_that_pauses_keeps_its_name():
    muaps = potentials(6, 5)
    sessions = [session(muaps[keep], seed=i) for i, keep in enumerate(([0, 1, 2], [0, 2, 3], [1, 2, 3, 4]))]
    units = muemg.track(*sessions, min_confidence=0.9).units
    rows = [tuple(units.row(i)[f"session_{s}"] for s in range(3)) for i in range(units.n_rows)]
    assert rows == [(0, 0, -1), (1, -1, 0), (2, 1, 1), (-1, 2, 2), (-1, -1, 3)]


def test_both_ways_give_the_same_pairs():
    a, b = session(potentials(7, 8), seed=0), session(potentials(7, 8, shift=(3e-3, 0))[::-1], seed=1)
    forth, back = muemg.track(a, b), muemg.track(b, a)
    assert pairs(forth) == {(j, i) for i, j in pairs(back)}


def test_gain_polarity_and_noise_are_told_apart():
    muaps = potentials(8, 6)
    louder = session(1.3 * muaps, seed=1, noise=0)
    assert len(pairs(muemg.track(session(muaps, seed=0, noise=0), louder))) == 6
    opposite = session(-muaps, seed=1, noise=0)
    assert muemg.track(session(muaps, seed=0, noise=0), opposite).matches["confidence"].max(initial=0) < 0.8


def test_bad_channels_are_left_out():
    muaps = potentials(9, 8)
    one, recording = session(muaps, seed=0)
    broken = np.array(muaps)
    broken[:, [3, 17]] = np.nan
    two, _ = session(broken, seed=1)
    tracking = muemg.track((one, recording), (two, recording))
    assert pairs(tracking) == {(i, i) for i in range(8)}
    # Without recordings nobody knows where electrodes are; then they have stayed.
    assert pairs(muemg.track(one, two)) == {(i, i) for i in range(8)}


def test_filters_find_what_shapes_cannot_tell():
    """Two pairs of units of nearly the same shape: their own filters know them apart."""
    from tests.separation._scenes import convolved, regular_trains

    rng = np.random.default_rng(4)
    n, n_samples = 4, 16_000
    muaps = potentials(10, 2)[[0, 0, 1, 1], :, 10:51]
    muaps[1] *= 1.1
    muaps[3] *= 1.1
    muaps[1, :, 1:] += 0.35 * np.diff(muaps[1], axis=1)
    muaps[3, :, 1:] -= 0.35 * np.diff(muaps[3], axis=1)

    def recorded(seed, order):
        inner = np.random.default_rng(seed)
        trains = regular_trains(inner, n, n_samples)
        signal = convolved(muaps[order], trains, n_samples)
        signal += 2e-7 * inner.standard_normal(signal.shape)
        recording = muemg.Recording(signal, RATE, grid())
        spikes = muemg.SpikeTrains(tuple(trains), RATE, n_samples)
        filters = muemg.learn_filters(recording, spikes)
        return muemg.decode(recording, filters), recording

    order = rng.permutation(n)
    tracking = muemg.track(recorded(1, np.arange(n)), recorded(2, order))
    assert pairs(tracking) == {(int(unit), place) for place, unit in enumerate(order)}
    assert tracking.matches["agreement"].min() > 0.8
    assert tracking.matches["confidence"].min() > 0.8


def test_nothing_to_match():
    muaps = potentials(11, 3)
    empty = session(muaps[:0], seed=0)
    tracking = muemg.track(empty, session(muaps, seed=1))
    assert tracking.matches.n_rows == 0
    assert tracking.units.n_rows == 3
    assert "0 matches" in repr(tracking)


def test_bad_input_is_named():
    a = session(potentials(0, 3), seed=0)
    with pytest.raises(InvalidArgumentError, match="at least two"):
        muemg.track(a)
    with pytest.raises(InvalidArgumentError, match=r"sessions\[1\] must be a Decomposition"):
        muemg.track(a, 3)
    fewer = session(potentials(0, 3)[:, :30], seed=0, electrodes=grid().select(np.arange(30)))
    with pytest.raises(InvalidArgumentError, match="share channels"):
        muemg.track(a, fewer)
    with pytest.raises(InvalidArgumentError, match="min_confidence"):
        muemg.track(a, a, min_confidence=2)
