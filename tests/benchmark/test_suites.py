"""Suites, scenes and methods are data: what is written is what is run, and mistakes are named."""

import subprocess
import sys
from pathlib import Path

import pytest

from muemg import Scenario
from muemg.benchmark import BenchmarkError, Method, Scene, Suite, scene_names, suite_names
from muemg.errors import InvalidArgumentError, MuemgError

ROOT = Path(__file__).parents[2]


def test_the_ready_made_suites_and_scenes_can_be_loaded():
    assert {"quick", "standard", "full"} <= set(suite_names())
    for name in suite_names():
        assert Suite.load(name).parts
    for name in scene_names():
        scene = Scene.load(name)
        assert scene.name == name


def test_the_peers_are_declared_and_have_adapters():
    suite = Suite.load(ROOT / "benchmarks" / "suites" / "standard.toml")
    peers = {method.name: method for part in suite.parts for method in part.methods if method.command}
    assert {name.partition(" ")[0] for name in peers} == {
        "emgdecomp",
        "emgdecompy",
        "openhdemg",
        "muniverse-emg",
    }
    assert {name.partition(" ")[2] for name in peers} == {"defaults", "tuned"}
    for method in peers.values():
        assert (method.command[0], Path(method.command[1]).is_file()) == (sys.executable, True)
        # Without a name of a known peer the launcher lists those that there are.
    said = subprocess.run([*method.command[:2], "nobody"], capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert all(peer.command[2] in said.stderr for peer in peers.values())


def test_a_part_is_every_method_on_every_scene_with_every_value(tmp_path):
    (tmp_path / "methods.toml").write_text(
        '[[declare]]\nname = "outside"\ncommand = ["{python}", "{here}/x.py"]\n'
    )
    (tmp_path / "suite.toml").write_text(
        'include = "methods.toml"\nbase = ["quick"]\nmethods = ["outside", "fastica"]\nseeds = [3, 4]\nthreads = 1\n'
        '[[parts]]\nscenes = ["demo-64"]\ntime_limit_s = 7\n'
        'vary."recording.snr_db" = [5, 10]\nvary."muscle.n_units" = [8, 9, 10]\n'
    )
    suite = Suite.load(tmp_path / "suite.toml")
    *before, part = suite.parts
    assert before == list(Suite.load("quick").parts)
    assert part.time_limit == 7
    assert (suite.name, suite.threads, part.seeds) == ("suite", 1, (3, 4))
    assert [dict(scene.changes) for scene in part.scenes] == [
        {"recording.snr_db": snr, "muscle.n_units": n} for snr in (5, 10) for n in (8, 9, 10)
    ]
    assert part.scenes[-1].scenario == Scenario.preset("demo-64").override(part.scenes[-1].changes)
    assert part.methods[0].command == (sys.executable, f"{tmp_path}/x.py")
    assert part.methods[1] == Method.named("fastica")
    other = suite.only([Method.named("linear bound")], range(1), 2)
    assert (other.threads, other.parts[0].seeds, [m.name for m in other.parts[0].methods]) == (
        2,
        (0,),
        ["linear bound"],
    )


@pytest.mark.parametrize(
    ("tables", "complaint"),
    [
        ({}, "must have parts"),
        ({"part": []}, "has no 'part'"),
        ({"parts": [{"scenes": ["demo-64"], "sweep": 1}]}, "has no 'sweep'"),
        ({"parts": [{"scenes": []}]}, "must have scenes"),
        ({"parts": [{"scenes": ["nowhere"]}]}, "scene must be a file or one of scene-a"),
        ({"parts": [{"scenes": ["demo-64"], "methods": ["magic"]}]}, "method must be one of fastica"),
        ({"parts": [{"scenes": ["demo-64"], "vary": {"recording.snr_db": 5}}]}, "must be a list"),
        ({"parts": [{"scenes": ["demo-64"], "vary": {"recording.snr": [5]}}]}, "recording.snr"),
        ({"parts": [{"scenes": ["vastus-lateralis"], "vary": {"recording.snr_db": [5]}}]}, "is a recording"),
        ({"parts": [{"scenes": ["demo-64"]}], "threads": 0}, "threads must be"),
        ({"parts": [{"scenes": ["demo-64"]}], "declare": [{"call": "a:b"}]}, "must have a name"),
        ({"parts": [{"scenes": ["demo-64"]}], "declare": [{"name": "x", "speed": 1}]}, "has no 'speed'"),
    ],
)
def test_a_mistake_is_named(tables, complaint):
    with pytest.raises(InvalidArgumentError, match=complaint):
        Suite.load(tables)


def test_a_method_is_a_call_or_a_command():
    for wrong in (
        {},
        {"call": "a:b", "command": ("c",)},
        {"call": "no_colon"},
        {"call": "a:b", "settings": {"f": len}},
    ):
        with pytest.raises(InvalidArgumentError):
            Method("wrong", **wrong)


def test_a_folder_without_truth_is_refused(tmp_path):
    with pytest.raises(BenchmarkError, match="no recording with known discharges"):
        Suite.load(tmp_path)
    with pytest.raises(MuemgError, match="a suite must be"):
        Suite.load(tmp_path / "nowhere")
