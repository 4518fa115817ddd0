"""A forest for pages and notebooks: a table that reads as one, with a small drawing in each row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from igfmeta.plots.forest import Forest
from igfmeta.plots.layout import Layout, Line, lay_out
from igfmeta.resources import template_folder
from igfmeta.text import plain

if TYPE_CHECKING:
    from jinja2 import Environment

#: Units of the drawings: the plot is WIDTH wide, with PAD at either end for arrows.
WIDTH, PAD, HEIGHT, SQUARE = 240.0, 8.0, 22.0, 11.0


@cache
def environment() -> Environment:
    """Return the templates; everything that they print is escaped, and without characters that cannot be seen."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
    found.filters["x"] = _x
    return found


def _x(fraction: float) -> str:
    """Return a fraction of the axis as a coordinate."""
    return f"{PAD + fraction * WIDTH:.1f}"


def _row_label(line: Line) -> str:
    """Return what a row's drawing shows, in words."""
    return f"{line.cells.get('label', '')}: {line.cells.get('estimate', '')}"


def to_html(forest: Forest, *, id_prefix: str = "igfmeta", styled: bool = True) -> str:
    """Return a forest plot as an HTML fragment with its styles: a table whose rows carry an SVG each.

    Parameters
    ----------
    forest : Forest
    id_prefix : str
        Of the identifiers in the fragment, so that several fit on a page.
    styled : bool
        Whether the styles come with it, as a notebook needs; a page has them already.
    """
    template = environment().get_template("forest.html.j2")
    layout: Layout = lay_out(forest)
    return template.render(
        layout=layout,
        id=id_prefix,
        style=stylesheet() if styled else "",
        width=WIDTH,
        pad=PAD,
        height=HEIGHT,
        square=SQUARE,
        row_label=_row_label,
    )


def stylesheet() -> str:
    """Return the one stylesheet."""
    return (template_folder() / "style.css").read_text(encoding="utf-8")


def page(title: str, fragments: Sequence[str]) -> str:
    """Return a whole page that asks for nothing outside itself; the fragments are HTML already."""
    from markupsafe import Markup

    template = environment().get_template("page.html.j2")
    # The fragments come from these templates, which escape what they print.
    return template.render(title=title, fragments=[Markup(text) for text in fragments], style=stylesheet())


def to_page(forests: Sequence[Forest], *, title: str) -> str:
    """Return forest plots as a whole page."""
    return page(title, [to_html(forest, id_prefix=f"forest-{i + 1}", styled=False) for i, forest in enumerate(forests)])
