"""Where the comparison differs on purpose from that of muniverse-emg 0.1.4: what is counted here, and what there.

benchmarks/metrics/against_muniverse.py runs both on these cases.
"""

import numpy as np

from muemg import SpikeTrains, compare

A = [1000, 1110, 1230, 1350, 1440, 1560]


def counts(found, truth, fs=2048.0, ids=(), **settings):
    """(TP, FN, FP) of every found unit."""
    table = compare(SpikeTrains(found, fs, 40_000, ids), SpikeTrains(truth, fs, 40_000), **settings).found
    return list(zip(table["tp"].tolist(), table["fn"].tolist(), table["fp"].tolist()))


def test_the_delay_counts_spikes_within_the_tolerance():
    # Found spikes are 0, 2 and 4 samples late; the tolerance is 2. At a delay of 2 all three match. There, exact
    # coincidences are counted, one at each of the delays 0, 2 and 4, and the first is taken: (2, 1, 1).
    assert counts([[1000, 2002, 3004]], [[1000, 2000, 3000]]) == [(3, 0, 0)]


def test_the_tolerance_is_inclusive_at_every_rate():
    # 1002 is 2 samples, exactly 1 ms at 2000 Hz, from 1000. There the times are compared as seconds in binary
    # fractions, and 0.501 − 0.5 is more than 0.001: (2, 1, 1).
    assert counts([[1002, 3000, 5000]], [[1000, 3000, 5000]], fs=2000.0, max_delay=0) == [(3, 0, 0)]


def test_ids_are_names():
    # There, ids are compared with positions: a unit called 7 that is first in the list matches nobody, (0, 0, 6).
    assert counts([A], [A], ids=(7,)) == [(6, 0, 0)]


def test_false_spikes_of_a_unit_that_matches_nobody_are_its_own():
    # Three of them. There, they are those of the unit before: (0, 0, 6).
    assert counts([A, [30_000, 30_100, 30_270]], [A]) == [(6, 0, 0), (0, 0, 3)]


def test_weak_pairs_are_refused_before_the_assignment():
    # X holds 12 of B's 20 and 11 of C's (F1 24/43 and 22/43), Y 8 of B's and 8 false ones (F1 16/36 < 0.5). X gets
    # its best, B. There, the sum of F1 is largest with X–C and Y–B; then Y–B is refused and X stays with C.
    b = (1000 + np.cumsum(np.random.default_rng(1).integers(80, 140, 20))).tolist()
    c = (5000 + np.cumsum(np.random.default_rng(2).integers(80, 140, 20))).tolist()
    late = (14_000 + np.cumsum(np.random.default_rng(5).integers(80, 140, 8))).tolist()
    found, truth = [b[:12] + c[:11], b[12:] + late], [b, c]
    assert counts(found, truth, fs=1000.0, min_f1=0.5) == [(12, 8, 11), (0, 0, 16)]
