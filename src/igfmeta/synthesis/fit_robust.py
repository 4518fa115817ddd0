"""`fit --model robust`: dependent effects of one study, with variances that hold whatever the dependence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.scales import natural, transform_of
from igfmeta.errors import InputError, NothingToPool, Problem, check_level, listed
from igfmeta.models.robust.fitting import RobustFit
from igfmeta.models.robust.fitting import fit_robust as fit_model
from igfmeta.numerics import Floats
from igfmeta.synthesis.formula_design import design
from igfmeta.synthesis.inputs import Columns, effects_from, row_number
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: Assumed correlations under which results are given beside that asked for.
SWEEP = (0.0, 0.3, 0.5, 0.7, 0.9)

_SCALED = ("estimate", "ci_lower", "ci_upper")


@dataclass(frozen=True)
class RobustRow:
    """A row of the table: its effect on the analysis scale and its weight in percent, or why it is not used."""

    label: str
    row: int
    cluster: str
    yi: float | None
    vi: float | None
    weight: float | None
    derivation: str
    reason: str | None


@dataclass(frozen=True, eq=False)
class RobustResult:
    """A fit with robust variances.

    Attributes
    ----------
    title, measure : str
    mods : str or None
        Formula of the moderators.
    cluster : str
        The column whose values are the clusters.
    means : bool
        Whether every coefficient is the mean effect of some rows, so that it can stand on the reader's scale.
    fit : RobustFit
    sweep : tuple of (float, RobustFit)
        By assumed correlation; empty where the working model has none.
    rows : tuple of RobustRow
    file : str or None
    fingerprint : str
    """

    title: str
    measure: str
    mods: str | None
    cluster: str
    means: bool
    fit: RobustFit
    sweep: tuple[tuple[float, RobustFit], ...]
    rows: tuple[RobustRow, ...]
    file: str | None
    fingerprint: str

    def natural(self, value: float | None) -> float | None:
        """Return a coefficient as the reader knows it: a ratio or rate where every coefficient is a mean."""
        return float(natural(self.measure, value)) if value is not None and self.on_reader_scale else value

    @property
    def on_reader_scale(self) -> bool:
        """Whether coefficients are shown as ratios or rates."""
        return self.means and transform_of(self.measure) != "identity"

    def _coefficients(self, fit: RobustFit) -> list[dict[str, Any]]:
        return [
            {**each, "natural": {name: self.natural(each[name]) for name in _SCALED} if self.on_reader_scale else None}
            for each in fit.to_dict()["coefficients"]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__,
            "data": {"file": self.file, "sha256": self.fingerprint},
            "title": self.title,
            "measure": self.measure,
            "mods": self.mods,
            "cluster": self.cluster,
            **self.fit.to_dict(),
            "coefficients": self._coefficients(self.fit),
            "sweep": [
                {"rho": rho, "tau2": fit.tau2, "omega2": fit.omega2, "coefficients": self._coefficients(fit)}
                for rho, fit in self.sweep
            ],
            "rows": [dict(row.__dict__) for row in self.rows],
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per coefficient, under each assumed correlation, on the reader's scale where it has one."""
        import pandas as pd

        out = []
        for rho, fit in [(self.fit.rho, self.fit), *self.sweep]:
            for each in fit.coefficients:
                shown = {name: self.natural(getattr(each, name)) for name in _SCALED}
                kept = {"se": each.se, "df": each.df, "p_value": each.p_value, "model_se": each.model_se}
                out.append({"rho": rho, "name": each.name, **shown, **kept})
        return pd.DataFrame(out)


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
    working : {"CHE", "CORR", "HIER", "RE"}
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
    return RobustResult(
        title=f"{table.attrs.get('file', 'Table')}: robust variances, {fit.k} rows in {fit.clusters} clusters",
        measure=sizes.measure,
        mods=mods,
        cluster=named,
        means=_means(x),
        fit=fit,
        sweep=() if fit.rho is None else tuple((each, fitted(each)) for each in SWEEP),
        rows=_rows(table, effects, named, study, fit),
        file=table.attrs.get("file"),
        fingerprint=hashlib.sha256(table.to_csv(index=False).encode()).hexdigest(),
    )


def _means(x: Floats | None) -> bool:
    """Return whether every coefficient is the mean of its own rows."""
    return x is None or bool(((x == 0) | (x == 1)).all() and (x.sum(axis=1) == 1).all())


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


def _rows(table: pd.DataFrame, effects: Any, cluster: str, study: str | None, fit: RobustFit) -> tuple[RobustRow, ...]:
    sizes, usable = effects.sizes, effects.usable
    position = np.cumsum(usable) - 1
    labels = table[study].tolist() if study is not None else [f"Row {row_number(table, i)}" for i in range(len(table))]
    return tuple(
        RobustRow(
            label=str(label),
            row=row_number(table, i),
            cluster=str(table[cluster].iloc[i]),
            yi=float(sizes.yi[i]) if usable[i] else None,
            vi=float(sizes.vi[i]) if usable[i] else None,
            weight=float(fit.weights[position[i]]) if usable[i] else None,
            derivation=sizes.derivation[i],
            reason=sizes.reason[i],
        )
        for i, label in enumerate(labels)
    )
