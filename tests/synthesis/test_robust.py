"""Every result of a study of the evidence: which rows, how their sampling errors hang together, what must agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import igfmeta as im
from igfmeta.synthesis.multilevel import multilevel
from igfmeta.synthesis.pooling import effects_for
from igfmeta.synthesis.robust import robust, usable_results
from igfmeta.synthesis.robust_sampling import Sampling


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


def test_every_usable_row_is_a_result_and_none_is_lost(evidence):
    found = robust(evidence, outcome="progression", use="sensitivity", working="RE")
    rows = [row for row in evidence.table("trials") if row["outcome"] in ("pfs", "efs", "ttp", "dfs")]
    ids = [row.row_id for row in found.rows] + [each.row_id for each in found.unused]
    assert sorted(ids) == sorted(row["row_id"] for row in rows)
    assert {"yu2015-02", "yu2015-03", "schmid2023-01", "schmid2023-02"} <= {row.row_id for row in found.rows}


def test_with_one_result_in_every_study_the_mean_is_that_of_the_random_effects_model(evidence):
    options = {"outcome": "os", "agent_class": "antibody", "study": ["novello2017", "langer2014", "scagliotti2015",
               "glisson2017", "kindler2012", "kundranda2020"]}  # fmt: skip
    found = robust(evidence, working="RE", **options)
    pooled = im.pool(evidence, by="none", **options)["os"].overall.fit
    assert found.several == 0
    assert found.fit.coefficients[0].estimate == pytest.approx(pooled.estimate, rel=1e-8)
    assert "Every cluster has one row" in found.fit.remarks[-1]


def test_the_weights_of_che_are_those_of_the_multilevel_model_of_the_same_rows(evidence):
    """Survival has no results of the same patients but for doses with one control arm, which multilevel knows too."""
    found = robust(evidence, outcome="os")
    same = multilevel(evidence, outcome="os", random=["~ 1 | study", "~ 1 | row"])
    assert found.fit.coefficients[0].estimate == pytest.approx(float(same.fit.coef[0]), rel=1e-6)
    assert found.fit.coefficients[0].model_se == pytest.approx(float(same.fit.se[0]), rel=1e-6)


@pytest.fixture(scope="module")
def results(evidence):
    question, _, sources = effects_for(evidence, "progression")
    return usable_results(evidence.table("trials"), question, "sensitivity", {}, sources)[0]


def test_weights_of_judgements_divide_variances_and_leave_correlations(evidence, results):
    weights = {"high": 0.5, "some": 0.8}
    plain, found = (robust(evidence, outcome="progression", risk_weights=given) for given in (None, weights))
    ratios = {round(b.vi / a.vi, 12) for a, b in zip(plain.rows, found.rows, strict=True)}
    assert ratios == {1.0, 1.25}
    assert found.fit.coefficients[0].model_se > plain.fit.coefficients[0].model_se
    shares = np.linspace(0.5, 1.0, len(results))
    v, plain_v = Sampling.of(results, "HR", shares)(0.6), Sampling.of(results, "HR")(0.6)
    np.testing.assert_allclose(v * np.sqrt(np.outer(shares, shares)), plain_v, rtol=1e-12)


def _correlations(effects, rho):
    v = Sampling.of(effects, "HR")(rho)
    return v / np.sqrt(np.outer(np.diag(v), np.diag(v)))


def test_results_of_the_same_patients_have_rho_and_those_with_one_control_arm_what_its_size_gives(results):
    r, at = _correlations(results, 0.6), {effect.row["row_id"]: i for i, effect in enumerate(results)}
    assert r[at["yu2015-02"], at["yu2015-03"]] == pytest.approx(0.6, rel=1e-12)
    assert r[at["schmid2023-01"], at["schmid2023-02"]] == pytest.approx(0.6, rel=1e-12)
    doses = at["fuchs2015-02"], at["fuchs2015-05"]
    assert 0.3 < r[doses] < 0.7
    assert r[doses] == pytest.approx(_correlations(results, 0.1)[doses], rel=1e-12)
    studies = np.array([effect.row["study_id"] for effect in results])
    assert not r[studies[:, None] != studies].any()
    assert np.linalg.eigvalsh(r)[0] > 0


def test_a_sensitivity_row_of_another_stratum_may_hold_the_same_patients(results):
    own = [effect for effect in results if effect.row["study_id"] == "fuchs2015"]
    primary = {**own[0].row, "population": "all", "shared_control": ""}
    for use, expected in (("primary", 0.0), ("sensitivity", 0.8)):
        other = {**own[1].row, "population": "a subgroup", "shared_control": "", "use": use}
        effects = [replace(own[0], row=primary), replace(own[1], row=other)]
        assert _correlations(effects, 0.8)[0, 1] == pytest.approx(expected, abs=1e-12)


def test_medians_stand_back_where_the_same_result_has_a_hazard_ratio(evidence):
    question, _, sources = effects_for(evidence, "os")
    row = next(row for row in evidence.table("trials") if row["row_id"] == "fuchs2015-01")
    numbers = {"median_exp": 7.0, "median_ctl": 7.2, "events_exp": 100.0, "events_ctl": 100.0}
    medians = {**row, **numbers, "row_id": "medians", "measure": "median", "use": "sensitivity"}
    used, unused = usable_results([row, medians], question, "sensitivity", {}, sources)
    assert [effect.row["row_id"] for effect in used] == ["fuchs2015-01"]
    assert [(each.row_id, each.reason) for each in unused] == [
        ("medians", "medians, where the same result has a hazard ratio")
    ]
    alone, _ = usable_results([medians], question, "sensitivity", {}, sources)
    assert [effect.derivation for effect in alone] == ["medians"]


def test_a_cluster_that_divides_a_study_is_refused(evidence):
    with pytest.raises(im.InputError, match=r"which divides studies .*pappo2014 in"):
        robust(evidence, outcome="orr", measure="PLO", cluster="tumor")
    whole = robust(evidence, outcome="orr", measure="PLO", cluster="agent")
    assert whole.fit.clusters < 27


def test_results_of_one_study_are_told_apart_by_as_few_words_as_do(evidence):
    rows = robust(evidence, outcome="orr", measure="PLO", working="RE").rows
    told = {row.row_id: row.detail for row in rows}
    assert told["schoffski2013-03"] == "rhabdomyosarcoma"
    assert told["schoffski2013-06"] == "soft tissue sarcoma, leiomyosarcoma"
    assert told["becerra2014-06"] == "figitumumab 30 mg/kg (cohort B)"
    assert len({(row.label, row.detail) for row in rows}) == len(rows)


def test_rates_come_back_on_every_scale(evidence):
    """The double arcsine needs the sizes of the arms on its way back."""
    found = {name: robust(evidence, outcome="orr", measure=name, working="RE") for name in ("PLO", "PFT", "PR")}
    rates = {name: each.natural(each.fit.coefficients[0].estimate) for name, each in found.items()}
    assert all(0.01 < rate < 0.1 for rate in rates.values())
    assert found["PFT"].n_harmonic is not None


def test_moderators_are_columns_of_the_trials_table(evidence):
    found = robust(evidence, outcome="progression", mods="~ outcome - 1", working="CORR")
    assert [each.name for each in found.fit.coefficients] == ["outcome[efs]", "outcome[pfs]"]
    assert found.means
    assert found.equal_means is not None
    assert found.equal_means.df1 == 1


def test_a_result_draws_its_forest(evidence):
    drawn = robust(evidence, outcome="os", working="RE")._repr_html_()
    assert "Fuchs 2015 (GAMMA)" in drawn
    assert "Robust mean" in drawn
