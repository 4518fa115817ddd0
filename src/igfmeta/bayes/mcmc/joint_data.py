"""Several outcomes of the same trials: effects, counts, priors, and how their sampling errors go together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from igfmeta.bayes.components import Codes
from igfmeta.bayes.laplace import checked_share
from igfmeta.bayes.tau_priors import TauPrior
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Share of the variance between trials that contrasts of one trial have in common: they share the effect of its
#: control arm (Higgins & Whitehead 1996, Stat Med 15:2733, section 4).
SHARED = 0.5


@dataclass(frozen=True, eq=False)
class Responses:
    """The arms of the outcome that is counted.

    Attributes
    ----------
    outcome : int
        Its place among the outcomes.
    contrast : ndarray of int of shape (r,)
        The contrast that each experimental arm belongs to.
    events, n : ndarray of shape (r,)
        Of the experimental arms.
    control : ndarray of int of shape (r,)
        The control arm of each.
    control_events, control_n : ndarray of shape (c,)
        Of the control arms, each once.
    correlation : ndarray of shape (m,)
        Of each normal effect's sampling error with that of the log odds ratio of response of the same contrast; ignored
        where that was not reported.
    share, control_share : ndarray of shape (r,) and (c,), optional
        Powers of their likelihoods, as of `igfmeta.bayes.laplace.binomial_posterior`; default 1. The covariance of the
        normal effects is to be divided by theirs.
    """

    outcome: int
    contrast: Codes
    events: Floats
    n: Floats
    control: Codes
    control_events: Floats
    control_n: Floats
    correlation: Floats
    share: Floats | None = None
    control_share: Floats | None = None

    @property
    def shares(self) -> tuple[Floats, Floats]:
        """Powers of the likelihoods of the experimental and of the control arms."""
        return checked_share(self.share, len(self.n)), checked_share(self.control_share, len(self.control_n))


@dataclass(frozen=True, eq=False)
class JointData:
    """Effects of several outcomes.

    Attributes
    ----------
    names : tuple of str
        The outcomes.
    y : ndarray of shape (m,)
        Effects whose sampling error is normal, on the analysis scale.
    covariance : ndarray of shape (m, m)
        Of their sampling errors: across outcomes, and across contrasts that share a control arm.
    outcome, contrast : ndarray of int of shape (m,)
        Which outcome of which contrast each effect is.
    trial : ndarray of int of shape (contrasts,)
        The trial of each contrast.
    responses : Responses or None
    """

    names: tuple[str, ...]
    y: Floats
    covariance: Floats
    outcome: Codes
    contrast: Codes
    trial: Codes
    responses: Responses | None = None

    def __post_init__(self) -> None:
        if len(self.y) and np.linalg.eigvalsh(self.residual)[0] <= 0:
            raise InputError(
                "The covariance of the sampling errors is not positive definite: the correlations assumed within "
                "studies cannot hold together, or a shared control arm explains more than the whole variance. "
                "Use weaker within-study correlations."
            )

    @cached_property
    def between(self) -> Floats:
        """Correlation of the true effects of contrasts, shape (contrasts, contrasts): 1, `SHARED`, or 0."""
        return together(self.trial)

    @cached_property
    def residual(self) -> Floats:
        """Covariance of the sampling errors given the scores of response, shape (m, m): V - B K B'.

        B = diag(correlation x standard error), and K the correlation of the scores: with weights in proportion to the
        patients, sqrt(n_a n_b / ((n_0 + n_a)(n_0 + n_b))) for two contrasts with one control arm.
        """
        r = self.responses
        if r is None:
            return self.covariance
        n0 = r.control_n[r.control]
        part = np.sqrt(r.n / (n0 + r.n))
        k = np.where(r.control[:, None] == r.control, np.outer(part, part), 0.0)
        np.fill_diagonal(k, 1.0)
        b = np.where(self.response_row >= 0, r.correlation * np.sqrt(np.diag(self.covariance)), 0.0)
        rows = np.maximum(self.response_row, 0)
        return np.asarray(self.covariance - np.outer(b, b) * k[np.ix_(rows, rows)])

    @cached_property
    def units(self) -> Codes:
        """What is independent of all else given means and covariance between trials, from 0; shape (contrasts,).

        A trial, or trials whose contrasts share a control arm.
        """
        from scipy.sparse.csgraph import connected_components

        linked = self.trial[:, None] == self.trial
        np.logical_or.at(linked, (self.contrast[:, None], self.contrast[None, :]), self.covariance != 0)
        if self.responses is not None:
            own, control = self.responses.contrast, self.responses.control
            linked[np.ix_(own, own)] |= control[:, None] == control
        return np.asarray(connected_components(linked, directed=False)[1], dtype=np.int64)

    @cached_property
    def response_row(self) -> Codes:
        """The row of `responses` of each normal effect's contrast, shape (m,); -1 where response was not reported."""
        assert self.responses is not None
        rows = np.full(len(self.trial), -1, dtype=np.int64)
        rows[self.responses.contrast] = np.arange(len(self.responses.contrast))
        return rows[self.contrast]


@dataclass(frozen=True, eq=False)
class JointPriors:
    """Priors, one entry per outcome.

    Attributes
    ----------
    mean_sd : tuple of float
        The mean effects are normal around 0 with these standard deviations.
    tau : tuple of TauPrior
        Of the standard deviations between trials: half-normal, half-t or half-Cauchy.
    lkj : float
        eta of the LKJ prior of the correlations; 1 is uniform over correlation matrices, inf sets them to 0.
    control_sd : float
        The logits of the control arms' rates are normal around 0 with this standard deviation.
    """

    mean_sd: tuple[float, ...]
    tau: tuple[TauPrior, ...]
    lkj: float = 2.0
    control_sd: float = 2.0

    def __post_init__(self) -> None:
        if not self.lkj > 0:
            raise InputError(f"The parameter of the LKJ prior was {self.lkj!r}; accepted is a number above 0.")


def together(trial: Codes) -> Floats:
    """Return the correlation of the true effects of contrasts: `SHARED` within a trial.

    Examples
    --------
    >>> together(np.array([0, 0, 1])).tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    same = trial[:, None] == trial
    return np.asarray(SHARED * same + (1 - SHARED) * np.eye(len(trial)))


def pairs(size: int) -> list[tuple[int, int]]:
    """Return the pairs of outcomes: (0, 1), (0, 2), (1, 2) of three."""
    return list(combinations(range(size), 2))


def score(events: Any, n: Any, p: Any, control_events: Any, control_n: Any, control_p: Any) -> Any:
    """Return the standardized efficient score of log odds ratios: mean 0 and variance 1 at any sample size.

    With w = n p (1 - p) of each arm: ((x_1 - n_1 p_1) w_0 - (x_0 - n_0 p_0) w_1) / sqrt(w_0 w_1 (w_0 + w_1)). Near it
    lies, in large samples, the error of the estimated log odds ratio divided by its standard error; unlike that it is
    defined for arms without an event (Whitehead 1997, The design and analysis of sequential clinical trials, chapter
    3, for efficient scores with a nuisance parameter).

    Examples
    --------
    >>> round(float(score(8.0, 20.0, 0.4, 6.0, 20.0, 0.3)), 12)
    0.0
    """
    w1, w0 = n * p * (1 - p), control_n * control_p * (1 - control_p)
    return ((events - n * p) * w0 - (control_events - control_n * control_p) * w1) / (w0 * w1 * (w0 + w1)) ** 0.5
