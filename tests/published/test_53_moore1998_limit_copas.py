"""NSAIDs against placebo (Moore et al. 1998): limit meta-analysis and Copas model, with `lm` and `optim` of R."""

from __future__ import annotations

import pytest

from igfmeta.effects.two_arm import two_arm
from igfmeta.models.bias.copas import copas
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.limit import limit_meta

CASE = "53_moore1998_limit_copas"


@pytest.fixture
def trials(case):
    effects = two_arm(*(case.column(name) for name in ("events1", "n1", "events2", "n2")), measure="OR")
    return funnel(effects.yi, effects.vi)


@pytest.mark.parametrize("method", ["REML", "DL"])
def test_limit_meta_analysis(case, trials, method):
    found = limit_meta(trials, method=method)
    ours = [found.adjusted.estimate, found.adjusted.se, found.intercept, found.slope, found.q, found.q_small,
            found.q_residual, found.g2]  # fmt: skip
    assert ours == pytest.approx(case.values[f"limit {method}"], rel=1e-10)


def test_copas_model_where_small_studies_are_rarely_published(case, trials):
    for step in copas(trials, chances=[0.3, 0.1]).steps:
        mu, tau, rho, plain, sloped, unpublished = case.values[f"copas {step.chance:g}"]
        assert [step.estimate, step.tau2**0.5, step.rho] == pytest.approx([mu, tau, rho], rel=1e-5)
        assert step.unpublished == pytest.approx(unpublished, rel=1e-10)
        gain = 2 * (sloped - plain)
        assert step.residual_p_value == pytest.approx(_upper(gain), rel=1e-5)


def _upper(x):
    from scipy import stats

    return float(stats.chi2.sf(x, 1))
