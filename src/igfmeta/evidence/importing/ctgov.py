"""ClinicalTrials.gov: the JSON of a study, or of a page of studies, with its results section.

Names are those of the study data structure of the registry's API, version 2
(https://clinicaltrials.gov/data-api/about-api/study-data-structure; `/api/v2/studies/metadata`, read in 2025): sections
and modules in camel case, enumerations in capitals (`COUNT_OF_PARTICIPANTS`, `TWO_SIDED`, `PLACEBO_COMPARATOR`),
numbers of outcome measures and of the participant flow as text, totals of adverse events as integers.
"""

from __future__ import annotations

import json
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.registry_study import (
    PEOPLE,
    Analysis,
    Arm,
    Cell,
    Counts,
    EventTerm,
    EventTotals,
    Measure,
    Period,
    RegistryStudy,
    told_apart,
)
from igfmeta.evidence.importing.uploads import Upload

RESULTS = "resultsSection"
_IDENTITY = ("protocolSection", "identificationModule")


def fits(upload: Upload) -> bool:
    """Return whether the file is JSON."""
    return upload.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def studies(upload: Upload) -> list[RegistryStudy]:
    """Return the studies of a file.

    Raises
    ------
    InputError
        Not JSON, or not of the registry.
    """
    try:
        parsed = json.loads(upload.text(), parse_int=str, parse_float=str)
        json.dumps(parsed, ensure_ascii=False).encode()  # refuses half of a character: no text of Unicode
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"cannot be read as JSON ({error}).", upload.file)) from None
    listed = _list(parsed, "studies") if isinstance(parsed, dict) and "studies" in parsed else parsed
    records = listed if isinstance(listed, list) else [listed]
    wrong = [i for i, each in enumerate(records, start=1) if not _text(_at(each, *_IDENTITY, "nctId"))]
    if wrong or not records:
        raise InputError(
            Problem("holds no study of ClinicalTrials.gov: protocolSection.identificationModule.nctId is missing"
                    + (f" in study {wrong[0]}." if wrong else "."), upload.file)
        )  # fmt: skip
    return [_study(record) for record in records]


def _at(value: Any, *path: str) -> Any:
    """Return what lies at a path of keys, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any, *path: str) -> list[Any]:
    found = _at(value, *path)
    return [each for each in found if isinstance(each, (dict, str))] if isinstance(found, list) else []


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _of(value: Any, *path: str) -> str:
    return _text(_at(value, *path))


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(text for text in map(_text, values) if text)


def _study(record: Any) -> RegistryStudy:
    protocol, results = _at(record, "protocolSection"), _at(record, RESULTS)
    identity, design = _at(record, *_IDENTITY), _at(protocol, "designModule")
    drugs = _list(protocol, "armsInterventionsModule", "interventions")
    names = [_at(drug, "name") for drug in drugs] + [o for drug in drugs for o in _list(drug, "otherNames")]
    events = _at(results, "adverseEventsModule")
    titles = _titles(events, "eventGroups")
    baseline = _list(results, "baselineCharacteristicsModule", "measures")
    return RegistryStudy(
        nct_id=_of(identity, "nctId"),
        name=_of(identity, "acronym"),
        title=_of(identity, "officialTitle") or _of(identity, "briefTitle"),
        year=_of(protocol, "statusModule", "resultsFirstPostDateStruct", "date")[:4],
        phase="/".join(_texts(_list(design, "phases"))),
        allocation=_of(design, "designInfo", "allocation"),
        masking=_of(design, "designInfo", "maskingInfo", "masking"),
        conditions=_texts(_list(protocol, "conditionsModule", "conditions")),
        interventions=_texts(names),
        arms=tuple(
            Arm(_of(arm, "label"), _of(arm, "type"), _texts(_list(arm, "interventionNames")))
            for arm in _list(protocol, "armsInterventionsModule", "armGroups")
        ),
        measures=tuple(
            _measure(each, i) for i, each in enumerate(_list(results, "outcomeMeasuresModule", "outcomeMeasures"), 1)
        ),
        totals=tuple(
            EventTotals(
                titles[_of(group, "id")],
                *((_of(group, f"{kind}NumAffected"), _of(group, f"{kind}NumAtRisk"))
                  for kind in ("serious", "other", "deaths")),
            )
            for group in _list(events, "eventGroups")
        ),
        terms=_terms(events),
        periods=_periods(_at(results, "participantFlowModule")),
        threshold=_of(events, "frequencyThreshold"),
        unread=(f"baselineCharacteristicsModule: {len(baseline)} baseline measures",) if baseline else (),
    )  # fmt: skip


def _titles(module: Any, name: str) -> dict[str, str]:
    return told_apart((_of(group, "id"), _of(group, "title")) for group in _list(module, name))


def _terms(events: Any) -> tuple[EventTerm, ...]:
    titles = _titles(events, "eventGroups")
    return tuple(
        EventTerm(
            kind, _of(each, "term"), _of(each, "organSystem"),
            {titles.get(_of(stat, "groupId"), _of(stat, "groupId")): (_of(stat, "numAffected"), _of(stat, "numAtRisk"))
             for stat in _list(each, "stats")},
        )
        for kind in ("serious", "other")
        for each in _list(events, f"{kind}Events")
    )  # fmt: skip


def _periods(flow: Any) -> tuple[Period, ...]:
    titles = _titles(flow, "groups")

    def counts(each: Any, name: str) -> Counts:
        return {titles.get(_of(a, "groupId"), _of(a, "groupId")): _of(a, "numSubjects") for a in _list(each, name)}

    return tuple(
        Period(
            _of(period, "title"),
            {_of(each, "type"): counts(each, "achievements") for each in _list(period, "milestones")},
            {_of(each, "type"): counts(each, "reasons") for each in _list(period, "dropWithdraws")},
        )
        for period in _list(flow, "periods")
    )


def _analysed(each: Any) -> Counts:
    """Return the people analysed in each group; denominators in other units are not people."""
    for denominator in _list(each, "denoms"):
        if _of(denominator, "units").casefold() in PEOPLE:
            return {_of(c, "groupId"): _of(c, "value") for c in _list(denominator, "counts")}
    return {}


def _measure(each: Any, i: int) -> Measure:
    place = f"outcome measure {i}"
    blocks = _list(each, "classes")
    in_blocks = {_of(block, "title"): _analysed(block) for block in blocks}
    return Measure(
        place=place,
        title=_of(each, "title"),
        param=_of(each, "paramType"),
        dispersion=_of(each, "dispersionType"),
        unit=_of(each, "unitOfMeasure"),
        units_analysed=_of(each, "typeUnitsAnalyzed"),
        population=_of(each, "populationDescription"),
        posted=_of(each, "reportingStatus") != "NOT_POSTED",
        groups={_of(g, "id"): _of(g, "title") for g in _list(each, "groups")},
        analysed=_analysed(each),
        analysed_in={title: counts for title, counts in in_blocks.items() if counts},
        has_denominators_of_classes=True,
        cells=tuple(
            Cell(_of(block, "title"), _of(category, "title"), _of(m, "groupId"), _of(m, "value"), _of(m, "spread"),
                 _of(m, "lowerLimit"), _of(m, "upperLimit"), _of(m, "comment"))
            for block in blocks
            for category in _list(block, "categories")
            for m in _list(category, "measurements")
        ),
        analyses=tuple(_analysis(a, f"{place}, analysis {j}") for j, a in enumerate(_list(each, "analyses"), start=1)),
    )  # fmt: skip


def _analysis(each: Any, place: str) -> Analysis:
    comments = ("groupDescription", "pValueComment", "estimateComment", "nonInferiorityComment", "statisticalComment",
                "ciLowerLimitComment", "ciUpperLimitComment", "otherAnalysisDescription")  # fmt: skip
    return Analysis(
        place=place,
        groups=_texts(_list(each, "groupIds")),
        param_type=_of(each, "paramType"),
        value=_of(each, "paramValue"),
        dispersion=f"{_of(each, 'dispersionType')} {_of(each, 'dispersionValue')}".strip(),
        ci_percent=_of(each, "ciPctValue"),
        ci_sides=_of(each, "ciNumSides"),
        ci_lower=_of(each, "ciLowerLimit"),
        ci_upper=_of(each, "ciUpperLimit"),
        p_value=_of(each, "pValue"),
        method=_of(each, "statisticalMethod"),
        non_inferiority=_of(each, "nonInferiorityType"),
        comment=" ".join(text for text in (_of(each, name) for name in comments) if text),
    )
