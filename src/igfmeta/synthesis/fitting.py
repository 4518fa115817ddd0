"""Pools one table of anybody's: effects from named columns, the fit, and what is asked beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.bayes.posterior import Posterior, normal_normal_one
from igfmeta.bayes.tau_priors import TauPrior, default_tau_prior, parse_tau_prior
from igfmeta.effects.one_arm import proportion_interval
from igfmeta.effects.rates import rate_interval
from igfmeta.effects.scales import natural
from igfmeta.errors import InputError, NothingToPool, Problem, check_level
from igfmeta.evidence.columns import BLANK
from igfmeta.models import deletion, pooling
from igfmeta.models.results import Pooled, PooledBatch
from igfmeta.models.subgroups import SubgroupFit, pool_subgroups
from igfmeta.numerics import Floats, Mask, t_quantile
from igfmeta.synthesis.display import Drawn
from igfmeta.synthesis.inputs import Columns, Effects, effects_from
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.remarks import of_group
from igfmeta.synthesis.results import finite, fit_to_dict
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

_NATURAL = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")


@dataclass(frozen=True)
class FitStudy:
    """One row of the table: its effect on the analysis scale, its own interval on the reader's scale, its weight.

    A row that could not be used has `reason`, and no numbers.
    """

    label: str
    row: int
    group: str | None
    yi: float | None
    vi: float | None
    estimate: float | None
    ci_lower: float | None
    ci_upper: float | None
    weight: float | None
    derivation: str
    reason: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Step:
    """The pool without one study, or with the studies up to one."""

    label: str
    fit: Pooled


@dataclass(frozen=True)
class Detail:
    """A number that a model gives beside the pooled effect, in words; with its test where it is one."""

    key: str
    label: str
    value: float | str | None
    df: int | None = None
    p_value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        value = finite(self.value)
        return {"label": self.label, "value": value, "df": self.df, "p_value": finite(self.p_value)}


@dataclass(frozen=True, eq=False)
class FitResult(Drawn):
    """The pool of one table.

    Attributes
    ----------
    measure : str
        The effect measure; it fixes the scale on which `fit` stands.
    studies : tuple of FitStudy
        Every row of the table, the unusable ones too.
    fit : Pooled
    posterior : Posterior or None
    subgroups : SubgroupFit or None
    leave_one_out, cumulative : tuple of Step
    n_harmonic : float or None
        Harmonic mean of the sample sizes, for the inverse of the double arcsine.
    remarks : tuple of str
    file : str or None
    model : str
        Name in `igfmeta.synthesis.models_of_fit`.
    details : tuple of Detail
        What the model gives beside the pooled effect: tests, log-likelihood, how exactly the maximum was found.
    """

    measure: str
    studies: tuple[FitStudy, ...]
    fit: Pooled
    posterior: Posterior | None
    subgroups: SubgroupFit | None
    leave_one_out: tuple[Step, ...]
    cumulative: tuple[Step, ...]
    n_harmonic: float | None
    remarks: tuple[str, ...]
    file: str | None
    model: str = "random"
    details: tuple[Detail, ...] = ()

    def natural(self, value: float | None) -> float | None:
        """Return a value of the analysis scale on the reader's scale."""
        return None if value is None else finite(float(natural(self.measure, value, n_harmonic=self.n_harmonic)))

    def _pooled(self, fit: Pooled) -> dict[str, Any]:
        flat = {name: value for name, value in fit_to_dict(fit).items() if name != "weights"}
        return {**flat, "natural": {name: self.natural(getattr(fit, name)) for name in _NATURAL}}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        out: dict[str, Any] = {
            "igfmeta": __version__,
            "file": self.file,
            "model": self.model,
            "measure": self.measure,
            **self._pooled(self.fit),
        }
        if self.posterior is not None:
            posterior = self.posterior.to_dict()
            scaled = ("mu_median", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
            out["posterior"] = {**posterior, "natural": {name: self.natural(posterior[name]) for name in scaled}}
        if self.subgroups is not None:
            groups = zip(self.subgroups.levels, self.subgroups.fits, strict=True)
            out["subgroups"] = [{"group": level, **self._pooled(fit)} for level, fit in groups]
            out["between_groups"] = {
                "q": self.subgroups.q_between,
                "df": self.subgroups.q_between_df,
                "p_value": self.subgroups.p_between,
                "tau2": self.subgroups.tau2,
                "test": self.subgroups.test,
            }
        for name in ("leave_one_out", "cumulative"):
            if steps := getattr(self, name):
                out[name] = [{"study": step.label, **self._pooled(step.fit)} for step in steps]
        if self.details:
            out["details"] = {detail.key: detail.to_dict() for detail in self.details}
        out["studies"] = [{**study.__dict__, "notes": list(study.notes)} for study in self.studies]
        out["remarks"] = list(self.remarks)
        return out

    def to_frame(self) -> pd.DataFrame:
        """Return the studies, the pooled effect and its subgroups, one row each, on the reader's scale."""
        import pandas as pd

        rows = [
            {
                "kind": "study",
                "label": s.label,
                "estimate": s.estimate,
                "ci_lower": s.ci_lower,
                "ci_upper": s.ci_upper,
                "weight": s.weight,
                "reason": s.reason,
            }
            for s in self.studies
        ]
        return pd.DataFrame([*rows, *self._pooled_rows()])

    def _pooled_rows(self) -> Iterator[dict[str, Any]]:
        fits = [("pooled", "All studies", self.fit)]
        if self.subgroups is not None:
            groups = zip(self.subgroups.levels, self.subgroups.fits, strict=True)
            fits += [("subgroup", str(level), fit) for level, fit in groups]
        fits += [("leave_one_out", step.label, step.fit) for step in self.leave_one_out]
        fits += [("cumulative", step.label, step.fit) for step in self.cumulative]
        for kind, label, fit in fits:
            scaled = {name: self.natural(getattr(fit, name)) for name in _NATURAL}
            why = None if fit.estimate is not None else fit.remarks[0]
            yield {"kind": kind, "label": label, "k": fit.k, **scaled, "tau2": fit.tau2, "i2": fit.i2, "q": fit.q,
                   "reason": why}  # fmt: skip


def labels_of(frame: pd.DataFrame, column: str | None) -> list[str]:
    return [f"Study {i + 1}" for i in range(len(frame))] if column is None else _texts(frame, column)


def groups_of(frame: pd.DataFrame, column: str | None) -> list[str] | None:
    """Return the group of each row; None where no column names it."""
    return None if column is None else [text or BLANK for text in _texts(frame, column)]


def _texts(frame: pd.DataFrame, column: str) -> list[str]:
    if column not in frame.columns:
        raise InputError(Problem(f"there is no column {column!r}.", file=frame.attrs.get("file")))
    return ["" if value != value or value is None else str(value) for value in frame[column]]


def own_intervals(effects: Effects, measure: str, level: float) -> Floats:
    """Return estimate, lower and upper of each row on the reader's scale, shape (3, k)."""
    yi, vi = effects.sizes.yi, effects.sizes.vi
    size = effects.n if effects.n is not None else effects.numbers.get("time")
    if effects.events is not None and size is not None:
        usable, exact = effects.usable, proportion_interval if effects.n is not None else rate_interval
        own = np.full((3, len(yi)), np.nan)
        own[0, usable] = effects.events[usable] / size[usable]
        own[1:, usable] = exact(effects.events[usable], size[usable], level=level)
        return own
    half = float(t_quantile(0.5 + level / 2, np.inf)) * np.sqrt(vi)
    return np.asarray(natural(measure, np.stack([yi, yi - half, yi + half])))


def studies_of_table(
    frame: pd.DataFrame,
    effects: Effects,
    labels: Sequence[str],
    groups: Sequence[str] | None,
    fit: Pooled,
) -> tuple[FitStudy, ...]:
    """Return every row of a table as a study, with its own interval and its weight in the fit."""
    level = fit.level
    own = own_intervals(effects, effects.sizes.measure, level)
    weights = np.full(len(labels), np.nan)
    weights[effects.usable] = fit.weights
    spreadsheet = frame.index if frame.index.name == "row" else range(1, len(frame) + 1)
    return tuple(
        FitStudy(
            label=labels[i],
            row=int(row),
            group=groups[i] if groups else None,
            yi=finite(float(effects.sizes.yi[i])),
            vi=finite(float(effects.sizes.vi[i])),
            estimate=finite(float(own[0, i])),
            ci_lower=finite(float(own[1, i])),
            ci_upper=finite(float(own[2, i])),
            weight=finite(float(weights[i])),
            derivation=effects.sizes.derivation[i],
            reason=effects.sizes.reason[i],
            notes=effects.sizes.notes[i],
        )
        for i, row in enumerate(spreadsheet)
    )


def _steps(labels: Sequence[str], batch: PooledBatch) -> tuple[Step, ...]:
    return tuple(Step(label=label, fit=batch.one(i)) for i, label in enumerate(labels))


def selected(values: Sequence[str], keep: Mask) -> list[str]:
    """Return the values of a mask."""
    return [value for value, kept in zip(values, keep, strict=True) if kept]


def fit(
    table: pd.DataFrame,
    columns: Columns | None = None,
    *,
    measure: str | None = None,
    scale: str | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
    study: str | None = None,
    subgroup: str | None = None,
    subgroup_tau2: str = "separate",
    leave_one_out: bool = False,
    cumulative: bool = False,
    bayes: bool = False,
    prior: str | TauPrior | None = None,
    methods: Methods | None = None,
    **named: str,
) -> FitResult:
    """Pool the studies of a table.

    Parameters
    ----------
    table : DataFrame
        One row per study; the columns used must be numeric.
    columns : Columns, optional
        Which column holds what; may be given as keywords instead: `yi="yi", vi="vi"`.
    measure, scale, ci_level, zero_cells
        See `igfmeta.synthesis.inputs.effects_from`.
    study, subgroup : str, optional
        Columns of labels, and of groups to pool apart.
    subgroup_tau2 : {"separate", "common"}
    leave_one_out, cumulative : bool
        Also pool without each study in turn, and study after study in the order of the table.
    bayes : bool
        Also give the posterior.
    prior : str or prior, optional
        Of tau; by default what `default_tau_prior` gives for the measure.
    methods : Methods, optional
        Estimator of tau2, intervals, level.

    Raises
    ------
    InputError
        Columns, options or values that cannot be used, all at once.
    NothingToPool
        No row is usable.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"yi": [-0.4, -0.1, -0.3], "vi": [0.04, 0.02, 0.05]})
    >>> round(fit(table, yi="yi", vi="vi").fit.estimate, 3)
    -0.222
    """
    methods = methods or Methods()
    check_level(methods.level)
    columns = columns or Columns(**named)
    effects = effects_from(
        table, columns, measure=measure, scale=scale, ci_level=ci_level, zero_cells=zero_cells  # type: ignore[arg-type]
    )  # fmt: skip
    usable = effects.usable
    if not usable.any():
        reasons = "; ".join(dict.fromkeys(reason for reason in effects.sizes.reason if reason))
        raise NothingToPool(f"No row can be used: {reasons}." if reasons else "The table has no rows.")
    yi, vi = effects.sizes.yi[usable], effects.sizes.vi[usable]
    labels = labels_of(table, study)
    groups = groups_of(table, subgroup)
    options = methods.frequentist()
    pooled = pooling.pool_one(yi, vi, **options)
    shown = effects.sizes.measure
    tau_prior = parse_tau_prior(prior) if isinstance(prior, str) else prior
    posterior = None
    if bayes:
        chosen = tau_prior or default_tau_prior(shown)
        posterior = normal_normal_one(yi, vi, tau_prior=chosen, **methods.bayesian())
    kept = selected(labels, usable)
    return FitResult(
        measure=shown,
        studies=studies_of_table(table, effects, labels, groups, pooled),
        fit=pooled,
        posterior=posterior,
        subgroups=pool_subgroups(yi, vi, selected(groups, usable), tau2=subgroup_tau2, **options) if groups else None,  # type: ignore[arg-type]
        leave_one_out=_steps(kept, deletion.leave_one_out(yi, vi, **options)) if leave_one_out else (),
        cumulative=_steps(kept, deletion.cumulative(yi, vi, **options)) if cumulative else (),
        n_harmonic=float(usable.sum() / np.sum(1 / effects.n[usable])) if effects.n is not None else None,
        remarks=of_group(pooled, posterior, shown) if posterior else pooled.remarks,
        file=table.attrs.get("file"),
    )
