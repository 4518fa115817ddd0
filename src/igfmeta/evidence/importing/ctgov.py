"""ClinicalTrials.gov API version 2: the JSON of a study, or of a page of studies, with its results section."""

from __future__ import annotations

import json
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.evidence.importing.registry_study import Analysis, Measure, RegistryStudy, SeriousEvents
from igfmeta.evidence.importing.uploads import Upload

RESULTS = "resultsSection"


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


_IDENTITY = ("protocolSection", "identificationModule")


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


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple(text for text in map(_text, values) if text)


def _study(record: Any) -> RegistryStudy:
    protocol = _at(record, "protocolSection")
    identity, design = _at(record, *_IDENTITY), _at(protocol, "designModule")
    arms = _list(protocol, "armsInterventionsModule", "armGroups")
    drugs = _list(protocol, "armsInterventionsModule", "interventions")
    names = [_at(drug, "name") for drug in drugs] + [o for drug in drugs for o in _list(drug, "otherNames")]
    return RegistryStudy(
        nct_id=_text(_at(identity, "nctId")),
        name=_text(_at(identity, "acronym")),
        title=_text(_at(identity, "officialTitle")) or _text(_at(identity, "briefTitle")),
        year=_text(_at(protocol, "statusModule", "resultsFirstPostDateStruct", "date"))[:4],
        phase="/".join(_texts(_list(design, "phases"))),
        allocation=_text(_at(design, "designInfo", "allocation")),
        masking=_text(_at(design, "designInfo", "maskingInfo", "masking")),
        conditions=_texts(_list(protocol, "conditionsModule", "conditions")),
        interventions=_texts(names),
        arms=tuple((_text(_at(arm, "label")), _text(_at(arm, "type"))) for arm in arms),
        measures=tuple(
            _measure(each, i)
            for i, each in enumerate(_list(record, RESULTS, "outcomeMeasuresModule", "outcomeMeasures"), start=1)
        ),
        serious=tuple(
            SeriousEvents(
                _text(_at(g, "title")), _text(_at(g, "seriousNumAffected")), _text(_at(g, "seriousNumAtRisk"))
            )
            for g in _list(record, RESULTS, "adverseEventsModule", "eventGroups")
        ),
        started=_started(_at(record, RESULTS, "participantFlowModule")),
    )


def _started(flow: Any) -> dict[str, str]:
    titles = {_text(_at(g, "id")): _text(_at(g, "title")) for g in _list(flow, "groups")}
    first = next(iter(_list(flow, "periods")), None)
    for milestone in _list(first, "milestones"):
        if _text(_at(milestone, "type")) == "STARTED":
            counts = _list(milestone, "achievements")
            return {titles.get(_text(_at(a, "groupId")), ""): _text(_at(a, "numSubjects")) for a in counts}
    return {}


def _measure(each: Any, i: int) -> Measure:
    place = f"outcome measure {i}"
    analysed: dict[str, str] = {}
    for denominator in _list(each, "denoms"):
        if _text(_at(denominator, "units")).casefold() in ("participants", "patients", "subjects"):
            analysed = {_text(_at(c, "groupId")): _text(_at(c, "value")) for c in _list(denominator, "counts")}
    values = tuple(
        (" / ".join(t for t in (_text(_at(block, "title")), _text(_at(category, "title"))) if t),
         _text(_at(m, "groupId")), _text(_at(m, "value")))
        for block in _list(each, "classes")
        for category in _list(block, "categories")
        for m in _list(category, "measurements")
    )  # fmt: skip
    return Measure(
        place=place,
        title=_text(_at(each, "title")),
        param=_text(_at(each, "paramType")),
        unit=_text(_at(each, "unitOfMeasure")),
        groups={_text(_at(g, "id")): _text(_at(g, "title")) for g in _list(each, "groups")},
        analysed=analysed,
        values=values,
        analyses=tuple(_analysis(a, f"{place}, analysis {j}") for j, a in enumerate(_list(each, "analyses"), start=1)),
    )


def _analysis(each: Any, place: str) -> Analysis:
    comments = [_text(_at(each, name)) for name in ("groupDescription", "pValueComment", "estimateComment")]
    return Analysis(
        place=place,
        groups=_texts(_list(each, "groupIds")),
        param_type=_text(_at(each, "paramType")),
        value=_text(_at(each, "paramValue")),
        ci_percent=_text(_at(each, "ciPctValue")),
        ci_sides=_text(_at(each, "ciNumSides")),
        ci_lower=_text(_at(each, "ciLowerLimit")),
        ci_upper=_text(_at(each, "ciUpperLimit")),
        p_value=_text(_at(each, "pValue")),
        comment=" ".join(text for text in comments if text),
    )
