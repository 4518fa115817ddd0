"""Historical placebo arms (Baeten 2013): the predictive distribution of a new control arm, on the logit scale."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes.map_prior import exact
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.effects.one_arm import one_arm
from igfmeta.effects.scales import natural

CASE = "35_map_prior_baeten2013"
P = (0.025, 0.25, 0.5, 0.75, 0.975)


def test_logits(case):
    effects = one_arm(case.data["events"].to_numpy(), case.data["total"].to_numpy(), measure="PLO")
    np.testing.assert_allclose(effects.yi, case.values["yi"], rtol=1e-10)
    np.testing.assert_allclose(np.sqrt(effects.vi), case.values["sei"], rtol=1e-10)


def test_predictive_quantiles(case):
    fit = normal_normal_one(case.values["yi"], np.array(case.values["sei"]) ** 2, tau_prior=HalfNormal(1))
    ours = [fit.predictive_quantile(p) for p in P]
    assert ours == pytest.approx(case.values["predictive_quantiles_logit"], abs=5e-5)
    assert list(natural("PLO", ours)) == pytest.approx(case.values["predictive_quantiles_prob"], abs=1e-5)


def test_tau(case):
    fit = normal_normal_one(case.values["yi"], np.array(case.values["sei"]) ** 2, tau_prior=HalfNormal(1))
    expected = case.values["summary"]["tau"]
    assert [fit.tau_median, fit.tau_mean] == pytest.approx([expected["median"], expected["mean"]], rel=1e-9)


def test_effective_sample_size(case):
    # The reference integrates on its grid of tau: good to 4 digits.
    fit = normal_normal_one(case.values["yi"], np.array(case.values["sei"]) ** 2, tau_prior=HalfNormal(1))
    assert exact(fit).effective_size(case.values["uisd"]) == pytest.approx(case.values["ess"], rel=1e-4)
