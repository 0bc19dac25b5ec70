"""Tables, page and regression: medians over seeds, failures that count, differences with their uncertainty."""

import math
import re

import pytest
from typer.testing import CliRunner

from muemg.benchmark import compare_runs, markdown, summary, write_page
from muemg.cli import app
from muemg.errors import InvalidArgumentError

MACHINE = {"processor": "P", "cores": 2, "memory_gb": 8.0, "system": "Linux", "python": "3.12"}


def row(method, seed, right, wall, *, scene="s", changes=None, version="muemg 1", bound=10, **other):
    failed = right is None
    return {
        "key": f"{method}{scene}{changes}{seed}",
        "suite": "suite",
        "scene": scene,
        "changes": changes or {},
        "seed": seed,
        "method": method,
        "status": "failed" if failed else "ok",
        "reason": "it fell over" if failed else "",
        "n_true": 12,
        "reported": right,
        "right": right,
        "matched": right,
        "extra": None if failed else 0,
        "duplicates": None if failed else 0,
        "f1": None if failed else 0.99,
        "precision": None if failed else 1.0,
        "recall": None if failed else 0.98,
        "f1_of_all": None if failed else right / 12,
        "unit_precision": None if failed else 1.0,
        "bound": bound,
        "cancelling_bound": bound,
        "wall_s": wall,
        "cpu_s": wall,
        "peak_memory_mb": 100.0,
        "process_s": wall,
        "started": "2026-01-01T00:00:00+00:00",
        "threads": 2,
        "settings": {},
        "identity": {"call": "a:b", "command": []},
        "version": version,
        "muemg": "1",
        "commit": "abc",
        "recording": {"sha256": f"{scene}{changes}{seed}"},
        "libraries": {"numpy": "2.4"},
        "machine": MACHINE,
        "units": [],
        **other,
    }


ROWS = [
    *(row("ours", seed, right, 2.0 + seed) for seed, right in enumerate((8, 9, 10))),
    *(row("peer", seed, right, 30.0, version="peer 3") for seed, right in enumerate((9, 7, None))),
    *(row("linear bound", seed, 10, 1.0) for seed in range(3)),
    *(row("ours", 0, right, 2.0, changes={"recording.snr_db": snr}) for snr, right in ((5, 3), (20, 8))),
]


def test_a_failure_counts_as_no_unit():
    ours, peer, *_ = summary(ROWS)
    assert (ours.method, ours.values["right"], ours.values["wall_s"]) == ("ours", 9, 3.0)
    assert (peer.values["right"], peer.values["n_seeds"], peer.failures) == (7, 3, ("it fell over",))
    assert peer.values["f1"] == 0.99  # of the rows that have one
    (bound,) = summary([row("linear bound", 0, None, None)])
    assert math.isnan(bound.values["right"])  # what could be found is not known then


def test_the_table_says_who_is_ahead():
    text = markdown(ROWS)
    assert "| ours | 3 | 9 | 10 |" in text
    assert "| peer | 3 | 7 | 10 |" in text
    assert "takes 10.0 times as long as ours." in text
    assert "| method | 5 | 20 |" in text
    assert "| ours | 3 | 8 |" in text
    behind = [{**one, "right": 12, "wall_s": 0.5} if one["method"] == "peer" else one for one in ROWS]
    assert "MORE UNITS THAN MUEMG" in markdown(behind)
    assert "FASTER THAN MUEMG" in markdown(behind)


def test_the_page_holds_everything_it_shows(tmp_path):
    page = write_page(tmp_path / "page.html", ROWS, title="A & B").read_text(encoding="utf-8")
    assert "A &amp; B" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("<table") == 2  # the scene, and what was varied
    assert page.count('<th scope="row"') == 4
    assert page.count("data:image/svg+xml") == 4  # each for a desk and for a phone
    assert write_page(tmp_path / "again.html", ROWS, title="A & B").read_text(encoding="utf-8") == page
    with pytest.raises(InvalidArgumentError, match="rows must not be empty"):
        write_page(tmp_path / "none.html", [])


def lines(rows, baseline):
    return {
        (line["method"], line["scene"], line["measure"]): line
        for table in [compare_runs(rows, baseline)]
        for line in map(table.row, range(table.n_rows))
    }


def test_a_regression_comes_with_its_uncertainty():
    before = [row("m", seed, 8, 2.0) for seed in range(5)]
    better = [row("m", seed, right, 1.0) for seed, right in enumerate((9, 10, 9, 9, 10))]
    found = lines(better, before)
    line = found["m", "s", "right"]
    assert (line["n_pairs"], line["baseline"], line["now"], line["verdict"]) == (5, 8.0, 9.4, "better")
    # The mean of 5 differences, three of 1 and two of 2, lies between its bootstrap percentiles.
    assert line["difference"] == pytest.approx(1.4)
    assert 1.0 <= line["low"] < 1.4 < line["high"] <= 2.0
    assert math.isnan(line["p"])
    # Five changes of one sign: two-sided, 2 / 2⁵.
    assert found["m", "all", "right"]["p"] == pytest.approx(2 / 32)
    # Half the time every time: a ratio of 0.5 without any doubt.
    time = found["m", "s", "wall_s"]
    assert (time["difference"], time["low"], time["verdict"]) == (
        pytest.approx(0.5),
        pytest.approx(0.5),
        "better",
    )
    assert lines(before, better)["m", "s", "right"]["verdict"] == "worse"
    assert lines(before, before)["m", "s", "right"]["verdict"] == "same"


def test_what_chance_may_do_is_no_regression():
    before = [row("m", seed, 8, 2.0) for seed in range(5)]
    mixed = [row("m", seed, right, 2.0) for seed, right in enumerate((9, 7, 8, 9, 7))]
    assert lines(mixed, before)["m", "s", "right"]["verdict"] == "cannot tell"
    two = lines([row("m", seed, 9, 2.0) for seed in range(2)], before)
    assert two["m", "s", "right"]["verdict"] == "cannot tell"
    # Another machine tells nothing about time; a method that fails has lost all its units.
    elsewhere = lines([row("m", 0, None, None, machine={**MACHINE, "cores": 64})], before)
    assert ("m", "s", "wall_s") not in elsewhere
    assert elsewhere["m", "s", "right"]["difference"] == -8.0


def test_the_command_leaves_table_and_page(recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("MUEMG_BENCHMARK_CACHE", str(tmp_path / "cache"))
    method = tmp_path / "mine.py"
    method.write_text("def mine(recording, seed):\n    return []\n")
    options = [str(recordings), "-o", str(tmp_path / "out"), "--method", f"{method}:mine", "--threads", "1"]
    answer = CliRunner().invoke(app, ["benchmark", *options])
    assert answer.exit_code == 0, answer.output
    assert "| mine | 1 | 0 |" in answer.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "results.html",
        "results.jsonl",
        "results.md",
    ]
    again = CliRunner().invoke(
        app, ["benchmark", *options, "--baseline", str(tmp_path / "out" / "results.jsonl")]
    )
    assert "0 of them made now" in again.output
    assert "cannot tell" not in again.output
    assert " same" in again.output
    wrong = CliRunner().invoke(app, ["benchmark", "nowhere", "-o", str(tmp_path / "out")])
    assert wrong.exit_code == 1
