"""The figures of a hierarchy as files: the matrix, and beside it the shrinkage and the densities."""

from __future__ import annotations

from pathlib import Path

from igfmeta.plots.canvas import check_suffix, save
from igfmeta.plots.cells import half_eyes, shrinkage
from igfmeta.plots.matrix import matrix
from igfmeta.synthesis.hierarchy_results import HierarchyResult

#: What is drawn, and what its file's name ends in.
FIGURES = {"": matrix, "-shrinkage": shrinkage, "-densities": half_eyes}


def save_figures(result: HierarchyResult, path: str | Path) -> list[Path]:
    """Write the matrix to `path`, and beside it `name-shrinkage` and `name-densities`; the same bytes each time.

    Raises
    ------
    InputError
        A suffix that is not .svg, .pdf or .png, or a place that cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    return [save(draw(result), path.with_stem(f"{path.stem}{end}")) for end, draw in FIGURES.items()]
