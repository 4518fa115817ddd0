"""Shapes of a dose-response curve: linear, quadratic, restricted cubic splines, fractional polynomials.

A basis turns doses into columns; the curve is their weighted sum, without an intercept, because a relative risk is 1 at
its reference dose: what enters a model is the contrast of two doses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats

MODELS = ("linear", "quadratic", "rcs", "fp")

#: Percentiles of the knots by their number (Harrell 2015, Regression Modeling Strategies, table 2.3).
PERCENTILES = {
    3: (10, 50, 90),
    4: (5, 35, 65, 95),
    5: (5, 27.5, 50, 72.5, 95),
    6: (5, 23, 41, 59, 77, 95),
    7: (2.5, 18.33, 34.17, 50, 65.83, 81.67, 97.5),
}

#: The usual powers; 0 is the logarithm (Royston & Altman 1994, Appl Stat 43:429).
POWERS = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)


@dataclass(frozen=True)
class Basis:
    """A shape of the curve.

    Attributes
    ----------
    model : {"linear", "quadratic", "rcs", "fp"}
    knots : tuple of float
        Of a spline.
    powers : tuple of float
        Of a fractional polynomial.
    shift : float
        Added to every dose of a fractional polynomial, so that all are above 0.
    """

    model: str
    knots: tuple[float, ...] = ()
    powers: tuple[float, ...] = ()
    shift: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        if self.model == "rcs":
            return ("dose", *(f"spline {i + 1}" for i in range(1, len(self.knots) - 1)))
        if self.model == "fp":
            x = f"(dose + {self.shift:g})" if self.shift else "dose"
            base = [f"ln {x}" if p == 0 else x if p == 1 else f"{x}^{p:g}" for p in self.powers]
            repeated = len(base) == 2 and base[0] == base[1]
            return (base[0], f"{base[0]} ln {x}") if repeated else tuple(base)
        return ("dose",) if self.model == "linear" else ("dose", "dose^2")

    @property
    def nonlinear(self) -> tuple[int, ...] | None:
        """Positions of the columns without which the curve is a line; None where leaving columns out gives none."""
        if self.model == "fp":
            at = [i for i, power in enumerate(self.powers) if power != 1]
            # x^1 alone is a line, x^1 and x^1 ln x is one without the second; other powers hold none.
            if 1 not in self.powers:
                return None
            return tuple(at) if len(set(self.powers)) == len(self.powers) else (1,)
        return tuple(range(1, len(self.names)))

    def columns(self, dose: Any) -> Floats:
        """Return the columns at doses of shape (n,); shape (n, p).

        Raises
        ------
        InputError
            A dose that a fractional polynomial cannot take, at or below minus its shift.
        """
        x = np.atleast_1d(np.asarray(dose, dtype=float))
        if self.model == "rcs":
            return _spline(x, np.array(self.knots))
        if self.model == "fp":
            return _fractional(x + self.shift, self.powers)
        return np.column_stack([x] if self.model == "linear" else [x, x**2])

    def contrast(self, dose: Any, reference: float) -> Floats:
        """Return the columns at doses minus those at the reference dose; shape (n, p)."""
        return self.columns(dose) - self.columns(reference)


def _spline(x: Floats, knots: Floats) -> Floats:
    """Return x and the cubic terms that are linear beyond the outer knots, in units of the range of the knots squared.

    Harrell 2015, eq. 2.25 and 2.26.
    """
    first, before, last = knots[0], knots[-2], knots[-1]

    def cube(at: float) -> Floats:
        return np.asarray(np.maximum(x - at, 0.0) ** 3)

    terms = [
        cube(t)
        - cube(before) * (last - t) / (last - before)
        + cube(last) * (before - t) / (last - before)
        for t in knots[:-2]
    ]  # fmt: skip
    return np.column_stack([x, *(term / (last - first) ** 2 for term in terms)])


def _fractional(x: Floats, powers: Sequence[float]) -> Floats:
    """Return x^p, ln x for p = 0; the second of two equal powers is multiplied by ln x (Royston & Altman 1994)."""
    if (x <= 0).any():
        raise InputError("A fractional polynomial takes doses above 0, or above minus its shift, alone.")
    out = [np.log(x) if p == 0 else x**p for p in powers]
    if len(powers) == 2 and powers[0] == powers[1]:
        out[1] = out[1] * np.log(x)
    return np.column_stack(out)


def linear() -> Basis:
    """Return the straight line."""
    return Basis("linear")


def quadratic() -> Basis:
    """Return the parabola."""
    return Basis("quadratic")


def restricted_cubic(doses: Any, knots: int | Sequence[float] = 3) -> Basis:
    """Return a restricted cubic spline.

    Parameters
    ----------
    doses : array_like
        All assigned doses, of the reference groups too; the knots lie at percentiles of them.
    knots : int or sequence of float
        Their number, 3 to 7 (percentiles of `PERCENTILES`, interpolated linearly), or where they lie.

    Raises
    ------
    InputError
        Knots that coincide, because few doses differ; fewer than 3; or more than 7 by number.

    Examples
    --------
    >>> restricted_cubic([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).knots
    (1.0, 5.0, 9.0)
    """
    if isinstance(knots, (int, np.integer)):
        if int(knots) not in PERCENTILES:
            raise InputError(
                f"The number of knots was {knots}; accepted are 3 to 7, or where they lie, such as 0,2,6.5."
            )
        at = np.percentile(np.asarray(doses, dtype=float), PERCENTILES[int(knots)])
        how = f"The percentiles {', '.join(f'{p:g}' for p in PERCENTILES[int(knots)])} of the doses are"
    else:
        at, how = np.asarray(knots, dtype=float), "The knots were"
    if len(at) < 3 or not np.isfinite(at).all() or (np.diff(at) <= 0).any():
        found = ", ".join(f"{k:g}" for k in at)
        raise InputError(f"{how} {found}; accepted are three or more that rise. Give them with knots.")
    return Basis("rcs", knots=tuple(float(k) for k in at))


def shift_for(doses: Any) -> float:
    """Return what is added to doses so that all are above 0: nothing, or the step from the lowest dose to the next.

    Royston & Sauerbrei 2008, Multivariable Model-Building, section 4.7, take the least step between any two values; the
    assigned doses of different studies may nearly coincide, so that here the step is the one at the lowest dose.

    Examples
    --------
    >>> shift_for([0, 2, 2.5, 9]), shift_for([1, 2])
    (2.0, 0.0)
    """
    distinct = np.unique(np.asarray(doses, dtype=float))
    if distinct[0] > 0:
        return 0.0
    if len(distinct) == 1:
        raise InputError("All doses are equal; a curve needs at least two.")
    return float(distinct[1] - 2 * distinct[0])


def fractional_polynomial(doses: Any, powers: Sequence[float]) -> Basis:
    """Return a fractional polynomial of degree 1 or 2.

    Parameters
    ----------
    doses : array_like
        All assigned doses; where some are 0 or below, every dose is shifted by `shift_for`.
    powers : sequence of float
        One or two of `POWERS`.

    Examples
    --------
    >>> fractional_polynomial([0, 1, 2], [2, 2]).names
    ('(dose + 1)^2', '(dose + 1)^2 ln (dose + 1)')
    """
    chosen = tuple(sorted(float(p) for p in powers))
    if len(chosen) not in (1, 2) or any(p not in POWERS for p in chosen):
        found = ", ".join(f"{p:g}" for p in chosen) or "none"
        raise InputError(f"powers were {found}; accepted are one or two of {', '.join(f'{p:g}' for p in POWERS)}.")
    return Basis("fp", powers=chosen, shift=shift_for(doses))


def all_fractional_polynomials(doses: Any, degree: int) -> tuple[Basis, ...]:
    """Return every fractional polynomial of a degree: 8 of degree 1, 36 of degree 2.

    Examples
    --------
    >>> len(all_fractional_polynomials([1, 2], 1)), len(all_fractional_polynomials([1, 2], 2))
    (8, 36)
    """
    if degree not in (1, 2):
        raise InputError(f"degree was {degree}; accepted are 1 and 2.")
    shift = shift_for(doses)
    return tuple(Basis("fp", powers=p, shift=shift) for p in combinations_with_replacement(POWERS, degree))


def basis(
    model: str,
    doses: Any,
    *,
    knots: int | Sequence[float] | None = None,
    powers: Sequence[float] | None = None,
) -> Basis:
    """Return the shape of that name; `knots` are for rcs (default 3), `powers` for fp.

    Examples
    --------
    >>> basis("quadratic", [0, 1, 2]).names
    ('dose', 'dose^2')
    """
    chosen = check_choice("model", model, MODELS)
    if knots is not None and chosen != "rcs":
        raise InputError(f"knots were given with model {chosen}; they are for rcs.")
    if powers is not None and chosen != "fp":
        raise InputError(f"powers were given with model {chosen}; they are for fp.")
    if chosen == "rcs":
        return restricted_cubic(doses, 3 if knots is None else knots)
    if chosen == "fp":
        if powers is None:
            raise InputError("powers are missing: one or two for a fractional polynomial.")
        return fractional_polynomial(doses, powers)
    return linear() if chosen == "linear" else quadratic()
