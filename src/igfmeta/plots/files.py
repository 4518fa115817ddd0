"""Forests in files: the suffix says what kind."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from igfmeta.errors import InputError
from igfmeta.files import write_whole
from igfmeta.plots.forest import Forest

SUFFIXES = (".svg", ".pdf", ".png", ".html", ".txt")


def check_suffix(path: Path) -> str:
    """Return the suffix of a figure's file, or raise a sentence that lists what is accepted."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"The figure {path.name!r} ends in {suffix or 'nothing'}; accepted are {', '.join(SUFFIXES)}.")
    return suffix


def save_forest(forest: Forest, path: str | Path, *, dpi: int = 200) -> Path:
    """Write a forest plot and return its path; the file appears whole or not at all.

    Raises
    ------
    InputError
        A suffix that is not .svg, .pdf, .png, .html or .txt, or a place that cannot be written.
    """
    path = Path(path)
    suffix = check_suffix(path)
    write_whole(path, _content(forest, suffix, dpi))
    return path


def _content(forest: Forest, suffix: str, dpi: int) -> str | bytes:
    if suffix == ".html":
        from igfmeta.plots.html_forest import to_page

        return to_page([forest], title=forest.title or "Forest plot")
    if suffix == ".txt":
        from igfmeta.plots.text_forest import to_text

        return to_text(forest)
    from igfmeta.plots.matplotlib_forest import Format, render

    return render(forest, cast(Format, suffix[1:]), dpi=dpi)
