"""`igfmeta risk`: a circulating marker and the risk of cancer, pooled from the associations of the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.request import Many, several, takes
from igfmeta.cli.unheard import Needs, refuse_unheard
from igfmeta.errors import InputError, check_choice

if TYPE_CHECKING:
    from igfmeta.synthesis.risk_results import RiskResult

FORMATS = ("table", "json", "csv", "markdown", "html")

_QUESTION, _ROWS, _MODEL = "Question", "Which rows", "Model"


def _asked(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_QUESTION, metavar=metavar)


def _rows(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_ROWS, metavar=metavar)


def _model(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_MODEL, metavar=metavar)


@dataclass
class RiskRequest:
    """Which associations, on which scale, by which model."""

    cancer: Annotated[
        Many, _asked("Cancer: prostate, breast, colorectal ... Default with --by and --compare: all.", "NAME[,NAME]")
    ] = None
    biomarker: Annotated[str, _asked("Marker: igf1, igfbp3, igf2, igf1_igfbp3_ratio, free_igf1.")] = "igf1"
    subgroup: Annotated[
        Many,
        _asked(
            "Subgroup, the preferred one first. Default: whole studies, or those whom they recruited by sex, "
            "menopausal status, smoking.",
            "NAME[,NAME]",
        ),
    ] = None
    per: Annotated[
        str,
        _asked("What ratios are per: sd (standard deviation), quartile (means of the outer quarters) or unit."),
    ] = "sd"
    unit: Annotated[
        str | None, _asked('Of --per unit, such as "5 nmol/L". Default: the unit of most rows.', "AMOUNT UNIT")
    ] = None
    by: Annotated[
        str | None, _asked("cancer: one group each, the test between them, and the hierarchical model of all.")
    ] = None
    compare: Annotated[
        bool, typer.Option("--compare", help="Put published pools beside ours.", rich_help_panel=_QUESTION)
    ] = False
    design: Annotated[
        str | None,
        _rows(
            "prospective, retrospective, genetic (Mendelian randomization), or observational (the first two, also "
            "together). Default: each by itself; with --by prospective."
        ),
    ] = None
    measures: Annotated[
        str,
        _rows("any (OR, RR and HR as one: the disease is taken to be rare), same (refuse to mix), OR, RR or HR."),
    ] = "any"
    use: Annotated[str, _rows("primary, or sensitivity to add the rows marked so.")] = "primary"
    exposure_sd: Annotated[
        list[str] | None,
        _rows(
            'SD of the exposure in a population or study, such as "uk_biobank=5.7 nmol/L"; may be repeated. It puts '
            "rows per unit on the scale of SDs, and the reverse.",
            "NAME=AMOUNT UNIT",
        ),
    ] = None
    data: Annotated[
        Path | None,
        _rows("Evidence of your own: a folder of tables, or one table of associations.", "DIR_OR_FILE"),
    ] = None
    method: Annotated[str, _model("Estimator of tau2, as of pool.")] = "REML"
    ci: Annotated[str, _model("Interval of the pooled ratio: z, t, HK, HK-floor, KR.")] = "HK"
    pi: Annotated[str, _model("Prediction interval: z, V, HTS, HK, HK-PR, KR, KR-PR.")] = "HK"
    prior: Annotated[
        str | None, _model('Prior of tau; default "half-normal(0.2)" per SD, in proportion for other distances.')
    ] = None
    level: Annotated[float, _model("Level of every interval.", "NUMBER")] = 0.95
    seed: Annotated[int, _model("Of the hierarchical model.", "NUMBER")] = 1

    def risk(self) -> RiskResult:
        """Pool what was asked for."""
        from igfmeta.evidence import load_evidence
        from igfmeta.synthesis.risk import risk

        return risk(
            load_evidence(self.data, tables=("associations",)),
            cancer=several(self.cancer),
            biomarker=self.biomarker,
            subgroup=several(self.subgroup),
            per=self.per,
            unit=self.unit,
            by=self.by,
            design=self.design,
            measures=self.measures,
            use=self.use,
            exposure_sd=sds_of(self.exposure_sd),
            method=self.method,
            ci=self.ci,
            pi=self.pi,
            prior=self.prior,
            level=self.level,
            seed=self.seed,
            compare=self.compare,
        )


def sds_of(given: list[str] | None) -> dict[str, str]:
    """Return standard deviations by population or study.

    Examples
    --------
    >>> sds_of(["uk_biobank=5.7 nmol/L"])
    {'uk_biobank': '5.7 nmol/L'}
    """
    out = {}
    for text in given or []:
        name, found, sd = text.partition("=")
        if not (found and name.strip() and sd.strip()):
            raise InputError(
                f'--exposure-sd was {text!r}; accepted is NAME=AMOUNT UNIT, such as "uk_biobank=5.7 nmol/L".'
            )
        out[name.strip()] = sd.strip()
    return out


@takes(RiskRequest)
def risk(
    request: RiskRequest,
    *,
    context: typer.Context,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv, markdown or html.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also every row that is in no pool, and why.")] = False,
    forest: Annotated[Path | None, typer.Option(help="Also draw the forest (.svg, .pdf, .png, .html or .txt).")] = None,
) -> None:
    """Pool associations of a circulating marker with the risk of cancer, on one scale, each population once.

    Prospective, retrospective and genetic (Mendelian randomization) studies are strata of their own.
    """
    from igfmeta.cli.output import emit

    shape = check_choice("--format", output_format, FORMATS)
    refuse_unheard(
        context,
        Needs(("seed",), request.by is not None, "--by cancer: it is of the hierarchical model"),
        Needs(("explain",), shape not in ("json", "csv"), "a format for readers; json has it all"),
    )
    if forest is not None:
        from igfmeta.plots.files import check_suffix

        check_suffix(forest)
    result = request.risk()
    refuse_unheard(
        context, Needs(("pi", "prior"), bool(result.groups), "a pool of ours: --compare alone makes none; add --cancer")
    )
    if forest is not None and not result.groups:
        raise InputError("--forest draws pools, and --compare alone makes none; add --cancer or --by cancer.")
    text = rendered(result, shape, explain=explain)
    if forest is not None:
        from igfmeta.plots.files import save_forest
        from igfmeta.plots.risk_forest import risk_forest

        say_written(save_forest(risk_forest(result), forest))
    emit(text, output)


def rendered(result: RiskResult, shape: str, *, explain: bool) -> str:
    """Return a pool of associations in one of `FORMATS`."""
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(result.to_dict())
    if shape == "csv":
        from igfmeta.report.spreadsheet import to_csv

        return to_csv(result.to_frame())
    if shape == "html":
        from igfmeta.report.risk_page import risk_page

        return risk_page(result, explain=explain)
    from igfmeta.report.risk_summary import closing_line, tables

    found = tables(result, explain=explain)
    if shape == "markdown":
        from igfmeta.report.markdown import markdown_text, table_to_markdown

        return "\n".join([*map(table_to_markdown, found), markdown_text(closing_line(result))])
    from igfmeta.cli.terminal import to_text

    return "\n".join([*map(to_text, found), closing_line(result)])
