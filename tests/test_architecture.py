"""The house: imports point one way, modules are short, no parameter is ignored, heavy libraries load when used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "igfmeta"
MODULES = sorted(SOURCE.rglob("*.py"))

#: A layer imports itself, the layers named here, and the modules of the root that anybody may use.
MAY_IMPORT = {
    "effects": set(),
    "models": {"effects"},
    "bayes": {"effects"},
    "evidence": set(),
    "synthesis": {"effects", "models", "bayes", "evidence"},
    "plots": {"effects", "models", "bayes", "evidence", "synthesis"},
    "report": {"effects", "models", "bayes", "evidence", "synthesis", "plots"},
    "cli": {"effects", "models", "bayes", "evidence", "synthesis", "plots", "report"},
}


def _layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("igfmeta"):
            yield node.module if node.module != "igfmeta" else f"igfmeta.{node.names[0].name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("igfmeta"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_down(path):
    own = path.relative_to(SOURCE).parts[0]
    if own not in MAY_IMPORT:
        return  # the root: public names and what every layer may use
    allowed = MAY_IMPORT[own] | {own}
    wrong = [name for name in _imports(path) if _layer(name) in MAY_IMPORT and _layer(name) not in allowed]
    assert wrong == []


def test_the_root_modules_that_layers_use_import_no_layer():
    used = {
        name for path in MODULES if path.parent != SOURCE for name in _imports(path) if _layer(name) not in MAY_IMPORT
    }
    for name in used:
        path = SOURCE / f"{_layer(name)}.py"
        assert [each for each in _imports(path) if _layer(each) in MAY_IMPORT] == [], name


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_are_short(path):
    assert len(path.read_text().splitlines()) <= 400


def _unread(node: ast.FunctionDef) -> list[str]:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    named = [a.arg for a in (*arguments, node.args.vararg, node.args.kwarg) if a is not None]
    read = {n.id for body in node.body for n in ast.walk(body) if isinstance(n, ast.Name)}
    return [name for name in named if name not in read and name not in ("self", "cls") and not name.startswith("_")]


def _is_stub(node: ast.FunctionDef) -> bool:
    """A member of a Protocol, whose body says nothing; or the holder of options that act elsewhere."""
    rest = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    return not rest


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_parameter_is_accepted_and_ignored(path):
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    ignored = {f.name: _unread(f) for f in functions if not _is_stub(f) and _unread(f)}
    assert ignored == {}


def _modules_after(code: str) -> set[str]:
    program = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


HEAVY = ("pymc", "arviz", "pytensor", "statsmodels", "matplotlib", "jinja2", "scipy.stats", "scipy.optimize", "pandas")


def test_a_pool_loads_no_heavy_library():
    loaded = _modules_after(
        "import sys; sys.argv = ['igfmeta', 'pool', '--class', 'antibody']\n"
        "from igfmeta.cli.app import _run\nassert _run() == 0"
    )
    assert "igfmeta.synthesis.pooling" in loaded
    assert [name for name in HEAVY if name in loaded] == []


def test_importing_the_package_loads_next_to_nothing():
    loaded = _modules_after("import igfmeta")
    assert [name for name in ("numpy", "pandas", "pydantic", "typer") if name in loaded] == []


def test_public_names_are_there():
    import igfmeta

    for name in igfmeta.__all__:
        assert getattr(igfmeta, name) is not None
    with pytest.raises(AttributeError):
        igfmeta.no_such_name  # noqa: B018
