"""Write docs/validation.md: what agrees with the reference implementations, to what digit, and what does not and why.

python tools/validation.py
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from igfmeta.bayes import tau_priors as tau
from igfmeta.bayes.averaging import average_models
from igfmeta.bayes.biased import Data
from igfmeta.bayes.map_prior import exact
from igfmeta.bayes.mu_priors import FlatMu, NormalMu
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.publication_bias import Steps
from igfmeta.bayes.step_members import StepLikelihood
from igfmeta.effects.dose_bases import linear, quadratic, restricted_cubic
from igfmeta.effects.dose_covariance import covariance as dose_covariance
from igfmeta.effects.sampling_covariance import assumed_covariance, autocorrelated_covariance
from igfmeta.effects.two_arm import two_arm
from igfmeta.models.bias.copas import copas
from igfmeta.models.bias.excess import excess_significance
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.limit import limit_meta
from igfmeta.models.bias.registry import run_test
from igfmeta.models.bias.selection.model import selection_model
from igfmeta.models.bias.trim_and_fill import trim_and_fill
from igfmeta.models.deletion import leave_one_out
from igfmeta.models.dose_response import two_stage
from igfmeta.models.dose_results import DoseStudy
from igfmeta.models.influence import influence
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.results import MultilevelFit
from igfmeta.models.multilevel.terms import parse
from igfmeta.models.pooling import pool_one
from igfmeta.models.regression.fitting import regress_one
from igfmeta.models.regression.location_scale import location_scale
from igfmeta.models.regression.permutation import permutation_test
from igfmeta.models.regression.predictions import combine
from igfmeta.models.robust.fitting import fit_robust
from igfmeta.synthesis.bias import funnel_of
from igfmeta.synthesis.influence import influence_of
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.models_of_fit import fit_with
from igfmeta.synthesis.study_sets import set_of_table

ROOT = Path(__file__).parents[1]
CASES = ROOT / "tests" / "published" / "cases"

Row = tuple[str, str, str, float]


def load(name: str) -> tuple[dict[str, Any], dict[str, list[str]], str]:
    """Return a case's figures, its table by column, and the engine that gave the figures."""
    record = json.loads((CASES / f"{name}.json").read_text())
    table = CASES / "data" / f"{name}.csv"
    columns: dict[str, list[str]] = {}
    if table.is_file():
        with table.open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        columns = {key: [row[key] for row in rows] for key in rows[0]}
    versions = record["engine"]
    engine = ", ".join(f"{key} {versions[key]}" for key in versions if key not in ("R", "metadat"))
    return {key: value["value"] for key, value in record["values"].items()}, columns, engine


def numbers(columns: dict[str, list[str]], *names: str) -> list[Any]:
    return [np.array([float(value) for value in columns[name]]) for name in names]


def worst(ours: Any, theirs: Any) -> float:
    """Return the largest difference, relative to the reference where it is not 0."""
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    return float(np.max(np.abs(a - b) / np.where(b == 0, 1.0, np.abs(b))))


FIT = {"est": "estimate", "se": "se", "ci_lb": "ci_lower", "ci_ub": "ci_upper", "tau2": "tau2", "se_tau2": "se_tau2",
       "I2": "i2", "H2": "h2", "QE": "q"}  # fmt: skip


def case_01() -> Iterator[Row]:
    figures, columns, engine = load("01_bcg_rr_tau2_estimators")
    y, v = numbers(columns, "yi", "vi")
    for ours, theirs in (("DL", "DL"), ("HE", "HE"), ("HS", "HS"), ("HSK", "HSk"), ("SJ", "SJ"), ("ML", "ML"),
                         ("REML", "REML"), ("EB", "EB"), ("PM", "PM"), ("PMM", "PMM")):  # fmt: skip
        fit = pool_one(y, v, method=ours, ci="z")
        pairs = [(getattr(fit, b), figures[theirs][a]) for a, b in FIT.items()]
        yield (
            "BCG, risk ratio",
            f"{ours}: estimate, se, interval, tau2, se of tau2, I2, H2, Q",
            engine,
            worst(*zip(*pairs, strict=True)),
        )
    yield (
        "BCG, risk ratio",
        "REML with metafor's default tolerances",
        engine,
        worst(pool_one(y, v).tau2, figures["REML_default_control"]["tau2"]),
    )
    yield (
        "BCG, risk ratio",
        "PM with metafor's default tolerances",
        engine,
        worst(pool_one(y, v, method="PM").tau2, figures["PM_default_control"]["tau2"]),
    )


def case_02() -> Iterator[Row]:
    figures, columns, engine = load("02_bcg_rr_inference")
    y, v = numbers(columns, "yi", "vi")
    for ci, name in (("z", "z"), ("t", "t"), ("HK", "knha"), ("HK-floor", "adhoc")):
        fit = pool_one(y, v, ci=ci)
        expected = [figures[name][key] for key in ("se", "pval", "ci_lb", "ci_ub")]
        yield (
            "BCG, risk ratio",
            f"interval and test {ci}",
            engine,
            worst([fit.se, fit.p_value, fit.ci_lower, fit.ci_upper], expected),
        )
    for tau2_ci, name in (("QP", "ci_tau2_Qprofile"), ("PL", "ci_tau2_profile_likelihood")):
        fit = pool_one(y, v, tau2_ci=tau2_ci)
        yield (
            "BCG, risk ratio",
            f"interval of tau2 {tau2_ci}",
            engine,
            worst([fit.tau2_ci_lower, fit.tau2_ci_upper], figures[name]["tau^2"][1:]),
        )


def case_22() -> Iterator[Row]:
    figures, columns, engine = load("22_bcg_leave_one_out_influence")
    batch = leave_one_out(*numbers(columns, "yi", "vi"), ci="z")
    difference = max(worst(batch.estimate, figures["loo_est"]), worst(batch.tau2, figures["loo_tau2"]))
    yield "BCG, risk ratio", "leave-one-out: estimate, tau2", engine, difference


def case_18() -> Iterator[Row]:
    figures, columns, engine = load("18_hackshaw1998_egger_begg")
    data = funnel(*numbers(columns, "yi", "vi"))
    egger, mixed, ranks = (run_test(name, data) for name in ("egger", "egger-mixed", "begg"))
    classical, excess = figures["classical_Egger_lm"], excess_significance(data)
    pairs = [(egger.statistic, classical["t"]), (egger.slope, classical["coef"][1]), (egger.p_value, classical["p"]),
             (ranks.p_value, figures["begg_rank"]["p"]), (excess.p_value, figures["TES"]["p"])]  # fmt: skip
    yield "Passive smoking", "Egger, Begg, excess significance", engine, worst(*zip(*pairs, strict=True))
    found = figures["mixed_effects_sei"]
    yield (
        "Passive smoking",
        "Egger's mixed regression",
        engine,
        worst([mixed.statistic, mixed.limit], [found["z"], found["limit_est"]]),
    )


def case_20_models() -> Iterator[Row]:
    figures, columns, engine = load("20_selection_models")
    y, v = numbers(columns, "yi", "vi")
    kinds = {"hackshaw_3PSM_025_greater": {}, "hackshaw_step_05_1tail": {"steps": (0.05,)},
             "baskerville_step_05": {"steps": (0.05,)}, "baskerville_halfnorm": {"kind": "half-normal"},
             "baskerville_negexp": {"kind": "negative-exponential"}, "baskerville_logistic": {"kind": "logistic"},
             "baskerville_power": {"kind": "power"}, "baskerville_beta": {"kind": "beta"}}  # fmt: skip
    for name, options in kinds.items():
        own = np.array([row == name.split("_")[0] for row in columns["set"]])
        found: Any = selection_model(funnel(y[own], v[own]), **options)
        expected = figures[name]
        what = f"selection model {found.kind}{' ' + str(found.steps[0]) if found.steps else ''}"
        yield (
            "Passive smoking, facilitation",
            f"{what}: log likelihood",
            engine,
            worst(found.log_likelihood, expected["logLik"]),
        )
        yield "Passive smoking, facilitation", f"{what}: estimate", engine, worst(found.estimate, expected["est"])


def case_51() -> Iterator[Row]:
    figures, columns, engine = load("51_hackshaw1998_influence")
    found = influence(*numbers(columns, "yi", "vi"))
    names = {"rstudent": "rstudent", "dffits": "dffits", "cook_d": "cook_d", "cov_r": "cov_r", "dfbetas": "dfbs",
             "hat": "hat"}  # fmt: skip
    for ours, theirs in names.items():
        expected = figures["influence_reml"][theirs]
        yield "Passive smoking", f"influence: {ours}", engine, worst(getattr(found, ours), expected)


def case_52() -> Iterator[Row]:
    figures, columns, engine = load("52_small_study_effects")
    data = funnel(*numbers(columns, "yi", "vi"))
    for estimator in ("L0", "R0", "Q0"):
        fit, expected = trim_and_fill(data, estimator=estimator, ci="z").fit, figures[f"trimfill_reml_{estimator}"]
        yield (
            "Passive smoking",
            f"trim and fill {estimator}: estimate, se",
            engine,
            worst([fit.estimate, fit.se], [expected["est"], expected["se"]]),
        )


def case_27() -> Iterator[Row]:
    figures, columns, engine = load("27_meta_bcg_all_intervals")
    y, v = numbers(columns, "yi", "vi")
    for pi in ("V", "HTS", "HK", "HK-PR", "KR", "KR-PR"):
        fit, expected = pool_one(y, v, pi=pi), figures[f"PI_{pi.replace('-', '_')}"]
        yield (
            "BCG, risk ratio",
            f"prediction interval {pi}",
            engine,
            worst([fit.pi_lower, fit.pi_upper], [expected["lb"], expected["ub"]]),
        )
    fit = pool_one(y, v)
    yield (
        "BCG, risk ratio",
        "meta's Q-profile interval of tau2",
        engine,
        worst([fit.tau2_ci_lower, fit.tau2_ci_upper], figures["tau2_QP"][1:]),
    )


def case_05() -> Iterator[Row]:
    figures, columns, engine = load("05_yusuf1985_peto")
    for table in ("6", "9", "10", "11"):
        keep = [i for i, t in enumerate(columns["table"]) if t == table and columns["ai"][i] not in ("", "NA")]
        arms = [np.array([float(columns[name][i]) for i in keep]) for name in ("ai", "n1i", "ci", "n2i")]
        effects = two_arm(*arms, measure="PETO")
        fit = pool_one(effects.yi[effects.usable], effects.vi[effects.usable], method="CE", ci="z")
        expected = figures[f"table{table}"]
        yield (
            f"Yusuf 1985, table {table}",
            "Peto odds ratio: estimate, se, Q",
            engine,
            worst([fit.estimate, fit.se, fit.q], [expected["est"], expected["se"], expected["QE"]]),
        )


def case_06() -> Iterator[Row]:
    values, columns, engine = load("06_nielweise2007_rare_or_glmm")
    table = pd.DataFrame(dict(zip(("a", "n1", "c", "n2"), numbers(columns, "ai", "n1i", "ci", "n2i"), strict=True)))
    arms = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
    for name, model, options in (
        ("MH_no_cc", "mh", {"measure": "OR"}),
        ("Peto", "peto", {}),
        *((name, "glmm", {"measure": "OR", "variant": name}) for name in ("CM.EL", "CM.AL", "UM.FS", "UM.RS")),
        ("UM.FS_EE", "logistic", {"measure": "OR"}),
    ):
        fit: Any = fit_with(model, table, **arms, **options)
        ours = [fit.fit.estimate, fit.fit.se]
        yield (
            "Catheters, rare events",
            f"{name}: estimate, standard error",
            engine,
            worst(ours, [values[name]["est"], values[name]["se"]]),
        )


def case_counts_left_out() -> Iterator[Row]:
    values, _, engine = load("counts_left_out")
    _, columns, _ = load("06_nielweise2007_rare_or_glmm")
    table = pd.DataFrame(dict(zip(("a", "n1", "c", "n2"), numbers(columns, "ai", "n1i", "ci", "n2i"), strict=True)))
    events = (table["a"] + table["c"]).to_numpy() > 0
    arms = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
    for name, model, options in (
        ("mh_OR", "mh", {"measure": "OR"}),
        ("peto", "peto", {}),
        *((name, "glmm", {"measure": "OR", "variant": name}) for name in ("CM.EL", "CM.AL", "UM.FS", "UM.RS")),
    ):
        result: Any = fit_with(model, table, **arms, leave_one_out=True, **options)
        ours = np.array([[step.fit.estimate, step.fit.se] for step in result.leave_one_out])
        found = values[name].get("loo", values[name])
        theirs = np.array([found["estimate"], found["se"]], dtype=float).T
        theirs = theirs[events] if len(theirs) > len(ours) else theirs
        known = np.isfinite(theirs).all(axis=1)
        label = name.replace("mh_OR", "MH_no_cc").replace("peto", "Peto")
        yield (
            "Catheters, rare events",
            f"{label}: leave-one-out: estimate, standard error",
            engine,
            worst(ours[known].ravel().tolist(), theirs[known].ravel().tolist()),
        )


def case_08() -> Iterator[Row]:
    values, columns, engine = load("08_pritz1997_proportions")
    table = pd.DataFrame(dict(zip(("x", "n"), numbers(columns, "xi", "ni"), strict=True)))
    fit: Any = fit_with("glmm", table, events="x", n="n", measure="PLO")
    ours = [fit.fit.estimate, fit.fit.se, fit.fit.tau2]
    theirs = [values["GLMM"][name] for name in ("est", "se", "tau2")]
    yield "Hyperdynamic therapy", "logit-normal model: estimate, standard error, tau2", engine, worst(ours, theirs)


def case_pritz() -> Iterator[Row]:
    values, _, engine = load("pritz1997_deletion")
    table = pd.read_csv(CASES / "data" / "08_pritz1997_proportions.csv")
    studies = set_of_table(table, Columns(events="xi", n="ni"), measure="PLO")
    found = influence_of(studies, Methods(), cumulative="table")
    assert found.cumulative is not None
    fits = {"leave_one_out": found.influence.fits, "cumulative": found.cumulative.fits}
    for name, what in (("leave_one_out", "leave-one-out"), ("cumulative", "cumulative")):
        own, expected = fits[name].rows(slice(1, None)), values[name]
        yield (
            "Hyperdynamic therapy",
            f"logit-normal model, {what}: estimate, standard error, likelihood ratio of one rate",
            engine,
            worst([*own.estimate, *own.se, *own.q], [*expected["est"], *expected["se"], *expected["QE_LRT"]]),
        )
    for name, test, what in (
        ("on_inverse_size", "rate-peters", "1/n"),
        ("on_inverse_root_size", "rate-root", "1/sqrt(n)"),
    ):
        asymmetry, expected = run_test(test, funnel_of(studies)), values[name]
        yield (
            "Hyperdynamic therapy",
            f"regression on {what}: intercept, slope, its standard error, tau2",
            engine,
            worst(
                [asymmetry.limit, asymmetry.slope, asymmetry.slope_se, asymmetry.tau2],
                [*expected["beta"], expected["se"][1], expected["tau2"]],
            ),
        )


def _of_terms(fit: MultilevelFit, expected: dict[str, Any]) -> float:
    """Return the difference of the estimates, standard errors, QE and likelihood of a multilevel model."""
    ours = [*fit.coef, *fit.se, fit.qe, fit.log_likelihood]
    theirs = [*np.atleast_1d(expected["est"]), *np.atleast_1d(expected["se"]), expected["QE"], expected["logLik"]]
    return worst(ours, theirs)


def case_crossed() -> Iterator[Row]:
    figures, columns, engine = load("lim2014_crossed")
    y, v = numbers(columns, "yi", "vi")
    crossed = [*parse("~ 1 | article/id", columns), *parse("~ 1 | species", columns)]
    for method in ("REML", "ML"):
        fit = fit_multilevel(y, v, crossed, method=method, test="z", intervals=False)
        what = f"articles crossed with species, {method}: estimate, se, QE, log-likelihood"
        yield "Lim 2014, birth order", what, engine, _of_terms(fit, figures[method])
    covariance = assumed_covariance(v, columns["article"], rho=0.5)
    simple = [*parse("~ 1 | article", columns), *parse("~ 1 | species", columns)]
    fit = fit_multilevel(y, covariance, simple, test="z", intervals=False)
    what = "the same with sampling errors correlated by 0.5: estimate, se, QE, log-likelihood"
    yield "Lim 2014, birth order", what, engine, _of_terms(fit, figures["REML_V"])


def case_assink() -> Iterator[Row]:
    figures, columns, engine = load("assink2016_three_level")
    y, v = numbers(columns, "yi", "vi")
    covariance = assumed_covariance(v, columns["study"], rho=0.6)
    fit = fit_multilevel(y, covariance, parse("~ 1 | study/esid", columns), test="z")
    yield (
        "Assink 2016, recidivism",
        "three levels, sampling errors correlated by 0.6: estimate, se, QE, log-likelihood",
        engine,
        _of_terms(fit, figures["REML"]),
    )
    yield (
        "Assink 2016, recidivism",
        "both variances and their profile-likelihood limits",
        engine,
        worst(
            [[c.estimate, c.ci_lower, c.ci_upper] for c in fit.components],
            [figures["ci_sigma2_1"], figures["ci_sigma2_2"]],
        ),
    )


def case_berkey() -> Iterator[Row]:
    figures, columns, engine = load("berkey1998_bivariate")
    y, first, second = numbers(columns, "yi", "v1i", "v2i")
    trials = np.array(columns["trial"])
    v = np.zeros((len(y), len(y)))
    for trial in dict.fromkeys(columns["trial"]):
        rows = np.flatnonzero(trials == trial)
        v[np.ix_(rows, rows)] = np.column_stack([first, second])[rows]
    x = np.column_stack([np.array(columns["outcome"]) == name for name in ("AL", "PD")]).astype(float)
    for name, struct, method in (("UN_REML", "UN", "REML"), ("UN_ML", "UN", "ML"), ("DIAG_REML", "DIAG", "REML")):
        terms = parse("~ outcome | trial", columns, struct=struct)
        fit = fit_multilevel(y, v, terms, x=x, names=["AL", "PD"], method=method, test="z", intervals=False)
        what = f"bivariate, {struct}, {method}, known covariances: estimates, se, QE, log-likelihood"
        yield "Berkey 1998, two outcomes", what, engine, _of_terms(fit, figures[name])


def _dose_studies(name: str) -> list[DoseStudy]:
    table = pd.read_csv(CASES / "data" / f"{name}.csv")
    studies = []
    for _, rows in table.groupby("id"):
        at = np.argsort(rows["se"].to_numpy() > 0, kind="stable")  # the reference group first
        dose, y, se, cases, n = (rows[c].to_numpy(dtype=float)[at] for c in ("dose", "logrr", "se", "cases", "n"))
        own = dose_covariance(y[1:], se[1:] ** 2, cases, n, str(rows["type"].iloc[0]))
        studies.append(DoseStudy(str(rows["author"].iloc[0]), float(dose[0]), dose[1:], y[1:], own))
    return studies


def case_dose() -> Iterator[Row]:
    figures, _, engine = load("39_dosresmeta_alcohol_cvd")
    engine = engine.partition(", ")[2]  # without metafor, which has no dose-response models
    studies = _dose_studies("39_dosresmeta_alcohol_cvd")
    for name, basis, method in (
        ("linear_reml", linear(), "REML"),
        ("linear_ml", linear(), "ML"),
        ("linear_mm", linear(), "MM"),
        ("linear_fixed", linear(), "fixed"),
        ("quadratic_reml", quadratic(), "REML"),
    ):
        fit, expected = two_stage(studies, basis, method=method.lower()), figures[name]
        yield (
            "Alcohol and cardiovascular risk",
            f"{name.split('_')[0]} dose-response, {method}: coefficients and covariance",
            engine,
            worst([*fit.coef, *fit.vcov.ravel()], [*np.atleast_1d(expected["coef"]), *np.ravel(expected["vcov"])]),
        )
    figures, columns, _ = load("40_dose_response_rcs")
    spline = restricted_cubic(numbers(columns, "dose")[0], 3)
    fit = two_stage(_dose_studies("40_dose_response_rcs"), spline)
    curve, expected = fit.curve(np.arange(9), reference=0), figures["RR_at_0_to_8_by_1"]
    yield (
        "Coffee and mortality",
        "restricted cubic spline: coefficients, covariance, curve with limits",
        engine,
        worst(
            [*fit.coef, *fit.vcov.ravel(), *curve.rr, *curve.ci_lower, *curve.ci_upper],
            [*figures["coef"], *np.ravel(figures["vcov"]), *expected["rr"], *expected["lb"], *expected["ub"]],
        ),
    )


def case_35() -> Iterator[Row]:
    figures, _, engine = load("35_map_prior_baeten2013")
    fit = normal_normal_one(figures["yi"], np.array(figures["sei"]) ** 2, tau_prior=tau.HalfNormal(1))
    expected = figures["summary"]["tau"]
    ours = [fit.tau_median, fit.tau_mean]
    yield "Baeten 2013, control arms", "tau", engine, worst(ours, [expected["median"], expected["mean"]])
    quantiles = [fit.predictive_quantile(p) for p in (0.025, 0.25, 0.5, 0.75, 0.975)]
    theirs = figures["predictive_quantiles_logit"]
    yield "Baeten 2013, control arms", "quantiles of a new control arm", engine, worst(quantiles, theirs)
    size = exact(fit).effective_size(figures["uisd"])
    yield "Baeten 2013, control arms", "effective sample size", engine, worst([size], [figures["ess"]])


def case_32() -> Iterator[Row]:
    figures, _, engine = load("32_bayesmeta_crins2014")
    y, v = figures["yi"], np.array(figures["sei"]) ** 2
    priors: dict[str, tuple[Any, Any]] = {
        "HN05_N04": (tau.HalfNormal(0.5), NormalMu(0, 4)),
        "HC05_N04": (tau.HalfCauchy(0.5), NormalMu(0, 4)),
        "uniform_flat": (tau.Uniform(), FlatMu()),
        "Jeffreys_flat": (tau.Jeffreys(), FlatMu()),
        "DuMouchel_flat": (tau.DuMouchel(), FlatMu()),
        "shrinkage_flat": (tau.Shrinkage(), FlatMu()),
        "Turner_N04": (tau.LogNormal(-1.03, 0.755), NormalMu(0, 4)),
    }
    for name, (tau_prior, mu_prior) in priors.items():
        fit, expected = normal_normal_one(y, v, tau_prior=tau_prior, mu_prior=mu_prior), figures[name]
        ours, theirs = [fit.tau_median, fit.tau_mean], [expected["tau"]["median"], expected["tau"]["mean"]]
        yield "Crins 2014", f"tau, prior {fit.tau_prior}, mu {fit.mu_prior}", engine, worst(ours, theirs)
        yield (
            "Crins 2014",
            f"mu, prior {fit.tau_prior}, mu {fit.mu_prior}",
            engine,
            worst([fit.mu_median], [expected["mu"]["median"]]),
        )


def case_20() -> Iterator[Row]:
    figures, columns, engine = load("20_selection_models")
    y, v = numbers(columns, "yi", "vi")
    cuts = {"hackshaw_3PSM_025_greater": (0.025,), "hackshaw_step_05_1tail": (0.05,), "baskerville_step_05": (0.05,)}
    ours, theirs = [], []
    for name, steps in cuts.items():
        own = np.array([row == name.split("_")[0] for row in columns["set"]])
        found = figures[name]
        likelihood = StepLikelihood(Data(y[own], v[own], 1.0), Steps(steps))
        omega = np.array([found["delta"]])
        at = np.array([found["est"]]), np.array([found["tau2"] ** 0.5])
        ours.append(likelihood.log_likelihood(*at, omega)[0, 0])
        theirs.append(found["logLik"])
    yield "Passive smoking, facilitation", "log likelihood of step functions", engine, worst(ours, theirs)


def case_12() -> Iterator[Row]:
    figures, columns, engine = load("12_riley2003_os_dfs")
    y, v = numbers(columns, "yi", "vi")
    x = np.array([[name == "DFS", name == "OS"] for name in columns["outcome"]], dtype=float)
    terms = parse("~ outcome | study", columns, struct="UN")
    for rho, name in ((0.0, "biv_rho0"), (0.5, "biv_rho05"), (0.8, "biv_rho08")):
        covariance = assumed_covariance(v, columns["study"], rho=rho)
        fit = fit_multilevel(y, covariance, terms, x=x, names=["DFS", "OS"], test="z", intervals=False)
        expected = figures[name]
        yield (
            "Riley 2003, OS and DFS",
            f"bivariate, UN, rho within {rho:g}: estimates, se, tau2, log-likelihood",
            engine,
            worst(
                [*fit.coef, *fit.se, *np.diag(fit.matrices[0]), fit.log_likelihood],
                [*expected["est"], *expected["se"], *expected["tau2"], expected["logLik"]],
            ),
        )


def case_14() -> Iterator[Row]:
    figures, columns, engine = load("14_konstantopoulos2011_three_level")
    y, v = numbers(columns, "yi", "vi")
    for method in ("REML", "ML"):
        fit = fit_multilevel(y, v, parse("~ 1 | district/school", columns), method=method, test="z")
        expected = figures[method]
        yield (
            "School calendars",
            f"three levels, {method}: estimate, se, variances, QE, log-likelihood",
            engine,
            worst(
                [fit.coef[0], fit.se[0], *(c.estimate for c in fit.components), fit.qe, fit.log_likelihood],
                [expected["est"], expected["se"], *expected["sigma2"], expected["QE"], expected["logLik"]],
            ),
        )
        if method == "REML":
            limits = [figures[f"ci_sigma2_{i}"][f"sigma^2.{i}"][1:] for i in (1, 2)]
            yield (
                "School calendars",
                "profile-likelihood limits of both variances",
                engine,
                worst([[c.ci_lower, c.ci_upper] for c in fit.components], limits),
            )
            yield (
                "School calendars",
                "I2 in all, of districts, of schools",
                engine,
                worst([fit.i2, *(h.i2 for h in fit.heterogeneity)], figures["I2_total_district_school"]),
            )


def case_ishak() -> Iterator[Row]:
    figures, columns, engine = load("ishak2007_structures")
    y, v, time = numbers(columns, "yi", "vi", "time")
    covariance = autocorrelated_covariance(v, columns["study"], time, phi=0.97)
    x = np.column_stack([time == t for t in (1, 2, 3, 4)]).astype(float)
    for struct, expected in figures.items():
        terms = parse("~ time | study", columns, struct=struct)
        fit = fit_multilevel(y, covariance, terms, x=x, test="z", intervals=False)
        yield (
            "Ishak 2007, four times",
            f"structure {struct}: estimates, se, log-likelihood",
            engine,
            worst(
                [*fit.coef, *fit.se, fit.log_likelihood], [*expected["est"], *expected["se"], expected["logLik"]]
            ),
        )  # fmt: skip


def case_regression() -> Iterator[Row]:
    figures, columns, engine = load("bcg_meta_regression")
    y, v, latitude, year = numbers(columns, "yi", "vi", "ablat", "year")
    data = "BCG, risk ratio"
    x = np.column_stack([np.ones(len(y)), latitude, year - 1948])
    for method in ("DL", "HE", "HS", "HSk", "SJ", "ML", "REML", "EB", "PM", "PMM"):
        fit = regress_one(y, v, x, method=method.upper(), test="z")
        found = [fit.tau2, fit.se_tau2, fit.i2, fit.r2, fit.qe, fit.qm, *fit.beta, *(c.se for c in fit.coefficients)]
        what = f"regression on latitude and year, {method.upper()}: tau2 and its se, I2, R2, QE, QM, coefficients, se"
        yield data, what, engine, worst(found, figures[f"{method}.fit"])
    for ours, theirs in (("z", "z"), ("t", "t"), ("HK", "knha")):
        fit = regress_one(y, v, x, test=ours)
        fields = ("estimate", "se", "p_value", "ci_lower", "ci_upper")
        found = [fit.qm, fit.qm_p_value, *(getattr(c, name) for name in fields for c in fit.coefficients)]
        yield (
            data,
            f"regression, test {ours}: omnibus, p, intervals",
            engine,
            worst(found, figures[f"ablat + year; {theirs}"]),
        )
    alone = x[:, :2]
    said = combine(regress_one(y, v, alone, test="HK"), [[1, 10], [1, 33], [1, 50]])
    found = np.concatenate([said.estimate, said.se, said.ci_lower, said.ci_upper, said.pi_lower, said.pi_upper])
    yield data, "regression, HK: predictions with both intervals", engine, worst(found, figures["predict knha"])
    rng = np.random.default_rng(1)
    exact = permutation_test(y[:6], v[:6], alone[:6], rng=rng, test="z")
    yield (
        data,
        "all permutations of six studies: p-values",
        engine,
        worst([*exact.p_values, exact.p_model], figures["permutest exact 6"]),
    )
    for method in ("ML", "REML"):
        scaled = location_scale(y, v, alone, x[:, [0, 2]], method=method)
        found = [*scaled.location.estimate, *scaled.location.se, *scaled.scale.estimate, *scaled.scale.se]
        what = f"location-scale model, {method}: coefficients, se, log-likelihood"
        yield data, what, engine, worst([*found, scaled.log_likelihood], figures[f"ls {method}"])


def case_robust() -> Iterator[Row]:
    figures, _, engine = load("robust_variance")
    table = pd.read_csv(CASES / "data" / "assink2016_three_level.csv").sort_values(["study", "esid"])
    x = np.column_stack([np.ones(len(table)), table.year, table.deltype == "overt", table.pubstatus]).astype(float)
    for name, rho in (("RE1", None), ("CORR0.8", 0.8), ("HIER", None), ("CHE", 0.6)):
        working = name.rstrip("0.18")
        for kind in ("CR0", "CR1", "CR2"):
            fit = fit_robust(
                table.yi, table.vi, table.study.tolist(), x=x, working=working, rho=rho, adjustment=kind
            )  # fmt: skip
            test = fit.moderators
            if test is None or test.df2 is None:
                raise ValueError(f"{name}, {kind}: no test of the moderators")
            found = [*fit.vcov.ravel(), *(c.df for c in fit.coefficients), test.statistic, test.df2, test.p_value]
            f, _, df2, p = figures[f"{name}.{kind}.htz"]
            expected = [*np.ravel(figures[f"{name}.{kind}.vcov"]), *figures[f"{name}.{kind}.df"], f, df2, p]
            what = f"working model {working}, {kind}: covariance, Satterthwaite df, HTZ test"
            yield "Recidivism, 17 studies", what, engine, worst(found, expected)


def case_robust_options() -> Iterator[Row]:
    figures, _, engine = load("robust_variance_options")
    recidivism = pd.read_csv(CASES / "data" / "assink2016_three_level.csv").sort_values(["study", "esid"])
    coaching = pd.read_csv(CASES / "data" / "kalaian1996_coaching.csv").sort_values(["study", "outcome"])
    alone = np.ones((len(recidivism), 1))
    means = np.column_stack([coaching.outcome == name for name in ("math", "verbal")]).astype(float)
    for data, key, table, x, models in (
        ("Recidivism, 17 studies", "A", recidivism, alone, {"EQUAL0": None, "CORR0.8": 0.8, "HIER": None, "CHE": 0.8}),
        ("Coaching, 47 studies", "K", coaching, means, {"RE": None, "EQUAL": None, "CHE": 0.66}),
    ):
        for name, rho in models.items():
            working, found, expected = name.rstrip("0.8"), [], []
            for kind in ("CR0", "CR1", "CR2"):
                fit = fit_robust(
                    table.yi, table.vi, table.study.tolist(), x=x, working=working, rho=rho, adjustment=kind
                )  # fmt: skip
                found += [v for c in fit.coefficients for v in (c.estimate, c.se, c.df, c.p_value)]
                theirs = [
                    np.atleast_1d(figures[f"{key}.{name}.{at}"]) for at in ("beta", *(f"{kind}.{q}" for q in _OF))
                ]
                expected += np.column_stack(theirs).ravel().tolist()
                if fit.p > 1:
                    test = fit.test(np.eye(fit.p)[1:] - np.eye(fit.p)[0])
                    found += [test.statistic, test.df2, test.p_value]
                    f, _, df2, p = figures[f"{key}.{name}.{kind}.equal"]
                    expected += [f, df2, p]
            what = "coefficients, se, df, p" + (", HTZ test of equal means" if x.shape[1] > 1 else "")
            yield data, f"working model {working}, CR0 to CR2: {what}", engine, worst(found, expected)


_OF = ("se", "df", "p")


def case_53() -> Iterator[Row]:
    figures, columns, _ = load("53_moore1998_limit_copas")
    effects = two_arm(*numbers(columns, "events1", "n1", "events2", "n2"), measure="OR")
    trials, data = funnel(effects.yi, effects.vi), "NSAIDs, 37 trials"
    for method in ("REML", "DL"):
        limit = limit_meta(trials, method=method)
        found = [limit.adjusted.estimate, limit.adjusted.se, limit.intercept, limit.slope, limit.q, limit.q_small,
                 limit.q_residual, limit.g2]  # fmt: skip
        what = f"limit meta-analysis, {method}: estimate, se, line, Q and its parts, G2"
        yield data, what, "lm of R 4.2.2", worst(found, figures[f"limit {method}"])
    for step in copas(trials, chances=[0.3, 0.1]).steps:
        what = f"Copas model, chance of publication {step.chance:g}: estimate, tau, rho"
        expected = figures[f"copas {step.chance:g}"][:3]
        yield data, what, "optim of R 4.2.2", worst([step.estimate, step.tau2**0.5, step.rho], expected)


def case_54() -> Iterator[Row]:
    figures, columns, engine = load("54_metadat_sweep")
    tests = {"z": ("z", "z"), "t": ("t", "V"), "knha": ("HK", "HK"), "adhoc": ("HK-floor", "HK")}
    largest: dict[str, float] = {}
    for key, (estimate, se, p, lower, upper, *_, q, _, _, _) in figures.items():
        name, method, test = key.split()
        own = np.array([row == name for row in columns["set"]])
        y, v = numbers(columns, "yi", "vi")
        ours = "CE" if method == "EE" else method.upper()
        fit = pool_one(y[own], v[own], method=ours, ci=tests[test][0], tau2_ci="none")
        found = [fit.estimate, fit.se, fit.p_value, fit.ci_lower, fit.ci_upper, fit.q]
        largest[ours] = max(largest.get(ours, 0.0), worst(found, [estimate, se, p, lower, upper, q]))
    for method, difference in largest.items():
        yield "Eleven data sets of metadat", f"{method}: estimate, se, p, interval, Q", engine, difference


def case_55() -> Iterator[Row]:
    figures, columns, engine = load("55_counts_sweep")
    table = pd.DataFrame(
        {name: pd.to_numeric(pd.Series(columns[name]), errors="coerce") for name in ("a", "n1", "c", "n2")}
    )
    arms = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
    person_time = {"events1": "a", "time1": "n1", "events2": "c", "time2": "n2"}
    largest: dict[str, float] = {}
    for key, expected in figures.items():
        name, measure = key.split()
        if measure in ("PFT", "tests"):
            continue
        own = table[[row == name for row in columns["set"]]].reset_index(drop=True)
        model, options = ("peto", {}) if measure == "PETO" else ("mh", {"measure": measure})
        result: Any = fit_with(model, own, **(person_time if measure in ("IRR", "IRD") else arms), **options)
        found = [result.fit.estimate, result.fit.se, result.fit.q]
        largest[measure] = max(largest.get(measure, 0.0), worst(found, [expected[i] for i in (0, 1, 5)]))
    for measure, difference in largest.items():
        name = "Peto" if measure == "PETO" else f"Mantel-Haenszel {measure}"
        yield "Tables of metadat, zeros included", f"{name}: estimate, se, Q", engine, difference


def case_33() -> Iterator[Row]:
    figures, _, engine = load("33_bayes_model_average")
    found = average_models(figures["yi"], np.array(figures["sei"]) ** 2)
    yield (
        "Magnesium trials",
        "inclusion Bayes factors of effect and heterogeneity",
        engine,
        worst(
            [found.inclusion("effect").bf, found.inclusion("heterogeneity").bf],
            [figures["inclusion_BF_effect"], figures["inclusion_BF_heterogeneity"]],
        ),
    )


WHY = """
## What does not agree, and why

- **metafor's default tolerances.** REML and PM stop at a step, or a bracket, of fixed size: 4 to 7 digits here, and
  none on variances around 1e-8. With tight tolerances metafor gives our figures; so does 40-digit arithmetic.
- **Limits of tau2 in metafor** end at a fixed largest value (100, or a multiple of the estimate): with variances of a
  million, or three studies that hardly bound tau2, it is printed as the limit. Ours are searched until they are found.
- **Studies without information.** `escalc` keeps, unless told otherwise (`drop00`), studies without any event and adds
  1/2; here they are listed and not used for ratios, nor does a 0 of theirs set off `if0all`. Where everybody had an
  event the risk ratio is used, as by `escalc`, since 1/2 gives it about the variance that it has; Q of
  Mantel-Haenszel leaves both out, as `rma.mh` does. `escalc` corrects cells of the Peto odds ratio too, without need.
- **Cochran-Mantel-Haenszel** with a difference below the correction of 1/2 is 0 here and in R's `mantelhaen.test`;
  `rma.mh` squares the negative rest.
- **Permutations.** `permutest` leaves out arrangements in which its iteration fails (65 of 126 in place of 67 of 128
  signs on one set of random data); here all count.
- **Trim and fill** on the side where Egger's common-effect line says, as in meta; metafor takes its mixed model's line.
  Mirror images about the mean have equal ranks here, which metafor breaks in the order of rounding. Two studies are
  never trimmed here, so that of three at most one is filled in.
- **Excess significance** is one-sided, as in its paper; metafor's chi-squared test is two-sided unless told otherwise.
- **Limit meta-analysis.** metasens before 1.0-1 took the standard error of a slope with common-effect weights; since
  then, and here, that of beta + tau alpha with random-effects weights and their covariance.
- **The Copas model with a slope** has several maxima. Here all of a grid of tau and rho are followed, and the
  likelihood is at least that of `optim` from 15 starts and of differential evolution on three data sets; on passive
  smoking it is higher (residual p-value 0.025, theirs 0.040). metasens keeps the sign of rho in this model; here rho is
  free, as it is without the slope, so that the models are nested. Where rho is at its bound the standard error takes it
  as given.
- **meta's Q-profile limits** come from a root finder that stops at about 4 digits. metafor's, tightened, are ours.
- **bayesmeta** replaces the posterior of tau by a grid for everything but tau itself; its figures for mu and for a new
  study are good to about 1e-5 here. Ours are held to 1e-7 against numerical integration of the definition
  (`tests/bayes`).
- **Kenward-Roger degrees of freedom** follow Partlett & Riley (2017) and meta: the adjusted variance stands in them
  (10.51 for BCG). With the unadjusted one, as in Kenward & Roger (1997), they would be 10.93.
- **Identical effects.** The Hartung-Knapp factor q is 0 and metafor's interval has no width. Here q is taken as 1 and
  the output says so.
- **GENQ.** metafor pools with the weights that it was given; here the weights serve for tau2 only.
- **Selection models.** R's optimizers stop short: each of our log likelihoods of step and beta functions is the higher.
  Of the half-normal, logistic and power functions ours are lower in the seventh digit or later: metafor's integrals
  carry that error, ours are held to 1e-8 against adaptive integration. metafor's standard error of the half-normal
  model (0.0929) comes from differences of those integrals and is 5 % too small; the information gives 0.0972. Of 106
  further models the log-likelihoods of 81 are the same to 1e-5, 23 of ours are higher, and 2 lower by that error: the
  power function with precision on 30 simulated studies has -3.51906 by the definition and here, -3.51494 in metafor.
- **Orwin's fail-safe number** is from the weighted mean, as in metafor 5; metafor 3 took the plain mean. Both are
  given.
- **rma.mv** stops when its optimizer no longer gains 1e-10 or so of likelihood, which leaves variances 1e-8 to 1e-6
  off, and more where one is 0; ours is never the lower likelihood, and its slope at the maximum is below 1e-8. 133 fits
  of nested, crossed and CS, HCS, UN, DIAG, ID, AR and HAR models to 13 data sets have its likelihood to 1e-6.
- **Location-scale models.** R's BFGS stops at a slope of the likelihood near 1e-6, which leaves 5 or 6 digits of the
  coefficients; ours are by Newton's method to a slope below 1e-9, and the likelihood is not the lower one.
- **Kenward-Roger in meta-regression** has no counterpart in metafor; it is held to the formulas of the paper with
  dense matrices, and for an intercept alone to the pool (`tests/models/test_regression.py`).
- **Robust variance of what rests on one cluster.** A cluster that alone determines a coefficient has residuals of 0 in
  its direction, and the robust standard error comes out far too small (covert delinquency in dat.assink2016: 0.06
  where the model says 0.57). clubSandwich and robumeta print it, and differ in its degrees of freedom, because an
  eigenvalue that is 0 is decided by rounding. Here such a coefficient has no standard error, and the output says why.
- **Mixed models of counts by lme4.** metafor's UM.FS and UM.RS, and its models of single arms, go through lme4, which
  stops early (its gradient for UM.FS was 0.0089) and integrates over 7 nodes, UM.RS by Laplace's approximation. Ours
  are held to sums over a grid of the random effect (UM.FS to 1e-7) and have the higher likelihood; they carry the
  gradient, the condition number of the information and the change when the nodes are doubled. Log-likelihoods include
  every constant; lme4 with more than one node leaves some out. Of 302 fits to 59 data sets the
  Poisson UM.FS differs most (tau2 4.12, lme4 4.27); its log-likelihood by brute force is -79.1933 here, -79.1986 there.
- **Likelihood ratios of rma.glmm.** metafor 3.8 takes the log-likelihoods of lme4's fits (CM.AL, UM.FS, UM.RS, PLO)
  from `deviance()`, which is conditional on the random effects; differences of them are no likelihood ratios. The
  control arms of BCG by allocation give 0.06 so; `logLik` of the same two fits gives 4.697, as here.
- **Standard errors of metafor's CM.EL** can fail (0.084 where the likelihood's curvature gives 0.647; 8e-7 where tau2
  is 0), and UM.RS's by lme4 likewise (0.008 for 0.622). Ours are those of the curvature, by differences too.
- **dosresmeta** searches with a tolerance near 1e-6, and its covariances by 1e-5: ours have the higher likelihood. Its
  effective counts of cumulative-incidence tables (Hamling) miss the ratios that define them by 0.3 %; ours give them.
- **Two maxima.** Where the restricted likelihood has two, metafor's iteration may end at the lower one. Here the
  likelihood is scanned and the higher one taken; `multimodal` says that there were several. It may also stop at 0 where
  the likelihood rises: ML of dat.li2007 in three groups gives 0 there and 0.130 here, 3.7 higher.
"""


def page() -> str:
    """Return the page."""
    cases: list[Callable[[], Iterator[Row]]] = [
        case_01, case_02, case_05, case_12, case_14, case_ishak, case_crossed, case_assink, case_berkey,
        case_regression, case_robust, case_robust_options, case_22, case_27, case_32, case_35, case_33, case_20,
        case_20_models, case_18, case_51, case_52, case_53, case_06, case_counts_left_out, case_08, case_pritz,
        case_dose, case_54, case_55,
    ]  # fmt: skip
    lines = [
        "# Agreement with the reference implementations",
        "",
        "Largest difference, relative to the reference, over the quantities named. The cases, with data, calls and "
        "versions, are in `tests/published/cases/`; `tests/published/` asserts them. Written by `tools/validation.py`.",
        "",
        "| data | quantity | reference | largest relative difference |",
        "|---|---|---|---|",
    ]
    for case in cases:
        lines += [f"| {data} | {what} | {engine} | {difference:.1e} |" for data, what, engine, difference in case()]
    return "\n".join(lines) + "\n" + WHY


if __name__ == "__main__":
    (ROOT / "docs" / "validation.md").write_text(page(), encoding="utf-8")
