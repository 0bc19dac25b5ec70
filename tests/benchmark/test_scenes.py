"""Scene A is what it is said to be, and a person's own method runs on it."""

import runpy
import sys
from pathlib import Path

import pytest

from muemg import read
from muemg.benchmark import Scene
from muemg.benchmark.bounds import linear_upper_bound
from muemg.benchmark.journal import read_rows

EXAMPLE = Path(__file__).parents[2] / "examples" / "benchmark_own_method.py"


@pytest.mark.slow
def test_scene_a_can_be_separated_by_linear_filters_and_by_the_example(tmp_path, monkeypatch, capsys):
    cache = tmp_path / "cache"
    case = Scene.load("scene-a").case(0, cache)
    simulation = read(case.file).require("simulation")
    assert len(simulation.spikes) == len(linear_upper_bound(simulation)) == 10
    assert Scene.load("scene-a").case(0, cache) == case
    assert len(list(cache.iterdir())) == 3  # it was simulated once

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MUEMG_BENCHMARK_CACHE", str(cache))
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    (row,) = read_rows(tmp_path / "muemg-benchmark" / "results.jsonl")
    assert "| scikit-learn | 1 |" in capsys.readouterr().out
    assert (row["method"], row["recording"], row["status"]) == ("scikit-learn", case.recording, "ok")
    # Fewer delays than the action potentials are long cannot separate all of them, but the largest.
    assert 2 <= row["right"] <= row["reported"] < 12
