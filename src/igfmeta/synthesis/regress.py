"""Meta-regression of the evidence: what of the effects of trials goes with their year, phase, tumour, any column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

import numpy as np

from igfmeta.errors import InputError, NothingToPool, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.options import several
from igfmeta.synthesis.formula_design import variables
from igfmeta.synthesis.moderators import moderators_of
from igfmeta.synthesis.pooling import Which, pool
from igfmeta.synthesis.regress_results import MetaRegression, RegressionRow
from igfmeta.synthesis.regressing import Material, RegressOptions, regressed
from igfmeta.synthesis.results import Answer, PoolResult
from igfmeta.synthesis.risk_weights import checked_weights, weighting
from igfmeta.synthesis.study_sets import set_of_answer


def regress(
    evidence: Evidence,
    mods: str,
    *,
    outcome: str = "os",
    measure: str | None = None,
    use: str = "primary",
    method: str = "REML",
    ci: str = "HK",
    level: float = 0.95,
    permute: int | None = None,
    seed: int = 1,
    predict: Sequence[str] | str | None = None,
    contrasts: Sequence[str] | str | None = None,
    adjust: str = "holm",
    scale_mods: str | None = None,
    along: str | None = None,
    risk_weights: Mapping[str, float] | None = None,
    **criteria: Unpack[Which],
) -> MetaRegression:
    """Regress the effects of studies on columns of the evidence; for the Bayesian one see `metaregression`.

    The studies are those of `pool`: comparisons that share a control arm are one. Rates are logits with normal
    variances.

    Parameters
    ----------
    evidence : Evidence
    mods : str
        Formula of columns of the trials table and `tumor_group`, such as "~ year + C(phase)".
    outcome, measure, use, risk_weights, **criteria
        As of `igfmeta.synthesis.pooling.pool`; one outcome.
    method, ci, level, permute, seed, predict, contrasts, adjust, scale_mods, along
        See `igfmeta.synthesis.regressing.RegressOptions`.

    Raises
    ------
    InputError
        A formula that cannot be read, columns that are not there or blank, options that are not accepted.
    NothingToPool
        No usable row, or fewer studies than the coefficients need.

    Examples
    --------
    >>> import igfmeta as im
    >>> found = regress(im.load_evidence(), "~ year", agent_class="antibody", outcome="os")
    >>> found.fit.names, found.fit.k
    (('Intercept', 'year'), 8)
    """
    options = RegressOptions(
        mods=mods, method=method, ci=ci, level=level, permute=permute, seed=seed,
        predict=several(predict, parted=False), contrasts=several(contrasts), adjust=adjust, scale_mods=scale_mods,
        along=along,
    ).checked()  # fmt: skip
    found = pool(evidence, outcome=outcome, by="none", measure=measure, use=use, risk_weights=risk_weights, **criteria)
    weights = checked_weights(risk_weights)
    return regressed(_material(evidence, found, _one(found), options, weights), options)


def _one(found: PoolResult) -> Answer:
    answers = list(found)
    if not answers:
        raise NothingToPool(" ".join(each.reason for each in found.unanswered))
    if len(answers) > 1:
        arms = {"comparison": "two arms", "single_arm": "the rate of one arm"}
        names = [f"{answer.question.measure} ({arms[answer.question.arms]})" for answer in answers]
        raise InputError(
            f"{answers[0].question.label} is measured as {' and as '.join(names)}, and a regression is of one measure: "
            f"give measure (--measure): {listed(answer.question.measure for answer in answers)}."
        )
    return answers[0]


def _material(
    evidence: Evidence, found: PoolResult, answer: Answer, options: RegressOptions, weights: Mapping[str, float]
) -> Material:
    studies = answer.overall.studies
    needed = variables(options.mods)
    needed += [] if options.scale_mods is None else variables(options.scale_mods, "scale_mods")
    moderators = moderators_of(evidence, studies, needed)
    own = set_of_answer(answer, origin=found.origin)
    rows = tuple(
        RegressionRow(study.label, int(row), study.yi, study.vi, None, None, study.derivation, None)
        for study, row in zip(studies, moderators.index.tolist(), strict=True)
    )
    return Material(
        title=answer.question.label,
        measure=answer.question.measure,
        yi=np.array([study.yi for study in studies]),
        vi=np.array([study.vi for study in studies]),
        moderators=moderators,
        rows=rows,
        n_harmonic=own.n_harmonic,
        unused=tuple(unused.reason for unused in answer.unused),
        remarks=(*own.remarks(), *weighting(weights, studies)),
        file=None,
        origin=found.origin,
        fingerprint=found.fingerprint,
    )
