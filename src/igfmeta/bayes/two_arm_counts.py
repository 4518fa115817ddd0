"""Counts of two arms in a hierarchy of crossed effects: log odds ratios, a baseline for each control arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.components import Codes, Factor, Kernels
from igfmeta.bayes.crossed import CrossedPosterior
from igfmeta.bayes.laplace import (
    DRAWS,
    LatentLogits,
    checked_counts,
    checked_share,
    latent_posterior,
    normal_variance,
)
from igfmeta.bayes.mu_priors import MuPrior, NormalMu
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Of the overall log odds ratio: 95 % of it lies between 1/134 and 134.
EFFECT_PRIOR = NormalMu(0, 2.5)

#: Of the logit of the rate of each control arm: 95 % of it lies between 0.7 % and 99.3 %.
BASELINE_PRIOR = NormalMu(0, 2.5)


@dataclass(frozen=True, eq=False)
class TwoArmCounts:
    """Counts of contrasts, each control arm once.

    Attributes
    ----------
    events, n : ndarray of shape (k,)
        Of the experimental arms.
    control_events, control_n : ndarray of shape (controls,)
    control : ndarray of int of shape (k,)
        Which control arm each contrast has.
    share : ndarray of shape (k,), optional
        Power of the likelihood of each contrast, both arms: as of `igfmeta.bayes.laplace.binomial_posterior`.
    """

    events: Floats
    n: Floats
    control_events: Floats
    control_n: Floats
    control: Codes
    share: Floats | None = None

    @classmethod
    def of(
        cls, events1: Floats, n1: Floats, events0: Floats, n0: Floats, control: Sequence[int] | Codes,
        *, share: Floats | None = None,
    ) -> TwoArmCounts:  # fmt: skip
        """Return checked counts; contrasts with one control arm must agree on its counts and on its share."""
        events, n = checked_counts(events1, n1, "experimental arm")
        events0, n0 = checked_counts(events0, n0, "control arm")
        codes = np.asarray(control, dtype=np.int64)
        if not events.shape == events0.shape == codes.shape:
            raise InputError(
                f"There are {len(events)} experimental arms, {len(events0)} control arms and {codes.size} numbers of "
                "control arms; accepted is one of each per contrast."
            )
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
        powers = checked_share(share, len(n))
        if np.any(powers != powers[first][codes]):
            raise InputError("Contrasts that share a control arm have different shares; accepted is one for both.")
        differ = (events0 != events0[first][codes]) | (n0 != n0[first][codes])
        for i in np.flatnonzero(differ)[:1]:
            other = first[codes[i]]
            raise InputError(
                f"The contrasts at positions {other} and {i} share a control arm, which has {events0[other]:g} events "
                f"of {n0[other]:g} in one and {events0[i]:g} of {n0[i]:g} in the other; accepted are equal counts."
            )
        return cls(events, n, events0[first], n0[first], codes, powers)

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """Powers of the likelihoods of the experimental and of the control arms."""
        own, controls = checked_share(self.share, len(self.n)), np.ones(len(self.control_n))
        controls[self.control] = own
        return own, controls

    def information(self) -> tuple[Floats, Floats]:
        """Return events and patients, control arms first, each the share of them that counts."""
        own, controls = self.shares
        return (
            np.concatenate([controls * self.control_events, own * self.events]),
            np.concatenate([controls * self.control_n, own * self.n]),
        )


def two_arm_logits(counts: TwoArmCounts, kernels: Kernels, mu_prior: MuPrior, baseline_prior: MuPrior) -> LatentLogits:
    """Return the model of two arms: control arms first, then experimental ones, whose logit is baseline + effect."""
    controls, k = len(counts.control_n), len(counts.n)
    effect = np.concatenate([np.zeros(controls), np.ones(k)])
    baseline = np.concatenate([np.eye(controls), np.eye(controls)[counts.control]])
    variance = normal_variance(mu_prior)
    events, n = counts.information()
    return LatentLogits(
        events=events,
        n=n,
        mean=baseline_prior.mean + mu_prior.mean * effect,
        fixed=normal_variance(baseline_prior) * baseline @ baseline.T + variance * np.outer(effect, effect),
        kernels=with_controls(kernels, controls),
        cell_mean=mu_prior.mean * kernels.ones,
        cell_fixed=variance * kernels.ones**2,
        cell_cross=variance * np.outer(kernels.ones, effect),
    )


def with_controls(kernels: Kernels, controls: int) -> Kernels:
    """Return kernels with control arms, which no factor touches, before the studies."""
    ahead = (controls, 0)
    studies = np.pad(kernels.studies, ((0, 0), ahead, ahead))
    cross = np.pad(kernels.cross, ((0, 0), (0, 0), ahead))
    return Kernels(studies, cross, kernels.cells, kernels.new, kernels.ones)


def two_arm_posterior(
    events1: Floats,
    n1: Floats,
    events0: Floats,
    n0: Floats,
    factors: Sequence[Factor],
    kernels: Kernels,
    *,
    control: Sequence[int] | Codes,
    mu_prior: MuPrior = EFFECT_PRIOR,
    baseline_prior: MuPrior = BASELINE_PRIOR,
    share: Floats | None = None,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> CrossedPosterior:
    """Return the posterior of the cells and of the standard deviations, of log odds ratios.

    events0_j ~ binomial(n0_j, p0_j), logit p0_j = b_j; events1_i ~ binomial(n1_i, p1_i), logit p1_i = b_control(i) +
    overall mean + effects of the factors: model 2 of Jackson, Law, Stijnen, Viechtbauer & White 2018 (Stat Med
    37:1059) with normal priors of the baselines b_j. Arms without events enter as they are.

    Parameters
    ----------
    events1, n1, events0, n0 : ndarray of shape (k,)
        Events and patients, experimental and control.
    factors : sequence of Factor
    kernels : Kernels
        Of the factors, for the cells that are asked for.
    control : sequence of int of length k
        Which control arm each contrast has; a shared one enters the likelihood once.
    mu_prior, baseline_prior : MuPrior
        Of the overall log odds ratio and of the logit of each control arm; normal.
    share : ndarray of shape (k,), optional
        As of `TwoArmCounts`.
    rng : numpy.random.Generator
        The same generator gives the same posterior.
    draws : int
        Weighted draws, two for each draw of the standard deviations.

    Raises
    ------
    InputError
        Counts that are none, shared control arms whose counts differ, or a prior that is not normal.

    Examples
    --------
    >>> from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors
    >>> factors = class_by_tumor([0] * 3, [0] * 3, [0] * 3, n_classes=1, n_tumors=1, priors=default_priors())
    >>> found = two_arm_posterior(
    ...     np.array([0, 3, 9]),
    ...     np.array([20, 40, 51]),
    ...     np.array([2, 8, 20]),
    ...     np.array([20, 41, 50]),
    ...     factors,
    ...     Kernels.of(factors, 1),
    ...     control=[0, 1, 2],
    ...     rng=np.random.default_rng(1),
    ... )
    >>> np.exp(found.cells().quantile(np.array([0.5]))).round(1)
    array([0.3])
    """
    counts = TwoArmCounts.of(events1, n1, events0, n0, control, share=share)
    model = two_arm_logits(counts, kernels, mu_prior, baseline_prior)
    return latent_posterior(model, factors, rng=rng, draws=draws)
