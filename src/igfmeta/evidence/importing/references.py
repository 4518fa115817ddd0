"""Reference lists, RIS and PubMed's nbib, -> candidate rows of the table of sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.candidates import Collector, Doubt
from igfmeta.evidence.importing.uploads import Upload
from igfmeta.evidence.importing.vocabulary import slug

Fields = dict[str, list[str]]
RIS_KINDS = {"JOUR": "journal_article", "JFULL": "journal_article", "EJOUR": "journal_article",
             "ABST": "conference_abstract", "CONF": "conference_abstract", "CPAPER": "conference_abstract"}  # fmt: skip


def is_ris(upload: Upload) -> bool:
    """Return whether the file starts as RIS does."""
    return re.match(rb"(\xef\xbb\xbf)?\s*TY  - ", upload.data) is not None


def is_nbib(upload: Upload) -> bool:
    """Return whether the file starts as PubMed's format does."""
    return re.match(rb"(\xef\xbb\xbf)?\s*PMID- ", upload.data) is not None


def add_ris(upload: Upload, out: Collector) -> None:
    """Add the references of a RIS file; whether one is retracted or corrected is not said there, and so asked."""
    for number, fields in _records(upload, re.compile(r"^([A-Z][A-Z0-9])  -(?: (.*))?$"), first="TY", last="ER"):

        def one(*tags: str, fields: Fields = fields) -> str:
            return next((fields[t][0] for t in tags if fields.get(t)), "")

        kind, volume, issue = one("TY"), one("VL"), one("IS")
        pages = "-".join(p for p in (one("SP"), one("EP")) if p)
        cells = {
            "type": RIS_KINDS.get(kind, ""), "first_author": _family(one("AU", "A1")), "title": one("TI", "T1"),
            "year": one("PY", "Y1", "DA")[:4], "journal": one("JO", "T2", "JF", "JA"), "pages": pages,
            "volume": volume + (f"({issue})" if issue else ""), "doi": _doi(one("DO")), "pmid": "",
        }  # fmt: skip
        key = _add(cells, out, upload.file, number)
        place = f"line {number}"
        out.doubts.append(Doubt(key, "status", place, "", "RIS does not say whether it was corrected or retracted."))
        if not cells["type"]:
            out.doubts.append(Doubt(key, "type", place, kind, "no kind of source of the table is this one."))


def add_nbib(upload: Upload, out: Collector) -> None:
    """Add the references of a PubMed file."""
    for number, fields in _records(upload, re.compile(r"^([A-Z]{2,4}) *- ?(.*)$"), first="PMID", last=None):

        def one(tag: str, fields: Fields = fields) -> str:
            return fields.get(tag, [""])[0]

        types = " ".join(fields.get("PT", [])).casefold()
        retracted = "retracted publication" in types or "RIN" in fields
        status = "retracted" if retracted else "corrected" if "EIN" in fields or "CRI" in fields else "ok"
        doi = next((v for t in ("LID", "AID") for v in fields.get(t, []) if v.endswith("[doi]")), "")
        trials = [v.rsplit("/", 1)[-1] for v in fields.get("SI", []) if v.startswith("ClinicalTrials.gov/")]
        cells = {
            "type": "journal_article" if "journal article" in types else "", "title": one("TI"), "pmid": one("PMID"),
            "first_author": one("AU"), "year": one("DP")[:4], "journal": one("TA") or one("JT"), "pages": one("PG"),
            "volume": one("VI") + (f"({one('IP')})" if one("IP") else ""), "doi": _doi(doi.removesuffix("[doi]")),
            "nct_id": "; ".join(trials), "status": status,
        }  # fmt: skip
        key = _add(cells, out, upload.file, number)
        if not cells["type"]:
            found = "; ".join(fields.get("PT", []))
            out.doubts.append(
                Doubt(key, "type", f"line {number}", found, "no kind of source of the table is this one.")
            )


def _family(author: str) -> str:
    family, _, given = author.partition(",")
    initials = "".join(part[0] for part in given.split() if part)
    return f"{family} {initials}".strip()


def _doi(text: str) -> str:
    return re.sub(r"^(https?://)?(dx\.)?doi\.org/|^doi:\s*", "", text.strip(), flags=re.IGNORECASE)


def _add(cells: dict[str, str], out: Collector, file: str, number: int) -> str:
    family = re.sub(r"\s+[A-Z]{1,3}$", "", cells["first_author"])
    if not (family or cells["title"]):
        raise InputError(Problem("holds a reference without author and title.", file, number))
    base = f"{slug(family or cells['title'][:20])}{cells['year']}"
    key, n = base, 1
    while key in out.source_ids:
        n += 1
        key = f"{base}_{n}"
    out.source({**cells, "source_id": key})
    return key


def _records(upload: Upload, pattern: re.Pattern[str], *, first: str, last: str | None) -> Iterator[tuple[int, Fields]]:
    """Yield the references with the line that each starts on; a line without a tag goes on with the one before."""
    fields: Fields = {}
    start, tag = 0, ""
    for number, line in enumerate(upload.text().splitlines(), start=1):
        found = pattern.match(line.rstrip())
        if found is None:
            if line.strip() and not tag:
                message = f"holds {line.strip()[:40]!r} outside a reference; accepted are lines with a tag."
                raise InputError(Problem(message, upload.file, number))
            if line.strip():
                fields[tag][-1] += f" {line.strip()}"
            continue
        name, value = found.group(1), (found.group(2) or "").strip()
        if name == first and fields:
            if last is not None:
                raise InputError(Problem(f"starts a reference before the one of line {start} ended by {last}.",
                                         upload.file, number))  # fmt: skip
            yield start, fields
            fields = {}
        if name == last:
            if fields:
                yield start, fields
            fields, tag = {}, ""
            continue
        if not fields:
            start = number
        tag = name
        fields.setdefault(name, []).append(value)
    if fields and last is not None:
        raise InputError(Problem(f"ends within the reference of line {start}: {last} is missing.", upload.file, start))
    if fields:
        yield start, fields
