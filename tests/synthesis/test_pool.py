"""What a pool of the evidence holds: each study once, every row accounted for, both schools side by side."""

from __future__ import annotations

import json
import math
from importlib import resources

import jsonschema
import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.bayes.tau_priors import HalfCauchy
from igfmeta.models.pooling import pool_one
from igfmeta.report.explanation import tables as explained
from igfmeta.report.summary import summary


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


@pytest.fixture(scope="module")
def antibodies(evidence):
    return im.pool(evidence, agent_class="antibody")


def test_the_default_answers_survival_progression_and_response(antibodies):
    asked = [(a.question.name, a.question.measure, a.question.arms, a.by) for a in antibodies]
    assert asked == [
        ("os", "HR", "comparison", "tumor"),
        ("progression", "HR", "comparison", "tumor"),
        ("orr", "PLO", "single_arm", "tumor"),
    ]
    with pytest.raises(KeyError):
        antibodies["dcr"]


def test_every_row_of_an_outcome_is_used_or_listed_with_a_reason(evidence, antibodies):
    for answer in antibodies:
        rows = evidence.select(agent_class="antibody", outcome=list(answer.question.outcomes)).trials["row_id"]
        used = [row for study in answer.overall.studies for row in study.row_ids]
        unused = [item.row_id for item in answer.unused]
        assert sorted([*used, *unused]) == sorted(rows)
        assert all(item.reason for item in answer.unused)


def test_only_primary_rows_that_isolate_the_agent_are_pooled(evidence, antibodies):
    rows = evidence.trials.set_index("row_id")
    for answer in antibodies:
        for study in answer.overall.studies:
            for row_id in study.row_ids:
                row = rows.loc[row_id]
                assert row["use"] == "primary"
                if answer.question.arms == "comparison":
                    assert row["contrast"] == "add_on"
                else:
                    assert (row["contrast"], row["regimen"]) == ("none", "monotherapy")


def test_a_study_counts_once_in_a_family(antibodies):
    names = [(s.study_id, s.tumor_subtype) for s in antibodies["progression"].overall.studies]
    assert len(set(names)) == len(names)
    kept = {row.split("-")[0] for s in antibodies["progression"].overall.studies for row in s.row_ids}
    assert "dubois2023" in kept  # reports event-free survival only


def test_two_doses_with_one_control_are_one_study(antibodies):
    gamma = next(s for s in antibodies["os"].overall.studies if s.study_id == "fuchs2015")
    assert len(gamma.row_ids) == 2
    assert gamma.derivation.startswith("shared_control(")
    assert gamma.patients == 318 + 160 + 322
    assert {"s", "1"} <= set(gamma.marks)


def test_the_overall_fit_is_the_kernel_on_the_studies(antibodies):
    for answer in (answer for answer in antibodies if answer.question.arms == "comparison"):
        for group in (answer.overall, *answer.groups):
            alone = pool_one([s.yi for s in group.studies], [s.vi for s in group.studies])
            assert group.fit.estimate == pytest.approx(alone.estimate, rel=1e-10, abs=1e-14)
            assert group.fit.ci_upper == pytest.approx(alone.ci_upper, rel=1e-9, abs=1e-12)


def test_a_pool_of_rates_is_the_mixed_model_of_the_counts(antibodies):
    overall = antibodies["orr"].overall
    table = pd.DataFrame([study.counts[:2] for study in overall.studies], columns=["x", "n"])
    alone = im.fit_with("glmm", table, events="x", n="n", measure="PLO", ci="PL").fit
    for name in ("estimate", "tau2", "ci_lower", "ci_upper", "pi_lower", "tau2_ci_upper", "i2", "q"):
        assert getattr(overall.fit, name) == pytest.approx(getattr(alone, name), rel=1e-7), name
    assert (overall.fit.ci, overall.fit.method) == ("PL", "ML")


def test_groups_without_a_response_have_the_exact_interval_of_their_sum(antibodies):
    silent = [g for g in antibodies["orr"].groups if sum(s.counts[0] for s in g.studies) == 0]
    assert silent
    for group in silent:
        patients = sum(study.counts[1] for study in group.studies)
        assert group.natural(group.fit.estimate) == 0
        assert group.natural(group.fit.ci_upper) == pytest.approx(1 - 0.025 ** (1 / patients), rel=1e-9)
        assert "exact interval" in " ".join(group.remarks)
        assert group.to_dict()["estimate"] is None
        assert group.to_dict()["natural"]["estimate"] == 0


def test_groups_part_the_studies(antibodies):
    for answer in antibodies:
        assert sum(group.fit.k for group in answer.groups) == answer.overall.fit.k
        assert [g.fit.k for g in answer.groups] == sorted((g.fit.k for g in answer.groups), reverse=True)


def test_the_posterior_probability_of_benefit_points_the_way_of_the_outcome(evidence):
    os = im.pool(evidence, agent_class="antibody", outcome="os", by="none")["os"].overall
    assert os.p_benefit == pytest.approx(os.posterior.probability_below(0.0))
    orr = im.pool(evidence, agent_class="antibody", outcome="orr", measure="OR", by="none")["orr"].overall
    assert orr.p_benefit == pytest.approx(1 - orr.posterior.probability_below(0.0))


def test_rates_are_back_on_the_scale_of_a_reader(antibodies):
    for group in antibodies["orr"].groups:
        values = [group.natural(v) for v in (group.fit.ci_lower, group.fit.estimate, group.fit.ci_upper)]
        assert 0 <= values[0] <= values[1] <= values[2] <= 1
        pooled = sum(s.counts[0] for s in group.studies) / sum(s.counts[1] for s in group.studies)
        assert values[1] == pytest.approx(pooled, abs=0.06)


def test_the_exact_intervals_of_the_studies_are_shown(antibodies):
    study = next(s for s in antibodies["orr"].overall.studies if s.counts[0] == 0 and s.counts[1] == 24)
    assert (study.estimate, study.ci_lower) == (0, 0)
    assert study.ci_upper == pytest.approx(1 - 0.025 ** (1 / 24), rel=1e-9)


@pytest.mark.parametrize("by", ["class", "agent", "tumor", "tumor_group", "phase", "biomarker"])
def test_every_grouping(evidence, by):
    answer = im.pool(evidence, outcome="os", by=by)["os"]
    assert answer.by == by
    assert len(answer.groups) >= 2
    assert answer.between.df == len(answer.groups) - 1


def test_options_reach_the_fits(evidence):
    options = {"method": "DL", "ci": "z", "pi": "HTS", "level": 0.9, "prior": "half-cauchy(0.3)"}
    overall = im.pool(evidence, agent_class="antibody", outcome="os", by="none", **options)["os"].overall
    assert (overall.fit.method, overall.fit.ci, overall.fit.pi, overall.fit.level) == ("DL", "z", "HTS", 0.9)
    assert (overall.posterior.tau_prior, overall.posterior.level) == ("half-cauchy(0.3)", 0.9)
    same = im.pool(evidence, agent_class="antibody", outcome="os", by="none", prior=HalfCauchy(0.3))["os"].overall
    assert same.posterior.mu_median == pytest.approx(overall.posterior.mu_median)


def test_names_of_methods_ignore_case(evidence):
    assert im.pool(evidence, outcome="os", method="reml", ci="hk", pi="hts")["os"].overall.fit.method == "REML"


def test_sensitivity_rows_enter_only_on_request_and_where_no_primary_row_is(evidence):
    asked = {"agent_class": "antibody", "outcome": "pfs", "by": "none", "contrast": ["add_on", "confounded"]}
    primary = im.pool(evidence, **asked)["pfs"]
    wider = im.pool(evidence, **asked, use="sensitivity")["pfs"]
    assert wider.overall.fit.k > primary.overall.fit.k
    added = [s for s in wider.overall.studies if "2" in s.marks]
    assert added
    assert not {s.study_id for s in added} & {s.study_id for s in primary.overall.studies}


def test_selection_by_regimen_mixes_combinations_in_only_when_told(evidence):
    alone = im.pool(evidence, agent_class="antibody", outcome="orr", measure="PAS", by="none")["orr"]
    both = im.pool(evidence, agent_class="antibody", outcome="orr", measure="PAS", by="none",
                   regimen=["monotherapy", "combination"])["orr"]  # fmt: skip
    assert both.overall.fit.k > alone.overall.fit.k


def test_nothing_to_pool_says_so(evidence):
    with pytest.raises(im.NothingToPool, match="Overall survival"):
        im.pool(evidence, agent="igv-001", outcome="os")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": "oss"}, "outcome was 'oss'"),
        ({"by": "colour"}, "tumor_group"),
        ({"use": "all"}, "primary or sensitivity"),
        ({"measure": "XX"}, "HR, OR"),
        ({"outcome": "os", "measure": "OR"}, "cannot be pooled as OR"),
        ({"method": "XX"}, "REML"),
        ({"ci": "XX"}, "HK-floor"),
        ({"pi": "XX"}, "HTS"),
        ({"level": 1.0}, "between 0 and 1"),
        ({"prior": "flat"}, "half-normal"),
        ({"agent": "nobody"}, "agent was 'nobody'"),
        ({"colour": "red"}, "no criterion colour"),
    ],
)
def test_options_that_are_not_accepted_list_what_is(evidence, options, message):
    with pytest.raises(im.InputError, match=message):
        im.pool(evidence, **options)


def test_json_is_as_the_schema_says_and_has_no_nan(antibodies):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/pool.schema.json").read_text())
    payload = json.loads(json.dumps(antibodies.to_dict(), allow_nan=False))
    jsonschema.validate(payload, schema)
    assert payload["evidence"]["sha256"] == im.load_evidence(tables=("trials",)).fingerprint


def test_a_frame_has_a_row_for_each_pooled_effect(antibodies):
    frame = antibodies.to_frame()
    assert len(frame) == sum(1 + len(answer.groups) for answer in antibodies)
    first = antibodies["os"].overall
    assert frame.iloc[0]["estimate"] == pytest.approx(math.exp(first.fit.estimate))


def test_results_are_frozen(antibodies):
    with pytest.raises(AttributeError):
        antibodies.origin = "elsewhere"


def test_the_schools_are_told_apart_where_they_part(antibodies):
    pancreas = next(g for g in antibodies["os"].groups if g.key == "pancreatic")
    assert any("The schools part" in remark for remark in pancreas.remarks)
    assert any("Only 2 studies" in remark for remark in pancreas.remarks)


def test_the_summary_states_methods_priors_and_what_was_not_used(antibodies):
    notes = " ".join(summary(antibodies["os"]).notes)
    for part in ("tau2 by REML, CI by HK, PI by HK", "half-normal(0.5)", "mu flat", "Not used: 29 rows", "Q = "):
        assert part in notes


def test_the_explanation_shows_numbers_as_reported_the_rule_and_the_result(antibodies):
    studies, unused = explained(antibodies["progression"])
    kindler = next(row for row in studies.rows if row[0].startswith("Kindler"))
    assert "HR 0.65" in kindler[1]
    assert kindler[2] == "p_value"
    assert len(unused.rows) == len(antibodies["progression"].unused)


def test_another_table_with_other_classes_and_tumours(tmp_path):
    rng = np.random.default_rng(5)
    lines = [
        "study_id,agent,agent_class,tumor_type,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,source_id"
    ]
    for i in range(6):
        hr, se = math.exp(rng.normal(-0.2, 0.1)), 0.15
        limits = hr * math.exp(-1.96 * se), hr * math.exp(1.96 * se)
        kind, organ = ("statin", "fibrate")[i % 2], ("heart", "brain", "liver")[i % 3]
        lines.append(
            f"s{i},d{i % 2},{kind},{organ},combination,add_on,os,HR,{hr:.3f},{limits[0]:.3f},{limits[1]:.3f},95,ref{i}"
        )
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    result = im.pool(im.load_evidence(path), by="class")
    assert [g.label for g in result["os"].groups] == ["Fibrate", "Statin"]
    assert result.origin == "mine.csv"
