"""The options of `influence`, `bias` and `sensitivity`: the selections of `pool`, or the columns of any table."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.output import say_written
from igfmeta.cli.request import Many, Request, several
from igfmeta.cli.unheard import Needs
from igfmeta.errors import InputError, listed

if TYPE_CHECKING:
    from igfmeta.synthesis.inputs import Columns
    from igfmeta.synthesis.methods import Methods
    from igfmeta.synthesis.study_sets import StudySet

_SELECT = "Which studies"
_COLUMNS = "Columns of a table of your own (--data)"

#: What selects from the evidence tables and says nothing of a table with named columns.
_OF_EVIDENCE = (
    "agent_class", "agent", "tumor", "tumor_group", "regimen", "partners", "phase", "design", "biomarker", "contrast",
    "outcome", "risk_of_bias", "risk_weights",
)  # fmt: skip

#: What only a table with named columns has.
_OF_TABLES = ("scale", "subgroup")


def _column(text: str) -> Any:
    return typer.Option(help=text, rich_help_panel=_COLUMNS, metavar="COLUMN")


@dataclass
class StudyRequest(Request):
    """Which studies, of the evidence or of any table, and how they are pooled."""

    year: Annotated[
        str | None,
        typer.Option(
            help="A year (2014) or a range (2010-2015); with columns of a table: the column of years.",
            rich_help_panel=_SELECT,
            metavar="YEAR[-YEAR]",
        ),
    ] = None
    study: Annotated[
        Many,
        typer.Option(
            help="Study, by its study_id; with columns of a table: the column of labels.",
            rich_help_panel=_SELECT,
            metavar="NAME[,NAME]",
        ),
    ] = None
    data: Annotated[
        Path | None,
        typer.Option(
            help="Evidence of your own (a folder of tables, or one trials table); or, with columns, any table.",
            metavar="DIR_OR_FILE",
            rich_help_panel=_SELECT,
        ),
    ] = None
    by: Annotated[
        str,
        typer.Option(
            help="One result per group: class, agent, tumor, tumor_group, phase, biomarker; none: all together.",
            rich_help_panel="Question",
            metavar="NAME",
        ),
    ] = "none"
    yi: Annotated[str | None, _column("Effects on the analysis scale, with --vi or --sei.")] = None
    vi: Annotated[str | None, _column("Their sampling variances.")] = None
    sei: Annotated[str | None, _column("Their standard errors.")] = None
    estimate: Annotated[str | None, _column("Estimates, with --lower, --upper and --scale.")] = None
    lower: Annotated[str | None, _column("Lower limits.")] = None
    upper: Annotated[str | None, _column("Upper limits.")] = None
    events1: Annotated[
        str | None, _column("Events in arm 1, with --n1, --events2, --n2 and --measure; or beside effects.")
    ] = None
    n1: Annotated[str | None, _column("Patients in arm 1.")] = None
    events2: Annotated[str | None, _column("Events in arm 2.")] = None
    n2: Annotated[str | None, _column("Patients in arm 2.")] = None
    events: Annotated[
        str | None, _column("Events in a single arm, with --n and --measure; beside effects: events in all.")
    ] = None
    n: Annotated[str | None, _column("Patients in a single arm; beside effects: patients in all.")] = None
    time1: Annotated[str | None, _column("Person-time in arm 1, with --events1, --events2, --time2, --measure.")] = None
    time2: Annotated[str | None, _column("Person-time in arm 2.")] = None
    time: Annotated[str | None, _column("Person-time in a single arm, with --events and --measure.")] = None
    mean1: Annotated[
        str | None, _column("Means in arm 1, with --sd1, --n1, --mean2, --sd2, --n2 and --measure (MD, SMD, ROM).")
    ] = None
    sd1: Annotated[str | None, _column("Standard deviations in arm 1.")] = None
    mean2: Annotated[str | None, _column("Means in arm 2.")] = None
    sd2: Annotated[str | None, _column("Standard deviations in arm 2.")] = None
    r: Annotated[str | None, _column("Correlations, with --n and --measure (ZCOR, COR).")] = None
    subgroup: Annotated[str | None, _column("Groups: one result for each.")] = None
    scale: Annotated[
        str | None,
        typer.Option(
            help="log: estimates are ratios (or effects are logs); identity: they are differences.",
            rich_help_panel=_COLUMNS,
            metavar="NAME",
        ),
    ] = None
    ci_level: Annotated[
        float, typer.Option(help="Level of the intervals in the table.", rich_help_panel=_COLUMNS, metavar="NUMBER")
    ] = 0.95
    zero_cells: Annotated[
        str,
        typer.Option(
            help="What is done about zero cells: none, only0, if0all, all, treatment_arm.",
            rich_help_panel=_COLUMNS,
            metavar="NAME",
        ),
    ] = "only0"

    def heeding(
        self, sets: tuple[StudySet, ...], *, approximated: bool = False
    ) -> tuple[tuple[StudySet, ...], Methods]:
        """Return sets of studies, and how they are pooled; see `igfmeta.synthesis.set_methods.methods_of_sets`."""
        from igfmeta.synthesis.set_methods import methods_of_sets

        return methods_of_sets(
            sets, method=self.method, ci=self.ci, pi=self.pi, level=self.level, approximated=approximated
        )

    def columns(self) -> Columns:
        """Return the columns that were named."""
        from igfmeta.synthesis.inputs import Columns

        return Columns(**{f.name: getattr(self, f.name) for f in fields(Columns)})

    def of_table(self) -> bool:
        """Return whether columns of a table were named."""
        return bool(self.columns().given())

    def sets(self, *, cluster: str | None = None, risk: str | None = None) -> tuple[StudySet, ...]:
        """Return the sets of studies that were asked for, those of the evidence or that of the table."""
        if self.of_table():
            return self._of_table(cluster, risk)
        if risk is not None:
            raise InputError("--risk names a column of a table; name its effects too, such as --yi and --vi.")
        self._refuse(_OF_TABLES, "names a column or a scale of a table; name its effects too, such as --yi and --vi")
        if self.ci_level != 0.95 or self.zero_cells != "only0":
            raise InputError("--ci-level and --zero-cells are of a table; name its effects too, such as --yi and --vi.")
        from igfmeta.synthesis.study_sets import sets_of_pool

        # Only the studies are taken of this pool: the methods are those of what is asked about them.
        found = replace(self, method=None, ci=None, pi=None).pool()
        return sets_of_pool(found, cluster=cluster)

    def _of_table(self, cluster: str | None, risk: str | None) -> tuple[StudySet, ...]:
        from igfmeta.evidence.columns import read_columns
        from igfmeta.synthesis.study_sets import set_of_table, sets_by

        self._refuse(_OF_EVIDENCE, "selects from evidence tables; a table with named columns is taken whole")
        if self.data is None:
            raise InputError("Columns were named without --data; it names the table that has them.")
        if self.use != "primary":
            raise InputError("--use was given; it chooses among the rows of evidence tables.")
        if self.by != "none":
            raise InputError("--by was given; the groups of a table with named columns are named by --subgroup.")
        study = several(self.study)
        if study is not None and len(study) > 1:
            raise InputError(f"--study was {', '.join(study)}; with columns it is one column, that of the labels.")
        label = None if study is None else study[0]
        texts = [name for name in (label, cluster, risk, self.subgroup) if name is not None]
        numbers = [*self.columns().given().values(), *([self.year] if self.year else [])]
        table = read_columns(self.data, numeric=numbers, text=texts)
        options: dict[str, Any] = {
            "measure": self.measure,
            "scale": self.scale,
            "ci_level": self.ci_level,
            "zero_cells": self.zero_cells,
            "study": label,
            "cluster": cluster,
            "year": self.year,
            "risk": risk,
        }
        if self.subgroup is None:
            return (set_of_table(table, self.columns(), **options),)
        return sets_by(table, self.columns(), self.subgroup, **options)

    def needs_of_table(self, *, sizes: bool = False, year: bool = False) -> tuple[Needs, ...]:
        """Return which options say nothing of the columns that were named.

        Parameters
        ----------
        sizes : bool
            Whether the command heeds events and patients beside effects.
        year : bool
            Whether it heeds the column of years.
        """
        from igfmeta.synthesis.study_sets import parted

        if not self.of_table():
            return ()
        core, beside = parted(self.columns())
        form = core.form()
        return (
            Needs(("ci_level",), form == "estimates with intervals", "columns of intervals (--lower, --upper)"),
            Needs(
                ("scale",),
                form.startswith(("effects", "estimates")),
                "columns of effects or estimates: elsewhere the measure decides",
            ),
            Needs(("zero_cells",), form.startswith("events"), "columns of events"),
            Needs(tuple(beside), sizes, "a command that heeds them beside effects, which is bias"),
            Needs(("year",), year, "influence --cumulative year: of a table it names the column of years"),
        )

    def needs_of_pi(self) -> Needs:
        """Return that no prediction interval is shown, which a command says that shows none."""
        return Needs(("pi",), False, "a prediction interval, which pool and influence give")

    def refuse_prior(self) -> None:
        """Refuse a prior where no posterior is shown."""
        if self.prior is not None:
            raise InputError("--prior was given; it is of the posterior, which pool, fit and sensitivity show.")

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        given = [f"--{'class' if n == 'agent_class' else n.replace('_', '-')}" for n in names if getattr(self, n)]
        if given:
            raise InputError(f"{listed(given)} {why}.")


def plots_of(plot: list[str] | None, figure: Path | None, default: str) -> tuple[str, ...]:
    """Return the names of the plots to draw; refuse names without a file."""
    if plot and figure is None:
        raise InputError("--plot names what --figure draws; add --figure FILE.")
    return several(plot) or (default,)


def save_all(figures: list[tuple[str, Any]], path: Path) -> None:
    """Write figures and name the files on standard error; of several, each gets its name before the suffix."""
    from igfmeta.plots.canvas import check_suffix, save

    check_suffix(path)
    for name, drawn in figures:
        own = path if len(figures) == 1 else path.with_stem(f"{path.stem}-{name}")
        say_written(save(drawn, own))
