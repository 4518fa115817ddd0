"""The highest point of a likelihood: many starts, a bounded quasi-Newton search, Newton steps at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from igfmeta.models.bias.selection.likelihood import Likelihood
from igfmeta.numerics import Floats, Mask

#: How many of the starts are followed to a maximum, and how many Newton steps polish the best.
FOLLOWED, POLISH = 5, 30

#: A gradient below this, in units of the parameters' own curvature, is a maximum.
FLAT = 1e-7


@dataclass(frozen=True, eq=False)
class Peak:
    """A maximum.

    Attributes
    ----------
    theta, gradient : ndarray of shape (p,)
    value : float
    free : ndarray of bool, shape (p,)
        Parameters that are not at a bound.
    covariance : ndarray of shape (p, p)
        Inverse of the observed information over the free parameters; NaN elsewhere.
    converged : bool
    condition : float
        Condition number of the information over the free parameters, scaled to a unit diagonal.
    """

    theta: Floats
    gradient: Floats
    value: float
    free: Mask
    covariance: Floats
    converged: bool
    condition: float


def highest(f: Likelihood, starts: Sequence[Floats], lower: Floats, upper: Floats) -> Peak:
    """Return the highest of the maxima that the best starts lead to."""
    from scipy.optimize import minimize

    ranked = sorted(starts, key=lambda start: -f(start)[0])
    bounds = list(zip(lower, upper, strict=True))
    found = []
    for start in ranked[:FOLLOWED]:
        path: Any = minimize(  # type: ignore[call-overload]
            lambda t: _negative(f, t), start, jac=True, method="L-BFGS-B", bounds=bounds,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
        )  # fmt: skip
        found.append((float(-path.fun), np.asarray(path.x)))
    value, theta = max(found, key=lambda each: each[0])
    return _polished(f, theta, value, lower, upper)


def _negative(f: Likelihood, theta: Floats) -> tuple[float, Floats]:
    value, gradient = f(theta)
    return -value, -gradient


def _polished(f: Likelihood, theta: Floats, value: float, lower: Floats, upper: Floats) -> Peak:
    """Take Newton steps over the parameters that are not held at a bound, as long as they climb."""
    value, gradient = f(theta)
    free = _free(theta, gradient, lower, upper)
    hessian = curvature(f, theta, lower, upper)
    for _ in range(POLISH):
        if not free.any():
            break
        inner = hessian[np.ix_(free, free)]
        try:
            step = np.linalg.solve(-inner, gradient[free])
        except np.linalg.LinAlgError:
            break
        new = theta.copy()
        new[free] = np.clip(theta[free] + step, lower[free], upper[free])
        new_value, new_gradient = f(new)
        if not new_value >= value - 1e-12 * abs(value):
            break
        moved = float(np.max(np.abs(new - theta) / (np.abs(theta) + 1e-3)))
        theta, value, gradient = new, new_value, new_gradient
        free = _free(theta, gradient, lower, upper)
        if moved < 1e-11:
            break
        hessian = curvature(f, theta, lower, upper)
    return _assessed(theta, gradient, value, free, curvature(f, theta, lower, upper))


def _free(theta: Floats, gradient: Floats, lower: Floats, upper: Floats) -> Mask:
    span = np.where(np.isfinite(upper - lower), upper - lower, 1.0)
    at_lower = (theta <= lower + 1e-9 * span) & (gradient <= 0)
    at_upper = (theta >= upper - 1e-9 * span) & (gradient >= 0)
    return np.asarray(~(at_lower | at_upper))


def curvature(f: Likelihood, theta: Floats, lower: Floats, upper: Floats) -> Floats:
    """Return the Hessian from central differences of the gradient, fourth order, kept inside the bounds."""
    p = len(theta)
    out = np.empty((p, p))
    for j in range(p):
        h = 1e-3 * max(abs(theta[j]), 1e-2)
        room = min(theta[j] - lower[j], upper[j] - theta[j])
        offsets, factors = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12
        if room < 2 * h:
            # One-sided at a bound.
            side = 1.0 if theta[j] - lower[j] <= upper[j] - theta[j] else -1.0
            offsets = side * np.arange(5.0)
            factors = side * np.array([-25.0, 48.0, -36.0, 16.0, -3.0]) / 12
        gradients = np.array([f(theta + o * h * np.eye(p)[j])[1] for o in offsets])
        out[j] = factors @ gradients / h
    return (out + out.T) / 2


def _assessed(theta: Floats, gradient: Floats, value: float, free: Mask, hessian: Floats) -> Peak:
    p = len(theta)
    covariance, condition, steep = np.full((p, p), np.nan), np.inf, np.inf
    if free.any():
        information = -hessian[np.ix_(free, free)]
        scale = np.sqrt(np.abs(np.diag(information)))
        scale[scale == 0] = 1.0
        scaled = information / np.outer(scale, scale)
        eigenvalues = np.linalg.eigvalsh(scaled)
        steep = float(np.max(np.abs(gradient[free]) / scale))
        if eigenvalues[0] > 1e-10:
            condition = float(eigenvalues[-1] / eigenvalues[0])
            covariance[np.ix_(free, free)] = np.linalg.inv(scaled) / np.outer(scale, scale)
    return Peak(theta, gradient, value, free, covariance, bool(steep < FLAT and np.isfinite(condition)), condition)
