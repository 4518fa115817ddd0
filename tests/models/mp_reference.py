"""The estimators of tau2 again, in 40 digits and without a thought of speed: what the kernel is held against."""

from __future__ import annotations

import mpmath as mp

mp.mp.dps = 40


def _sums(y, v, t):
    w = [1 / (vi + t) for vi in v]
    s1 = mp.fsum(w)
    mu = mp.fsum(wi * yi for wi, yi in zip(w, y, strict=True)) / s1
    return w, s1, [yi - mu for yi in y]


def generalized_q(y, v, t):
    w, _, r = _sums(y, v, t)
    return mp.fsum(wi * ri**2 for wi, ri in zip(w, r, strict=True))


def log_likelihood(y, v, t, restricted):
    w, s1, r = _sums(y, v, t)
    value = mp.fsum(mp.log(wi) for wi in w) - mp.fsum(wi * ri**2 for wi, ri in zip(w, r, strict=True))
    return (value - mp.log(s1)) / 2 if restricted else value / 2


def score(y, v, t, restricted):
    w, s1, r = _sums(y, v, t)
    value = mp.fsum((wi * ri) ** 2 for wi, ri in zip(w, r, strict=True)) - s1
    return value + mp.fsum(wi**2 for wi in w) / s1 if restricted else value


def _bisect(f, low, high):
    """Return the point where f, above 0 at `low` and not at `high`, changes sign, to 35 digits."""
    low, high = mp.mpf(low), mp.mpf(high)
    while high - low > mp.mpf(10) ** -32 * high:
        middle = mp.sqrt(low * high) if low > 0 and high / low > 2 else (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
        if high < mp.mpf(10) ** -60:
            return mp.mpf(0)
    return (low + high) / 2


def q_root(y, v, target):
    if generalized_q(y, v, mp.mpf(0)) <= target:
        return mp.mpf(0)
    high = max(v)
    while generalized_q(y, v, high) > target:
        high *= 4
    return _bisect(lambda t: generalized_q(y, v, t) - target, mp.mpf(0), high)


def maximum_likelihood(y, v, restricted, points=120):
    """Return the tau2 of the highest likelihood, of every maximum that a fine grid brackets."""
    spread = max(y) - min(y)
    high = max(spread**2, 10 * max(v))
    low = min(v) / 1000
    grid = [mp.mpf(0)] + [low * (high / low) ** (mp.mpf(i) / points) for i in range(points + 1)]
    values = [score(y, v, t, restricted) for t in grid]
    found = [mp.mpf(0)] if values[0] <= 0 else []
    for a, b, fa, fb in zip(grid, grid[1:], values, values[1:], strict=False):
        if fa > 0 and fb <= 0:
            found.append(_bisect(lambda t: score(y, v, t, restricted), a, b))
    return max(found, key=lambda t: log_likelihood(y, v, t, restricted))


def moments(y, v, a):
    """Return tau2 by the method of moments with fixed weights `a`."""
    s1, s2 = mp.fsum(a), mp.fsum(ai**2 for ai in a)
    mu = mp.fsum(ai * yi for ai, yi in zip(a, y, strict=True)) / s1
    q = mp.fsum(ai * (yi - mu) ** 2 for ai, yi in zip(a, y, strict=True))
    expected = mp.fsum(ai * vi for ai, vi in zip(a, v, strict=True))
    expected -= mp.fsum(ai**2 * vi for ai, vi in zip(a, v, strict=True)) / s1
    return max(mp.mpf(0), (q - expected) / (s1 - s2 / s1))


def tau2(y, v, method):
    """Return tau2 by one of the estimators."""
    y, v, k = [mp.mpf(float(x)) for x in y], [mp.mpf(float(x)) for x in v], len(y)
    if method in ("ML", "REML"):
        return maximum_likelihood(y, v, method == "REML")
    if method in ("PM", "EB"):
        return q_root(y, v, k - 1)
    if method == "PMM":
        half = mp.findroot(
            lambda x: mp.gammainc(mp.mpf(k - 1) / 2, 0, x / 2, regularized=True) - 0.5, k - 1.3 if k > 2 else 0.45
        )
        return q_root(y, v, half)
    if method == "DL":
        return moments(y, v, [1 / vi for vi in v])
    if method == "HE":
        return moments(y, v, [mp.mpf(1)] * k)
    if method == "GENQ":
        return moments(y, v, [1 / mp.sqrt(vi) for vi in v])
    if method in ("DL2", "CA2"):
        first = tau2(y, v, "DL" if method == "DL2" else "HE")
        return moments(y, v, [1 / (vi + first) for vi in v])
    if method == "SJ":
        mean = mp.fsum(y) / k
        start = mp.fsum((yi - mean) ** 2 for yi in y) / k
        return start * generalized_q(y, v, start) / (k - 1) if start > 0 else mp.mpf(0)
    if method in ("HS", "HSK"):
        factor = mp.mpf(k) / (k - 1) if method == "HSK" else 1
        return max(mp.mpf(0), (factor * generalized_q(y, v, mp.mpf(0)) - k) / mp.fsum(1 / vi for vi in v))
    raise ValueError(method)
