"""Several outcomes of the same trials at once: survival, progression and response borrow from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from igfmeta.bayes.components import class_by_tumor
from igfmeta.bayes.distributions import share
from igfmeta.bayes.mcmc.joint import JointPosterior, joint_posterior
from igfmeta.bayes.mcmc.joint_data import JointPriors
from igfmeta.bayes.mcmc.sampling import Plan, Sampled
from igfmeta.bayes.tau_priors import TauPrior, default_tau_prior
from igfmeta.errors import InputError, check_level, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.numerics import Floats
from igfmeta.synthesis.engines import fitted
from igfmeta.synthesis.hierarchy_inputs import HierarchyData, weighting_of
from igfmeta.synthesis.hierarchy_results import threshold
from igfmeta.synthesis.joint_inputs import (
    Within,
    checked_within,
    correlation_of,
    joint_data,
    names_of,
    outcome_data,
    reported_together,
)
from igfmeta.synthesis.pooling import Which
from igfmeta.synthesis.questions import DEFAULT_OUTCOMES
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: Standard deviation of the normal priors of the mean log ratios and of the logits of control arms.
MEAN_SD = 2.5

#: Draws of each chain. The sd between few trials of response mixes slowly with their effects: of 4 x 1,000 draws on the
#: shipped evidence it has an effective size of 640 to 920, at which R-hat is above 1.01 in some runs; twice as many
#: draws double that, for two more seconds of sampling.
DRAWS = 2000

#: A ratio that a patient would notice.
RELEVANT = 0.8

#: Below so many trials with both outcomes a correlation rests on its prior.
FEW = 5


@dataclass(frozen=True)
class JointOutcome:
    """An outcome in the joint model; ratios on the reader's scale.

    Attributes
    ----------
    name, label, measure, better : str
    k : int
    median, ci_lower, ci_upper : float
        Of the mean effect.
    pi_lower, pi_upper : float
        Of a new trial's effect.
    p_benefit, p_relevant : float
        Probability that the mean favours the experimental arm, and that it is at least the relevant ratio.
    alone_median, alone_lower, alone_upper : float
        Of the mean effect where the outcome is analysed by itself.
    tau_median, tau_lower, tau_upper : float
        Standard deviation between trials, on the log scale.
    prior : str
        Of tau.
    """

    name: str
    label: str
    measure: str
    better: str
    k: int
    median: float
    ci_lower: float
    ci_upper: float
    pi_lower: float
    pi_upper: float
    p_benefit: float
    p_relevant: float
    alone_median: float
    alone_lower: float
    alone_upper: float
    tau_median: float
    tau_lower: float
    tau_upper: float
    prior: str


@dataclass(frozen=True)
class JointPair:
    """Two outcomes, the first of which may predict the second.

    Attributes
    ----------
    predictor, predicted : str
    trials : int
        That report both.
    within : float
        Correlation of the sampling errors: an assumption.
    correlation, ci_lower, ci_upper : float
        Posterior median and interval of the correlation of the true effects between trials.
    p_positive : float
    slope, slope_lower, slope_upper : float
        Of the true log effects of the second outcome on those of the first.
    r2 : float
        Posterior median of the squared correlation.
    """

    predictor: str
    predicted: str
    trials: int
    within: float
    correlation: float
    ci_lower: float
    ci_upper: float
    p_positive: float
    slope: float
    slope_lower: float
    slope_upper: float
    r2: float


@dataclass(frozen=True, eq=False)
class JointResult:
    """A joint model of several outcomes.

    Attributes
    ----------
    outcomes : tuple of JointOutcome
    pairs : tuple of JointPair
    trials : int
    relevant, level, lkj : float
        The relevant ratio; the level of intervals; eta of the LKJ prior of the correlations.
    remarks : tuple of str
    origin, fingerprint : str
    sampled : Sampled
    """

    outcomes: tuple[JointOutcome, ...]
    pairs: tuple[JointPair, ...]
    trials: int
    relevant: float
    level: float
    lkj: float
    remarks: tuple[str, ...]
    origin: str
    fingerprint: str
    sampled: Sampled

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the numbers should not be used as they are."""
        return self.sampled.diagnostics.warnings

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "warnings": list(self.warnings),
            "outcomes": [dict(outcome.__dict__) for outcome in self.outcomes],
            "pairs": [dict(pair.__dict__) for pair in self.pairs],
            "trials": self.trials,
            "relevant": self.relevant,
            "level": self.level,
            "model": {"mean_prior": f"normal(0, {MEAN_SD:g})", "lkj": self.lkj},
            "sampling": {
                "engine": f"PyMC ({self.sampled.sampler})",
                "seed": self.sampled.plan.seed,
                "diagnostics": self.sampled.diagnostics.to_dict(),
            },
            "remarks": list(self.remarks),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per outcome."""
        import pandas as pd

        return pd.DataFrame([outcome.__dict__ for outcome in self.outcomes])


def joint(
    evidence: Evidence,
    *,
    outcomes: Sequence[str] = DEFAULT_OUTCOMES,
    within: Within | None = None,
    priors: Mapping[str, TauPrior] | None = None,
    lkj: float = 2.0,
    relevant: float = RELEVANT,
    use: str = "primary",
    level: float = 0.95,
    plan: Plan | None = None,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> JointResult:
    """Model several outcomes of randomized comparisons at once.

    The effects of a trial, one per outcome, are multivariate normal between trials. Hazard ratios are normal on the log
    scale; of an outcome that is counted both arms are binomial, zeros included. A trial that reports some of the
    outcomes takes part with those. PyMC draws, which takes a compilation.

    Parameters
    ----------
    evidence : Evidence
    outcomes : sequence of str
        Two or more outcomes or families, at most one of which is counted.
    within : mapping, optional
        Correlation of the sampling errors of two outcomes, by pair of names. Trials do not report it: by default 0.6 of
        two times to an event and 0.4 of one with response, in the sense of benefit.
    priors : mapping, optional
        Of the standard deviation between trials, by outcome; half-normal, half-t or half-Cauchy. Default
        half-normal(0.5).
    lkj : float
        eta of the LKJ prior of the correlations between trials; 1 is uniform, more favours small ones.
    relevant : float
        A ratio below 1 that a patient would notice; its inverse where more is better.
    use, level, **criteria
        As of `igfmeta.synthesis.pooling.pool`.
    plan : Plan, optional
        How to sample; by default four chains of `DRAWS` draws.
    risk_weights : mapping, optional
        Weight of each risk of bias, as of `igfmeta.synthesis.hierarchy.hierarchy`: what a study says of all its
        outcomes is raised to that power.

    Raises
    ------
    InputError
        An option that is not accepted.
    NothingToPool
        An outcome without two usable studies.

    References
    ----------
    van Houwelingen, Arends & Stijnen 2002, Stat Med 21:589; Riley 2009, J R Stat Soc A 172:789; Papanikos et al. 2022,
    Stat Med 41:4961.
    """
    level = check_level(level)
    if not 0 < relevant < 1:
        raise InputError(f"relevant was {relevant!r}; accepted is a ratio between 0 and 1, such as 0.8.")
    plan = plan or Plan(draws=DRAWS)
    data = outcome_data(evidence, outcomes, use=use, level=level, risk_weights=risk_weights, **criteria)
    chosen = _tau_priors(data, priors)
    correlations = checked_within(data, within)
    given = joint_data(data, correlations)
    model = JointPriors((MEAN_SD,) * len(data), tuple(chosen.values()), lkj=lkj, control_sd=MEAN_SD)
    posterior = joint_posterior(given, model, plan)
    both = reported_together(data)
    few = [f"{one} and {other} ({n})" for (one, other), n in both.items() if n < FEW]
    remarks = [
        "The correlation of sampling errors is assumed, since trials do not report it: vary it to see what it does.",
        *weighting_of(risk_weights, data),
    ]
    if few:
        remarks.append(f"Fewer than {FEW} trials report both: {', '.join(few)}; that correlation rests on its prior.")
    return JointResult(
        outcomes=tuple(
            _outcome(each, posterior, i, prior, relevant, level, plan.seed)
            for i, (each, prior) in enumerate(zip(data, chosen.values(), strict=True))
        ),
        pairs=tuple(
            _pair(data, posterior, i, j, both, correlations, level) for i, j in combinations(range(len(data)), 2)
        ),
        trials=len(set(given.trial.tolist())),
        relevant=relevant,
        level=level,
        lkj=lkj,
        remarks=tuple(remarks),
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        sampled=posterior.sampled.labelled(**names_of(data, given)),
    )


def _tau_priors(data: Sequence[HierarchyData], given: Mapping[str, TauPrior] | None) -> dict[str, TauPrior]:
    chosen = {each.question.name: default_tau_prior(each.question.measure) for each in data}
    unknown = [name for name in given or {} if name not in chosen]
    if unknown:
        raise InputError(f"A prior was given for {listed(unknown)}; the outcomes are {listed(chosen)}.")
    return {**chosen, **(given or {})}


def _summary(draws: Floats, level: float) -> Floats:
    """Return median, lower and upper end."""
    return np.asarray(np.quantile(draws, [0.5, 0.5 - level / 2, 0.5 + level / 2]))


def _outcome(
    data: HierarchyData, posterior: JointPosterior, i: int, prior: TauPrior, relevant: float, level: float, seed: int
) -> JointOutcome:
    question = data.question
    mean = posterior.mu[:, i]
    sign = 1.0 if question.better == "lower" else -1.0
    ends = {
        "": np.exp(_summary(mean, level)),
        "pi": np.exp(_summary(posterior.new[:, i], level)),
        "alone": _alone(data, prior, level, seed),
        "tau": _summary(posterior.tau[:, i], level),
    }
    numbers = {name: values.tolist() for name, values in ends.items()}
    (median, lower, upper), (_, pi_lower, pi_upper) = numbers[""], numbers["pi"]
    (alone_median, alone_lower, alone_upper), (tau_median, tau_lower, tau_upper) = numbers["alone"], numbers["tau"]
    return JointOutcome(
        name=question.name,
        label=question.label,
        measure=question.measure,
        better=question.better,
        k=len(data.studies),
        median=median,
        ci_lower=lower,
        ci_upper=upper,
        pi_lower=pi_lower,
        pi_upper=pi_upper,
        p_benefit=float(share(sign * mean < 0)),
        p_relevant=float(share(sign * mean < sign * threshold(question, relevant))),
        alone_median=alone_median,
        alone_lower=alone_lower,
        alone_upper=alone_upper,
        tau_median=tau_median,
        tau_lower=tau_lower,
        tau_upper=tau_upper,
        prior=prior.label,
    )


def _alone(data: HierarchyData, prior: TauPrior, level: float, seed: int) -> Floats:
    """Return the mean effect of one outcome analysed by itself, by the exact engine."""
    nothing = [0] * len(data.studies)
    factors = class_by_tumor(
        nothing, nothing, nothing, n_classes=1, n_tumors=1, priors={"study": prior}, studies=data.trial.tolist()
    )
    made = fitted(data, factors, np.eye(1), seed=seed, engine="exact", study_effects="normal", plan=None)
    cells = made.posterior.cells()
    return np.exp([cells.quantile(np.array([p]))[0] for p in (0.5, 0.5 - level / 2, 0.5 + level / 2)])


def _pair(
    data: Sequence[HierarchyData], posterior: JointPosterior, i: int, j: int, both: Mapping[tuple[str, str], int],
    within: Within, level: float,
) -> JointPair:  # fmt: skip
    """Return a pair; the one that is known earlier in a trial, and comes later in the list, predicts the other."""
    names = [each.question.name for each in data]
    line, rho = posterior.line(on=j, of=i), posterior.correlation[:, i, j]
    (correlation, lower, upper), slopes = _summary(rho, level).tolist(), _summary(line.slope, level).tolist()
    return JointPair(
        predictor=names[j],
        predicted=names[i],
        trials=both[names[i], names[j]],
        within=correlation_of(within, names[i], names[j]),
        correlation=correlation,
        ci_lower=lower,
        ci_upper=upper,
        p_positive=float(share(rho > 0)),
        slope=slopes[0],
        slope_lower=slopes[1],
        slope_upper=slopes[2],
        r2=float(np.median(line.r2)),
    )
