"""Contrasts of an exposure on one scale: how far apart what is compared lies, and the log ratio per distance asked.

Studies compare the top with the bottom of n quantile groups, two percentiles, or exposures that lie one standard
deviation or some units of measurement apart. With a log risk that is linear in the exposure, a log ratio grows with the
distance: what is per one distance becomes per another by a factor. In quantile groups the distance is that of the
groups' means, which needs a normal exposure and groups of equal size (Chêne & Thompson 1996, Am J Epidemiol 144:610;
Danesh et al. 1998, JAMA 279:1477, who state 2.18 standard deviations between the means of top and bottom third).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from igfmeta.effects.estimates import EffectSizes, effect_sizes
from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats

#: What a result can be per: one standard deviation, the means of the outer quarters, or a distance in units.
PER = ("sd", "quartile", "unit")

SD = "SD"

_GROUPS = {"half": 2, "tertile": 3, "quartile": 4, "quintile": 5, "sextile": 6, "septile": 7, "octile": 8, "decile": 10}
_UNIT = re.compile(r"per\s+(?P<amount>\d+(?:\.\d+)?)?\s*(?P<unit>[^\d\s;][^;]*?)\s*(?:;.*)?")
_SD = re.compile(r"\bSD\s+(?P<amount>\d+(?:\.\d+)?)\s+(?P<unit>[^;]+?)\s*(?:;.*)?$")
_SAID_OF_A_UNIT = re.compile(r"\s*\b(genetically predicted|of (its |the )?(concentration|level))\b|\s*\([^)]*\)")
_BLANK_UNITS = ("", "not stated")


@dataclass(frozen=True)
class Distance:
    """How far apart two exposures lie.

    Attributes
    ----------
    amount : float
    unit : str
        "SD", a unit of measurement ("nmol/L"), or "doubling".
    rule : str
        How it was found, in words.
    """

    amount: float
    unit: str
    rule: str = ""

    @property
    def label(self) -> str:
        """Return it as it stands after "per"."""
        return self.unit if self.amount == 1 else f"{self.amount:.3g} {self.unit}"


def group_means(n: int) -> Floats:
    """Return the mean of a standard normal variable in each of n groups of equal probability, the lowest group first.

    n (phi(z_i) - phi(z_i+1)) with z_i the normal quantile of i/n: the mean of a normal variable cut off on both sides.

    Examples
    --------
    >>> group_means(3).round(3)
    array([-1.091,  0.   ,  1.091])
    """
    density = np.exp(-0.5 * special.ndtri(np.arange(n + 1) / n) ** 2) / np.sqrt(2 * np.pi)
    means = -n * np.diff(density)
    # The two halves of a symmetric variable mirror each other to the last digit.
    return np.asarray(0.5 * (means - means[::-1]))


def outer_groups(n: int) -> float:
    """Return how many standard deviations the means of the top and the bottom of n quantile groups lie apart.

    To first order in beta, the log ratio per standard deviation, this is what the log ratio of the two groups is to be
    divided by; the next term is of the third order (for beta = 0.2 and quarters it is 0.08 %).

    Examples
    --------
    >>> [round(outer_groups(n), 2) for n in (2, 3, 4, 5)]
    [1.6, 2.18, 2.54, 2.8]
    """
    means = group_means(n)
    return float(means[-1] - means[0])


def group_step(n: int) -> float:
    """Return the standard deviations that one step of the number of a quantile group stands for.

    The least-squares slope of the groups' means on their numbers 1..n: what a trend "per quintile" estimates.

    Examples
    --------
    >>> round(group_step(5), 3)
    0.666
    """
    number = np.arange(n) - (n - 1) / 2
    return float(number @ group_means(n) / (number @ number))


def _ordinary(n: float) -> int | str:
    """Return a number of quantile groups, or why there is none."""
    if np.isnan(n):
        return "the number of quantile groups is not stated"
    if n < 2:
        return f"{n:g} quantile groups leave nothing to compare"
    return int(n)


def _outer(n: float, sign: float, words: str) -> Distance | str:
    groups = _ordinary(n)
    if isinstance(groups, str):
        return groups
    amount = sign * outer_groups(groups)
    return Distance(amount, SD, f"{words} of {groups} groups: means {abs(amount):.3g} SD apart")


def _groups(match: re.Match[str], n: float) -> Distance | str:
    """Return the distance between the means of two sets of groups, such as of `q5_vs_q2to4`."""
    groups = _ordinary(n)
    if isinstance(groups, str):
        return groups
    first, last = int(match[1]), int(match[2] or match[1])
    against, until = int(match[3]), int(match[4] or match[3])
    if not (1 <= first <= last <= groups and 1 <= against <= until <= groups) or (first, last) == (against, until):
        return f"groups {match[0]} are not two different ones of {groups}"
    means = group_means(groups)
    amount = float(means[first - 1 : last].mean() - means[against - 1 : until].mean())
    named = [str(a) if a == b else f"{a} to {b}" for a, b in ((first, last), (against, until))]
    return Distance(amount, SD, f"groups {named[0]} v {named[1]} of {groups}: means {abs(amount):.3g} SD apart")


def _percentiles(upper: int, lower: int) -> Distance | str:
    if not (0 < lower < 100 and 0 < upper < 100) or upper == lower:
        return f"percentiles {upper} and {lower} are not two different ones between 0 and 100"
    amount = float(special.ndtri(upper / 100) - special.ndtri(lower / 100))
    return Distance(amount, SD, f"percentile {upper} v {lower}: {abs(amount):.4g} SD apart")


def unit_distance(text: str) -> Distance | str:
    """Return the distance that a unit such as "per 5 nmol/L" or "per doubling of concentration" means, or why none.

    Examples
    --------
    >>> unit_distance("per 5 nmol/L").label, unit_distance("per doubling of concentration").label
    ('5 nmol/L', 'doubling')
    >>> unit_distance("high v low")
    "the unit 'high v low' is not of the form 'per 5 nmol/L'"
    """
    if text.strip() in _BLANK_UNITS:
        return "the unit of the contrast is not stated"
    found = _UNIT.fullmatch(_SAID_OF_A_UNIT.sub("", text).strip())
    amount = float(found["amount"] or 1) if found else 0.0
    if found is None or amount == 0:
        return f"the unit {text!r} is not of the form 'per 5 nmol/L'"
    distance = Distance(amount, found["unit"])
    return replace(distance, rule=f"per {distance.label}")


def sd_in(text: str) -> Distance | None:
    """Return the standard deviation of the exposure that a unit states after a semicolon, None where it states none.

    Examples
    --------
    >>> sd_in("per 5 nmol/L; SD 4 nmol/L").amount, sd_in("per 5 nmol/L")
    (4.0, None)
    """
    found = _SD.search(text)
    return Distance(float(found["amount"]), found["unit"], "SD of the study") if found else None


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], float, str], Distance | str]], ...] = (
    (r"per_sd", lambda m, n, unit: Distance(1.0, SD, "per SD")),
    (r"per_unit", lambda m, n, unit: unit_distance(unit)),
    (r"top_vs_bottom", lambda m, n, unit: _outer(n, 1.0, "top v bottom")),
    (r"bottom_vs_top", lambda m, n, unit: _outer(n, -1.0, "bottom v top")),
    (r"above_vs_below_median", lambda m, n, unit: _outer(2, 1.0, "top v bottom")),
    (r"q(\d+)(?:to(\d+))?_vs_q(\d+)(?:to(\d+))?", lambda m, n, unit: _groups(m, n)),
    (r"p(\d+)_vs_p(\d+)", lambda m, n, unit: _percentiles(int(m[1]), int(m[2]))),
    (
        rf"per_({'|'.join(_GROUPS)})",
        lambda m, n, unit: Distance(
            group_step(_GROUPS[m[1]]), SD, f"one step of {_GROUPS[m[1]]} groups: {group_step(_GROUPS[m[1]]):.3g} SD"
        ),
    ),
)


def distance_of(contrast: str, *, groups: float = float("nan"), unit: str = "") -> Distance | str:
    """Return how far apart the exposures of a contrast lie, or in words why that cannot be said.

    Parameters
    ----------
    contrast : str
        per_sd; per_unit; top_vs_bottom, bottom_vs_top, q3_vs_q1 or q5_vs_q2to4 of `groups` quantile groups;
        above_vs_below_median; p75_vs_p25 and other percentiles; per_quintile and other steps of a group number.
    groups : float
        Number of quantile groups; NaN where it is not stated.
    unit : str
        Of per_unit, such as "per 5 nmol/L".

    Examples
    --------
    >>> distance_of("p75_vs_p25").amount.__round__(3), distance_of("top_vs_bottom", groups=4).amount.__round__(3)
    (1.349, 2.542)
    >>> distance_of("top_vs_bottom")
    'the number of quantile groups is not stated'
    """
    for pattern, found in _PATTERNS:
        if match := re.fullmatch(pattern, contrast):
            return found(match, groups, unit)
    return f"the contrast {contrast!r} has no place on a scale of exposure"


def target_of(per: str, unit: str | None = None) -> Distance:
    """Return the distance that a result is to be per.

    Parameters
    ----------
    per : {"sd", "quartile", "unit"}
        One standard deviation; the distance between the means of top and bottom quarter; a distance in units.
    unit : str, optional
        For "unit": such as "5 nmol/L".

    Raises
    ------
    InputError
        Another `per`, or a unit that cannot be read, or one that `per` does not take.
    """
    per = check_choice("per", per, PER)
    if per != "unit":
        if unit is not None:
            raise InputError(f"unit was {unit!r} with per {per!r}; it goes with per 'unit'.")
        return Distance(1.0, SD, "per SD") if per == "sd" else Distance(outer_groups(4), SD, "top v bottom quartile")
    found = unit_distance(f"per {unit or ''}")
    if isinstance(found, str):
        raise InputError(f"unit was {unit!r}; accepted is an amount and a unit, such as 5 nmol/L.")
    return found


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def conversion(step: Distance, target: Distance, sd: Distance | None = None) -> float | str:
    """Return what a log ratio over `step` is multiplied by to be over `target`, or why it cannot be.

    Parameters
    ----------
    step, target : Distance
    sd : Distance, optional
        The standard deviation of the exposure in the study, in the unit that is to become SD or the reverse.

    Examples
    --------
    >>> conversion(Distance(5, "nmol/L"), Distance(1, "SD"), Distance(4, "nmol/L"))
    0.8
    >>> conversion(Distance(1, "doubling"), Distance(1, "SD"))
    'per doubling needs the standard deviation of the exposure in the study, which is not given'
    """
    if _same(step.unit, target.unit):
        return target.amount / step.amount
    if SD not in (step.unit, target.unit):
        return f"per {step.label} is in another unit than {target.unit}"
    if sd is None:
        what = step if target.unit == SD else target
        return f"per {what.label} needs the standard deviation of the exposure in the study, which is not given"
    measured = step.unit if target.unit == SD else target.unit
    if not _same(sd.unit, measured):
        return f"the standard deviation of the study is in {sd.unit}, not in {measured}"
    per_sd = sd.amount if target.unit == SD else 1 / sd.amount
    return target.amount * per_sd / step.amount


def rescaled(
    ratios: EffectSizes, steps: Sequence[Distance | str], target: Distance, sds: Sequence[Distance | None]
) -> EffectSizes:
    """Return log ratios per `target`: yi times the factor, vi times its square; shape (k,).

    Parameters
    ----------
    ratios : EffectSizes
        Log ratios as reported.
    steps : sequence of (Distance or str)
        What each is over, or why that is not known.
    target : Distance
    sds : sequence of (Distance or None)
        Standard deviations of the exposure, where known.

    Returns
    -------
    EffectSizes
        `derivation` names the rule and the factor of each row; rows that cannot be converted have a reason.

    Examples
    --------
    >>> from igfmeta.effects.hazard_ratio import from_interval
    >>> ratios = from_interval([1.69], [1.35], [2.13])
    >>> made = rescaled(ratios, [distance_of("top_vs_bottom", groups=4)], target_of("sd"), [None])
    >>> made.yi.round(4), made.derivation
    (array([0.2064]), ('top v bottom of 4 groups: means 2.54 SD apart; log ratio x 0.393',))
    """
    factors = [
        step if isinstance(step, str) else conversion(step, target, sd) for step, sd in zip(steps, sds, strict=True)
    ]
    factor = np.array([f if isinstance(f, float) else np.nan for f in factors])
    return effect_sizes(
        ratios.measure,
        ratios.yi * factor,
        ratios.vi * factor**2,
        derivation=[_derivation(*each) for each in zip(steps, factors, sds, strict=True)],
        reason=[r or (f if isinstance(f, str) else None) for r, f in zip(ratios.reason, factors, strict=True)],
        notes=ratios.notes,
    )


def _derivation(step: Distance | str, factor: float | str, sd: Distance | None) -> str:
    if isinstance(step, str) or isinstance(factor, str):
        return ""
    if factor == 1:
        return f"{step.rule}, as reported"
    by_sd = f", SD {sd.amount:g} {sd.unit}" if sd is not None and step.unit != SD else ""
    return f"{step.rule}{by_sd}; log ratio x {factor:.3g}"
