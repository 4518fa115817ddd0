"""`fit --model regression` and `regress`: from columns to answers, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.models.regression.collinearity import combinations_of
from igfmeta.models.regression.fitting import regress_one
from igfmeta.plots.bubble import bubble
from igfmeta.report.markdown import table_to_markdown
from igfmeta.report.regress_summary import tables
from igfmeta.synthesis.design_points import Design
from igfmeta.synthesis.regress_parts import ADJUSTMENT_NAMES

BCG = Path(__file__).parents[1] / "published" / "cases" / "data" / "bcg_meta_regression.csv"


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(BCG)


def _fit(table, mods, **options):
    return im.fit_with("regression", table, yi="yi", vi="vi", scale="log", study="author", mods=mods, **options)


def test_a_formula_gives_the_fit_of_its_design(table):
    result = _fit(table, "~ ablat + C(alloc)", ci="z")
    x = np.column_stack([np.ones(13), table["ablat"], *[table["alloc"] == kind for kind in ("random", "systematic")]])
    fit = regress_one(table["yi"].to_numpy(), table["vi"].to_numpy(), x, test="z")
    np.testing.assert_allclose(result.fit.beta, fit.beta, rtol=1e-12)
    assert result.fit.names == ("Intercept", "ablat", "C(alloc)[T.random]", "C(alloc)[T.systematic]")
    assert sum(row.weight for row in result.rows) == pytest.approx(100)


def test_predictions_are_of_the_point_that_is_named(table):
    result = _fit(table, "~ ablat + alloc", predict=["ablat=33, alloc=random", "alloc=alternate,ablat=33"])
    beta = result.fit.beta
    of_ablat, of_random = (beta[result.fit.names.index(name)] for name in ("ablat", "alloc[T.random]"))
    first, second = (each.estimate for each in result.predictions)
    assert first == pytest.approx(beta[0] + 33 * of_ablat + of_random, rel=1e-10)
    assert second == pytest.approx(beta[0] + 33 * of_ablat, rel=1e-10)
    assert result.predictions[0].label == "ablat = 33, alloc = random"


@pytest.mark.parametrize("formula", ["~ log(ablat) + I(year - 1948)", "~ ablat * alloc", "~ alloc - 1"])
def test_the_design_at_the_studies_is_the_design(table, formula):
    design = Design.of(formula, table)
    points = table[list(design.variables)].astype(object).to_dict("records")
    np.testing.assert_allclose(design.at(points), design.x, rtol=1e-14)


def test_contrasts_do_not_depend_on_the_reference(table):
    result = _fit(table, "~ ablat + C(alloc)", contrasts="alloc")
    renamed = table.assign(alloc=table["alloc"].replace({"alternate": "z"}))
    other = _fit(renamed, "~ ablat + C(alloc)", contrasts="alloc")
    one = next(each for each in result.contrasts if each.label == "alloc: systematic - random")
    two = next(each for each in other.contrasts if each.label == "alloc: systematic - random")
    assert (one.estimate, one.p_value) == pytest.approx((two.estimate, two.p_value), rel=1e-9)
    assert len(result.contrasts) == 3


def test_holm_by_hand(table):
    said = _fit(table, "~ C(alloc) + ablat", contrasts="alloc", ci="z").contrasts
    ordered = sorted(said, key=lambda each: each.p_value)
    expected = np.minimum(1, np.maximum.accumulate([each.p_value * (3 - i) for i, each in enumerate(ordered)]))
    np.testing.assert_allclose([each.p_adjusted for each in ordered], expected, rtol=1e-12)


@pytest.mark.parametrize("adjust", ADJUSTMENT_NAMES)
def test_no_adjustment_makes_a_p_value_smaller(table, adjust):
    for each in _fit(table, "~ C(alloc)", contrasts="alloc", adjust=adjust).contrasts:
        assert each.p_adjusted >= each.p_value - 1e-15


def test_the_curve_passes_through_the_predictions(table):
    result = _fit(table, "~ ablat + C(alloc)", predict="ablat=13, alloc=alternate")
    curve, there = result.curve, result.predictions[0]
    assert (curve.variable, curve.at[0], curve.held) == ("ablat", 13, "alloc = alternate")
    found = [curve.estimate[0], curve.ci_lower[0], curve.pi_upper[0]]
    np.testing.assert_allclose(found, [there.estimate, there.ci_lower, there.pi_upper], rtol=1e-12)
    levels = _fit(table, "~ ablat + C(alloc)", along="alloc").curve
    assert levels.levels == ("alternate", "random", "systematic")
    assert sorted(set(levels.places)) == [0, 1, 2]


def test_tables_say_everything_that_was_asked(table):
    asked = {"predict": "ablat=33, alloc=random", "contrasts": "alloc", "scale_mods": "~ year"}
    result = _fit(table, "~ ablat + C(alloc)", permute=50, **asked)
    text = "\n".join(map(table_to_markdown, tables(result)))
    for words in (
        "p permuted", "51 with the data as observed", "Predictions", "alloc: random - alternate", "adjusted for 3",
        "Location-scale model", "Variance inflation", "R2 = ", "not randomized", "F = ",
    ):  # fmt: skip
        assert words in text
    assert {"study", "coefficient", "prediction", "contrast"} == set(result.to_frame()["kind"])
    assert "<svg" in result._repr_html_()


def test_rows_without_an_effect_are_named_and_left_out(table):
    table = table.astype({"yi": float}).copy()
    table.loc[2, "yi"] = np.nan
    result = _fit(table, "~ ablat")
    assert result.fit.k == 12
    assert result.rows[2].reason == "yi blank"
    assert "yi blank" in table_to_markdown(tables(result)[-1])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mods": "~ nope"}, "there is no column nope"),
        ({"mods": "y ~ ablat"}, "nothing before the '~'"),
        ({"mods": None}, "mods is missing"),
        ({"mods": "~ ablat", "predict": "year=3"}, "one value for each of ablat, such as 'ablat=33.46'"),
        ({"mods": "~ ablat", "predict": "ablat=x"}, "accepted is a number"),
        ({"mods": "~ alloc", "predict": "alloc=x"}, "alloc is alternate, random or systematic"),
        ({"mods": "~ ablat", "contrasts": "ablat"}, "it has none"),
        ({"mods": "~ ablat", "adjust": "x"}, "accepted are none, holm"),
        ({"mods": "~ ablat", "ci": "x"}, "accepted are z, t"),
        ({"mods": "~ ablat", "along": "year"}, "along was 'year'"),
        ({"mods": "~ ablat", "permute": 0}, "permute was 0"),
        ({"mods": "~ ablat", "scale_mods": "~ year", "method": "DL"}, "accepted are REML and ML"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(table, options, words):
    with pytest.raises(im.InputError, match=words):
        _fit(table, **options)


def test_columns_that_say_the_same_are_named(table):
    with pytest.raises(im.NothingToPool, match=r"column later of the design is a combination of Intercept, year"):
        _fit(table.assign(later=table["year"] - 1900), "~ year + later")
    with pytest.raises(im.NothingToPool, match="is 0 in every study"):
        _fit(table.assign(none=0.0), "~ none")
    with pytest.raises(im.NothingToPool, match="13 studies cannot carry 14 coefficients"):
        _fit(table, "~ C(trial) + year")
    assert combinations_of(np.eye(3)) == {}


def test_a_bubble_plot_needs_a_moderator(table):
    with pytest.raises(im.InputError, match="has none"):
        bubble(_fit(table, "~ 1"))


def test_the_evidence_is_regressed_as_it_is_pooled():
    evidence = im.load_evidence()
    pooled = im.pool(evidence, agent_class="antibody", outcome="os", by="none")["os"].overall
    alone = im.regress(evidence, "~ 1", agent_class="antibody", outcome="os")
    assert alone.fit.beta[0] == pytest.approx(pooled.fit.estimate, rel=1e-9)
    assert alone.fit.coefficients[0].ci_lower == pytest.approx(pooled.fit.ci_lower, rel=1e-9)
    found = im.regress(evidence, "~ C(tumor_group) + year", agent_class="antibody", outcome="os")
    assert found.fit.k == pooled.fit.k
    assert [row.label for row in found.rows] == [study.label for study in pooled.studies]
    assert "far from the studies" in table_to_markdown(tables(found)[0])


def test_rates_are_predicted_as_rates():
    found = im.regress(im.load_evidence(), "~ year", outcome="orr", measure="PLO", predict="year=2010")
    rate = found.to_dict()["predictions"][0]["natural"]
    assert 0 < rate["pi_lower"] < rate["ci_lower"] < rate["estimate"] < rate["ci_upper"] < rate["pi_upper"] < 1
    assert "Rate %" in table_to_markdown(tables(found)[1])
    with pytest.raises(im.InputError, match="give measure"):
        im.regress(im.load_evidence(), "~ year", outcome="orr")
