"""The table that answers: one row per pooled effect, both schools side by side, ready for any renderer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from igfmeta import formatting as f
from igfmeta.effects.scales import label_of, null_value
from igfmeta.report.model_words import methods_line
from igfmeta.synthesis.eligibility import Unused
from igfmeta.synthesis.group_hierarchy import Hierarchical
from igfmeta.synthesis.pool_models import VARYING
from igfmeta.synthesis.results import Answer, Group, PoolResult

#: Under the heading of the posterior, where groups have a second one.
HIERARCHICAL = "\nhierarchical"


@dataclass(frozen=True)
class Column:
    """A column: its heading, and whether its cells are numbers (right-aligned)."""

    heading: str
    numeric: bool = True


@dataclass(frozen=True)
class SummaryTable:
    """A table of finished strings.

    Attributes
    ----------
    title : str
    columns : tuple of Column
    rows : tuple of tuple of str
        A line break in a cell stacks two numbers.
    set_apart : frozenset of int
        Indices of rows that are pooled over everything.
    notes : tuple of str
        Lines under the table: methods, remarks, what was not used.
    marks : tuple of (estimate, lower, upper)
        Of each row, for a small forest beside the table; empty where there is none.
    null : float or None
        No effect, on the scale of the marks.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    set_apart: frozenset[int]
    notes: tuple[str, ...]
    marks: tuple[tuple[float | None, float | None, float | None], ...] = ()
    null: float | None = None


def _is_rate(answer: Answer) -> bool:
    return answer.question.arms == "single_arm"


def _scaled(answer: Answer, value: float | None) -> float | None:
    return 100 * value if value is not None and _is_rate(answer) else value


def _estimate(answer: Answer, group: Group, names: Sequence[str], source: object) -> str:
    """Return `1.07 (0.97, 1.18)` on the reader's scale; rates in percent."""
    decimals = 1 if _is_rate(answer) else 2
    middle, lower, upper = (_scaled(answer, group.natural(getattr(source, name))) for name in names)
    limits = f.interval(lower, upper, decimals)
    return f"{f.number(middle, decimals)} ({limits})" if limits != f.NOT_ESTIMABLE else f.number(middle, decimals)


def _prediction(answer: Answer, group: Group) -> str:
    fit = group.fit
    limits = [_scaled(answer, group.natural(value)) for value in (fit.pi_lower, fit.pi_upper)]
    return f.interval(limits[0], limits[1], 1 if _is_rate(answer) else 2)


def _patients(group: Group) -> str:
    if not group.patients:
        return f.NOT_ESTIMABLE
    return ("≥" if group.patients_missing else "") + f.count(group.patients)


def _stacked(own: str, borrowing: str | None) -> str:
    """Return two lines of a cell: a group by itself, and in the hierarchy of all groups."""
    return own if borrowing is None else f"{own}\n{borrowing}"


def _borrowing(answer: Answer, own: Hierarchical | None) -> tuple[str | None, str | None]:
    """Return a group's estimate in the hierarchy and its probability of benefit."""
    if own is None:
        return None, None
    decimals = 1 if _is_rate(answer) else 2
    middle, lower, upper = (_scaled(answer, x) for x in (own.median, own.ci_lower, own.ci_upper))
    return f"{f.number(middle, decimals)} ({f.interval(lower, upper, decimals)})", f.probability(own.p_benefit)


def _row(answer: Answer, group: Group, own: Hierarchical | None) -> tuple[str, ...]:
    fit, posterior = group.fit, group.posterior
    borrowed, benefit = _borrowing(answer, own)
    cells = [
        group.label,
        f"{fit.k}",
        _patients(group),
        _estimate(answer, group, ("estimate", "ci_lower", "ci_upper"), fit),
        _prediction(answer, group),
        f.small(fit.tau2),
        f.number(fit.i2, 0),
        _stacked(_estimate(answer, group, ("mu_median", "ci_lower", "ci_upper"), posterior), borrowed),
    ]
    if not _is_rate(answer):
        cells.append(_stacked(f.probability(group.p_benefit), benefit))
    return tuple(cells)


def _columns(answer: Answer) -> tuple[Column, ...]:
    level = f"{100 * answer.overall.fit.level:g} %"
    short = f"{answer.question.measure}" if not _is_rate(answer) else "Rate %"
    benefit = f"P({short}{'<' if answer.question.better == 'lower' else '>'}{'0' if short in ('RD', 'AS') else '1'})"
    columns = [
        Column("", numeric=False),
        Column("k"),
        Column("n"),
        Column(f"{short} ({level} CI)"),
        Column(f"{level} PI"),
        Column("tau2"),
        Column("I2 %"),
        Column(f"Posterior (CrI){'' if answer.hierarchy is None else HIERARCHICAL}"),
    ]
    return tuple(columns if _is_rate(answer) else [*columns, Column(benefit)])


def unused_line(answer: Answer) -> str | None:
    """Return, in one line, how many rows were not used and why."""
    if not answer.unused:
        return None
    return f"Not used: {counted(answer.unused)}. --explain lists them."


def counted(unused: Sequence[Unused]) -> str:
    """Return `14 rows (9 one arm, nothing to compare with; 5 exclude)`."""
    reasons = Counter(reason_kind(each.reason) for each in unused)
    shown = "; ".join(f"{n} {reason}" for reason, n in reasons.most_common(4))
    more = sum(n for _, n in reasons.most_common()[4:])
    tail = f"; {more} for other reasons" if more else ""
    return f"{len(unused)} {'row' if len(unused) == 1 else 'rows'} ({shown}{tail})"


def reason_kind(reason: str) -> str:
    """Return a reason without what is particular to one row, so that equal reasons can be counted."""
    return reason.split(", by row ")[0].split(" (")[0]


def _between_line(answer: Answer) -> str | None:
    if answer.between is None:
        return None
    test = answer.between
    return (
        f"Between groups: {test.statistic} = {f.number(test.q)}, df = {test.df}, {f.p_value(test.p_value)} "
        f"({test.how} in {test.groups} groups)."
    )


def _remarks(answer: Answer) -> list[str]:
    overall = [*answer.remarks, *answer.overall.remarks]
    few = [group.label for group in answer.groups if group.fit.k < 5]
    if few:
        varying = "tau2 and prediction intervals say little, and their " if answer.question.model in VARYING else ""
        overall.append(
            f"{len(few)} of {len(answer.groups)} groups have fewer than 5 studies: their {varying}posteriors lean on "
            "the prior."
        )
    parted = [group.label for group in answer.groups if any("schools part" in r for r in group.remarks)]
    if parted:
        overall.append(f"The schools part in: {', '.join(parted)} (--format json says how).")
    return overall


def _mark(answer: Answer, group: Group) -> tuple[float | None, float | None, float | None]:
    """Return estimate and interval as a forest draws them: percent for rates, the analysis scale otherwise."""
    fit = group.fit
    if not _is_rate(answer):
        return fit.estimate, fit.ci_lower, fit.ci_upper
    middle, lower, upper = (_scaled(answer, group.natural(v)) for v in (fit.estimate, fit.ci_lower, fit.ci_upper))
    return middle, lower, upper


def summary(answer: Answer) -> SummaryTable:
    """Return the summary table of one answer."""
    groups = [*answer.groups, answer.overall]
    rows = [_row(answer, group, own) for group, own in zip(groups, (*answer.borrowing(), None), strict=True)]
    measure = label_of(answer.question.measure)
    kind = "single-arm results" if _is_rate(answer) else "randomized comparisons"
    notes = [
        methods_line(answer.overall),
        answer.hierarchy.note if answer.hierarchy else None,
        _between_line(answer),
        *_remarks(answer),
        unused_line(answer),
    ]
    return SummaryTable(
        title=f"{answer.question.label}: {measure}, {kind}",
        columns=_columns(answer),
        rows=tuple(rows),
        set_apart=frozenset({len(rows) - 1}),
        notes=tuple(note for note in notes if note),
        marks=tuple(_mark(answer, group) for group in groups),
        null=None if _is_rate(answer) else null_value(answer.question.measure),
    )


def closing_lines(result: PoolResult) -> tuple[str, ...]:
    """Return what could not be answered and where the numbers come from."""
    missing = [f"No answer: {item.reason}" for item in result.unanswered]
    return (*missing, f"Evidence: {result.origin}, sha256 {result.fingerprint[:12]}; igfmeta {result.version}.")
