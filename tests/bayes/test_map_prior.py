"""The prior that past studies make: what it is worth, its fit by a few normals, its robust form."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes.map_prior import MapPrior, exact, fit_map_prior
from igfmeta.bayes.posterior import normal_normal_one
from igfmeta.bayes.tau_priors import HalfNormal
from igfmeta.errors import InputError

Y, V = [-1.3, -1.0, -0.5, -1.2, -0.9], [0.06, 0.11, 0.08, 0.14, 0.04]


@pytest.fixture(scope="module")
def posterior():
    return normal_normal_one(Y, V, tau_prior=HalfNormal(1))


def test_one_normal_is_worth_its_variance_in_patients():
    prior = MapPrior(np.ones(1), np.zeros(1), np.full(1, 0.5))
    assert prior.effective_size(2.0) == pytest.approx(2.0**2 / 0.5**2, rel=1e-9)


def test_the_fit_gets_nearer_with_every_component(posterior):
    x = np.linspace(-2.5, 0.5, 61)
    whole = exact(posterior).density(x)
    fits = [fit_map_prior(posterior, components=n) for n in (1, 2, 3, 4, 5)]
    off = [np.abs(fit.density(x) - whole).max() / whole.max() for fit in fits]
    assert sorted(off, reverse=True) == off
    assert off[2] < 0.03
    assert off[4] < 0.005
    divergences = [fit.divergence for fit in fits]
    assert sorted(divergences, reverse=True) == divergences
    assert fits[2].weights.sum() == pytest.approx(1)
    assert sorted(fits[2].weights, reverse=True) == list(fits[2].weights)


def test_one_component_has_the_moments_of_the_predictive_distribution(posterior):
    whole, one = exact(posterior), fit_map_prior(posterior, components=1)
    mean = whole.weights @ whole.means
    assert one.means[0] == pytest.approx(mean, abs=1e-9)
    variance = whole.weights @ (whole.sds**2 + (whole.means - mean) ** 2)
    assert one.sds[0] ** 2 == pytest.approx(variance, rel=1e-5)


def test_a_robust_prior_is_worth_less_and_has_heavier_tails(posterior):
    prior = fit_map_prior(posterior)
    robust = prior.robust(0.2, -1.0, 2.35)
    assert robust.effective_size(2.35) < prior.effective_size(2.35)
    assert robust.density([3.0])[0] > prior.density([3.0])[0]
    assert robust.weights[-1] == 0.2


@pytest.mark.parametrize("components", [0, 7, 2.0, True])
def test_components_that_cannot_be(posterior, components):
    with pytest.raises(InputError, match="from 1 to 6"):
        fit_map_prior(posterior, components=components)


def test_options_that_cannot_be(posterior):
    prior = fit_map_prior(posterior)
    with pytest.raises(InputError, match="weight was 1"):
        prior.robust(1, 0.0, 1.0)
    with pytest.raises(InputError, match="unit_sd was 0"):
        prior.effective_size(0)
