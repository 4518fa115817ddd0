"""`igfmeta import`: candidate rows from registries, RevMan, reference lists and tables of effects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from igfmeta.errors import InputError, NothingToPool, check_choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from igfmeta.evidence.importing import Imported

FORMATS = ("table", "json", "markdown")


def import_(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="JSON of ClinicalTrials.gov (API v2); folder or zip of AACT tables; .rm5; RevMan Web package; RIS; "
            "PubMed nbib; CSV or Excel named as in metafor, meta or the evidence. Told apart by content."
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write the candidates here; of a reference list, the sources.", metavar="FILE.csv"),
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="Also write the candidate rows of sources.", metavar="FILE.csv")
    ] = None,
    risk_of_bias: Annotated[
        Path | None, typer.Option(help="Also write a review's judgements of the risk of bias.", metavar="FILE.csv")
    ] = None,
    fetch: Annotated[
        str | None, typer.Option(help="Instead of a file: the study of this number, over the network.", metavar="NCT")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Of the API that --fetch asks. Default: ClinicalTrials.gov.", metavar="URL")
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Title of the control group, where the record does not say.", metavar="TITLE")
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(help="Only this study of a file with several; AACT may then be of any size.", metavar="NCT"),
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook with several.", metavar="NAME")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder whose tables name agents, tumours, outcomes. Default: shipped.", metavar="DIR"),
    ] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, json or markdown.")] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
) -> None:
    """Make candidate rows of a registry record, a review file or a table; list what is ambiguous, guess nothing.

    The evidence is not changed: complete the candidates, compare them with their source, and add them by hand.
    """
    from igfmeta.cli.output import emit
    from igfmeta.files import check_place

    shape = check_choice("--format", output_format, FORMATS)
    asked = {"--to": to, "--sources": sources, "--risk-of-bias": risk_of_bias}
    places = {option: place for option, place in asked.items() if place is not None}
    for option, place in places.items():
        check_place(place, (".csv",))
        twice = [other for other, named in places.items() if named == place and other != option]
        if twice:
            raise InputError(f"{option} and {twice[0]} both name {place}; give two files.")
    if address is not None and fetch is None:
        raise InputError("--address says whom --fetch asks; give --fetch too.")
    found = _imported(file, fetch, address, data, control, sheet, study)
    if not (found.rows or found.sources or found.judgements):
        raise NothingToPool(_nothing(found))
    written = {"--to": found.rows or found.sources, "--sources": found.sources, "--risk-of-bias": found.judgements}
    words = {"--sources": "source", "--risk-of-bias": "judgement of the risk of bias"}
    for option in places:
        if not written[option]:
            raise NothingToPool(f"{found.file} holds no {words[option]}; {option} has nothing to write.")
    for option, place in places.items():
        emit(_csv(written[option]), place)
    emit(rendered(found, shape), output)


def _imported(
    file: Path | None,
    fetch: str | None,
    address: str | None,
    data: Path | None,
    control: str | None,
    sheet: str | None,
    study: str | None,
) -> Imported:
    from igfmeta.evidence import load_evidence
    from igfmeta.evidence.importing.formats import import_file, import_upload, vocabulary_of

    if (file is None) == (fetch is None):
        raise InputError("Give either a file or --fetch with the number of a study.")
    words = vocabulary_of(load_evidence(data))
    if file is not None:
        return import_file(file, words, control=control, sheet=sheet, study=study)
    from igfmeta.evidence.importing.fetch import ADDRESS, fetch_study

    assert fetch is not None
    if sheet is not None:
        raise InputError("--sheet names a sheet of a workbook; --fetch gives none.")
    if study is not None:
        raise InputError("--study names one of several studies in a file; --fetch gives one.")
    return import_upload(fetch_study(fetch, address=address or ADDRESS), words, control=control, study=fetch)


def _nothing(found: Imported) -> str:
    lines = "".join(f"\n{each.place}: {each.what}; {each.reason}" for each in found.left_out)
    return f"{found.file} ({found.format}) holds nothing that the tables have columns for.{lines}"


def _csv(rows: Sequence[Mapping[str, str]]) -> str:
    import pandas as pd

    from igfmeta.report.spreadsheet import to_csv

    return to_csv(pd.DataFrame(rows, columns=list(rows[0]), dtype="str"))


def rendered(found: Imported, shape: str) -> str:
    """Return an import in one of `FORMATS`."""
    if shape == "json":
        from igfmeta.cli.output import as_json

        return as_json(found.to_dict())
    from igfmeta.report.import_summary import closing_line, tables

    if shape == "markdown":
        from igfmeta.report.markdown import markdown_text, table_to_markdown

        return "\n".join([*map(table_to_markdown, tables(found)), markdown_text(closing_line(found))])
    from igfmeta.cli.terminal import to_text
    from igfmeta.text import plain

    return "\n".join([*map(to_text, tables(found)), plain(closing_line(found))])
