"""What a simulated scenario is, how its data are seeded, and how intervals, tests and estimates are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

LEVEL, ALPHA, SEED = 0.95, 0.05, 20261125

#: Replicates of a check: the first scenario of each kind is also simulated this briefly, and a test repeats that.
CHECKED = 10

#: Counts of one method: see `held`, `rejected` and `missed`.
Count = dict[str, float | int]

#: Quantity -> method -> counts.
Found = dict[str, dict[str, Count]]

Run = Callable[..., Found]


@dataclass(frozen=True, eq=False)
class Scenario:
    """One row of the tables: data sets of one kind, and every method tried on them.

    Attributes
    ----------
    theme, part : str
        Which module it is of, and which table of its page.
    settings : dict
        What the data are like; passed to `run` by name.
    run : callable
        (rng, replicates, **settings) -> Found.
    replicates : int
    """

    theme: str
    part: str
    settings: dict[str, Any]
    run: Run
    replicates: int

    @property
    def name(self) -> str:
        said = " ".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.theme} / {self.part} / {said}"

    def cell(self, replicates: int | None = None) -> dict[str, Any]:
        """Return the record of the scenario.

        Its seed is made of its name, so that no other scenario, worker or order of work changes its data.
        """
        n = self.replicates if replicates is None else min(replicates, self.replicates)
        rng = np.random.default_rng(np.random.SeedSequence([SEED, *self.name.encode()]))
        with np.errstate(all="ignore"):
            found = self.run(rng, n, **self.settings)
        return {"theme": self.theme, "part": self.part, "settings": self.settings, "replicates": n, "found": found}


def grid(theme: str, part: str, run: Run, replicates: int, **settings: Iterable[Any]) -> list[Scenario]:
    """Return a scenario for each combination of settings."""
    names, values = list(settings), [list(each) for each in settings.values()]
    return [
        Scenario(theme, part, dict(zip(names, chosen, strict=True)), run, replicates) for chosen in product(*values)
    ]


def _counted(n: int, tried: int) -> Count:
    """Return how many data sets had an answer, and of how many if not all had one."""
    return {"n": n} if n == tried else {"n": n, "of": tried}


def _share(yes: Any, tried: int) -> Count:
    n = len(yes)
    if not n:
        return _counted(n, tried)
    share = float(np.mean(yes))
    return {**_counted(n, tried), "share": round(share, 5), "se": round((share * (1 - share) / n) ** 0.5, 5)}


def held(lower: Any, upper: Any, truth: Any) -> Count:
    """Count how often intervals hold the truth; NaN limits are no interval, infinite ones are one."""
    lower, upper = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    usable = ~(np.isnan(lower) | np.isnan(upper))
    low, high = lower[usable], upper[usable]
    at = np.broadcast_to(truth, lower.shape)[usable]
    counted = _share((low <= at) & (high >= at), len(lower))
    width = float(np.median(high - low)) if len(low) else np.inf
    return {**counted, "width": round(width, 4)} if np.isfinite(width) else counted


def rejected(p_values: Any) -> Count:
    """Count how often a test rejects at 5 %; NaN is no answer."""
    p = np.asarray(p_values, dtype=float)
    return _share(p[~np.isnan(p)] <= ALPHA + 1e-12, len(p))


def missed(estimates: Any, truth: float) -> Count:
    """Return the bias of an estimator, its Monte Carlo error, and the root mean squared error; NaN is no estimate."""
    e = np.asarray(estimates, dtype=float)
    tried, e = len(e), e[np.isfinite(e)] - truth
    n = len(e)
    if n < 2:
        return _counted(n, tried)
    return {
        **_counted(n, tried),
        "bias": round(float(e.mean()), 4),
        "se": round(float(e.std(ddof=1) / n**0.5), 4),
        "rmse": round(float(np.sqrt(np.mean(e**2))), 4),
    }


def around(estimate: Any, se: Any, df: Any = np.inf) -> tuple[Any, Any]:
    """Return limits of normal or t intervals."""
    from igfmeta.numerics import t_quantile

    half = t_quantile(0.5 + LEVEL / 2, np.asarray(df, dtype=float)) * np.asarray(se)
    return estimate - half, estimate + half


def variances(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Return sampling variances: 0.25 chi-squared(1), drawn again until they lie between 0.009 and 0.6.

    Brockwell & Gordon 2001, Stat Med 20:825: a few large studies among many small ones.
    """
    v = 0.25 * rng.chisquare(1, shape)
    while (out := (v < 0.009) | (v > 0.6)).any():
        v[out] = 0.25 * rng.chisquare(1, int(out.sum()))
    return v


def range_of(cells: list[dict[str, Any]], quantity: str, *methods: str, **where: Any) -> tuple[float, float]:
    """Return the lowest and highest share, in percent, of methods over the scenarios with these settings.

    A setting is given as a value or as a function that says which values are meant.
    """
    shares = [
        100 * cell["found"][quantity][method]["share"]
        for cell in cells
        if quantity in cell["found"] and _fits(cell["settings"], where)
        for method in methods
        if "share" in cell["found"][quantity].get(method, {})
    ]
    if not shares:
        raise KeyError(f"no scenario has {methods} of {quantity} where {where}")
    return min(shares), max(shares)


def _fits(settings: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(
        name in settings and (test(settings[name]) if callable(test) else settings[name] == test)
        for name, test in where.items()
    )


def said(cells: list[dict[str, Any]], quantity: str, *methods: str, **where: Any) -> str:
    """Return `range_of` in words."""
    low, high = range_of(cells, quantity, *methods, **where)
    return spread(f"{low:.1f}", f"{high:.1f}") + " %"


def signed(value: float, digits: int = 2) -> str:
    """Return a number with its sign; nothing is +0.

    >>> signed(-0.001), signed(-0.012, 3)
    ('+0.00', '-0.012')
    """
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def spread(low: str, high: str) -> str:
    """Return two numbers as a range, or one where they are equal."""
    return low if low == high else f"{low} to {high}"
