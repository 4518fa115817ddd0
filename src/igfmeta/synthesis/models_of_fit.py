"""What `fit --model` offers: name, words, paper and function. A new model is one file and one line here.

The function takes the table, its columns and keyword options; its signature says which options the model heeds, and
an option that it does not heed is refused. What it returns has `to_dict`, `to_frame` and `file`; its tables stand in
`igfmeta.report.of_fit`, its forest (if it has one) in `igfmeta.plots.drawn`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from igfmeta.errors import InputError, check_choice, listed

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.synthesis.inputs import Columns


@dataclass(frozen=True)
class FitModel:
    """A model of `fit`: what it is called, who described it, and the function that fits it (`module:name`)."""

    label: str
    paper: str
    function: str

    def load(self) -> Callable[..., Any]:
        """Return the function; its module is imported now and not before."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function


MODELS: dict[str, FitModel] = {
    "random": FitModel(
        "inverse variance, random or (--method CE) common effect",
        "Hartung & Knapp 2001; Viechtbauer 2005",
        "igfmeta.synthesis.fit_random:fit_random",
    ),
    "mh": FitModel(
        "Mantel-Haenszel OR, RR, RD, IRR, IRD",
        "Mantel & Haenszel 1959; Robins, Breslow & Greenland 1986",
        "igfmeta.synthesis.fit_counts:fit_mh",
    ),
    "peto": FitModel("Peto's one-step odds ratio", "Yusuf et al. 1985", "igfmeta.synthesis.fit_counts:fit_peto"),
    "glmm": FitModel(
        "counts with normal effects (OR, IRR, PLO, IRLN), exact likelihoods",
        "Stijnen, Hamza & Ozdemir 2010",
        "igfmeta.synthesis.fit_counts:fit_glmm",
    ),
    "regression": FitModel(
        "meta-regression on moderators (--mods)",
        "Viechtbauer 2005; Knapp & Hartung 2003",
        "igfmeta.synthesis.fit_regression:fit_regression",
    ),
    "multilevel": FitModel(
        "nested, crossed and multivariate random effects",
        "Konstantopoulos 2011; van Houwelingen, Arends & Stijnen 2002",
        "igfmeta.synthesis.fit_multilevel:fit_multilevel",
    ),
    "robust": FitModel(
        "several effects of a study, with robust variances (--cluster)",
        "Hedges, Tipton & Johnson 2010; Pustejovsky & Tipton 2018",
        "igfmeta.synthesis.fit_robust:fit_robust",
    ),
    "beta-binomial": FitModel(
        "rates that vary as a beta distribution (PLO, OR); studies without an event count",
        "Kuss 2015",
        "igfmeta.synthesis.fit_regressions:fit_beta_binomial",
    ),
    "logistic": FitModel(
        "common effect by logistic (OR) or Poisson (IRR) regression",
        "Breslow & Day 1980",
        "igfmeta.synthesis.fit_regressions:fit_logistic",
    ),
    "firth": FitModel(
        "the same for OR with a penalty: finite without events in an arm",
        "Firth 1993; Heinze & Schemper 2002",
        "igfmeta.synthesis.fit_regressions:fit_firth",
    ),
}
MODEL_NAMES = tuple(MODELS)

#: What varies between studies and in a group of them, in words; the other models have one effect, and nothing does.
BETWEEN_STUDIES = {"random": "tau2", "glmm": "tau2", "beta-binomial": "intra-class correlation"}


class ModelResult(Protocol):
    """What every model returns."""

    @property
    def file(self) -> str | None:
        """Return the file that the table came from."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study and per estimate."""


def options_of(model: str) -> tuple[str, ...]:
    """Return the options that a model heeds.

    Examples
    --------
    >>> "leave_one_out" in options_of("random")
    True
    """
    parameters = inspect.signature(MODELS[model].load()).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


def refuse_unheeded(model: str, given: Iterable[str], *, written: Callable[[str], str] = str) -> None:
    """Refuse options that a model does not heed; `written` turns a name into what the user wrote."""
    accepted = options_of(model)
    unheeded = [written(name) for name in given if name not in accepted]
    if unheeded:
        raise InputError(
            f"{listed(unheeded)} says nothing to model {model}; its options are {listed(map(written, accepted))}."
        )


def fit_with(model: str, table: pd.DataFrame, columns: Columns | None = None, **options: Any) -> ModelResult:
    """Fit a model to the studies of a table.

    Parameters
    ----------
    model : str
        One of `MODELS`.
    table : DataFrame
        One row per study; the columns used must be numeric.
    columns : Columns, optional
        Which column holds what; may be given as keywords instead: `yi="yi", vi="vi"`.
    **options
        Of the model: measure, level ...; see the function that `MODELS` names.

    Raises
    ------
    InputError
        A model that does not exist, an option that the model does not heed, columns or values that cannot be used.
    NothingToPool
        No row is usable.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"yi": [-0.4, -0.1, -0.3], "vi": [0.04, 0.02, 0.05]})
    >>> round(fit_with("random", table, yi="yi", vi="vi", method="DL").fit.estimate, 3)
    -0.221
    """
    from igfmeta.synthesis.inputs import Columns

    model = check_choice("model", model, MODEL_NAMES)
    if columns is None:
        columns = Columns(**{f.name: options.pop(f.name) for f in fields(Columns) if f.name in options})
    refuse_unheeded(model, options)
    result: ModelResult = MODELS[model].load()(table, columns, **options)
    return result
