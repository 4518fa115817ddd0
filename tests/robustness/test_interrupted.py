"""Every command that writes, stopped when its file is written and not yet in its place: what stood there still does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

#: Run in one process that forks for each command, so that libraries load once. At the first file that is about to be
#: put in its place the command gets the signal.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from igfmeta.cli import app

how, commands = signal.Signals[sys.argv[1]], json.loads(sys.argv[2])

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored

def stop(_handle):
    os.kill(os.getpid(), how)

said = []
for words in commands:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.fsync = stop
        sys.argv = ["igfmeta", *words]
        app.main()
    said.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(json.dumps(said))
"""

PROTOCOL = """
title = "Small"
authors = ["A. Author"]
[question]
text = "Does ganitumab prolong survival?"
intervention = "ganitumab"
[eligibility]
agent = ["ganitumab"]
[[outcome]]
name = "os"
measure = "HR"
"""


@pytest.fixture
def commands(tmp_path):
    (tmp_path / "t.csv").write_text("study,yi,vi\nA,0.1,0.02\nB,0.4,0.03\n")
    (tmp_path / "p.toml").write_text(PROTOCOL)
    (tmp_path / "import.csv").write_text("slab,ai,n1i,ci,n2i\nA,1,20,3,30\n")
    (tmp_path / "points.csv").write_text("arm,time,surv\n" + "".join(f"a,{t},{0.9**t:.3f}\n" for t in range(9)))
    (tmp_path / "risks.csv").write_text("arm,time,at_risk\na,0,50\na,4,33\n")
    table = ("fit", "--data", "t.csv", "--yi", "yi", "--vi", "vi", "--study", "study")
    made = [
        (*table, "--format", "html", "-o", "out.html"),
        (*table, "--forest", "out.svg"),
        (*table[:-2], "--batch", "study", "-o", "out.csv"),
        ("import", "import.csv", "--to", "out.csv"),
        ("km", "points.csv", "--at-risk", "risks.csv", "--figure", "out.png"),
        ("pool", "--agent", "ganitumab", "--format", "json", "-o", "out.json"),
        ("report", "p.toml", "--export", "new", "--bundle", "out.zip"),
    ]
    for name in {word for words in made for word in words if word.startswith("out.")}:
        (tmp_path / name).write_text("old")
    return [list(words) for words in made]


@pytest.mark.parametrize(("how", "status"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_what_stood_there_still_does(tmp_path, commands, how, status):
    commands = commands if how == "SIGKILL" else commands[:4]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, json.dumps(commands)],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == [status] * len(commands)
    assert "Traceback" not in done.stderr
    if how == "SIGINT":
        assert done.stderr.count("igfmeta: interrupted; nothing was written.") == len(commands)
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    assert all(name.startswith(".") for name in left)
    assert how != "SIGINT" or not left
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_reader_that_goes_away_is_no_fault(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("g,yi,vi\n" + "".join(f"g{i},0.1,0.02\n" for i in range(5_000)))
    ends, written = os.pipe()
    os.close(ends)
    command = [sys.executable, "-m", "igfmeta", "fit", "--data", path, "--yi", "yi", "--vi", "vi", "--batch", "g"]
    done = subprocess.run(command, stdout=written, stderr=subprocess.PIPE, text=True, check=False)
    os.close(written)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_folder_of_files_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    from igfmeta.errors import InputError
    from igfmeta.report import export

    files = {f"a/{i}.txt": b"x" for i in range(5)}

    def stopped(path, content):
        if path.name == "3.txt":
            raise InputError("full")
        path.write_bytes(content)

    with monkeypatch.context() as patched:
        patched.setattr(export, "write_whole", stopped)
        with pytest.raises(InputError, match="full"):
            export.write_folder(tmp_path / "new", files)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "new").mkdir()
    export.write_folder(tmp_path / "new", files)
    assert {path.name for path in (tmp_path / "new" / "a").iterdir()} == {f"{i}.txt" for i in range(5)}
    with pytest.raises(InputError, match="cannot be made"):
        export.write_folder(tmp_path / "new", files)
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
