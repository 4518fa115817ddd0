"""docs/import.md keeps its word: its commands and its Python run in order, and say what the page says they say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "import.md").read_text()
FILES = Path(__file__).parents[1] / "evidence" / "importing" / "files"

#: Python blocks, and commands with the lines shown under them, as they come in the page.
STEP = re.compile(
    r"^```python\n(?P<code>(?s:.*?))^```|^    \$ igfmeta (?P<command>.+)\n(?P<shown>(?:    [^$].*\n)*)", re.MULTILINE
)


def test_the_page_runs_as_it_stands(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "NCT09000001.json").write_bytes((FILES / "NCT09000001.json").read_bytes())
    steps = list(STEP.finditer(PAGE))
    assert [bool(step["code"]) for step in steps] == [False, False, True, False, False, False, True]
    for step in steps:
        if step["code"]:
            exec(step["code"], {})
            continue
        status, out, err = run(*shlex.split(step["command"]))
        shown = [line.strip() for line in step["shown"].splitlines()]
        said = "\n".join(line.strip() for line in (out + err).splitlines())
        assert [line for line in shown if line not in said] == []
        assert status == (2 if "is blank" in step["shown"] else 1 if "error" in step["shown"] else 0), err


def test_files_that_it_names_are_there():
    for name in re.findall(r"\]\(([^)h][^)]*)\)", PAGE):
        assert (ROOT / "docs" / name).exists(), name
