"""Bayesian meta-regression: what of the effects of trials goes with their year, phase, tumour or any other column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from igfmeta.bayes.components import Factor, class_by_tumor
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.regression import (
    INTERCEPT_SD,
    SLOPE_SD,
    Moderators,
    binomial_regression,
    regression_posterior,
    two_arm_regression,
)
from igfmeta.bayes.tau_priors import TauPrior, default_tau_prior
from igfmeta.bayes.two_arm_counts import TwoArmCounts
from igfmeta.effects.scales import natural
from igfmeta.errors import NothingToPool, check_level
from igfmeta.evidence.tables import Evidence
from igfmeta.numerics import Floats
from igfmeta.synthesis.engines import Fitted, Likelihood, fitted_by, in_words
from igfmeta.synthesis.formula_design import design, variables
from igfmeta.synthesis.hierarchy_inputs import HierarchyData, hierarchy_data, weighting_of
from igfmeta.synthesis.moderators import moderators_of
from igfmeta.synthesis.pooling import Which
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.studies import Study
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.bayes.mcmc.sampling import Plan, Sampled

#: With fewer studies for each coefficient, the priors speak (a rule of thumb: Higgins et al. 2024, Cochrane Handbook,
#: section 10.11.5.1, names ten).
STUDIES_PER_COEFFICIENT = 10


@dataclass(frozen=True)
class Coefficient:
    """A coefficient, on the log or logit scale.

    Attributes
    ----------
    name : str
        The column of the design.
    median, ci_lower, ci_upper : float
    p_positive : float
        Probability that it is above 0.
    factor, factor_lower, factor_upper : float
        Its exponential: by what the ratio or the odds are multiplied for one unit of the column.
    prior_sd : float
        Of its normal prior, whose mean is 0.
    """

    name: str
    median: float
    ci_lower: float
    ci_upper: float
    p_positive: float
    factor: float
    factor_lower: float
    factor_upper: float
    prior_sd: float


@dataclass(frozen=True, eq=False)
class RegressionResult:
    """A meta-regression.

    Attributes
    ----------
    question : Question
    formula : str
    coefficients : tuple of Coefficient
    average, average_lower, average_upper, pi_lower, pi_upper : float
        The mean effect at the mean of every column, and a new study's there; on the reader's scale.
    tau_median, tau_lower, tau_upper : float
        Standard deviation between studies that the moderators leave.
    tau_without : float
        Posterior median without moderators.
    prior : str
        Of tau.
    studies : tuple of Study
    level : float
    fitted : Fitted
        The posterior of the coefficients and, last, of the effect at the mean of every column.
    seed : int
    remarks : tuple of str
    origin, fingerprint : str
    """

    question: Question
    formula: str
    coefficients: tuple[Coefficient, ...]
    average: float
    average_lower: float
    average_upper: float
    pi_lower: float
    pi_upper: float
    tau_median: float
    tau_lower: float
    tau_upper: float
    tau_without: float
    prior: str
    studies: tuple[Study, ...]
    level: float
    fitted: Fitted
    seed: int
    remarks: tuple[str, ...]
    origin: str
    fingerprint: str

    @property
    def is_rate(self) -> bool:
        return self.question.arms == "single_arm"

    @property
    def sampled(self) -> Sampled | None:
        """The draws, where PyMC drew them."""
        return self.fitted.sampled

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the numbers should not be used as they are."""
        return () if self.sampled is None else self.sampled.diagnostics.warnings

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dictionaries, strings and numbers (JSON)."""
        numbers = ("average", "average_lower", "average_upper", "pi_lower", "pi_upper", "tau_median", "tau_lower",
                   "tau_upper", "tau_without", "level")  # fmt: skip
        posterior = self.fitted.posterior
        return {
            "igfmeta": __version__,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "warnings": list(self.warnings),
            "outcome": self.question.name,
            "measure": self.question.measure,
            "k": len(self.studies),
            "formula": self.formula,
            "coefficients": [dict(c.__dict__) for c in self.coefficients],
            **{name: getattr(self, name) for name in numbers},
            "model": {
                "likelihood": self.fitted.likelihood,
                "study_effects": self.fitted.study_effects,
                "prior_tau": self.prior,
                "prior_intercept_sd": INTERCEPT_SD,
                "prior_slope_sd": SLOPE_SD,
            },
            "sampling": {
                "engine": self.fitted.engine,
                "seed": self.seed,
                "draws": len(posterior.weights),
                "effective_draws": finite(posterior.effective_size),
                "pareto_k": finite(posterior.pareto_k),
                "diagnostics": None if self.sampled is None else self.sampled.diagnostics.to_dict(),
            },
            "remarks": list(self.remarks),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient."""
        import pandas as pd

        return pd.DataFrame([c.__dict__ for c in self.coefficients])


def metaregression(
    evidence: Evidence,
    formula: str,
    *,
    outcome: str = "os",
    measure: str | None = None,
    prior: TauPrior | None = None,
    use: str = "primary",
    level: float = 0.95,
    seed: int = 1,
    engine: str = "exact",
    study_effects: str = "normal",
    plan: Plan | None = None,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> RegressionResult:
    """Regress the effects of studies on columns of the evidence, in one step.

    Hazard ratios are normal on the log scale; counts of one or two arms are binomial, zeros included. Priors of the
    coefficients do not depend on the units of the columns, see `igfmeta.bayes.regression.Moderators.of`.

    Parameters
    ----------
    evidence : Evidence
    formula : str
        Such as "~ year + C(phase)", of columns of the trials table.
    outcome, measure, use, level, **criteria
        As of `igfmeta.synthesis.hierarchy.hierarchy`.
    prior : TauPrior, optional
        Of the standard deviation between studies; default half-normal(0.5) of log ratios, half-normal(1) of logits.
    seed, engine, study_effects, plan, risk_weights
        As of `igfmeta.synthesis.hierarchy.hierarchy`.

    Raises
    ------
    InputError
        A formula that cannot be read, a column that is not there or is blank, coefficients that are not determined.
    NothingToPool
        No usable row, or no more studies than coefficients.

    Examples
    --------
    >>> import igfmeta as im
    >>> found = metaregression(im.load_evidence(), "~ year", outcome="progression")
    >>> [c.name for c in found.coefficients], len(found.studies)
    (['Intercept', 'year'], 17)
    """
    level = check_level(level)
    data = hierarchy_data(
        evidence, outcome, measure=measure, use=use, level=level, risk_weights=risk_weights, **criteria
    )
    chosen = prior or default_tau_prior(data.question.measure)
    X, names = design(formula, moderators_of(evidence, data.studies, variables(formula)))
    if len(data.studies) <= len(names):
        count = "1 study" if len(data.studies) == 1 else f"{len(data.studies)} studies"
        raise NothingToPool(f"{data.question.label}: {count} for {len(names)} coefficients; there must be more.")
    moderators = Moderators.of(X, names)
    nothing = [0] * len(data.studies)
    factors = class_by_tumor(
        nothing, nothing, nothing, n_classes=1, n_tumors=1, priors={"study": chosen}, studies=data.trial.tolist()
    )
    weights = np.concatenate([np.eye(len(names)), X.mean(axis=0)[None]])
    made = fitted_by(
        _likelihood(data, moderators, factors, weights),
        data,
        seed=seed,
        engine=engine,
        study_effects=study_effects,
        plan=plan,
    )
    if made.sampled is not None:
        cells = [*names, "at the mean of every column"]
        made = replace(
            made, sampled=made.sampled.labelled(cell=cells), study_effects=in_words(study_effects, estimated=False)
        )
    without = _likelihood(data, Moderators.of(np.ones((len(X), 1)), ["Intercept"]), factors, np.eye(1))
    alone = without.exact(np.random.default_rng(seed))
    made = replace(made, remarks=(*made.remarks, *weighting_of(risk_weights, [data])))
    return _result(evidence, data, formula, moderators, made, alone, chosen, level, seed)


def _likelihood(data: HierarchyData, moderators: Moderators, factors: list[Factor], weights: Floats) -> Likelihood:
    """Return the likelihood of the measure, with its two engines."""
    if not data.binomial:
        return _normal(data, moderators, factors, weights)
    return (_one_arm if data.question.arms == "single_arm" else _two_arms)(data, moderators, factors, weights)


def _normal(data: HierarchyData, moderators: Moderators, factors: list[Factor], weights: Floats) -> Likelihood:
    def exact(rng: np.random.Generator) -> CrossedPosterior:
        return regression_posterior(data.y, data.covariance, moderators, factors, weights, rng=rng)

    def drawn(study_effects: str, plan: Plan) -> tuple[CrossedPosterior, Sampled]:
        from igfmeta.bayes.mcmc.regression import Terms, normal_regression_by_mcmc

        terms = Terms(moderators, factors, weights, study_effects)
        return normal_regression_by_mcmc(data.y, data.covariance, terms, plan=plan)

    return Likelihood("normal", "normal", "importance sampling", exact, drawn)


def _one_arm(data: HierarchyData, moderators: Moderators, factors: list[Factor], weights: Floats) -> Likelihood:
    events, n = data.counts[:, 0], data.counts[:, 1]

    def exact(rng: np.random.Generator) -> CrossedPosterior:
        return binomial_regression(events, n, moderators, factors, weights, share=data.share, rng=rng)

    def drawn(study_effects: str, plan: Plan) -> tuple[CrossedPosterior, Sampled]:
        from igfmeta.bayes.mcmc.regression import Terms, binomial_regression_by_mcmc

        terms = Terms(moderators, factors, weights, study_effects)
        return binomial_regression_by_mcmc(events, n, terms, share=data.share, plan=plan)

    return Likelihood("binomial", "normal", "Laplace's method and importance sampling", exact, drawn)


def _two_arms(data: HierarchyData, moderators: Moderators, factors: list[Factor], weights: Floats) -> Likelihood:
    events1, n1, events0, n0 = data.counts.T
    counts = TwoArmCounts.of(events1, n1, events0, n0, data.control, share=data.share)

    def exact(rng: np.random.Generator) -> CrossedPosterior:
        return two_arm_regression(counts, moderators, factors, weights, rng=rng)

    def drawn(study_effects: str, plan: Plan) -> tuple[CrossedPosterior, Sampled]:
        from igfmeta.bayes.mcmc.regression import Terms, two_arm_regression_by_mcmc

        return two_arm_regression_by_mcmc(counts, Terms(moderators, factors, weights, study_effects), plan=plan)

    return Likelihood("binomial, both arms", "normal", "Laplace's method and importance sampling", exact, drawn)


def _result(
    evidence: Evidence, data: HierarchyData, formula: str, moderators: Moderators, made: Fitted,
    without: CrossedPosterior, prior: TauPrior, level: float, seed: int,
) -> RegressionResult:  # fmt: skip
    n = len(moderators.names) + 1
    cells, p = made.posterior.cells(), (0.5, 0.5 - level / 2, 0.5 + level / 2)
    found = np.stack([cells.quantile(np.full(n, q)) for q in p], axis=1)
    above = np.clip(1 - cells.cdf(np.zeros(n)), 0.0, 1.0)
    new = made.posterior.new_studies()
    pi = [float(new.quantile(np.full(n, q))[-1]) for q in p[1:]]
    average, average_lower, average_upper, pi_lower, pi_upper = (
        float(natural(data.question.measure, value)) for value in (*found[-1], *pi)
    )
    tau = made.posterior.sd_quantiles(p)[0].tolist()
    sds = np.linalg.norm(moderators.root, axis=1).tolist()
    coefficients = tuple(
        _coefficient(name, found[i], float(above[i]), sd)
        for i, (name, sd) in enumerate(zip(moderators.names, sds, strict=True))
    )
    return RegressionResult(
        question=data.question,
        formula=formula,
        coefficients=coefficients,
        average=average,
        average_lower=average_lower,
        average_upper=average_upper,
        pi_lower=pi_lower,
        pi_upper=pi_upper,
        tau_median=tau[0],
        tau_lower=tau[1],
        tau_upper=tau[2],
        tau_without=float(without.sd_quantiles([0.5])[0, 0]),
        prior=prior.label,
        studies=data.studies,
        level=level,
        fitted=made,
        seed=seed,
        remarks=(*made.remarks, *_remarks(data, moderators)),
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
    )


def _coefficient(name: str, found: Floats, above: float, prior_sd: float) -> Coefficient:
    with np.errstate(over="ignore"):
        factors = np.minimum(np.exp(found), np.finfo(float).max).tolist()
    values = dict(zip(("median", "ci_lower", "ci_upper"), found.tolist(), strict=True))
    values |= dict(zip(("factor", "factor_lower", "factor_upper"), factors, strict=True))
    return Coefficient(name=name, p_positive=above, prior_sd=prior_sd, **values)


def _remarks(data: HierarchyData, moderators: Moderators) -> list[str]:
    k, slopes = len(data.studies), len(moderators.names) - 1
    words = "1 slope" if slopes == 1 else f"{slopes} slopes"
    remarks = ["Moderators of trials are not randomized: an association across trials may be due to something else."]
    if k < STUDIES_PER_COEFFICIENT * slopes:
        remarks.append(f"{k} studies for {words}, fewer than {STUDIES_PER_COEFFICIENT} each: the priors weigh in.")
    return remarks
