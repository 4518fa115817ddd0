"""The pooled effect under every choice that could have been made otherwise: one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.tau_priors import HalfCauchy, HalfNormal, TauPrior, default_tau_prior, parse_tau_prior
from igfmeta.effects.scales import null_value
from igfmeta.errors import IgfmetaError, NothingToPool
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.trim_and_fill import trim_and_fill
from igfmeta.models.bias.waap import uwls
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.pooling import pool_one
from igfmeta.models.registry import ESTIMATORS, TAU2_METHODS
from igfmeta.models.results import Pooled
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.sensitivity_counts import count_models
from igfmeta.synthesis.sensitivity_rates import rates_of
from igfmeta.synthesis.sensitivity_results import Choice, SensitivityOf, SensitivityResult
from igfmeta.synthesis.study_sets import StudySet


def sensitivity_in(
    sets: Sequence[StudySet],
    methods: Methods,
    *,
    variants: Mapping[str, Sequence[StudySet]] | None = None,
    prior: str | TauPrior | None = None,
) -> SensitivityResult:
    """Return every choice for each set.

    Parameters
    ----------
    sets : sequence of StudySet
    methods : Methods
        What the pool itself does; each choice varies one thing of it.
    variants : mapping, optional
        Other selections of studies, by what they are in words, such as the rows marked for sensitivity analyses;
        their sets are matched by name.
    prior : str or prior, optional
        Of tau, in the posterior that comes first; by default what the measure has.

    Raises
    ------
    NothingToPool
        No set has two studies.
    """
    usable = [each for each in sets if each.k > 1]
    if not usable:
        raise NothingToPool("; ".join(f"{each.label}: one study, nothing to vary" for each in sets) + ".")
    chosen = parse_tau_prior(prior) if isinstance(prior, str) else prior
    found = {name: {each.name: each for each in others} for name, others in (variants or {}).items()}
    return SensitivityResult(
        tuple(
            sensitivity_of(each, methods, {name: v.get(each.name) for name, v in found.items()}, chosen)
            for each in usable
        ),
        methods,
    )


def sensitivity_of(
    studies: StudySet, methods: Methods, variants: Mapping[str, StudySet | None], prior: TauPrior | None = None
) -> SensitivityOf:
    """Return every choice for one set of studies; see `sensitivity_in`."""
    prior = prior or default_tau_prior(studies.measure)
    if studies.counted:
        return rates_of(studies, methods, variants, prior)
    fit = _fit(studies, methods)
    table = _Table(studies, methods, prior)
    choices = [*table.estimators(), *table.intervals(), *table.models(), *table.studies_left_out()]
    for name, other in variants.items():
        if other is None:
            table.not_run.append(f"{name}: no study.")
        else:
            choices.append(table.pooled("studies", name, other, methods, chosen=False))
    return SensitivityOf(studies, fit, tuple(choices), tuple(table.not_run))


def _fit(studies: StudySet, methods: Methods, **changed: str) -> Pooled:
    options = {**methods.frequentist(), "tau2_ci": "none", **changed}
    return pool_one(studies.yi, studies.vi, **options)


class _Table:
    """Makes the rows, kind by kind."""

    def __init__(self, studies: StudySet, methods: Methods, prior: TauPrior) -> None:
        self.studies, self.methods, self.prior = studies, methods, prior
        self.null = null_value(studies.measure)
        self.not_run: list[str] = []

    def row(
        self, kind: str, name: str, k: int, estimate: float, limits: tuple[float, float], p_value: float | None,
        tau2: float | None, *, chosen: bool = False,
    ) -> Choice:  # fmt: skip
        conclusion = ""
        if self.null is not None:
            conclusion = "excludes" if limits[0] > self.null or limits[1] < self.null else "includes"
        return Choice(kind, name, k, estimate, *limits, p_value, tau2, chosen, conclusion)

    def pooled(
        self, kind: str, name: str, studies: StudySet, methods: Methods, *, chosen: bool, **changed: str
    ) -> Choice:
        fit = _fit(studies, methods, **changed)
        limits = (fit.ci_lower, fit.ci_upper)
        return self.row(kind, name, fit.k, fit.estimate, limits, fit.p_value, fit.tau2, chosen=chosen)

    def estimators(self) -> Iterator[Choice]:
        for name in TAU2_METHODS:
            own = name == self.methods.method
            label = f"{name}, {ESTIMATORS[name].label}"
            yield self.pooled("tau2", label, self.studies, self.methods, chosen=own, method=name)

    def intervals(self) -> Iterator[Choice]:
        for name in CI_METHODS:
            if name != self.methods.ci:
                label = f"{self.methods.method}, interval {name}"
                yield self.pooled("interval", label, self.studies, self.methods, chosen=False, ci=name)

    def models(self) -> Iterator[Choice]:
        plain = self._try("Unrestricted weighted mean", self._unrestricted)
        if plain is not None:
            yield plain
        yield from self._of_counts()
        yield from self._posteriors()
        filled = self._try("Trim and fill", self._trimmed)
        if filled is not None:
            yield filled

    def _of_counts(self) -> Iterator[Choice]:
        for name, work in count_models(self.studies, self.methods.level).items():
            found = self._try(name, lambda name=name, work=work: self._counted(name, work))  # type: ignore[misc]
            if found is not None:
                yield found

    def _counted(self, name: str, work: Callable[[], Pooled]) -> Choice:
        fit = work()
        limits = (fit.ci_lower, fit.ci_upper)
        return self.row("model", name, fit.k, fit.estimate, limits, fit.p_value, fit.tau2)

    def _posteriors(self) -> Iterator[Choice]:
        others = (default_tau_prior(self.studies.measure), HalfNormal(1.0), HalfCauchy(0.5))
        priors: list[TauPrior] = list(dict.fromkeys([self.prior, *others]))
        for prior in priors:
            found = normal_normal_one(self.studies.yi, self.studies.vi, tau_prior=prior, level=self.methods.level)
            yield self.row("model", f"Posterior, tau {found.tau_prior}", self.studies.k, found.mu_median,
                           (found.ci_lower, found.ci_upper), None, found.tau_median**2)  # fmt: skip

    def _unrestricted(self) -> Choice:
        found = uwls(self.studies.yi, self.studies.vi, level=self.methods.level, detail="")
        return self.row("model", "Unrestricted weighted mean (1/v, multiplicative)", self.studies.k, found.estimate,
                        (found.ci_lower, found.ci_upper), found.p_value, None)  # fmt: skip

    def _trimmed(self) -> Choice:
        found = trim_and_fill(funnel(self.studies.yi, self.studies.vi), **self.methods.frequentist())
        fit = found.fit
        name = f"Trim and fill L0 ({found.missing} filled in)"
        return self.row("model", name, fit.k, fit.estimate, (fit.ci_lower, fit.ci_upper), fit.p_value, fit.tau2)

    def studies_left_out(self) -> Iterator[Choice]:
        """Yield the pools without the study that raises, lowers or holds the estimate most, and of large studies."""
        studies = self.studies
        if studies.k < 3:
            return
        options = {**self.methods.frequentist(), "tau2_ci": "none"}
        from igfmeta.models.deletion import leave_one_out

        fits = leave_one_out(studies.yi, studies.vi, **options)
        for what, i in (("lowest", int(np.argmin(fits.estimate))), ("highest", int(np.argmax(fits.estimate)))):
            one = fits.one(i)
            yield self.row("studies", f"Without {studies.labels[i]} ({what} of all left out)", one.k, one.estimate,
                           (one.ci_lower, one.ci_upper), one.p_value, one.tau2)  # fmt: skip
        half = studies.vi <= np.median(studies.vi)
        for name, keep in studies.by_risk().items():
            if keep.any():
                yield self.pooled("studies", name, studies.only(keep), self.methods, chosen=False)
        if 1 < half.sum() < studies.k:
            fit = pool_one(studies.yi[half], studies.vi[half], **options)
            yield self.row("studies", "The more precise half of the studies", fit.k, fit.estimate,
                           (fit.ci_lower, fit.ci_upper), fit.p_value, fit.tau2)  # fmt: skip

    def _try(self, name: str, work: Callable[[], Choice]) -> Choice | None:
        try:
            return work()
        except IgfmetaError as error:
            self.not_run.append(f"{name}: {error}")
            return None
