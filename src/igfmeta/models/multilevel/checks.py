"""What a multilevel model cannot be fitted to, said in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from igfmeta.errors import InputError, Problem, listed
from igfmeta.models.multilevel.layout import components
from igfmeta.models.multilevel.terms import Term, check_terms
from igfmeta.numerics import Floats

#: Smallest eigenvalue of a correlation matrix below which it counts as singular.
SINGULAR = 1e-10

#: Rows named in one message.
NAMED = 6


def checked_covariance(v: Floats, labels: Sequence[str]) -> Floats:
    """Return sampling variances, or their covariance matrix if it has any covariance; refuse what cannot be one."""
    k = len(labels)
    if v.shape not in ((k,), (k, k)):
        raise InputError(f"V has the shape {v.shape}; accepted are {k} variances or a matrix of {k} by {k}.")
    variances = v if v.ndim == 1 else np.diag(v)
    bad = np.flatnonzero(~np.isfinite(variances) | (variances <= 0))
    if len(bad):
        raise InputError(
            [
                Problem(f"the sampling variance of {labels[i]} was {variances[i]:g}; accepted is one above 0.")
                for i in bad.tolist()
            ]
        )
    if v.ndim == 1:
        return v
    if not np.isfinite(v).all():
        raise InputError("V has elements that are not finite numbers; a covariance that is not known is 0 or assumed.")
    uneven = np.abs(v - v.T) > 1e-10 * np.sqrt(np.outer(variances, variances))
    if uneven.any():
        i, j = np.argwhere(uneven)[0]
        raise InputError(f"V is not symmetric: between {labels[i]} and {labels[j]} it has {v[i, j]:g} and {v[j, i]:g}.")
    if not np.count_nonzero(v - np.diag(variances)):
        return np.array(variances)
    _refuse_indefinite(v, variances, labels)
    return 0.5 * (v + v.T)


def _refuse_indefinite(v: Floats, variances: Floats, labels: Sequence[str]) -> None:
    correlation = v / np.sqrt(np.outer(variances, variances))
    problems = []
    block = components(len(v), v, ())
    for n in range(int(block.max()) + 1):
        rows = np.flatnonzero(block == n)
        if len(rows) == 1:
            continue
        smallest = float(np.linalg.eigvalsh(correlation[np.ix_(rows, rows)])[0])
        if smallest <= SINGULAR:
            what = "singular" if smallest > -SINGULAR else "not positive definite"
            shown = [labels[i] for i in rows[:NAMED]] + (["others"] if len(rows) > NAMED else [])
            problems.append(
                Problem(
                    f"the covariance V of {', '.join(shown)} is {what} (smallest eigenvalue of its correlations "
                    f"{smallest:.2g}); check the shared arms and the assumed correlation of these rows."
                )
            )
    if problems:
        raise InputError(problems)


def checked_design(x: Any, k: int, names: Sequence[str] | None) -> tuple[Floats, tuple[str, ...]]:
    """Return the design and the names of its columns; refuse dependent columns."""
    design = np.ones((k, 1)) if x is None else np.asarray(x, dtype=float)
    if design.ndim == 1:
        design = design[:, None]
    if len(design) != k:
        raise InputError(f"x has {len(design)} rows; accepted is one for each of the {k} effects.")
    default = ["Intercept"] if x is None else [f"x{i + 1}" for i in range(design.shape[1])]
    columns = tuple(default if names is None else map(str, names))
    if len(columns) != design.shape[1]:
        raise InputError(f"names has {len(columns)} texts; accepted is one for each of the {design.shape[1]} columns.")
    if not np.isfinite(design).all():
        i, j = np.argwhere(~np.isfinite(design))[0]
        raise InputError(f"x is not a finite number in row {i + 1}, column {columns[j]!r}.")
    if k <= design.shape[1]:
        raise InputError(f"There are {k} rows for {design.shape[1]} fixed coefficients; accepted are more rows.")
    size = np.sqrt((design**2).sum(axis=0))
    zero = [name for name, s in zip(columns, size, strict=True) if s == 0]
    if zero:
        raise InputError(f"The columns {listed(zero)} of the design are all 0; leave them out.")
    scaled = design / size
    dependent = [
        columns[j]
        for j in range(design.shape[1])
        if np.linalg.matrix_rank(scaled[:, : j + 1], tol=1e-9) < np.linalg.matrix_rank(scaled[:, :j], tol=1e-9) + 1
    ]
    if dependent:
        raise InputError(f"The columns {listed(dependent)} of the design follow from those before; leave them out.")
    return design, columns


def checked_terms(terms: Sequence[Term], k: int, p: int) -> None:
    """Refuse random terms that the data cannot carry."""
    if not terms:
        raise InputError("There is no random term; accepted are formulas such as '~ 1 | study'.")
    wrong = [term.label for term in terms if len(term.group) != k]
    if wrong:
        raise InputError(f"The random terms {listed(wrong)} do not have one level for each of the {k} rows.")
    check_terms(terms)
    parameters = sum(term.structure.n_parameters for term in terms)
    if parameters > k - p:
        raise InputError(
            f"The random terms have {parameters} variances and correlations, and {k} rows less {p} coefficients leave "
            f"{k - p} degrees of freedom; choose a simpler structure (DIAG, CS, ID) or fewer terms."
        )
    for term in terms:
        groups = len(np.unique(term.group))
        free = term.structure.n_parameters
        if term.structure.kind == "UN" and term.inner is not None and free > groups * (term.structure.size):
            raise InputError(
                f"{term.label}: UN has {free} variances and correlations for {groups} groups; choose DIAG, CS or HCS."
            )
