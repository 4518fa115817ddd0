"""Reference lists, RIS and PubMed's nbib, -> candidate rows of the table of sources.

Tags are those of the RIS specification (2011), with what PubMed, Embase, Zotero and EndNote write beside it, and of the
MEDLINE/PubMed data element descriptions of the National Library of Medicine. MEDLINE says what became of a paper: the
publication types Retracted Publication and Expression of Concern, RIN (retraction in), EIN (erratum in), CRI (corrected
and republished in), ECI (expression of concern in); ROF, EFR and CRF are of the notices themselves. RIS says nothing of
it, and only words such as RETRACTED: before a title are found.
"""

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


#: Fields of MEDLINE that make a record the notice about another paper, and what it is.
NOTICES = {"ROF": "a retraction", "EFR": "an erratum", "CRF": "a corrected republication", "ECF": "a concern"}

#: Words before a title, or a type of publication, of a retracted paper.
RETRACTED = re.compile(r"^\W*(retracted|withdrawn)( article| publication| paper)?\b\s*[:.\]\-]|^retracted publication$")


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
            "volume": volume + (f"({issue})" if issue else ""), "doi": _doi(one("DO")), "pmid": _pmid(fields),
            "nct_id": _trials(fields), "status": "",
        }  # fmt: skip
        words = next((text for tag in ("TI", "T1", "M3", "KW", "PT") for text in fields.get(tag, [])
                      if RETRACTED.match(text.casefold())), "")  # fmt: skip
        if words:
            cells["status"] = "retracted"
        key = _add(cells, out, upload.file, number)
        place = f"line {number}"
        asked = "says that it was retracted; check." if words else (
            "RIS does not say whether it was corrected or retracted.")  # fmt: skip
        out.doubts.append(Doubt(key, "status", place, words, asked))
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
        concern = "ECI" in fields or "expression of concern" in types
        doi = next((v for t in ("LID", "AID") for v in fields.get(t, []) if v.endswith("[doi]")), "")
        cells = {
            "type": "journal_article" if "journal article" in types else "", "title": one("TI"), "pmid": one("PMID"),
            "first_author": one("AU"), "year": one("DP")[:4], "journal": one("TA") or one("JT"), "pages": one("PG"),
            "volume": one("VI") + (f"({one('IP')})" if one("IP") else ""), "doi": _doi(doi.removesuffix("[doi]")),
            "nct_id": _trials(fields), "status": status,
        }  # fmt: skip
        key, place = _add(cells, out, upload.file, number), f"line {number}"
        if not cells["type"]:
            found = "; ".join(fields.get("PT", []))
            out.doubts.append(Doubt(key, "type", place, found, "no kind of source of the table is this one."))
        if concern and not retracted:
            asked = "the journal expressed concern about it; the table knows ok, corrected, retracted."
            out.doubts.append(Doubt(key, "status", place, "; ".join(fields.get("ECI", [])), asked))
        for tag, what in NOTICES.items():
            if tag in fields:
                asked = f"is the notice of {what}, and no report of results."
                out.doubts.append(Doubt(key, "type", place, "; ".join(fields[tag]), asked))


def _family(author: str) -> str:
    family, _, given = author.partition(",")
    initials = "".join(part[0] for part in given.split() if part)
    return f"{family} {initials}".strip()


def _doi(text: str) -> str:
    return re.sub(r"^(https?://)?(dx\.)?doi\.org/|^doi:\s*", "", text.strip(), flags=re.IGNORECASE)


def _pmid(fields: Fields) -> str:
    """Return the PubMed identifier of a RIS reference: marked, behind an address, or as number of that database."""
    texts = [
        text for tag in ("U1", "U2", "U3", "U4", "U5", "AN", "ID", "N1", "UR", "L2") for text in fields.get(tag, [])
    ]
    for text in texts:
        found = re.search(
            r"^(\d+) ?\[pmid\]|^pmid:? ?(\d+)\b|pubmed(?:\.ncbi\.nlm\.nih\.gov)?/(\d+)", text, re.IGNORECASE
        )
        if found:
            return next(group for group in found.groups() if group)
    database = " ".join(text for tag in ("DB", "DP") for text in fields.get(tag, [])).casefold()
    number = next(iter(fields.get("AN", [])), "")
    return number if number.isdecimal() and ("pubmed" in database or "medline" in database) else ""


def _trials(fields: Fields) -> str:
    """Return the registered trials that a reference names in identifiers, keywords, title or abstract of MEDLINE."""
    texts = [text for tag in ("SI", "KW", "N1", "AN", "C1") for text in fields.get(tag, [])]
    return "; ".join(dict.fromkeys(each for text in texts for each in re.findall(r"\bNCT\d{8}\b", text)))


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
