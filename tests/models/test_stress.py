"""Eight classes of difficult data sets, a hundred of each: no estimate wrong, loose or failed.

Wrong is off by more than 1e-4, loose by more than 1e-7, of max(tau2, median variance), against 40 digits.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from igfmeta.models.pooling import pool
from igfmeta.models.registry import TAU2_METHODS

_spec = importlib.util.spec_from_file_location("mp_reference", Path(__file__).with_name("mp_reference.py"))
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

SETS = 100
CLASSES = (
    "typical",
    "v about 1e-8",
    "v about 1e4",
    "y + 1e6",
    "one v = 1e-12",
    "all y equal",
    "k = 2",
    "v from 1e-8 to 1e4",
)


def _data(name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    k = 2 if name == "k = 2" else 8
    v = rng.uniform(0.01, 0.5, (SETS, k))
    if name == "v about 1e-8":
        v *= 1e-8
    elif name == "v about 1e4":
        v *= 1e4
    elif name == "one v = 1e-12":
        v[:, 0] = 1e-12
    elif name == "v from 1e-8 to 1e4":
        v = 10 ** rng.uniform(-8, 4, (SETS, k))
    tau2 = np.median(v, axis=1, keepdims=True) * rng.choice([0.0, 0.3, 2.0], (SETS, 1))
    y = rng.normal(0, np.sqrt(v + tau2))
    if name == "y + 1e6":
        y += 1e6
    elif name == "all y equal":
        y[:] = rng.normal(0, 1, (SETS, 1))
    return y, v


#: The likelihood takes a fine scan in 40 digits: every set for REML, fewer for the others, which share its code or are
#: closed forms.
CHECKED = {"REML": SETS, "ML": 20, "PM": 50, "EB": 20, "PMM": 20}


@pytest.mark.parametrize("name", CLASSES)
def test_every_estimator_on_every_class(name):
    y, v = _data(name, np.random.default_rng(CLASSES.index(name)))
    for method in (m for m in TAU2_METHODS if m != "CE"):
        fits = pool(y, v, method=method, tau2_ci="none")
        assert fits.converged.all(), method
        assert np.isfinite(fits.estimate).all(), method
        for i in range(CHECKED.get(method, SETS)):
            exact = reference.tau2(y[i], v[i], method)
            scale = max(float(exact), float(np.median(v[i])))
            assert abs(fits.tau2[i] - float(exact)) <= 1e-7 * scale, (method, i, fits.tau2[i], float(exact))


def test_q_profile_limits_on_typical_sets():
    y, v = _data("typical", np.random.default_rng(11))
    fits = pool(y, v)
    for i in range(20):
        yi, vi = [reference.mp.mpf(x) for x in y[i].tolist()], [reference.mp.mpf(x) for x in v[i].tolist()]
        for limit, p in ((fits.tau2_ci_lower[i], 0.975), (fits.tau2_ci_upper[i], 0.025)):
            df = len(yi) - 1
            target = reference.mp.findroot(
                lambda x, df=df, p=p: reference.mp.gammainc(reference.mp.mpf(df) / 2, 0, x / 2, regularized=True) - p,
                df * (2 if p > 0.5 else 0.3),
            )
            assert limit == pytest.approx(float(reference.q_root(yi, vi, target)), rel=1e-9, abs=1e-15)


def test_the_higher_of_two_maxima_is_taken():
    # Sets with two maxima are rare: about one in a thousand of these.
    rng = np.random.default_rng(7)
    v = 10 ** rng.uniform(-2.5, 0, (6000, 6))
    y = rng.normal(0, np.sqrt(v + 0.02))
    fits = pool(y, v, tau2_ci="none")
    found = np.flatnonzero(fits.multimodal)
    assert len(found) >= 3
    for i in found[:10]:
        exact = reference.tau2(y[i], v[i], "REML")
        assert fits.tau2[i] == pytest.approx(float(exact), rel=1e-9, abs=1e-12)
