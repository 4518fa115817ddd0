"""Coated catheters (Niël-Weise 2008, metadat::dat.nielweise2008), infections per catheter day, against metafor 3.8.

The calls: rma.mh(measure, x1i, t1i, x2i, t2i), rma.glmm(measure = "IRR", ...), rma.glmm(measure = "IRLN", xi = x1i,
ti = t1i), escalc. Stijnen, Hamza & Ozdemir 2010, Stat Med 29:3046, section 6.
"""

from __future__ import annotations

import pandas as pd
import pytest

import igfmeta as im

COLUMNS = {"events1": "x1", "time1": "t1", "events2": "x2", "time2": "t2"}


@pytest.fixture
def catheters():
    rows = [(7, 1344, 11, 1988), (8, 1600, 8, 1461), (3, 12012, 14, 10962), (6, 1536, 10, 1503), (1, 370, 1, 483),
            (1, 729, 8, 913), (17, 6760, 15, 6840), (3, 1107, 7, 1015), (2, 320, 3, 440)]  # fmt: skip
    return pd.DataFrame(rows, columns=["x1", "t1", "x2", "t2"])


def _details(result):
    return {detail.key: detail for detail in result.details}


@pytest.mark.parametrize(
    ("measure", "estimate", "se", "q"),
    [
        ("IRR", -0.4151752334922758, 0.1834392084905383, 9.8652024464622237),
        ("IRD", -0.000992500060138465, 0.000435568699265958, 7.953188277835820941),
    ],
)
def test_mantel_haenszel(catheters, measure, estimate, se, q):
    result = im.fit_with("mh", catheters, **COLUMNS, measure=measure)
    assert result.fit.estimate == pytest.approx(estimate, rel=1e-10)
    assert result.fit.se == pytest.approx(se, rel=1e-10)
    assert result.fit.q == pytest.approx(q, rel=1e-10)
    assert _details(result)["cmh"].value == pytest.approx(4.7950481686629924, rel=1e-10)


@pytest.mark.parametrize(
    ("measure", "estimate", "se", "tau2"),
    [
        ("IR", 2.6929723908389e-03, 7.8376748119638e-04, 3.0517665716511e-06),
        ("IRLN", -5.91305669028260, 0.28957538998673, 0.45412425366818),
        ("IRS", 0.05249063283495036, 0.00928205248484400, 0.00055013907105652),
    ],
)
def test_inverse_variance_of_one_arm(catheters, measure, estimate, se, tau2):
    methods = im.Methods(method="DL", ci="z")
    result = im.fit(catheters, events="x1", time="t1", measure=measure, methods=methods)
    assert (result.fit.estimate, result.fit.se) == (pytest.approx(estimate, rel=1e-10), pytest.approx(se, rel=1e-10))
    assert result.fit.tau2 == pytest.approx(tau2, rel=1e-10)
    assert 0 < result.natural(result.fit.estimate) < 0.01


def test_inverse_variance_of_two_arms(catheters):
    result = im.fit(catheters, **COLUMNS, measure="IRR")
    assert result.fit.estimate == pytest.approx(-0.396259050698896, rel=1e-8)
    assert result.fit.se == pytest.approx(0.220952924031046, rel=1e-8)
    assert result.fit.tau2 == pytest.approx(0.093607805239283, rel=1e-7)


@pytest.mark.parametrize(
    ("variant", "estimate", "se", "tau2"),
    [("CM.EL", -0.476239431396, 0.237700427557, 0.122561383404), ("UM.FS", -0.458744538668, 0.224826543185,
      0.095621655032), ("UM.RS", -0.4675520458408, 0.2233353579440, 0.0912369348061)],
)  # fmt: skip
def test_mixed_models(catheters, variant, estimate, se, tau2):
    """lme4's optimizer leaves 4 digits; UM.RS is by Laplace's approximation there and by quadrature here."""
    result = im.fit_with("glmm", catheters, **COLUMNS, measure="IRR", variant=variant)
    far = {"CM.EL": 1e-4, "UM.FS": 1e-4, "UM.RS": 0.02}[variant]
    assert result.fit.estimate == pytest.approx(estimate, rel=far)
    assert result.fit.se == pytest.approx(se, rel=far)
    assert result.fit.tau2 == pytest.approx(tau2, rel=6 * far)
    assert _details(result)["gradient"].value < 1e-6


def test_poisson_normal_rate_of_one_arm(catheters):
    result = im.fit_with("glmm", catheters, events="x1", time="t1", measure="IRLN")
    assert result.fit.estimate == pytest.approx(-6.058351321908, rel=1e-4)
    assert result.fit.se == pytest.approx(0.330264656110, rel=1e-4)
    assert result.fit.tau2 == pytest.approx(0.654291869222, rel=4e-4)  # lme4 has 7 nodes
    assert result.fit.i2 == pytest.approx(75.836984565332, rel=1e-4)
    assert result.fit.q == pytest.approx(44.487795674114, rel=1e-9)


def test_poisson_regression_by_statsmodels(catheters):
    result = im.fit_with("logistic", catheters, **COLUMNS, measure="IRR")
    own = im.fit_with("glmm", catheters, **COLUMNS, measure="IRR", variant="UM.FS", method="CE")
    assert own.fit.estimate == pytest.approx(result.fit.estimate, rel=1e-8)
    assert own.fit.se == pytest.approx(result.fit.se, rel=1e-7)
    assert own.fit.q == pytest.approx(result.fit.q, rel=1e-8)
