"""The notebooks in `analyses/notebooks` run from top to bottom without a warning, and their figures draw themselves."""

from __future__ import annotations

from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "analyses" / "notebooks"

#: Notebook -> how many of its cells show a figure.
FIGURES = {"antibodies": 3, "igf1_and_risk": 4, "response_by_tumour": 2}

#: A warning is an error here as everywhere in the tests.
STRICT = "import warnings\nwarnings.simplefilter('error')\n"


def outputs(name):
    """Return what each cell of code shows, by media type."""
    notebook = jupytext.read(FOLDER / f"{name}.py")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[0].source = STRICT + code[0].source
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    return [output for cell in code for output in cell.outputs]


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_notebook_runs_and_its_figures_draw_themselves(name, monkeypatch):
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    shown = outputs(name)
    assert not [output["text"] for output in shown if output.get("name") == "stderr"]
    pages = [output["data"].get("text/html", "") for output in shown if "data" in output]
    drawn = [page for page in pages if "<svg" in page and "</svg>" in page]
    assert len(drawn) == FIGURES[name]
    tables = [page for page in pages if "<table" in page and "dataframe" in page]
    assert tables


def test_every_notebook_is_run():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(FIGURES)
