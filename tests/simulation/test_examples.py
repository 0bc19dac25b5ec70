"""Every example of the simulator runs, says something, and draws what it says it draws."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["isometric", "dynamic", "disease", "intramuscular"])
def test_the_example_runs(name, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"simulate_{name}.py")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("\n") >= 3
    pictures = [path.stat().st_size for path in tmp_path.glob("*.png")]
    assert len(pictures) == answer.stdout.count("see ")
    assert all(size > 20_000 for size in pictures)
