"""`igfmeta report` and `igfmeta verify`: a protocol answered in one HTML file, and whether such a file still holds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import say_written
from igfmeta.errors import InputError, NothingToPool

if TYPE_CHECKING:
    from igfmeta.report.content import Report
    from igfmeta.synthesis.protocol_files import ProtocolFile

_Data = Annotated[Path | None, typer.Option(help="Evidence of your own: a folder of tables.", metavar="DIR_OR_FILE")]
_Cache = Annotated[Path, typer.Option(help="Where draws are kept; safe to delete.", metavar="DIR")]
_Offline = Annotated[bool, typer.Option("--offline-cache-only", help="Fail rather than sample what is not kept.")]

CACHE = Path(".igfmeta-cache")

#: Differences that `verify` prints.
MOST_SHOWN = 20


def report(
    protocol: Annotated[
        Path, typer.Argument(help="A protocol (TOML), or the name of a shipped one, such as overview.")
    ],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The report to write (.html).")] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Also write files: HTML, Markdown, tables as CSV, figures, fits as JSON, draws as netCDF.",
            metavar="DIR",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Also write those files as one RO-Crate with what it was made from.", metavar="FILE.zip"),
    ] = None,
    data: _Data = None,
    mcmc: Annotated[
        bool | None,
        typer.Option("--mcmc/--no-mcmc", help="Fit every hierarchy by PyMC too, or none. Default: as protocols say."),
    ] = None,
    cache: _Cache = CACHE,
    offline_cache_only: _Offline = False,
    stamp: Annotated[
        bool, typer.Option("--stamp", help="Say when it was made; without it the same inputs give the same bytes.")
    ] = False,
) -> None:
    """Answer a protocol in one HTML file: findings, forests, sensitivity, certainty, methods, sources."""
    from igfmeta.synthesis.protocol_files import read_protocol

    _check_places(output, export, bundle)
    file = read_protocol(protocol)
    when = _now() if stamp else None
    made = answered(file, data, mcmc=mcmc, cache=cache, only=offline_cache_only, stamp=when)
    if output is not None:
        from igfmeta.cli.output import emit
        from igfmeta.report.html import report_to_html

        emit(report_to_html(made), output)
    if export is not None or bundle is not None:
        _exported(made, data, export, bundle)
    for sentence in made.answers:
        typer.echo(sentence)


def _check_places(output: Path | None, export: Path | None, bundle: Path | None) -> None:
    """Refuse, before the work is done, what cannot be written."""
    if output is None and export is None and bundle is None:
        raise InputError("Nothing would be written; give --output FILE.html, --export DIR or --bundle FILE.zip.")
    if output is not None and output.suffix != ".html":
        raise InputError(f"The report {output.name!r} ends in {output.suffix or 'nothing'}; accepted is .html.")
    if export is not None:
        from igfmeta.report.export import check_folder

        check_folder(export)
    if bundle is not None:
        from igfmeta.files import check_place
        from igfmeta.report.crate import check_rocrate

        check_place(bundle, (".zip",))
        check_rocrate()


def _exported(made: Report, data: Path | None, export: Path | None, bundle: Path | None) -> None:
    """Write a report as files and as a bundle."""
    from igfmeta.report.export import evidence_files, files_of, write_folder
    from igfmeta.resources import data_folder

    files = files_of(made, evidence_files(data or data_folder(), made.provenance.files))
    if export is not None:
        write_folder(export, files)
        say_written(f"{len(files)} files under {export}")
    if bundle is not None:
        from igfmeta.files import write_whole
        from igfmeta.report.crate import bundle as zipped

        write_whole(bundle, zipped(made, files))
        say_written(bundle)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def answered(
    file: ProtocolFile, data: Path | None, *, mcmc: bool | None, cache: Path, only: bool, stamp: str | None
) -> Report:
    """Return the report of a protocol; a person who looks on sees a progress bar."""
    from igfmeta.evidence import load_evidence
    from igfmeta.report.build import build_report
    from igfmeta.synthesis.analysis import analyse, steps

    tables = sorted({table for part in file.questions for table in part.protocol.tables})
    evidence = load_evidence(data, tables=tables)
    with _progress(steps(file)) as tell:
        analyses = analyse(file, evidence, mcmc=mcmc, sampler=_sampler(cache, only), progress=tell)
    return build_report(file, analyses, mcmc=mcmc, stamp=stamp)


def _sampler(cache: Path, only: bool) -> Any:
    """Return what samples, loaded when it is first asked."""

    def sampled(evidence: Any, options: dict[str, Any]) -> Any:
        from igfmeta.synthesis.kept_draws import kept_sampler

        return kept_sampler(cache, only=only)(evidence, options)

    return sampled


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a progress bar on standard error where a person looks on."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        started = False

        def tell(what: str) -> None:
            nonlocal started
            bar.update(task, advance=int(started), description=what)
            started = True

        yield tell


def verify(
    page: Annotated[Path, typer.Argument(help="A report (.html).")],
    data: _Data = None,
    cache: _Cache = CACHE,
    offline_cache_only: _Offline = False,
) -> None:
    """Make a report again from the protocol that it embeds, and say whether every number still holds."""
    from igfmeta.report.html import report_to_html
    from igfmeta.report.verify import compare, read_page, read_provenance
    from igfmeta.synthesis.protocol_files import protocol_of_texts

    text = read_page(page)
    made_from = read_provenance(text, page.name)
    file = protocol_of_texts(made_from["protocol"], made_from["protocols"])
    again = answered(file, data, mcmc=made_from["mcmc"], cache=cache, only=offline_cache_only, stamp=made_from["stamp"])
    found = compare(text, report_to_html(again))
    for what in found.changed:
        typer.echo(f"Changed since: {what}.")
    if found.holds:
        typer.echo(f"{page.name} holds: {found.numbers} numbers in {found.texts} texts and drawings, byte by byte.")
        return
    for place, was, now in found.differences[:MOST_SHOWN]:
        typer.echo(f"{place or 'Title'}: was {was[:100]!r}, is {now[:100]!r}")
    if len(found.differences) > MOST_SHOWN:
        typer.echo(f"... and {len(found.differences) - MOST_SHOWN} more.")
    raise NothingToPool(f"{page.name} does not hold: {len(found.differences)} differences.")
