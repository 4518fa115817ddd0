"""`igfmeta multilevel`: several outcomes jointly, or one with nested and crossed random effects, from the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.request import Many, Selected, several, takes
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import check_choice

FORMATS = ("table", "json", "csv", "markdown")
_MODEL, _OUTPUT = "Model", "Output"


@dataclass
class MultilevelRequest(Selected):
    """Which studies; the model's options are the command's own."""


@takes(MultilevelRequest)
def multilevel(
    request: MultilevelRequest,
    *,
    context: typer.Context,
    outcome: Annotated[
        Many,
        typer.Option(
            help="Outcomes or families with one measure; of two, the true outcome first, then its surrogate. "
            "Default: os,pfs.",
            rich_help_panel="Question",
            metavar="NAME[,NAME]",
        ),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            help="HR; OR, RR, RD, PETO, AS for two arms; PLO, PLN, PR, PAS, PFT for one arm. Default: HR, or of counts "
            "that of two arms.",
            rich_help_panel="Question",
            metavar="NAME",
        ),
    ] = None,
    use: Annotated[
        str,
        typer.Option(
            help="primary, or sensitivity to add the rows marked so.", rich_help_panel="Question", metavar="NAME"
        ),
    ] = "primary",
    random: Annotated[
        Many,
        typer.Option(
            help="Random effects over study, comparison, outcome, class, agent, tumor, phase, row; may be repeated, "
            "for crossed terms. Default: '~ outcome | study'; for one outcome '~ 1 | study/comparison' or "
            "'~ 1 | study'.",
            rich_help_panel=_MODEL,
            metavar="FORMULA",
        ),
    ] = None,
    struct: Annotated[
        Many,
        typer.Option(
            help="Of inner | outer: ID, DIAG, CS, HCS, UN, AR, HAR, CAR; one for all or one for each formula.",
            rich_help_panel=_MODEL,
            metavar="NAME",
        ),
    ] = None,
    rho: Annotated[
        float,
        typer.Option(
            help="Assumed correlation of the sampling errors of two outcomes of one comparison.",
            rich_help_panel=_MODEL,
            metavar="NUMBER",
        ),
    ] = 0.5,
    method: Annotated[str, typer.Option(help="REML or ML.", rich_help_panel=_MODEL, metavar="NAME")] = "REML",
    test: Annotated[
        str,
        typer.Option(
            help="z; or t with degrees of freedom: t (rows less coefficients), contain, groups (studies of the "
            "coefficient, less 1), satterthwaite.",
            rich_help_panel=_MODEL,
            metavar="NAME",
        ),
    ] = "groups",
    level: Annotated[
        float, typer.Option(help="Level of every interval.", rich_help_panel=_MODEL, metavar="NUMBER")
    ] = 0.95,
    output_format: Annotated[
        str, typer.Option("--format", help="table, json, csv or markdown.", rich_help_panel=_OUTPUT)
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.", rich_help_panel=_OUTPUT)
    ] = None,
    forest: Annotated[
        Path | None,
        typer.Option(
            help="Also draw the forest plot (.svg, .pdf, .png, .html or .txt).", rich_help_panel=_OUTPUT, metavar="FILE"
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(
            help="Also draw the surrogacy line with the trials (.svg, .pdf, .png).",
            rich_help_panel=_OUTPUT,
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Pool outcomes jointly, or one outcome with nested and crossed random effects; the surrogacy line of two."""
    from igfmeta.cli.output import emit, rendered
    from igfmeta.report.multilevel_summary import tables
    from igfmeta.synthesis.fit_multilevel import has_inner
    from igfmeta.synthesis.multilevel import multilevel as model

    shape = check_choice("--format", output_format, FORMATS)
    outcomes = several(outcome) or ("os", "pfs")
    refuse_unheard(
        context,
        Needs(("rho",), len(outcomes) > 1, "two outcomes or more, whose sampling errors it correlates"),
        Needs(("struct",), has_inner(random) if random else len(outcomes) > 1, "a term such as '~ outcome | study'"),
    )
    if figure is not None:
        from igfmeta.plots.canvas import check_suffix

        check_suffix(figure)
    if forest is not None:
        from igfmeta.plots.files import check_suffix as check_forest

        check_forest(forest)
    result = model(
        request.evidence(),
        outcome=outcomes,
        measure=measure,
        random=random,
        struct=several(struct),
        rho=rho,
        method=method,
        test=test,
        use=use,
        level=level,
        **request.criteria(),
    )
    text = rendered(result, tables, shape)
    if forest is not None:
        from igfmeta.plots.drawn import fit_forests

        for place in fit_forests(result).save(forest):
            typer.echo(f"Written: {place}", err=True)
    if figure is not None:
        from igfmeta.plots.canvas import save
        from igfmeta.plots.surrogacy_line import surrogacy_line

        say_written(save(surrogacy_line(result), figure))
    emit(text, output)
