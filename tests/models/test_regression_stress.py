"""Meta-regressions of difficult data sets against 40 digits: no tau2 wrong, loose or failed.

For the likelihood the exact score is 0 at the estimate, within 1e-8 of max(tau2, median variance) to both sides, and
no value on a fine grid is more likely.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from igfmeta.models.regression.fitting import regress

SETS, K = 4, 7
CLASSES = (
    "typical",
    "v about 1e-8",
    "v about 1e4",
    "y + 1e6",
    "one v = 1e-12",
    "two v = 1e-12",
    "v from 1e-8 to 1e4",
    "a year",
)


@pytest.fixture(autouse=True)
def _forty_digits():
    with mp.workdps(40):
        yield


def _data(name, rng):
    v = rng.uniform(0.01, 0.5, (SETS, K))
    if name == "v about 1e-8":
        v *= 1e-8
    elif name == "v about 1e4":
        v *= 1e4
    elif name == "one v = 1e-12":
        v[:, 0] = 1e-12
    elif name == "two v = 1e-12":
        v[:, :2] = 1e-12
    elif name == "v from 1e-8 to 1e4":
        v = 10 ** rng.uniform(-8, 4, (SETS, K))
    tau2 = np.median(v, axis=1, keepdims=True) * np.array([0.0, 0.3, 2.0, 5.0])[:, None]
    y = rng.normal(0, np.sqrt(v + tau2)) + (1e6 if name == "y + 1e6" else 0.0)
    moderator = rng.integers(1995, 2020, (SETS, K)) if name == "a year" else rng.normal(size=(SETS, K))
    return y, v, np.stack([np.ones((SETS, K)), moderator], axis=2)


class Exact:
    """One data set in 40 digits."""

    def __init__(self, y, v, x):
        self.y, self.x = mp.matrix(y.tolist()), mp.matrix(x.tolist())
        self.v = [mp.mpf(value) for value in v.tolist()]

    def p(self, t):
        w = mp.diag([1 / (v + t) for v in self.v])
        return w - w * self.x * (self.x.T * w * self.x) ** -1 * self.x.T * w

    def q(self, t):
        return (self.y.T * self.p(t) * self.y)[0]

    def score(self, t, *, restricted):
        p = self.p(t)
        u = p * self.y
        trace = mp.fsum(p[i, i] for i in range(K)) if restricted else mp.fsum(1 / (v + t) for v in self.v)
        return (u.T * u)[0] - trace

    def height(self, t, *, restricted):
        w = [1 / (v + t) for v in self.v]
        out = mp.fsum(map(mp.log, w)) - self.q(t)
        return out - mp.log(mp.det(self.x.T * mp.diag(w) * self.x)) if restricted else out

    def dersimonian_laird(self):
        p = self.p(mp.mpf(0))
        return max(mp.mpf(0), ((self.y.T * p * self.y)[0] - (K - 2)) / mp.fsum(p[i, i] for i in range(K)))


@pytest.mark.parametrize("name", CLASSES)
def test_moments_and_roots(name):
    y, v, x = _data(name, np.random.default_rng(CLASSES.index(name)))
    dl, pm = (regress(y, v, x, method=method, test="z") for method in ("DL", "PM"))
    assert pm.converged.all()
    for i in range(SETS):
        exact, median = Exact(y[i], v[i], x[i]), float(np.median(v[i]))
        expected = float(exact.dersimonian_laird())
        assert abs(dl.tau2[i] - expected) <= 1e-9 * max(expected, median)
        near = mp.mpf(1e-9 * max(pm.tau2[i], median))
        root = mp.mpf(pm.tau2[i])
        assert exact.q(root + near) < K - 2
        assert root == 0 or exact.q(max(root - near, mp.mpf(0))) > K - 2


@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize("name", CLASSES)
def test_the_highest_maximum_of_the_likelihood(name, method):
    y, v, x = _data(name, np.random.default_rng(CLASSES.index(name)))
    fits, restricted = regress(y, v, x, method=method, test="z"), method == "REML"
    assert fits.converged.all()
    for i in range(SETS):
        exact, median = Exact(y[i], v[i], x[i]), float(np.median(v[i]))
        found, near = mp.mpf(fits.tau2[i]), mp.mpf(1e-8 * max(fits.tau2[i], median))
        assert exact.score(found + near, restricted=restricted) < 0
        assert found == 0 or exact.score(max(found - near, mp.mpf(0)), restricted=restricted) > 0
        top = exact.height(found, restricted=restricted)
        grid = [0.0, *np.geomspace(0.01 * v[i].min(), 100 * max(v[i].max(), fits.tau2[i]), 12)]
        assert all(exact.height(mp.mpf(t), restricted=restricted) <= top for t in grid)


def _height(y, v, x, t):
    """Return twice the restricted log-likelihood, up to a constant, by its definition."""
    w = 1 / (v + t)
    information = (x.T * w) @ x
    residual = y - x @ np.linalg.solve(information, x.T @ (w * y))
    return np.log(w).sum() - np.linalg.slogdet(information)[1] - np.sum(w * residual**2)


def test_the_higher_of_two_maxima_is_taken():
    rng = np.random.default_rng(7)
    v = 10 ** rng.uniform(-2.5, 0, (6000, 6))
    y = rng.normal(0, np.sqrt(v + 0.02))
    x = np.stack([np.ones((6000, 6)), rng.normal(size=(6000, 6))], axis=2)
    fits = regress(y, v, x, test="z")
    several = np.flatnonzero(fits.multimodal)
    assert len(several) >= 3
    for i in several:
        grid = [0.0, *np.geomspace(1e-4, 10, 60)]
        top = _height(y[i], v[i], x[i], fits.tau2[i])
        assert all(_height(y[i], v[i], x[i], t) <= top + 1e-10 for t in grid)
