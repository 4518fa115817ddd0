"""Trials and epidemiology read together: does a treatment work better where a marker of its target matters more?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from igfmeta.bayes.components import DEFAULT_SCALES
from igfmeta.bayes.slope import SDS, SlopePosterior, Units, slope_posterior
from igfmeta.bayes.tau_priors import HalfNormal, TauPrior, default_tau_prior
from igfmeta.effects.contrasts import target_of
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.evidence.tables import Evidence
from igfmeta.models.batch import prepare
from igfmeta.models.common_tau2 import common_tau2
from igfmeta.models.errors_in_variables import FEWEST, ErrorsInVariables, errors_in_variables
from igfmeta.synthesis.pooling import Which, effects_for
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.risk import each_once, exposure_sds
from igfmeta.synthesis.risk_fits import studies_of
from igfmeta.synthesis.risk_hierarchy import default_scales
from igfmeta.synthesis.risk_inputs import GENOTYPE, OBSERVATIONAL, Asked, select
from igfmeta.synthesis.risk_results import RiskStudy
from igfmeta.synthesis.studies import Sources, Study
from igfmeta.synthesis.studies import studies_of as trials_of
from igfmeta.synthesis.triangulation_remarks import sentences
from igfmeta.synthesis.triangulation_results import PredictorFit, Triangulation, Unit
from igfmeta.version import __version__

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Plan, Sampled

ENGINES = ("exact", "mcmc")

#: Predictors: which strata of associations each takes, and its name.
PREDICTORS: dict[str, tuple[tuple[str, ...], str]] = {
    "prospective": (("prospective",), "Prospective studies"),
    "observational": (OBSERVATIONAL, "Prospective and retrospective studies"),
    "genetic": (("genetic",), "Mendelian randomization"),
}


def default_slope_prior(question: Question) -> float:
    """Return the sd of the slope's prior: it turns the prior sd of cancers into that of types of tumour.

    Before any data the line may then explain as much of how effects differ between types of tumour as the class x
    tumour model allows: 0.3 / 0.12 = 2.5 for log hazard ratios.
    """
    return _trial_scale(question, "tumor") / default_scales(target_of("sd"))["cancer"]


def _trial_scale(question: Question, name: str) -> float:
    unit = default_tau_prior(question.measure).scale / default_tau_prior("HR").scale
    return unit * DEFAULT_SCALES[name]


def _priors(question: Question) -> list[TauPrior]:
    """Return the priors of the standard deviations, those of the models of risk and of trials by themselves."""
    risk = default_scales(target_of("sd"))
    scales = (risk["cancer"], _trial_scale(question, "tumor"), risk["study"], _trial_scale(question, "study"))
    return [HalfNormal(scale) for scale in scales]


def triangulate(
    evidence: Evidence,
    *,
    outcome: str = "os",
    measure: str | None = None,
    marker: str = "igf1",
    predictor: str = "prospective",
    exposure_sd: Mapping[str, str] | None = None,
    use: str = "primary",
    slope_prior: float | None = None,
    level: float = 0.95,
    seed: int = 1,
    engine: str = "exact",
    plan: Plan | None = None,
    **criteria: Unpack[Which],
) -> Triangulation:
    """Relate the effects of trials by type of tumour to what the marker means for the risk of the same cancers.

    The predictor is the log ratio of risk per standard deviation of the marker, estimated with error; the line is
    fitted with errors in both variables, and as one Bayesian model of all studies and all trials. Mendelian
    randomization is a second, independent predictor. Tumour types of one cancer (`epidemiology_cancer` of the tumours
    table) are one unit.

    Parameters
    ----------
    evidence : Evidence
        With trials, associations and tumours.
    outcome, measure : str
        Of the trials; a comparison of arms.
    marker : str
        Circulating, such as "igf1".
    predictor : {"prospective", "observational"}
        Associations of the first predictor; the second is Mendelian randomization.
    exposure_sd : mapping, optional
        Standard deviations of the exposure by population or study, as of `igfmeta.synthesis.risk.risk`.
    use : {"primary", "sensitivity"}
        Of the rows of both tables.
    slope_prior : float, optional
        Standard deviation of the slope's normal prior around 0; default 2.5 for hazard ratios.
    level : float
    seed : int
    engine : {"exact", "mcmc"}
        Importance sampling of four standard deviations, all else exact; or PyMC, as a check.
    plan : Plan, optional
        Of the sampling with "mcmc".
    **criteria
        Which trials: agent_class, agent, tumor ... as of `igfmeta.synthesis.pooling.pool`.

    Raises
    ------
    InputError
        An option that is not accepted, an outcome without a comparison, evidence without the tables.
    NothingToPool
        No trial, or no predictor for any type of tumour with a trial.

    Examples
    --------
    >>> import igfmeta as im
    >>> found = triangulate(im.load_evidence(tables=("trials", "associations")), agent_class="antibody")
    >>> [unit.cancer for unit in found["prospective"].units]
    ['colorectal', 'pancreatic', 'prostate']
    """
    level, engine = check_level(level), check_choice("engine", engine, ENGINES)
    predictor = check_choice("predictor", predictor, [key for key in PREDICTORS if key != "genetic"])
    question, trials, sources, names = _trials(evidence, outcome, measure, use, level, criteria)
    table = evidence.table("associations")
    marker = check_choice("marker", marker, sorted({row["biomarker"] for row in table} - {GENOTYPE}))
    prior_sd = default_slope_prior(question) if slope_prior is None else _positive(slope_prior)
    mapped = {row["tumor_type"]: row["epidemiology_cancer"] for row in evidence.table("tumors")}
    cancers = tuple(sorted({cancer for tumor in trials if (cancer := mapped.get(tumor, ""))}))
    sds = exposure_sds(table, exposure_sd or {})
    priors, engine_plan = _priors(question), (plan or _default_plan(seed)) if engine == "mcmc" else None
    fits = []
    for key in (predictor, "genetic"):
        asked = Asked(cancers, marker, target_of("sd"), strata=PREDICTORS[key][0], use=use, sds=sds)
        studies = each_once(studies_of(select(table, asked)[0], sources, level=level))
        units, missing, tau2s = _units(trials, studies, mapped, names)
        line = _line(units, level)
        posterior, sampled = _posterior(units, priors, prior_sd, seed, engine_plan)
        fits.append(
            PredictorFit(
                key=key,
                label=PREDICTORS[key][1],
                units=units,
                predictor_tau2=tau2s[0],
                trial_tau2=tau2s[1],
                line=line,
                posterior=posterior,
                sampled=sampled,
                level=level,
                better=question.better,
                missing=missing,
                sentences=sentences(units, line, posterior, question, level),
            )
        )
    if not any(fit.units for fit in fits):
        reasons = "; ".join(f"{tumor}: {reason}" for tumor, reason in fits[0].missing)
        raise NothingToPool(f"{question.label}: no type of tumour has both trials and a predictor ({reasons}).")
    return Triangulation(
        question=question,
        marker=marker,
        predictors=tuple(fits),
        priors={"slope": f"normal(0, {prior_sd:g})", **dict(zip(SDS, (p.label for p in priors), strict=True))},
        remarks=_remarks(fits),
        options={"outcome": outcome, "measure": measure, "marker": marker, "predictor": predictor, "use": use,
                 "exposure_sd": dict(exposure_sd or {}), "slope_prior": prior_sd, "level": level, "seed": seed,
                 "engine": engine, **{k: list(v) if isinstance(v, tuple) else v for k, v in criteria.items()}},
        level=level,
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        version=__version__,
    )  # fmt: skip


def _positive(slope_prior: float) -> float:
    if not 0 < slope_prior < float("inf"):
        raise InputError(f"slope_prior was {slope_prior!r}; accepted is a standard deviation above 0, such as 2.5.")
    return float(slope_prior)


def _default_plan(seed: int) -> Plan:
    from igfmeta.bayes.mcmc.sampling import Plan

    return Plan(seed=seed)


def _trials(
    evidence: Evidence, outcome: str, measure: str | None, use: str, level: float, criteria: Mapping[str, Any]
) -> tuple[Question, dict[str, list[Study]], Sources, dict[str, str]]:
    """Return the question, the trials by type of tumour, the sources, and the names of types of tumour."""
    for name in ("trials", "associations", "tumors"):
        if not evidence.table(name):
            raise InputError(f"{evidence.origin} holds no table of {name}, which triangulation needs ({name}.csv).")
    question, effects, sources = effects_for(evidence, outcome, measure=measure, use=use, **criteria)
    if question.arms != "comparison":
        raise InputError(
            f"outcome {outcome!r} was taken as the rate of one arm ({question.measure}); triangulation needs a "
            "comparison: choose measure OR, or an outcome with hazard ratios."
        )
    trials: dict[str, list[Study]] = {}
    for study in trials_of(effects, question.measure, sources, level=level):
        trials.setdefault(study.tumor_type, []).append(study)
    names = {row["tumor_type"]: row["label"] or row["tumor_type"] for row in evidence.table("tumors")}
    return question, trials, sources, names


def _common(groups: Sequence[Sequence[RiskStudy]] | Sequence[Sequence[Study]]) -> tuple[Any, Any, float]:
    """Return the mean of each group, its variance, and the tau2 within groups that they share (REML)."""
    mask = np.arange(max(map(len, groups))) < np.array([[len(group)] for group in groups])
    yi, vi = np.zeros(mask.shape), np.ones(mask.shape)
    yi[mask] = [study.yi for group in groups for study in group]
    vi[mask] = [study.vi for group in groups for study in group]
    tau2 = common_tau2(prepare(yi, vi, mask), "REML")
    w = mask / (vi + tau2)
    return (w * yi).sum(1) / w.sum(1), 1 / w.sum(1), tau2


def _units(
    trials: Mapping[str, Sequence[Study]],
    studies: Sequence[RiskStudy],
    mapped: Mapping[str, str],
    names: Mapping[str, str],
) -> tuple[tuple[Unit, ...], tuple[tuple[str, str], ...], tuple[float, float]]:
    """Return the units, the types of tumour that are in none and why, and tau2 of predictors and of trials."""
    known = {study.cancer for study in studies}
    tumors: dict[str, list[str]] = {}
    missing = []
    for tumor in sorted(trials):
        cancer = mapped.get(tumor, "")
        if not cancer:
            missing.append((names.get(tumor, tumor), "its cancer has no association in the tumours table"))
        elif cancer not in known:
            missing.append((names[tumor], f"no usable association of {cancer.replace('_', ' ')} cancer on this scale"))
        else:
            tumors.setdefault(cancer, []).append(tumor)
    if not tumors:
        return (), tuple(missing), (float("nan"), float("nan"))
    cancers = sorted(tumors)
    own = [[study for study in studies if study.cancer == cancer] for cancer in cancers]
    tested = [[trial for tumor in tumors[cancer] for trial in trials[tumor]] for cancer in cancers]
    (x, s2, psi2), (y, v, tau2) = _common(own), _common(tested)
    units = tuple(
        Unit(
            cancer=cancer,
            label=cancer.replace("_", " ").capitalize(),
            tumors=tuple(names[tumor] for tumor in tumors[cancer]),
            x=float(x[i]),
            x_se=float(s2[i] ** 0.5),
            y=float(y[i]),
            y_se=float(v[i] ** 0.5),
            studies=tuple(own[i]),
            trials=tuple(tested[i]),
        )
        for i, cancer in enumerate(cancers)
    )
    return units, tuple(missing), (psi2, tau2)


def _line(units: Sequence[Unit], level: float) -> ErrorsInVariables | None:
    if len(units) < FEWEST:
        return None
    x, y = (np.array([getattr(unit, name) for unit in units]) for name in ("x", "y"))
    s2, v = (np.array([getattr(unit, name) ** 2 for unit in units]) for name in ("x_se", "y_se"))
    return errors_in_variables(x, s2, y, v, level=level)


def _posterior(
    units: Sequence[Unit], priors: Sequence[TauPrior], prior_sd: float, seed: int, plan: Plan | None
) -> tuple[SlopePosterior | None, Sampled | None]:
    """Return the posterior of the slope, None with fewer than two units; and what PyMC drew, where a plan asks."""
    if len(units) < 2:
        return None, None
    data = Units.of(
        *([np.array([s.yi for s in u.studies]) for u in units], [np.array([s.vi for s in u.studies]) for u in units]),
        *([np.array([t.yi for t in u.trials]) for u in units], [np.array([t.vi for t in u.trials]) for u in units]),
    )
    if plan is None:
        return slope_posterior(data, priors, prior_sd=prior_sd, rng=np.random.default_rng(seed)), None
    from igfmeta.bayes.mcmc.slope import slope_by_mcmc

    return slope_by_mcmc(data, priors, prior_sd=prior_sd, plan=plan)


def _remarks(fits: Sequence[PredictorFit]) -> tuple[str, ...]:
    """Return what the numbers rest on."""
    out = ["Per SD: the slope is the change of the log effect for a log ratio of risk that is larger by 1."]
    units = [unit for fit in fits for unit in fit.units]
    several = sorted({f"{u.label.lower()} ({', '.join(u.tumors)})" for u in units if len(u.tumors) > 1})
    if several:
        out.append(f"Types of tumour of one cancer share its predictor and are one unit: {'; '.join(several)}.")
    shared = sorted(_shared_populations(fits))
    if shared:
        out.append(
            f"Associations of several cancers from one population are taken as independent ({', '.join(shared)})."
        )
    measures = {study.measure for unit in units for study in unit.studies}
    if len(measures) > 1:
        out.append(f"{', '.join(sorted(measures))} of risk are taken as one, the disease taken to be rare.")
    return tuple(out)


def _shared_populations(fits: Sequence[PredictorFit]) -> set[str]:
    shared: set[str] = set()
    for fit in fits:
        seen: dict[str, set[str]] = {}
        for unit in fit.units:
            for study in unit.studies:
                seen.setdefault(study.population, set()).add(unit.cancer)
        shared |= {population for population, cancers in seen.items() if len(cancers) > 1}
    return shared
