"""How (0, 1) is mapped onto the values of tau, so that the posterior is smooth on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from igfmeta.numerics import Floats


class Mapping(Protocol):
    """tau as a function of u, for a size A of each data set; u of shape (batch, n), A of shape (batch, 1)."""

    def tau(self, u: Floats, size: Floats) -> Floats: ...

    def share(self, tau: Floats, size: Floats) -> Floats: ...

    def log_slope(self, u: Floats, size: Floats) -> Floats: ...

    def log_slope_rate(self, u: Floats) -> Floats: ...


@dataclass(frozen=True)
class Rational:
    """tau = A u / (1 - u)."""

    def tau(self, u: Floats, size: Floats) -> Floats:
        return size * u / (1 - u)

    def share(self, tau: Floats, size: Floats) -> Floats:
        return tau / (size + tau)

    def log_slope(self, u: Floats, size: Floats) -> Floats:
        """Return log(d tau / du)."""
        return np.asarray(np.log(size) - 2 * np.log1p(-u))

    def log_slope_rate(self, u: Floats) -> Floats:
        """Return the derivative of `log_slope` by u."""
        return 2 / (1 - u)


@dataclass(frozen=True)
class Logarithmic:
    """log(tau / A) = s / (1 - s^2), s = 2u - 1: for a prior that falls near 0 only like a power of log(tau)."""

    #: Beyond exp(+-this) times A a posterior has no mass that counts.
    limit: float = 300.0

    @staticmethod
    def _rest(u: Floats) -> Floats:
        """Return 1 - s^2."""
        return np.maximum(4 * u * (1 - u), np.finfo(float).tiny)

    def tau(self, u: Floats, size: Floats) -> Floats:
        return size * np.exp(np.clip((2 * u - 1) / self._rest(u), -self.limit, self.limit))

    def share(self, tau: Floats, size: Floats) -> Floats:
        z = np.log(np.maximum(tau / size, np.finfo(float).tiny))
        return np.asarray(0.5 + z / (1 + np.sqrt(1 + 4 * z * z)))

    def log_slope(self, u: Floats, size: Floats) -> Floats:
        """Return log(d tau / du)."""
        s, rest = 2 * u - 1, self._rest(u)
        z = s / rest
        slope = np.log(size) + z + np.log(2 * (1 + s * s)) - 2 * np.log(rest)
        return np.where(np.abs(z) < self.limit, slope, -np.inf)

    def log_slope_rate(self, u: Floats) -> Floats:
        """Return the derivative of `log_slope` by u."""
        s, rest = 2 * u - 1, self._rest(u)
        return np.asarray(2 * ((1 + s * s) / rest**2 + 2 * s / (1 + s * s) + 4 * s / rest))
