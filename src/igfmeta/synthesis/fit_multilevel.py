"""`fit --model multilevel`: nested, crossed and multivariate random effects on any table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.errors import InputError, NothingToPool, Problem, check_choice, check_level, listed
from igfmeta.models.multilevel.fitting import fit_multilevel as fit_model
from igfmeta.models.multilevel.results import MultilevelFit
from igfmeta.models.multilevel.surrogacy import Surrogacy, surrogacy
from igfmeta.models.multilevel.terms import Term, parse
from igfmeta.models.multilevel.without_terms import without_terms
from igfmeta.numerics import Floats
from igfmeta.options import several
from igfmeta.synthesis.formula_design import design, variables
from igfmeta.synthesis.inputs import Columns, effects_from, row_number
from igfmeta.synthesis.multilevel_results import SWEEP, MultilevelResult, MultilevelRow, Swept

if TYPE_CHECKING:
    import pandas as pd


def columns_of(random: Sequence[str], mods: str | None, cluster: str | None) -> list[str]:
    """Return the columns that formulas and the cluster name.

    Examples
    --------
    >>> columns_of(["~ 1 | district/school", "~ outcome | study"], "~ year", None)
    ['district', 'school', 'outcome', 'study', 'year']
    """
    names = [
        name.strip() for formula in random for name in re.split(r"[|/]", formula.strip().removeprefix("~")) if name
    ]
    names += [] if mods is None else variables(mods)
    names += [] if cluster is None else [cluster]
    return [name for name in dict.fromkeys(names) if name not in ("1", "")]


def paired(random: Sequence[str] | None, struct: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the formulas with a structure each: one for all, or one for each formula.

    Examples
    --------
    >>> paired(["~ 1 | a", "~ b | c"], ["UN"])
    (('~ 1 | a', '~ b | c'), ('UN', 'UN'))
    """
    if not random:
        raise InputError(
            "random is missing: a formula such as '~ 1 | study', '~ 1 | district/school' or '~ outcome | study'."
        )
    kinds = list(struct) if struct else ["CS"]
    if len(kinds) not in (1, len(random)):
        raise InputError(
            f"struct has {len(kinds)} structures for {len(random)} random formulas; accepted is one for all, "
            "or one for each."
        )
    return tuple(random), tuple(kinds * len(random) if len(kinds) == 1 else kinds)


def fit_multilevel(
    table: pd.DataFrame,
    columns: Columns,
    *,
    random: Sequence[str] | str | None = None,
    struct: Sequence[str] | str | None = None,
    mods: str | None = None,
    cluster: str | None = None,
    rho: float | None = None,
    surrogate: str | None = None,
    method: str = "REML",
    test: str = "contain",
    level: float = 0.95,
    measure: str | None = None,
    scale: str | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
    study: str | None = None,
) -> MultilevelResult:
    """Fit a multilevel or multivariate model to the rows of a table.

    Parameters
    ----------
    table : DataFrame
    columns : Columns
        Which columns hold the effects.
    random : str or sequence of str
        Formulas: `~ 1 | district/school`, `~ outcome | study`; terms of several formulas may be crossed.
    struct : str or sequence of str, optional
        Of `inner | outer`: ID, DIAG, CS (default), HCS, UN, AR, HAR, CAR; one for all formulas or one for each.
    mods : str, optional
        Formula of the fixed effects; default an intercept.
    cluster : str, optional
        Column: sampling errors of rows with the same text have the correlation `rho`; asks for `rho`.
    rho : float, optional
        The correlation; results are also given under 0, 0.3, 0.5, 0.7 and 0.9.
    surrogate : str, optional
        Of the two outcomes of `~ outcome | study` the one that is the surrogate of the other: the result then has the
        line from the effects on it to those on the other. Asks for structure UN and a mean for each outcome, which are
        then the defaults.
    method : {"REML", "ML"}
    test : {"z", "t", "contain", "groups", "satterthwaite"}
    level, measure, scale, ci_level, zero_cells
        As of other models.
    study : str, optional
        Column with the labels of the rows.

    Raises
    ------
    InputError
        Columns, formulas and values that cannot be used.
    NothingToPool
        No row is usable.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"yi": [0.1, 0.2, 0.9, 1.1, 0.4, 0.6], "vi": [0.02] * 6, "study": list("aabbcc")})
    >>> result = fit_multilevel(table, Columns(yi="yi", vi="vi"), random="~ 1 | study")
    >>> result.fit.coef.round(3).tolist(), result.fit.components[0].groups
    ([0.55], 3)
    """
    check_level(level)
    formulas, kinds = paired(several(random, parted=False), several(struct) or (["UN"] if surrogate else None))
    mods = f"~ {_outcome_of(formulas, surrogate)} - 1" if surrogate is not None and mods is None else mods
    _check_cluster(cluster, rho)
    effects = effects_from(table, columns, measure=measure, scale=scale, ci_level=ci_level, zero_cells=zero_cells)  # type: ignore[arg-type]
    usable = effects.usable
    if not usable.any():
        raise NothingToPool("There is no usable row in the table.")
    sizes, kept = effects.sizes, table[usable]
    kept.attrs.update(table.attrs)
    labels = [_label(table, i, study) for i in range(len(table))]
    terms = _terms(formulas, kinds, kept)
    x, names = (None, None) if mods is None else design(mods, kept)
    clusters = None if cluster is None else [str(value) for value in _column(kept, cluster)]
    used = [label for label, use in zip(labels, usable, strict=True) if use]
    inner = () if terms[0].inner is None else tuple(terms[0].inner_levels[i] for i in terms[0].inner.tolist())
    names = names if surrogate is None or names is None else _as_outcomes(formulas[0], names)

    def line(fit: MultilevelFit) -> Surrogacy | None:
        if surrogate is None:
            return None
        return surrogacy(fit, surrogate=surrogate, true=_other(surrogate, terms[0].inner_levels, fit.names))

    def fitted(correlation: float | None, *, intervals: bool) -> Any:
        v = _covariance(sizes.vi[usable], clusters, correlation)
        return fit_model(
            sizes.yi[usable], v, terms, x=x, names=names, labels=used, method=method, test=test, level=level,
            intervals=intervals,
        )  # fmt: skip

    fit, outcomes = fitted(rho, intervals=True), iter(inner)
    return MultilevelResult(
        title=_title(table, len(used)),
        measure=sizes.measure,
        random=formulas,
        struct=kinds,
        mods=mods,
        cluster=cluster,
        rho=rho,
        fit=fit,
        without=without_terms(fit),
        sweep=tuple(_swept(each, fitted, line) for each in (SWEEP if clusters else ())),
        surrogacy=line(fit),
        rows=tuple(
            MultilevelRow(
                label=label,
                outcome=next(outcomes, "") if usable[i] else "",
                yi=float(sizes.yi[i]) if usable[i] else None,
                vi=float(sizes.vi[i]) if usable[i] else None,
                derivation=sizes.derivation[i],
                reason=sizes.reason[i],
                row=row_number(table, i),
            )
            for i, label in enumerate(labels)
        ),
        trial=tuple(terms[0].levels[i] for i in terms[0].group.tolist()) if inner else tuple(used),
        unused=(),
        remarks=(),
        file=table.attrs.get("file"),
        origin=str(table.attrs.get("file", "table")),
        fingerprint=hashlib.sha256(table.to_csv(index=False).encode()).hexdigest(),
    )


def _swept(
    rho: float, fitted: Callable[..., MultilevelFit], line: Callable[[MultilevelFit], Surrogacy | None]
) -> Swept:
    fit = fitted(rho, intervals=False)
    return Swept(rho, fit, line(fit))


def _outcome_of(formulas: Sequence[str], surrogate: str) -> str:
    """Return the column of outcomes in a formula such as `~ outcome | study`."""
    inner, bar, _ = formulas[0].strip().removeprefix("~").partition("|")
    if len(formulas) != 1 or not bar or inner.strip() == "1":
        raise InputError(
            f"surrogate was {surrogate!r} with random {listed(map(repr, formulas))}; a line between two outcomes needs "
            "the one term '~ outcome | study'."
        )
    return inner.strip()


def _other(surrogate: str, outcomes: Sequence[str], names: Sequence[str]) -> str:
    """Return the outcome that a surrogate is of."""
    if len(outcomes) != 2:
        raise InputError(f"A line is between two outcomes; the table has {len(outcomes)}: {listed(outcomes)}.")
    check_choice("surrogate", surrogate, outcomes)
    if set(names) != set(outcomes):
        raise InputError(
            f"A line needs a mean for each outcome, and the fixed effects are {listed(names)}; leave out mods, or give "
            "'~ outcome - 1'."
        )
    return next(outcome for outcome in outcomes if outcome != surrogate)


def has_inner(formulas: Sequence[str]) -> bool:
    """Return whether a term has levels within its groups, and so a structure.

    Examples
    --------
    >>> has_inner(["~ 1 | study"]), has_inner(["~ 1 | study", "~ outcome | study"])
    (False, True)
    """
    return any(formula.strip().removeprefix("~").partition("|")[0].strip() != "1" for formula in formulas)


def _as_outcomes(formula: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of coefficients, those of outcomes without their column: `outcome[os]` is os.

    Examples
    --------
    >>> _as_outcomes("~ outcome | study", ["outcome[os]", "outcome[pfs]"])
    ('os', 'pfs')
    """
    column = re.escape(formula.strip().removeprefix("~").partition("|")[0].strip())
    return tuple(re.sub(rf"^(?:C\()?{column}\)?\[(?:T\.)?(.*)\]$", r"\1", name) for name in names)


def _check_cluster(cluster: str | None, rho: float | None) -> None:
    if (cluster is None) != (rho is None):
        given, missing = ("cluster", "rho") if rho is None else ("rho", "cluster")
        raise InputError(
            f"{given} was given without {missing}: rho is the assumed correlation of sampling errors between rows of "
            "one cluster."
        )


def _column(frame: pd.DataFrame, name: str) -> list[Any]:
    if name not in frame.columns:
        raise InputError(
            Problem(
                f"there is no column {name!r}; the columns are {listed(frame.columns)}.", file=frame.attrs.get("file")
            )
        )
    return list(frame[name].tolist())


def _terms(formulas: Sequence[str], kinds: Sequence[str], frame: pd.DataFrame) -> list[Term]:
    columns = {str(name): frame[name].tolist() for name in frame.columns}
    return [term for f, kind in zip(formulas, kinds, strict=True) for term in parse(f, columns, struct=kind)]


def _covariance(vi: Floats, clusters: list[str] | None, rho: float | None) -> Floats:
    return vi if clusters is None or rho is None else assumed_covariance(vi, clusters, rho=rho)


def _label(frame: pd.DataFrame, at: int, study: str | None) -> str:
    number = f"row {row_number(frame, at)}"
    return number if study is None else f"{_column(frame, study)[at]} ({number})"


def _title(table: pd.DataFrame, k: int) -> str:
    return f"{table.attrs.get('file', 'Table')}: multilevel model, {k} rows"
