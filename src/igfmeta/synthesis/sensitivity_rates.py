"""Every choice for rates of single arms: the binomial model as `pool` has it varied, then normal approximations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import special

from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.rate_posterior import rate_posteriors
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal, TauPrior
from igfmeta.effects.one_arm import one_arm
from igfmeta.effects.scales import natural
from igfmeta.models.bias.waap import uwls
from igfmeta.models.count_fits import CountFit, fit_counts
from igfmeta.models.deletion import without_each
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.pooling import pool_one
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.models.results import Pooled
from igfmeta.numerics import Floats, Mask
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.rate_pools import EXACT, rate_fits, rate_studies
from igfmeta.synthesis.sensitivity_results import Choice, SensitivityOf
from igfmeta.synthesis.study_sets import StudySet

#: Intervals of the binomial model, in words.
_INTERVALS = {"PL": "Profile likelihood", "z": "Normal (Wald)", "t": "t, k - 1 degrees of freedom"}

#: Transformations that stabilize the variance of a rate, in words.
_TRANSFORMED = {"PAS": "Arcsine", "PFT": "Freeman-Tukey"}

TRIM_AND_FILL = (
    "Trim and fill: not given; the standard error of a rate depends on the rate, which by itself makes a funnel "
    "asymmetric (Hunter et al. 2014, J Clin Epidemiol 67:897)."
)


def rates_of(
    studies: StudySet, methods: Methods, variants: Mapping[str, StudySet | None], prior: TauPrior
) -> SensitivityOf:
    """Return every choice for rates of single arms.

    The first row is what `pool` gives: the logit-normal model of the counts, tau2 by maximum likelihood, profile
    likelihood; or the exact interval of the sum where no patient, or every patient, responded. Selections of studies
    are pooled likewise. Normal approximations of transformed rates stand apart, under every estimator and interval.
    """
    table = _Rates(studies, methods, prior)
    choices = [*table.models(), *table.intervals(), *table.left_out(), *table.selections(variants),
               *table.approximations()]  # fmt: skip
    return SensitivityOf(studies, table.fit, tuple(choices), (*table.not_run, TRIM_AND_FILL))


class _Rates:
    """Makes the rows, kind by kind."""

    def __init__(self, studies: StudySet, methods: Methods, prior: TauPrior) -> None:
        self.studies, self.methods, self.prior = studies, methods, prior
        self.level = methods.level
        self.common, self.ci = methods.common, methods.rate_ci
        self.fit = self._pooled(np.ones((1, studies.k), dtype=bool))[0]
        self.exact = self.fit.method == EXACT
        self.not_run: list[str] = []

    def _pooled(self, mask: Mask, *, common: bool | None = None) -> list[Pooled]:
        held = self.common if common is None else common
        return rate_fits(*self.studies.rates, mask, level=self.level, common=held, ci=self.ci)

    def models(self) -> Iterator[Choice]:
        interval = _INTERVALS[self.ci]
        names = {False: f"Logit-normal, ML, {interval[0].lower()}{interval[1:]}", True: "Common rate (tau2 = 0)"}
        if self.exact:
            yield _row("model", "Exact interval of the sum", self.fit, chosen=True)
        else:
            for common, name in names.items():
                everyone = np.ones((1, self.studies.k), dtype=bool)
                fit = self.fit if common == self.common else self._pooled(everyone, common=common)[0]
                yield _row("model", name, fit, chosen=common == self.common)
            found = self._counted("beta-binomial")
            yield _row("model", f"Beta-binomial, mean rate (correlation {found.numbers['rho']:.3f})", found.fit)
        events, n = self.studies.rates
        for prior in dict.fromkeys([self.prior, HalfNormal(0.5), HalfNormal(1.0), HalfCauchy(0.5)]):
            posterior = rate_posteriors(events, n, [range(len(n))], tau_prior=prior, level=self.level)[0]
            yield Choice("model", f"Posterior of the counts, tau {posterior.tau_prior}", len(n), posterior.mu_median,
                         posterior.ci_lower, posterior.ci_upper, None, posterior.tau_median**2, False, "")  # fmt: skip

    def _counted(self, model: str, **options: Any) -> CountFit:
        return fit_counts(model, rate_studies(*self.studies.rates), level=self.level, **options)[0]

    def intervals(self) -> Iterator[Choice]:
        if self.exact:
            return
        for ci, words in _INTERVALS.items():
            if ci == self.ci:
                continue
            method = "CE" if self.common else "ML"
            yield _row("interval", words, self._counted("glmm", variant="logit-normal", method=method, ci=ci).fit)

    def left_out(self) -> Iterator[Choice]:
        """Yield the pools without the study that raises and without the one that lowers the rate most."""
        studies = self.studies
        if studies.k < 3:
            return
        fits = self._pooled(without_each(studies.k))
        estimates = [fit.estimate for fit in fits]
        for what, i in (("lowest", int(np.argmin(estimates))), ("highest", int(np.argmax(estimates)))):
            yield _row("studies", f"Without {studies.labels[i]} ({what} of all left out)", fits[i])

    def selections(self, variants: Mapping[str, StudySet | None]) -> Iterator[Choice]:
        """Yield the pools of parts of the studies, and of other selections."""
        parts = {**self.studies.by_risk(), "The larger half of the studies": _larger_half(self.studies)}
        parts = {name: keep for name, keep in parts.items() if keep.any() and not keep.all()}
        if parts:
            for name, fit in zip(parts, self._pooled(np.array(list(parts.values()))), strict=True):
                yield _row("studies", name, fit)
        for name, other in variants.items():
            if other is None:
                self.not_run.append(f"{name}: no study.")
            else:
                everyone = np.ones((1, other.k), dtype=bool)
                fit = rate_fits(*other.rates, everyone, level=self.level, common=self.common, ci=self.ci)[0]
                yield _row("studies", name, fit)

    def approximations(self) -> Iterator[Choice]:
        """Yield normal approximations: logits under every estimator and interval, then other transformations."""
        studies, own = self.studies, self.methods
        for name in TAU2_METHODS:
            yield self._normal(f"Logits: {name}, {own.ci}", method=name)
        for ci in CI_METHODS:
            if ci != own.ci:
                yield self._normal(f"Logits: {own.method}, interval {ci}", ci=ci)
        plain = uwls(studies.yi, studies.vi, level=self.level, detail="")
        yield Choice("normal", "Logits: unrestricted weighted mean (1/v, multiplicative)", studies.k, plain.estimate,
                     plain.ci_lower, plain.ci_upper, None, None, False, "")  # fmt: skip
        posterior = normal_normal_one(studies.yi, studies.vi, tau_prior=self.prior, level=self.level)
        yield Choice("normal", f"Logits: posterior, tau {posterior.tau_prior}", studies.k, posterior.mu_median,
                     posterior.ci_lower, posterior.ci_upper, None, posterior.tau_median**2, False, "")  # fmt: skip
        for measure, words in _TRANSFORMED.items():
            yield self._transformed(measure, f"{words} ({measure}), {own.method}, {own.ci}")

    def _options(self, **changed: str) -> dict[str, Any]:
        return {**self.methods.frequentist(), "tau2_ci": "none", **changed}

    def _normal(self, name: str, **changed: str) -> Choice:
        return _row("normal", name, pool_one(self.studies.yi, self.studies.vi, **self._options(**changed)))

    def _transformed(self, measure: str, name: str) -> Choice:
        events, n = self.studies.rates
        effects = one_arm(events, n, measure=measure)
        fit = pool_one(effects.yi, effects.vi, **self._options())
        back = natural(measure, np.array([fit.estimate, fit.ci_lower, fit.ci_upper]), n_harmonic=_harmonic(n))
        with np.errstate(divide="ignore"):
            logits = [float(value) for value in special.logit(back)]
        # Its tau2 is of another scale than that of the logits in this column.
        return Choice("normal", name, fit.k, logits[0], logits[1], logits[2], None, None, False, "")


def _harmonic(n: Floats) -> float:
    return float(len(n) / np.sum(1 / n))


def _larger_half(studies: StudySet) -> Mask:
    """Return the studies of at least the median size: precision of a logit depends on the rate itself."""
    n = studies.rates[1]
    return np.asarray(n >= np.median(n))


def _row(kind: str, name: str, fit: Pooled, *, chosen: bool = False) -> Choice:
    """Return a row; p-values and conclusions do not exist, since no rate means no effect."""
    return Choice(kind, name, fit.k, fit.estimate, fit.ci_lower, fit.ci_upper, None, fit.tau2, chosen, "")
