"""Designs of fixed effects from formulas such as `~ outcome - 1` or `~ year + C(phase)`, by formulaic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.errors import InputError, Problem, listed
from igfmeta.numerics import Floats
from igfmeta.synthesis.formula_terms import columns_of_factors
from igfmeta.synthesis.inputs import row_number

if TYPE_CHECKING:
    import pandas as pd


def variables(formula: str, option: str = "mods") -> list[str]:
    """Return the columns that a formula needs.

    Examples
    --------
    >>> variables("~ year + C(phase)")
    ['phase', 'year']
    """
    return _columns(formula, _parsed(formula, option), option)


def _columns(formula: str, parsed: Any, option: str) -> list[str]:
    return columns_of_factors(formula, (factor for term in parsed for factor in term.factors), option)


def _parsed(formula: str, option: str) -> Any:
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
    except (FormulaicError, SyntaxError, AttributeError) as error:
        raise InputError(
            f"{option} was {formula!r}, which cannot be read as a formula such as '~ year': {_sentence(error)}"
        ) from None
    if hasattr(parsed, "lhs"):
        raise InputError(f"{option} was {formula!r}; accepted is a formula with nothing before the '~'.")
    if not all(hasattr(term, "factors") for term in parsed):
        raise InputError(f"{option} was {formula!r}; accepted is one formula, without '|'.")
    return parsed


def _sentence(error: Exception) -> str:
    """Return the first line of a parser's message, without the colours that it paints the place with."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def design(formula: str, frame: pd.DataFrame, option: str = "mods") -> tuple[Floats, tuple[str, ...]]:
    """Return the design matrix of a formula and the names of its columns.

    Parameters
    ----------
    formula : str
        Texts are categories, the first in the alphabet the reference; `- 1` leaves out the intercept, so that every
        category has its own mean.
    frame : DataFrame
        The rows that are used; columns of texts that all are numbers count as numbers.
    option : str
        What the formula is called in messages.

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
    matrix, _ = model_matrix(formula, frame, option)
    return np.asarray(matrix, dtype=float), tuple(map(str, matrix.columns))


def model_matrix(formula: str, frame: pd.DataFrame, option: str = "mods") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the design of a formula as formulaic makes it, with its specification, and the columns it is made of."""
    parsed = _parsed(formula, option)
    needed = _columns(formula, parsed, option)
    file = frame.attrs.get("file")
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InputError(
            Problem(
                f"{option} was {formula!r}: there is no column {listed(missing)}; the columns are "
                f"{listed(frame.columns)}.",
                file=file,
            )
        )
    ready = {name: as_numbers(frame[name]) for name in needed}
    _refuse_blanks(f"{option} {formula!r}", ready, frame)
    import pandas as pd
    from formulaic.errors import FormulaicError

    columns = pd.DataFrame(ready, index=frame.index)
    try:
        with np.errstate(all="ignore"):  # what has no finite value is refused below, with its row
            matrix = parsed.get_model_matrix(columns, context={})
    except (FormulaicError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{option} was {formula!r}, which cannot be computed: {_sentence(error)}") from None
    if not matrix.shape[1]:
        raise InputError(f"{option} was {formula!r}, which has no column; leave it out for an intercept alone.")
    _refuse_undefined(f"{option} {formula!r}", matrix, frame)
    return matrix, columns


def _refuse_undefined(what: str, matrix: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Refuse rows for which a function has no value, such as the logarithm of 0; formulaic leaves out some of them."""
    defined = frame.index.isin(matrix.index[np.isfinite(np.asarray(matrix, dtype=float)).all(axis=1)])
    problems = [
        Problem(
            f"has no finite value in {what}, such as the logarithm of 0.",
            file=frame.attrs.get("file"),
            row=row_number(frame, at),
        )
        for at in np.flatnonzero(~defined).tolist()
    ]
    if problems:
        raise InputError(problems)


def as_numbers(column: pd.Series) -> pd.Series:
    """Return a column of texts as numbers if every one of them is one."""
    import pandas as pd

    if column.dtype.kind in "iufb":
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    texts = column.astype(str)
    plain = texts.map(lambda text: bool(re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text)))
    return numbers if bool(plain.all()) else column


def _refuse_blanks(what: str, columns: dict[str, pd.Series], frame: pd.DataFrame) -> None:
    problems = []
    for name, column in columns.items():
        blank = column.isna() | (column.astype(str) == "")
        for at in np.flatnonzero(blank.to_numpy()).tolist():
            said = f"is blank, and {what} needs it."
            problems.append(Problem(said, file=frame.attrs.get("file"), row=row_number(frame, at), column=name))
    if problems:
        raise InputError(problems)
