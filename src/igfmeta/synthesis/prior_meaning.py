"""What the priors of a hierarchy say before any data: how far apart two classes, tumours, agents, studies may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.bayes.adaptive import spread_uniform
from igfmeta.bayes.components import prior_quantile
from igfmeta.bayes.distributions import NormalMixture
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.numerics import Floats
from igfmeta.synthesis.hierarchy import checked_priors

#: Draws of the standard deviations, evenly spread over their prior; the same each time.
DRAWS, SEED = 4000, 1

#: What differs between two effects, in words, and the sources by which they then differ. A mean effect has no study in
#: it; two studies of one agent differ by their study effects alone.
CONTRASTS = {
    "Two classes of agent, mean effects": ("class",),
    "Two types of tumour, mean effects": ("tumor",),
    "Class by tumour, on top of both": ("class:tumor",),
    "Two agents of one class": ("agent",),
    "Two studies of one agent": ("study",),
    "Two studies that share nothing": ("class", "tumor", "class:tumor", "agent", "study"),
}


@dataclass(frozen=True, eq=False)
class PriorContrast:
    """What the priors say of the difference between two effects.

    Attributes
    ----------
    name : str
        Which effects.
    prior : str
        Of the standard deviations behind it.
    factor_50, factor_95 : float
        Before any data one of the two is at most so many times the other, with a probability of 50 and 95 %: a factor
        of hazard ratios, odds ratios, or odds.
    difference : NormalMixture
        Of the log ratios or logits; one row.
    """

    name: str
    prior: str
    factor_50: float
    factor_95: float
    difference: NormalMixture

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings."""
        return {name: getattr(self, name) for name in ("name", "prior", "factor_50", "factor_95")}


def prior_meaning(priors: Mapping[str, TauPrior] | None = None, *, rates: bool = False) -> tuple[PriorContrast, ...]:
    """Return what priors of the standard deviations imply for pairs of effects.

    Parameters
    ----------
    priors : mapping, optional
        Of those that are not the defaults, as of `igfmeta.synthesis.hierarchy.hierarchy`.
    rates : bool
        Whether effects are logits of rates.

    Raises
    ------
    InputError
        A component that a hierarchy does not have.

    Notes
    -----
    Two effects with the standard deviation s differ by N(0, 2 s^2), also where they add up to 0; s is averaged over its
    prior. The interaction adds up to 0 along classes and along tumours, so that its part is a little smaller: what is
    said of it is an upper limit.

    Examples
    --------
    >>> found = prior_meaning()
    >>> found[0].name, round(found[0].factor_95, 1)
    ('Two classes of agent, mean effects', 2.5)
    """
    chosen = checked_priors(priors, rates=rates)
    return tuple(_contrast(name, parts, chosen) for name, parts in CONTRASTS.items())


def _sds(priors: Sequence[TauPrior]) -> list[Floats]:
    """Return draws of standard deviations; of a single one its quantiles at even steps."""
    even: Floats = (np.arange(DRAWS)[:, None] + 0.5) / DRAWS
    u = even if len(priors) == 1 else spread_uniform(DRAWS, len(priors), np.random.default_rng(SEED))
    return [prior_quantile(prior, u[:, i]) for i, prior in enumerate(priors)]


def _contrast(name: str, parts: tuple[str, ...], priors: Mapping[str, TauPrior]) -> PriorContrast:
    variance = 2 * np.sum([sds**2 for sds in _sds([priors[part] for part in parts])], axis=0)
    weights = np.full((1, DRAWS), 1 / DRAWS)
    difference = NormalMixture(weights, np.zeros((1, DRAWS)), np.sqrt(variance)[None])
    half, nearly_all = (float(np.exp(min(difference.quantile(np.array([p]))[0], 700.0))) for p in (0.75, 0.975))
    label = "all of them" if len(parts) > 1 else priors[parts[0]].label
    return PriorContrast(name, label, half, nearly_all, difference)
