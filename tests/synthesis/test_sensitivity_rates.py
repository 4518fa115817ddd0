"""Rates of single arms under every choice: the first row is the pool, each row the binomial fit that it says it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.pooling import pool_one
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.sensitivity import sensitivity_in
from igfmeta.synthesis.study_sets import set_of_table

TABLE = pd.DataFrame(
    {
        "x": [0, 3, 5, 1, 9, 0],
        "n": [24, 20, 31, 40, 52, 12],
        "rob": ["low", "high", "low", "some concerns", "low", "high"],
    }
)
COLUMNS = Columns(events="x", n="n")


def _studies(table=TABLE, **options):
    return set_of_table(table, COLUMNS, measure="PLO", **options)


def _rows(studies, methods=None, **options):
    found = sensitivity_in([studies], methods or Methods(), **options).sets[0]
    return found, {choice.name: choice for choice in found.choices}


def _glmm(keep, ci="PL", **options):
    return im.fit_with("glmm", TABLE[keep], events="x", n="n", measure="PLO", ci=ci, **options).fit


def _numbers(fit):
    return [fit.k, fit.estimate, fit.ci_lower, fit.ci_upper, fit.tau2]


ALL = np.ones(6, dtype=bool)


@pytest.mark.parametrize(
    ("name", "keep", "options"),
    [
        ("Logit-normal, ML, profile likelihood", ALL, {}),
        ("Common rate (tau2 = 0)", ALL, {"method": "CE"}),
        ("Normal (Wald)", ALL, {"ci": "z"}),
        ("t, k - 1 degrees of freedom", ALL, {"ci": "t"}),
        ("Low risk of bias only", TABLE["rob"] == "low", {}),
        ("Without high risk of bias", TABLE["rob"] != "high", {}),
        ("The larger half of the studies", TABLE["n"] >= 27.5, {}),
    ],
)
def test_each_row_is_the_binomial_model_of_its_studies(name, keep, options):
    _, rows = _rows(_studies(risk="rob"))
    assert _numbers(rows[name]) == pytest.approx(_numbers(_glmm(keep, **options)), rel=1e-8)


def test_the_studies_left_out_are_the_extremes_of_all_binomial_fits():
    found, _ = _rows(_studies())
    estimates = [_glmm(np.arange(6) != i).estimate for i in range(6)]
    named = [choice for choice in found.choices if choice.kind == "studies" and choice.name.startswith("Without")]
    assert [choice.estimate for choice in named] == pytest.approx([min(estimates), max(estimates)], rel=1e-8)
    assert [choice.name.split()[2] for choice in named] == [str(f(estimates) + 1) for f in (np.argmin, np.argmax)]


def test_the_beta_binomial_row_is_that_of_fit():
    _, rows = _rows(_studies())
    fit = im.fit_with("beta-binomial", TABLE, events="x", n="n", measure="PLO").fit
    row = next(choice for name, choice in rows.items() if name.startswith("Beta-binomial"))
    assert [row.estimate, row.ci_lower, row.ci_upper] == pytest.approx([fit.estimate, fit.ci_lower, fit.ci_upper])


def test_normal_approximations_stand_apart_under_every_estimator_and_interval():
    studies = _studies()
    found, rows = _rows(studies)
    normal = [choice for choice in found.choices if choice.kind == "normal"]
    assert len(normal) == len(TAU2_METHODS) + len(CI_METHODS) - 1 + 4
    assert normal == list(found.choices[-len(normal) :])
    for method in ("DL", "PM"):
        fit = pool_one(studies.yi, studies.vi, method=method)
        assert rows[f"Logits: {method}, HK"].estimate == pytest.approx(fit.estimate, rel=1e-12)
    for measure, words in (("PAS", "Arcsine"), ("PFT", "Freeman-Tukey")):
        fitted = im.fit(TABLE, events="x", n="n", measure=measure)
        row = rows[f"{words} ({measure}), REML, HK"]
        for name in ("estimate", "ci_lower", "ci_upper"):
            back = fitted.natural(getattr(fitted.fit, name))
            assert studies.natural(getattr(row, name)) == pytest.approx(back, rel=1e-10)
    assert any(reason.startswith("Trim and fill: not given") for reason in found.not_run)


def test_the_pool_of_the_evidence_is_the_first_row():
    result = im.pool(im.load_evidence(), outcome="orr", measure="PLO", tumor=["colorectal", "ewing_sarcoma"], by="none")
    fit = result.answers[0].overall.fit
    found = im.sensitivity(result).sets[0]
    chosen = [choice for choice in found.choices if choice.chosen]
    assert len(chosen) == 1
    for first in (found.fit, chosen[0]):
        assert _numbers(first) == pytest.approx(_numbers(fit), rel=1e-12)


def test_a_pool_with_tau2_held_at_0_is_the_one_that_is_varied():
    result = im.pool(im.load_evidence(), outcome="orr", measure="PLO", tumor="ewing_sarcoma", by="none", method="CE")
    found = im.sensitivity(result).sets[0]
    assert found.fit.estimate == pytest.approx(result.answers[0].overall.fit.estimate, rel=1e-12)
    assert [choice.name for choice in found.choices if choice.chosen] == ["Common rate (tau2 = 0)"]


def test_where_nobody_responded_the_exact_interval_of_the_sum_is_varied():
    none = TABLE.assign(x=0)
    studies = _studies(none)
    found, rows = _rows(studies, variants={"Others": [studies], "Nobody": [studies.only(ALL)]})
    assert rows["Exact interval of the sum"].chosen
    upper = 1 - 0.025 ** (1 / none["n"].sum())
    for name in ("Exact interval of the sum", "Others"):
        assert studies.natural(rows[name].estimate) == 0.0
        assert studies.natural(rows[name].ci_upper) == pytest.approx(upper, rel=1e-10)
    assert not [choice for choice in found.choices if choice.kind == "interval"]
    choice = found.to_dict()["choices"][0]
    assert (choice["estimate"], choice["natural"]["estimate"]) == (None, 0.0)
