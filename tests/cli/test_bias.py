"""`igfmeta bias` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CASES = Path(__file__).parents[1] / "published" / "cases" / "data"
SMOKING = ["--data", CASES / "18_hackshaw1998_egger_begg.csv", "--yi", "yi", "--vi", "vi", "--study", "author"]
BCG = ["--data", CASES / "22_bcg_leave_one_out_influence.csv", "--events1", "tpos", "--n1", "tneg", "--events2", "cpos",
       "--n2", "cneg", "--measure", "OR"]  # fmt: skip


def test_every_part_on_a_table(run):
    status, out, _ = run("bias", *SMOKING, "--scale", "log")
    assert status == 0
    for heading in ("tests of asymmetry, k = 37", "adjusted for small-study effects", "selection models", "Copas",
                    "significance", "should not be relied on"):  # fmt: skip
        assert heading in out
    assert "Not run without the events and patients of both arms of every study: harbord, schwarzer." in out


def test_json_holds_what_metafor_gives(run):
    status, out, _ = run("bias", *SMOKING, "--format", "json", "--show", "tests,selection", "--selection", "step")
    found = json.loads(out)["sets"][0]
    assert status == 0
    assert found["tests"][0]["p_value"] == pytest.approx(0.0227641997034067, rel=1e-9)
    assert found["selection"][0]["estimate"] == pytest.approx(0.194401504572491, rel=1e-5)


def test_counts_open_the_tests_that_need_them(run):
    status, out, _ = run("bias", *BCG, "--show", "tests", "--format", "json")
    assert status == 0
    assert len(json.loads(out)["sets"][0]["tests"]) == 15


def test_counts_beside_effects(run):
    arguments = [*SMOKING, "--events", "cases", "--test", "debray-fiv", "--show", "tests"]
    status, out, _ = run("bias", *arguments)
    assert status == 0
    assert "Debray D-FIV" in out


def test_few_studies_are_refused_until_forced(run):
    status, out, err = run("bias", "--class", "antibody", "--outcome", "os")
    assert (status, out) == (3, "")
    assert "Under 10 small-study effects cannot be told from chance" in err
    assert "--force" in err
    status, out, _ = run("bias", "--class", "antibody", "--outcome", "os", "--force", "--show", "tests,adjusted")
    assert status == 0
    assert "Egger" in out
    assert "hardly any power" in out


def test_a_rate_has_no_test_of_significance(run):
    status, out, _ = run("bias", "--class", "antibody", "--outcome", "orr", "--measure", "PLO", "--show",
                         "tests,adjusted,selection,significance", "--test", "egger")  # fmt: skip
    assert status == 0
    assert "nothing here that rests on significance" in out
    assert "selection models" not in out
    assert "trust rate-peters and rate-root" in out


RATES = ["--class", "antibody", "--outcome", "orr", "--measure", "PLO"]


def test_rates_are_regressed_on_their_sizes_by_the_binomial_model(run, tmp_path):
    status, out, _ = run("bias", *RATES, "--figure", tmp_path / "f.svg")
    assert status == 0
    assert "Binomial-normal regression on 1/n +" in out
    assert "Egger, weights" not in out
    assert "Hunter et al. 2014" in out
    assert "--force everything" in out
    assert "Copas selection model" not in out
    drawn = (tmp_path / "f.svg").read_text()
    assert "Patients (log scale)" in drawn
    assert "Standard error" not in drawn


def test_what_rests_on_standard_errors_of_rates_is_forced_and_marked(run):
    status, out, _ = run("bias", *RATES, "--force", "--show", "tests,adjusted")
    assert status == 0
    assert out.index("on 1/n +") < out.index("on 1/√n +") < out.index("Egger, weights")
    assert out.index("binomial likelihood") < out.index("normal approximation, as all below") < out.index("PEESE")
    assert "in which nobody, or everybody, responded" in " ".join(out.split())
    assert "The predictor of the regression is infinite for" in out


def test_arcsines_have_a_funnel_against_size_and_every_test(run, tmp_path):
    status, out, _ = run("bias", *RATES[:-1], "PAS", "--show", "tests", "--figure", tmp_path / "f.svg")
    assert status == 0
    assert "Egger, weights" in out
    assert "depends on the rate itself" not in out
    assert "Patients (log scale)" in (tmp_path / "f.svg").read_text()


def test_figures(run, tmp_path):
    path = tmp_path / "b.svg"
    plots = "funnel,trim-fill,radial,qq,drapery,weights"
    status, _, err = run("bias", *SMOKING, "--show", "tests,adjusted,selection", "--selection", "step,beta", "--figure",
                         path, "--plot", plots)  # fmt: skip
    assert status == 0, err
    assert all((tmp_path / f"b-{name}.svg").stat().st_size > 5_000 for name in plots.split(","))
    status, _, err = run("bias", *BCG, "--show", "tests", "--figure", path, "--plot", "labbe")
    assert status == 0, err
    assert "Abbé" in path.read_text()


def test_the_help_names_every_plot():
    from igfmeta.cli.bias import PLOTS
    from igfmeta.plots import bias_figures

    assert tuple(bias_figures.PLOTS) == PLOTS


def test_csv_and_markdown(run):
    status, out, _ = run("bias", *SMOKING, "--show", "tests,adjusted", "--format", "csv")
    assert status == 0
    assert out.splitlines()[0].startswith("set,k,kind,name,statistic")
    status, out, _ = run("bias", *SMOKING, "--show", "adjusted", "--format", "markdown")
    assert status == 0
    assert "| PET |" in out


@pytest.mark.parametrize("plot", ["radial", "trim-fill", "qq", "drapery", "weights"])
def test_plots_that_take_variances_as_known_are_refused_for_rates(run, plot, tmp_path):
    status, out, err = run("bias", *RATES, "--figure", tmp_path / "f.svg", "--plot", plot)
    assert (status, out) == (2, "")
    assert f"The plot {plot} takes sampling variances as known" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--test", "rate-peters"], "needs the events and patients of single arms (measure PLO)"),
        (["--test", "egger2"], "test was 'egger2'"),
        (["--test", "harbord"], "needs the events and patients of both arms"),
        (["--show", "all"], "show was 'all'"),
        (["--selection", "spline"], "selection was 'spline'"),
        (["--steps", "a"], "--steps was 'a'"),
        (["--alternative", "up"], "alternative was 'up'"),
        (["--precision", "n"], "precision was 'n'"),
        (["--side", "up"], "side was 'up'"),
        (["--target", "0"], "target was 0"),
        (["--weights", "1,x"], "--weights was '1,x'"),
        (["--plot", "pie", "--figure", "x.png"], "plot was 'pie'"),
        (["--plot", "labbe", "--figure", "x.png"], "needs a measure of counts"),
        (["--show", "tests", "--plot", "weights", "--figure", "x.png"], "needs selection models"),
        (["--events", "nowhere"], "no column 'nowhere'"),
        (["--plot", "funnel"], "add --figure FILE"),
        (["--prior", "half-normal(1)"], "--prior was given"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(run, arguments, message):
    status, out, err = run("bias", *SMOKING, *arguments)
    assert (status, out) == (2, "")
    assert message in err
