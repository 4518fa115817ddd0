"""Outcomes jointly and nested effects: from the evidence and from any table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.effects.sampling_covariance import assumed_covariance, joint_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.surrogacy import surrogacy
from igfmeta.models.multilevel.terms import parse
from igfmeta.plots.multilevel_forest import multilevel_forest
from igfmeta.plots.surrogacy_line import bubbles
from igfmeta.report.multilevel_summary import tables
from igfmeta.synthesis.formula_design import design
from igfmeta.synthesis.models_of_fit import fit_with
from igfmeta.synthesis.multilevel import multilevel


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


@pytest.fixture(scope="module")
def joint(evidence):
    return multilevel(evidence, agent_class="antibody", outcome=["os", "pfs"], rho=0.5)


def test_one_outcome_is_its_pool(evidence):
    """Contrasts that share a control arm: correlated here, combined by generalized least squares there."""
    pooled = im.pool(evidence, agent_class="antibody", outcome="pfs", ci="t")["pfs"].overall.fit
    fit = multilevel(evidence, agent_class="antibody", outcome="pfs", random="~ 1 | study").fit
    assert fit.coef[0] == pytest.approx(pooled.estimate, rel=1e-8)
    assert fit.components[0].estimate == pytest.approx(pooled.tau2, abs=1e-8)
    assert fit.ci_lower[0] == pytest.approx(pooled.ci_lower, rel=1e-8)
    assert fit.df[0] == pooled.k - 1


def test_without_correlation_and_with_diagonal_covariance_outcomes_do_not_know_each_other(evidence):
    together = multilevel(evidence, agent_class="antibody", outcome=["os", "pfs"], rho=0.0, struct="DIAG").fit
    for i, outcome in enumerate(["os", "pfs"]):
        alone = multilevel(evidence, agent_class="antibody", outcome=outcome, random="~ 1 | study").fit
        assert together.coef[i] == pytest.approx(alone.coef[0], rel=1e-7)
        assert together.components[i].estimate == pytest.approx(alone.components[0].estimate, abs=1e-8)
        assert together.df[i] == alone.df[0]


def test_the_sweep_holds_the_fit_that_was_asked_for(joint):
    middle = next(each for each in joint.sweep if each.rho == 0.5)
    np.testing.assert_array_equal(middle.fit.coef, joint.fit.coef)
    assert [each.rho for each in joint.sweep] == [0.0, 0.3, 0.5, 0.7, 0.9]
    assert joint.surrogacy.to_dict() == middle.surrogacy.to_dict()


def test_a_line_from_few_trials_says_how_little_it_is(joint):
    first = joint.sweep[0].surrogacy
    assert first.trials == 8
    assert any("far too few" in remark for remark in first.remarks)
    assert any("at its limit" in remark for remark in first.remarks)
    assert (first.r2_ci_lower, first.r2_ci_upper) == (0.0, pytest.approx(1.0))
    assert first.slope_ci_lower is None
    assert joint.surrogacy.slope is None
    assert any("no line is drawn" in remark for remark in joint.surrogacy.remarks)
    with pytest.raises(im.InputError, match="There is no line"):
        joint.surrogacy.line([0.0])


def test_every_row_is_accounted_for(joint, evidence):
    pools = im.pool(evidence, agent_class="antibody", outcome=["os", "pfs"])
    rows = {row_id for answer in pools for study in answer.overall.studies for row_id in study.row_ids}
    assert {row.row_id for row in joint.used} == rows
    assert {each.row_id for each in joint.unused} == {each.row_id for answer in pools for each in answer.unused}


def test_agents_within_classes_crossed_with_studies(evidence):
    result = multilevel(evidence, outcome="os", random=["~ 1 | class/agent", "~ 1 | study"])
    assert [c.term for c in result.fit.components] == ["class", "class/agent", "study"]
    assert [term for term, _ in result.without] == ["class", "class/agent", "study"]
    assert all(test.df == 1 and test.p_value_boundary is not None for _, test in result.without)
    assert result.rho is None
    assert result.sweep == ()


def test_what_the_evidence_cannot_answer_is_said(evidence):
    with pytest.raises(im.InputError, match="'class' has one level, 'antibody'"):
        multilevel(evidence, agent_class="antibody", outcome="os", random="~ 1 | class/agent")
    with pytest.raises(im.InputError, match="one measure, such as os and pfs"):
        multilevel(evidence, outcome=["os", "orr"])
    with pytest.raises(im.InputError, match="given twice"):
        multilevel(evidence, outcome=["os", "os"])
    with pytest.raises(im.InputError, match=r"rho was 1\.5; accepted is a correlation above -1 and below 1"):
        multilevel(evidence, agent_class="antibody", rho=1.5)
    with pytest.raises(im.InputError, match="no column 'centre'; the columns are study, class, agent"):
        multilevel(evidence, outcome="os", random="~ 1 | centre")
    with pytest.raises(im.NothingToPool, match="no usable row of"):
        multilevel(evidence, agent_class="antisense", outcome=["os", "pfs"])


def test_the_line_of_many_trials(rng):
    """The slope and R2 that data were made with are inside their intervals; the bands widen away from the mean."""
    k, rho = 60, 0.6
    x = rng.normal(-0.2, 0.35, k)
    true = np.column_stack([0.6 * x + rng.normal(0, 0.08, k), x])
    vi = rng.uniform(0.005, 0.02, (k, 2))
    noise = rng.normal(size=(k, 2)) @ np.linalg.cholesky([[1, rho], [rho, 1]]).T
    y = true + noise * np.sqrt(vi)
    trials, outcomes = np.repeat(np.arange(k), 2).tolist(), ["os", "pfs"] * k
    v = assumed_covariance(vi.ravel(), trials, rho=rho)
    terms = parse("~ outcome | study", {"outcome": outcomes, "study": trials}, struct="UN")
    design_ = np.array([[name == "os", name == "pfs"] for name in outcomes], dtype=float)
    fit = fit_multilevel(y.ravel(), v, terms, x=design_, names=["os", "pfs"])
    found = surrogacy(fit, surrogate="pfs", true="os")
    psi = fit.matrices[0]
    assert found.slope == pytest.approx(psi[0, 1] / psi[1, 1], rel=1e-12)
    assert found.r2 == pytest.approx(psi[0, 1] ** 2 / (psi[0, 0] * psi[1, 1]), rel=1e-9)
    assert found.slope_ci_lower < 0.6 < found.slope_ci_upper
    assert found.r2_ci_lower < 0.35**2 * 0.36 / (0.35**2 * 0.36 + 0.0064) < found.r2_ci_upper
    # Near the maximum the profile is that of a normal: the limits are about two standard errors away.
    assert found.slope_ci_upper - found.slope_ci_lower == pytest.approx(2 * 1.96 * found.slope_se, rel=0.05)
    line = found.line([found.mean[0], found.mean[0] - 1])
    assert line.estimate[0] == pytest.approx(found.mean[1], rel=1e-12)
    width = line.ci_upper - line.ci_lower
    assert width[1] > width[0]
    assert found.threshold < 0
    assert found.line(found.threshold).pi_upper == pytest.approx(0.0, abs=1e-9)
    swapped = surrogacy(fit, surrogate="os", true="pfs")
    assert swapped.slope * found.slope == pytest.approx(found.r2, rel=1e-9)
    with pytest.raises(im.InputError, match="accepted are 'os' and 'pfs'"):
        surrogacy(fit, surrogate="ttp", true="os")


def test_covariance_of_outcomes_whose_comparisons_share_a_control_arm():
    within = np.array([[0.04, 0.02, 0, 0], [0.02, 0.04, 0, 0], [0, 0, 0.09, 0.045], [0, 0, 0.045, 0.09]])
    v = joint_covariance(within, ["os", "os", "pfs", "pfs"], ["a", "b", "a", "b"], rho=0.5)
    np.testing.assert_allclose(v[:2, :2], within[:2, :2])
    assert v[0, 2] == pytest.approx(0.5 * 0.2 * 0.3)
    assert v[0, 3] == pytest.approx(0.5 * 0.5 * 0.2 * 0.3)
    assert np.linalg.eigvalsh(v)[0] > 0


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "yi": [0.1, 0.2, 0.9, 1.1, 0.4, 0.6, np.nan],
            "vi": [0.02, 0.03, 0.02, 0.05, 0.02, 0.04, 0.02],
            "study": list("aabbccd"),
            "outcome": ["os", "pfs"] * 3 + ["os"],
            "year": ["2001", "2001", "2005", "2005", "2010", "2010", "2011"],
        }
    )


def test_a_table_by_the_model_of_fit(table):
    result = im.fit_with(
        "multilevel", table, yi="yi", vi="vi", random="~ 1 | study", mods="~ year", cluster="study", rho=0.5
    )
    assert result.fit.names == ("Intercept", "year")
    assert result.fit.k == 6
    assert [row.reason for row in result.rows if row.reason] == ["yi blank"]
    assert len(result.to_frame()) == 6 * 3
    titles = [each.title for each in tables(result)]
    assert titles[-1] == "Not used"
    assert "If the correlation of sampling errors were another" in titles
    assert result.to_dict()["coefficients"][1]["name"] == "year"


def test_designs_from_formulas(table):
    x, names = design("~ outcome - 1", table)
    assert names == ("outcome[os]", "outcome[pfs]")
    np.testing.assert_array_equal(x.sum(axis=1), np.ones(7))
    assert design("~ year", table)[0][2, 1] == 2005


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "random is missing"),
        ({"random": "~ 1 | site"}, "no column 'site'"),
        ({"random": "~ 1 | study", "rho": 0.5}, "rho was given without cluster"),
        ({"random": "~ 1 | study", "cluster": "study"}, "cluster was given without rho"),
        ({"random": "~ 1 | study", "mods": "~ age"}, "mods was '~ age': there is no column age"),
        ({"random": "~ 1 | study", "mods": "yi ~ year"}, "nothing before the '~'"),
        ({"random": "~ 1 | study", "mods": "~ year +"}, "cannot be read as a formula"),
        ({"random": ["~ 1 | study", "~ outcome | study"], "struct": "UN,CS,AR"}, "3 structures for 2 random formulas"),
        ({"random": "~ 1 | study", "method": "DL"}, "method was 'DL'; accepted are REML or ML"),
        ({"random": "~ 1 | study", "ci": "HK"}, "ci says nothing to model multilevel"),
    ],
)
def test_tables_and_options_that_cannot_be_used(table, options, message):
    with pytest.raises(im.InputError, match=message):
        im.fit_with("multilevel", table, yi="yi", vi="vi", **options)


def test_a_blank_cell_of_a_factor_is_named(table):
    table.loc[1, "study"] = ""
    with pytest.raises(im.InputError, match="column 'study' is blank in row 2"):
        im.fit_with("multilevel", table, yi="yi", vi="vi", random="~ 1 | study")


CASES = Path(__file__).parents[1] / "published" / "cases" / "data"
RILEY, SCHOOLS = CASES / "12_riley2003_os_dfs.csv", CASES / "14_konstantopoulos2011_three_level.csv"


def _riley(**options):
    table = pd.read_csv(RILEY)
    return fit_with("multilevel", table, yi="yi", vi="vi", scale="log", study="study", **options)


def test_a_table_of_two_outcomes_has_the_line_of_its_bivariate_model():
    found = _riley(random="~ outcome | study", surrogate="DFS")
    by_hand = _riley(random="~ outcome | study", struct="UN", mods="~ outcome - 1")
    assert found.fit.names == ("DFS", "OS")
    np.testing.assert_allclose(found.fit.coef, by_hand.fit.coef, rtol=1e-12)
    assert by_hand.surrogacy is None
    line = surrogacy(replace(by_hand.fit, names=("DFS", "OS")), surrogate="DFS", true="OS")
    assert found.surrogacy.slope == pytest.approx(line.slope, rel=1e-12)
    other = _riley(random="~ outcome | study", surrogate="OS", cluster="study", rho=0.5)
    assert (other.surrogacy.surrogate, other.surrogacy.true) == ("OS", "DFS")
    assert all(each.surrogacy is not None for each in other.sweep)
    seen = bubbles(found, surrogate="DFS", true="OS")
    assert len(seen.x) == found.surrogacy.trials == 17
    assert seen.labels[:3] == ("1", "2", "3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"surrogate": "PFS"}, "surrogate was 'PFS'; accepted are DFS or OS"),
        ({"surrogate": "DFS", "random": "~ 1 | study"}, "needs the one term '~ outcome | study'"),
        ({"surrogate": "DFS", "mods": "~ outcome"}, "A line needs a mean for each outcome"),
        ({"surrogate": "DFS", "struct": "CS"}, "of structure UN"),
    ],
)
def test_where_there_is_no_line_a_sentence_says_why(options, message):
    with pytest.raises(im.InputError, match=message):
        _riley(**{"random": "~ outcome | study", **options})


def test_the_forest_of_two_outcomes_has_a_diamond_for_each():
    found = _riley(random="~ outcome | study", surrogate="DFS")
    forest = multilevel_forest(found)
    assert [group.heading for group in forest.groups] == ["DFS", "OS"]
    assert forest.total is None
    for i, group in enumerate(forest.groups):
        assert group.summary.estimate == found.fit.coef[i]
        assert group.summary.pi_lower < group.summary.ci_lower < group.summary.estimate
        assert sum(row.weight for row in group.rows) == pytest.approx(100)
    page = found._repr_html_()
    assert "Pooled" in page
    assert "OS against DFS" in page


def test_weights_in_the_forest_give_the_pooled_effect_of_one_mean():
    """With one mean the weights are those of generalized least squares: they make the estimate."""
    found = fit_with("multilevel", pd.read_csv(SCHOOLS), yi="yi", vi="vi", random="~ 1 | district/school")
    forest = multilevel_forest(found)
    assert [group.heading for group in forest.groups][:2] == ["district 11", "district 12"]
    rows = [row for group in forest.groups for row in group.rows]
    assert sum(row.weight * row.estimate for row in rows) / 100 == pytest.approx(found.fit.coef[0], rel=1e-10)
    assert forest.total.estimate == found.fit.coef[0]
    assert "σ², district = 0.0651 (0.0222, 0.2072)" in forest.lines
    assert "svg" in found._repr_html_()


def test_moderators_have_no_diamond(evidence):
    found = fit_with("multilevel", pd.read_csv(SCHOOLS), yi="yi", vi="vi", random="~ 1 | district", mods="~ year")
    forest = multilevel_forest(found)
    assert forest.total is None
    assert all(group.summary is None for group in forest.groups)
    assert "coefficients of the moderators stand in the table" in forest.lines[-1]
    one = multilevel_forest(multilevel(evidence, agent_class="antibody", outcome="os"))
    assert [group.heading for group in one.groups] == [None]


def test_rows_that_are_not_used_stand_apart_in_the_forest():
    table = pd.read_csv(RILEY)
    table.loc[3, "vi"] = np.nan
    found = fit_with("multilevel", table, yi="yi", vi="vi", random="~ outcome | study", surrogate="DFS")
    last = multilevel_forest(found).groups[-1]
    assert last.heading == "Not used"
    assert [row.estimate for row in last.rows] == [None]
    assert len(bubbles(found, surrogate="DFS", true="OS").x) == 16
