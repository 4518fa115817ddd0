"""`igfmeta sensitivity` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BCG = Path(__file__).parents[1] / "published" / "cases" / "data" / "22_bcg_leave_one_out_influence.csv"
TABLE = ["--data", BCG, "--yi", "yi", "--vi", "vi", "--study", "author"]


def test_on_the_evidence_with_the_other_rows(run):
    status, out, _ = run("sensitivity", "--class", "antibody", "--outcome", "os")
    assert status == 0
    for words in ("The pool itself: REML, HK", "Estimator of tau2", "Interval", "Model", "Studies",
                  "With the rows marked for sensitivity analyses", "Posterior, tau"):  # fmt: skip
        assert words in out
    status, out, _ = run("sensitivity", "--class", "antibody", "--outcome", "os", "--use", "sensitivity")
    assert "Primary rows only" in out


def test_rates_have_no_value_of_no_effect(run):
    status, out, _ = run("sensitivity", "--class", "antibody", "--outcome", "orr", "--measure", "PLO")
    assert status == 0
    for words in ("The pool itself: binomial likelihood, ML, PL", "profile likelihood = the pool", "Studies, binomial",
                  "Normal approximations, not of the counts", "Logits: DL, HK"):  # fmt: skip
        assert words in out
    assert "no effect" not in out


def test_models_of_two_armed_counts_stand_beside_the_pool_which_is_marked(run):
    status, out, _ = run("sensitivity", "--outcome", "orr", "--measure", "OR")
    assert status == 0
    for words in ("REML, restricted maximum likelihood = the pool", "Mantel-Haenszel OR, common effect",
                  "Peto, common effect", "Exact conditional mixed model (CM.EL)"):  # fmt: skip
        assert words in out


def test_on_a_table_as_json_and_figure(run, tmp_path):
    path = tmp_path / "s.svg"
    status, out, _ = run(
        "sensitivity", *TABLE, "--scale", "log", "--format", "json", "--risk", "alloc", "--figure", path
    )
    found = json.loads(out)["sets"][0]
    assert status == 0
    assert len([c for c in found["choices"] if c["kind"] == "tau2"]) == 14
    assert "Estimator of tau2" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*TABLE, "--risk", "nowhere"], "no column 'nowhere'"),
        (["--risk", "rob"], "--risk names a column of a table"),
        ([*TABLE, "--format", "xml"], "--format was 'xml'"),
        ([*TABLE, "--figure", "s.gif"], "accepted are .svg, .pdf, .png"),
        (["--class", "antibody", "--use", "all"], "use was 'all'"),
        ([*TABLE, "--use", "sensitivity"], "rows of evidence tables"),
        (["--class", "antibody", "--ci-level", "0.9"], "are of a table"),
        ([*TABLE, "--prior", "gamma"], "gamma"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(run, arguments, message):
    status, out, err = run("sensitivity", *arguments)
    assert (status, out) == (2, "")
    assert message in err


def test_a_prior_of_ones_own_comes_first(run):
    status, out, _ = run("sensitivity", *TABLE, "--prior", "half-normal(0.2)")
    assert status == 0
    assert out.index("tau half-normal(0.2)") < out.index("tau half-normal(0.5)")
