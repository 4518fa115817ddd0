"""An option that nothing heeds beside the others is refused in a sentence."""

from __future__ import annotations

import pytest

TABLE = "study,yi,vi,e1,n1,e2,n2,year,g\n" + "".join(
    f"s{i},{-0.3 + 0.05 * i:.2f},{0.02 + 0.01 * i:.2f},{3 + i},40,{6 + i},41,{2000 + i},{'ab'[i % 2]}\n"
    for i in range(11)
)
EFFECTS, COUNTS = (
    ("--yi", "yi", "--vi", "vi"),
    ("--events1", "e1", "--n1", "n1", "--events2", "e2", "--n2", "n2", "--measure", "OR"),
)
BIAS, OS = ("bias", *EFFECTS), ("--class", "antibody", "--outcome", "os")
RATES = ("--class", "antibody", "--outcome", "orr", "--measure", "PLO", "--by", "none")

UNHEARD = [
    ((*BIAS, "--show", "tests", "--selection", "step"), "--selection says nothing without the part selection"),
    ((*BIAS, "--show", "tests", "--steps", "0.5"), "--steps says nothing without the part selection, which --show"),
    ((*BIAS, "--show", "tests", "--target", "0.1"), "--target says nothing without the part significance"),
    ((*BIAS, "--show", "copas", "--side", "left"), "--side says nothing without the part adjusted"),
    ((*BIAS, "--show", "copas", "--test", "egger"), "--test says nothing without the part tests"),
    ((*BIAS, "--show", "copas", "--alternative", "less"), "--alternative says nothing without the part selection"),
    ((*BIAS, "--selection", "beta", "--steps", "0.5"), "--steps says nothing without --selection step"),
    ((*BIAS, "--selection", "beta,step", "--precision", "sei"), "--precision says nothing without --selection half"),
    ((*BIAS, "--year", "year"), "--year says nothing without influence --cumulative year"),
    ((*BIAS, "--ci-level", "0.9"), "--ci-level says nothing without columns of intervals"),
    ((*BIAS, "--zero-cells", "only0"), "--zero-cells says nothing without columns of events"),
    (("influence", *EFFECTS, "--seed", "2"), "--seed says nothing without --gosh or --subsets"),
    (("influence", *EFFECTS, "--n", "n1"), "--n says nothing without a command that heeds them beside effects"),
    (("influence", *EFFECTS, "--year", "year"), "--year says nothing without influence --cumulative year"),
    (("sensitivity", *EFFECTS, "--events1", "e1"), "--events1 says nothing without a command"),
    (("average", *EFFECTS, "--bias", "none", "--favours", "lower"), "--favours says nothing without --bias psma"),
    (("average", *EFFECTS, "--bias", "steps", "--peese-scale", "2"), "--peese-scale says nothing without --bias"),
    (("average", *EFFECTS, "--pi", "V"), "--pi says nothing without a frequentist prediction interval"),
    (("fit", *EFFECTS, "--ci-level", "0.9"), "--ci-level says nothing without columns of intervals"),
    (("fit", *EFFECTS, "--zero-cells", "all"), "--zero-cells says nothing without columns of events"),
    (("fit", *COUNTS, "--scale", "log"), "--scale says nothing without columns of effects or estimates"),
    (
        ("fit", *EFFECTS, "--model", "multilevel", "--random", "~ 1 | study", "--struct", "UN"),
        "--struct says nothing without a term such as '~ outcome | study'",
    ),
    (("multilevel", "--outcome", "os", "--rho", "0.3"), "--rho says nothing without two outcomes or more"),
    (("multilevel", "--outcome", "os", "--struct", "CS"), "--struct says nothing without a term"),
    (("fit", *COUNTS, "--subgroup-tau2", "common"), "--subgroup-tau2 says nothing without --subgroup"),
    (("fit", *EFFECTS, "--model", "regression", "--mods", "~ g", "--seed", "2"), "--seed says nothing without --perm"),
    (("regress", *OS, "--mods", "~ year", "--adjust", "none"), "--adjust says nothing without --contrasts"),
    (("regress", *OS, "--mods", "~ year", "--along", "year"), "--along says nothing without --figure"),
    (("pool", *RATES, "--ci", "z", "--pi", "V"), "pi V says nothing to model glmm"),
    (("pool", *RATES, "--method", "DL"), "method DL says nothing to model glmm"),
    (("pool", *OS, "--explain", "--format", "json"), "--explain says nothing without a format for readers"),
    (
        ("forest", *OS, "--no-bayes", "--prior", "half-normal(1)", "-o", "a.svg"),
        "--prior says nothing without the post",
    ),
    (("bayes", "--draws", "50", "--chains", "2"), "--draws and --chains say nothing without --mcmc"),
    (("triangulate", "--cores", "1"), "--cores says nothing without --mcmc"),
    (("risk", "--cancer", "prostate", "--seed", "2"), "--seed says nothing without --by cancer"),
    (
        ("dose", "--dose-scale", "sd", "--open-ended", "refuse"),
        "--open-ended says nothing without --dose-scale reported",
    ),
    (("dose", "--log-rr", "b", "--se", "s", "--ci-level", "0.9"), "--ci-level says nothing without intervals"),
    (("diff", "shipped", "shipped", "--all", "--format", "csv"), "--all says nothing without a format for readers"),
    (("risk", "--compare", "--pi", "V"), "--pi says nothing without a pool of ours"),
    (("risk", "--cancer", "prostate", "--explain", "--format", "csv"), "--explain says nothing without a format"),
]


@pytest.mark.parametrize(("arguments", "message"), UNHEARD, ids=[" ".join(a[0])[-60:] for a in UNHEARD])
def test_what_nothing_heeds_is_refused(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    of_table = {"--yi", "--events1"} & set(arguments)
    status, out, err = run(*arguments, *(("--data", "t.csv") if of_table else ()))
    assert (status, out) == (2, "")
    assert message in " ".join(err.split())


def test_all_that_is_unheard_is_said_at_once(run):
    status, _, err = run("regress", *OS, "--mods", "~ year", "--seed", "3", "--adjust", "none", "--along", "year")
    assert status == 2
    assert [line.split()[0] for line in err.splitlines()[1:]] == ["--seed", "--adjust", "--along"]


def test_what_is_asked_for_is_heeded(run, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    for more in (
        ("--show", "tests", "--test", "egger"),
        ("--selection", "step", "--steps", "0.5", "--show", "selection"),
    ):
        assert run(*BIAS, "--data", tmp_path / "t.csv", *more)[0] == 0
    assert run("regress", *OS, "--mods", "~ year", "--permute", "20", "--seed", "3")[0] == 0


def test_a_regression_of_an_outcome_with_two_measures_names_them(run):
    status, _, err = run("regress", "--outcome", "orr", "--mods", "~ year")
    assert status == 2
    assert "measured as OR (two arms) and as PLO (the rate of one arm)" in err
    assert "give measure (--measure): OR or PLO." in err


@pytest.mark.parametrize("formula", ["~ nothing", "~ __import__('os')", "~ year |", "y ~ year", "~ log(year - 9999)"])
def test_a_wrong_formula_of_tau2_is_called_by_its_name(run, tmp_path, formula):
    (tmp_path / "t.csv").write_text(TABLE)
    fit = ("fit", *EFFECTS, "--data", tmp_path / "t.csv", "--model", "regression", "--mods", "~ year")
    for command in (("regress", *OS, "--mods", "~ year"), fit):
        status, _, err = run(*command, "--scale-mods", formula)
        assert status == 2
        assert "scale_mods" in err or "there is no column 'nothing'" in err
        assert " mods " not in err
