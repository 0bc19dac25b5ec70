"""The walls of the house: who may import whom, read from the source of every module.

Every import counts: at the top, inside a function, under TYPE_CHECKING, in a stub, or by name through
`importlib`. Names that come through the façade, such as ``from muemg import Recording``, count as imports of
the module that defines them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("muemg", "forward_models")

# Downwards only; the modules of one floor do not see each other, except the foundation, which is one whole.
FLOORS = (
    {"errors", "_table", "_workers", "recording", "spikes", "results"},
    {"io", "datasets", "preprocessing", "metrics", "muscle", "neurons"},
    {"separation", "simulation"},
    {"inversion"},
    {"methods"},
    {"drive"},
    {"decoding"},
    {"plots"},
    {"_page"},
    {"report", "_terminal"},
    {"benchmark"},
    {"cli"},
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
NEIGHBOURS = {("datasets", "io")}
KNOWS_PHYSICS = {"simulation", "inversion"}
KNOWN_TO_ALL = "forward_models.ElectrodeArray"
OUTSIDE = {"benchmarks", "examples", "tests"}
HEAVY = ("jax", "numba", "matplotlib", "sklearn", "pandas", "scipy", "h5py")


# ------------------------------------------------------------------ reading


def public_names(package: str) -> dict[str, str]:
    """Names a package hands on, from its ``__init__.pyi``, with the dotted name each stands for."""
    stub = ROOT.joinpath(*package.split("."), "__init__.pyi")
    if not stub.exists():
        return {}
    return {
        alias.asname or alias.name: f"{_absolute(node, package)}.{alias.name}"
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module an import-from names, relative dots resolved against the package it stands in."""
    if not node.level:
        return node.module or ""
    base = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join(base + ([node.module] if node.module else []))


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a module imports; `package` is the package the module stands in."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{_absolute(node, package)}.{alias.name}"
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__", "load"} and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield node.lineno, first.value


def behind_the_facade(name: str) -> str:
    """``muemg.Recording`` as ``muemg.recording.Recording``: where a name of the façade really lives."""
    head, _, rest = name.partition(".")
    first, _, others = rest.partition(".")
    meant = public_names(head).get(first)
    return f"{meant}.{others}" if meant and others else meant or name


# ------------------------------------------------------------------ rules


def complaints(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What the rules have against a module, one sentence each."""
    package = module if is_package else module.rpartition(".")[0]
    head, _, rest = module.partition(".")
    place = rest.split(".")[0]
    found = []
    if head == "muemg" and place and place not in FLOOR:
        found.append(f"{module}: has no floor; give {place!r} one in this test and in the design")
    for line, name in imports(source, package):
        top = name.split(".")[0]
        reason = ""
        if top in OUTSIDE:
            reason = "nothing imports it"
        elif head == "forward_models" and top == "muemg":
            reason = "forward_models knows nothing of muemg"
        elif head == "muemg" and top == "forward_models" and name != KNOWN_TO_ALL:
            if place not in KNOWS_PHYSICS:
                reason = "only muemg.simulation and muemg.inversion know the physics"
            elif not is_public(name):
                reason = "it is not a public name of forward_models"
        elif head == "muemg" and top == "muemg" and place in FLOOR:
            reason = _downwards(place, name)
        if reason:
            found.append(f"{module}, line {line}: imports {name}, but {reason}")
    return found


def _downwards(place: str, name: str) -> str:
    if name == "muemg":
        return "the façade as a whole hides what is used; import the names"
    if name.split(".")[1].startswith("__"):
        return ""
    target = behind_the_facade(name).split(".")[1]
    if target not in FLOOR:
        return "that module has no floor"
    if target == place or (place, target) in NEIGHBOURS or (FLOOR[target] == FLOOR[place] == 0):
        return ""
    return "" if FLOOR[target] < FLOOR[place] else "that is not below it"


def is_public(name: str) -> bool:
    """Whether every step of a dotted name is handed on by the package before it."""
    steps = name.split(".")
    package = steps[0]
    for step in steps[1:]:
        if step.startswith("_"):
            return False
        if ROOT.joinpath(*package.split("."), "__init__.py").exists() and step not in public_names(package):
            return False
        package = f"{package}.{step}"
    return True


def modules() -> list[Path]:
    return sorted(
        path.relative_to(ROOT)
        for package in PACKAGES
        for pattern in ("*.py", "*.pyi")
        for path in (ROOT / package).rglob(pattern)
    )


# ------------------------------------------------------------------ tests


@pytest.mark.parametrize("path", modules(), ids=str)
def test_every_module_keeps_to_the_rules(path):
    is_package = path.stem == "__init__"
    module = ".".join(path.parent.parts if is_package else path.with_suffix("").parts)
    assert complaints((ROOT / path).read_text(encoding="utf-8"), module, is_package=is_package) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("forward_models.muap", "from muemg.errors import MuemgError"),
        ("forward_models.muap", "def f():\n    import muemg"),
        ("muemg.separation.whitening", "from forward_models import units"),
        ("muemg.io.otb", "from forward_models.electrodes import ElectrodeArray"),
        ("muemg.simulation.mix", "from forward_models._checks import positive"),
        ("muemg.simulation.mix", "from forward_models import _checks"),
        ("muemg.simulation.mix", "from forward_models import nothing_of_the_kind"),
        ("muemg.recording", "from muemg.io import read"),
        ("muemg.recording", "from muemg import compare"),
        ("muemg.io.native", "from muemg.metrics import compare"),
        ("muemg.io.native", "from muemg import datasets"),
        ("muemg.separation.fastica", "from muemg.simulation import simulate"),
        ("muemg.simulation.mix", "from ..separation import fastica"),
        ("muemg.inversion.bank", "from muemg.plots import raster"),
        ("muemg.metrics.matching", "if TYPE_CHECKING:\n    from muemg.report import write_report"),
        ("muemg.metrics.matching", "class A:\n    def f(self):\n        from muemg.cli import main"),
        ("muemg.metrics.matching", "import importlib\nimportlib.import_module('muemg.plots')"),
        ("muemg.metrics.matching", "import muemg"),
        ("muemg.attic.old", "x = 1"),
        ("muemg.metrics.matching", "from muemg.attic import old"),
        ("muemg.cli", "from benchmarks.speed import run"),
        ("forward_models.muap", "import tests.oracles"),
    ],
)
def test_each_rule_can_fail(module, source):
    assert len(complaints(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("muemg.recording", "from forward_models import ElectrodeArray"),
        ("muemg.datasets.vastus", "from muemg.io import read"),
        ("muemg.results", "from muemg.spikes import SpikeTrains"),
        ("muemg.metrics.matching", "from muemg import SpikeTrains\nfrom . import quality\nimport numpy"),
        ("muemg.simulation.mix", "from forward_models import ElectrodeArray, units"),
        ("muemg.simulation.mix", "from forward_models.units import mm"),
        ("muemg.plots.raster", "from muemg.preprocessing import band_pass\nfrom muemg import __version__"),
        ("muemg.cli", "def f():\n    from muemg.report import write_report"),
    ],
)
def test_what_is_allowed_passes(module, source):
    assert complaints(source, module) == []


def test_relative_imports_of_a_package_are_resolved():
    assert complaints("from ..separation import fastica", "muemg.simulation", is_package=True) != []
    assert complaints("from .mix import simulate", "muemg.simulation", is_package=True) == []


@pytest.mark.parametrize("statement", ["import muemg", "import forward_models", "import muemg.cli"])
def test_a_fresh_interpreter_loads_nothing_heavy(statement):
    script = f"{statement}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_electrodes_load_no_jax():
    script = "from forward_models import ElectrodeArray\nimport sys\nprint('jax' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
