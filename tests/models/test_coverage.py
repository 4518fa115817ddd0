"""What intervals hold and tests reject, from the record of benchmarks/coverage.py, and a part of it repeated."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
RECORD = json.loads((BENCHMARKS / "coverage.json").read_text())


@pytest.fixture(scope="module")
def simulation():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        spec = importlib.util.spec_from_file_location("igfmeta_coverage", BENCHMARKS / "coverage.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module


def counts(theme, quantity, method, part=None, **where):
    """Return what was counted in the scenarios with these settings, by their settings."""
    fits = lambda name, test, value: test(value) if callable(test) else test == value  # noqa: E731
    found = {
        tuple(cell["settings"].values()): cell["found"][quantity][method]
        for cell in RECORD["cells"]
        if cell["theme"] == theme
        and part in (None, cell["part"])
        and quantity in cell["found"]
        and all(name in cell["settings"] and fits(name, test, cell["settings"][name]) for name, test in where.items())
    }
    assert found, (theme, quantity, method, where)
    return found


def shares(theme, quantity, method, part=None, **where):
    return {at: count["share"] for at, count in counts(theme, quantity, method, part, **where).items()}


def near(count, share, errors=4.0):
    """Whether a share is within some Monte Carlo errors of what it ought to be."""
    return abs(count["share"] - share) <= errors * (share * (1 - share) / count["n"]) ** 0.5


few = lambda k: k <= 10  # noqa: E731
some = lambda tau2: tau2 > 0  # noqa: E731
much = lambda tau2: tau2 >= 0.1  # noqa: E731


# The record


def test_every_scenario_is_recorded_in_full(simulation):
    recorded = {simulation.name_of(cell): cell["replicates"] for cell in RECORD["cells"]}
    assert recorded == {each.name: each.replicates for each in simulation.SCENARIOS}


def test_the_page_is_made_from_the_record(simulation):
    assert simulation.PAGE.read_text(encoding="utf-8") == simulation.page(RECORD)


KINDS = [f"{cell['theme']} / {cell['part']}" for cell in RECORD["checks"]]


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_a_brief_simulation_of_each_kind_is_that_of_the_record(simulation, kind):
    """Counts to the last one; widths and biases but for their last digit, which other processors may round apart."""
    expected = RECORD["checks"][kind]
    found = simulation.checks()[kind].cell(simulation.CHECKED)
    assert simulation.name_of(found) == simulation.name_of(expected)
    for quantity, methods in expected["found"].items():
        for method, recorded in methods.items():
            again = found["found"][quantity][method]
            assert again.keys() == recorded.keys(), (quantity, method)
            for what, value in recorded.items():
                exact = what in ("n", "of", "share")
                assert again[what] == (value if exact else pytest.approx(value, rel=1e-3, abs=2e-4)), (quantity, method)


def test_every_kind_of_scenario_is_checked(simulation):
    assert [simulation.name_of(cell) for cell in RECORD["checks"]] == [each.name for each in simulation.checks()]


def test_a_whole_scenario_simulated_anew_is_that_of_the_record_to_the_bit(simulation):
    name = "regression / Coefficients / moderator=binary k=5 tau2=0.1"
    scenario = next(each for each in simulation.SCENARIOS if each.name == name)
    expected = next(cell for cell in RECORD["cells"] if simulation.name_of(cell) == name)
    assert json.loads(json.dumps(scenario.cell())) == expected


def test_the_number_of_workers_changes_nothing(simulation):
    some_of_them = simulation.SCENARIOS[:6]
    with simulation.workers("threading"):
        one, three = (simulation.simulate(some_of_them, replicates=20, n_jobs=n) for n in (1, 3))
    assert one == three


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--replicates", "5"], "would shorten the record"),
        (["--only", "no such"], "no scenario's name contains 'no such'"),
    ],
)
def test_a_run_that_would_spoil_the_record_is_refused(simulation, monkeypatch, capsys, given, said):
    monkeypatch.setattr(sys, "argv", ["coverage.py", *given])
    with pytest.raises(SystemExit):
        simulation.main()
    assert said in capsys.readouterr().err


# Pools

MEAN, NEW = "confidence interval of the mean", "prediction interval"


def test_q_profile_intervals_are_exact():
    """At tau2 = 0 only the lower limit can miss: half of the error."""
    for theme, quantity in (("pools", "interval of tau2"), ("regression", "interval of the residual tau2")):
        for tau2 in (0.0, 0.1, 0.4):
            found = counts(theme, quantity, "Q-profile", tau2=tau2)
            assert all(near(count, 0.975 if tau2 == 0 else 0.95) for count in found.values()), (theme, found)


def test_without_heterogeneity_the_common_effect_interval_is_exact_and_with_it_collapses():
    assert all(near(count, 0.95) for count in counts("pools", MEAN, "z (CE)", tau2=0.0).values())
    assert max(shares("pools", MEAN, "z (CE)", tau2=much).values()) < 0.75


def test_normal_intervals_are_too_short_with_few_studies_and_hartung_knapp_is_not_far_off():
    normal = shares("pools", MEAN, "z (REML)", k=few, tau2=much)
    hartung_knapp = shares("pools", MEAN, "HK (REML)", k=few, tau2=much)
    assert all(hartung_knapp[at] > normal[at] + 0.02 for at in normal)
    assert min(normal.values()) < 0.83
    over_all = shares("pools", MEAN, "HK (REML)").values()
    assert min(over_all) > 0.915
    assert max(over_all) < 0.96


def test_the_floor_and_kenward_roger_do_not_fall_short():
    assert min(shares("pools", MEAN, "HK-floor (REML)").values()) > 0.936
    assert min(shares("pools", MEAN, "KR (REML)").values()) > 0.945


def test_with_many_studies_every_random_effects_interval_is_near_its_level():
    for name in ("z (REML)", "t (REML)", "HK (REML)", "HK-floor (REML)", "HK (PM)", "KR (REML)"):
        assert all(0.935 < value < 0.96 for value in shares("pools", MEAN, name, k=50, tau2=much).values()), name


def test_normal_prediction_intervals_fall_short_and_kenward_roger_ones_least():
    normal, with_kr = (shares("pools", NEW, name, k=few, tau2=much) for name in ("z", "KR"))
    assert all(with_kr[at] > normal[at] + 0.04 for at in normal)
    assert min(with_kr.values()) > 0.93


# Meta-regression

SLOPE, OMNIBUS = "interval of the slope", "size of the omnibus test"


@pytest.mark.parametrize("method", ["REML", "DL", "PM"])
def test_normal_intervals_of_slopes_are_too_short_where_hartung_knapp_holds(method):
    normal = shares("regression", SLOPE, f"z ({method})", k=few, tau2=some)
    hartung_knapp = shares("regression", SLOPE, f"HK ({method})", k=few, tau2=some)
    assert max(normal.values()) < 0.92
    assert all(hartung_knapp[at] > normal[at] + 0.02 for at in normal)
    assert all(0.92 < value < 0.97 for value in shares("regression", SLOPE, f"HK ({method})").values())


def test_kenward_roger_intervals_of_slopes_do_not_fall_short_and_are_wide_with_five_studies():
    assert min(shares("regression", SLOPE, "KR (REML)").values()) > 0.94
    assert min(shares("regression", SLOPE, "KR (REML)", k=5).values()) > 0.98


def test_with_forty_studies_intervals_of_slopes_are_near_their_level():
    for name in ("t (REML)", "HK (REML)", "HK (DL)", "HK (PM)", "KR (REML)"):
        assert all(0.935 < value < 0.96 for value in shares("regression", SLOPE, name, k=40, tau2=some).values()), name


def test_the_chi_squared_omnibus_test_rejects_too_often_and_the_f_tests_hardly():
    normal, hk = (shares("regression", OMNIBUS, name, k=few, tau2=some) for name in ("z (REML)", "HK (REML)"))
    assert min(normal.values()) > 0.12
    assert all(0.04 < hk[at] < 0.09 < normal[at] for at in hk)
    assert max(shares("regression", OMNIBUS, "KR (REML)").values()) < 0.055


def test_permutation_tests_keep_their_level_whatever_the_effects():
    for count in counts("regression", "size of the test", "permutation").values():
        assert count["share"] <= 0.05 + 3 * (0.05 * 0.95 / count["n"]) ** 0.5
        assert count["share"] >= 0.04
    assert min(shares("regression", "size of the test", "z (REML)").values()) > 0.07


# Robust variances

QUARTER, SKEWED = "interval of the moderator of a quarter", "interval of the skewed moderator"
BOTH = "size of the Wald test of both"


@pytest.mark.parametrize("working", ["CHE", "RE", "CORR"])
def test_cr2_with_satterthwaite_holds_where_cr0_does_not_whatever_the_working_model(working):
    for moderator in (QUARTER, SKEWED):
        crude = shares("robust", moderator, "CR0 z", working=working, clusters=8)
        reduced = shares("robust", moderator, "CR2 Satterthwaite", working=working)
        assert max(crude.values()) < 0.85
        assert min(reduced.values()) > 0.925


def test_degrees_of_freedom_matter_more_than_the_adjustment():
    for moderator in (QUARTER, SKEWED):
        normal = shares("robust", moderator, "CR2 z", clusters=8)
        satterthwaite = shares("robust", moderator, "CR2 Satterthwaite", clusters=8)
        assert all(satterthwaite[at] > normal[at] + 0.05 for at in normal)


def test_believing_a_wrong_working_model_is_wrong_however_many_studies_there_are():
    assert max(shares("robust", QUARTER, "model z", working="RE").values()) < 0.91
    assert all(near(each, 0.95) for each in counts("robust", QUARTER, "model z", working="CHE", clusters=40).values())


def test_wald_tests_of_cr0_reject_too_often_and_htz_does_not():
    crude, htz = (shares("robust", BOTH, name) for name in ("CR0 chi-squared", "CR2 HTZ"))
    assert max(htz.values()) < 0.06
    assert all(crude[at] > htz[at] + 0.03 for at in crude)
    assert min(shares("robust", BOTH, "CR0 chi-squared", clusters=8).values()) > 0.2


# Multilevel

MULTI = "interval of the mean"
THERE, NOT_THERE = "between 0.1, within 0.05", "between 0, within 0.1"


def test_normal_intervals_of_a_multilevel_mean_are_too_short_where_containment_is_not_far_off():
    with_few = {"variances": THERE, "studies": few}
    normal, contained = (shares("multilevel", MULTI, name, **with_few) for name in ("z", "containment"))
    assert max(normal.values()) < 0.93
    assert all(contained[at] > normal[at] + 0.02 for at in normal)
    assert min(shares("multilevel", MULTI, "containment").values()) > 0.90
    assert min(shares("multilevel", MULTI, "Satterthwaite").values()) > 0.90


def test_rows_are_no_studies():
    """t with k - p degrees of freedom counts rows, and with few studies is nearer to the normal interval."""
    with_few = {"variances": THERE, "studies": 6}
    t, z, contained = (shares("multilevel", MULTI, name, **with_few) for name in ("t, k - p df", "z", "containment"))
    assert all(t[at] - z[at] < contained[at] - t[at] for at in t)


def test_profile_likelihood_intervals_of_variances_hold():
    for name in ("variance between studies", "variance within studies"):
        for count in counts("multilevel", "profile-likelihood interval", name).values():
            assert count["share"] > 0.91


# Rates of single arms

LOGIT = "interval of the logit"


def test_corrected_logits_are_biased_at_low_rates_and_their_intervals_fall_with_more_studies():
    corrected = counts("rates", "bias of the logit", "logits, REML", rate=0.05)
    mixed = counts("rates", "bias of the logit", "GLMM", rate=0.05)
    assert all(corrected[at]["bias"] > 0.1 > abs(mixed[at]["bias"]) for at in mixed)
    held = [shares("rates", LOGIT, "logits, DL z", rate=0.05, tau2=0.3, k=k) for k in (5, 10, 20)]
    assert max(held[2].values()) < 0.6 < min(held[1].values()) < min(held[0].values()) < 0.9
    assert min(shares("rates", LOGIT, "GLMM z", k=20).values()) > 0.93


def test_normal_intervals_of_the_binomial_model_are_short_with_five_studies_and_t_is_not():
    assert max(shares("rates", LOGIT, "GLMM z", tau2=0.3, k=5).values()) < 0.93
    assert min(shares("rates", LOGIT, "GLMM t").values()) > 0.94
    profiled, normal = (shares("rates", LOGIT, name, tau2=0.3, k=5) for name in ("GLMM PL", "GLMM z"))
    assert all(profiled[at] > normal[at] + 0.02 for at in normal)


def test_intervals_of_tau2_from_counts_are_somewhat_short_with_few_studies():
    assert min(shares("rates", "interval of tau2", "GLMM PL").values()) > 0.89
    assert min(shares("rates", "interval of tau2", "GLMM PL", tau2=0.0).values()) > 0.96


# Sparse tables

ODDS = "interval of the log odds ratio"
RARE = "0.2 to 1 %"


def biases(method, **where):
    return {at: each["bias"] for at, each in counts("tables", "bias of the log odds ratio", method, **where).items()}


def test_with_one_odds_ratio_sums_penalties_and_the_exact_model_keep_their_level():
    for method in ("MH", "Firth PL", "CM.EL z", "CM.EL PL", "UM.FS z"):
        assert min(shares("tables", ODDS, method, tau2=0.0).values()) > 0.93, method


def test_what_assumes_one_odds_ratio_falls_short_under_heterogeneity_and_mixed_models_do_not():
    for method in ("MH", "Peto", "Firth PL"):
        assert max(shares("tables", ODDS, method, risk="10 to 40 %").values()) < 0.88, method
    for method in ("CM.EL t", "UM.FS t"):
        assert min(shares("tables", ODDS, method, tau2=0.2).values()) > 0.90, method


def test_peto_is_biased_where_an_effect_meets_unequal_arms():
    assert max(biases("Peto", arms="4:1").values()) < -0.3
    assert max(shares("tables", ODDS, "Peto", arms="4:1").values()) < 0.75
    assert max(abs(bias) for bias in biases("CM.EL", arms="4:1").values()) < 0.1


def test_corrected_log_odds_ratios_are_pulled_to_no_effect_the_more_the_rarer_the_events():
    """An odds ratio of 0.5 in equal arms; a positive bias is one towards 1."""
    rare, some_events = (biases("IV REML", risk=risk, odds=0.5, k=10, tau2=0.0) for risk in (RARE, "1 to 5 %"))
    assert min(rare.values()) > 0.2 > min(some_events.values()) > 0.08
    assert all(abs(bias) < 0.08 for bias in biases("MH", risk="1 to 5 %", arms="1:1", tau2=0.0).values())


def test_the_more_studies_with_rare_events_the_less_corrected_log_odds_ratios_hold():
    held = [shares("tables", ODDS, "IV, REML HK", risk="1 to 5 %", tau2=0.2, k=k) for k in (5, 10, 20)]
    assert max(held[2].values()) < 0.86 < min(held[1].values()) < min(held[0].values())


def test_the_binomial_approximation_is_for_rare_events_only():
    common, exact = (biases(name, risk="10 to 40 %") for name in ("CM.AL", "CM.EL"))
    assert all(common[at] > 0.1 and abs(exact[at]) < 0.05 for at in common)
    assert max(shares("tables", ODDS, "CM.AL z", risk="10 to 40 %").values()) < 0.9


# Small-study effects

SIZE, LRT = "size of the test", "size of the likelihood-ratio test"


def test_tests_of_asymmetry_keep_their_level_on_symmetrical_funnels_unless_they_ignore_dispersion():
    part = "Tests on effects"
    for name in ("egger", "thompson-sharp", "egger-mixed", "begg"):
        assert max(shares("bias", SIZE, name, part).values()) < 0.11, name
    assert min(shares("bias", SIZE, "egger-common", part, tau2=0.1).values()) > 0.1
    assert all(near(each, 0.05) for each in counts("bias", SIZE, "egger-common", part, tau2=0.0).values())


def test_on_odds_ratios_far_from_one_egger_cries_wolf_and_the_tests_made_for_them_less():
    part = "Tests on odds ratios"
    egger = shares("bias", SIZE, "egger", part, odds=0.25)
    for name in ("harbord", "peters"):
        own = shares("bias", SIZE, name, part, odds=0.25)
        assert all(own[at] < egger[at] for at in egger), name
        assert max(shares("bias", SIZE, name, part, odds=1.0).values()) < 0.08, name


def test_likelihood_ratio_tests_of_selection_are_near_their_level():
    for name in ("step at 0.025", "steps at 0.025, 0.5", "half-normal"):
        assert max(shares("bias", LRT, name).values()) < 0.12, name


def test_under_selection_the_pool_is_biased_and_the_right_selection_model_is_not():
    def bias(method, **where):
        return [each["bias"] for each in counts("bias", "bias of the mean", method, **where).values()]

    assert min(bias("REML, Hartung-Knapp", selection="strong")) > 0.05
    assert max(abs(each) for each in bias("REML, Hartung-Knapp", selection="none")) < 0.02
    pooled, model = (bias(name, selection="strong") for name in ("REML, Hartung-Knapp", "step selection model"))
    assert all(abs(own) < other / 2 for own, other in zip(model, pooled, strict=True))


def test_with_heterogeneity_pet_peese_does_not_hold_its_level_with_or_without_selection():
    assert max(shares("bias", MULTI, "PET-PEESE", tau2=0.1).values()) < 0.92
