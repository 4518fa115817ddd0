"""Designs of fixed effects from formulas such as `~ outcome - 1` or `~ year + C(phase)`, by formulaic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.errors import InputError, Problem, listed
from igfmeta.numerics import Floats

if TYPE_CHECKING:
    import pandas as pd


def variables(formula: str) -> list[str]:
    """Return the columns that a formula needs.

    Examples
    --------
    >>> variables("~ year + C(phase)")
    ['phase', 'year']
    """
    return sorted(map(str, _parsed(formula).required_variables))


def _parsed(formula: str):  # type: ignore[no-untyped-def]
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
        if hasattr(parsed, "lhs"):
            raise InputError(f"mods was {formula!r}; accepted is a formula with nothing before the '~'.")
        parsed.required_variables  # noqa: B018  (parses the terms)
    except (FormulaicError, SyntaxError, AttributeError) as error:
        raise InputError(f"mods was {formula!r}, which cannot be read as a formula such as '~ year': {error}") from None
    return parsed


def design(formula: str, frame: pd.DataFrame) -> tuple[Floats, tuple[str, ...]]:
    """Return the design matrix of a formula and the names of its columns.

    Parameters
    ----------
    formula : str
        Texts are categories, the first in the alphabet the reference; `- 1` leaves out the intercept, so that every
        category has its own mean.
    frame : DataFrame
        The rows that are used; columns of texts that all are numbers count as numbers.

    Raises
    ------
    InputError
        A formula that cannot be read, columns that are not there, cells that are blank.

    Examples
    --------
    >>> import pandas as pd
    >>> design("~ outcome - 1", pd.DataFrame({"outcome": ["os", "pfs", "os"]}))[1]
    ('outcome[os]', 'outcome[pfs]')
    """
    matrix, _ = model_matrix(formula, frame)
    return np.asarray(matrix, dtype=float), tuple(map(str, matrix.columns))


def model_matrix(formula: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the design of a formula as formulaic makes it, with its specification, and the columns it is made of."""
    parsed = _parsed(formula)
    needed = sorted(map(str, parsed.required_variables))
    file = frame.attrs.get("file")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InputError(
            Problem(
                f"mods was {formula!r}: there is no column {listed(missing)}; the columns are {listed(frame.columns)}.",
                file=file,
            )
        )
    ready = {name: as_numbers(frame[name]) for name in needed}
    _refuse_blanks(formula, ready, frame)
    import pandas as pd
    from formulaic.errors import FormulaicError

    columns = pd.DataFrame(ready, index=frame.index)
    try:
        matrix = parsed.get_model_matrix(columns, context={})
    except FormulaicError as error:
        raise InputError(f"mods was {formula!r}, which cannot be computed: {error}") from None
    if not matrix.shape[1]:
        raise InputError(f"mods was {formula!r}, which has no column; leave it out for an intercept alone.")
    return matrix, columns


def as_numbers(column: pd.Series) -> pd.Series:
    """Return a column of texts as numbers if every one of them is one."""
    import pandas as pd

    if column.dtype.kind in "iufb":
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    texts = column.astype(str)
    plain = texts.map(lambda text: bool(re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text)))
    return numbers if bool(plain.all()) else column


def _refuse_blanks(formula: str, columns: dict[str, pd.Series], frame: pd.DataFrame) -> None:
    problems = []
    for name, column in columns.items():
        blank = column.isna() | (column.astype(str) == "")
        for at in np.flatnonzero(blank.to_numpy()).tolist():
            row = int(frame.index[at]) if frame.index.name == "row" else at + 1
            problems.append(
                Problem(f"is blank, and mods {formula!r} needs it.", file=frame.attrs.get("file"), row=row, column=name)
            )
    if problems:
        raise InputError(problems)
