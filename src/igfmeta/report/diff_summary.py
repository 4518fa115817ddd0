"""What came, went and changed between two evidences, and what it did to every pooled effect, as tables."""

from __future__ import annotations

from igfmeta import formatting as f
from igfmeta.evidence.differences import RowChange
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.effect_diff import Diff, EffectChange, PooledEffect

#: Longest cell that is printed whole.
LONGEST = 60

#: Cells that say what a new row of a study is; all of them are in JSON.
_TELLING = ("agent", "tumor_type", "cancer", "outcome", "biomarker", "contrast", "estimate", "ci_low", "ci_high",
            "events_exp", "n_exp", "events_ctl", "n_ctl", "percent_exp", "percent_ctl", "use")  # fmt: skip


def tables(diff: Diff, *, everything: bool = False) -> list[SummaryTable]:
    """Return the tables of a comparison: studies, rows, pooled effects; those without rows are left out.

    Parameters
    ----------
    diff : Diff
    everything : bool
        Also the pooled effects that are the same.
    """
    made = [_studies(diff), _rows(diff), _effects(diff, everything)]
    return [table for table in made if table.rows]


def closing(diff: Diff) -> list[str]:
    """Return what holds of the whole comparison, in sentences."""
    moved = [each for each in diff.effects if not each.same]
    turned = [each for each in moved if each.turned]
    lines = [f"{len(moved)} of {len(diff.effects)} pooled effects changed."]
    lines += [f"{each.effect.question}, {each.effect.group}: {each.turned}." for each in turned]
    if diff.same:
        lines = [f"{diff.old} and {diff.new} say the same: no row and none of {len(diff.effects)} effects differs."]
    return [*lines, diff.asked, f"Evidence sha256: old {diff.evidence.old[:16]}, new {diff.evidence.new[:16]}."]


def _studies(diff: Diff) -> SummaryTable:
    found = diff.evidence.studies
    counts = {kind: sum(each.kind == kind for each in found) for kind in ("came", "went", "changed")}
    return SummaryTable(
        title=f"Studies: {counts['came']} came, {counts['went']} went, {counts['changed']} changed",
        columns=(Column("Study", numeric=False), Column("What", numeric=False), Column("Rows new"),
                 Column("Rows gone"), Column("Rows changed")),
        rows=tuple((each.study, each.kind, str(each.rows_came), str(each.rows_went), str(each.rows_changed))
                   for each in found),
        set_apart=frozenset(),
        notes=(),
    )  # fmt: skip


def _rows(diff: Diff) -> SummaryTable:
    return SummaryTable(
        title=f"Rows: {len(diff.evidence.rows)} differ",
        columns=tuple(Column(name, numeric=False) for name in ("Table", "Row", "What", "Column", "Old", "New")),
        rows=tuple(line for change in diff.evidence.rows for line in _cells(change)),
        set_apart=frozenset(),
        notes=("Of a row that came or went the telling cells are shown; --format json has every cell.",),
    )


def _cells(change: RowChange) -> list[tuple[str, ...]]:
    first = (change.table, change.key, change.kind)
    if change.kind == "changed":
        return [(*first, cell.column, _cut(cell.old), _cut(cell.new)) for cell in change.cells]
    told = [cell for cell in change.cells if cell.column in _TELLING] if change.study else change.cells
    text = ", ".join(f"{cell.column} {cell.new or cell.old}" for cell in told)
    cut = _cut(text, 3 * LONGEST)
    return [(*first, "", "" if change.kind == "came" else cut, cut if change.kind == "came" else "")]


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _effects(diff: Diff, everything: bool) -> SummaryTable:
    shown = [each for each in diff.effects if everything or not each.same]
    same = len(diff.effects) - len([each for each in diff.effects if not each.same])
    notes = [
        "Each cell: before, and under it after. P: posterior probability of a benefit, that a risk is raised, or that "
        "trials show more where risk rises more."
    ]
    if same and not everything:
        notes.append(f"{same} pooled effects that did not change are not shown; --all shows them.")
    return SummaryTable(
        title="Pooled effects, before and after",
        columns=(Column("Effect", numeric=False), Column("k"), Column("Estimate (CI)"), Column("Prediction"),
                 Column("tau2"), Column("Posterior (CrI)"), Column("P")),
        rows=tuple(_line(each) for each in shown),
        set_apart=frozenset(),
        notes=tuple(notes),
    )  # fmt: skip


def _line(change: EffectChange) -> tuple[str, ...]:
    label = f"{change.effect.question}: {change.effect.group}"
    label += f" [{change.turned}]" if change.turned else ""
    label += " [new]" if change.old is None else " [gone]" if change.new is None else ""
    pairs = zip(_numbers(change.old), _numbers(change.new), strict=True)
    return (label, *(f"{before}\n{after}" for before, after in pairs))


def _numbers(effect: PooledEffect | None) -> tuple[str, ...]:
    if effect is None:
        return (f.NOT_ESTIMABLE,) * 6
    rate = effect.null is None
    decimals, factor = (1, 100.0) if rate else (2, 1.0)

    def scaled(value: float | None) -> float | None:
        return None if value is None else factor * value

    def with_interval(middle: float | None, lower: float | None, upper: float | None) -> str:
        limits = f.interval(scaled(lower), scaled(upper), decimals)
        shown = f.number(scaled(middle), decimals)
        return shown if limits == f.NOT_ESTIMABLE else f"{shown} ({limits})"

    return (
        str(effect.k),
        with_interval(effect.estimate, effect.ci_lower, effect.ci_upper),
        f.interval(scaled(effect.pi_lower), scaled(effect.pi_upper), decimals),
        f.small(effect.tau2),
        with_interval(effect.posterior_median, effect.posterior_lower, effect.posterior_upper),
        f.probability(effect.probability),
    )
