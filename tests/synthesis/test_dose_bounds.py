"""Exposure groups whose numbers cannot be: the study is not used, or the curve refused, each with the reason."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from igfmeta.errors import InputError
from igfmeta.synthesis.dose import dose_response


def groups(**changed):
    rows = [
        {"id": f"s{i}", "type": "cc", "dose": 10.0 * j, "cases": 30.0 + 5 * j, "n": 100.0 + i,
         "rr": 1 + 0.1 * j + 0.02 * i, "lower": 0.9 + 0.05 * j, "upper": 1.5 + 0.2 * j}
        for i in range(4) for j in range(3)
    ]  # fmt: skip
    for i in (0, 3, 6, 9):
        rows[i] |= {"rr": 1.0, "lower": 1.0, "upper": 1.0}
    rows[4] |= changed
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"cases": 440.0}, "more cases than subjects in row 5"),
        ({"n": 1e300}, r"cases, controls or person-time above 1e\+12 in row 5"),
        ({"dose": 1e300}, r"a dose above 1e\+12, or a log relative risk or error above 50, in row 5"),
        ({"rr": 1e30, "lower": 1e29, "upper": 1e31}, "a log relative risk or error above 50, in row 5"),
    ],
)
def test_a_study_of_numbers_that_cannot_be_is_not_used(changed, reason):
    found = dose_response(groups(**changed), covariance="independent")
    assert [study.label for study in found.unused] == ["s1"]
    assert re.search(reason, found.unused[0].reason)


def test_a_curve_that_no_number_holds_is_refused():
    with pytest.raises(InputError, match=r"beyond what a number can hold; are the doses of all groups in one unit"):
        dose_response(groups(dose=1e8), model="rcs", covariance="independent")
