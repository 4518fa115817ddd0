"""Every command that writes, stopped when its file is written and not yet in its place: what stood there still does."""

from __future__ import annotations

import pytest

#: At the first file that is about to be put in its place the command gets the signal. In the background SIGINT is
#: ignored otherwise.
SIGNALLED = """
signal.signal(signal.SIGINT, signal.default_int_handler)
os.fsync = lambda _: os.kill(os.getpid(), signal.{})
"""

#: Standard output is a pipe whose reader has gone.
NOBODY_READS = """
ends, written = os.pipe()
os.close(ends)
os.dup2(written, 1)
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


def _commands(folder):
    """Make what the commands read, and old files where they write; return the commands."""
    (folder / "t.csv").write_text("study,yi,vi\nA,0.1,0.02\nB,0.4,0.03\n")
    (folder / "p.toml").write_text(PROTOCOL)
    (folder / "import.csv").write_text("slab,ai,n1i,ci,n2i\nA,1,20,3,30\n")
    (folder / "points.csv").write_text("arm,time,surv\n" + "".join(f"a,{t},{0.9**t:.3f}\n" for t in range(9)))
    (folder / "risks.csv").write_text("arm,time,at_risk\na,0,50\na,4,33\n")
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
        (folder / name).write_text("old")
    return made


def _content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(("how", "status"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_what_stood_there_still_does(tmp_path, process, how, status):
    commands = _commands(tmp_path)[: None if how == "SIGKILL" else 4]
    before = _content(tmp_path)
    ended = [process(tmp_path, SIGNALLED.format(how), *words) for words in commands]
    assert [found for found, _ in ended] == [status] * len(commands)
    for _, said in ended:
        assert "Traceback" not in said
        assert how != "SIGINT" or "igfmeta: interrupted; nothing was written." in said
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    assert all(name.startswith(".") for name in left)
    assert how != "SIGINT" or not left
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_reader_that_goes_away_is_no_fault(tmp_path, process):
    path = tmp_path / "t.csv"
    path.write_text("g,yi,vi\n" + "".join(f"g{i},0.1,0.02\n" for i in range(5_000)))
    status, said = process(tmp_path, NOBODY_READS, "fit", "--data", path, "--yi", "yi", "--vi", "vi", "--batch", "g")
    assert (status, "Traceback" in said) == (0, False)


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
