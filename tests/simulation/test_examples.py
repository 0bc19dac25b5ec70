"""Every example of the simulator runs, says something, and draws what it says it draws."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["isometric", "dynamic", "disease", "intramuscular"])
def test_the_example_runs(name, tmp_path, monkeypatch, capsys):
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    script = str(EXAMPLES / f"simulate_{name}.py")
    monkeypatch.setattr(sys, "argv", [script])
    # In this interpreter, where everything is imported: warnings are errors here too.
    runpy.run_path(script, run_name="__main__")
    plt.close("all")
    said = capsys.readouterr().out
    assert said.count("\n") >= 3
    pictures = [path.stat().st_size for path in tmp_path.glob("*.png")]
    assert len(pictures) == said.count("see ") == 1
    assert all(size > 20_000 for size in pictures)
