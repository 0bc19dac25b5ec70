"""From starts beside a unit to the unit, held to the model."""

import numpy as np
import pytest

from muemg.inversion.ascent import ascend
from muemg.inversion.bank import Bank
from muemg.separation._extension import Extended, whiten
from muemg.separation._search import SearchSettings

SETTINGS = SearchSettings(
    sampling_rate=2048.0,
    n_starts=8,
    n_rounds=1,
    n_fit=8192,
    min_spikes=10,
    min_distance=20,
    tolerance=2,
    reach=96,
)


@pytest.fixture(scope="module")
def signal(true_units):
    """One unit, with all its fibres, in noise of a fifth of its root mean square over the electrodes."""
    rng = np.random.default_rng(2)
    train = 100 + np.cumsum(170 + (20 * rng.standard_normal(40)).astype(int))
    muap = true_units.muaps[1].T / np.sqrt(np.mean(true_units.muaps[1] ** 2))
    by_sample = rng.standard_normal((train[-1] + 200, 32)).astype(np.float32)
    for spike in train:
        by_sample[spike - 48 : spike + 48] += 0.6 * muap
    return Extended.of(by_sample, 6, 2), train


def test_a_start_beside_the_unit_ends_at_it(model, signal, at_truth):
    extended, train = signal
    bank = Bank.make(model, 512, 6, 2, seed=0)
    covariance = extended.covariance()
    floor = whiten(covariance.copy())[1]
    start = at_truth.unbounded[1:2].copy()
    start[0, [0, 1, 2, 5]] += [0.25, 0.3, -0.2, 0.3]  # lateral, depth, zone, velocity
    ends = ascend(model, bank, extended, covariance, start, SETTINGS, floor=floor)
    shift = int(np.median(ends.trains[0][:5] - train[:5]))
    assert np.isin(train, (ends.trains[0] - shift)[:, None] + np.arange(-1, 2)).mean() > 0.95
    # Place along and across: what a window of a few milliseconds shows; velocity is left to the whole potential.
    before, after = (np.abs(u - at_truth.unbounded[1])[[0, 2]] for u in (start[0], ends.unbounded[0]))
    assert np.all(after < 0.5 * before)
