"""What is asked of a meta-regression beside its coefficients: predictions, contrasts, inflation, the curve."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from igfmeta.errors import InputError, check_choice, listed
from igfmeta.models.regression.collinearity import inflation as inflation_of
from igfmeta.models.regression.predictions import Combinations, combine
from igfmeta.models.regression.results import Regression
from igfmeta.numerics import Floats
from igfmeta.synthesis.design_points import Design, Point, Value, described
from igfmeta.synthesis.regress_results import Curve, Inflation, Said
from igfmeta.synthesis.results import finite

#: Adjustments of p-values for several contrasts, those of `statsmodels.stats.multitest.multipletests`.
ADJUSTMENTS = {
    "none": None, "holm": "holm", "bonferroni": "bonferroni", "sidak": "sidak", "holm-sidak": "holm-sidak",
    "simes-hochberg": "simes-hochberg", "hommel": "hommel", "fdr-bh": "fdr_bh", "fdr-by": "fdr_by",
}  # fmt: skip
ADJUSTMENT_NAMES = tuple(ADJUSTMENTS)

#: Places along a number at which the curve is computed.
POINTS = 101


def inflations(fit: Regression, design: Design) -> tuple[Inflation, ...]:
    """Return the generalized variance inflation factor of every term; none where there is only one."""
    moderators = {fit.names.index(name) for name in fit.tested}
    terms = [(name, own) for name, own in design.terms if set(own) <= moderators]
    if len(terms) < 2:
        return ()
    found = []
    for name, own in terms:
        gvif = inflation_of(fit, own)
        found.append(Inflation(name, len(own), gvif, gvif ** (1 / (2 * len(own)))))
    return tuple(found)


def predictions(fit: Regression, design: Design, points: Sequence[Point]) -> tuple[Said, ...]:
    """Return what the model says at points."""
    if not points:
        return ()
    return _said([described(point) or "no moderators" for point in points], combine(fit, design.at(points)))


def contrasts(fit: Regression, design: Design, factors: Sequence[str], adjust: str) -> tuple[Said, ...]:
    """Return the differences between all levels of factors, with p-values adjusted over all of them.

    The other moderators are held at their mean or first level, which matters only where they interact with the factor.
    """
    adjust = check_choice("adjust", adjust, ADJUSTMENT_NAMES)
    if not factors:
        return ()
    labels: list[str] = []
    rows = []
    for factor in factors:
        levels = _levels(design, factor)
        at = design.at([{**design.reference(), factor: level} for level in levels])
        for i, j in combinations(range(len(levels)), 2):
            labels.append(f"{factor}: {levels[j]} - {levels[i]}")
            rows.append(at[j] - at[i])
    found = combine(fit, np.array(rows))
    return _said(labels, found, adjusted=_adjusted(found.p_value, adjust), new=False)


def _levels(design: Design, factor: str) -> Sequence[Value]:
    accepted = [name for name in design.variables if design.levels(name)]
    if factor not in accepted:
        raise InputError(
            f"contrasts was {factor!r}; accepted are the factors of the formula {design.formula!r}: "
            f"{listed(accepted) if accepted else 'it has none'}. A number is made a factor by C({factor})."
        )
    return design.levels(factor)


def _adjusted(p_values: Floats, adjust: str) -> Floats:
    method = ADJUSTMENTS[adjust]
    if method is None or len(p_values) < 2:
        return p_values
    from statsmodels.stats.multitest import multipletests

    return np.asarray(multipletests(p_values, method=method)[1])


def _said(
    labels: Sequence[str], found: Combinations, *, adjusted: Floats | None = None, new: bool = True
) -> tuple[Said, ...]:
    return tuple(
        Said(
            label=label,
            estimate=float(found.estimate[i]),
            se=float(found.se[i]),
            df=finite(float(found.df[i])),
            p_value=float(found.p_value[i]),
            ci_lower=float(found.ci_lower[i]),
            ci_upper=float(found.ci_upper[i]),
            pi_lower=finite(float(found.pi_lower[i])) if new else None,
            pi_upper=finite(float(found.pi_upper[i])) if new else None,
            p_adjusted=None if adjusted is None else float(adjusted[i]),
        )
        for i, label in enumerate(labels)
    )


def curve(fit: Regression, design: Design, along: str | None) -> Curve | None:
    """Return the model along a moderator: the one named, or the first number of the formula, or its first factor."""
    names = design.variables
    if along is not None and along not in names:
        raise InputError(f"along was {along!r}; accepted are the moderators of {design.formula!r}: {listed(names)}.")
    if not names:
        return None
    numbers = [name for name in names if not design.levels(name)]
    variable = along or (numbers or list(names))[0]
    levels = design.levels(variable)
    own = design.columns[variable].tolist()
    values = list(levels) or np.linspace(min(own), max(own), POINTS).tolist()
    others = {name: value for name, value in design.reference().items() if name != variable}
    found = combine(fit, design.at([{**others, variable: value} for value in values]))
    places = [float(levels.index(value)) for value in own] if levels else own
    return Curve(
        variable=variable,
        levels=tuple(map(str, levels)),
        at=np.arange(len(levels), dtype=float) if levels else np.asarray(values, dtype=float),
        estimate=found.estimate,
        ci_lower=found.ci_lower,
        ci_upper=found.ci_upper,
        pi_lower=found.pi_lower,
        pi_upper=found.pi_upper,
        places=np.asarray(places, dtype=float),
        held=described(others),
    )
