"""The tables of reconstructed survival curves: the comparison, the arms, the numbers at risk."""

from __future__ import annotations

import math

from igfmeta import formatting as f
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.survival_curves import ArmCurve, SurvivalCurves

DOUBT = (
    "Intervals hold the sampling error of the reconstructed people; the error of reading the figure comes on top. "
    "Reconstruction: Guyot et al. 2012, BMC Med Res Methodol 12:9."
)


def tables(result: SurvivalCurves) -> list[SummaryTable]:
    """Return the tables, the answer first."""
    found = [arm_table(result), risk_table(result)]
    return [comparison_table(result), *found] if result.comparison is not None else found


def comparison_table(result: SurvivalCurves) -> SummaryTable:
    """Return the hazard ratio and the difference of restricted means."""
    c = result.comparison
    assert c is not None
    ratio = [math.exp(x) for x in (c.log_hr, c.ci_lower, c.ci_upper)]
    level = f"{100 * result.level:g} % interval"
    rows = (
        ("Hazard ratio", f.number(ratio[0], 3), f.interval(ratio[1], ratio[2], 3), f.number(c.se, 4),
         f.p_value(c.log_rank.p_value)),
        (f"Difference of restricted means to {result.tau:g}", f.number(c.rmst_difference, 2),
         f.interval(c.rmst_difference_ci_lower, c.rmst_difference_ci_upper, 2), f.number(c.rmst_difference_se, 3), ""),
    )  # fmt: skip
    columns = (Column("", False), Column("Estimate"), Column(level), Column("SE"), Column("p (log-rank)"))
    notes = (f"Cox model, ties after {result.ties.capitalize()}; the SE of the hazard ratio is that of its log.", DOUBT)
    return SummaryTable(f"{c.experimental} against {c.control}", columns, rows, frozenset(), notes)


def _median(arm: ArmCurve) -> str:
    middle, lower, upper = (f.number(x, 1) if math.isfinite(x) else "not reached" for x in arm.median)
    return f"{middle} ({lower}, {upper})" if middle != "not reached" or lower != "not reached" else middle


def arm_table(result: SurvivalCurves) -> SummaryTable:
    """Return people, events, median and restricted mean of each arm."""
    rows = tuple(
        (arm.name, f"{arm.found.n}", f"{arm.found.events}", _median(arm),
         f"{f.number(arm.rmst, 2)} ({f.interval(arm.rmst_ci_lower, arm.rmst_ci_upper, 2)})",
         f.number(arm.found.largest_gap, 3))
        for arm in result.arms
    )  # fmt: skip
    columns = (
        Column("Arm", False), Column("n"), Column("Events"), Column("Median"),
        Column(f"Mean to {result.tau:g}"), Column("Largest gap\nto the curve"),
    )  # fmt: skip
    how = f"{100 * result.level:g} % intervals; of medians by S(t) on the scale {result.conf_type}, of means " \
          f"from Greenwood's variance. Heights were read as {result.heights}."  # fmt: skip
    notes = [how, *result.remarks]
    return SummaryTable(
        result.title, columns, rows, frozenset(), tuple(notes if result.comparison else [*notes, DOUBT])
    )


def risk_table(result: SurvivalCurves) -> SummaryTable:
    """Return the numbers at risk as printed and as reconstructed."""
    rows = tuple(
        (arm.name, f"{t:g}", f"{n:.0f}", f"{m:.0f}")
        for arm in result.arms
        for t, n, m in zip(arm.found.risk_time, arm.found.at_risk, arm.found.at_risk_found, strict=True)
    )
    columns = (Column("Arm", False), Column("Time"), Column("Printed"), Column("Reconstructed"))
    return SummaryTable("Numbers at risk", columns, rows, frozenset(), ())
