"""Where numbers come from: sources that are missing, retracted, corrected or second-hand; who read them."""

from __future__ import annotations

from collections.abc import Iterator

from igfmeta.synthesis.audit.findings import Remark, Row, Table


def _used(row: Row) -> bool:
    return bool(row.get("use", "primary") != "exclude")


def retracted(table: Table) -> Iterator[Remark]:
    """No number of a retracted source is used."""
    for row in table.rows:
        source = table.sources.get(row["source_id"])
        if source is None or source["status"] != "retracted":
            continue
        said = f"The source {row['source_id']} is retracted"
        if _used(row):
            yield Remark(row, f"{said}, and the row may enter a pool; mark it exclude.")
        else:
            yield Remark(row, f"{said}; the row is excluded.", {}, "note")


def of_a_retracted_trial(table: Table) -> Iterator[Remark]:
    """No other report of a trial whose article is retracted is used without a word."""
    numbers = {
        part.strip(): source["source_id"]
        for source in table.sources.values()
        if source["status"] == "retracted"
        for part in source["nct_id"].split(";")
        if part.strip()
    }
    for row in table.rows:
        found = [numbers[n.strip()] for n in row["nct_id"].split(";") if n.strip() in numbers]
        if found and found[0] != row["source_id"] and _used(row):
            yield Remark(row, f"The trial is the one of {found[0]}, which is retracted.", {"retracted": found[0]})


def corrected(table: Table) -> Iterator[Remark]:
    """A number of a corrected source is the corrected one."""
    for row in table.rows:
        source = table.sources.get(row["source_id"])
        if source is not None and source["status"] == "corrected":
            yield Remark(row, f"The source {row['source_id']} was corrected; is this the number after the correction?",
                         {}, None if _used(row) else "note")  # fmt: skip


def source_missing(table: Table) -> Iterator[Remark]:
    """Every number has a source in the table of sources, with an identifier that leads to it."""
    for row in table.rows:
        source = table.sources.get(row["source_id"])
        if source is None:
            reason = "there is no table of sources" if not table.sources else "the table of sources has no such row"
            yield Remark(row, f"The source {row['source_id']!r} cannot be followed: {reason}.")
        elif not (source["pmid"] or source["doi"] or source["nct_id"]) and _used(row):
            yield Remark(row, f"The source {row['source_id']} has no PubMed number, DOI or registration.", {}, "note")


def second_hand(table: Table) -> Iterator[Remark]:
    """A primary number is read in the report itself, not in a table of somebody else's."""
    for row in table.rows:
        source = table.sources.get(row["source_id"])
        if source is not None and source["type"] == "secondary_table" and row.get("use") == "primary":
            yield Remark(row, f"The number is from {row['source_id']}, a table of another publication.")


def no_locator(row: Row) -> Iterator[Remark]:
    """A number says where in its source it stands."""
    if not row["locator"] and _used(row):
        yield Remark(row, "The row does not say where in its source the numbers stand.")


def single_extraction(row: Row) -> Iterator[Remark]:
    """Two people read every primary number."""
    if row["use"] == "primary" and row["extraction"] != "double":
        yield Remark(row, "One reader only: a second has not confirmed the numbers of this primary row.")


def judgement_of_nothing(table: Table) -> Iterator[Remark]:
    """A judgement of the risk of bias is of a study that there is, and follows from a row that there is."""
    for row in table.rows:
        rows = table.studies.get(row["study_id"])
        if rows is None:
            yield Remark(row, f"No row of trials is of {row['study_id']}: the judgement is of nothing.")
        elif row["derived"] and row["derived"] not in rows:
            yield Remark(
                row, f"The judgement follows from row {row['derived']!r}, which {row['study_id']} does not have."
            )
