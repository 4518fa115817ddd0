"""Judgements of the risk of bias: of a study the one that was made overall, or else the worst of its domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: From the best to the worst; a risk that cannot be told stands between low and some concerns.
JUDGEMENTS = ("low", "unclear", "some", "high")
NOT_JUDGED = "none"
LEVELS = (*JUDGEMENTS, NOT_JUDGED)

WORDS = {"low": "low", "some": "some concerns", "high": "high", "unclear": "unclear", NOT_JUDGED: "not judged"}


#: Names under which tools judge a study as a whole. RoB 2 may call it high for several domains with some concerns
#: (Sterne et al. 2019, BMJ 366:l4898), so that it is not always the worst of them.
AS_A_WHOLE = ("overall", "overall bias", "overall judgement", "overall risk of bias", "overall risk of bias judgement")


def is_overall(domain: str) -> bool:
    """Return whether a domain is the judgement of the study as a whole.

    Examples
    --------
    >>> is_overall("Overall bias"), is_overall("overall_survival")
    (True, False)
    """
    return " ".join(domain.casefold().replace("_", " ").split()) in AS_A_WHOLE


def overall(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the judgement of each study: of each tool the one made overall, or else the worst of its domains.

    Of several tools it is the worst.

    Examples
    --------
    >>> found = [("blinding", "low"), ("missing data", "some")]
    >>> rows = [{"study_id": "a", "tool": "RoB 2", "domain": d, "judgement": j} for d, j in found]
    >>> overall(rows), overall([*rows, {**rows[0], "domain": "Overall", "judgement": "high"}])
    ({'a': 'some'}, {'a': 'high'})
    """
    domains: dict[tuple[str, str], str] = {}
    whole: dict[tuple[str, str], str] = {}
    for row in rows:
        of_tool = whole if is_overall(row["domain"]) else domains
        key = (row["study_id"], row["tool"])
        of_tool[key] = _worse(of_tool.get(key, "low"), row["judgement"])
    found: dict[str, str] = {}
    for (study, _), judgement in (domains | whole).items():
        found[study] = _worse(found.get(study, "low"), judgement)
    return found


def _worse(one: str, other: str) -> str:
    return max(one, other, key=JUDGEMENTS.index)
