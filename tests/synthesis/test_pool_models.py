"""The models of counts on the evidence: what `pool` gives is what `fit` gives for the same counts, group by group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import igfmeta as im
from igfmeta.effects.two_arm import two_arm
from igfmeta.report.summary import summary
from igfmeta.synthesis.models_of_fit import fit_with

ARMS = {"events1": "x1", "n1": "n1", "events2": "x2", "n2": "n2"}
COUNTS = [
    # study, tumour, shared control, events and patients of both arms
    ("alpha2001", "nsclc", "", 4, 40, 9, 41),
    ("beta2002", "nsclc", "c", 3, 30, 6, 28),
    ("beta2002", "nsclc", "c", 1, 29, 6, 28),
    ("gamma2003", "nsclc", "", 0, 25, 3, 26),
    ("delta2004", "colorectal", "", 7, 60, 11, 58),
    ("epsilon2005", "colorectal", "", 2, 33, 2, 30),
    ("zeta2006", "colorectal", "", 0, 20, 0, 21),
]


@pytest.fixture(scope="module")
def shipped():
    return im.load_evidence()


@pytest.fixture(scope="module")
def evidence(shipped, tmp_path_factory):
    """Randomized responses with a shared control arm, an arm without an event and a study without one."""
    rows = shipped.select(outcome="orr", agent_class="antibody").trials
    first = rows[rows["contrast"].eq("add_on") & rows["use"].eq("primary") & rows["events_ctl"].notna()].iloc[0]
    made = []
    for i, (study, tumor, shared, x1, n1, x2, n2) in enumerate(COUNTS):
        changed = {"row_id": f"{study}-{i:02}", "study_id": study, "tumor_type": tumor, "tumor_subtype": "",
                   "shared_control": shared, "events_exp": x1, "n_exp": n1, "events_ctl": x2, "n_ctl": n2,
                   "percent_exp": "", "percent_ctl": "", "experimental": f"arm {i}"}  # fmt: skip
        made.append({**first.to_dict(), **changed})
    path = tmp_path_factory.mktemp("counts") / "trials.csv"
    pd.DataFrame(made).to_csv(path, index=False)
    return im.load_evidence(path)


def _table(studies):
    return pd.DataFrame([dict(zip(ARMS.values(), study.counts, strict=True)) for study in studies])


MODELS = [
    ("mh", "OR", {}), ("mh", "RR", {}), ("mh", "RD", {}), ("peto", "PETO", {}), ("glmm", "OR", {"ci": "PL"}),
    ("glmm", "OR", {"ci": "t"}), ("beta-binomial", "OR", {}), ("beta-binomial", "OR", {"method": "CE"}),
    ("logistic", "OR", {}), ("firth", "OR", {}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "measure", "options"), MODELS)
def test_every_group_is_the_fit_of_its_counts(evidence, model, measure, options):
    answer = im.pool(evidence, outcome="orr", measure=measure, model=model, **options)["orr"]
    assert answer.question.model == model
    for group in (answer.overall, *answer.groups):
        asked = {} if model == "peto" else {"measure": measure}
        alone = fit_with(model, _table(group.studies), **ARMS, **asked, **options).fit
        # statsmodels' standard error is of the step before its last: up to 2e-8 from the information at the maximum
        digits = 1e-7 if model == "logistic" else 1e-8
        for name in ("estimate", "ci_lower", "ci_upper", "tau2", "q", "pi_lower", "pi_upper"):
            ours, theirs = getattr(group.fit, name), getattr(alone, name)
            assert (ours is None) == (theirs is None), name
            assert ours is None or ours == pytest.approx(theirs, rel=digits, abs=1e-9), name
        assert (group.fit.k, group.fit.method, group.fit.ci) == (alone.k, alone.method, alone.ci)
        assert group.fit.weights == pytest.approx(alone.weights, rel=digits)


def test_arms_that_share_a_control_are_added_up_with_each_row_named(evidence):
    studies = im.pool(evidence, outcome="orr", model="mh")["orr"].overall.studies
    beta = next(study for study in studies if study.study_id == "beta2002")
    assert beta.counts == (4, 59, 6, 28)
    assert beta.row_ids == ("beta2002-01", "beta2002-02")
    assert beta.derivation == "arms_added(counts)"
    assert "m" in beta.marks
    assert beta.yi == pytest.approx(np.log(4 * 22 / (55 * 6)))


def test_a_study_without_an_event_counts_where_the_model_can_use_it(evidence):
    used = {
        model: [study.study_id for study in im.pool(evidence, outcome="orr", model=model)["orr"].overall.studies]
        for model in ("mh", "glmm", "beta-binomial", "random")
    }
    assert [name for name, studies in used.items() if "zeta2006" in studies] == ["beta-binomial"]
    left_out = im.pool(evidence, outcome="orr", model="mh")["orr"].unused
    assert any(item.row_id == "zeta2006-06" and "no event in either arm" in item.reason for item in left_out)
    rd = im.pool(evidence, outcome="orr", measure="RD", model="mh")["orr"]
    assert "zeta2006" in [study.study_id for study in rd.overall.studies]


@pytest.mark.parametrize(("model", "words"), [
    ("mh", "Mantel-Haenszel: one common effect, nothing added to zeros"),
    ("glmm", "exact conditional likelihood"),
    ("beta-binomial", "studies without an event count"),
    ("firth", "Penalized logistic regression (Firth)"),
])  # fmt: skip
def test_the_answer_names_its_model_and_what_the_posterior_is_of(evidence, model, words):
    result = im.pool(evidence, outcome="orr", measure="OR", model=model)
    notes = " ".join(summary(result["orr"]).notes)
    assert words in notes
    assert "Posterior of the studies' own effects with normal variances, 1/2 added to zeros" in notes
    assert result.to_dict()["answers"][0]["methods"]["model"] == model
    assert result.selection["model"] == model


def test_the_test_between_groups_is_that_of_the_model(evidence):
    found = {m: im.pool(evidence, outcome="orr", measure="OR", model=m)["orr"] for m in ("mh", "glmm", "random")}
    assert {m: answer.between.test for m, answer in found.items()} == {
        "mh": "Q, common effects", "glmm": "Wald, separate fits", "random": "Q, separate tau2"
    }  # fmt: skip
    fits = [group.fit for group in found["mh"].groups]
    w = np.array([1 / fit.se**2 for fit in fits])
    mu = np.array([fit.estimate for fit in fits])
    assert found["mh"].between.q == pytest.approx(np.sum(w * (mu - np.sum(w * mu) / w.sum()) ** 2))


def test_a_model_without_an_answer_in_a_group_says_why_and_the_others_answer(evidence, tmp_path):
    rows = evidence.trials.copy()
    rows.loc[rows["tumor_type"] == "colorectal", "events_exp"] = 0
    rows.to_csv(tmp_path / "trials.csv", index=False)
    answer = im.pool(im.load_evidence(tmp_path / "trials.csv"), outcome="orr", model="mh")["orr"]
    empty = next(group for group in answer.groups if group.key == "colorectal")
    assert empty.fit.estimate is None
    assert any("no event in arm 1" in remark for remark in empty.remarks)
    assert np.isfinite(answer.overall.fit.estimate)


def test_rates_have_the_mean_rate_of_the_beta_binomial_model(shipped):
    asked = {"outcome": "orr", "measure": "PLO", "agent_class": "antibody", "by": "none"}
    answer = im.pool(shipped, **asked, model="beta-binomial")["orr"]
    table = pd.DataFrame([dict(zip(("x", "n"), study.counts[:2], strict=True)) for study in answer.overall.studies])
    alone = fit_with("beta-binomial", table, events="x", n="n", measure="PLO").fit
    assert answer.overall.fit.estimate == pytest.approx(alone.estimate, rel=1e-10)
    assert "whose rate is that of a typical study" in " ".join(summary(answer).notes)


def test_weights_by_risk_of_bias_are_refused_for_counts(evidence):
    with pytest.raises(im.InputError, match="objective response is pooled from its counts; take --model random"):
        im.pool(evidence, outcome="orr", model="mh", risk_weights={"some": 0.5})


def test_the_effects_of_counts_are_those_shown(evidence):
    answer = im.pool(evidence, outcome="orr", measure="OR", model="beta-binomial")["orr"]
    for study in answer.overall.studies:
        own = two_arm(*np.array(study.counts)[:, None], measure="OR")
        assert study.yi == pytest.approx(own.yi[0], nan_ok=True)
