"""`fit --model mh`, `peto` and `glmm`: counts pooled as counts, with what each model gives beside the pooled effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models import mantel_haenszel as mh
from igfmeta.models.batch import prepare
from igfmeta.models.glmm import GLMM_CI, VARIANTS, Certified, glmm_one
from igfmeta.models.pooling import pool_one
from igfmeta.models.results import Pooled
from igfmeta.models.weighted import typical_variance
from igfmeta.numerics import Floats
from igfmeta.synthesis.fitting import Detail, FitResult, labels_of, studies_of_table
from igfmeta.synthesis.inputs import FORMS, Columns, Effects, effects_from

if TYPE_CHECKING:
    import pandas as pd

#: The variant whose integral has two dimensions.
RANDOM_INTERCEPTS = "UM.RS"


def counts_of(
    table: pd.DataFrame, columns: Columns, *, model: str, measure: str | None, accepted: Sequence[str], zero_cells: str
) -> Effects:
    """Return the effects of a table of counts; refuse other forms and measures with what the model accepts."""
    form = columns.form()
    if not form.startswith("events"):
        raise InputError(f"Model {model} pools events; the columns named were {form}. Use --model random for those.")
    chosen = check_choice("measure", measure, accepted)
    return effects_from(table, columns, measure=chosen, zero_cells=zero_cells)


def usable_counts(effects: Effects) -> dict[str, Floats]:
    """Return the counts of the usable rows, by role in the order of the form; at least one row."""
    if not effects.usable.any():
        reasons = "; ".join(dict.fromkeys(reason for reason in effects.sizes.reason if reason))
        raise NothingToPool(f"No row can be used: {reasons}." if reasons else "The table has no rows.")
    roles = next(roles for roles in FORMS.values() if set(roles) == set(effects.numbers))
    return {role: effects.numbers[role][effects.usable] for role in roles}


def result_of(
    table: pd.DataFrame, effects: Effects, fit: Pooled, *, model: str, study: str | None, details: Sequence[Detail]
) -> FitResult:
    """Return a fit of counts as what tables, figures and JSON read."""
    return FitResult(
        measure=effects.sizes.measure,
        studies=studies_of_table(table, effects, labels_of(table, study), None, fit),
        fit=fit,
        posterior=None,
        subgroups=None,
        leave_one_out=(),
        cumulative=(),
        n_harmonic=None,
        remarks=fit.remarks,
        file=table.attrs.get("file"),
        model=model,
        details=tuple(details),
    )


def _test(key: str, label: str, test: mh.ChiSquared) -> Detail:
    return Detail(key, label, test.statistic, test.df, test.p_value)


def fit_mh(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    zero_cells: str = "none",
    level: float = 0.95,
    study: str | None = None,
) -> FitResult:
    """Pool two arms by Mantel-Haenszel; see `igfmeta.models.mantel_haenszel`.

    Parameters
    ----------
    measure : {"OR", "RR", "RD", "IRR", "IRD"}
    zero_cells : str
        What is added to zero cells before pooling; nothing by default, since the sums need no correction.
    """
    level = check_level(level)
    effects = counts_of(
        table, columns, model="mh", measure=measure, accepted=tuple(mh.ESTIMATES), zero_cells="only0"
    )  # fmt: skip
    counts = usable_counts(effects)
    a, size1, c, size2 = _corrected(counts, zero_cells)
    common = mh.ESTIMATES[effects.sizes.measure](a, size1, c, size2)
    tells = counts["events1"] + counts["events2"] > 0
    yi, vi = effects.sizes.yi[effects.usable][tells], effects.sizes.vi[effects.usable][tells]
    fit = mh.pooled(common, yi=yi, vi=vi, level=level, method="MH")
    details = []
    if effects.sizes.measure == "OR":
        plain, tarone = mh.breslow_day(float(np.exp(common.estimate)), a, size1, c, size2)
        details += [
            _test("breslow_day", "Breslow-Day test of equal odds ratios", plain),
            _test("tarone", "The same with Tarone's correction", tarone),
        ]
    cmh = mh.rate_cmh if effects.sizes.measure in ("IRR", "IRD") else mh.cochran_mantel_haenszel
    details.append(_test("cmh", "Cochran-Mantel-Haenszel test of no effect, continuity corrected",
                         cmh(*counts.values())))  # fmt: skip
    return result_of(table, effects, fit, model="mh", study=study, details=details)


def _corrected(counts: dict[str, Floats], zero_cells: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the cells with what a policy adds to them."""
    from igfmeta.effects.zero_cells import ZERO_CELLS, corrected_studies, increments

    policy = check_choice("zero_cells", zero_cells, ZERO_CELLS)
    a, size1, c, size2 = counts.values()
    patients = "n1" in counts
    if policy == "treatment_arm" and not patients:
        raise InputError("zero_cells was 'treatment_arm'; with person-time accepted are none, only0, if0all and all.")
    empty = (a == 0) | (c == 0)
    if patients:
        empty |= (a == size1) | (c == size2)
    add1, add2 = increments(size1, size2, corrected_studies(empty, policy), policy, 0.5)
    grown = 2 if patients else 0  # an increment to events and non-events makes an arm larger by two of them
    return a + add1, size1 + grown * add1, c + add2, size2 + grown * add2


def fit_peto(table: pd.DataFrame, columns: Columns, *, level: float = 0.95, study: str | None = None) -> FitResult:
    """Pool two arms by Peto's one-step odds ratio (Yusuf et al. 1985): (O - E)/V with weights V, no correction."""
    effects = counts_of(table, columns, model="peto", measure="PETO", accepted=("PETO",), zero_cells="none")
    usable_counts(effects)
    yi, vi = effects.sizes.yi[effects.usable], effects.sizes.vi[effects.usable]
    pooled = pool_one(yi, vi, method="CE", ci="z", pi="z", tau2_ci="none", level=check_level(level))
    fit = replace(pooled, method="Peto", pi_lower=None, pi_upper=None, pi="none")  # one effect: nothing to predict
    details = [
        Detail("o_minus_e", "Observed minus expected events in arm 1", float((yi / vi).sum())),
        Detail("v", "Sum of the hypergeometric variances", float((1 / vi).sum())),
    ]
    return result_of(table, effects, fit, model="peto", study=study, details=details)


def variants_of(measure: str) -> tuple[str, ...]:
    """Return the likelihoods that there are for a measure, the default first."""
    kept = [variant for known, variant in VARIANTS if known == measure]
    return (*kept, RANDOM_INTERCEPTS) if measure in ("OR", "IRR") else tuple(kept)


def fit_glmm(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    variant: str | None = None,
    method: str = "ML",
    ci: str = "z",
    level: float = 0.95,
    study: str | None = None,
) -> FitResult:
    """Fit a generalized linear mixed model; see `igfmeta.models.glmm`.

    Parameters
    ----------
    measure : {"OR", "IRR", "PLO", "IRLN"}
    variant : str, optional
        OR: CM.EL (exact conditional, the default), CM.AL, UM.FS, UM.RS. IRR: CM.EL, UM.FS, UM.RS.
    method : {"ML", "CE"}
        CE holds tau2 at 0.
    ci : {"z", "t", "PL"}
        Normal, t with k - 1 degrees of freedom, or profile likelihood.
    """
    level = check_level(level)
    method, ci = check_choice("method", method, ("ML", "CE")), check_choice("ci", ci, GLMM_CI)
    accepted = tuple(dict.fromkeys(known for known, _ in VARIANTS))
    effects = counts_of(table, columns, model="glmm", measure=measure, accepted=accepted, zero_cells="only0")
    measure = effects.sizes.measure
    variants = variants_of(measure)
    chosen = variants[0] if variant is None else check_choice("variant", variant, variants)
    counts = usable_counts(effects)
    typical = _typical(effects)
    if chosen == RANDOM_INTERCEPTS:
        from igfmeta.synthesis.fit_regressions import two_dimensional

        fit, details = two_dimensional(effects, counts, typical, method=method, ci=ci, level=level)
        return result_of(table, effects, fit, model="glmm", study=study, details=details)
    found = glmm_one(measure, chosen, counts, typical=typical, method=method, ci=ci, level=level)
    return result_of(
        table, effects, found.fit, model="glmm", study=study, details=glmm_details(found, measure, chosen)
    )  # fmt: skip


def _typical(effects: Effects) -> float:
    """Return the typical variance of the studies' own effects, 0.5 added where a cell is 0."""
    batch = prepare(effects.sizes.yi[effects.usable], effects.sizes.vi[effects.usable])
    if batch.k[0] < 2:
        return float(effects.sizes.vi[effects.usable][0])
    return float(typical_variance(batch)[0] * batch.scale[0])


def glmm_details(found: Certified, measure: str, variant: str) -> list[Detail]:
    """Return what certifies a fit and its likelihood-ratio tests."""
    return [
        Detail("likelihood", "Likelihood", _LIKELIHOODS.get((measure, variant), variant)),
        Detail("log_likelihood", "Log-likelihood, constants included", found.log_likelihood),
        Detail("lrt_tau2", "Likelihood-ratio test of tau2 = 0 (half chi-squared)", found.lrt, 1, found.lrt_p_value),
        Detail("common", "Estimate with tau2 = 0, analysis scale", found.common),
        Detail("gradient", "Largest derivative left at the maximum", found.gradient),
        Detail("condition", "Condition number of the observed information", found.condition),
        Detail("accuracy", f"Change of the log-likelihood from {found.nodes} to {2 * found.nodes - 1} nodes",
               found.accuracy),
    ]  # fmt: skip


_LIKELIHOODS = {
    ("PLO", "logit-normal"): "logit-normal: binomial, logits normal",
    ("IRLN", "Poisson-normal"): "Poisson-normal: Poisson, log rates normal",
    ("OR", "CM.EL"): "CM.EL: non-central hypergeometric given all events (exact)",
    ("OR", "CM.AL"): "CM.AL: binomial given all events (approximate)",
    ("OR", "UM.FS"): "UM.FS: binomial arms, an intercept for each study, half of each effect in each arm",
    ("IRR", "UM.FS"): "UM.FS: Poisson arms, an intercept for each study, half of each effect in each arm",
    ("IRR", "CM.EL"): "CM.EL: binomial given all events (exact)",
}
