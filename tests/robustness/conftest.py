"""The command line in this process: as fast as a call, with exit status, output and messages as a user gets them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from igfmeta.cli.app import _run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs a command and gives its exit status, standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["igfmeta", *map(str, arguments)])
        capsys.readouterr()
        status = _run()
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


#: One process that forks for each command, so that libraries load once. What is to befall a command comes first in its
#: child; standard error of each goes to a file of its own.
FORKS = """
import contextlib, io, json, os, resource, signal, sys
import jinja2, joblib, pandas, scipy.optimize, scipy.stats
import matplotlib.backends.backend_agg, matplotlib.backends.backend_svg, matplotlib.figure
from igfmeta.cli import app

sys.argv = ["igfmeta", "pool", "--agent", "ganitumab", "--format", "json"]
with contextlib.redirect_stdout(io.StringIO()):
    app._run()
for line in sys.stdin:
    folder, befalls, words, said = json.loads(line)
    pid = os.fork()
    if pid == 0:
        for stream, place in enumerate((os.devnull, os.devnull, said)):
            os.dup2(os.open(place, os.O_RDWR | os.O_CREAT), stream)
        os.chdir(folder)
        exec(befalls)
        sys.argv = ["igfmeta", *words]
        app.main()
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

#: How a command ended that ran in a process of its own: exit status and standard error.
Ended = tuple[int, str]


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Ended]]:
    """Return a function that runs a command in a folder and a process of its own, after statements that befall it."""
    said = tmp_path_factory.mktemp("said") / "err"
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as forks:
        asked, answered = forks.stdin, forks.stdout
        assert asked is not None
        assert answered is not None

        def call(folder: Path, befalls: str, *words: object) -> Ended:
            said.unlink(missing_ok=True)
            asked.write(json.dumps([str(folder), befalls, [str(word) for word in words], str(said)]) + "\n")
            asked.flush()
            return int(answered.readline()), said.read_text()

        yield call
        asked.close()
