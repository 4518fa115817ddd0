"""What bundles hold beside pools as effects to compare: hierarchies, dose-response curves, triangulations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from igfmeta.synthesis.effect_diff import PooledEffect, effects_of_answers, effects_of_risk, null_of

#: What a fit has none of.
NONE: dict[str, Any] = dict.fromkeys(
    ("null", "estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper", "tau2", "posterior_median", "posterior_lower",
     "posterior_upper", "probability")
)  # fmt: skip


def effects_of_fit(fit: Mapping[str, Any]) -> dict[str, PooledEffect]:
    """Return the effects of a fit, as its JSON holds it, by key; none of a kind that has none."""
    if "arms" in fit and "overall" in fit:
        return effects_of_answers([fit])
    if "biomarker" in fit and "per" in fit and "groups" in fit:
        return effects_of_risk(fit)
    if "cells" in fit and "averages" in fit:
        return effects_of_hierarchy(fit)
    if "curve" in fit and "reference" in fit:
        return effects_of_dose(fit)
    if "predictors" in fit and "marker" in fit:
        return effects_of_triangulation(fit)
    return {}


def effects_of_hierarchy(result: Mapping[str, Any]) -> dict[str, PooledEffect]:
    """Return the mean of every cell and every average, with the prediction for a new study there."""
    measure, engine = result["measure"], "PyMC" if result["sampling"]["diagnostics"] else "exact engine"
    question = f"{result['outcome']} ({measure}), {' x '.join(result['by'])}, {engine}"
    found = {}
    for cell in (*result["cells"], *result["averages"]):
        group = f"{cell['agent_class']}, {cell['tumor']}"
        found[f"{question}: {group}"] = PooledEffect(
            question=question,
            measure=measure,
            group=group,
            k=cell["k"],
            **{
                **NONE,
                "null": null_of(measure),
                "pi_lower": cell["pi_lower"],
                "pi_upper": cell["pi_upper"],
                "posterior_median": cell["median"],
                "posterior_lower": cell["ci_lower"],
                "posterior_upper": cell["ci_upper"],
                "probability": cell["p_benefit"],
            },
        )
    return found


def effects_of_dose(result: Mapping[str, Any]) -> dict[str, PooledEffect]:
    """Return the relative risk at each dose at which the curve is given."""
    question = f"{result['title'].partition(':')[0]}, {result['model']} curve"
    found = {}
    for point in result["curve"]:
        group = f"{point['dose']:.6g} against {result['reference']:.6g} {result['unit']}".strip()
        numbers = {"null": 1.0, "estimate": point["rr"], "ci_lower": point["ci_lower"], "ci_upper": point["ci_upper"]}
        found[f"{question}: {group}"] = PooledEffect(
            question=question, measure="RR", group=group, k=result["k"], **{**NONE, **numbers}
        )
    return found


def effects_of_triangulation(result: Mapping[str, Any]) -> dict[str, PooledEffect]:
    """Return the slope of trial effects on each predictor, by restricted likelihood and from the posterior."""
    question = f"Slope of {result['outcome']} ({result['measure']}) on {result['marker']}"
    found = {}
    for each in result["predictors"]:
        line, posterior = each["errors_in_variables"] or {}, each["bayes"] or {}
        found[f"{question}: {each['key']}"] = PooledEffect(
            question=question,
            measure="slope",
            group=each["label"],
            k=len(each["units"]),
            **{
                **NONE,
                "null": 0.0,
                "estimate": line.get("slope"),
                "ci_lower": line.get("ci_lower"),
                "ci_upper": line.get("ci_upper"),
                "tau2": line.get("tau2"),
                "posterior_median": posterior.get("slope"),
                "posterior_lower": posterior.get("ci_lower"),
                "posterior_upper": posterior.get("ci_upper"),
                "probability": posterior.get("p_better"),
            },
        )
    return found
