"""`fit --model robust`: dependent effects of one study, with variances that hold whatever the dependence."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.errors import InputError, NothingToPool, Problem, check_level, listed
from igfmeta.models.robust.fitting import RobustFit
from igfmeta.models.robust.fitting import fit_robust as fit_model
from igfmeta.synthesis.fitting import labels_of, own_intervals
from igfmeta.synthesis.formula_design import design
from igfmeta.synthesis.inputs import Columns, Effects, effects_from, row_number
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.robust_results import SWEEP, RobustResult, RobustRow, equality, means_of_rows

if TYPE_CHECKING:
    import pandas as pd


def fit_robust(
    table: pd.DataFrame,
    columns: Columns,
    *,
    mods: str | None = None,
    cluster: str | None = None,
    working: str = "CHE",
    rho: float | None = None,
    adjustment: str = "CR2",
    level: float = 0.95,
    measure: str | None = None,
    scale: str | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
    study: str | None = None,
) -> RobustResult:
    """Fit a regression or a pool of dependent effects with cluster-robust variances.

    Parameters
    ----------
    table : DataFrame
    columns : Columns
        Which columns hold the effects.
    mods : str, optional
        Formula of the moderators, such as "~ year + C(phase)"; default an intercept.
    cluster : str, optional
        Column: rows with the same text depend on each other in any way; default the column of `study`.
    working : {"CHE", "CORR", "HIER", "RE", "EQUAL"}
        What the weights take the dependence to be; see `igfmeta.models.robust.working`.
    rho : float, optional
        Assumed correlation of sampling errors within a cluster, 0.8 by default; results are also given under others.
    adjustment : {"CR2", "CR1", "CR0"}
    level, measure, scale, ci_level, zero_cells
        As of other models.
    study : str, optional
        Column with the labels of the rows.

    Raises
    ------
    InputError
        Columns, formulas and values that cannot be used.
    NothingToPool
        No row is usable, or there are fewer clusters than coefficients need.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"yi": [0.1, 0.2, 0.9, 1.1, 0.4, 0.6], "vi": [0.02] * 6, "trial": list("aabbcc")})
    >>> found = fit_robust(table, Columns(yi="yi", vi="vi"), cluster="trial")
    >>> found.fit.clusters, round(found.fit.coefficients[0].estimate, 3), found.fit.coefficients[0].df.__round__(2)
    (3, 0.55, 2.0)
    """
    check_level(level)
    named = cluster or study
    if named is None:
        raise InputError("cluster is missing: the column that says which rows are of one study (or name it as study).")
    effects = effects_from(table, columns, measure=measure, scale=scale, ci_level=ci_level, zero_cells=zero_cells)  # type: ignore[arg-type]
    usable, sizes = effects.usable, effects.sizes
    if not usable.any():
        raise NothingToPool("There is no usable row in the table.")
    n_harmonic = None if effects.n is None else float(usable.sum() / np.sum(1 / effects.n[usable]))
    kept = table[usable]
    kept.attrs.update(table.attrs)
    clusters = _clusters(kept, named)
    x, names = (None, None) if mods is None else design(mods, kept)

    def fitted(correlation: float | None) -> RobustFit:
        return fit_model(
            sizes.yi[usable], sizes.vi[usable], clusters, x=x, names=names, working=working, rho=correlation,
            adjustment=adjustment, level=level,
        )  # fmt: skip

    fit = fitted(rho)
    means = means_of_rows(x)
    return RobustResult(
        title=f"{table.attrs.get('file', 'Table')}: robust variances, {fit.k} rows in {fit.clusters} clusters",
        measure=sizes.measure,
        outcomes=(),
        mods=mods,
        cluster=named,
        means=means,
        fit=fit,
        equal_means=equality(fit) if means else None,
        sweep=() if fit.rho is None else tuple((each, fitted(each)) for each in SWEEP),
        rows=_rows(table, effects, named, study, fit),
        unused=(),
        remarks=(),
        n_harmonic=n_harmonic,
        file=table.attrs.get("file"),
        origin=str(table.attrs.get("file") or "table"),
        fingerprint=hashlib.sha256(table.to_csv(index=False).encode()).hexdigest(),
    )


def _clusters(frame: pd.DataFrame, name: str) -> list[str]:
    """Return the cluster of each row; a blank one is refused, because it would make a cluster of strangers."""
    file = frame.attrs.get("file")
    if name not in frame.columns:
        raise InputError(Problem(f"there is no column {name!r}; the columns are {listed(frame.columns)}.", file=file))
    texts = ["" if value is None or value != value else str(value).strip() for value in frame[name]]
    problems = [
        Problem("is blank, and says which study the row is of.", file=file, row=row_number(frame, i), column=name)
        for i, text in enumerate(texts)
        if not text
    ]
    if problems:
        raise InputError(problems)
    return texts


def _rows(
    table: pd.DataFrame, effects: Effects, cluster: str, study: str | None, fit: RobustFit
) -> tuple[RobustRow, ...]:
    sizes, usable = effects.sizes, effects.usable
    weights = np.full(len(usable), np.nan)
    weights[usable] = fit.weights
    own = own_intervals(effects, sizes.measure, fit.level)
    names = [f"Row {row_number(table, i)}" for i in range(len(table))]
    labels = names if study is None else labels_of(table, study)
    groups = labels_of(table, cluster)
    return tuple(
        RobustRow(
            label=labels[i],
            detail=names[i] if labels[i] == groups[i] else labels[i],
            row=row_number(table, i),
            cluster=groups[i],
            group=groups[i] if any(map(str.isalpha, groups[i])) else f"{cluster} {groups[i]}",
            yi=finite(float(sizes.yi[i])),
            vi=finite(float(sizes.vi[i])),
            estimate=finite(float(own[0, i])),
            ci_lower=finite(float(own[1, i])),
            ci_upper=finite(float(own[2, i])),
            weight=finite(float(weights[i])),
            derivation=sizes.derivation[i],
            reason=sizes.reason[i],
        )
        for i in range(len(table))
    )
