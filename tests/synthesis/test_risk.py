"""Pooling associations: which row speaks for a population, what is kept apart, and the numbers against brute force."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.effects.contrasts import Distance, outer_groups, target_of
from igfmeta.errors import InputError, NothingToPool
from igfmeta.evidence import load_evidence
from igfmeta.models.pooling import pool_one
from igfmeta.models.subgroups import pool_subgroups
from igfmeta.synthesis.risk import risk
from igfmeta.synthesis.risk_hierarchy import factors_of, risk_hierarchy
from igfmeta.synthesis.risk_inputs import STRATUM_OF, WHOLE, Asked, different_people, rows_about, select

HEADER = (
    "row_id,study_id,cohort_name,year,design,cancer,subgroup,biomarker,contrast,quantiles,unit,measure,estimate,ci_low,"
    "ci_high,ci_level,n_cases,adjusted_for,population_id,use,use_reason,source_id"
)


@pytest.fixture(scope="module")
def shipped():
    return load_evidence(tables=("associations",))


@pytest.fixture
def made(tmp_path):
    """Return a function that makes evidence of rows, each a dictionary of what differs from an ordinary row."""

    def make(*rows):
        lines = [HEADER]
        for i, row in enumerate(rows, start=1):
            ordinary = {
                "row_id": f"row{i}", "study_id": f"study{i}", "year": 2010, "design": "prospective_cohort",
                "cancer": "prostate", "subgroup": "all", "biomarker": "igf1", "contrast": "per_sd", "measure": "OR",
                "estimate": 1.2, "ci_low": 1.0, "ci_high": 1.44, "ci_level": 95, "use": "primary", "source_id": "s",
            }  # fmt: skip
            cells = {**ordinary, **row}
            lines.append(",".join(f'"{cells.get(name, "")}"' for name in HEADER.split(",")))
        (tmp_path / "associations.csv").write_text("\n".join(lines) + "\n")
        return load_evidence(tmp_path, tables=("associations",))

    return make


def used(result, key="prospective"):
    return [study.row_id for study in result[key].studies]


def reasons(result):
    return {item.row_id: (item.kind, item.reason) for item in result.unused}


@pytest.mark.parametrize("cancer", ["prostate", "breast", "colorectal", "lung", "pancreatic", "thyroid", "any"])
@pytest.mark.parametrize("subgroups", [WHOLE, ("premenopausal", "advanced", "all")])
def test_every_row_is_either_in_or_out_with_a_reason(shipped, cancer, subgroups):
    asked = Asked((cancer,), "igf1", target_of("sd"), subgroups=subgroups)
    effects, left = select(shipped.table("associations"), asked)
    ids = [e.row["row_id"] for e in effects] + [item.row["row_id"] for item in left]
    assert sorted(ids) == sorted(row["row_id"] for row in rows_about(shipped.table("associations"), asked))
    assert all(item.reason for item in left)


@pytest.mark.parametrize("biomarker", ["igf1", "igfbp3", "igf2", "igf1_igfbp3_ratio"])
def test_no_people_count_twice_in_a_stratum(shipped, biomarker):
    cancers = tuple({row["cancer"] for row in shipped.table("associations")})
    effects, _ = select(shipped.table("associations"), Asked(cancers, biomarker, target_of("sd"), use="sensitivity"))
    together: dict[tuple[str, ...], list[str]] = {}
    for effect in effects:
        row = effect.row
        together.setdefault((STRATUM_OF[row["design"]], row["population_id"], row["cancer"]), []).append(
            row["subgroup"]
        )
    for subgroups in together.values():
        pairs = [(a, b) for i, a in enumerate(subgroups) for b in subgroups[i + 1 :]]
        assert all(different_people(*pair) for pair in pairs)


def test_every_design_of_the_schema_has_a_stratum():
    from typing import get_args

    from igfmeta.evidence.schema import AssociationRow

    assert set(get_args(AssociationRow.model_fields["design"].annotation)) == set(STRATUM_OF)


def test_a_pool_is_that_of_its_rows_in_both_schools(shipped):
    group = risk(shipped, cancer="prostate")["prospective"]
    yi, vi = (np.array([getattr(study, name) for study in group.studies]) for name in ("yi", "vi"))
    fit, posterior = pool_one(yi, vi), normal_normal_one(yi, vi, tau_prior="half-normal(0.2)")
    assert group.fit.estimate == pytest.approx(fit.estimate, rel=1e-12)
    assert (group.fit.ci_lower, group.fit.pi_upper) == pytest.approx((fit.ci_lower, fit.pi_upper), rel=1e-10)
    assert group.posterior.mu_median == pytest.approx(posterior.mu_median, rel=1e-8)
    assert group.p_raises == pytest.approx(1 - posterior.probability_below(0.0), rel=1e-8)
    assert group.posterior.tau_prior == "half-normal(0.2)"


def test_one_row_by_hand(shipped):
    group = risk(shipped, cancer="prostate")["prospective"]
    price = next(study for study in group.studies if study.row_id == "price2012-01")
    assert price.yi == pytest.approx(math.log(1.69) / 2.5422, rel=1e-4)
    assert price.vi**0.5 == pytest.approx(math.log(2.13 / 1.35) / (2 * 1.959964) / 2.5422, rel=1e-4)
    assert price.derivation == "top v bottom of 4 groups: means 2.54 SD apart; log ratio x 0.393"
    assert price.reported == "OR 1.69 (1.35 to 2.13), top vs bottom of 4"


def test_per_quartile_is_per_sd_times_the_distance_in_both_schools(shipped):
    per_sd, per_quartile = (risk(shipped, cancer="breast", per=per)["prospective"] for per in ("sd", "quartile"))
    factor = outer_groups(4)
    for name in ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper"):
        assert getattr(per_quartile.fit, name) == pytest.approx(factor * getattr(per_sd.fit, name), rel=1e-7)
    assert per_quartile.posterior.ci_upper == pytest.approx(factor * per_sd.posterior.ci_upper, rel=1e-6)
    assert per_quartile.fit.tau2 == pytest.approx(factor**2 * per_sd.fit.tau2, rel=1e-7)


def test_strata_are_never_pooled_together_unless_asked(shipped):
    result = risk(shipped, cancer="breast")
    assert [group.key for group in result.groups] == ["prospective", "retrospective", "genetic"]
    assert result.overall is None
    both = risk(shipped, cancer="breast", design="observational")
    assert both.overall.fit.k == sum(group.fit.k for group in both.groups)
    assert [group.key for group in both.groups] == ["prospective", "retrospective"]
    assert both.between.groups == 2
    assert [g.key for g in risk(shipped, cancer="breast", design="genetic").groups] == ["genetic"]


def test_published_pools_are_never_pooled_with_their_members(shipped, made):
    in_the_table = {item.row_id for item in risk(shipped, cancer="prostate").unused if item.kind == "pooled_analysis"}
    assert {"renehan2004-03", "roddam2008-01", "rowlands2009-01", "travis2016-01"} <= in_the_table
    result = risk(made({}, {"design": "pooled_ipd"}), cancer="prostate")
    assert used(result) == ["row1"]
    assert reasons(result)["row2"][0] == "pooled_analysis"


def test_a_population_is_spoken_for_by_preference(made):
    one = {"population_id": "p"}
    for better, worse, why in (
        ({"use": "primary"}, {"use": "sensitivity", "use_reason": "x", "year": 2020}, "primary"),
        ({"year": 2012}, {"year": 2007, "n_cases": 900}, "a later report"),
        ({"n_cases": 500}, {"n_cases": 400, "adjusted_for": "age, smoking"}, "more cases"),
        ({"n_cases": 500}, {"n_cases": ""}, "more cases"),
        ({"adjusted_for": "age, BMI; smoking"}, {"adjusted_for": "age"}, "more covariates"),
        ({"contrast": "per_sd"}, {"contrast": "top_vs_bottom", "quantiles": 4}, "a contrast nearer to the scale"),
        ({}, {}, "the earlier row of the table"),
    ):
        for rows, kept in (((better, worse), "row1"), ((worse, better), "row2")):
            if why == "the earlier row of the table":
                kept = "row1"
            result = risk(made(*({**one, **row} for row in rows)), cancer="prostate", use="sensitivity")
            assert used(result) == [kept], (better, worse)
            other = "row2" if kept == "row1" else "row1"
            assert reasons(result)[other] == (
                "same_people",
                f"the same people count once, by row {kept} ({why})",
            )


def test_a_row_that_cannot_be_used_does_not_silence_one_that_can(made):
    newest = {"population_id": "p", "year": 2020, "contrast": "per_unit", "unit": "per 5 nmol/L"}
    result = risk(made(newest, {"population_id": "p", "year": 2001}), cancer="prostate")
    assert used(result) == ["row2"]
    assert reasons(result)["row1"][0] == "not_convertible"


def test_the_whole_study_goes_before_its_parts_and_parts_that_share_nobody_go_together(made):
    rows = [{"cancer": "breast", "population_id": "p", "subgroup": s} for s in ("premenopausal", "postmenopausal")]
    assert used(risk(made(*rows), cancer="breast")) == ["row1", "row2"]
    rows.append({"cancer": "breast", "population_id": "p", "subgroup": "women"})
    result = risk(made(*rows), cancer="breast")
    assert used(result) == ["row3"]
    assert reasons(result)["row1"] == ("same_people", "people of row row3 (women)")


def test_parts_of_the_cases_enter_only_when_asked_for(made):
    rows = [{"subgroup": "advanced", "population_id": "p"}, {"population_id": "q"}]
    result = risk(made(*rows), cancer="prostate")
    assert used(result) == ["row2"]
    assert reasons(result)["row1"] == ("subgroup", "the subgroup advanced, which was not asked for")
    assert any("only other subgroups of them: p." in remark for remark in result.remarks)
    assert used(risk(made(*rows), cancer="prostate", subgroup="advanced")) == ["row1"]
    assert used(risk(made(*rows), cancer="prostate", subgroup=["advanced", "all"])) == ["row1", "row2"]


def test_asked_subgroups_are_taken_in_the_order_asked(made):
    rows = [{"subgroup": s, "population_id": "p"} for s in ("advanced", "high_grade")]
    assert used(risk(made(*rows), cancer="prostate", subgroup=["high_grade", "advanced"])) == ["row2"]


@pytest.mark.parametrize(
    ("row", "kind", "said"),
    [
        ({"estimate": "", "ci_low": "", "ci_high": ""}, "not_estimable", "no estimate"),
        ({"ci_low": "", "ci_high": ""}, "not_estimable", "p-value for trend is of another test"),
        ({"ci_level": ""}, "not_estimable", "confidence level is not reported"),
        ({"estimate": 1.2, "ci_low": 1.2, "ci_high": 1.2}, "not_estimable", "without width"),
        ({"contrast": "top_vs_bottom"}, "not_convertible", "number of quantile groups is not stated"),
        ({"contrast": "per_unit", "unit": "per 5 nmol/L"}, "not_convertible", "needs the standard deviation"),
        ({"use": "exclude", "use_reason": "retracted"}, "use", "exclude: retracted"),
        ({"use": "sensitivity", "use_reason": "doubtful"}, "use", "sensitivity: doubtful"),
        ({"design": "candidate_gene", "biomarker": "genetic"}, "candidate_gene", "no place on a scale of exposure"),
    ],
)
def test_each_row_that_is_not_in_says_why(made, row, kind, said):
    result = risk(made({}, row), cancer="prostate")
    assert used(result) == ["row1"]
    assert reasons(result)["row2"][0] == kind
    assert said in reasons(result)["row2"][1]


def test_a_standard_deviation_puts_a_row_per_unit_on_the_scale(made):
    row = {"contrast": "per_unit", "unit": "per 5 nmol/L", "population_id": "p"}
    result = risk(made(row), cancer="prostate", exposure_sd={"p": "4 nmol/L"})
    study = result["prospective"].studies[0]
    assert study.yi == pytest.approx(0.8 * math.log(1.2))
    assert study.derivation == "per 5 nmol/L, SD 4 nmol/L; log ratio x 0.8"
    assert "SD of the exposure in p: 4 nmol/L, as given with the question." in result.assumptions
    written = risk(made({**row, "unit": "per 5 nmol/L; SD 4 nmol/L"}), cancer="prostate")["prospective"].studies[0]
    assert written.yi == pytest.approx(study.yi)


def test_a_standard_deviation_that_no_row_needs_is_said_to_be_so(made):
    result = risk(made({"population_id": "p"}), cancer="prostate", exposure_sd={"p": "4 nmol/L"})
    assert any("no row that is in needed it" in line for line in result.assumptions)


def test_per_unit_takes_the_unit_of_most_rows_and_says_which(made):
    rows = [{"contrast": "per_unit", "unit": unit} for unit in ("per 5 nmol/L", "per 10 nmol/L", "per 5 nmol/L")]
    result = risk(made(*rows, {}), cancer="prostate", per="unit")
    assert result.target == Distance(5, "nmol/L", "per 5 nmol/L")
    assert used(result) == ["row1", "row2", "row3"]
    assert result["prospective"].studies[1].yi == pytest.approx(0.5 * math.log(1.2))
    assert "per 5 nmol/L needs the standard deviation" in reasons(result)["row4"][1]
    named = risk(made(*rows), cancer="prostate", per="unit", unit="1 nmol/L")
    assert named["prospective"].studies[0].yi == pytest.approx(0.2 * math.log(1.2))


def test_measures_are_mixed_only_under_a_stated_assumption(made):
    rows = made({"measure": "OR"}, {"measure": "HR"}, {"measure": "OR"})
    mixed = risk(rows, cancer="prostate")
    assert mixed["prospective"].measure == "LOG"
    assert any("taken to be rare (Prospective studies: 2 OR, 1 HR)" in line for line in mixed.assumptions)
    with pytest.raises(InputError, match=r"2 OR, 1 HR.*accepted then is one of OR, RR or HR"):
        risk(rows, cancer="prostate", measures="same")
    only = risk(rows, cancer="prostate", measures="OR")
    assert used(only) == ["row1", "row3"]
    assert reasons(only)["row2"][0] == "measure"
    assert not any("rare" in line for line in only.assumptions)


def test_genetic_rows_are_a_stratum_although_the_table_marks_them_sensitivity(made):
    genetic = {"design": "mendelian_randomization", "use": "sensitivity", "use_reason": "genetic"}
    result = risk(made({}, genetic, {**genetic, "use": "exclude"}), cancer="prostate")
    assert used(result, "genetic") == ["row2"]
    assert reasons(result)["row3"][0] == "use"


def test_a_retrospective_row_of_people_known_prospectively_is_not_in_the_pool_of_both(made):
    rows = [{"population_id": "p"}, {"population_id": "p", "design": "population_case_control"}, {}]
    result = risk(made(*rows), cancer="prostate", design="observational")
    assert [study.row_id for study in result.overall.studies] == ["row1", "row3"]


def test_by_cancer_is_the_subgroup_analysis_of_the_models(shipped):
    result = risk(shipped, by="cancer")
    studies = [study for group in result.groups for study in group.studies]
    fit = pool_subgroups([s.yi for s in studies], [s.vi for s in studies], [s.cancer for s in studies])
    assert [group.key for group in result.groups] == list(fit.levels)
    assert [group.fit.estimate for group in result.groups] == pytest.approx([f.estimate for f in fit.fits])
    assert (result.between.q, result.between.df) == pytest.approx((fit.q_between, fit.q_between_df))
    assert "any" not in result.cancers
    assert {study.stratum for study in studies} == {"prospective"}


def test_a_part_of_a_cancer_leaves_where_the_whole_is_in(made):
    rows = [{"population_id": "p", "cancer": "colon"}, {"population_id": "p", "cancer": "colorectal"},
            {"cancer": "colon"}]  # fmt: skip
    result = risk(made(*rows), by="cancer")
    assert {g.key: used(result, g.key) for g in result.groups} == {"colon": ["row3"], "colorectal": ["row2"]}
    assert reasons(result)["row1"] == ("same_people", "cases of row row2 (colorectal)")


def test_rows_of_one_population_share_an_effect_in_the_hierarchy(shipped):
    result = risk(shipped, by="cancer")
    studies = [study for group in result.groups for study in group.studies]
    factors = {f.name: f for f in factors_of(studies, [g.key for g in result.groups], result.target)}
    assert list(factors) == ["cancer", "population", "study"]
    kernel = factors["population"].covariance(factors["population"].studies, factors["population"].studies)
    same = np.array([[a.population == b.population for b in studies] for a in studies], dtype=float)
    np.testing.assert_array_equal(kernel, same)
    assert "epic" in result.hierarchy.shared


def test_the_population_leaves_the_hierarchy_where_each_stands_once(made):
    rows = [{"cancer": "breast"}, {"cancer": "breast"}, {"cancer": "prostate"}]
    result = risk(made(*rows), by="cancer")
    assert [source.name for source in result.hierarchy.sources] == ["cancer", "study"]
    assert result.hierarchy.shared == ()


def test_the_hierarchy_is_the_posterior_on_a_grid_of_standard_deviations(made):
    """Brute force: the two standard deviations on a fine grid, the multivariate normal in closed form at each point."""
    ratios = [("breast", 1.1, 0.05), ("breast", 1.25, 0.08), ("prostate", 1.5, 0.10), ("prostate", 1.2, 0.06)]
    rows = [
        {"cancer": c, "estimate": r, "ci_low": r * math.exp(-1.96 * s), "ci_high": r * math.exp(1.96 * s)}
        for c, r, s in ratios
    ]
    result = risk(made(*rows), by="cancer")
    hierarchy = result.hierarchy
    y = np.array([s.yi for g in result.groups for s in g.studies])
    v = np.array([s.vi for g in result.groups for s in g.studies])
    cells = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    between = np.eye(2) - 0.5
    grid = np.linspace(0.0005, 0.6, 240)
    weights, means = [], []
    for a in grid:
        for b in grid:
            s = np.diag(v + b**2) + a**2 * cells @ between @ cells.T
            inverse = np.linalg.inv(s)
            precision = inverse.sum()
            mu = (inverse @ y).sum() / precision
            rest = (y - mu) @ inverse @ (y - mu)
            log_likelihood = -0.5 * (np.linalg.slogdet(s)[1] + rest + math.log(precision))
            prior = -0.5 * ((a / 0.12) ** 2 + (b / 0.12) ** 2)
            weights.append(log_likelihood + prior)
            means.append(mu + a**2 * between @ cells.T @ inverse @ (y - mu))
    w = np.exp(np.array(weights) - max(weights))
    expected = w @ np.array(means) / w.sum()
    medians = [math.log(cancer.median) for cancer in hierarchy.cancers]
    np.testing.assert_allclose(medians, expected, atol=0.01)
    assert hierarchy.reliable
    again = risk_hierarchy(result.groups, result.target, level=0.95, seed=1)
    assert again.cancers == hierarchy.cancers


def test_a_comparison_puts_ours_on_the_published_contrast(made):
    published = {"design": "pooled_literature", "contrast": "p75_vs_p25", "use": "exclude", "use_reason": "pooled",
                 "year": 2011, "estimate": 1.3, "ci_low": 1.1, "ci_high": 1.5}  # fmt: skip
    rows = [{}, {"year": 2015, "estimate": 1.3}, {"design": "hospital_case_control"}, published]
    result = risk(made(*rows), cancer="prostate", compare=True)
    (comparison,) = result.comparisons
    ours = {each.label: each for each in comparison.ours}
    assert {label: each.k for label, each in ours.items()} == {
        "ours, prospective": 2, "ours, prospective and retrospective": 3, "ours, reports up to 2011": 2,
    }  # fmt: skip
    expected = pool_one([s.yi * 1.3489795 for s in result["prospective"].studies],
                        [s.vi * 1.3489795**2 for s in result["prospective"].studies])  # fmt: skip
    assert ours["ours, prospective"].estimate == pytest.approx(math.exp(expected.estimate), rel=1e-6)
    assert ours["ours, prospective"].ci_upper == pytest.approx(math.exp(expected.ci_upper), rel=1e-6)
    assert any(fact == "1 of our 3 studies came later." for fact in comparison.facts)
    assert any("of 2011 or before it has 2 rows from 2 reports" in fact for fact in comparison.facts)


def test_a_published_contrast_that_is_not_stated_is_not_compared(made):
    published = {"design": "pooled_literature", "contrast": "top_vs_bottom", "use": "exclude", "use_reason": "pooled"}
    (comparison,) = risk(made({}, published), compare=True).comparisons
    assert comparison.ours == ()
    assert comparison.facts == ("Not put beside ours: the number of quantile groups is not stated.",)


def test_a_comparison_alone_needs_no_cancer(shipped):
    result = risk(shipped, compare=True)
    assert result.groups == ()
    assert {"prostate", "breast", "colorectal"} <= {c.cancer for c in result.comparisons}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "No cancer was named; accepted are any, breast"),
        ({"cancer": "prostata"}, "cancer was 'prostata'; accepted are any, breast"),
        ({"cancer": "any", "by": "cancer"}, "accepted are breast"),
        ({"cancer": "prostate", "biomarker": "igf9"}, "biomarker was 'igf9'; accepted are"),
        ({"cancer": "prostate", "subgroup": "tall"}, "subgroup was 'tall'; accepted are advanced"),
        ({"cancer": "prostate", "per": "inch"}, "per was 'inch'; accepted are sd, quartile or unit"),
        (
            {"cancer": "prostate", "per": "unit", "unit": "much"},
            "unit of the exposure was 'much'; accepted are doubling, ng/mL or nmol/L",
        ),
        ({"cancer": "prostate", "by": "country"}, "by was 'country'; accepted are cancer"),
        ({"cancer": "prostate", "design": "random"}, "design was 'random'; accepted are prospective"),
        ({"cancer": "prostate", "measures": "RD"}, "measures was 'RD'; accepted are any, same, OR, RR or HR"),
        ({"cancer": "prostate", "use": "all"}, "use was 'all'; accepted are primary or sensitivity"),
        ({"cancer": "prostate", "level": 95}, "level was 95"),
        ({"cancer": "prostate", "exposure_sd": {"nobody": "4 nmol/L"}}, "'nobody'; accepted are"),
        ({"cancer": "prostate", "exposure_sd": {"epic": "4"}}, "standard deviation of epic was '4'"),
        ({"cancer": "prostate", "exposure_sd": {"epic": "1 SD"}}, "standard deviation of epic was '1 SD'"),
    ],
)
def test_a_value_that_is_not_accepted_is_refused_in_a_sentence(shipped, options, said):
    with pytest.raises(InputError) as error:
        risk(shipped, **options)
    assert said in str(error.value)


def test_nothing_to_pool_counts_why(shipped):
    with pytest.raises(NothingToPool, match=r"lung, igf1, per SD: no usable row; .*without a place on the scale"):
        risk(shipped, cancer="lung")
    with pytest.raises(NothingToPool, match="No row is per a unit"):
        risk(shipped, cancer="colon", per="unit")


def test_a_table_without_associations_says_what_is_missing(tmp_path):
    header = "study_id,regimen,contrast,outcome,measure,source_id,agent,agent_class,tumor_type,use"
    (tmp_path / "trials.csv").write_text(f"{header}\na,monotherapy,none,orr,events,s,x,y,z,primary\n")
    with pytest.raises(InputError, match="no table of associations"):
        risk(load_evidence(tmp_path, tables=("trials",)), cancer="prostate")


def test_left_out_rows_of_the_shipped_table_are_counted_by_kind(shipped):
    kinds = Counter(item.kind for item in risk(shipped, cancer="prostate").unused)
    assert kinds["pooled_analysis"] == 9
    assert kinds["not_convertible"] >= 3
    assert kinds["not_estimable"] >= 6


def test_a_pool_of_associations_draws_itself_and_a_comparison_alone_has_no_forest(shipped):
    assert "Mendelian randomization" in risk(shipped, cancer="prostate")._repr_html_()
    assert risk(shipped, compare=True)._repr_html_() == ""


def test_a_genotype_is_shown_as_a_stratum_of_its_own_whoever_pooled_it(shipped):
    result = risk(shipped, cancer="prostate")
    assert [(gene.row_id, gene.stratum) for gene in result.genes()] == [("chen2009meta-02", "candidate_gene")]
    assert all(
        gene.row_id not in {s.row_id for s in group.studies} for gene in result.genes() for group in result.groups
    )


def test_every_row_that_compares_quantiles_rests_on_a_normal_exposure(made, shipped):
    rows = made({}, {"contrast": "q3_vs_q1", "quantiles": 4}, {"contrast": "top_vs_bottom", "quantiles": 4},
                {"contrast": "p75_vs_p25"}, {"contrast": "per_quintile"})  # fmt: skip
    assert any(line.startswith("4 of 5 rows compare quantiles") for line in risk(rows, cancer="prostate").assumptions)
    assert any(line.startswith("7 of 9 rows") for line in risk(shipped, cancer="prostate").assumptions)
    assert not any("quantiles" in line for line in risk(made({}), cancer="prostate").assumptions)
