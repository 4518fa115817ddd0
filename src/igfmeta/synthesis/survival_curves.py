"""Printed Kaplan-Meier curves of two arms -> individual times -> hazard ratio, medians and restricted means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.effects.kaplan_meier import CONF_TYPES, KaplanMeier, kaplan_meier, quantile, restricted_mean
from igfmeta.effects.kaplan_meier_compare import TIES, LogRank, cox, log_rank, risk_sets
from igfmeta.effects.kaplan_meier_guyot import Reconstruction, reconstruct
from igfmeta.errors import InputError, NothingToPool, Problem, check_choice, check_level, listed
from igfmeta.evidence.reading import RawTable, read_table
from igfmeta.numerics import t_quantile
from igfmeta.synthesis.display import Pictured
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: What the heights of a digitised curve are read as.
HEIGHTS = ("proportion", "percent")


@dataclass(frozen=True, eq=False)
class ArmCurve:
    """One arm: its reconstruction, the Kaplan-Meier estimate of it, median and restricted mean with intervals."""

    name: str
    found: Reconstruction
    curve: KaplanMeier
    median: tuple[float, float, float]
    rmst: float
    rmst_se: float
    rmst_ci_lower: float
    rmst_ci_upper: float


@dataclass(frozen=True)
class TwoArms:
    """The experimental arm against the control: ratio of hazards, log-rank test, difference of restricted means."""

    experimental: str
    control: str
    log_hr: float
    se: float
    ci_lower: float
    ci_upper: float
    log_rank: LogRank
    rmst_difference: float
    rmst_difference_se: float
    rmst_difference_ci_lower: float
    rmst_difference_ci_upper: float


@dataclass(frozen=True, eq=False)
class SurvivalCurves(Pictured):
    """Everything that was made of the digitised curves of one figure."""

    title: str
    arms: tuple[ArmCurve, ...]
    comparison: TwoArms | None
    tau: float
    level: float
    conf_type: str
    ties: str
    heights: str
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return every number, under the names that tables use."""
        out: dict[str, Any] = {
            "igfmeta": __version__,
            "title": self.title,
            "method": {"reconstruction": "Guyot 2012", "ties": self.ties, "conf_type": self.conf_type,
                       "level": self.level, "tau": self.tau, "heights": self.heights},
            "arms": [_arm_dict(arm) for arm in self.arms],
            "comparison": None,
            "remarks": list(self.remarks),
        }  # fmt: skip
        c = self.comparison
        if c is not None:
            out["comparison"] = {
                "experimental": c.experimental, "control": c.control, "measure": "HR",
                "estimate": float(np.exp(c.log_hr)), "ci_lower": float(np.exp(c.ci_lower)),
                "ci_upper": float(np.exp(c.ci_upper)), "yi": c.log_hr, "sei": c.se,
                "log_rank": {"o_minus_e": c.log_rank.o_minus_e, "variance": c.log_rank.variance,
                             "chi2": c.log_rank.chi2, "p_value": c.log_rank.p_value},
                "rmst_difference": {"estimate": c.rmst_difference, "se": c.rmst_difference_se,
                                    "ci_lower": c.rmst_difference_ci_lower, "ci_upper": c.rmst_difference_ci_upper},
            }  # fmt: skip
        return out

    def to_frame(self) -> pd.DataFrame:
        """Return the individual times: arm, time, status, and arm 1 for the experimental one as `treat`."""
        import pandas as pd

        treat = None if self.comparison is None else self.comparison.experimental
        return pd.concat(
            [
                pd.DataFrame({"arm": arm.name, "treat": int(arm.name == treat), "time": arm.found.time,
                              "status": arm.found.status.astype(int)})
                for arm in self.arms
            ],
            ignore_index=True,
        )  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _arm_dict(arm: ArmCurve) -> dict[str, Any]:
    found = arm.found
    median, lower, upper = (_finite(x) for x in arm.median)
    return {
        "arm": arm.name, "n": found.n, "events": found.events, "events_asked": found.events_asked,
        "median": {"estimate": median, "ci_lower": lower, "ci_upper": upper},
        "rmst": {"estimate": arm.rmst, "se": arm.rmst_se, "ci_lower": arm.rmst_ci_lower,
                 "ci_upper": arm.rmst_ci_upper},
        "at_risk": [{"time": t, "printed": n, "found": m} for t, n, m in
                    zip(found.risk_time.tolist(), found.at_risk.tolist(), found.at_risk_found.tolist(), strict=True)],
        "points": len(found.curve.time) - 1, "points_moved": found.curve.moved,
        "largest_move": found.curve.largest_move, "largest_gap": found.largest_gap,
    }  # fmt: skip


def survival_curves(
    points: str | Path,
    at_risk: str | Path,
    *,
    control: str | None = None,
    events: Mapping[str, int] | None = None,
    heights: str | None = None,
    tau: float | None = None,
    ties: str = "efron",
    conf_type: str = "log",
    level: float = 0.95,
) -> SurvivalCurves:
    """Reconstruct individual times from digitised curves and compare the arms.

    Parameters
    ----------
    points : path
        A table with the columns `arm`, `time`, `surv`: points read off the curves.
    at_risk : path
        A table with the columns `arm`, `time`, `at_risk`: the numbers printed under the figure.
    control : str, optional
        The arm that the other is compared with. Without it the arms are described and not compared.
    events : mapping, optional
        Printed total of events by arm.
    heights : {"proportion", "percent"}, optional
        Default: percent where a height is above 1.05 and none of the curve says otherwise.
    tau : float, optional
        Horizon of the restricted means; default the earliest of the arms' last times.
    ties : {"efron", "breslow"}
    conf_type : {"log", "log-log", "plain"}
    level : float

    Returns
    -------
    SurvivalCurves
        Its `to_frame()` has the individual times; draws itself in a notebook.

    Raises
    ------
    InputError
        Tables that cannot be used; all problems at once.

    References
    ----------
    Guyot P, Ades AE, Ouwens MJNM, Welton NJ (2012). Enhanced secondary analysis of survival data: reconstructing the
    data from published Kaplan-Meier survival curves. BMC Med Res Methodol 12:9.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     points, at_risk = Path(folder, "points.csv"), Path(folder, "at_risk.csv")
    ...     _ = points.write_text("arm,time,surv\\nnew,2,0.9\\nnew,6,0.7\\nold,1,0.8\\nold,4,0.5\\n")
    ...     _ = at_risk.write_text("arm,time,at_risk\\nnew,0,20\\nold,0,20\\n")
    ...     curves = survival_curves(points, at_risk, control="old")
    >>> [(arm.name, arm.found.n, arm.found.events) for arm in curves.arms]
    [('new', 20, 6), ('old', 20, 10)]
    >>> f"{curves.to_dict()['comparison']['estimate']:.2f}"
    '0.16'
    """
    level, ties = check_level(level), check_choice("ties", ties, TIES)
    conf_type = check_choice("conf_type", conf_type, CONF_TYPES)
    curves = _columns(read_table(Path(points)), ("arm", "time", "surv"))
    risks = _columns(read_table(Path(at_risk)), ("arm", "time", "at_risk"))
    names = _arms(curves, risks, control, events or {}, (Path(points).name, Path(at_risk).name))
    heights = check_choice("heights", heights or _heights(curves, Path(points).name), HEIGHTS)
    scale = 0.01 if heights == "percent" else 1.0
    found = {
        name: _reconstructed(name, [(t, s * scale) for t, s in curves[name]], risks[name], (events or {}).get(name))
        for name in names
    }
    last = {name: max(r.time[-1], r.risk_time[-1]) for name, r in found.items()}
    horizon = float(min(last.values())) if tau is None else float(tau)
    arms = tuple(_arm(name, found[name], horizon, level, conf_type) for name in names)
    comparison, remarks = (None, []) if control is None else _compared(arms, control, ties, level)
    return SurvivalCurves(
        title=f"Individual times from the curves of {Path(points).name}", arms=arms, comparison=comparison,
        tau=horizon, level=level, conf_type=conf_type, ties=ties, heights=heights,
        remarks=(*remarks, *(line for arm in arms for line in _doubts(arm))),
    )  # fmt: skip


def _columns(table: RawTable, names: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Return pairs of numbers by arm, or every cell that is no number."""
    missing = [name for name in names if name not in table.header]
    if missing:
        found = ", ".join(table.header)
        raise InputError(Problem(f"lacks the column {' and '.join(missing)}; found are {found}.", file=table.file))
    at = [table.header.index(name) for name in names]
    out: dict[str, list[tuple[float, float]]] = {}
    problems = []
    for number, row in zip(table.numbers, table.rows, strict=True):
        values = []
        for name, i in zip(names[1:], at[1:], strict=True):
            try:
                values.append(float(row[i]))
                if not np.isfinite(values[-1]):
                    raise ValueError
            except ValueError:
                problems.append(Problem(f"was {row[i]!r}; accepted is a number.", table.file, number, name))
        if not row[at[0]]:
            problems.append(Problem("is blank; every row needs the name of its arm.", table.file, number, names[0]))
        if len(values) == 2:
            out.setdefault(row[at[0]], []).append((values[0], values[1]))
    if problems:
        raise InputError(problems)
    if not out:
        raise InputError(Problem("holds no rows.", file=table.file))
    return out


def _arms(
    curves: Mapping[str, Any],
    risks: Mapping[str, Any],
    control: str | None,
    events: Mapping[str, int],
    files: tuple[str, str],
) -> list[str]:
    """Return the arms, the experimental one first; or say which table lacks which arm."""
    problems = [
        Problem(f"has no numbers at risk of the arm {name!r}.", files[1]) for name in curves if name not in risks
    ]
    problems += [Problem(f"has no points of the arm {name!r}.", files[0]) for name in risks if name not in curves]
    known = list(curves)
    for option, name in [("control", control), *(("events", each) for each in events)]:
        if name is not None and name not in curves:
            problems.append(Problem(f"{option} named the arm {name!r}; the curves are of {listed(known)}."))
    if control is not None and len(known) != 2:
        problems.append(Problem(f"control compares two arms, and the curves are of {len(known)}: {', '.join(known)}."))
    if problems:
        raise InputError(problems)
    return sorted(known, key=lambda name: name == control)


def _heights(curves: Mapping[str, Sequence[tuple[float, float]]], file: str) -> str:
    top = max(s for pairs in curves.values() for _, s in pairs)
    if top <= 1.05:
        return "proportion"
    if top > 20:
        return "percent"
    raise InputError(
        Problem(f"has no height above {top:g}: say whether heights are a proportion or percent.", file, None, "surv")
    )


def _reconstructed(
    name: str, points: Sequence[tuple[float, float]], risks: Sequence[tuple[float, float]], events: int | None
) -> Reconstruction:
    (t, s), (tr, nr) = zip(*points, strict=True), zip(*sorted(risks), strict=True)
    try:
        return reconstruct(t, s, risk_time=tr, at_risk=nr, events=events)
    except InputError as error:
        raise InputError([Problem(f"Arm {name!r}: {p.message}") for p in error.problems]) from None


def _arm(name: str, found: Reconstruction, tau: float, level: float, conf_type: str) -> ArmCurve:
    curve = kaplan_meier(found.time, found.status, level=level, conf_type=conf_type)
    mean, se = restricted_mean(curve, tau)
    z = float(t_quantile(0.5 + level / 2, np.inf))
    return ArmCurve(name, found, curve, quantile(curve), mean, se, mean - z * se, mean + z * se)


def _compared(arms: Sequence[ArmCurve], control: str, ties: str, level: float) -> tuple[TwoArms | None, list[str]]:
    exp, ctl = (next(a for a in arms if (a.name == control) is is_control) for is_control in (False, True))
    x = np.concatenate([np.ones(exp.found.n), np.zeros(ctl.found.n)])
    sets = risk_sets(
        np.concatenate([exp.found.time, ctl.found.time]), np.concatenate([exp.found.status, ctl.found.status]), x
    )
    try:
        log_hr, se = cox(sets, ties=ties)
        test = log_rank(sets)
    except NothingToPool as error:
        return None, [str(error)]
    z = float(t_quantile(0.5 + level / 2, np.inf))
    difference = exp.rmst - ctl.rmst
    spread = float(np.hypot(exp.rmst_se, ctl.rmst_se))
    return TwoArms(
        exp.name, control, log_hr, se, log_hr - z * se, log_hr + z * se, test,
        difference, spread, difference - z * spread, difference + z * spread,
    ), []  # fmt: skip


def _doubts(arm: ArmCurve) -> list[str]:
    """Return what a reader should know before using an arm."""
    found, lines = arm.found, []
    if found.curve.moved:
        lines.append(f"{arm.name}: {found.curve.moved} points rose or left 0 to 1 and were moved, by "
                     f"{found.curve.largest_move:.3g} at most.")  # fmt: skip
    lines += [
        f"{arm.name}: {n:.0f} at risk were printed at {t:g}, and the curve leaves {m:.0f}; one of the two was misread."
        for t, n, m in zip(found.risk_time, found.at_risk, found.at_risk_found, strict=True)
        if n != m
    ]
    if found.events_asked is not None and found.events_asked != found.events:
        lines.append(f"{arm.name}: {found.events_asked} events were printed, and the curve holds {found.events}.")
    if found.events_asked is None:
        rule = "its rate before" if len(found.risk_time) > 1 else "none"
        lines.append(f"{arm.name}: no total of events; censoring after the last number at risk is taken from {rule}.")
    if found.largest_gap > 0.02:
        lines.append(f"{arm.name}: the reconstructed curve leaves the digitised one by up to {found.largest_gap:.3f}.")
    return lines
