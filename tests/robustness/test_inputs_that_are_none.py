"""Folders, pipes, links in a circle, files without permission, other encodings, given to every command that reads."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TABLE = "study,yi,vi\nA,0.1,0.02\nB,0.4,0.03\n"
READERS = [
    ("fit", "--data", "{}", "--yi", "yi", "--vi", "vi"),
    ("fit", "--data", "{}", "--yi", "yi", "--vi", "vi", "--batch", "study"),
    ("influence", "--data", "{}", "--yi", "yi", "--vi", "vi"),
    ("pool", "--data", "{}"),
    ("audit", "--data", "{}"),
    ("rob", "--data", "{}"),
    ("evidence", "list", "--data", "{}"),
    ("dose", "--data", "{}"),
    ("import", "{}"),
    ("km", "{}", "--at-risk", "{}"),
    ("diff", "{}", "shipped"),
    ("protocol", "check", "{}"),
    ("report", "{}", "-o", "x.html"),
    ("verify", "{}"),
    ("diagnose", "{}"),
]


@pytest.fixture(autouse=True)
def no_waiting():
    """A pipe that is read waits for ever: then the test fails."""
    signal.alarm(120)
    yield
    signal.alarm(0)


def _folder(path):
    path.mkdir()


def _circle(path):
    path.symlink_to(path.name)


def _bytes(content):
    return lambda path: path.write_bytes(content)


KINDS = {
    "folder": _folder,
    "pipe": os.mkfifo,
    "circle of links": _circle,
    "UTF-16": _bytes(TABLE.encode("utf-16")),
    "latin-1": _bytes("study,yi,vi\nM\xfcller,1,1\n".encode("latin-1")),
    "NUL": _bytes(b"study,yi,vi\nA\0,1,1\n"),
    "nothing": _bytes(b""),
    "NUL alone": _bytes(b"\0" * 5_000),
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("words", READERS, ids=lambda words: " ".join(words[:2]))
def test_it_is_refused_by_a_sentence(run, tmp_path, monkeypatch, words, kind):
    monkeypatch.chdir(tmp_path)
    KINDS[kind](tmp_path / "in.csv")
    status, out, err = run(*(word.format("in.csv") for word in words))
    assert status == 2, (status, out, err)
    assert err.startswith("igfmeta")
    assert out == ""
    assert not (tmp_path / "x.html").exists()


def test_a_byte_order_mark_changes_nothing(run, tmp_path):
    answers = []
    for mark in (b"", b"\xef\xbb\xbf"):
        path = tmp_path / "t.csv"
        path.write_bytes(mark + TABLE.encode())
        given = ("fit", "--data", path, "--yi", "yi", "--vi", "vi", "--format", "csv")
        answers += [run(*given, *more)[1] for more in ((), ("--batch", "study"))]
    assert answers[:2] == answers[2:]


#: What a user may not: run as nobody where this is root, with everything loaded before.
AS_NOBODY = """
import json, os, sys
from igfmeta.cli import app

commands, folder = json.loads(sys.argv[1]), sys.argv[2]
os.chdir(folder)

def run(words):
    sys.argv = ["igfmeta", *words]
    return app._run()

devnull = os.open(os.devnull, os.O_WRONLY)
out = os.dup(1)
os.dup2(devnull, 1)
for words in [["no command"], *commands]:
    run([word.replace("closed", "open").replace("locked", "free") for word in words])
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.stderr.write("START\\n")
said = [run(words) for words in commands]
os.write(out, json.dumps(said).encode())
"""


def test_what_may_not_be_read_or_written_is_said_and_old_files_stay():
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o777)
        for name in ("open.csv", "closed.csv"):
            (folder / name).write_text(TABLE)
        for name in ("free", "locked"):
            (folder / name).mkdir()
            (folder / name / "old.html").write_text("old")
            (folder / name / "old.csv").write_text("old")
        (folder / "free").chmod(0o777)
        (folder / "closed_folder").mkdir()
        (folder / "open_folder").mkdir()
        (folder / "closed.csv").chmod(0)
        (folder / "closed_folder").chmod(0)
        (folder / "locked").chmod(0o555)
        table = ["--yi", "yi", "--vi", "vi"]
        commands = [
            ["fit", "--data", "closed.csv", *table],
            ["fit", "--data", "closed.csv", *table, "--batch", "study"],
            ["import", "closed.csv"],
            ["verify", "closed.csv"],
            ["audit", "--data", "closed.csv"],
            ["diagnose", "closed.csv"],
            ["protocol", "check", "closed.csv"],
            ["pool", "--data", "closed_folder/trials.csv"],
            ["pool", "--data", "closed_folder"],
            ["diff", "closed_folder", "shipped"],
            ["fit", "--data", "open.csv", *table, "--format", "html", "-o", "locked/old.html"],
            ["fit", "--data", "open.csv", *table, "--forest", "locked/new.svg"],
            ["fit", "--data", "open.csv", *table, "--batch", "study", "-o", "locked/old.csv"],
        ]
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, json.dumps(commands), str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        said = done.stderr.partition("START\n")[2]
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [2] * len(commands), done.stderr
        assert "Traceback" not in said
        # What Typer finds itself, before the command starts, it says in its own words.
        assert said.count("Permission denied") + said.count("is not readable") == len(commands), said
        assert (folder / "locked" / "old.html").read_text() == "old"
        assert (folder / "locked" / "old.csv").read_text() == "old"
        assert sorted(path.name for path in (folder / "locked").iterdir()) == ["old.csv", "old.html"]
    finally:
        for path in (folder / "closed_folder", folder / "locked"):
            path.chmod(0o755)
        shutil.rmtree(folder)


def test_the_hash_is_that_of_what_was_read_whatever_happens_to_the_file(tmp_path, monkeypatch):
    import hashlib

    from igfmeta.evidence import load, stream
    from igfmeta.evidence.stream import read_grouped

    path = tmp_path / "t.csv"
    path.write_text(TABLE)
    known = hashlib.sha256(TABLE.encode()).hexdigest()
    columns = stream._columns

    def changed(*arguments):
        (tmp_path / "new.csv").write_text(TABLE.replace("0.1", "0.9"))
        (tmp_path / "new.csv").replace(path)
        return columns(*arguments)

    monkeypatch.setattr(stream, "_columns", changed)
    found = read_grouped(path, numeric=["yi"], group="study", rows_at_a_time=1)
    assert (found.sha256, found.numbers["yi"].tolist()) == (known, [0.1, 0.4])

    for name in ("trials", "sources"):
        (tmp_path / f"{name}.csv").write_bytes((load.data_folder() / f"{name}.csv").read_bytes())
    before = hashlib.sha256((tmp_path / "trials.csv").read_bytes()).hexdigest()
    read = load.content_of

    def replaced(place):
        content = read(place)
        place.write_bytes(content + b"x")
        return content

    monkeypatch.setattr(load, "content_of", replaced)
    monkeypatch.setattr(load, "data_folder", lambda: tmp_path)
    (tmp_path / "outcomes.csv").write_bytes((Path(load.__file__).parents[3] / "data" / "outcomes.csv").read_bytes())
    assert load.load_evidence(tmp_path, tables=("trials",)).files["trials.csv"] == before
