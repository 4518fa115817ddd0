"""Selection models: likelihoods against direct integration, gradients, simulated selection, what is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special, stats

from igfmeta.errors import InputError
from igfmeta.models.bias.copas import copas
from igfmeta.models.bias.funnel import funnel
from igfmeta.models.bias.selection.likelihood import Studies, continuous_likelihood, step_likelihood
from igfmeta.models.bias.selection.model import selection_model
from igfmeta.models.bias.selection.registry import WEIGHTS

CASES = Path(__file__).parents[2] / "published" / "cases"
Y, V = np.array([0.5, 0.1, -0.2, 0.9]), np.array([0.04, 0.09, 0.02, 0.3])
DELTA = {"beta": (0.6, 2.5)}

#: Where weights have a kink or a jump, in units of the standard error: p of 1e-5, 1 - 1e-5, 0.05, one- and two-sided.
KINKS = [abs(stats.norm.ppf(p)) for p in (1e-5, 5e-6, (1 - 1e-5) / 2, 0.025, 0.05)]


def _studies(two_sided, precise=False):
    return Studies(Y, V, two_sided, np.sqrt(V / V.max()) if precise else np.ones(4))


def _by_quad(weight, two_sided, mu, tau2):
    """The log-likelihood by adaptive integration over y."""
    total = 0.0
    for i, (y, v) in enumerate(zip(Y, V, strict=True)):
        s, sd = np.sqrt(v), np.sqrt(v + tau2)

        def w(x, s=s, i=i):
            z = x / s
            return weight(2 * special.ndtr(-abs(z)) if two_sided else special.ndtr(-z), i)

        kinks = sorted({0.0, *(sign * k * s for k in KINKS for sign in (-1, 1))})
        ends = [mu - 12 * sd, *[k for k in kinks if abs(k - mu) < 12 * sd], mu + 12 * sd]
        a = sum(
            integrate.quad(
                lambda x, sd=sd, w=w: w(x) * stats.norm.pdf(x, mu, sd), low, high, epsabs=1e-14, epsrel=1e-12
            )[0]
            for low, high in pairwise(ends)
        )
        total += np.log(w(y)) + stats.norm.logpdf(y, mu, sd) - np.log(a)
    return total


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("precise", [False, True])
def test_smooth_likelihoods_are_what_direct_integration_gives(kind, two_sided, precise):
    shape, delta = WEIGHTS[kind], np.array(DELTA.get(kind, (3.0,)))
    data = _studies(two_sided, precise and shape.takes_precision)

    def weight(p, i):
        p = np.clip(p, shape.smallest_p, 1 - shape.smallest_p)
        return float(np.exp(shape.log_weight(np.array(p), delta, data.precision[i])[0]))

    value, _ = continuous_likelihood(data, shape)(np.concatenate([[0.2, 0.1], delta]))
    assert value == pytest.approx(_by_quad(weight, two_sided, 0.2, 0.1), abs=1e-8)


@pytest.mark.parametrize("two_sided", [False, True])
def test_the_step_likelihood_is_what_direct_integration_gives(two_sided):
    cuts, w = np.array([0.05]), np.array([1.0, 0.4])
    value, _ = step_likelihood(_studies(two_sided), cuts)(np.array([0.2, 0.1, 0.4]))
    direct = _by_quad(lambda p, _: float(w[int(p > 0.05)]), two_sided, 0.2, 0.1)
    assert value == pytest.approx(direct, abs=1e-8)


@pytest.mark.parametrize("kind", ["step", *WEIGHTS])
@pytest.mark.parametrize("two_sided", [False, True])
def test_gradients_are_slopes(kind, two_sided):
    data = _studies(two_sided, precise=kind not in ("step", "beta"))
    f = step_likelihood(data, np.array([0.05, 0.5])) if kind == "step" else continuous_likelihood(data, WEIGHTS[kind])
    delta = (0.5, 0.8) if kind == "step" else DELTA.get(kind, (2.0,))
    theta = np.array([0.2, 0.1, *delta])
    value, gradient = f(theta)
    for j in range(len(theta)):
        h = 1e-5 * np.eye(len(theta))[j]
        slope = (f(theta + h)[0] - f(theta - h)[0]) / 2e-5
        assert gradient[j] == pytest.approx(slope, rel=1e-6, abs=1e-7)
    assert np.isfinite(value)


def test_equal_weights_are_no_selection():
    data = funnel(Y, V)
    found = selection_model(data, weights=[2, 2])
    assert found.log_likelihood == pytest.approx(found.log_likelihood_none, abs=1e-10)
    assert found.lrt == pytest.approx(0, abs=1e-9)
    assert found.lrt_p_value is None


def test_turning_the_effects_round_with_the_alternative_changes_the_sign():
    a = selection_model(funnel(Y, V), "negative-exponential", alternative="greater")
    b = selection_model(funnel(-Y, V), "negative-exponential", alternative="less")
    assert b.estimate == pytest.approx(-a.estimate, rel=1e-6)
    assert b.log_likelihood == pytest.approx(a.log_likelihood, abs=1e-9)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_nothing_depends_on_the_unit(scale):
    a, b = (selection_model(funnel(c * Y, c * c * V)) for c in (1.0, scale))
    assert b.estimate == pytest.approx(scale * a.estimate, rel=1e-7)
    assert b.tau2 == pytest.approx(scale**2 * a.tau2, rel=1e-6, abs=1e-12 * scale**2)
    assert b.lrt == pytest.approx(a.lrt, abs=1e-8)


def test_selection_that_was_simulated_is_found_again():
    rng = np.random.default_rng(11)
    v = rng.uniform(0.005, 0.2, 6000)
    y = rng.normal(0.2, np.sqrt(v + 0.02))
    seen = (special.ndtr(-y / np.sqrt(v)) < 0.025) | (rng.random(6000) < 0.25)
    found = selection_model(funnel(y[seen], v[seen]))
    naive = float(np.average(y[seen], weights=1 / (v[seen] + 0.02)))
    assert abs(found.estimate - 0.2) < 3 * found.se
    assert abs(naive - 0.2) > 5 * found.se
    assert abs(found.delta[1] - 0.25) < 3 * found.se_delta[1]
    assert found.lrt_p_value is not None
    assert found.lrt_p_value < 1e-6


def test_weights_that_no_study_informs_are_said_to_be_uncertain():
    """Every effect is far beyond chance: all p-values are 0 and the weight function says nothing."""
    found = selection_model(funnel([5.0, 5.1, 4.9, 5.2], [0.01, 0.02, 0.03, 0.02]), "half-normal")
    assert not found.converged
    assert np.isnan(found.se)
    assert found.estimate == pytest.approx(5.03, abs=0.05)


def test_copas_without_selection_is_maximum_likelihood():
    from igfmeta.models.pooling import pool_one

    rng = np.random.default_rng(12)
    v = rng.uniform(0.01, 0.3, 20)
    y = rng.normal(0.3, np.sqrt(v + 0.05))
    step = copas(funnel(y, v), chances=[0.9999999]).steps[0]
    assert step.unpublished == pytest.approx(20 * (1 / 0.99 - 1), rel=1e-6)
    fit = pool_one(y, v, method="ML")
    assert step.estimate == pytest.approx(fit.estimate, abs=0.05)


def test_copas_finds_the_highest_likelihood_with_a_slope_wherever_rho_is():
    # Passive smoking: from the maximum without a slope, where rho is 0.83, searches end at a lower one (p = 0.040).
    table = pd.read_csv(CASES / "data" / "18_hackshaw1998_egger_begg.csv")
    y, s = table.yi.to_numpy(), np.sqrt(table.vi.to_numpy())
    step = copas(funnel(y, s**2), chances=[0.7]).steps[0]
    u = step.gamma0 + step.gamma1 / s
    ratio = stats.norm.pdf(u) / stats.norm.cdf(u)

    def log_likelihood(mu, tau2, rho, slope):
        """Copas & Shi 2001, eq. 3.8, effects with mean mu + slope se."""
        sigma2 = s**2 / (1 - rho**2 * ratio * (u + ratio))
        error, r = y - mu - slope * s, rho * np.sqrt(sigma2 / (tau2 + sigma2))
        x = (u + r * error / np.sqrt(tau2 + sigma2)) / np.sqrt(1 - r**2)
        return np.sum(stats.norm.logpdf(error, 0, np.sqrt(tau2 + sigma2)) - stats.norm.logcdf(u) + stats.norm.logcdf(x))

    gain = 2 * (log_likelihood(-0.06898, 0.0, -0.9999, 1.59045) - log_likelihood(step.estimate, step.tau2, step.rho, 0))
    assert stats.chi2.sf(gain, 1) == pytest.approx(0.024978, abs=1e-6)
    assert step.residual_p_value <= stats.chi2.sf(gain, 1) * (1 + 1e-9)


def test_copas_pulls_towards_no_effect_what_small_studies_drive():
    rng = np.random.default_rng(13)
    v = rng.uniform(0.01, 0.4, 25)
    found = copas(funnel(0.1 + 1.2 * np.sqrt(v) + rng.normal(0, 0.05, 25), v), chances=[0.99, 0.5, 0.2])
    estimates = [step.estimate for step in found.steps]
    assert estimates[0] > estimates[1] > estimates[2]
    assert [step.unpublished for step in found.steps] == sorted(step.unpublished for step in found.steps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "spline"}, "kind was 'spline'"),
        ({"steps": []}, "steps was"),
        ({"steps": [0.5, 0.05]}, "steps was"),
        ({"steps": [-0.1]}, "steps was"),
        ({"weights": [1, 2, 3]}, "2 numbers above 0"),
        ({"weights": [1, 0]}, "2 numbers above 0"),
        ({"kind": "beta", "weights": [1, 2]}, "they are of the step function"),
        ({"precision": "sei"}, "do not take it"),
        ({"precision": "size"}, "precision was 'size'"),
        ({"alternative": "up"}, "alternative was 'up'"),
        ({"steps": [1e-9]}, "No study has a p-value in"),
        ({"level": 95}, "level was 95"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(options, message):
    with pytest.raises(InputError, match=message):
        selection_model(funnel(Y, V), **options)


def test_copas_refuses_studies_of_one_precision_and_chances_that_are_none():
    with pytest.raises(InputError, match="equally precise"):
        copas(funnel(Y, np.full(4, 0.1)))
    with pytest.raises(InputError, match="chances was"):
        copas(funnel(Y, V), chances=[2])
