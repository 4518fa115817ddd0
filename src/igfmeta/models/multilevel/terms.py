"""Random terms: `~ 1 | district/school`, `~ outcome | study`, and the factors behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igfmeta.errors import InputError, listed
from igfmeta.models.multilevel.structures import Structure, structure

Codes = NDArray[np.intp]

_FORM = re.compile(r"^\s*~?\s*(?P<inner>[^|]+?)\s*\|\s*(?P<outer>[^|]+?)\s*$")


@dataclass(frozen=True, eq=False)
class Term:
    """Random effects with one covariance matrix, independent between the levels of a grouping factor.

    Attributes
    ----------
    label : str
        Such as `district/school` or `outcome | study`.
    group : ndarray of int of shape (k,)
        The level of the grouping factor of each row.
    levels : tuple of str
        Of the grouping factor.
    structure : Structure
    inner : ndarray of int of shape (k,) or None
        The level of the inner factor of each row; None for an intercept.
    inner_levels : tuple of str
    """

    label: str
    group: Codes
    levels: tuple[str, ...]
    structure: Structure
    inner: Codes | None = None
    inner_levels: tuple[str, ...] = ()


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def factor(values: Sequence[Any]) -> tuple[Codes, tuple[str, ...]]:
    """Return codes and levels of a factor: numbers in their order, texts in the order of the alphabet.

    Examples
    --------
    >>> factor([10, 2, 10.0])[1], factor(["b", "a"])[1]
    (('2', '10'), ('a', 'b'))
    """
    texts = [_text(value) for value in values]
    try:
        levels = sorted(set(texts), key=float)
    except ValueError:
        levels = sorted(set(texts))
    at = {level: i for i, level in enumerate(levels)}
    return np.array([at[text] for text in texts], dtype=np.intp), tuple(levels)


def _column(name: str, columns: Mapping[str, Sequence[Any]], formula: str) -> Sequence[Any]:
    if name not in columns:
        raise InputError(f"random was {formula!r}: there is no column {name!r}; the columns are {listed(columns)}.")
    values = columns[name]
    blank = [i for i, v in enumerate(values) if v is None or v == "" or (isinstance(v, float) and np.isnan(v))]
    if blank:
        raise InputError(f"random was {formula!r}: column {name!r} is blank in row {blank[0] + 1} of those used.")
    return values


def _joined(names: Sequence[str], columns: Mapping[str, Sequence[Any]], formula: str) -> list[str]:
    parts = [_column(name, columns, formula) for name in names]
    return ["/".join(map(_text, row)) for row in zip(*parts, strict=True)]


def parse(formula: str, columns: Mapping[str, Sequence[Any]], *, struct: str = "CS") -> list[Term]:
    """Return the random terms that a formula means.

    Parameters
    ----------
    formula : str
        `~ 1 | study` is an intercept for each study; `~ 1 | district/school` one for each district and one for each
        school within its district; `~ outcome | study` effects for the levels of `outcome`, correlated within `study`
        as `struct` says.
    columns : mapping
        Columns by name, each of length k.
    struct : str
        Of `inner | outer`: a key of `igfmeta.models.multilevel.structures.STRUCTURES`.

    Raises
    ------
    InputError
        A formula that cannot be read, a column that is not there or has blanks, a factor with one level.

    Examples
    --------
    >>> columns = {"district": [1, 1, 2, 2], "school": [1, 2, 1, 2]}
    >>> [(term.label, term.levels) for term in parse("~ 1 | district/school", columns)]
    [('district', ('1', '2')), ('district/school', ('1/1', '1/2', '2/1', '2/2'))]
    """
    found = _FORM.match(formula)
    if not found:
        raise InputError(
            f"random was {formula!r}; accepted are formulas such as '~ 1 | study', '~ 1 | district/school' or "
            "'~ outcome | study'."
        )
    outer = [name.strip() for name in found["outer"].split("/")]
    inner = found["inner"].strip()
    if inner == "1":
        return [_intercept(outer[: i + 1], columns, formula) for i in range(len(outer))]
    codes, inner_levels = factor(_column(inner, columns, formula))
    group, levels = factor(_joined(outer, columns, formula) if len(outer) > 1 else _column(outer[0], columns, formula))
    shape = structure(struct, inner_levels, what=f"random was {formula!r}: the inner factor {inner!r}")
    return [Term(f"{inner} | {'/'.join(outer)}", group, levels, shape, codes, inner_levels)]


def _intercept(names: Sequence[str], columns: Mapping[str, Sequence[Any]], formula: str) -> Term:
    one = len(names) == 1
    group, levels = factor(_column(names[0], columns, formula) if one else _joined(names, columns, formula))
    if len(levels) < 2:
        raise InputError(
            f"random was {formula!r}: the factor {'/'.join(names)!r} has one level, {levels[0]!r}; its variance "
            "cannot be estimated. Leave it out."
        )
    return Term("/".join(names), group, levels, Structure("ID", 1))


def check_terms(terms: Sequence[Term]) -> None:
    """Refuse terms that the data cannot tell apart: the same grouping twice, or pairs that never occur together."""
    seen: dict[bytes, str] = {}
    for term in terms:
        if term.inner is None:
            key = np.unique(term.group, return_inverse=True)[1]
            first = np.unique(key, return_index=True)[1]
            rank = np.argsort(np.argsort(first))
            same = rank[key].tobytes()
            if same in seen:
                raise InputError(
                    f"The random terms {seen[same]!r} and {term.label!r} group the rows alike; only the sum of their "
                    "variances could be estimated. Leave one out."
                )
            seen[same] = term.label
        else:
            _check_pairs(term)


def _check_pairs(term: Term) -> None:
    if term.inner is None or term.structure.kind != "UN":
        return
    present = np.zeros((len(term.levels), len(term.inner_levels)), dtype=bool)
    present[term.group, term.inner] = True
    together = present.astype(float).T @ present
    never = [
        f"{term.inner_levels[i]} with {term.inner_levels[j]}"
        for i in range(len(together))
        for j in range(i)
        if together[i, j] == 0
    ]
    if never:
        raise InputError(
            f"{term.label}: UN asks for a correlation of every pair, and no group has {listed(never)}. "
            "Choose DIAG, CS or HCS."
        )
