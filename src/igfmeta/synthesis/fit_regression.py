"""`fit --model regression`: meta-regression of any table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from igfmeta.errors import InputError, NothingToPool
from igfmeta.numerics import Floats, Mask
from igfmeta.options import several
from igfmeta.synthesis.inputs import Columns, Effects, effects_from, row_number
from igfmeta.synthesis.regress_results import MetaRegression, RegressionRow
from igfmeta.synthesis.regressing import Material, RegressOptions, regressed

if TYPE_CHECKING:
    import pandas as pd


def fit_regression(
    table: pd.DataFrame,
    columns: Columns,
    *,
    mods: str | None = None,
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
    measure: str | None = None,
    scale: str | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
    study: str | None = None,
) -> MetaRegression:
    """Regress the effects of a table on its other columns.

    Parameters
    ----------
    table : DataFrame
    columns : Columns
        Which columns hold the effects.
    mods : str
        Formula, such as "~ year + C(phase)".
    method, ci, level, permute, seed, predict, contrasts, adjust, scale_mods, along
        See `igfmeta.synthesis.regressing.RegressOptions`.
    measure, scale, ci_level, zero_cells
        As of other models.
    study : str, optional
        Column with the labels of the rows.

    Raises
    ------
    InputError
        Columns, formulas, options and values that cannot be used.
    NothingToPool
        Fewer studies than the coefficients need.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"yi": [0.1, 0.3, 0.8, 0.9], "vi": [0.01, 0.02, 0.05, 0.04], "dose": [0, 1, 2, 3]})
    >>> found = fit_regression(table, Columns(yi="yi", vi="vi"), mods="~ dose", predict="dose=1.5")
    >>> round(found.fit.beta[1], 3), round(found.predictions[0].estimate, 3)
    (np.float64(0.282), 0.51)
    """
    if mods is None:
        raise InputError("mods is missing: a formula of moderators, such as '~ year + C(phase)'.")
    options = RegressOptions(
        mods=mods, method=method, ci=ci, level=level, permute=permute, seed=seed,
        predict=several(predict, parted=False), contrasts=several(contrasts), adjust=adjust, scale_mods=scale_mods,
        along=along,
    ).checked()  # fmt: skip
    effects = effects_from(
        table, columns, measure=measure, scale=scale, ci_level=ci_level, zero_cells=zero_cells  # type: ignore[arg-type]
    )  # fmt: skip
    return regressed(material_of(table, effects, study=study), options)


def material_of(table: pd.DataFrame, effects: Effects, *, study: str | None) -> Material:
    """Return the studies of a table, ready for a regression."""
    usable, sizes = effects.usable, effects.sizes
    if not usable.any():
        raise NothingToPool("There is no usable row in the table.")
    moderators = table[usable]
    moderators.attrs.update(table.attrs)
    file = table.attrs.get("file")
    rows = [
        RegressionRow(
            label=_label(table, i, study),
            row=row_number(table, i),
            yi=float(sizes.yi[i]) if usable[i] else None,
            vi=float(sizes.vi[i]) if usable[i] else None,
            fitted=None,
            weight=None,
            derivation=sizes.derivation[i],
            reason=sizes.reason[i],
        )
        for i in range(len(table))
    ]
    return Material(
        title=str(file or "Table"),
        measure=sizes.measure,
        yi=sizes.yi[usable],
        vi=sizes.vi[usable],
        moderators=moderators,
        rows=tuple(rows),
        n_harmonic=_harmonic(effects.n, usable),
        unused=(),
        remarks=(),
        file=file,
        origin=str(file or "table"),
        fingerprint=hashlib.sha256(table.to_csv(index=False).encode()).hexdigest(),
    )


def _harmonic(n: Floats | None, usable: Mask) -> float | None:
    return None if n is None else float(usable.sum() / np.sum(1 / n[usable]))


def _label(table: pd.DataFrame, at: int, study: str | None) -> str:
    if study is None:
        return f"row {row_number(table, at)}"
    if study not in table.columns:
        raise InputError(f"study was {study!r}; the columns are {', '.join(map(str, table.columns))}.")
    return str(table[study].iloc[at])
