"""Trials and epidemiology together: which units there are, that both models see the same numbers, and what is said."""

from __future__ import annotations

import math

import numpy as np
import pytest

import igfmeta as im
from igfmeta.errors import InputError, NothingToPool
from igfmeta.models.errors_in_variables import errors_in_variables
from igfmeta.synthesis.triangulation import default_slope_prior, triangulate

RISK = (
    "row_id,study_id,year,design,cancer,biomarker,contrast,measure,estimate,ci_low,ci_high,ci_level,use,source_id,"
    "population_id"
)
TRIALS = (
    "row_id,study_id,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,source_id,agent,agent_class,"
    "tumor_type,use"
)


@pytest.fixture(scope="module")
def shipped():
    return im.load_evidence(tables=("trials", "associations"))


@pytest.fixture(scope="module")
def antibodies(shipped):
    return triangulate(shipped, agent_class="antibody")


def interval(log, se):
    return ",".join(f"{math.exp(log + z * se):.10f}" for z in (0, -1.959963985, 1.959963985))


@pytest.fixture
def made(tmp_path):
    """Return a function that writes evidence of cancers: predictor, effect of the trial, design."""

    def make(units, se=0.05):
        risk, trials, tumors = [RISK], [TRIALS], ["tumor_type,label,group,epidemiology_cancer"]
        for i, (cancer, x, y, design) in enumerate(units):
            risk.append(f"r{i},s{i},2010,{design},{cancer},igf1,per_sd,OR,{interval(x, se)},95,primary,a,")
            if y is not None:
                row = f"t{i},trial{i},combination,add_on,os,HR,{interval(y, se)},95,a,x,z,{cancer}_t,primary"
                trials.append(row)
                tumors.append(f"{cancer}_t,Tumour of {cancer},g,{cancer}")
        for name, lines in (("associations", risk), ("trials", trials), ("tumors", tumors)):
            (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        return im.load_evidence(tmp_path, tables=("trials", "associations"))

    return make


COHORT = "prospective_cohort"
LINE = [(f"c{i}", x, 0.1 - 2 * (x - 0.1), COHORT) for i, x in enumerate((-0.5, -0.2, 0.0, 0.1, 0.3, 0.6))]


def test_units_are_cancers_with_both_kinds_of_evidence(antibodies):
    fit = antibodies["prospective"]
    assert [unit.cancer for unit in fit.units] == ["colorectal", "pancreatic", "prostate"]
    assert all(unit.studies and unit.trials for unit in fit.units)
    missing = dict(fit.missing)
    assert missing["Small-cell lung cancer"] == "no usable association of lung cancer on this scale"


def test_mendelian_randomization_is_a_predictor_of_its_own(antibodies):
    fit = antibodies["genetic"]
    assert {study.stratum for unit in fit.units for study in unit.studies} == {"genetic"}
    assert {study.stratum for unit in antibodies["prospective"].units for study in unit.studies} == {"prospective"}


def test_tumour_types_of_one_cancer_are_one_unit(shipped):
    found = triangulate(shipped, outcome="progression", exposure_sd={"uk_biobank": "5.7 nmol/L"})
    lung = next(unit for unit in found["prospective"].units if unit.cancer == "lung")
    assert lung.tumors == ("Non-small-cell lung cancer", "Small-cell lung cancer")
    assert any("one unit: lung" in remark for remark in found.remarks)


def test_the_line_is_the_errors_in_variables_fit_of_the_units(antibodies):
    units = antibodies["prospective"].units
    x, y, s, e = (np.array([getattr(u, name) for u in units]) for name in ("x", "y", "x_se", "y_se"))
    expected = errors_in_variables(x, s**2, y, e**2)
    line = antibodies["prospective"].line
    assert (line.slope, line.reliability) == pytest.approx((expected.slope, expected.reliability))


def test_means_of_units_share_the_heterogeneity_within_them(antibodies):
    fit = antibodies["prospective"]
    prostate = next(unit for unit in fit.units if unit.cancer == "prostate")
    w = np.array([1 / (study.vi + fit.predictor_tau2) for study in prostate.studies])
    assert prostate.x == pytest.approx(w @ [study.yi for study in prostate.studies] / w.sum())
    assert prostate.x_se == pytest.approx(w.sum() ** -0.5)


def test_few_types_of_tumour_are_said_to_tell_nothing(antibodies):
    fit = antibodies["prospective"]
    assert not fit.line.bounded
    said = " ".join(fit.sentences)
    assert "With 3 types of tumour nothing can be said" in said
    assert "no bound" in said
    assert "hardly more than its prior" in said
    assert "association between averages" in said
    assert fit.posterior.learned < 0.2


def test_a_line_that_is_there_is_found_by_both_schools(made):
    found = triangulate(made(LINE))
    fit = found["prospective"]
    assert fit.line.slope == pytest.approx(-2, abs=0.15)
    assert fit.line.ci_lower < -2 < fit.line.ci_upper < 0
    assert fit.posterior.quantile(0.975) < 0
    assert fit.p_better > 0.99
    assert "works better where the marker matters more" in fit.sentences[0]


def test_cancers_without_trials_are_no_points_and_genes_without_units_say_so(made):
    found = triangulate(made([*LINE, ("c9", 0.4, None, COHORT)]))
    assert [unit.cancer for unit in found["prospective"].units] == [f"c{i}" for i in range(6)]
    genetic = found["genetic"]
    assert (genetic.units, genetic.posterior, genetic.line) == ((), None, None)
    assert "no type of tumour has both" in genetic.sentences[0]


def test_retrospective_studies_enter_only_when_asked_for(made):
    units = [*LINE[:4], ("c7", 0.4, 0.0, "hospital_case_control")]
    assert len(triangulate(made(units))["prospective"].units) == 4
    assert len(triangulate(made(units), predictor="observational")["observational"].units) == 5


def test_two_units_have_a_posterior_and_no_line(made):
    fit = triangulate(made(LINE[:2]))["prospective"]
    assert fit.line is None
    assert fit.posterior is not None
    assert "needs 3 types of tumour" in " ".join(fit.sentences)


def test_the_slope_prior_is_that_of_the_models_it_joins_and_can_be_changed(shipped, antibodies):
    assert default_slope_prior(antibodies.question) == pytest.approx(2.5)
    assert antibodies.priors["slope"] == "normal(0, 2.5)"
    narrow = triangulate(shipped, agent_class="antibody", slope_prior=0.5)["prospective"].posterior
    assert narrow.sd < 0.55


def test_a_frame_has_a_row_for_each_unit(antibodies):
    frame = antibodies.to_frame()
    assert len(frame) == sum(len(fit.units) for fit in antibodies.predictors)
    assert set(frame["predictor"]) == {"prospective", "genetic"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"marker": "igf9"}, "marker was 'igf9'; accepted are"),
        ({"predictor": "genetic"}, "accepted are prospective or observational"),
        ({"slope_prior": 0.0}, "slope_prior was 0.0"),
        ({"outcome": "orr", "measure": "PLO"}, "rate of one arm"),
        ({"engine": "quick"}, "accepted are exact or mcmc"),
        ({"exposure_sd": {"nobody": "4 nmol/L"}}, "'nobody'; accepted are"),
        ({"level": 95}, "such as 0.95"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(shipped, options, said):
    with pytest.raises(InputError, match=said):
        triangulate(shipped, **options)


def test_nothing_in_common_is_said_with_the_reasons(shipped):
    with pytest.raises(NothingToPool, match=r"no type of tumour has both trials and a predictor .*lung"):
        triangulate(shipped, tumor="nsclc")


def test_evidence_without_a_table_names_it(made, tmp_path):
    made(LINE)
    (tmp_path / "tumors.csv").unlink()
    with pytest.raises(InputError, match="no table of tumors"):
        triangulate(im.load_evidence(tmp_path, tables=("trials", "associations")))


def test_a_triangulation_draws_itself_in_a_notebook_and_says_so_where_there_is_nothing_to_draw(antibodies, shipped):
    drawn = antibodies._repr_html_()
    assert drawn.startswith('<svg role="img" aria-label="Overall survival against igf1')
    assert "Pancreatic" in drawn
    single = triangulate(shipped, agent_class="antibody", tumor="colorectal")
    assert single._repr_html_().startswith("<p>Nothing can be said")
