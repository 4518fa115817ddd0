"""Sources that stand twice, by DOI, PubMed identifier or registered trial: within a file, and beside the evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from igfmeta.evidence.importing.candidates import Doubt

#: Column -> what two sources with the same value may be.
IDENTIFIERS = {
    "doi": "one source?", "pmid": "one source?", "nct_id": "two reports of one trial, whose people count once?",
}  # fmt: skip


def identifiers(source: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield (column, identifier) of a source, as they are compared.

    Examples
    --------
    >>> list(identifiers({"doi": "10.1000/ABC", "pmid": "", "nct_id": "NCT00000001; NCT00000002"}))
    [('doi', '10.1000/abc'), ('nct_id', 'NCT00000001'), ('nct_id', 'NCT00000002')]
    """
    for column in IDENTIFIERS:
        text = str(source.get(column) or "")
        for each in text.split(";") if column == "nct_id" else [text.casefold()]:
            if each.strip():
                yield column, each.strip()


def known_sources(sources: Iterable[Mapping[str, object]]) -> dict[tuple[str, str], str]:
    """Return the source of each identifier of a table of sources."""
    return {key: str(source["source_id"]) for source in sources for key in identifiers(source)}


def duplicates(sources: Iterable[Mapping[str, str]], known: Mapping[tuple[str, str], str]) -> list[Doubt]:
    """Return what is doubtful of candidate sources that share an identifier with one before or with the evidence."""
    seen: dict[tuple[str, str], str] = {}
    out = []
    for source in sources:
        own = source["source_id"]
        for key in identifiers(source):
            column, value = key
            if seen.setdefault(key, own) != own:
                out.append(Doubt(own, column, "", value, f"is also of {seen[key]}: {IDENTIFIERS[column]}"))
            if key in known:
                place = f"is that of {known[key]} in the table of sources"
                out.append(Doubt(own, column, "", value, f"{place}: {IDENTIFIERS[column]}"))
    return out
