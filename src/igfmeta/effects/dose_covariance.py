"""Covariances of the log relative risks of one dose-response table, which share its reference group.

Two ways to counts that fit the adjusted relative risks: Greenland & Longnecker keep the margins of the table, Hamling
et al. keep the variances. Both leave the reported variances on the diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from igfmeta.effects.estimates import columns, refuse
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats
from igfmeta.solver import bracketed_newton

Design = Literal["cc", "ci", "ir"]

#: Kinds of table: what `n` counts, and what the relative risk is.
DESIGNS = ("cc", "ci", "ir")
DESIGN_NAMES = {"cc": "case-control", "ci": "cumulative incidence", "ir": "incidence rate"}

COVARIANCES = ("gl", "hamling", "independent")


@dataclass(frozen=True, eq=False)
class PseudoCounts:
    """Cases and what they are set against in each group, the reference first; they give the adjusted relative risks.

    Attributes
    ----------
    cases : ndarray of shape (m + 1,)
    against : ndarray of shape (m + 1,)
        Controls (cc), persons (ci) or person-time (ir).
    design : {"cc", "ci", "ir"}
    """

    cases: Floats
    against: Floats
    design: str

    def log_rr(self) -> Floats:
        """Return the log relative risks (odds ratios for cc) of the groups behind the reference; shape (m,)."""
        ratio = self.cases / self.against
        return np.asarray(np.log(ratio[1:] / ratio[0]))

    def parts(self) -> Floats:
        """Return what each group adds to the variance of a log relative risk; shape (m + 1,).

        1/A + 1/B for odds ratios, 1/A - 1/N for risk ratios, 1/A for rate ratios.
        """
        if self.design == "ir":
            return np.asarray(1 / self.cases)
        sign = 1 if self.design == "cc" else -1
        return np.asarray(1 / self.cases + sign / self.against)

    def variances(self) -> Floats:
        """Return the variances of the log relative risks that these counts would have; shape (m,)."""
        parts = self.parts()
        return np.asarray(parts[0] + parts[1:])


def _checked(log_rr: Any, cases: Any, n: Any, design: str) -> tuple[Floats, Floats, Floats]:
    """Return relative risks with the reference's 1 in front, cases, and n; every value that cannot be is refused."""
    check_choice("design", design, DESIGNS)
    y = columns(log_rr=log_rr)["log_rr"]
    x = columns(cases=cases, n=n)
    if len(x["n"]) != len(y) + 1:
        raise InputError(f"There are {len(y)} log relative risks and {len(x['n'])} groups; accepted is one group more.")
    above = x["n"] <= x["cases"] if design != "ir" else np.zeros(len(x["n"]), dtype=bool)
    refuse(
        ("log_rr", y, ~np.isfinite(y), "a finite number"),
        ("cases", x["cases"], ~(np.isfinite(x["cases"]) & (x["cases"] >= 0)), "a number of 0 or more"),
        ("n", x["n"], ~(np.isfinite(x["n"]) & (x["n"] > 0)) | above, "a number above 0, and above the cases"),
    )
    if x["cases"].sum() <= 0:
        raise InputError("There are no cases in the table; a relative risk needs some.")
    return np.exp(np.concatenate([[0.0], y])), x["cases"], x["n"]


def greenland_longnecker(log_rr: Any, cases: Any, n: Any, design: str) -> PseudoCounts:
    """Return counts with the margins of the table that give exactly its adjusted relative risks.

    Parameters
    ----------
    log_rr : array_like of shape (m,)
        Adjusted log relative risks (log odds ratios for cc) against the reference.
    cases, n : array_like of shape (m + 1,)
        Reported cases, and subjects (cc, ci: cases included) or person-time (ir), of the reference and then of the
        other groups.
    design : {"cc", "ci", "ir"}
        Case-control, cumulative incidence or incidence rate.

    Raises
    ------
    InputError
        Values that cannot be; risks above 1 (ci), which the table's margins and relative risks then contradict.

    Notes
    -----
    With R the relative risks, the fitted cases are n R o / (1 + R o) at the odds o of the reference (cc), or n R r at
    its risk or rate r; their sum is the number of cases, which has one solution.

    References
    ----------
    Greenland & Longnecker 1992, Am J Epidemiol 135:1301, appendices 1 and 2.

    Examples
    --------
    >>> counts = greenland_longnecker([0.5, 1.0], [10, 20, 30], [100, 110, 120], "cc")
    >>> counts.cases.sum().round(6), counts.log_rr().round(6)
    (np.float64(60.0), array([0.5, 1. ]))
    """
    rr, a, size = _checked(log_rr, cases, n, design)
    total = a.sum()
    if design == "cc":
        odds = total / (size.sum() - total)

        def missing(t: Floats, _: Any) -> tuple[Floats, Floats]:
            p = rr * t[:, None] / (1 + rr * t[:, None])
            return total - p @ size, -(p * (1 - p)) @ size / t

        root, _ = bracketed_newton(missing, np.array([odds / rr.max()]), np.array([odds / rr.min()]))
        risk = rr * root[0] / (1 + rr * root[0])
        return PseudoCounts(size * risk, size * (1 - risk), design)
    risk = rr * total / (size @ rr)
    if design == "ci" and (risk >= 1).any():
        raise InputError(
            "The relative risks and the margins of the table contradict each other: a risk would be above 1. "
            "Is it a table of person-time (ir)?"
        )
    return PseudoCounts(size * risk, size, design)


def _halving(f: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function changes from above 0 at `low` to below 0 at `high`, to the last digit."""
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return low


def hamling(log_rr: Any, vi: Any, cases: Any, n: Any, design: str) -> PseudoCounts:
    """Return effective counts that give back the adjusted relative risks and their variances.

    They keep two ratios of the reported table: the reference group's share of all that the cases are set against
    (controls, persons, person-time), and that total against the total of cases.

    Parameters
    ----------
    log_rr, vi : array_like of shape (m,)
        Adjusted log relative risks and their variances.
    cases, n, design
        See `greenland_longnecker`.

    Raises
    ------
    InputError
        Values that cannot be, or no effective counts with these properties (possible for ci with large risks).

    Notes
    -----
    With s the reference's own part of every variance (see `PseudoCounts.parts`), the other groups have v - s. For cc,
    the odds o of the reference and the weights w = v - s give A = (1 + o R)/w and B = (1 + 1/(o R))/w; the ratio of the
    totals is then a quadratic in o, and the reference's share falls from 1 to 0 as s goes from 0 to the smallest v.

    References
    ----------
    Hamling, Lee, Weitkunat & Ambuhl 2008, Stat Med 27:954, eq. 3 to 6.

    Examples
    --------
    >>> counts = hamling([0.5, 1.0], [0.25, 0.2], [10, 20, 30], [100, 110, 120], "cc")
    >>> counts.log_rr().round(6), counts.variances().round(6)
    (array([0.5, 1. ]), array([0.25, 0.2 ]))
    """
    rr, a, size = _checked(log_rr, cases, n, design)
    v = columns(vi=vi)["vi"]
    if len(v) != len(rr) - 1:
        raise InputError(f"There are {len(rr) - 1} log relative risks and {len(v)} variances; accepted are as many.")
    refuse(("vi", v, ~(np.isfinite(v) & (v > 0)), "a finite number above 0"))
    against = size - a if design == "cc" else size
    if against[0] <= 0 or a.sum() <= 0:
        raise InputError("Effective counts need controls, persons or person-time in the reference group.")
    share, ratio = against[0] / against.sum(), against.sum() / a.sum()

    def excess(s: float) -> float:
        rest = _effective(rr, v, s, ratio, design).against
        return float(rest[0] / rest.sum() - share)

    counts = _effective(rr, v, _halving(excess, 0.0, float(v.min())), ratio, design)
    kept = counts.against[0] / counts.against.sum(), counts.against.sum() / counts.cases.sum()
    if not (counts.parts() > 0).all() or not np.allclose(kept, (share, ratio), rtol=1e-6):
        raise InputError(
            "No effective counts (Hamling et al. 2008) have these relative risks, variances and totals; "
            "the covariance gl is accepted here."
        )
    return counts


def _effective(rr: Floats, v: Floats, s: float, ratio: float, design: str) -> PseudoCounts:
    """Return the counts with variances v, of which s is the reference's, and `ratio` of the totals."""
    w = np.concatenate([[s], v - s])
    if design == "ir":
        person_time = 1 / (w * rr)
        return PseudoCounts(1 / w, person_time * ratio * (1 / w).sum() / person_time.sum(), design)
    sign = 1.0 if design == "cc" else -1.0
    # Totals: cases sum(1/w) + sign o sum(R/w), the rest sum(1/(R w))/o + sign sum(1/w); the rest is ratio x cases.
    one, times, over = (1 / w).sum(), (rr / w).sum(), (1 / (rr * w)).sum()
    linear, square = (ratio - sign) * one, ratio * times
    root = np.sqrt(max(0.0, linear**2 + sign * 4 * square * over))
    odds = 2 * over / (linear + root) if linear + root > 0 else (root - linear) / (2 * square)
    return PseudoCounts((1 + sign * odds * rr) / w, (1 / (odds * rr) + sign) / w, design)


def covariance(log_rr: Any, vi: Any, cases: Any, n: Any, design: str, *, method: str = "gl") -> Floats:
    """Return the covariance matrix of the log relative risks of one table, with `vi` on its diagonal.

    Parameters
    ----------
    log_rr, vi, cases, n, design
        See `hamling`. "independent" needs neither cases nor n.
    method : {"gl", "hamling", "independent"}
        gl: the correlations of the counts that keep the margins. hamling: the reference's part of the variances in
        the effective counts. independent: 0, which is wrong for contrasts with one reference and is there to compare.

    Returns
    -------
    ndarray of shape (m, m)
        Positive definite.

    Notes
    -----
    For ci, gl takes the part of a group as 1/A, that of a rate ratio or hazard ratio, which is what such tables mostly
    report; these are also the correlations of 1/A - 1/N with counts fitted as odds, the reference implementation's.

    Examples
    --------
    >>> covariance([0.5, 1.0], [0.25, 0.2], [10, 20, 30], [100, 110, 120], "cc").round(4)
    array([[0.25  , 0.1461],
           [0.1461, 0.2   ]])
    """
    chosen = check_choice("covariance", method, COVARIANCES)
    v = columns(vi=vi)["vi"]
    refuse(("vi", v, ~(np.isfinite(v) & (v > 0)), "a finite number above 0"))
    if chosen == "independent":
        return np.diag(v)
    if chosen == "hamling":
        shared = np.full((len(v), len(v)), hamling(log_rr, v, cases, n, design).parts()[0])
    else:
        fitted = greenland_longnecker(log_rr, cases, n, design)
        counts = replace(fitted, design="ir") if design == "ci" else fitted
        if len(v) != len(counts.cases) - 1:
            raise InputError(f"There are {len(counts.cases) - 1} log relative risks and {len(v)} variances.")
        sd = np.sqrt(v / counts.variances())
        shared = counts.parts()[0] * np.outer(sd, sd)
    np.fill_diagonal(shared, v)
    return shared
