"""Coverage and bias of odds ratios from sparse tables: sums, penalized likelihood, mixed models, corrected logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from coverage_rates import biases
from coverage_scenarios import LEVEL, Found, Scenario, around, held, missed, said

from igfmeta.effects.two_arm import two_arm
from igfmeta.models import firth, random_intercepts
from igfmeta.models.glmm import VARIANTS, at_an_end, start
from igfmeta.models.mantel_haenszel import odds_ratio
from igfmeta.models.mixed_likelihood import DataSets, maximize
from igfmeta.models.pooling import pool
from igfmeta.numerics import Floats

TITLE = "Sparse tables of two arms"
ABOUT = (
    "Events are binomial in both arms, 50 to 200 patients in arm 2 and as many in arm 1 (or four times as many), risks "
    "of arm 2 log-uniform in the range; log odds ratios normal about log(OR) with variance tau2. MH, Peto and Firth "
    "(profile-penalized likelihood) assume one odds ratio; IV pools log odds ratios with 0.5 added where a cell is 0; "
    "CM.EL is the exact conditional model, CM.AL its binomial approximation, UM.FS and UM.RS have fixed and random "
    "intercepts. Studies without any event do not count."
)
REPLICATES, TWO_DIMENSIONAL = 400, 100

#: Roles of the counts, and data sets that share a call of what takes a mask.
ROLES, BLOCK = ("events1", "n1", "events2", "n2"), 16
#: Mixed models, and whether their likelihood is profiled too (of UM.FS that takes long).
MIXED = {"CM.EL": True, "CM.AL": True, "UM.FS": False}


@dataclass(frozen=True, eq=False)
class _Tables:
    """Data sets of tables, shape (n, k), and which tables tell of an odds ratio."""

    a: Floats
    n1: Floats
    c: Floats
    n2: Floats

    @property
    def tells(self) -> Any:
        events = self.a + self.c
        return (events > 0) & (events < self.n1 + self.n2)

    @property
    def cells(self) -> tuple[Floats, Floats, Floats, Floats]:
        return self.a, self.n1, self.c, self.n2

    def stacked(self, rows: Any) -> tuple[dict[str, Floats], Any]:
        """Return the telling tables of data sets in one row, and how many each has."""
        kept = self.tells[rows]
        return dict(zip(ROLES, (each[rows][kept] for each in self.cells), strict=True)), kept.sum(axis=1)

    def blocks(self, rows: Any) -> Iterator[tuple[Any, dict[str, Floats], Any]]:
        """Yield some data sets at a time: which, their telling tables in one row, and a mask of whose they are."""
        for i in range(0, len(rows), BLOCK):
            some = rows[i : i + BLOCK]
            counts, size = self.stacked(some)
            yield some, counts, np.repeat(np.arange(len(some)), size) == np.arange(len(some))[:, None]


def _tables(
    rng: np.random.Generator, n: int, k: int, risk: tuple[float, float], theta: float, tau2: float, ratio: int
) -> _Tables:
    n2 = rng.integers(50, 201, (n, k))
    n1 = ratio * n2
    base = np.exp(rng.uniform(*np.log(risk), (n, k)))
    logit = np.log(base / (1 - base)) + rng.normal(theta, np.sqrt(tau2), (n, k))
    a, c = rng.binomial(n1, 1 / (1 + np.exp(-logit))), rng.binomial(n2, base)
    return _Tables(*(each.astype(float) for each in (a, n1, c, n2)))


def _penalized(tables: _Tables, n: int) -> Floats:
    """Return Firth's estimates with their limits; NaN where no table tells anything."""
    out = np.full((n, 3), np.nan)
    for some, counts, mask in tables.blocks(np.flatnonzero(tables.tells.any(axis=1))):
        fit = firth.fit(*counts.values(), level=LEVEL, mask=mask)
        out[some] = np.column_stack([fit.estimate, fit.lower, fit.upper])
    return out


def _mixed(tables: _Tables, variant: str, n: int) -> dict[str, Floats]:
    """Return the maximum-likelihood fits; NaN where all events are in one arm or the likelihood rises without end."""
    everything = np.arange(n)
    counts, size = tables.stacked(everything)
    ends = at_an_end(VARIANTS["OR", variant]("OR", counts).telling)
    owner = np.repeat(everything, size)
    inner = [np.bincount(owner, ~end, n) > 0 for end in ends]
    some = np.flatnonzero(inner[0] & inner[1])
    counts, size = tables.stacked(some)
    model = VARIANTS["OR", variant]("OR", counts)
    data = DataSets(model.evaluate, np.cumsum(size) - size, size)
    fit = maximize(data, start(model.telling, size), level=LEVEL, profile=MIXED[variant])
    out = {}
    for name in ("theta", "se", "theta_lower", "theta_upper", "tau2", "tau2_lower", "tau2_upper"):
        out[name] = np.full(n, np.nan)
        out[name][some] = np.where(fit.converged, getattr(fit, name), np.nan)
    out["df"] = np.full(n, np.nan)
    out["df"][some] = size - 1
    return out


def _random_intercepts(tables: _Tables, n: int) -> Floats:
    """Return estimates with standard errors of UM.RS, of the first data sets; NaN where an arm has no event."""
    out = np.full((min(n, TWO_DIMENSIONAL), 2), np.nan)
    usable = (tables.tells.sum(axis=1) > 1) & (tables.a.sum(axis=1) > 0) & (tables.c.sum(axis=1) > 0)
    for some, counts, mask in tables.blocks(np.flatnonzero(usable[: len(out)])):
        fit = random_intercepts.fit("OR", counts, mask=mask)
        out[some] = np.where(fit.converged[:, None], np.concatenate([fit.theta, fit.se], axis=1), np.nan)
    return out


def sparse(rng: np.random.Generator, n: int, *, risk: str, arms: str, odds: float, tau2: float, k: int) -> Found:
    """Fit n data sets in every way."""
    theta = float(np.log(odds))
    tables = _tables(rng, n, k, RISKS[risk], theta, tau2, int(arms[0]))
    flat = [each.ravel() for each in tables.cells]
    tells = tables.tells
    some = np.flatnonzero(tells.any(axis=1))
    interval: dict[str, Any] = {}
    bias: dict[str, Any] = {}

    def pooled(name: str, label: str, measure: str, **options: Any) -> None:
        effects = two_arm(*flat, measure=measure)
        y, v = (np.where(tells, each.reshape(n, k), fill) for each, fill in ((effects.yi, 0.0), (effects.vi, 1.0)))
        fit = pool(y[some], v[some], mask=tells[some], tau2_ci="none", level=LEVEL, **options)
        whole = np.full((n, 3), np.nan)
        whole[some] = np.column_stack([fit.ci_lower, fit.ci_upper, fit.estimate])
        interval[label] = held(whole[:, 0], whole[:, 1], theta)
        bias[name] = missed(whole[:, 2], theta)

    mh, penalized = odds_ratio(*tables.cells, tables.tells), _penalized(tables, n)
    finite = np.where(np.isfinite(mh.estimate), mh.estimate, np.nan)
    interval["MH"], bias["MH"] = held(*around(finite, mh.se), theta), missed(finite, theta)
    pooled("Peto", "Peto", "PETO", method="CE", ci="z")
    interval["Firth PL"], bias["Firth"] = held(penalized[:, 1], penalized[:, 2], theta), missed(penalized[:, 0], theta)
    pooled("IV DL", "IV, DL z", "OR", method="DL", ci="z")
    pooled("IV REML", "IV, REML HK", "OR", method="REML", ci="HK")
    spread: dict[str, Any] = {}
    bias_tau2: dict[str, Any] = {}
    for variant in MIXED:
        fit = _mixed(tables, variant, n)
        interval[f"{variant} z"] = held(*around(fit["theta"], fit["se"]), theta)
        interval[f"{variant} t"] = held(*around(fit["theta"], fit["se"], fit["df"]), theta)
        bias[variant] = missed(fit["theta"], theta)
        if MIXED[variant]:
            interval[f"{variant} PL"] = held(fit["theta_lower"], fit["theta_upper"], theta)
            spread[f"{variant} PL"] = held(fit["tau2_lower"], fit["tau2_upper"], tau2)
        bias_tau2[variant] = missed(fit["tau2"], tau2)
    two = _random_intercepts(tables, n)
    interval["UM.RS z"], bias["UM.RS"] = held(*around(two[:, 0], two[:, 1]), theta), missed(two[:, 0], theta)
    return {
        "interval of the log odds ratio": interval,
        "interval of tau2": spread,
        "bias of the log odds ratio": bias,
        "bias of tau2": bias_tau2,
    }


RISKS = {"0.2 to 1 %": (0.002, 0.01), "1 to 5 %": (0.01, 0.05), "10 to 40 %": (0.1, 0.4)}
_SETTINGS = (
    ("0.2 to 1 %", "1:1", 0.5, 0.0, 10),
    ("1 to 5 %", "1:1", 1.0, 0.0, 10),
    ("1 to 5 %", "1:1", 0.5, 0.0, 10),
    ("1 to 5 %", "4:1", 0.3, 0.0, 10),
    ("1 to 5 %", "1:1", 0.5, 0.2, 5),
    ("1 to 5 %", "1:1", 0.5, 0.2, 10),
    ("1 to 5 %", "1:1", 0.5, 0.2, 20),
    ("10 to 40 %", "1:1", 0.5, 0.2, 10),
)
SCENARIOS: list[Scenario] = [
    Scenario("tables", "Odds ratios", dict(zip(("risk", "arms", "odds", "tau2", "k"), each, strict=True)), sparse,
             REPLICATES)
    for each in _SETTINGS
]  # fmt: skip


def lacking(cells: list[dict[str, Any]], quantity: str, method: str, *, risk: str) -> float:
    """Return the largest share of data sets without an answer, in percent."""
    counts = [cell["found"][quantity][method] for cell in cells if cell["settings"]["risk"] == risk]
    return max(100 * (1 - count["n"] / count.get("of", count["n"])) for count in counts)


def remarks(cells: list[dict[str, Any]]) -> list[str]:
    """Return where the intervals hold and where they do not."""
    effect, bias = "interval of the log odds ratio", "bias of the log odds ratio"
    exact = ("CM.EL z", "CM.EL PL")
    return [
        f"With one odds ratio MH holds {said(cells, effect, 'MH', tau2=0.0)}, Firth "
        f"{said(cells, effect, 'Firth PL', tau2=0.0)}, the exact conditional model "
        f"{said(cells, effect, *exact, tau2=0.0)}; with tau2 = 0.2 what assumes one odds ratio falls short (MH "
        f"{said(cells, effect, 'MH', tau2=0.2)}).",
        f"Peto's bias is {biases(cells, bias, 'Peto', arms='1:1')} with equal arms and "
        f"{biases(cells, bias, 'Peto', arms='4:1')} with an effect in arms of 4 to 1, where its interval holds "
        f"{said(cells, effect, 'Peto', arms='4:1')}.",
        f"Log odds ratios with 0.5 added are pulled towards 1: an odds ratio of 0.5 by "
        f"{biases(cells, bias, 'IV REML', risk='0.2 to 1 %', odds=0.5)} where events are rarest and "
        f"{biases(cells, bias, 'IV REML', risk='1 to 5 %', odds=0.5)} with risks of 1 to 5 % (CM.EL "
        f"{biases(cells, bias, 'CM.EL', risk='1 to 5 %', odds=0.5)}). Their Hartung-Knapp interval by REML, the "
        "default of `fit` for counts of two arms, holds "
        f"{said(cells, effect, 'IV, REML HK', risk='1 to 5 %', tau2=0.2)} with tau2 = 0.2, the less the more studies "
        "there are: take `--model glmm` where events are rare.",
        f"Where events are rarest CM.EL has no maximum in {lacking(cells, effect, 'CM.EL z', risk='0.2 to 1 %'):.0f} % "
        f"of the data sets (MH {lacking(cells, effect, 'MH', risk='0.2 to 1 %'):.0f} %, Firth "
        f"{lacking(cells, effect, 'Firth PL', risk='0.2 to 1 %'):.0f} %): studies with one event say nothing of tau2, "
        "and the program says not to use the result.",
        f"The mixed model's default, CM.EL with a normal interval, holds {said(cells, effect, 'CM.EL z', tau2=0.2)} "
        f"with heterogeneity, its profile likelihood {said(cells, effect, 'CM.EL PL', tau2=0.2)}, t "
        f"{said(cells, effect, 'CM.EL t', tau2=0.2)}. It takes the number of events of a study to say nothing of the "
        "study's own effect; where effects differ that is not quite so (bias with twenty "
        f"studies: {biases(cells, bias, 'CM.EL', tau2=0.2, k=20)}).",
        f"CM.AL is an approximation for rare events: with risks of 10 to 40 % its bias is "
        f"{biases(cells, bias, 'CM.AL', risk='10 to 40 %')} and it holds "
        f"{said(cells, effect, 'CM.AL z', risk='10 to 40 %')}, where CM.EL holds "
        f"{said(cells, effect, 'CM.EL z', risk='10 to 40 %')}.",
        f"Profile-likelihood intervals of tau2 by CM.EL hold {said(cells, 'interval of tau2', 'CM.EL PL')}.",
    ]
