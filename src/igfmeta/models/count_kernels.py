"""Likelihoods of one study's counts as functions of its effect eta: binomial, Poisson, non-central hypergeometric.

All three are exponential families in eta, log f(eta) = x eta - b(eta) + constant, hence log-concave, and the
derivatives of log f are x - kappa1, -kappa2, -kappa3, -kappa4 with the cumulants kappa of the count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from igfmeta.numerics import Floats

#: Elements (studies x nodes x support) of a hypergeometric table evaluated at once.
CHUNK = 400_000

#: Log rates above this have no likelihood left; their fourth powers still fit a float.
HIGHEST = 150.0


class Kernel(Protocol):
    """The likelihoods of m studies."""

    def take(self, index: NDArray[np.intp]) -> Self:
        """Return the studies with these positions; they may repeat."""

    def log_f(self, eta: Floats) -> Floats:
        """Return log-likelihoods at effects of shape (m, nodes)."""

    def slopes(self, eta: Floats) -> tuple[Floats, Floats]:
        """Return the first two derivatives of the log-likelihoods in eta; shape (m, nodes) each."""

    def derivatives(self, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the first four derivatives of the log-likelihoods in eta; shape (m, nodes) each."""

    def saturated(self) -> Floats:
        """Return the highest log-likelihood that each study could have; shape (m,)."""

    def __len__(self) -> int: ...


class _PerStudy(ABC):
    """Fields of shape (m,) or (m, ...), taken together."""

    def take(self, index: NDArray[np.intp]) -> Self:
        return type(self)(**{f.name: getattr(self, f.name)[index] for f in fields(self)})  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def slopes(self, eta: Floats) -> tuple[Floats, Floats]:
        first, second, *_ = self.derivatives(eta)
        return first, second

    @abstractmethod
    def derivatives(self, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the first four derivatives; the first two are all that `slopes` needs."""


def _log_choose(n: Any, x: Any) -> Any:
    return special.gammaln(n + 1) - special.gammaln(x + 1) - special.gammaln(n - x + 1)


@dataclass(frozen=True, eq=False)
class Binomial(_PerStudy):
    """x of n with logit(p) = eta + offset.

    With offset 0 a single proportion; with x the events of arm 1 among the events of both arms, and the offset the log
    ratio of the arms' sizes, the approximate conditional model of an odds ratio (Stijnen, Hamza & Ozdemir 2010, Stat
    Med 29:3046, eq. 8); with person-times for sizes the exact conditional model of a rate ratio (their eq. 10).
    """

    x: Floats
    n: Floats
    offset: Floats

    def log_f(self, eta: Floats) -> Floats:
        eta = eta + self.offset[:, None]
        # log(1 + exp(eta)) without overflow; np.logaddexp takes twice as long.
        soft = np.maximum(eta, 0) + np.log1p(np.exp(-np.abs(eta)))
        return np.asarray(self.x[:, None] * eta - self.n[:, None] * soft + _log_choose(self.n, self.x)[:, None])

    def derivatives(self, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        p = special.expit(eta + self.offset[:, None])
        pq = p * (1 - p)
        second = self.n[:, None] * pq
        return self.x[:, None] - self.n[:, None] * p, -second, -second * (1 - 2 * p), -second * (1 - 6 * pq)

    def saturated(self) -> Floats:
        x, rest = self.x, self.n - self.x
        share = x / self.n
        return np.asarray(_log_choose(self.n, x) + special.xlogy(x, share) + special.xlogy(rest, 1 - share))


@dataclass(frozen=True, eq=False)
class Poisson(_PerStudy):
    """x events in person-time t, log rate = eta (Stijnen, Hamza & Ozdemir 2010, eq. 9)."""

    x: Floats
    t: Floats

    def log_f(self, eta: Floats) -> Floats:
        x, t = self.x[:, None], self.t[:, None]
        return np.asarray(x * (eta + np.log(t)) - t * np.exp(np.minimum(eta, HIGHEST)) - special.gammaln(x + 1))

    def derivatives(self, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        mean = self.t[:, None] * np.exp(np.minimum(eta, HIGHEST))
        return self.x[:, None] - mean, -mean, -mean, -mean

    def saturated(self) -> Floats:
        return np.asarray(special.xlogy(self.x, self.x) - self.x - special.gammaln(self.x + 1))


@dataclass(frozen=True, eq=False)
class Hypergeometric(_PerStudy):
    """a events in arm 1 given the events of both arms: Fisher's non-central hypergeometric, eta the log odds ratio.

    The exact conditional likelihood of a 2 x 2 table (Stijnen, Hamza & Ozdemir 2010, eq. 7; van Houwelingen, Zwinderman
    & Stijnen 1993, Stat Med 12:2273). `log_c` holds the logarithms of the coefficients of `support`, both of shape
    (m, widest support), -inf where a study's support has ended.
    """

    a: Floats
    support: Floats
    log_c: Floats

    @classmethod
    def of(cls, a: Floats, n1: Floats, c: Floats, n2: Floats) -> Self:
        """Return the studies with `a` events of `n1` and `c` events of `n2`."""
        events = a + c
        low, high = np.maximum(0, events - n2), np.minimum(n1, events)
        steps = np.arange(int((high - low).max(initial=0)) + 1)
        support = np.minimum(low[:, None] + steps, high[:, None])
        log_c = _log_choose(n1[:, None], support) + _log_choose(n2[:, None], events[:, None] - support)
        return cls(a, support, np.where(low[:, None] + steps <= high[:, None], log_c, -np.inf))

    def _chunks(self, nodes: int) -> list[slice]:
        step = max(1, CHUNK // max(1, nodes * self.support.shape[1]))
        return [slice(i, i + step) for i in range(0, len(self.a), step)]

    def _powers(self, part: slice, eta: Floats) -> tuple[Floats, Floats]:
        """Return c_j exp(j eta) relative to its largest, and the logarithm of that; (studies, nodes, support)."""
        terms = self.log_c[part, None, :] + self.support[part, None, :] * eta[part, :, None]
        top = terms.max(axis=2)
        return np.exp(terms - top[:, :, None]), top

    def log_f(self, eta: Floats) -> Floats:
        out = np.empty_like(eta)
        for part in self._chunks(eta.shape[1]):
            powers, top = self._powers(part, eta)
            out[part] = self.a[part, None] * eta[part] - top - np.log(powers.sum(axis=2))
        own = np.where(self.support == self.a[:, None], self.log_c, -np.inf).max(axis=1)
        return np.asarray(out + own[:, None])

    def _moments(self, eta: Floats, orders: int) -> Floats:
        """Return the first moments of the count around a, each of shape (m, nodes)."""
        out = np.empty((orders, *eta.shape))
        apart = self.support - self.a[:, None]
        powers_of = np.stack([apart**k for k in range(orders + 1)], axis=2)
        for part in self._chunks(eta.shape[1]):
            powers, _ = self._powers(part, eta)
            sums = powers @ powers_of[part]
            out[:, part] = np.moveaxis(sums[:, :, 1:] / sums[:, :, :1], 2, 0)
        return out

    def slopes(self, eta: Floats) -> tuple[Floats, Floats]:
        m1, m2 = self._moments(eta, 2)
        return -m1, m1 * m1 - m2

    def derivatives(self, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        m1, m2, m3, m4 = self._moments(eta, 4)
        square = m1 * m1
        variance = m2 - square
        third = m3 - m1 * (3 * m2 - 2 * square)
        fourth = m4 - 4 * m1 * m3 + square * (6 * m2 - 3 * square) - 3 * variance**2
        return -m1, -variance, -third, -fourth

    def saturated(self) -> Floats:
        """At either end of the support the likelihood rises to 1; inside it is highest where the mean is a."""
        low = self.support[:, 0]
        high = self.support.max(axis=1)
        inside = np.flatnonzero((self.a > low) & (self.a < high))
        out = np.zeros(len(self.a))
        if len(inside):
            part, eta = self.take(inside), np.zeros((len(inside), 1))
            for _ in range(60):
                first, second = part.slopes(eta)
                step = np.clip(-first / second, -2.0, 2.0)
                eta = eta + step
                if np.abs(step).max() < 1e-12:
                    break
            out[inside] = part.log_f(eta)[:, 0]
        return out
