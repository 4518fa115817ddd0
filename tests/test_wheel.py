"""The built wheel answers away from the repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("needs uv")
    out = tmp_path_factory.mktemp("wheel")
    command = [uv, "build", "--wheel", "--out-dir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, cwd=out)
    return next(out.glob("*.whl"))


def test_it_holds_the_evidence_and_the_templates(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("data/trials.csv", "data/priors/turner2015_prior_parameters.csv", "data/datapackage.json",
                 "templates/page.html.j2", "templates/style.css", "analyses/overview.toml",
                 "schemas/pool.schema.json", "py.typed"):  # fmt: skip
        assert f"igfmeta/{name}" in names
    assert not any("tests/" in name for name in names)


def test_it_pools_in_an_environment_of_its_own(wheel, tmp_path):
    """Installed alone into an empty environment; what it depends on is lent by the one that runs the tests."""
    uv, environment = shutil.which("uv"), tmp_path / "env"
    subprocess.run([uv, "venv", "--python", sys.executable, str(environment)], check=True, capture_output=True)
    python = environment / "bin" / "python"
    install = [uv, "pip", "install", "--python", str(python), "--no-deps", "--offline", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, cwd=tmp_path)
    lent = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "lent.pth").write_text(f"{lent}\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "UV_", "VIRTUAL_ENV"))}
    script = str(environment / "bin" / "igfmeta")
    where = [str(python), "-c", "import igfmeta; print(igfmeta.__file__)"]
    found = subprocess.run(where, check=True, capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert found.stdout.startswith(str(site))
    command = [script, "pool", "--class", "antibody", "--outcome", "os", "--format", "json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path, env=clean)
    assert json.loads(done.stdout)["answers"][0]["overall"]["k"] == 8
    figure = [script, "forest", "--class", "antibody", "--outcome", "os", "-o", "f.html"]
    subprocess.run(figure, check=True, capture_output=True, cwd=tmp_path, env=clean)
    assert "<table" in (tmp_path / "f.html").read_text()
