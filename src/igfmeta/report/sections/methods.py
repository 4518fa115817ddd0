"""Methods in words, made from the objects that were fitted, with the papers that they follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from igfmeta.report.content import Points, Section
from igfmeta.report.dose_summary import COVARIANCE_NAMES
from igfmeta.report.model_words import frequentist_line
from igfmeta.synthesis.analysis import Analysis
from igfmeta.synthesis.pool_models import RANDOM
from igfmeta.synthesis.results import methods_of

#: What each method is, with its paper.
TAU2 = {
    "REML": "restricted maximum likelihood (Viechtbauer 2005, J Educ Behav Stat 30:261)",
    "ML": "maximum likelihood (Hardy & Thompson 1996, Stat Med 15:619)",
    "DL": "the method of moments (DerSimonian & Laird 1986, Control Clin Trials 7:177)",
    "PM": "the method of Paule & Mandel (1982, J Res Natl Bur Stand 87:377)",
    "EB": "empirical Bayes (Morris 1983, J Am Stat Assoc 78:47)",
    "CE": "no between-study variance: a common effect",
}
CI = {
    "HK": "with the Hartung-Knapp adjustment (Hartung & Knapp 2001, Stat Med 20:1771; 20:3875)",
    "HK-floor": "with the Hartung-Knapp adjustment, never narrower than the unadjusted one",
    "KR": "by Kenward & Roger (1997, Biometrics 53:983)",
    "z": "from the normal distribution",
    "t": "from the t distribution with k - 1 degrees of freedom",
}
PI = {
    "HK": "with the Hartung-Knapp variance and k - 1 degrees of freedom",
    "HTS": "by Higgins, Thompson & Spiegelhalter (2009, J R Stat Soc A 172:137)",
    "z": "from the normal distribution",
}
MEASURES = {
    "HR": "Hazard ratios were pooled on the log scale. Where a source prints no 95 % interval, the standard error came "
    "from the interval at its printed level, the p-value, or events with a p-value (Parmar 1998, Stat Med 17:2815; "
    "Tierney 2007, Trials 8:16); each study's line names its rule.",
    "OR": "Odds ratios were pooled on the log scale.",
    "RR": "Risk ratios were pooled on the log scale.",
    "PETO": "Peto's odds ratios were pooled (Yusuf 1985, Prog Cardiovasc Dis 27:335).",
    "RD": "Risk differences were pooled.",
    "PLO": "Rates of one arm were pooled by a binomial model with normal random effects on the logit scale, without a "
    "correction for zero cells (Hamza 2008, J Clin Epidemiol 61:41; Stijnen 2010, Stat Med 29:3046).",
    "PAS": "Rates of one arm were pooled on the arcsine scale (Rücker 2009, Stat Med 28:721).",
    "PFT": "Rates of one arm were pooled on the double-arcsine scale (Freeman & Tukey 1950, Ann Math Stat 21:607).",
}

LOGITS = (
    "Rates of one arm were pooled as logits by inverse variance, 1/2 added to the cells of studies with a zero "
    "(a normal approximation: Stijnen 2010, Stat Med 29:3046)."
)


def section(analyses: Sequence[Analysis]) -> Section:
    """Return the methods of every question; what several share is said once."""
    said = dict.fromkeys(text for analysis in analyses for text in _of(analysis))
    return Section("methods", "Methods", (Points(tuple(said)),))


#: Models of the counts of two arms.
MODELS = {
    "glmm": "Odds ratios were pooled by a mixed model of the counts of both arms, without a correction for zero cells "
    "(Stijnen 2010, Stat Med 29:3046).",
    "mh": "{measure} were pooled by Mantel & Haenszel (1959, J Natl Cancer Inst 22:719; variances of Robins 1986, "
    "Biometrics 42:311, and Greenland & Robins 1985, Biometrics 41:55).",
    "peto": "Peto's odds ratios were pooled in one step (Yusuf 1985, Prog Cardiovasc Dis 27:335).",
    "beta-binomial": "Rates were taken as beta distributed (Kuss 2015, Stat Med 34:1097).",
    "logistic": "Odds ratios were pooled by logistic regression (Breslow & Day 1980, IARC 32).",
    "firth": "Odds ratios were pooled by penalized logistic regression (Firth 1993, Biometrika 80:27; Heinze & "
    "Schemper 2002, Stat Med 21:2409).",
}
_PLURAL = {"OR": "Odds ratios", "RR": "Risk ratios", "RD": "Risk differences"}


def _of_measure(measure: str, model: str) -> str:
    """Return what was pooled, with the paper of its model."""
    if model != RANDOM and not (measure == "PLO" and model == "glmm"):
        return MODELS[model].format(measure=_PLURAL.get(measure, measure))
    known = LOGITS if measure == "PLO" and model == RANDOM else MEASURES.get(measure)
    return known or f"Effects were pooled as {measure}."


def _of(analysis: Analysis) -> Iterator[str]:
    if analysis.answered:
        yield (
            "A study counted once per outcome: contrasts with one control arm were combined within the study by "
            "generalized least squares (Gleser & Olkin 2009), and of several rows of one comparison the primary "
            "one was taken. Retracted sources are in no pool."
        )
    for outcome, answer in analysis.answered:
        used = methods_of(answer.overall)
        measure = answer.question.measure
        yield _of_measure(measure, answer.question.model)
        if answer.overall.fit.k > 1 and answer.question.model == RANDOM:
            yield (
                f"Random effects: tau2 by {TAU2.get(used['method'], used['method'])}; the "
                f"{100 * used['level']:g} % interval of the pooled effect {CI.get(used['ci'], used['ci'])}; the "
                f"prediction interval {PI.get(used['pi'], used['pi'])}; the interval of tau2 by {_TAU2_CI}; I2 from "
                "tau2 (Higgins & Thompson 2002, Stat Med 21:1539)."
            )
        elif answer.overall.fit.k > 1:
            yield frequentist_line(answer.overall)
        yield (
            f"Beside it the Bayesian random-effects model: tau {used['tau_prior']}, mu {used['mu_prior']}, integrated "
            "numerically without sampling (Röver 2020, J Stat Softw 93:6); predictive distribution of a new study."
        )
        if outcome.hierarchy is not None:
            model = outcome.hierarchy
            factors = ", ".join(f"{s.name} {s.prior}" for s in model.sources)
            yield (
                f"Hierarchical model ({model.question.measure}, likelihood {model.likelihood}): study effect = overall "
                f"+ {' + '.join(s.name for s in model.sources)}; standard deviations {factors}; {model.engine} "
                "(Higgins 2009; Gelman & Hill 2007, chapter 13; Vehtari 2024, JMLR 25:72 for the Pareto k)."
            )
        if outcome.sampled is not None and outcome.sampled.sampled is not None:
            yield f"The same model was sampled by {outcome.sampled.engine}, seed {outcome.sampled.seed}."
        if any(each.several for each in outcome.dependence):
            yield (
                "Where studies give several results, all of them were also pooled by the correlated and hierarchical "
                "effects model, with the cluster-robust variance CR2 and Satterthwaite's degrees of freedom "
                "(Pustejovsky & Tipton 2022, Prev Sci 23:425; 2018, J Bus Econ Stat 36:672)."
            )
        if outcome.absolute is not None:
            yield (
                "Absolute effects: baseline risks of the control arms, and the relative effect applied to them; a "
                "hazard ratio as 1 - (1 - p)^HR, and where only a median is known with a constant hazard (Guyatt 2013, "
                "J Clin Epidemiol 66:158)."
            )
        if outcome.rating is not None:
            yield (
                "Certainty by GRADE (Guyatt 2008, BMJ 336:924), its domains by stated rules on computed inputs; "
                "answers worded as Santesso 2020 (J Clin Epidemiol 119:126) advise."
            )
    for result in analysis.risks:
        yield from result.assumptions
    for curve in analysis.doses:
        yield (
            f"Dose-response of {curve.title}: contrasts of one study share their reference; their covariance: "
            f"{COVARIANCE_NAMES[curve.rules.covariance]} (Greenland & Longnecker 1992, Am J Epidemiol 135:1301)."
        )
    if analysis.triangulations:
        yield (
            "Triangulation: effects of trials on log risk per standard deviation of the marker, with errors in both "
            "(Carroll, Ruppert, Stefanski & Crainiceanu 2006, Measurement Error in Nonlinear Models)."
        )


_TAU2_CI = "the Q-profile method (Viechtbauer 2007, Stat Med 26:37)"
