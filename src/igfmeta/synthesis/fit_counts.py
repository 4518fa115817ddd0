"""`fit` of counts pooled as counts, with what each model gives beside the pooled effect; here mh, peto and glmm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.models import mantel_haenszel as mh
from igfmeta.models.count_fits import RANDOM_INTERCEPTS, CountFit, CountStudies, fit_counts
from igfmeta.models.count_subgroups import subgroup_counts
from igfmeta.models.deletion import up_to_each, without_each
from igfmeta.models.glmm import GLMM_CI, VARIANTS
from igfmeta.models.random_intercepts import FINER, NODES
from igfmeta.numerics import Floats, Mask
from igfmeta.synthesis.fitting import Detail, FitResult, Step, groups_of, labels_of, selected, studies_of_table
from igfmeta.synthesis.inputs import FORMS, Columns, Effects, effects_from

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Asked:
    """What is asked beside the pool: columns of labels and of groups, and fits with studies left out or added."""

    study: str | None
    subgroup: str | None
    leave_one_out: bool
    cumulative: bool
    subgroup_tau2: str = "separate"


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


def count_studies(effects: Effects) -> CountStudies:
    """Return the usable studies of a table as the models of counts take them."""
    counts, usable = usable_counts(effects), effects.usable
    return CountStudies(effects.sizes.measure, counts, effects.sizes.yi[usable], effects.sizes.vi[usable])


def result_of(
    table: pd.DataFrame,
    effects: Effects,
    model: str,
    asked: Asked,
    *,
    details: Callable[[CountFit], Sequence[Detail]],
    main: Callable[[CountStudies], CountFit] | None = None,
    **options: Any,
) -> FitResult:
    """Fit a model to all studies of a table, and to what is asked beside them; `main` fits all studies otherwise."""
    studies = count_studies(effects)
    found = fit_counts(model, studies, **options)[0] if main is None else main(studies)
    fit, labels = found.fit.required(), labels_of(table, asked.study)
    groups, kept = groups_of(table, asked.subgroup), selected(labels, effects.usable)
    apart = None
    if groups is not None:
        members = selected(groups, effects.usable)
        apart = subgroup_counts(model, studies, members, tau2=asked.subgroup_tau2, **options)

    def steps(mask: Mask) -> tuple[Step, ...]:
        fits = fit_counts(model, studies, mask, **options)
        return tuple(Step(label, each.fit) for label, each in zip(kept, fits, strict=True))

    return FitResult(
        measure=studies.measure,
        studies=studies_of_table(table, effects, labels, groups, fit),
        fit=fit,
        posterior=None,
        subgroups=apart,
        leave_one_out=steps(without_each(studies.k)) if asked.leave_one_out else (),
        cumulative=steps(up_to_each(studies.k)) if asked.cumulative else (),
        n_harmonic=None,
        remarks=fit.remarks,
        file=table.attrs.get("file"),
        model=model,
        details=tuple(details(found)),
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
    subgroup: str | None = None,
    leave_one_out: bool = False,
    cumulative: bool = False,
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

    def details(found: CountFit) -> list[Detail]:
        studies = count_studies(effects)
        rates = effects.sizes.measure in ("IRR", "IRD")
        cmh = (mh.rate_cmh if rates else mh.cochran_mantel_haenszel)(*studies.counts.values())
        tests = []
        if effects.sizes.measure == "OR":
            cells = (np.broadcast_to(cell, (1, studies.k))[0]
                     for cell in mh.corrected(studies.counts, studies.everything, zero_cells))  # fmt: skip
            plain, tarone = mh.breslow_day(float(np.exp(found.fit.estimate)), *cells)
            tests = [_test("breslow_day", "Breslow-Day test of equal odds ratios", plain),
                     _test("tarone", "The same with Tarone's correction", tarone)]  # fmt: skip
        return [*tests, _test("cmh", "Cochran-Mantel-Haenszel test of no effect, continuity corrected", cmh)]

    asked = Asked(study, subgroup, leave_one_out, cumulative)
    return result_of(table, effects, "mh", asked, details=details, level=level, zero_cells=zero_cells)


def fit_peto(
    table: pd.DataFrame,
    columns: Columns,
    *,
    level: float = 0.95,
    study: str | None = None,
    subgroup: str | None = None,
    leave_one_out: bool = False,
    cumulative: bool = False,
) -> FitResult:
    """Pool two arms by Peto's one-step odds ratio (Yusuf et al. 1985): (O - E)/V with weights V, no correction."""
    effects = counts_of(table, columns, model="peto", measure="PETO", accepted=("PETO",), zero_cells="none")

    def details(found: CountFit) -> list[Detail]:
        return [
            Detail("o_minus_e", "Observed minus expected events in arm 1", found.numbers["o_minus_e"]),
            Detail("v", "Sum of the hypergeometric variances", found.numbers["v"]),
        ]

    asked = Asked(study, subgroup, leave_one_out, cumulative)
    return result_of(table, effects, "peto", asked, details=details, level=check_level(level))


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
    subgroup: str | None = None,
    subgroup_tau2: str = "separate",
    leave_one_out: bool = False,
    cumulative: bool = False,
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
    subgroup_tau2 : {"separate", "common"}
        Separate fits of the groups and a Wald test between them, or one tau2 and the likelihood ratio.
    """
    level = check_level(level)
    method, ci = check_choice("method", method, ("ML", "CE")), check_choice("ci", ci, GLMM_CI)
    accepted = tuple(dict.fromkeys(known for known, _ in VARIANTS))
    effects = counts_of(table, columns, model="glmm", measure=measure, accepted=accepted, zero_cells="only0")
    measure = effects.sizes.measure
    variants = variants_of(measure)
    chosen = variants[0] if variant is None else check_choice("variant", variant, variants)
    asked = Asked(study, subgroup, leave_one_out, cumulative, subgroup_tau2)
    return result_of(table, effects, "glmm", asked, details=lambda found: _glmm_details(found, measure, chosen),
                     variant=chosen, method=method, ci=ci, level=level)  # fmt: skip


def _glmm_details(found: CountFit, measure: str, variant: str) -> list[Detail]:
    """Return what certifies a fit and its likelihood-ratio tests."""
    numbers = found.numbers
    finer = f"{NODES} x {NODES} to {FINER} x {FINER}"
    if variant != RANDOM_INTERCEPTS:
        finer = f"{numbers['nodes']:.0f} to {2 * numbers['nodes'] - 1:.0f}"
    intercepts = []
    if variant == RANDOM_INTERCEPTS:
        intercepts.append(Detail("sigma2", "Variance of the intercepts", numbers["sigma2"]))
    return [
        Detail("likelihood", "Likelihood", _LIKELIHOODS.get((measure, variant), variant)),
        Detail("log_likelihood", "Log-likelihood, constants included", numbers["log_likelihood"]),
        Detail("lrt_tau2", "Likelihood-ratio test of tau2 = 0 (half chi-squared)", numbers["lrt"], 1,
               numbers["lrt_p_value"]),
        Detail("common", "Estimate with tau2 = 0, analysis scale", numbers["common"]),
        *intercepts,
        Detail("gradient", "Largest derivative left at the maximum", numbers["gradient"]),
        Detail("condition", "Condition number of the observed information", numbers["condition"]),
        Detail("accuracy", f"Change of the log-likelihood from {finer} nodes", numbers["accuracy"]),
    ]  # fmt: skip


_LIKELIHOODS = {
    ("PLO", "logit-normal"): "logit-normal: binomial, logits normal",
    ("IRLN", "Poisson-normal"): "Poisson-normal: Poisson, log rates normal",
    ("OR", "CM.EL"): "CM.EL: non-central hypergeometric given all events (exact)",
    ("OR", "CM.AL"): "CM.AL: binomial given all events (approximate)",
    ("OR", "UM.FS"): "UM.FS: binomial arms, an intercept for each study, half of each effect in each arm",
    ("IRR", "UM.FS"): "UM.FS: Poisson arms, an intercept for each study, half of each effect in each arm",
    ("OR", RANDOM_INTERCEPTS): "UM.RS: both arms, normal intercepts and effects, independent",
    ("IRR", RANDOM_INTERCEPTS): "UM.RS: both arms, normal intercepts and effects, independent",
    ("IRR", "CM.EL"): "CM.EL: binomial given all events (exact)",
}
