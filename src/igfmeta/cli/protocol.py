"""`igfmeta protocol`: a question as a file; made, checked and listed here, answered by `igfmeta report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from igfmeta.errors import InputError, check_choice

protocol_app = typer.Typer(
    help="Make, check and list protocols: the files that igfmeta report answers.", no_args_is_help=True
)

FORMATS = ("table", "json", "csv", "markdown")

TEMPLATE = """\
title = "{title}"
authors = ["Your name"]
seed = 1

[question]
text = "In patients with ..., does ... prolong survival?"
population = "patients with ..."
intervention = "antibodies against the IGF-1 receptor"
comparison = "the same treatment without it"

# Which rows of the evidence can answer. Also: agent, tumor, tumor_group, phase, design, year = [2008, 2020],
# biomarker, regimen, partners, contrast, study, use = "sensitivity".
[eligibility]
agent_class = ["antibody"]

# One table for each outcome, the main one first. `relevant` is the ratio, or the rate, that patients would notice.
[[outcome]]
name = "os"
measure = "HR"
importance = "critical"
relevant = 0.8
horizon_months = 12

# How certainty is rated follows from computed inputs. A person may rate a domain instead, and says why:
# [outcome.certainty.indirectness]
# downgrade = 1
# reason = "..."

[model]
by = "tumor"
method = "REML"
ci = "HK"
pi = "HK"
prior = "half-normal(0.5)"

[hierarchy]
by = ["class", "tumor"]

[[sensitivity]]
name = "Paule-Mandel instead of REML"
model = {{ method = "PM" }}
"""


@protocol_app.command("new")
def new(path: Annotated[Path, typer.Argument(help="The file to write, such as analyses/mine.toml.")]) -> None:
    """Write a protocol to start from. A file that is there is not overwritten."""
    from igfmeta.files import write_whole

    if path.suffix != ".toml":
        raise InputError(f"{path} does not end in .toml; protocols do.")
    if path.exists():
        raise InputError(f"{path} exists; choose another name, or remove it first.")
    write_whole(path, TEMPLATE.format(title=path.stem.replace("_", " ").capitalize()))
    typer.echo(f"Written: {path}. Edit it, then: igfmeta protocol check {path}", err=True)


@protocol_app.command("check")
def check(
    path: Annotated[Path, typer.Argument(help="A protocol, or the name of a shipped one.")],
    data: Annotated[
        Path | None, typer.Option(help="Evidence of your own: a folder of tables.", metavar="DIR_OR_FILE")
    ] = None,
) -> None:
    """Say everything that is wrong with a protocol: its keys, and what it names that the evidence does not hold."""
    from igfmeta.evidence import load_evidence
    from igfmeta.synthesis.protocol_check import check_against
    from igfmeta.synthesis.protocol_files import read_protocol

    file = read_protocol(path)
    wanted = {table for part in file.questions for table in part.protocol.tables}
    check_against(file, load_evidence(data, tables=sorted(wanted)))
    asked = ", ".join(part.name for part in file.questions)
    typer.echo(f"{file.name}: right. It asks: {asked}. Answer it with: igfmeta report {path} -o report.html")


@protocol_app.command("list")
def list_protocols(
    folder: Annotated[Path | None, typer.Argument(help="A folder of protocols. Default: the shipped ones.")] = None,
    output_format: Annotated[str, typer.Option("--format", help="table, json, csv or markdown.")] = "table",
) -> None:
    """List protocols with their titles and what they ask."""
    from igfmeta.cli.output import as_json, emit
    from igfmeta.report.protocol_summary import protocol_table
    from igfmeta.synthesis.protocol_files import read_protocol, shipped_protocols

    shape = check_choice("--format", output_format, FORMATS)
    if folder is not None and not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    files = shipped_protocols() if folder is None else tuple(map(read_protocol, sorted(folder.glob("*.toml"))))
    if not files:
        raise InputError(f"{folder} holds no protocol (.toml).")
    table = protocol_table(files)
    if shape == "json":
        names = ("name", "title", "asks", "sha256")
        records = [
            dict(zip(names, (*row, f.fingerprint), strict=True)) for f, row in zip(files, table.rows, strict=True)
        ]
        emit(as_json(records), None)
        return
    if shape == "csv":
        from igfmeta.report.spreadsheet import table_to_csv

        emit(table_to_csv(table), None)
        return
    if shape == "markdown":
        from igfmeta.report.markdown import table_to_markdown

        emit(table_to_markdown(table), None)
        return
    from igfmeta.cli.terminal import to_text

    emit(to_text(table), None)
