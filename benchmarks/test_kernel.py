"""The kernel under pytest-benchmark: `pytest --benchmark-only benchmarks`. Nothing here asserts on time."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.models.deletion import leave_one_out
from igfmeta.models.pooling import pool, pool_one
from igfmeta.models.registry import TAU2_METHODS


def _data(*shape):
    rng = np.random.default_rng(20261124)
    v = rng.uniform(0.01, 0.4, shape)
    return rng.normal(0, np.sqrt(v + 0.05)), v


@pytest.mark.parametrize("method", TAU2_METHODS)
def test_ten_thousand_fits(benchmark, method):
    y, v = _data(10_000, 10)
    fits = benchmark(lambda: pool(y, v, method=method, tau2_ci="none"))
    assert fits.converged.all()


@pytest.mark.parametrize("k", [13, 1000])
def test_one_fit(benchmark, k):
    y, v = _data(k)
    assert benchmark(lambda: pool_one(y, v)).k == k


def test_leave_one_out(benchmark):
    y, v = _data(13)
    assert len(benchmark(lambda: leave_one_out(y, v))) == 13


def test_posterior(benchmark):
    y, v = _data(13)
    assert benchmark(lambda: normal_normal_one(y, v)).accuracy < 1e-9
