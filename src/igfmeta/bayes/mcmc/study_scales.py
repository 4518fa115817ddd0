"""Study effects with tails heavier than normal: normal given a scale, which differs from study to study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.mcmc.effects import OUTLYING_SHARE, OUTLYING_SPREAD, standardized
from igfmeta.numerics import Floats

#: Prior of the degrees of freedom of study effects that are t: gamma with this shape and rate (Juarez & Steel 2010,
#: J Bus Econ Stat 28:52), above 2, so that the study effects have a variance.
DF_PRIOR, LEAST_DF = (2.0, 0.1), 2.0

#: Where the distribution function of the scales of t effects is taken: a trapezoidal rule in its logit, whose error
#: falls like exp(-2 pi^2 / step).
REACH, STEP = 17.5, 0.7


@dataclass(frozen=True, eq=False)
class StudyScales:
    """The distribution of the variance of a study effect, in units of sd^2, on points.

    Attributes
    ----------
    variance, log_weights : ndarray of shape (draws, points)
    """

    variance: Floats
    log_weights: Floats

    def draw(self, rng: np.random.Generator) -> Floats:
        """Return one variance for each draw, shape (draws,)."""
        cumulated = np.cumsum(np.exp(self.log_weights), axis=1)
        chosen = (rng.random(len(cumulated))[:, None] * cumulated[:, -1:] > cumulated).sum(axis=1)
        return np.asarray(np.take_along_axis(self.variance, chosen[:, None], axis=1)[:, 0])


def t_scales(df: Floats) -> StudyScales:
    """Return the scales of t effects: df / chi2(df).

    Examples
    --------
    >>> scales = t_scales(np.array([6.0]))
    >>> round(float(np.exp(scales.log_weights[0]) @ scales.variance[0]), 4)  # df / (df - 2)
    1.5
    """
    v = np.arange(-REACH, REACH + STEP / 2, STEP)
    u = special.expit(v)
    # The upper tail of chi2 is taken from the other side, where it keeps its digits.
    half = df[:, None] / 2
    precision = np.where(v < 0, special.gammaincinv(half, u), special.gammainccinv(half, special.expit(-v))) / half
    log_weights = special.log_expit(v) + special.log_expit(-v) + np.log(STEP)
    return StudyScales(1 / precision, np.broadcast_to(log_weights - special.logsumexp(log_weights), precision.shape))


def mixture_scales(share: Floats, spread: Floats) -> StudyScales:
    """Return the scales of a mixture: spread^2 for the given share of studies, 1 for the others; each (draws,)."""
    variance = np.stack([np.ones_like(spread), spread**2], axis=1)
    return StudyScales(variance, np.stack([np.log1p(-share), np.log(share)], axis=1))


def add_study_effects(pm: Any, n: int, distribution: str) -> Any:
    """Add n study effects with scale 1, "t" or "mixture", and what their distribution depends on, to the open model."""
    if distribution == "mixture":
        return standardized(pm, "study", n, "mixture")
    df = pm.Truncated("study_df", pm.Gamma.dist(*DF_PRIOR), lower=LEAST_DF)
    return pm.StudentT("z_study", nu=df, mu=0, sigma=1, shape=n)


def prior_scales(distribution: str, rng: np.random.Generator, draws: int) -> dict[str, Floats]:
    """Return draws from the prior of what the distribution of the study effects depends on, by name."""
    if distribution == "t":
        shape, rate = DF_PRIOR
        least = special.gammainc(shape, rate * LEAST_DF)
        return {"study_df": special.gammaincinv(shape, least + (1 - least) * rng.random(draws)) / rate}
    if distribution == "mixture":
        excess = OUTLYING_SPREAD * np.abs(rng.normal(size=draws))
        return {"outlying_share": rng.beta(*OUTLYING_SHARE, draws), "outlying_spread": 1 + excess}
    return {}


def log_prior_scales(distribution: str, drawn: dict[str, Floats]) -> dict[str, Floats]:
    """Return the log prior density of those, up to a constant."""
    if distribution == "t":
        (shape, rate), df = DF_PRIOR, drawn["study_df"]
        return {"study_df": (shape - 1) * np.log(df) - rate * df}
    if distribution == "mixture":
        (a, b), share, spread = OUTLYING_SHARE, drawn["outlying_share"], drawn["outlying_spread"]
        return {
            "outlying_share": (a - 1) * np.log(share) + (b - 1) * np.log1p(-share),
            "outlying_spread": -0.5 * ((spread - 1) / OUTLYING_SPREAD) ** 2,
        }
    return {}


def scales_of(distribution: str, drawn: dict[str, Floats]) -> StudyScales:
    """Return the scales of study effects that are "t" or a "mixture", given draws by name."""
    if distribution == "t":
        return t_scales(drawn["study_df"])
    return mixture_scales(drawn["outlying_share"], drawn["outlying_spread"])
