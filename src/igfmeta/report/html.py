"""A report as one HTML file that asks for nothing outside itself."""

from __future__ import annotations

import json
from typing import Any

from igfmeta.plots.html_forest import environment, stylesheet, to_html
from igfmeta.report.content import Report
from igfmeta.resources import template_folder
from igfmeta.text import plain

#: Where the provenance stands in the file.
PROVENANCE_ID = "igfmeta-provenance"


def report_to_html(report: Report) -> str:
    """Return a report as a page: the same report gives the same bytes."""
    from markupsafe import Markup

    def forest(block: Any) -> Markup:
        # The template of a forest escapes what it prints.
        return Markup(to_html(block.forest, id_prefix=block.key, styled=False))

    def drawing(block: Any) -> Markup:
        # matplotlib escapes the text of a figure; title and description are escaped in `pictures`.
        return Markup(block.svg)

    template = environment().get_template("report.html.j2")
    # Inside a script element only "</" and "<!--" matter to HTML; JSON can write "<" otherwise.
    provenance = json.dumps(report.provenance.to_dict(), indent=1, ensure_ascii=False).replace("<", "\\u003c")
    text: str = template.render(
        report=report,
        style=stylesheet(),
        script=(template_folder() / "report.js").read_text(encoding="utf-8"),
        provenance=Markup(provenance),
        provenance_id=PROVENANCE_ID,
        kind=lambda block: type(block).__name__,
        forest=forest,
        drawing=drawing,
        plain=plain,
        filters=_filters(report),
    )
    return text if text.endswith("\n") else f"{text}\n"


def _filters(report: Report) -> dict[str, list[str]]:
    """Return the classes and tumours that rows may be filtered by."""
    found: dict[str, set[str]] = {"class": set(), "tumor": set()}
    for table in report.tables():
        for facts in table.facts:
            for name, values in found.items():
                if facts.get(name):
                    values.add(facts[name])
    return {name: sorted(values) for name, values in found.items()}
