"""What README promises: .ci/run runs its commands, its example runs, its tables and links are true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from muemg.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIRST_SCREEN = 24  # lines
# Those of the simulator have a test of their own, which looks at their pictures too; so has that of the benchmark.
DRAWN = {f"simulate_{name}.py" for name in ("isometric", "dynamic", "disease", "intramuscular")}
DRAWN |= {"benchmark_own_method.py"}
EXAMPLES = sorted({path.name for path in (ROOT / "examples").glob("*.py")} - DRAWN)


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_python(source, folder):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", source], cwd=folder, capture_output=True, text=True, check=False
    )


def test_the_first_screen_holds_the_two_commands():
    top = "\n".join(README.splitlines()[:FIRST_SCREEN]) + "\n"
    first, second = (block.strip() for block in blocks("sh", top))
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install .")
    assert first.endswith("muemg demo")
    # An environment of its own: compiled loops that a first install cached would stay behind and hide the checkout.
    assert second.startswith('python3 -m venv .venv-dev && .venv-dev/bin/pip install -e ".[dev]"')
    assert "pytest" in second.rpartition("&&")[2]
    for command in (first, second):
        assert "\n" not in command


def test_ci_runs_the_commands_of_the_readme():
    answer = subprocess.run(
        ["bash", str(ROOT / ".ci" / "run"), "--show"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert answer.stdout.splitlines() == [block.strip() for block in blocks("sh")]


def test_the_example_is_short():
    (example,) = blocks("python")
    statements = [line for line in example.splitlines() if line.strip()]
    assert len(statements) <= 10


@pytest.mark.slow
def test_the_example_runs(tmp_path):
    (example,) = blocks("python")
    answer = run_python(example, tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "motor units" in answer.stdout
    assert "true units found" in answer.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.h5", "report.html"]


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_run(name, tmp_path):
    answer = run_python((ROOT / "examples" / name).read_text(encoding="utf-8"), tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip()


def test_the_table_of_commands_is_complete():
    listed = set(re.findall(r"^\| `muemg ([\w-]+)", README, re.MULTILINE))
    assert listed == set(typer.main.get_command(app).commands)


@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_links_lead_somewhere(page):
    file = ROOT / page
    text = file.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert all((file.parent / link).exists() for link in links), links
    for name in re.findall(r"muemg\.preprocessing\.(\w+)|`(\w+)\(recording\)`", text):
        import muemg.preprocessing

        assert hasattr(muemg.preprocessing, next(filter(None, name)))


def test_the_version_is_the_same_everywhere():
    from muemg import __version__

    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"version: {__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
