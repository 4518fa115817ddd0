"""The README keeps its word: its commands answer and its Python runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^    igfmeta (.+)$", README, flags=re.MULTILINE)


#: Exposure groups of three case-control studies.
GROUPS = """id,type,dose,cases,n,logrr,se
A,cc,0,50,150,0,
A,cc,10,60,155,0.15,0.20
A,cc,20,70,160,0.30,0.20
A,cc,40,80,162,0.52,0.20
B,cc,0,40,120,0,
B,cc,12,44,118,0.10,0.23
B,cc,24,50,116,0.33,0.23
B,cc,36,60,122,0.50,0.22
C,cc,0,80,240,0,
C,cc,8,84,236,0.08,0.17
C,cc,18,95,238,0.25,0.16
C,cc,30,99,235,0.36,0.16
"""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_answers(command, tmp_path):
    (tmp_path / "groups.csv").write_text(GROUPS)
    (tmp_path / "table.csv").write_text("study,yi,vi\nA,0.1,0.02\nB,0.4,0.03\nC,-0.1,0.05\n")
    (tmp_path / "genes.csv").write_text("gene,yi,vi\nA,0.1,0.02\nB,0.4,0.03\nA,-0.1,0.05\n")
    (tmp_path / "results.csv").write_text("slab,ai,n1i,ci,n2i\nSmith 2001,12,60,8,61\n")
    (tmp_path / "points.csv").write_text("arm,time,surv\nnew,2,0.9\nnew,6,0.7\nplacebo,1,0.8\nplacebo,4,0.5\n")
    (tmp_path / "at_risk.csv").write_text("arm,time,at_risk\nnew,0,20\nplacebo,0,20\nplacebo,3,15\n")
    arguments = [sys.executable, "-W", "error", "-m", "igfmeta", *shlex.split(command)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout or any((tmp_path / name).is_file() for name in ("forest.svg", "pooled.csv"))


def test_there_are_commands():
    assert len(COMMANDS) >= 5


def test_the_python_runs(tmp_path):
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path)
    assert (tmp_path / "forest.pdf").is_file()


def test_files_that_it_names_are_there():
    for name in re.findall(r"\]\(([^)h][^)]*)\)", README):
        assert (ROOT / name).exists(), name


def test_the_two_commands_are_the_first_that_a_reader_meets():
    first = re.findall(r"^    (.+)$", README, flags=re.MULTILINE)[:2]
    assert first == ["pip install uv && uv run python -m igfmeta pool --class antibody", "uv run pytest"]
