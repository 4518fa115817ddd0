"""How results get their figures although drawing is a layer above them: the layer that draws registers itself here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

_loaders: list[Callable[[], Drawing]] = []


class Drawing(Protocol):
    """What a drawing layer offers."""

    def forests(self, result: Any, **options: Any) -> Any:
        """Return the forests of a result."""

    def figure(self, result: Any) -> Any:
        """Return the figure of a result."""

    def figures(self, result: Any, *plots: str) -> Any:
        """Return the figures of a result by name."""

    def html(self, result: Any) -> str:
        """Return a result as an HTML fragment."""


def register(loader: Callable[[], Drawing]) -> None:
    """Name what loads the drawing layer; it is called when a result is first drawn, not before."""
    _loaders[:] = [loader]


class Drawn:
    """Gives a result its figures."""

    def forest(self, **options: Any) -> Any:
        """Return the forest plots of this result: they draw themselves in a notebook and have `save(path)`.

        Parameters
        ----------
        **options
            Of a pool: `bayes` (draw the posterior beside each pooled effect; default True), `left` and `right` (columns
            beside the plot, in order). Others take none. See `igfmeta.plots.drawn.pool_forests`.
        """
        return _loaders[0]().forests(self, **options)

    def _repr_html_(self) -> str:
        return _loaders[0]().html(self)


class Plotted:
    """Gives a result its figures, several kinds of them, one of each for each set of studies."""

    def figures(self, *plots: str) -> Any:
        """Return figures by name (`matplotlib.figure.Figure`); without names the first kind."""
        return _loaders[0]().figures(self, *plots)

    def _repr_html_(self) -> str:
        return _loaders[0]().html(self)


class Pictured:
    """Gives a result the one figure that it has."""

    def figure(self) -> Any:
        """Return the figure (`matplotlib.figure.Figure`); `igfmeta.plots.canvas.save` writes it."""
        return _loaders[0]().figure(self)

    def _repr_html_(self) -> str:
        return _loaders[0]().html(self)
