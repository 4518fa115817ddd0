"""Standard errors against the information that events and patients can hold, and hazard ratios against medians."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from igfmeta.synthesis.audit.findings import Remark, Row
from igfmeta.synthesis.audit.printed import Range, has_interval, log_printed, log_se, printed

#: The median of an exponential time has this many times the variance of the hazard ratio, on the log scale.
MEDIAN_VARIANCE = 1 / math.log(2) ** 2

#: Contrasts of two groups of people; a slope or a curve has another bound.
_TWO_GROUPS = re.compile(r"^(top_vs_bottom|bottom_vs_top|above_vs_below|q\d+_vs)")


def information_of(row: Row) -> tuple[float, str] | None:
    """Return how many events (or, where these are not known, patients) a comparison has, and which it is."""
    for column, unit in (("events", "events"), ("n", "patients")):
        exp, ctl = row[f"{column}_exp"], row[f"{column}_ctl"]
        if not (math.isnan(exp) or math.isnan(ctl)) and exp + ctl > 0:
            return exp + ctl, unit
    return None


def below_bound(row: Row) -> Iterator[Remark]:
    """The standard error of a log hazard ratio is not below 2/sqrt(events): each event adds at most 1/4."""
    se, found = log_se(row), information_of(row)
    if se is None or found is None or row["measure"] != "HR":
        return
    count, unit = found
    bound = 2 / math.sqrt(count)
    if se.high < bound:
        yield Remark(
            row,
            f"The interval means a standard error of {se.low:.3g} to {se.high:.3g}; {count:.0f} {unit} allow no less "
            f"than 2/sqrt({count:.0f}) = {bound:.3g}. Another level of the interval, or an SE entered as the interval?",
            {"se_low": se.low, "se_high": se.high, "bound": bound, "count": count},
        )


def below_bound_of_cases(row: Row) -> Iterator[Remark]:
    """The standard error of a log ratio of two exposure groups is not below what all cases and controls allow."""
    se, cases, controls = log_se(row), row["n_cases"], row["n_controls"]
    if se is None or math.isnan(cases) or cases <= 0 or not _TWO_GROUPS.match(row["contrast"]):
        return
    if row["measure"] == "RR":
        return  # of a common outcome the variance of a log risk ratio is smaller
    variance = 4 / cases
    if row["measure"] == "OR" and not math.isnan(controls) and controls > 0:
        variance += 4 / controls
    bound = math.sqrt(variance)
    if se.high < bound:
        yield Remark(
            row,
            f"The interval means a standard error of at most {se.high:.3g}; {cases:.0f} cases, split as they may be, "
            f"allow no less than {bound:.3g}.",
            {"se_low": se.low, "se_high": se.high, "bound": bound},
        )


def too_large(row: Row) -> Iterator[Remark]:
    """The standard error is not many times what the events allow: a standard deviation taken for one would be."""
    se, found = log_se(row), information_of(row)
    if se is None or found is None or row["measure"] != "HR":
        return
    count, unit = found
    expected = 2 / math.sqrt(count)
    # Patients are not events: one in 25 has one at the least, and then the ratio is 5.
    limit = 2.5 if unit == "events" else 5.0
    ratio = se.low / expected
    if ratio > limit:
        as_sd = ratio > 0.5 * math.sqrt(count)
        guess = " A standard deviation entered as a standard error?" if as_sd else ""
        yield Remark(
            row,
            f"The interval means a standard error of {se.low:.3g}, {ratio:.1f} times the 2/sqrt({count:.0f}) = "
            f"{expected:.3g} that {count:.0f} {unit} give in equal arms.{guess}",
            {"se_low": se.low, "expected": expected, "ratio": ratio},
            "error" if as_sd else None,
        )


def too_large_for_cases(row: Row) -> Iterator[Remark]:
    """The standard error of a contrast of outer quantiles is not many times what the cases give."""
    se, cases, groups = log_se(row), row["n_cases"], row["quantiles"]
    if se is None or math.isnan(cases) or cases <= 0 or math.isnan(groups) or groups < 2:
        return
    if row["contrast"] != "top_vs_bottom":
        return
    expected = math.sqrt(2 * groups / cases)
    ratio = se.low / expected
    if ratio > 3:
        as_sd = ratio > 0.5 * math.sqrt(cases)
        guess = " A standard deviation entered as a standard error?" if as_sd else ""
        yield Remark(
            row,
            f"The interval means a standard error of {se.low:.3g}, {ratio:.1f} times what {cases:.0f} cases in "
            f"{groups:.0f} equal groups give.{guess}",
            {"se_low": se.low, "expected": expected, "ratio": ratio},
            "error" if as_sd else None,
        )


def _typical_se(row: Row) -> float | None:
    """Return the standard error of the log hazard ratio: from the interval, else the least that the counts allow."""
    se, found = log_se(row), information_of(row)
    if se is not None:
        return se.high
    return 2 / math.sqrt(found[0]) if found else None


def against_medians(row: Row) -> Iterator[Remark]:
    """The hazard ratio is about the inverse ratio of the medians, as it is where survival is exponential.

    Of the same data, the efficient estimate and the ratio of medians differ with the difference of their variances
    (Hausman 1978); a median has 1/log(2)^2 times the variance of the rate.
    """
    if row["measure"] != "HR" or any(math.isnan(row[n]) for n in ("estimate", "median_exp", "median_ctl")):
        return
    se = _typical_se(row)
    if se is None:
        return
    log_hr = log_printed(row, "estimate")
    exp, ctl = printed(row, "median_exp"), printed(row, "median_ctl")
    if exp.low <= 0 or ctl.low <= 0:
        return
    by_medians = Range(math.log(ctl.low / exp.high), math.log(ctl.high / exp.low))
    unit = se * math.sqrt(MEDIAN_VARIANCE - 1)
    apart = log_hr.gap(by_medians) / unit
    inverted = Range(-log_hr.high, -log_hr.low).gap(by_medians) / unit
    opposite = log_hr.high < 0 < by_medians.low or by_medians.high < 0 < log_hr.low
    ratio = row["median_ctl"] / row["median_exp"]
    said = (
        f"The hazard ratio is {row['estimate']:g}; medians of {row['median_exp']:g} and {row['median_ctl']:g} mean "
        f"{ratio:.2f} under exponential survival"
    )
    numbers = {"by_medians": ratio, "apart": apart, "inverted": inverted}
    if apart > 4 and inverted < 2 and abs(math.log(row["estimate"])) > 2 * unit:
        yield Remark(row, f"{said}; the inverse, {1 / row['estimate']:.2f}, fits: are the arms exchanged?", numbers,
                     "error")  # fmt: skip
    elif apart > 3:
        yield Remark(
            row, f"{said}, {apart:.1f} standard errors apart: far from exponential, or a wrong number.", numbers
        )
    elif opposite and apart > 1:
        yield Remark(row, f"{said}, in the other direction, {apart:.1f} standard errors apart.", numbers,
                     "warning" if apart > 2 else "note")  # fmt: skip


def estimate_without_uncertainty(row: Row) -> Iterator[Remark]:
    """An estimate comes with an interval or a p-value that gives a standard error."""
    if math.isnan(row["estimate"]) or has_interval(row) or row["use"] != "primary":
        return
    if not row.get("p_value_text"):
        yield Remark(row, f"{row['estimate']:g} has neither interval nor p-value; no effect is made of a primary row.")
