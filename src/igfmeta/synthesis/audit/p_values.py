"""p-values against intervals and numbers of patients; which of one- and two-sided they fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from igfmeta.synthesis.audit.findings import Remark, Row
from igfmeta.synthesis.audit.information import information_of
from igfmeta.synthesis.audit.printed import (
    NORMAL,
    Range,
    log_printed,
    log_se,
    p_printed,
    z_from_interval,
    z_one_sided,
    z_two_sided,
)

#: A log-rank statistic and a Wald statistic of the same data may differ by as much on the scale of z.
SLACK = 0.2
#: Beyond this no choice of test explains it.
GROSS = 1.0

WORDS = {"1": "one-sided", "2": "two-sided", "unknown": "of unknown sidedness", "": "of unknown sidedness"}


@dataclass(frozen=True)
class _Fit:
    """How far, in z, a p-value lies from the interval when it is read as one- or two-sided."""

    z: Range
    gaps: dict[str, float]

    @property
    def best(self) -> str:
        return min(self.gaps, key=lambda side: self.gaps[side])

    def p(self, side: str) -> float:
        """Return the p-value that the middle of the interval's z means."""
        z = 0.5 * (self.z.low + self.z.high)
        return 2 * NORMAL.cdf(-abs(z)) if side == "2" else NORMAL.cdf(z)


def _fit(row: Row) -> _Fit | None:
    z = z_from_interval(row)
    if z is None or not row["p_value_text"]:
        return None
    p = p_printed(row["p_value_text"])
    one = z_one_sided(p)
    # A one-sided test may have been for harm: then z has the other sign.
    gap = min(z.gap(one), z.gap(Range(-one.high, -one.low)))
    return _Fit(z, {"1": gap, "2": z.absolute().gap(z_two_sided(p))})


def _numbers(fit: _Fit) -> dict[str, float]:
    return {"z_low": fit.z.low, "z_high": fit.z.high, "gap_one_sided": fit.gaps["1"], "gap_two_sided": fit.gaps["2"]}


def against_interval(row: Row) -> Iterator[Remark]:
    """The p-value is the one that estimate and interval mean, read as one- or as two-sided."""
    fit = _fit(row)
    if fit is None or fit.gaps[fit.best] <= SLACK:
        return
    yield Remark(
        row,
        f"p {row['p_value_text']} ({WORDS[row['p_sided']]}) fits neither as one- nor as two-sided: the interval means "
        f"{fit.p('1'):.3g} and {fit.p('2'):.3g}.",
        _numbers(fit),
        "error" if fit.gaps[fit.best] > GROSS else None,
    )


def sidedness(row: Row) -> Iterator[Remark]:
    """The interval tells whether a p-value is one- or two-sided, and the row says the same."""
    fit = _fit(row)
    if fit is None or fit.gaps[fit.best] > SLACK:
        return
    said = row["p_sided"]
    if said in ("1", "2"):
        other = "2" if said == "1" else "1"
        if fit.gaps[said] > SLACK >= fit.gaps[other]:
            yield Remark(
                row,
                f"p {row['p_value_text']} is said to be {WORDS[said]} and fits the interval as {WORDS[other]}: "
                f"the interval means {fit.p(said):.3g} {WORDS[said]}, {fit.p(other):.3g} {WORDS[other]}.",
                {**_numbers(fit), "guess": WORDS[other]},
            )
    elif max(fit.gaps.values()) > SLACK:
        yield Remark(
            row,
            f"p {row['p_value_text']} is of unknown sidedness; by the interval it is {WORDS[fit.best]}.",
            {**_numbers(fit), "guess": WORDS[fit.best]},
            "note",
        )


def against_information(row: Row) -> Iterator[Remark]:
    """An estimate with a p-value and no interval does not mean more information than its events or patients hold."""
    if row["measure"] != "HR" or log_se(row) is not None or math.isnan(row["estimate"]) or not row["p_value_text"]:
        return
    found = information_of(row)
    if found is None:
        return
    count, unit = found
    bound = 2 / math.sqrt(count)
    estimate = log_printed(row, "estimate").absolute().high
    p = p_printed(row["p_value_text"])
    one, two = z_one_sided(p).absolute(), z_two_sided(p)
    largest = {side: estimate / z.low if z.low > 0 else math.inf for side, z in (("1", one), ("2", two))}
    said = row["p_sided"]
    wrong = [side for side in ("1", "2") if largest[side] < bound]
    if not wrong or (said in ("1", "2") and said not in wrong):
        return
    guess = "one-sided" if wrong == ["2"] else "two-sided" if wrong == ["1"] else "neither"
    yield Remark(
        row,
        f"Ratio {row['estimate']:g} with p {row['p_value_text']} ({WORDS[said]}) would mean a standard error of at "
        f"most {largest[wrong[-1]]:.2g}, where {count:.0f} {unit} allow no less than {bound:.2g}; the p-value fits "
        f"{'as ' + guess if guess != 'neither' else 'neither as one- nor as two-sided'}.",
        {"se_one_sided": largest["1"], "se_two_sided": largest["2"], "bound": bound, "guess": guess},
        "note" if said not in ("1", "2") else None,
    )
