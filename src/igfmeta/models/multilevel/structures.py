"""Covariance structures of random effects: G = S R S, standard deviations and a correlation matrix made of angles.

A structure is a function of free parameters: standard deviations s >= 0 first, then angles. A correlation is a cosine
of an angle, stretched to the range that keeps G positive semi-definite, so that a correlation at its limit is a
stationary point like any other and not a cliff (for `UN`: the spherical form of the Cholesky factor, Pinheiro & Bates
1996, Stat Comput 6:289).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats

STRUCTURES = {
    "ID": "one variance, no correlation",
    "DIAG": "a variance for each level, no correlation",
    "CS": "compound symmetry: one variance, one correlation",
    "HCS": "a variance for each level, one correlation",
    "UN": "unstructured: a variance for each level, a correlation for each pair",
    "AR": "autoregressive: one variance, correlation rho^steps",
    "HAR": "autoregressive with a variance for each level",
    "CAR": "autoregressive in continuous time: one variance, correlation rho^distance",
}

_SHARED = ("ID", "CS", "AR", "CAR")


@dataclass(frozen=True)
class Natural:
    """A variance or a correlation by the free parameter that it is a function of.

    Attributes
    ----------
    name : str
        "variance" or "correlation".
    levels : tuple of int
        The inner levels that it is of; empty where it is of all.
    order : tuple of int
        Order of the levels in which it depends on one free parameter alone.
    index : int
        That parameter.
    """

    name: str
    levels: tuple[int, ...]
    order: tuple[int, ...]
    index: int


class Covariance(Protocol):
    """What the likelihood asks of a structure."""

    @property
    def n_sd(self) -> int:
        """Free parameters that are standard deviations (bounded by 0); they come first."""

    @property
    def n_parameters(self) -> int:
        """Free parameters."""

    def matrix(self, theta: Floats) -> Floats:
        """Return G of shape (size, size)."""

    def pullback(self, theta: Floats, adjoint: Floats) -> Floats:
        """Return the slope in theta of a function whose slope in the elements of G is `adjoint` (symmetric)."""


@dataclass(frozen=True)
class Structure:
    """A covariance matrix of random effects over the levels of an inner factor.

    Attributes
    ----------
    kind : str
        A key of `STRUCTURES`.
    size : int
        Inner levels.
    positions : tuple of float
        Of the levels in time, for CAR; empty otherwise.
    order : tuple of int
        Order of the levels in the Cholesky factor of UN; empty for their own.

    Examples
    --------
    >>> cs = Structure("CS", 3)
    >>> cs.n_parameters, cs.matrix(cs.theta([2.0], [0.25]))[0].round(12).tolist()
    (2, [4.0, 1.0, 1.0])
    """

    kind: str
    size: int
    positions: tuple[float, ...] = ()
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_choice("struct", self.kind, list(STRUCTURES))

    @property
    def n_sd(self) -> int:
        """Free parameters that are standard deviations."""
        return 1 if self.kind in _SHARED else self.size

    @property
    def n_angles(self) -> int:
        """Free parameters that are angles."""
        if self.size == 1 or self.kind in ("ID", "DIAG"):
            return 0
        return self.size * (self.size - 1) // 2 if self.kind == "UN" else 1

    @property
    def n_parameters(self) -> int:
        """Free parameters."""
        return self.n_sd + self.n_angles

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest correlation that keep G positive semi-definite."""
        if self.kind in ("CS", "HCS"):
            return -1.0 / (self.size - 1), 1.0
        return (0.0, 1.0) if self.kind == "CAR" else (-1.0, 1.0)

    def _sd(self, theta: Floats) -> Floats:
        sd = theta[: self.n_sd]
        return np.broadcast_to(sd, (self.size,)) if self.n_sd == 1 else sd

    def _rho(self, angle: float) -> tuple[float, float]:
        low, high = self.limits
        return 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angle), -0.5 * (high - low) * np.sin(angle)

    def _powers(self, rho: float) -> tuple[Floats, Floats]:
        """Return rho^distance and its slope in rho; for CS and HCS every distance is 1."""
        at = np.array(self.positions) if self.positions else np.arange(self.size, dtype=float)
        apart = np.abs(at[:, None] - at[None, :])
        if self.kind in ("CS", "HCS"):
            apart = (apart > 0).astype(float)
        base = max(rho, 1e-12) if self.kind == "CAR" else rho
        off = apart > 0
        lower = np.where(off, apart - 1, 0.0)
        return np.where(off, base ** np.where(off, apart, 1.0), 1.0), np.where(off, apart * base**lower, 0.0)

    def matrix(self, theta: Floats) -> Floats:
        """Return G of shape (size, size)."""
        sd, angles = self._sd(theta), theta[self.n_sd :]
        if not self.n_angles:
            return np.diag(sd**2)
        if self.kind != "UN":
            return np.asarray(sd[:, None] * self._powers(self._rho(angles[0])[0])[0] * sd)
        factor = self._factor(angles)[0]
        return np.asarray(sd[:, None] * self._reordered(factor @ factor.T) * sd)

    def _reordered(self, of_order: Floats) -> Floats:
        if not self.order:
            return of_order
        out = np.empty_like(of_order)
        out[np.ix_(self.order, self.order)] = of_order
        return out

    def _factor(self, angles: Floats) -> tuple[Floats, Floats]:
        """Return the Cholesky factor of R, rows of unit length, and its slope in each angle (angles, size, size)."""
        factor, slope = np.zeros((self.size, self.size)), np.zeros((len(angles), self.size, self.size))
        at = 0
        for i in range(self.size):
            row = angles[at : at + i]
            c, s = np.append(np.cos(row), 1.0), np.append(1.0, np.cumprod(np.sin(row)))
            factor[i, : i + 1] = c * s
            for j in range(i):
                others = np.append(1.0, np.cumprod(np.where(np.arange(i) == j, 1.0, np.sin(row))))
                d = np.where(np.arange(i + 1) > j, c * others * np.cos(row[j]), 0.0)
                d[j] = -np.sin(row[j]) * s[j]
                slope[at + j, i, : i + 1] = d
            at += i
        return factor, slope

    def pullback(self, theta: Floats, adjoint: Floats) -> Floats:
        """Return the slope in theta of a function whose slope in the elements of G is `adjoint` (symmetric)."""
        sd, angles = self._sd(theta), theta[self.n_sd :]
        if not self.n_angles:
            of_sd = 2 * sd * np.diag(adjoint)
            return np.array([of_sd.sum()]) if self.n_sd == 1 else np.asarray(of_sd)
        of_r = sd[:, None] * adjoint * sd
        if self.kind != "UN":
            rho, drho = self._rho(angles[0])
            r, dr = self._powers(rho)
            of_angles = np.array([np.sum(of_r * dr) * drho])
        else:
            factor, slope = self._factor(angles)
            r = self._reordered(factor @ factor.T)
            inner = of_r[np.ix_(self.order, self.order)] if self.order else of_r
            of_angles = 2 * np.einsum("ij,aij->a", inner @ factor, slope)
        of_sd = 2 * np.sum(adjoint * r * sd, axis=1)
        return np.concatenate([[of_sd.sum()] if self.n_sd == 1 else of_sd, of_angles])

    def theta(self, sd: Sequence[float], correlation: Sequence[float] = ()) -> Floats:
        """Return the free parameters with these standard deviations and correlations.

        Parameters
        ----------
        sd : sequence of float of length n_sd
        correlation : sequence of float
            The one correlation of CS, HCS, AR, HAR, CAR; for UN the one that all pairs have.
        """
        if not self.n_angles:
            return np.asarray(sd, dtype=float)
        if self.kind != "UN":
            low, high = self.limits
            angles = [np.arccos(np.clip((2 * correlation[0] - low - high) / (high - low), -1, 1))]
        else:
            common = max(correlation[0], -0.99 / (self.size - 1))
            r = np.full((self.size, self.size), common)
            np.fill_diagonal(r, 1.0)
            angles = self.angles_of(r)
        return np.concatenate([sd, angles])

    def angles_of(self, r: Floats) -> list[float]:
        """Return the angles of a correlation matrix in the order of the factor, row by row."""
        if self.order:
            r = r[np.ix_(self.order, self.order)]
        values, vectors = np.linalg.eigh(r)
        half = vectors * np.sqrt(np.maximum(values, 0.0))
        factor = np.linalg.qr(half.T, mode="r").T
        factor = factor * np.where(np.diag(factor) < 0, -1.0, 1.0)
        angles = []
        for i in range(self.size):
            left = 1.0
            for j in range(i):
                cosine = np.clip(factor[i, j] / left, -1.0, 1.0) if left > 1e-12 else 1.0
                angles.append(float(np.arccos(cosine)))
                left *= np.sqrt(1 - cosine**2)
        return angles

    def naturals(self) -> list[Natural]:
        """Return the variances, then the correlations."""
        own = tuple(range(self.size))
        found = [Natural("variance", () if self.n_sd == 1 else (i,), (), i) for i in own[: self.n_sd]]
        if self.kind == "UN" and self.size > 1:
            for i in own:
                for j in range(i):
                    order = (j, i, *(each for each in own if each not in (i, j)))
                    found.append(Natural("correlation", (j, i), order, self.n_sd))
        elif self.n_angles:
            found.append(Natural("correlation", (), (), self.n_sd))
        return found

    def in_order(self, theta: Floats, order: tuple[int, ...]) -> tuple[Structure, Floats]:
        """Return the same structure and parameters with the levels of UN in another order of the factor."""
        if not order:
            return self, theta
        other = replace(self, order=order)
        sd = theta[: self.n_sd]
        factor = self._factor(theta[self.n_sd :])[0]
        return other, np.concatenate([sd, other.angles_of(self._reordered(factor @ factor.T))])

    def canonical(self, theta: Floats) -> Floats:
        """Return the same covariance with every angle between 0 and pi."""
        if not self.n_angles:
            return theta
        if self.kind != "UN":
            return np.append(theta[: self.n_sd], np.arccos(np.cos(theta[self.n_sd])))
        factor = self._factor(theta[self.n_sd :])[0]
        return np.concatenate([theta[: self.n_sd], self.angles_of(self._reordered(factor @ factor.T))])

    def value(self, natural: Natural, theta: Floats) -> float:
        """Return a variance or a correlation."""
        if natural.name == "variance":
            return float(theta[natural.index] ** 2)
        return self.at(natural, float(self.in_order(theta, natural.order)[1][natural.index]))

    def at(self, natural: Natural, parameter: float) -> float:
        """Return a variance or a correlation from its own free parameter."""
        if natural.name == "variance":
            return parameter**2
        return float(self._rho(parameter)[0])


def structure(kind: str, levels: Sequence[str], *, what: str = "the inner factor") -> Structure:
    """Return a structure over the levels of a factor.

    Parameters
    ----------
    kind : str
        A key of `STRUCTURES`.
    levels : sequence of str
        For CAR: numbers.
    what : str
        The factor, for messages.

    Raises
    ------
    InputError
        A kind that is not accepted, a factor with one level, or levels of CAR that are not numbers.
    """
    kind = check_choice("struct", kind, list(STRUCTURES))
    if len(levels) < 2:
        raise InputError(f"{what} has one level, {levels[0]!r}; a structure {kind} needs at least two.")
    if kind != "CAR":
        return Structure(kind, len(levels))
    try:
        return Structure(kind, len(levels), tuple(float(level) for level in levels))
    except ValueError:
        raise InputError(f"{what} has levels that are not numbers; CAR needs times such as 1, 2, 6.") from None
