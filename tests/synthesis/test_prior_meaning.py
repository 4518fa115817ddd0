"""What priors mean before any data: against integrals, and against draws from the very model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import igfmeta as im
from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors
from igfmeta.bayes.tau_priors import HalfNormal, HalfT
from igfmeta.synthesis.prior_meaning import prior_meaning


def test_a_factor_is_the_quantile_of_the_difference_of_two_effects():
    prior = HalfT(0.3, 4)
    found = next(c for c in prior_meaning({"agent": prior}) if c.prior == "half-t(0.3, 4)")
    for p, factor in ((0.5, found.factor_50), (0.95, found.factor_95)):
        x = np.log(factor)

        def inside(sd, x=x):
            return (2 * stats.norm.cdf(x / (np.sqrt(2) * sd)) - 1) * 2 * stats.t.pdf(sd / 0.3, 4) / 0.3

        assert integrate.quad(inside, 0, np.inf, limit=200)[0] == pytest.approx(p, abs=1e-3)


def test_two_studies_that_share_nothing_differ_as_the_kernels_of_the_model_say():
    factors = class_by_tumor([0, 1], [0, 1], [0, 1], n_classes=2, n_tumors=2, priors=default_priors())
    factors += class_by_tumor([0, 0], [0, 0], [0, 1], n_classes=1, n_tumors=1, priors=default_priors())[:1]
    kernels = {f.name: k for f, k in zip(factors, Kernels.of(factors, 4).studies, strict=False)}
    unlike = {name: k[0, 0] + k[1, 1] - 2 * k[0, 1] for name, k in kernels.items()}
    assert unlike["class"] == pytest.approx(2)
    assert unlike["tumor"] == pytest.approx(2)
    assert unlike["study"] == pytest.approx(2)
    every = prior_meaning()[-1]
    scales = [prior.scale for prior in default_priors().values()]
    variance = float(every.difference.moments()[1][0] ** 2)
    assert variance == pytest.approx(2 * sum(scale**2 for scale in scales), rel=0.01)


def test_narrower_priors_mean_smaller_factors():
    wide, narrow = (prior_meaning({"tumor": HalfNormal(scale)})[1].factor_95 for scale in (0.3, 0.1))
    assert 1 < narrow < wide
    assert prior_meaning(rates=True)[1].factor_95 > wide


def test_the_page_on_priors_says_what_they_mean():
    page = (Path(__file__).parents[2] / "docs" / "priors.md").read_text(encoding="utf-8")
    heavy = prior_meaning({name: HalfT(prior.scale, 4) for name, prior in default_priors().items()})
    for own, other in zip(prior_meaning(), heavy, strict=True):
        assert (
            f"| {own.name} | {own.prior} | {own.factor_95:.1f} ({own.factor_50:.2f}) | {other.factor_95:.1f} (" in page
        )
    for own in prior_meaning(rates=True):
        assert f"| {own.name} | {own.prior} | {own.factor_95:.1f} ({own.factor_50:.2f}) |" in page


def test_a_component_that_does_not_exist():
    with pytest.raises(im.InputError, match="There is no component phase"):
        prior_meaning({"phase": HalfNormal(0.1)})
