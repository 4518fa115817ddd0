"""22 magnesium trials (Li 2007): model averaging by exact marginal likelihoods."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes.averaging import average_models
from igfmeta.bayes.mu_priors import NormalMu
from igfmeta.bayes.tau_priors import HalfNormal

CASE = "33_bayes_model_average"


@pytest.fixture
def average(case):
    vi = np.array(case.values["sei"]) ** 2
    return average_models(case.values["yi"], vi, mu_prior=NormalMu(0, 1), tau_prior=HalfNormal(0.5))


def test_marginal_likelihoods_and_probabilities(case, average):
    assert average.log_marginal == pytest.approx(case.values["log_marginal_likelihood"], rel=1e-9)
    assert average.probability == pytest.approx(case.values["posterior_model_probability"], rel=1e-8)


def test_bayes_factors(case, average):
    assert average.inclusion("effect").bf == pytest.approx(62.2467063196047, rel=1e-9)
    assert average.inclusion("heterogeneity").bf == pytest.approx(4452.43250053928, rel=1e-9)
    assert average.bayes_factor("H1c", "H0c") == pytest.approx(case.values["BF10_common"], rel=1e-9)
    assert average.bayes_factor("H1r", "H0r") == pytest.approx(case.values["BF10_random"], rel=1e-9)
    assert average.bayes_factor("H1r", "H1c") == pytest.approx(case.values["BFrf_under_H1"], rel=1e-9)


def test_averaged_mean(case, average):
    # The reference takes the mean under H1r from bayesmeta's grid, good to 1e-6.
    assert average.mu_given_effect.mean == pytest.approx(case.values["mu_mean_model_averaged_given_effect"], abs=1e-6)
