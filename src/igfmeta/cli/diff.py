"""`igfmeta diff`: what came, went and changed between two evidences, and what it did to every pooled effect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.cli.request import several
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    from igfmeta.evidence.tables import Evidence
    from igfmeta.synthesis.effect_diff import Diff

FORMATS = ("table", "json", "csv", "markdown")

#: Stands for the evidence that igfmeta ships.
SHIPPED = "shipped"


def diff(
    context: typer.Context,
    old: Annotated[
        Path,
        typer.Argument(
            help="A folder of evidence tables, one trials table, a bundle (.zip), or 'shipped'.",
            metavar="OLD",
        ),
    ],
    new: Annotated[Path, typer.Argument(help="The other one.", metavar="NEW")],
    *,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Groups of the pools of trials. Default: class,tumor.", metavar="NAME[,NAME]"),
    ] = None,
    agent_class: Annotated[
        str | None, typer.Option("--class", help="Pool only trials of this class of agent.", metavar="NAME")
    ] = None,
    use: Annotated[str, typer.Option(help="primary, or sensitivity to add the rows marked so.")] = "primary",
    everything: Annotated[bool, typer.Option("--all", help="Show the pooled effects that did not change too.")] = False,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, csv (the pooled effects) or markdown.")
    ] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Say what changed between two evidences, and what it did to every pooled effect.

    Of two bundles that report wrote the pooled effects are those that they hold; otherwise evidence is pooled anew.
    Which studies and rows came, went or changed, cell by cell; each pooled effect before and after. The exit status is
    0 whether they differ or not; in JSON "same" says it.
    """
    from igfmeta.cli.output import emit

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(
        context, Needs(("everything",), shape not in ("json", "csv"), "a format for readers; json has it all")
    )
    emit(_rendered(_compared(old, new, several(by), agent_class, use), shape, everything), output)


def _compared(old: Path, new: Path, by: tuple[str, ...] | None, agent_class: str | None, use: str) -> Diff:
    from igfmeta.report.bundle import compare_bundles, is_bundle, read_bundle
    from igfmeta.synthesis.effect_diff import DEFAULT_BY
    from igfmeta.synthesis.effect_diff import diff as compare
    from igfmeta.synthesis.eligibility import USE_LEVELS

    if is_bundle(old) and is_bundle(new):
        if by or agent_class or use != "primary":
            raise InputError("Two bundles hold pooled effects of their own; --by, --class and --use are for evidence.")
        return compare_bundles(read_bundle(old), read_bundle(new))
    one, other = _evidence(old), _evidence(new)
    use = check_choice("--use", use, USE_LEVELS)
    return compare(one, other, by=by or DEFAULT_BY, agent_class=agent_class, use=use)


def _evidence(path: Path) -> Evidence:
    from igfmeta.evidence import load_evidence
    from igfmeta.report.bundle import is_bundle, read_bundle

    if is_bundle(path):
        return read_bundle(path).evidence
    return load_evidence(None if str(path) == SHIPPED and not path.exists() else path)


def _rendered(found: Diff, shape: str, everything: bool) -> str:
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(found.to_dict())
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(found.to_frame())
    from igfmeta.report.diff_summary import closing, tables

    made = tables(found, everything=everything)
    if shape == "markdown":
        from igfmeta.report.markdown import markdown_text, table_to_markdown

        return "\n".join([*map(table_to_markdown, made), *map(markdown_text, closing(found))])
    from igfmeta.cli.terminal import to_text
    from igfmeta.text import plain

    return "\n".join([*map(to_text, made), *map(plain, closing(found))])
