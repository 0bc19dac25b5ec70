"""Courses of excitation by hand."""

import numpy as np
import pytest

from muemg.errors import InvalidArgumentError
from muemg.neurons import ballistic, points, sine, staircase, triangle


def test_triangle():
    course = triangle(100, 10.0, level=0.4, rest=1)
    assert course[[0, 10, 30, 50, 70, 90, 99]] == pytest.approx([0, 0, 0.2, 0.4, 0.2, 0, 0])


def test_sine():
    # 10 s, rests of 1 s, 0.5 Hz: down to 0.3 at 1, 3, 5 s and up to 0.6 between
    course = sine(1000, 100.0, level=0.6, depth=0.5, frequency=0.5, rest=1)
    assert course[[50, 100, 200, 300, 400, 950]] == pytest.approx([0, 0.3, 0.6, 0.3, 0.6, 0])
    assert course.max() == pytest.approx(0.6)


def test_ballistic():
    course = ballistic(1000, 100.0, level=0.8, interval=2, time_to_peak=0.1, rest=1)
    assert np.flatnonzero(np.isclose(course, 0.8)).tolist() == [110, 310, 510, 710]
    assert course[100] == 0
    assert course[299] < 1e-6


def test_staircase():
    course = staircase(100, 10.0, level=0.6, steps=3, rest=0.5)
    assert course[[4, 5, 34, 35, 64, 65, 94, 95]] == pytest.approx([0, 0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0])


def test_points():
    assert points(5, 1.0, levels=[0.2, 0.6]) == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    own = np.random.default_rng(0).uniform(size=50)
    assert points(50, 7.0, levels=own) == pytest.approx(own)
    assert points(6, 1.0, levels=[0, 1, 1, 0], times=[1, 2, 3, 4]) == pytest.approx([0, 0, 1, 1, 0, 0])
    assert points(3, 1.0, levels=[0.5]).tolist() == [0.5] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: triangle(100, 10.0, level=0.4, rest=5), "rest, twice, must be shorter than the 10 s"),
        (lambda: sine(100, 10.0, level=0.4, frequency=0), "frequency"),
        (lambda: sine(100, 10.0, level=0.4, frequency=1, depth=2), "depth must be between 0 and 1"),
        (lambda: staircase(100, 10.0, level=0.4, steps=0), "steps"),
        (lambda: ballistic(100, 10.0, level=0.4, interval=-1), "interval"),
        (lambda: points(100, 10.0, levels=[0.2, 1.1]), "levels must be .* between 0 and 1"),
        (lambda: points(100, 10.0, levels=[]), "levels must be"),
        (lambda: points(100, 10.0, levels=[0.2, 1], times=[2, 1]), "times must be 2 times"),
    ],
)
def test_impossible_courses_are_refused(make, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make()
