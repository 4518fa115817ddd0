"""The figures of every set of studies that were asked for, with their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from igfmeta.errors import check_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from igfmeta.synthesis.study_sets import StudySet


class OfSet(Protocol):
    """What is known of one set of studies."""

    @property
    def studies(self) -> StudySet:
        """Return the studies."""


def figures_by_set[T: OfSet](
    sets: Iterable[T], names: Sequence[str], plots: Mapping[str, Callable[[T], Figure]]
) -> list[tuple[str, Figure]]:
    """Return the figures that were asked for, named by set (where there are several) and plot.

    Raises
    ------
    InputError
        A name that is not one of `plots`.
    """
    chosen, each_set = [check_choice("plot", name, tuple(plots)) for name in names], list(sets)
    several = len(each_set) > 1
    return [
        (f"{each.studies.name}-{name}" if several else name, plots[name](each)) for each in each_set for name in chosen
    ]
