"""The words of the shipped tables, and an import of a file by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from igfmeta.evidence import load_evidence
from igfmeta.evidence.importing import Imported, import_file
from igfmeta.evidence.importing.vocabulary import Vocabulary

FILES = Path(__file__).parent / "files"


@pytest.fixture(scope="session")
def words() -> Vocabulary:
    evidence = load_evidence()
    return Vocabulary.of(*(evidence.table(name) for name in ("agents", "tumors", "outcomes")))


@pytest.fixture
def imported(words: Vocabulary) -> Callable[..., Imported]:
    """Return a function that imports a file of `files/`, or any path."""

    def go(name: str | Path, **options: Any) -> Imported:
        return import_file(FILES / name, words, **options)

    return go
