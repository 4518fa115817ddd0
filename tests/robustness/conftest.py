"""The command line in this process: as fast as a call, with exit status, output and messages as a user gets them."""

from __future__ import annotations

import sys
from collections.abc import Callable

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
