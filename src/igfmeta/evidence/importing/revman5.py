"""RevMan 5: the XML of a Cochrane review (`.rm5`): counts and hazard ratios, references, settings, risk of bias.

Elements and attributes are those that RevMan 5.0 to 5.4 write (`COCHRANE_REVIEW REVMAN_VERSION="5"`): outcomes
`DICH_`, `CONT_`, `IV_`, `IPD_` and `OTHER_OUTCOME` with their `_SUBGROUP` and `_DATA`; EFFECT_SIZE, CI_START and CI_END
are what the forest plot shows, ESTIMATE of `IV_DATA` is on the scale that was entered (the natural logarithm of a
ratio), and attributes that begin with LOG_ are decimal logarithms. With CALCULATED_DATA="NO" the file holds data only,
and no estimates. RESULT of a quality item is YES for a low, NO for a high, UNKNOWN for an unclear risk of bias.
XML is parsed by defusedxml without document types, entities or external references.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.candidates import Collector, ReviewSettings
from igfmeta.evidence.importing.uploads import Upload
from igfmeta.evidence.importing.vocabulary import Vocabulary, normal, slug

ROOT = "COCHRANE_REVIEW"

#: Data elements and what they hold.
KINDS = {
    "DICH": "counts", "CONT": "means", "IV": "estimates", "IPD": "observed less expected events", "OTHER": "words",
}  # fmt: skip

#: Attributes of data that are shown where no column holds them.
HELD = (
    "EVENTS_1", "TOTAL_1", "EVENTS_2", "TOTAL_2", "MEAN_1", "SD_1", "MEAN_2", "SD_2", "O_E", "VAR", "ESTIMATE",
    "SE", "EFFECT_SIZE", "CI_START", "CI_END",
)  # fmt: skip
TOOL = "Cochrane risk of bias tool (RevMan 5)"
JUDGED = {"YES": "low", "NO": "high", "UNKNOWN": "unclear"}


def fits(upload: Upload) -> bool:
    """Return whether the file is XML."""
    return upload.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def add(upload: Upload, vocabulary: Vocabulary, out: Collector) -> None:
    """Add the candidate rows and sources of a review.

    Raises
    ------
    InputError
        Not XML, XML that declares a document type or entities, or another document.
    """
    root = _root(upload)
    names = _sources(root, out)
    _judgements(root, names, out)
    found = False
    for comparison in root.iterfind("ANALYSES_AND_DATA/COMPARISON"):
        for outcome in comparison:
            kind = outcome.tag.removesuffix("_OUTCOME")
            if outcome.tag.endswith("_OUTCOME") and kind in KINDS:
                found = True
                out.settings.append(_settings(comparison, outcome, kind))
                _outcome(comparison, outcome, kind, names, vocabulary, out)
    if not found:
        out.skip(upload.file, "the review", "it holds no analyses.")


def _root(upload: Upload) -> Any:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(upload.data, forbid_dtd=True)
    except DefusedXmlException:
        message = "declares a document type or entities, which a review does not need; it was not read."
        raise InputError(Problem(message, upload.file)) from None
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(Problem(f"cannot be read as XML ({error}).", upload.file)) from None
    if root.tag != ROOT:
        raise InputError(Problem(f"is XML of {root.tag!r}; accepted is {ROOT} (RevMan 5).", upload.file))
    return root


def _name(element: Any) -> str:
    text = element.findtext("NAME") or element.get("NAME") or ""
    return " ".join(text.split())


def _sources(root: Any, out: Collector) -> dict[str, tuple[str, str]]:
    """Add the primary reference of each included study; return name and year of each study."""
    names = {}
    for study in root.iterfind("STUDIES_AND_REFERENCES/STUDIES/INCLUDED_STUDIES/STUDY"):
        name = study.get("NAME", "")
        names[study.get("ID", "")] = (name, study.get("YEAR", ""))
        references = study.findall("REFERENCE")
        primary = [r for r in references if r.get("PRIMARY") == "YES"] or references[:1]
        if primary and slug(name):
            out.source(_source(slug(name), primary[0]))
    return names


def _settings(comparison: Any, outcome: Any, kind: str) -> ReviewSettings:
    """Return what the review used for an outcome, and what it found."""
    number = ".".join(each.get("NO", "?") for each in (comparison, outcome))
    random = {"YES": "Random effects", "NO": "Fixed effect"}.get(outcome.get("RANDOM", ""), "")
    pooled = outcome.get("TOTALS", "") == "YES"
    estimate, low, high = (outcome.get(name, "") if pooled else "" for name in ("EFFECT_SIZE", "CI_START", "CI_END"))
    return ReviewSettings(
        analysis=number, name=_name(outcome), data_type=KINDS[kind], measure=outcome.get("EFFECT_MEASURE", ""),
        method=outcome.get("METHOD", ""), model=random, ci_level=outcome.get("CI_STUDY", ""), estimate=estimate,
        ci_low=low, ci_high=high,
    )  # fmt: skip


def _judgements(root: Any, names: dict[str, tuple[str, str]], out: Collector) -> None:
    """Add the judgements of the risk of bias, study by study; those of a group of outcomes carry its number."""
    for item in root.iterfind("QUALITY_ITEMS/QUALITY_ITEM"):
        for entry in item.iterfind("QUALITY_ITEM_DATA/QUALITY_ITEM_DATA_ENTRY"):
            study = names.get(entry.get("STUDY_ID", ""), (entry.get("STUDY_ID", "").removeprefix("STD-"), ""))[0]
            result, group = entry.get("RESULT", ""), entry.get("GROUP_ID", "")
            if result not in JUDGED:
                out.skip(f"risk of bias, {study}", f"{_name(item)}: {result!r}", "accepted are YES, NO and UNKNOWN.")
                continue
            support = " ".join(" ".join(entry.find("DESCRIPTION").itertext()).split()) if (
                entry.find("DESCRIPTION") is not None) else ""  # fmt: skip
            domain = _name(item) + (f" ({group})" if group else "")
            cells = {"study_id": slug(study), "tool": TOOL, "domain": domain, "judgement": JUDGED[result]}
            out.judge(f"risk of bias, {study}", cells | {"support": support})


def _source(key: str, reference: Any) -> dict[str, str]:
    def text(tag: str) -> str:
        return " ".join((reference.findtext(tag) or "").split())

    ids = {e.get("TYPE", ""): e.get("VALUE", "") for e in reference.iterfind("IDENTIFIERS/IDENTIFIER")}
    kinds = {"JOURNAL_ARTICLE": "journal_article", "CONFERENCE_PROC": "conference_abstract"}
    number = text("NO")
    return {
        "source_id": key, "type": kinds.get(reference.get("TYPE", ""), ""), "year": text("YR"), "title": text("TI"),
        "first_author": text("AU").split(",")[0], "journal": text("SO"), "pages": text("PG"), "doi": ids.get("DOI", ""),
        "volume": text("VL") + (f"({number})" if number else ""), "pmid": ids.get("PUBMED", ""),
        "nct_id": ids.get("CTG", ""),
    }  # fmt: skip


def _outcome(
    comparison: Any, outcome: Any, kind: str, names: dict[str, tuple[str, str]], vocabulary: Vocabulary, out: Collector
) -> None:
    title = _name(outcome)
    place = f"{_name(comparison)}: {title}"
    measure = outcome.get("EFFECT_MEASURE", "")
    usable = kind == "DICH" or (kind in ("IV", "IPD") and normal(measure) in ("hr", "hazard ratio"))
    key, doubt = vocabulary.outcome(title)
    for subgroup, data in _data(outcome, kind):
        study, year = names.get(data.get("STUDY_ID", ""), (data.get("STUDY_ID", "").removeprefix("STD-"), ""))
        where = f"{place}, {study}" + (f", {subgroup}" if subgroup else "")
        if not usable:
            held = ", ".join(f"{name} {data.get(name)}" for name in HELD if data.get(name))
            what = f"{KINDS[kind]} ({measure or 'no measure'}): {held}".rstrip(": ")
            out.skip(where, what, "no column of the trials table holds this.")
            continue
        cells = {
            "study_id": slug(study), "trial_name": study, "year": year, "source_id": slug(study), "outcome": key,
            "experimental": outcome.findtext("GROUP_LABEL_1") or "", "control": outcome.findtext("GROUP_LABEL_2") or "",
            "n_exp": data.get("TOTAL_1", ""), "n_ctl": data.get("TOTAL_2", ""), "extraction": "single",
            "note": f"subgroup of the review: {subgroup}" if subgroup else "",
        }  # fmt: skip
        doubts = [("outcome", title, doubt)] if doubt else []
        if kind in ("DICH", "IPD"):
            cells |= {"events_exp": data.get("EVENTS_1", ""), "events_ctl": data.get("EVENTS_2", "")}
            if outcome.get("SWAP_EVENTS") == "YES":
                counted = f"{data.get('EVENTS_1', '')} v {data.get('EVENTS_2', '')}"
                doubts.append(("events_exp", counted, "the review swaps events and non-events; which were counted?"))
        cells["measure"] = "events" if kind == "DICH" else "HR"
        if kind != "DICH":
            cells |= {"estimate": data.get("EFFECT_SIZE", ""), "ci_low": data.get("CI_START", ""),
                      "ci_high": data.get("CI_END", ""), "ci_level": outcome.get("CI_STUDY", "")}  # fmt: skip
            held = ", ".join(f"{name} {data.get(name)}" for name in HELD if data.get(name))
            doubts.append(("estimate", held, "the review made it from what the paper printed."))
        out.row(where, cells, doubts)


def _data(outcome: Any, kind: str) -> Iterator[tuple[str, Any]]:
    for data in outcome.iterfind(f"{kind}_DATA"):
        yield "", data
    for subgroup in outcome.iterfind(f"{kind}_SUBGROUP"):
        for data in subgroup.iterfind(f"{kind}_DATA"):
            yield _name(subgroup), data
