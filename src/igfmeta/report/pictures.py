"""Figures as SVG inside a page: real text, a title and a description, and identifiers that no other figure has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from igfmeta.plots.canvas import inline_svg
from igfmeta.report.content import Picture
from igfmeta.report.summary import SummaryTable
from igfmeta.text import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture(key: str, drawn: Figure, *, title: str, description: str, data: SummaryTable) -> Picture:
    """Return a figure as a block of a report.

    Parameters
    ----------
    key : str
        Unique in the report; goes before every identifier inside the figure.
    drawn : Figure
    title, description : str
        For those who cannot see it.
    data : SummaryTable
        The numbers behind it.
    """
    title, description = plain(title), plain(description)
    return Picture(key, title, description, _named(inline_svg(drawn, title), key, title, description), data)


def _named(svg: str, key: str, title: str, description: str) -> str:
    from markupsafe import escape

    svg = re.sub(r"<(metadata|defs)>\s*</\1>", "", re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL))
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    svg = re.sub(r'(xlink:href="|href=")#', rf"\1#{key}-", svg)
    svg = svg.replace("url(#", f"url(#{key}-")
    svg = re.sub(r'aria-label="[^"]*"', f'aria-labelledby="{key}-title {key}-desc"', svg, count=1)
    end = svg.index(">") + 1
    named = f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(description)}</desc>'
    return svg[:end] + named + svg[end:]
