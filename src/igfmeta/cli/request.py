"""The options that every command on the evidence shares, written once: which studies, which question, which model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from igfmeta.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from igfmeta.evidence.tables import Evidence
    from igfmeta.synthesis.results import PoolResult

_QUESTION = "Question"
_SELECT = "Which studies"
_MODEL = "Model"

Many = list[str] | None


def _select(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=_SELECT, metavar="NAME[,NAME]")


def _asked(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_QUESTION, metavar=metavar)


def _model(text: str, metavar: str = "NAME") -> Any:
    return typer.Option(help=text, rich_help_panel=_MODEL, metavar=metavar)


@dataclass
class Selected:
    """Which studies: the options of every command that reads the evidence tables."""

    agent_class: Annotated[Many, _select("Class of agent.", "--class")] = None
    agent: Annotated[Many, _select("Agent.")] = None
    tumor: Annotated[Many, _select("Type of tumour.")] = None
    tumor_group: Annotated[Many, _select("Group of tumours.")] = None
    regimen: Annotated[
        Many, _select("monotherapy or combination. Single-arm results are of monotherapy unless this says otherwise.")
    ] = None
    partners: Annotated[Many, _select("What the agent is combined with.")] = None
    phase: Annotated[Many, _select("Phase of trial.")] = None
    design: Annotated[Many, _select("Design of trial.")] = None
    year: Annotated[
        str | None,
        typer.Option(help="A year (2014) or a range (2010-2015).", rich_help_panel=_SELECT, metavar="YEAR[-YEAR]"),
    ] = None
    biomarker: Annotated[Many, _select("Biomarker selection of the patients.")] = None
    contrast: Annotated[
        Many,
        _select("What a comparison isolates. Default: add_on, the agent added to the same treatment in both arms."),
    ] = None
    study: Annotated[Many, _select("Study, by its study_id.")] = None
    risk_of_bias: Annotated[
        Many, _select("Risk of bias, overall or in the worst domain: low, some, high, unclear, none (not judged).")
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(
            help="Evidence of your own: a folder of tables, or one trials table.",
            metavar="DIR_OR_FILE",
            rich_help_panel=_SELECT,
        ),
    ] = None

    def criteria(self) -> dict[str, Any]:
        """Return the criteria that were given, ready for `Evidence.select`."""
        names = [field.name for field in fields(Selected) if field.name not in ("year", "data")]
        chosen: dict[str, Any] = {name: several(getattr(self, name)) for name in names}
        chosen["year"] = years(self.year)
        return {name: value for name, value in chosen.items() if value is not None}

    def evidence(self) -> Evidence:
        """Return the evidence that the command works on."""
        from igfmeta.evidence import load_evidence

        return load_evidence(self.data, tables=("trials",))


@dataclass
class Weighted(Selected):
    """Which studies, and how much they count: the options of every command that may weigh studies."""

    risk_weights: Annotated[
        Many,
        typer.Option(
            help="Weights above 0 and up to 1 by risk of bias, such as some=0.8,high=0.5: variances are divided by "
            "them; likelihoods of counts, in bayes and joint, are raised to their power.",
            rich_help_panel=_SELECT,
            metavar="NAME=WEIGHT[,...]",
        ),
    ] = None

    def weights(self) -> dict[str, float] | None:
        """Return the weights by risk of bias."""
        return weights_of(self.risk_weights)


@dataclass
class Request(Weighted):
    """Which studies, which question, which model: the options of every command that pools the evidence."""

    outcome: Annotated[
        Many,
        _asked("Outcome (os, pfs, orr ...) or family (progression). Default: os, progression, orr.", "NAME[,NAME]"),
    ] = None
    by: Annotated[str, _asked("Groups: class, agent, tumor, tumor_group, phase, biomarker, none.")] = "tumor"
    use: Annotated[str, _asked("primary, or sensitivity to add the rows marked so.")] = "primary"
    measure: Annotated[
        str | None, _asked("HR; OR, RR, RD, PETO, AS for two arms; PLO, PLN, PR, PAS, PFT for one arm.")
    ] = None
    method: Annotated[
        str | None,
        _model(
            "Estimator of tau2: CE (common effect), DL, DL2, CA2, HE, HS, HSK, SJ, ML, REML, EB, PM, PMM, GENQ. "
            "Default: REML. Of models of counts ML or CE."
        ),
    ] = None
    ci: Annotated[
        str | None,
        _model("Interval of the pooled effect: z, t, HK, HK-floor, KR. Default: HK. Of model glmm PL, z or t."),
    ] = None
    pi: Annotated[
        str | None,
        _model("Prediction interval: z, V, HTS, HK, HK-PR, KR, KR-PR. Default: HK. Of model glmm it follows --ci."),
    ] = None
    prior: Annotated[str | None, _model('Prior of tau, such as "half-normal(0.5)" or "half-cauchy(0.5)".')] = None
    level: Annotated[float, _model("Level of every interval.", "NUMBER")] = 0.95

    def pool(self, **more: Any) -> PoolResult:
        """Pool what was asked for; `more` are further options of `igfmeta.synthesis.pooling.pool`."""
        from igfmeta.synthesis.pooling import pool

        return pool(
            self.evidence(),
            outcome=several(self.outcome),
            by=self.by,
            measure=self.measure,
            method=self.method,
            ci=self.ci,
            pi=self.pi,
            prior=self.prior,
            use=self.use,
            level=self.level,
            risk_weights=self.weights(),
            **more,
            **self.criteria(),
        )


@dataclass
class PoolRequest(Request):
    """The options of `pool` and `forest`."""

    model: Annotated[
        str | None,
        _model(
            "random: inverse variance. Of counts: glmm (rates, PLO; OR: exact conditional likelihood), mh (OR, RR, "
            "RD), peto, beta-binomial (OR, PLO), logistic, firth. Default: glmm of single-arm rates (PLO), random of "
            "all else."
        ),
    ] = None

    def pool(self, **more: Any) -> PoolResult:
        """Pool what was asked for."""
        return super().pool(model=self.model, **more)


def weights_of(given: list[str] | None) -> dict[str, float] | None:
    """Return the weights of `--risk-weights`.

    Examples
    --------
    >>> weights_of(["some=0.8,high=0.5"])
    {'some': 0.8, 'high': 0.5}
    """
    if given is None:
        return None
    found: dict[str, float] = {}
    for part in several(given) or ():
        name, _, weight = (text.strip() for text in part.partition("="))
        if name in found:
            raise InputError(f"--risk-weights named {name} twice; accepted is one weight of each judgement.")
        try:
            found[name] = float(weight)
        except ValueError:
            raise InputError(f"--risk-weights was {part!r}; accepted is NAME=WEIGHT, such as high=0.5.") from None
    return found


def several(values: list[str] | None) -> tuple[str, ...] | None:
    """Return the values of an option that may be repeated or hold commas; None when it was not given.

    Examples
    --------
    >>> several(["nsclc,sclc", "breast"])
    ('nsclc', 'sclc', 'breast')
    """
    if not values:
        return None
    parts = tuple(part.strip() for value in values for part in value.split(",") if part.strip())
    if not parts:
        raise InputError("An option was given without a value.")
    return parts


def years(text: str | None) -> int | tuple[int, int] | None:
    """Return a year, or a range of years written FROM-TO.

    Examples
    --------
    >>> years("2014"), years("2010-2015")
    (2014, (2010, 2015))
    """
    if text is None:
        return None
    first, dash, last = text.partition("-")
    if not (first.strip().isdecimal() and (last.strip().isdecimal() or not dash)):
        raise InputError(f"--year was {text!r}; accepted are a year (2014) or a range (2010-2015).")
    return (int(first), int(last)) if dash else int(first)


def takes(kind: type[DataclassInstance]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of `kind`; it receives them as its first argument, `request`.

    A command is written as `def pool(request, *, explain=False)`; what Typer sees has every field of `kind` as a
    keyword option before the command's own.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(kind, include_extras=True)
        shared = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=_default(f), annotation=hints[f.name])
            for f in fields(kind)
        ]
        own_hints = get_type_hints(command, include_extras=True)
        signature = inspect.signature(command)
        own = [p.replace(annotation=own_hints[p.name]) for p in list(signature.parameters.values())[1:]]

        @wraps(command)
        def run(**given: Any) -> None:
            request = kind(**{f.name: given.pop(f.name) for f in fields(kind)})
            command(request, **given)

        run.__signature__ = signature.replace(parameters=[*shared, *own])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*shared, *own)}
        del run.__wrapped__  # else Typer would read the command's own signature
        return run

    return decorate


def _default(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
