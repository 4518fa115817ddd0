"""Formulas of moderators: what they may hold, and what is said of the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from igfmeta.errors import InputError
from igfmeta.synthesis.formula_design import design, variables

TABLE = pd.DataFrame({"x": [1.0, 2.0, 3.0, 5.0], "z": [0.0, 1.0, -1.0, 2.0], "s": list("abab")})


@pytest.mark.parametrize(
    ("formula", "columns"),
    [
        ("~ poly(x, 2) + C(s, contr.sum)", ["s", "x"]),
        ("~ bs(x, df=3)", ["x"]),
        ("~ scale(x):s", ["s", "x"]),
        ("~ np.sqrt(x) + I(z**2) - 1", ["x", "z"]),
        ("~ 1", []),
    ],
)
def test_functions_name_the_columns_that_they_need(formula, columns):
    assert variables(formula) == columns


@pytest.mark.parametrize(
    "formula",
    [
        "~ I(np.fromfile('/etc/passwd'))",
        "~ I(9**9**9**9)",
        "~ I('a' * 10**9)",
        "~ I(year << 40)",
        "~ {open('x', 'w')}",
        "~ I(__import__('os').getcwd())",
        "~ I([].__class__)",
        "~ I((lambda: 1)())",
        "~ I(x.sum())",
        "~ I(f'{x}')",
        "~ I([i for i in x])",
    ],
)
def test_a_formula_runs_no_program(formula):
    with pytest.raises(InputError, match="accepted are columns, numbers"):
        design(formula, TABLE)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("~ (x", "cannot be read as a formula such as '~ year': [A-Z][^\x1b\n]*$"),
        ("~ x | z", "accepted is one formula, without"),
        ("x ~ z", "nothing before the '~'"),
        ("~ y", "there is no column y"),
        ("~ log(s)", "cannot be computed"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(formula, message):
    with pytest.raises(InputError, match=message):
        design(formula, TABLE)


def test_rows_without_a_finite_value_are_named():
    with pytest.raises(InputError) as caught:
        design("~ log(z)", TABLE)
    assert [problem.row for problem in caught.value.problems] == [1, 3]
    assert np.isfinite(design("~ log(x)", TABLE)[0]).all()
