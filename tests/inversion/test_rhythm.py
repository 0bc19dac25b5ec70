"""A train is mended by its rhythm, and judged by it; peaks without rhythm stay what they are."""

import numpy as np
import pytest

from muemg.inversion.rhythm import expected_agreement, regular_train

RATE = 2000.0


def regular(n=40, interval=180, variation=0.12, seed=0):
    rng = np.random.default_rng(seed)
    return 300 + np.cumsum(interval * (1 + variation * rng.standard_normal(n))).astype(np.int64)


def source_of(train, heights, noise, seed=1):
    source = noise * np.abs(np.random.default_rng(seed).standard_normal(train[-1] + 300))
    source[train] = heights
    return source


def agreement(found, truth):
    hits = len(np.intersect1d(found, truth))
    return hits / (len(found) + len(truth) - hits)


def test_a_low_discharge_at_its_time_is_found_and_a_high_peak_at_a_wrong_time_left():
    truth = regular()
    heights = 7 + 1.2 * np.random.default_rng(4).standard_normal(len(truth))
    heights[[10, 25]] = 4.5
    source = source_of(truth, heights, 0.8)
    between = (truth[17] + truth[18]) // 2
    source[between] = 4.8
    detected = np.sort(np.append(np.delete(truth, [10, 25]), between))
    assert agreement(detected, truth) < 0.94
    assert agreement(regular_train(source, detected, RATE), truth) == 1.0


def test_missed_and_false_discharges_are_counted():
    # No mistake; every tenth missed; four false among forty.
    truth = np.arange(40) * 100
    assert expected_agreement(truth) == 1.0
    kept = np.delete(truth, np.arange(5, 35, 10))
    assert expected_agreement(kept) == pytest.approx(37 / 40)
    false = np.sort(np.concatenate([truth, truth[[5, 15, 25, 35]] + 50]))
    # Both halves of a divided interval are short: 8 / 2 false ones.
    assert expected_agreement(false) == pytest.approx(40 / 44)


def test_random_times_are_not_believed():
    rng = np.random.default_rng(3)
    for _ in range(20):
        train = np.sort(rng.choice(8000, 40, replace=False))
        assert expected_agreement(train) < 0.85


def test_a_pause_is_no_mistake():
    train = np.concatenate([np.arange(20) * 100, 10_000 + np.arange(20) * 100])
    assert expected_agreement(train) == 1.0


def test_too_few_discharges_have_no_rhythm():
    train = np.array([100, 300, 500])
    assert expected_agreement(train) == 0.0
    assert regular_train(source_of(train, 5.0, 1.0), train, RATE).tolist() == train.tolist()
