"""The exact posterior of the normal-normal model: yi ~ N(theta_i, vi), theta_i ~ N(mu, tau^2)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from igfmeta.bayes.distributions import INTERVALS, NormalMixture, TauPosterior
from igfmeta.bayes.mu_priors import FlatMu, MuPrior
from igfmeta.bayes.quadrature import Grid, given_tau, integrate, rule
from igfmeta.bayes.tau_priors import HalfNormal, TauPrior, parse_tau_prior
from igfmeta.datasets import checked
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level
from igfmeta.numerics import Floats

Interval = Literal["central", "shortest"]

#: Data sets summarized at once, so that the memory stays at some tens of megabytes.
CHUNK = 256


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """The posterior of each study's own effect; arrays of shape (k,)."""

    mean: Floats
    sd: Floats
    median: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, eq=False)
class Posterior:
    """The posterior of one data set, on the analysis scale.

    Attributes
    ----------
    k : int
    mu_mean, mu_sd : float or None
        None where the posterior has no finite moment.
    mu_median, ci_lower, ci_upper : float
        Of mu.
    tau_mean, tau_sd : float or None
    tau_median, tau_ci_lower, tau_ci_upper : float
    pi_median, pi_lower, pi_upper : float
        Predictive distribution of the effect in a new study.
    log_marginal : float or None
        Log marginal likelihood; None with an improper prior, which leaves it undefined.
    bayes_factor_tau_zero, bayes_factor_mu_zero : float or None
        Of tau = 0 against the model, and of mu = 0; None where the prior concerned is improper.
    tau_prior, mu_prior : str
    level : float
    interval : {"central", "shortest"}
    accuracy : float
        Change of the integrals when the nodes were last doubled.
    remarks : tuple of str
    """

    k: int
    mu_mean: float | None
    mu_sd: float | None
    mu_median: float
    ci_lower: float
    ci_upper: float
    tau_mean: float | None
    tau_sd: float | None
    tau_median: float
    tau_ci_lower: float
    tau_ci_upper: float
    pi_median: float
    pi_lower: float
    pi_upper: float
    log_marginal: float | None
    bayes_factor_tau_zero: float | None
    bayes_factor_mu_zero: float | None
    tau_prior: str
    mu_prior: str
    level: float
    interval: str
    accuracy: float
    remarks: tuple[str, ...]
    grid: Grid
    yi: Floats
    vi: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists; the grid stays behind."""
        hidden = ("grid", "yi", "vi")
        out = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in hidden}
        return {**out, "remarks": list(self.remarks)}

    def probability_below(self, threshold: float) -> float:
        """Return P(mu < threshold).

        Examples
        --------
        >>> round(normal_normal_one([-0.4, -0.1, -0.3], [0.04, 0.02, 0.05]).probability_below(0.0), 3)
        0.923
        """
        return float(_mu(self.grid).cdf(np.array([threshold - self.grid.centre[0]]))[0])

    def predictive_below(self, threshold: float) -> float:
        """Return P(effect in a new study < threshold)."""
        return float(_new_study(self.grid).cdf(np.array([threshold - self.grid.centre[0]]))[0])

    def mu_quantile(self, p: float) -> float:
        """Return the quantile of mu at probability p."""
        return float(self.grid.centre[0] + _mu(self.grid).quantile(_one_probability(p))[0])

    def predictive_quantile(self, p: float) -> float:
        """Return the quantile of the effect in a new study at probability p."""
        return float(self.grid.centre[0] + _new_study(self.grid).quantile(_one_probability(p))[0])

    def tau_quantile(self, p: float) -> float:
        """Return the quantile of tau at probability p."""
        return float(TauPosterior.of(self.grid).quantile(_one_probability(p))[0])

    def mu_density(self, x: Any) -> Floats:
        """Return the posterior density of mu at each x, shape (n,)."""
        x = np.atleast_1d(np.asarray(x, dtype=float)) - self.grid.centre[0]
        return _repeated(_mu(self.grid), len(x)).density(x)

    def tau_density(self, tau: Any) -> Floats:
        """Return the posterior density of tau at each value, shape (n,)."""
        tau = np.atleast_1d(np.asarray(tau, dtype=float))
        rows = np.zeros(len(tau), dtype=int)
        return TauPosterior.of(self.grid).rows(rows).density(tau)

    def shrinkage(self) -> Shrinkage:
        """Return the posterior of each study's effect: theta_i is pulled towards mu by vi / (vi + tau^2)."""
        g, v = self.grid, self.vi[:, None]
        pull = v / (v + g.tau2)
        y = (self.yi - g.centre[0])[:, None]
        mixture = NormalMixture.of(
            weight=np.repeat(g.weight, len(v), axis=0),
            mean=(1 - pull) * y + pull * g.mean,
            variance=g.tau2 * pull + pull**2 * g.variance,
        )
        mean, sd = mixture.moments()
        median, lower, upper = INTERVALS[self.interval](mixture, self.level, len(v))
        return Shrinkage(*(g.centre[0] + x if x is not sd else sd for x in (mean, sd, median, lower, upper)))


def _one_probability(p: float) -> Floats:
    if not 0 < p < 1:
        raise InputError(f"The probability was {p!r}; accepted is a number between 0 and 1.")
    return np.array([float(p)])


def _mu(grid: Grid) -> NormalMixture:
    return NormalMixture.of(grid.weight, grid.mean, grid.variance)


def _new_study(grid: Grid) -> NormalMixture:
    return NormalMixture.of(grid.weight, grid.mean, grid.variance + grid.tau2)


def _repeated(mixture: NormalMixture, n: int) -> NormalMixture:
    return NormalMixture(*(np.repeat(x, n, axis=0) for x in (mixture.weight, mixture.mean, mixture.sd)))


#: Fields of a summary, in the order in which `_summaries` gives them.
_SUMMARIES = (
    "mu_mean", "mu_sd", "mu_median", "ci_lower", "ci_upper", "tau_mean", "tau_sd", "tau_median", "tau_ci_lower",
    "tau_ci_upper", "pi_median", "pi_lower", "pi_upper", "log_marginal", "bayes_factor_tau_zero",
    "bayes_factor_mu_zero", "accuracy",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PosteriorBatch:
    """The posteriors of a batch: the fields of `Posterior` as arrays of shape (batch,), NaN where they are None."""

    k: Floats
    summaries: dict[str, Floats]
    grids: tuple[Grid, ...]
    places: tuple[tuple[int, int], ...]
    yi: Floats
    vi: Floats
    tau_prior: str
    mu_prior: str
    level: float
    interval: str

    def __len__(self) -> int:
        return len(self.k)

    def __getattr__(self, name: str) -> Floats:
        if name in _SUMMARIES:
            return self.summaries[name]
        raise AttributeError(name)

    def one(self, index: int = 0) -> Posterior:
        """Return one posterior of the batch as plain numbers."""
        number, row = self.places[index]
        grid = self.grids[number].rows([row])
        values = {name: float(self.summaries[name][index]) for name in _SUMMARIES}
        present = np.isfinite(self.vi[index])
        k = int(self.k[index])
        return Posterior(
            **{name: value if np.isfinite(value) else None for name, value in values.items()},  # type: ignore[arg-type]
            k=k,
            tau_prior=self.tau_prior,
            mu_prior=self.mu_prior,
            level=self.level,
            interval=self.interval,
            remarks=tuple(_remarks(k, self.mu_prior == FlatMu().label, values["accuracy"])),
            grid=grid,
            yi=self.yi[index][present],
            vi=self.vi[index][present],
        )


def _remarks(k: int, flat: bool, accuracy: float) -> list[str]:
    remarks = []
    if k == 1 and flat:
        remarks.append("One study: the posterior of tau is its prior.")
    elif k == 1:
        remarks.append("One study: what is said of tau comes from the priors.")
    if accuracy > 1e-6:
        remarks.append(
            f"The integral did not converge (it changed by {accuracy:.1g} when the nodes were last doubled): the "
            "priors lie too far from the data for these figures to be used."
        )
    return remarks


def _check_proper(k: Floats, tau_prior: TauPrior, mu_prior: MuPrior) -> None:
    """Refuse data sets that an improper prior leaves without a posterior.

    The likelihood, mu integrated, falls like tau^-(k - 1) under a flat prior of mu, like tau^-k under a proper one.
    """
    if (k == 0).any():
        raise NothingToPool("There is no study to pool.")
    if tau_prior.proper:
        return
    needed = int(np.floor(1 + tau_prior.power)) + (1 if mu_prior.proper else 2)
    if (k < needed).any():
        raise InputError(
            f"The improper prior {tau_prior.label} of tau needs {needed} studies for a posterior, and there are "
            f"{int(k.min())}; take a proper one, such as half-normal(0.5)."
        )


def normal_normal(
    yi: Any,
    vi: Any,
    *,
    mask: Any = None,
    tau_prior: TauPrior | str | None = None,
    mu_prior: MuPrior | None = None,
    level: float = 0.95,
    interval: Interval | str = "central",
) -> PosteriorBatch:
    """Return the posteriors of a batch of data sets; mu is integrated in closed form, tau by quadrature.

    Parameters
    ----------
    yi, vi : array_like of shape (k,) or (batch, k)
        Effects on the analysis scale and their sampling variances.
    mask : array_like of bool, broadcastable to (batch, k), optional
        True for the studies of a data set.
    tau_prior : TauPrior or str, optional
        A text is read by `parse_tau_prior`. Default half-normal(0.5).
    mu_prior : MuPrior, optional
        Default flat.
    level : float
    interval : {"central", "shortest"}
        Equal tails, or highest density.

    Raises
    ------
    InputError
        Data or options that cannot be used; an improper prior with too few studies.
    NothingToPool
        A data set without a study.

    References
    ----------
    Röver 2020, Bayesian random-effects meta-analysis using the bayesmeta R package, J Stat Softw 93(6).

    Examples
    --------
    >>> normal_normal([[0.1, 0.3, 0.8]], [[0.01, 0.02, 0.05]]).mu_median.round(3)
    array([0.338])
    """
    tau_prior = parse_tau_prior(tau_prior) if isinstance(tau_prior, str) else tau_prior or HalfNormal(0.5)
    mu_prior = FlatMu() if mu_prior is None else mu_prior
    interval = check_choice("interval", interval, tuple(INTERVALS))
    level = check_level(level)
    y, v, m = checked(yi, vi, mask)
    k = m.sum(axis=1).astype(float)
    _check_proper(k, tau_prior, mu_prior)
    centre = np.where(m, y, 0.0).sum(axis=1) / k
    y, v = np.where(m, y - centre[:, None], 0.0), np.where(m, v, np.inf)
    summaries = {name: np.empty(len(y)) for name in _SUMMARIES}
    grids: list[Grid] = []
    places = [(0, 0)] * len(y)
    for i in range(0, len(y), CHUNK):
        s = slice(i, i + CHUNK)
        for rows, grid in integrate(y[s], v[s], centre[s], tau_prior, mu_prior):
            part = _summaries(grid, y[s][rows], v[s][rows], tau_prior, mu_prior, level, interval)
            for name, values in part.items():
                summaries[name][i + rows] = values
            for place, row in enumerate(rows):
                places[i + int(row)] = (len(grids), place)
            grids.append(grid)
    return PosteriorBatch(
        k=k,
        summaries=summaries,
        grids=tuple(grids),
        places=tuple(places),
        yi=np.where(m, y + centre[:, None], 0.0),
        vi=v,
        tau_prior=tau_prior.label,
        mu_prior=mu_prior.label,
        level=level,
        interval=interval,
    )


def normal_normal_one(yi: Any, vi: Any, **options: Any) -> Posterior:
    """Return the posterior of one data set; the options are those of `normal_normal`.

    Examples
    --------
    >>> fit = normal_normal_one([0.1, 0.3, 0.8], [0.01, 0.02, 0.05])
    >>> round(fit.mu_median, 3), fit.tau_prior
    (0.338, 'half-normal(0.5)')
    """
    if np.ndim(yi) != 1:
        raise InputError(f"yi has {np.ndim(yi)} dimensions; accepted is one, the studies of one data set.")
    if np.size(yi) == 0:
        raise NothingToPool("There is no study to pool.")
    return normal_normal(yi, vi, **options).one()


def _finite_moments(
    grid: Grid, tau_prior: TauPrior, mu_prior: MuPrior, k: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return mean and sd of mu and of tau; NaN for those that a heavy tail of tau makes infinite.

    The posterior of tau falls like the prior times tau^-(k - 1), or tau^-k under a proper prior of mu.
    """
    power = k - (0 if mu_prior.proper else 1) - tau_prior.power
    mu_mean, mu_sd = _mu(grid).moments()
    shares = rule(grid.u.shape[1])[1] * grid.density
    tau_mean = np.vecdot(shares, grid.tau)
    tau_sd = np.sqrt(np.maximum(np.vecdot(shares, grid.tau**2) - tau_mean**2, 0.0))
    first, second = power > 2, power > 3
    wide = second | mu_prior.proper
    return (
        np.where(first | mu_prior.proper, mu_mean + grid.centre, np.nan),
        np.where(wide, mu_sd, np.nan),
        np.where(first, tau_mean, np.nan),
        np.where(second, tau_sd, np.nan),
    )


def _summaries(
    grid: Grid, y: Floats, v: Floats, tau_prior: TauPrior, mu_prior: MuPrior, level: float, interval: str
) -> dict[str, Floats]:
    n, centre = len(y), grid.centre
    mu, new, tau = _mu(grid), _new_study(grid), TauPosterior.of(grid)
    find = INTERVALS[interval]
    of_mu, of_tau, of_new = (find(distribution, level, n) for distribution in (mu, tau, new))
    mu_mean, mu_sd, tau_mean, tau_sd = _finite_moments(grid, tau_prior, mu_prior, np.isfinite(v).sum(axis=1))
    proper = tau_prior.proper and mu_prior.proper
    log_marginal = grid.log_marginal if proper else np.full(n, np.nan)
    values = (
        mu_mean, mu_sd, *(centre + x for x in of_mu), tau_mean, tau_sd, *of_tau, *(centre + x for x in of_new),
        log_marginal, _bayes_factor_tau_zero(grid, y, v, tau_prior, mu_prior),
        _bayes_factor_mu_zero(grid, mu_prior), grid.accuracy,
    )  # fmt: skip
    return dict(zip(_SUMMARIES, values, strict=True))


def _bayes_factor_tau_zero(grid: Grid, y: Floats, v: Floats, tau_prior: TauPrior, mu_prior: MuPrior) -> Floats:
    """Return p(data | tau = 0) / p(data)."""
    if not tau_prior.proper:
        return np.full(len(y), np.nan)
    at_zero = given_tau(y, v, np.zeros((len(y), 1)), mu_prior, grid.centre).log_likelihood[:, 0, :]
    top = at_zero.max(axis=1)
    return np.exp(top + np.log(np.exp(at_zero - top[:, None]).sum(axis=1)) - grid.log_marginal)


def _bayes_factor_mu_zero(grid: Grid, mu_prior: MuPrior) -> Floats:
    """Return p(data | mu = 0) / p(data), by the density ratio at 0 (Savage & Dickey): mu and tau are independent."""
    if not mu_prior.proper:
        return np.full(len(grid.size), np.nan)
    sd = np.sqrt(mu_prior.variances)
    z = mu_prior.mean / sd
    before = float(np.sum(np.exp(mu_prior.log_weights - 0.5 * z * z) / sd) / np.sqrt(2 * np.pi))
    return _mu(grid).density(-grid.centre) / before
