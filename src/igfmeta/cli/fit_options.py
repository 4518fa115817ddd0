"""The options of `igfmeta fit`: one class for the table, one for each model; a model's class is one more base here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.unheard import Needs
from igfmeta.synthesis.models_of_fit import MODELS

if TYPE_CHECKING:
    from igfmeta.synthesis.inputs import Columns

_COLUMNS = "Columns: exactly one set"
_MODEL = "Model"
_RANDOM = "Model random"
_BESIDE = "Beside the pool: models of effects and of counts"
_MULTILEVEL = "Model multilevel"
_REGRESSION = "Meta-regression"
_BATCH = "Many analyses in one table"


def column(text: str) -> Any:
    """Return an option that names a column of the table."""
    return typer.Option(help=text, rich_help_panel=_COLUMNS, metavar="COLUMN")


def option(text: str, *names: str, panel: str = _MODEL, metavar: str | None = "NAME") -> Any:
    """Return an option of a model."""
    return typer.Option(*names, help=text, rich_help_panel=panel, metavar=metavar)


@dataclass
class TableOptions:
    """Which column holds what."""

    yi: Annotated[str | None, column("Effects on the analysis scale, with --vi or --sei.")] = None
    vi: Annotated[str | None, column("Their sampling variances.")] = None
    sei: Annotated[str | None, column("Their standard errors.")] = None
    estimate: Annotated[str | None, column("Estimates, with --lower, --upper and --scale.")] = None
    lower: Annotated[str | None, column("Lower limits.")] = None
    upper: Annotated[str | None, column("Upper limits.")] = None
    events1: Annotated[str | None, column("Events in arm 1, with --n1, --events2, --n2 and --measure.")] = None
    n1: Annotated[str | None, column("Patients in arm 1.")] = None
    events2: Annotated[str | None, column("Events in arm 2.")] = None
    n2: Annotated[str | None, column("Patients in arm 2.")] = None
    events: Annotated[str | None, column("Events in a single arm, with --n and --measure.")] = None
    n: Annotated[str | None, column("Patients in a single arm.")] = None
    time1: Annotated[str | None, column("Person-time in arm 1, with --events1, --events2, --time2 and --measure.")] = (
        None
    )
    time2: Annotated[str | None, column("Person-time in arm 2.")] = None
    time: Annotated[str | None, column("Person-time in a single arm, with --events and --measure.")] = None
    mean1: Annotated[str | None, column("Means in arm 1, with --sd1, --n1, --mean2, --sd2, --n2 and --measure.")] = None
    sd1: Annotated[str | None, column("Standard deviations in arm 1.")] = None
    mean2: Annotated[str | None, column("Means in arm 2.")] = None
    sd2: Annotated[str | None, column("Standard deviations in arm 2.")] = None
    r: Annotated[str | None, column("Correlations, with --n and --measure.")] = None
    study: Annotated[str | None, column("Labels of the studies.")] = None
    subgroup: Annotated[str | None, column("Groups to pool apart and to compare.")] = None


@dataclass
class CommonOptions:
    """What several models heed."""

    model: Annotated[
        str, option("; ".join(f"{name}: {model.label}" for name, model in MODELS.items()) + ".", "--model")
    ] = "random"
    measure: Annotated[
        str | None,
        option(
            "Of events: OR, RR, RD, PETO, AS of two arms; PLO, PLN, PR, PAS, PFT of one. With person-time: IRR, "
            "IRD; IRLN, IR, IRS. Of means: MD, SMD, ROM. Of correlations: ZCOR, COR."
        ),
    ] = None
    scale: Annotated[
        str | None, option("log: estimates are ratios (or effects are logs); identity: they are differences.")
    ] = None
    ci_level: Annotated[float, option("Level of the intervals in the table.", metavar="NUMBER")] = 0.95
    zero_cells: Annotated[
        str,
        option("What is done about zero cells: none, only0, if0all, all, treatment_arm. In model mh none by default."),
    ] = "only0"
    level: Annotated[float, option("Level of every interval in the result.", metavar="NUMBER")] = 0.95


@dataclass
class RandomOptions:
    """The options of the model random; other models may heed some of them."""

    method: Annotated[
        str,
        option(
            "Estimator of tau2: CE, DL, DL2, CA2, HE, HS, HSK, SJ, ML, REML, EB, PM, PMM, GENQ.", panel=_RANDOM
        ),
    ] = "REML"  # fmt: skip
    ci: Annotated[str, option("Interval of the pooled effect: z, t, HK, HK-floor, KR.", panel=_RANDOM)] = "HK"
    pi: Annotated[str, option("Prediction interval: z, V, HTS, HK, HK-PR, KR, KR-PR.", panel=_RANDOM)] = "HK"
    tau2_ci: Annotated[
        str, option("Interval of tau2: QP (Q-profile), PL (profile likelihood), none.", panel=_RANDOM)
    ] = "QP"
    bayes: Annotated[bool, option("Also give the Bayesian posterior.", "--bayes", panel=_RANDOM, metavar=None)] = False
    prior: Annotated[
        str | None, option('Prior of tau, such as "half-normal(0.5)"; asks for --bayes.', panel=_RANDOM)
    ] = None


@dataclass
class BesideOptions:
    """What is asked beside the pool; --subgroup stands with the columns."""

    subgroup_tau2: Annotated[
        str,
        option(
            "tau2 of the subgroups (beta-binomial: correlation): separate, or common. Models of counts then compare "
            "groups by a Wald test of separate fits, or by the likelihood ratio.",
            panel=_BESIDE,
        ),
    ] = "separate"
    leave_one_out: Annotated[
        bool, option("Also pool without each study.", "--leave-one-out", panel=_BESIDE, metavar=None)
    ] = False
    cumulative: Annotated[
        bool,
        option("Also pool study after study, in the order of the table.", "--cumulative", panel=_BESIDE, metavar=None),
    ] = False


@dataclass
class GlmmOptions:
    """The options of the model glmm, which heeds --method (ML, CE) and --ci (z, t, PL) too."""

    variant: Annotated[
        str | None,
        option("Likelihood: CM.EL (exact, the default), CM.AL (OR only), UM.FS, UM.RS.", panel="Model glmm"),
    ] = None


@dataclass
class RobustOptions:
    """The options of the model robust, which heeds --mods, --cluster and --rho too."""

    working: Annotated[
        str,
        option(
            "What the weights take the dependence to be: CHE (correlated and hierarchical effects), CORR, HIER, RE, "
            "EQUAL.",
            panel="Model robust",
        ),
    ] = "CHE"
    adjustment: Annotated[
        str, option("Small-sample adjustment of the variances: CR2, CR1, CR0.", panel="Model robust")
    ] = "CR2"


@dataclass
class MultilevelOptions:
    """The options of the model multilevel; its method is REML or ML."""

    random: Annotated[
        list[str] | None,
        option(
            "Random effects: '~ 1 | district/school', '~ outcome | study'; may be repeated, for crossed terms.",
            panel=_MULTILEVEL,
            metavar="FORMULA",
        ),
    ] = None
    struct: Annotated[
        str | None,
        option(
            "Of inner | outer: ID, DIAG, CS (default), HCS, UN, AR, HAR, CAR; one, or one for each formula.",
            panel=_MULTILEVEL,
        ),
    ] = None
    mods: Annotated[
        str | None,
        option(
            "Fixed effects, such as '~ outcome - 1'; of model regression the moderators, such as '~ year + C(phase)'. "
            "(For the evidence: regress; Bayesian: bayes --mods.)",
            "--mods",
            "--moderators",
            metavar="FORMULA",
        ),
    ] = None
    cluster: Annotated[
        str | None,
        option(
            "Rows whose sampling errors are correlated by --rho; in model robust the study of each row (default "
            "--study).",
            panel=_MULTILEVEL,
            metavar="COLUMN",
        ),
    ] = None
    rho: Annotated[
        float | None,
        option(
            "Their assumed correlation; others are tried too. In model robust 0.8.", panel=_MULTILEVEL, metavar="NUMBER"
        ),
    ] = None
    surrogate: Annotated[
        str | None,
        option(
            "Of two outcomes in '~ outcome | study' the one that is the surrogate of the other: also its line, which "
            "--figure draws. Fixed effects are then '~ outcome - 1', the structure UN.",
            panel=_MULTILEVEL,
            metavar="OUTCOME",
        ),
    ] = None
    test: Annotated[
        str,
        option(
            "z; or t with degrees of freedom: t (rows less coefficients), contain, groups, satterthwaite.",
            panel=_MULTILEVEL,
        ),
    ] = "contain"


@dataclass
class RegressionOptions:
    """What is asked of a meta-regression, by `fit --model regression` and by `regress`."""

    permute: Annotated[
        int | None,
        option(
            "Also a permutation test, with so many permutations (all of them where there are no more than 50,000).",
            panel=_REGRESSION,
            metavar="NUMBER",
        ),
    ] = None
    seed: Annotated[int, option("Of the permutations.", panel=_REGRESSION, metavar="NUMBER")] = 1
    predict: Annotated[
        list[str] | None,
        option("Predict at 'year=2010, phase=3'; may be repeated.", panel=_REGRESSION, metavar="NAME=VALUE[,...]"),
    ] = None
    contrasts: Annotated[
        list[str] | None,
        option("Compare all levels of these factors, two by two.", panel=_REGRESSION, metavar="NAME[,NAME]"),
    ] = None
    adjust: Annotated[
        str,
        option(
            "Of the p-values of contrasts: holm, bonferroni, sidak, holm-sidak, simes-hochberg, hommel, fdr-bh, "
            "fdr-by, none.",
            panel=_REGRESSION,
        ),
    ] = "holm"
    scale_mods: Annotated[
        str | None,
        option(
            "Also a location-scale model: moderators of log tau2, such as '~ year'.",
            "--scale-mods",
            "--scale-moderators",
            panel=_REGRESSION,
            metavar="FORMULA",
        ),
    ] = None
    along: Annotated[
        str | None,
        option("Moderator along which --figure draws. Default: the first number.", panel=_REGRESSION),
    ] = None

    def needs_of_regression(self, *, figure: bool) -> tuple[Needs, ...]:
        """Return which of these options say nothing without another."""
        return (
            Needs(("seed",), self.permute is not None, "--permute"),
            Needs(("adjust",), bool(self.contrasts), "--contrasts"),
            Needs(("along",), figure, "--figure"),
        )


@dataclass
class BatchOptions:
    """A table of many analyses: which column tells them apart, and who computes them."""

    batch: Annotated[
        str | None,
        option(
            "Pool each group of this column by model random; one row per group, as --format csv or jsonl.",
            panel=_BATCH,
            metavar="COLUMN",
        ),
    ] = None
    jobs: Annotated[int, option("Workers; -1 takes every core.", panel=_BATCH, metavar="NUMBER")] = 1
    backend: Annotated[
        str, option("loky (processes of this machine), threading, or dask (a cluster).", panel=_BATCH)
    ] = "loky"
    scheduler: Annotated[
        str | None, option("Address of a Dask scheduler, such as tcp://host:8786.", panel=_BATCH, metavar="ADDRESS")
    ] = None


@dataclass
class FitRequest(
    BatchOptions,
    RegressionOptions,
    MultilevelOptions,
    RobustOptions,
    GlmmOptions,
    BesideOptions,
    RandomOptions,
    CommonOptions,
    TableOptions,
):
    """Every option of `fit` about the table and the model; bases are listed from the last to the first in the help."""

    def columns(self) -> Columns:
        """Return which column holds what."""
        from igfmeta.synthesis.inputs import Columns

        return Columns(**{f.name: getattr(self, f.name) for f in fields(Columns)})

    def labels(self) -> list[str]:
        """Return the columns of text that the table must have."""
        from igfmeta.synthesis.fit_multilevel import columns_of
        from igfmeta.synthesis.formula_design import variables

        named = columns_of(self.random or [], self.mods, self.cluster)
        named += [] if self.scale_mods is None else variables(self.scale_mods, "scale_mods")
        return [name for name in (self.study, self.subgroup, *named) if name is not None]

    def needs(self, form: str, *, figure: bool) -> tuple[Needs, ...]:
        """Return which options say nothing beside the others and the columns; `form` is that of the columns."""
        from igfmeta.synthesis.fit_multilevel import has_inner

        return (
            Needs(("struct",), not self.random or has_inner(self.random), "a term such as '~ outcome | study'"),
            Needs(("ci_level",), form == "estimates with intervals", "columns of intervals (--lower, --upper)"),
            Needs(("zero_cells",), form.startswith("events"), "columns of events"),
            Needs(
                ("scale",),
                form.startswith(("effects", "estimates")),
                "columns of effects or estimates: elsewhere the measure decides",
            ),
            Needs(("subgroup_tau2",), self.subgroup is not None, "--subgroup"),
            *self.needs_of_regression(figure=figure),
        )

    def options(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the values of the options with these names."""
        return {name: getattr(self, name) for name in names}


def flag(name: str) -> str:
    """Return an option as it is written.

    Examples
    --------
    >>> flag("leave_one_out")
    '--leave-one-out'
    """
    return f"--{name.replace('_', '-')}"
