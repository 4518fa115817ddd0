"""Pools of subsets of one data set, compiled: what `gosh` uses where a million subsets are asked for.

For REML the same search as `igfmeta.models.tau2_likelihood`: the score on a grid from 0 to a bound above which it is
negative, a bracketed Newton in each interval where it falls through 0, the highest maximum wins. The NumPy kernel is
the reference; a test holds the two together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

from igfmeta.models.tau2_likelihood import PER_DECADE

#: Estimators of tau2 that are compiled, by number.
KINDS = {"REML": 0, "DL": 1, "CE": 2}

#: As in `igfmeta.solver`.
STEP, WIDTH, MAX_STEPS = 1e-10, 1e-14, 200


@njit(cache=True, inline="always")
def _score(y: Any, v: Any, k: int, t: float) -> tuple[float, float]:
    """Return twice the derivative of the restricted log-likelihood in tau2, and a slope for Newton."""
    s1 = s2 = s3 = sy = 0.0
    for i in range(k):
        w = 1.0 / (v[i] + t)
        s1 += w
        s2 += w * w
        s3 += w * w * w
        sy += w * y[i]
    mu = sy / s1
    a = b = c = 0.0
    for i in range(k):
        w = 1.0 / (v[i] + t)
        r = w * (y[i] - mu)
        a += r * r
        b += w * r
        c += w * r * r
    # b is sum w^2 r: a and c are sums of w^2 r^2 and w^3 r^2.
    ratio = s2 / s1
    return a - s1 + ratio, 2.0 * (b * b / s1 - c) + s2 - 2.0 * s3 / s1 + ratio * ratio


@njit(cache=True, inline="always")
def _height(y: Any, v: Any, k: int, t: float) -> float:
    """Return the restricted log-likelihood up to a constant."""
    s1 = sy = logs = 0.0
    for i in range(k):
        w = 1.0 / (v[i] + t)
        s1 += w
        sy += w * y[i]
        logs += math.log(w)
    mu = sy / s1
    q = 0.0
    for i in range(k):
        q += (y[i] - mu) ** 2 / (v[i] + t)
    return 0.5 * (logs - q - math.log(s1))


@njit(cache=True)
def _root(y: Any, v: Any, k: int, low: float, high: float) -> float:
    """Return where the score falls through 0 between `low` and `high`."""
    a, b = low, high
    t = math.sqrt(a * b) if a > 0.0 else 0.5 * b
    for _ in range(MAX_STEPS):
        value, slope = _score(y, v, k, t)
        if value > 0.0:
            a = t
        else:
            b = t
        new = t - value / slope if slope != 0.0 else a
        if not a < new < b:
            new = math.sqrt(a * b) if a > 0.0 else 0.5 * (a + b)
        length = abs(new - t)
        t = new
        if length <= STEP * t or b - a <= WIDTH * b:
            break
    return t


@njit(cache=True)
def _reml(y: Any, v: Any, k: int) -> float:
    """Return tau2 at the global maximum of the restricted likelihood."""
    smallest = largest = v[0]
    lowest = highest = y[0]
    for i in range(1, k):
        smallest, largest = min(smallest, v[i]), max(largest, v[i])
        lowest, highest = min(lowest, y[i]), max(highest, y[i])
    if highest == lowest:
        return 0.0
    low, high = 0.1 * smallest, max((highest - lowest) ** 2, 10.0 * largest)
    points = math.ceil(math.log10(high / low)) * PER_DECADE + 1
    factor = (high / low) ** (1.0 / (points - 1))
    before, t = 0.0, 0.0
    value = _score(y, v, k, 0.0)[0]
    best, found, top = 0.0, value <= 0.0, 0.0
    if found:
        top = _height(y, v, k, 0.0)
    after = low
    for _ in range(points):
        next_value = _score(y, v, k, after)[0]
        if value > 0.0 and next_value <= 0.0:
            t = _root(y, v, k, before, after)
            if not found:
                best, found = t, True
                top = _height(y, v, k, t)
            else:
                height = _height(y, v, k, t)
                if height > top:
                    best, top = t, height
        before, value = after, next_value
        after *= factor
    return best


@njit(cache=True, parallel=True)
def pool_subsets(yi: Any, vi: Any, members: Any, kind: int, estimate: Any, tau2: Any, i2: Any) -> None:
    """Fill pooled effect, tau2 and I2 of every subset; `members` holds packed bits, `kind` is of `KINDS`."""
    k = len(yi)
    for row in prange(len(members)):
        y, v = np.empty(k), np.empty(k)
        n = 0
        for i in range(k):
            if (members[row, i // 8] >> (7 - i % 8)) & 1:
                y[n], v[n] = yi[i], vi[i]
                n += 1
        # With w = 1/v: sum(w), sum(w)^2 - sum(w^2), and Cochran's Q.
        p1 = pairs = py = q = 0.0
        for i in range(n):
            w = 1.0 / v[i]
            pairs += 2.0 * p1 * w
            p1 += w
            py += w * y[i]
        for i in range(n):
            q += (y[i] - py / p1) ** 2 / v[i]
        t = 0.0
        if kind == 0:
            t = _reml(y, v, n)
        elif kind == 1:
            t = max(0.0, (q - (n - 1)) / (pairs / p1))
        s1 = sy = 0.0
        for i in range(n):
            w = 1.0 / (v[i] + t)
            s1 += w
            sy += w * y[i]
        estimate[row], tau2[row] = sy / s1, t
        if kind == 2:
            i2[row] = 100.0 * max(0.0, q - (n - 1)) / q if q > 0.0 else 0.0
        else:
            # Over tau2 and the typical variance of Higgins & Thompson, (k - 1) sum(w) / (sum(w)^2 - sum(w^2)).
            i2[row] = 100.0 * t / (t + (n - 1) * p1 / pairs)
