"""Draws that cannot be trusted are named: chains that disagree, too few of them, divergences, slow energy."""

from __future__ import annotations

import json

import arviz as az
import numpy as np
import pytest

from igfmeta.bayes.mcmc.diagnostics import diagnose


def _tree(mu, *, diverging=0, energy=None):
    chains, draws = mu.shape
    flags = np.zeros((chains, draws), dtype=bool)
    flags.flat[:diverging] = True
    energy = np.random.default_rng(9).normal(size=(chains, draws)) if energy is None else energy
    stats = {"diverging": flags, "energy": energy}
    return az.from_dict({"posterior": {"mu": mu}, "sample_stats": stats})


def _good(chains=4, draws=1000):
    return np.random.default_rng(2).normal(size=(chains, draws))


def test_good_draws_have_no_warning():
    found = diagnose(_tree(_good()))
    assert found.trusted
    assert found.rhat < 1.01
    assert min(found.ess_bulk, found.ess_tail) > 400


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (_tree(_good() + np.arange(4)[:, None]), "R-hat of mu is"),
        (_tree(_good(draws=60)), "effective sample size of mu"),
        (_tree(_good(), diverging=3), "3 of 4000 transitions diverged"),
        (_tree(_good(), energy=np.cumsum(_good(), axis=1)), "fraction of missing information is 0."),
        (_tree(_good(chains=1, draws=4000)), "R-hat needs two chains and there is one"),
    ],
)
def test_each_limit_that_is_not_kept_is_said(tree, said):
    found = diagnose(tree)
    assert not found.trusted
    assert any(said in warning for warning in found.warnings)
    json.dumps(found.to_dict(), allow_nan=False)
