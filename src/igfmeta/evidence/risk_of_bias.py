"""Judgements of the risk of bias: of a study the worst of its domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: From the best to the worst; a risk that cannot be told stands between low and some concerns.
JUDGEMENTS = ("low", "unclear", "some", "high")
NOT_JUDGED = "none"
LEVELS = (*JUDGEMENTS, NOT_JUDGED)

WORDS = {"low": "low", "some": "some concerns", "high": "high", "unclear": "unclear", NOT_JUDGED: "not judged"}


def overall(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the judgement of each study: the worst of its domains, of every tool.

    Examples
    --------
    >>> overall([{"study_id": "a", "judgement": "low"}, {"study_id": "a", "judgement": "some"}])
    {'a': 'some'}
    """
    found: dict[str, str] = {}
    for row in rows:
        study = row["study_id"]
        found[study] = max(found.get(study, "low"), row["judgement"], key=JUDGEMENTS.index)
    return found
