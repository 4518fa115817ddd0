"""All cancers at once: a cancer borrows from the others, and rows of one population share an effect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from igfmeta.bayes.components import DEFAULT_SCALES, Codes, Factor, Kernels
from igfmeta.bayes.crossed import CrossedPosterior, crossed_posterior
from igfmeta.bayes.tau_priors import HalfNormal, default_tau_prior
from igfmeta.effects.contrasts import Distance
from igfmeta.synthesis.risk_fits import prior_scale
from igfmeta.synthesis.risk_results import HierarchicalRisk, RiskGroup, RiskHierarchy, RiskStudy, SpreadOf

#: Which scale of the class x tumour model each source takes the place of.
_IN_PLACE_OF = {"cancer": "tumor", "population": "agent", "study": "study"}

_ALL = "all"


def default_scales(target: Distance) -> dict[str, float]:
    """Return the scales of the half-normal priors of the standard deviations.

    Those of the class x tumour model for log ratios, in the proportion in which the prior of a single tau is smaller
    here than there.

    Examples
    --------
    >>> {name: round(scale, 2) for name, scale in default_scales(Distance(1, "SD")).items()}
    {'cancer': 0.12, 'population': 0.08, 'study': 0.12}
    """
    unit = prior_scale(target) / default_tau_prior("OR").scale
    return {name: unit * DEFAULT_SCALES[like] for name, like in _IN_PLACE_OF.items()}


def _codes(values: Sequence[str], levels: Sequence[str]) -> Codes:
    return np.array([[levels.index(value)] for value in values], dtype=np.int64)


def factors_of(studies: Sequence[RiskStudy], cancers: Sequence[str], target: Distance) -> list[Factor]:
    """Return the factors of: overall + cancer + population + study.

    Effects of cancers add up to 0. A new study is of a new population. Where every population stands once, its effect
    cannot be told from that of the study and is left out.

    Parameters
    ----------
    studies : sequence of RiskStudy
    cancers : sequence of str
        The cells, in order.
    target : Distance
    """
    priors = {name: HalfNormal(scale) for name, scale in default_scales(target).items()}
    populations = sorted({study.population for study in studies})
    k, n = len(studies), len(cancers)
    made = []
    if n > 1:
        own, cells = _codes([s.cancer for s in studies], cancers), np.arange(n, dtype=np.int64)[:, None]
        made.append(Factor("cancer", priors["cancer"], (n,), True, own, cells))
    if len(populations) < k:
        own = _codes([s.population for s in studies], populations)
        made.append(Factor("population", priors["population"], (len(populations),), False, own, None))
    each = np.arange(k, dtype=np.int64)[:, None]
    return [*made, Factor("study", priors["study"], (k,), False, each, None)]


def risk_hierarchy(groups: Sequence[RiskGroup], target: Distance, *, level: float, seed: int) -> RiskHierarchy | None:
    """Model the cancers of a result at once; None with fewer than two.

    Given the standard deviations everything is Gaussian and exact; those are sampled by importance.

    Parameters
    ----------
    groups : sequence of RiskGroup
        One per cancer.
    target : Distance
    level : float
    seed : int
        The same seed gives the same numbers.

    References
    ----------
    Higgins, Thompson & Spiegelhalter 2009, J R Stat Soc A 172:137.
    """
    if len(groups) < 2:
        return None
    studies = [study for group in groups for study in group.studies]
    cancers = [group.key for group in groups]
    factors = factors_of(studies, cancers, target)
    n = len(cancers)
    weights = np.concatenate([np.eye(n), np.full((1, n), 1 / n)])
    kernels = Kernels.of(factors, n).combined(weights)
    y, v = (np.array([getattr(study, name) for study in studies]) for name in ("yi", "vi"))
    posterior = crossed_posterior(y, np.diag(v), factors, kernels, rng=np.random.default_rng(seed))
    labels = [*((g.key, g.label, g.fit.k) for g in groups), (_ALL, "Average of the cancers", len(studies))]
    cells = _cells(posterior, labels, level)
    times = Counter(study.population for study in studies)
    return RiskHierarchy(
        cancers=tuple(cells[:-1]),
        overall=cells[-1],
        sources=_sources(posterior, factors, level),
        shared=tuple(sorted(population for population, count in times.items() if count > 1)),
        draws=len(posterior.weights),
        seed=seed,
        effective_draws=posterior.effective_size,
        pareto_k=posterior.pareto_k,
        reliable=posterior.reliable,
    )


def _cells(posterior: CrossedPosterior, labels: Sequence[tuple[str, str, int]], level: float) -> list[HierarchicalRisk]:
    means, new, n = posterior.cells(), posterior.new_studies(), len(labels)
    tails = (0.5 - level / 2, 0.5 + level / 2)
    columns = [means.quantile(np.full(n, p)) for p in (0.5, *tails)] + [new.quantile(np.full(n, p)) for p in tails]
    names = ("median", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
    raises = 1 - means.cdf(np.zeros(n))
    return [
        HierarchicalRisk(key, label, k, **dict(zip(names, numbers, strict=True)), p_raises=p)
        for (key, label, k), numbers, p in zip(labels, np.exp(columns).T.tolist(), raises.tolist(), strict=True)
    ]


def _sources(posterior: CrossedPosterior, factors: Sequence[Factor], level: float) -> tuple[SpreadOf, ...]:
    quantiles = posterior.sd_quantiles([0.5, 0.5 - level / 2, 0.5 + level / 2]).tolist()
    return tuple(
        SpreadOf(factor.name, factor.prior.label, *values) for factor, values in zip(factors, quantiles, strict=True)
    )
