"""The binomial hierarchy in PyMC: its prior is that of the kernels, its posterior that of the exact route."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes.components import Kernels, class_by_tumor, default_priors, zero_sum
from igfmeta.bayes.mcmc.effects import contrasts, crossed_effects, loadings
from igfmeta.bayes.mcmc.sampling import load_pymc
from igfmeta.bayes.tau_priors import HalfCauchy, HalfT
from igfmeta.errors import InputError

CLASSES, TUMORS, AGENTS = [0, 0, 0, 1, 1, 0, 1, 0], [0, 1, 2, 0, 1, 0, 0, 1], [0, 0, 1, 2, 2, 1, 3, 0]
TRIALS = [0, 1, 2, 3, 4, 5, 5, 6]


def _factors(**priors):
    priors = {**default_priors(rates=True), **priors}
    return class_by_tumor(CLASSES, TUMORS, AGENTS, n_classes=2, n_tumors=3, priors=priors, studies=TRIALS)


@pytest.mark.parametrize("levels", [2, 3, 7])
def test_contrasts_give_zero_sum_effects(levels):
    q = contrasts(levels)
    np.testing.assert_allclose(q @ q.T, zero_sum(levels), atol=1e-14)


def test_the_prior_covariance_of_studies_and_cells_is_that_of_the_kernels():
    factors = _factors()
    kernels = Kernels.of(factors, 6)
    for f, studies, cross, cells in zip(factors, kernels.studies, kernels.cross, kernels.cells, strict=True):
        of_studies = loadings(f, f.studies)
        of_cells = np.zeros((6, of_studies.shape[1])) if f.cells is None else loadings(f, f.cells)
        np.testing.assert_allclose(of_studies @ of_studies.T, studies, atol=1e-14)
        np.testing.assert_allclose(of_cells @ of_studies.T, cross, atol=1e-14)
        np.testing.assert_allclose(of_cells @ of_cells.T, cells, atol=1e-14)


def test_the_model_in_pymc_has_that_prior_covariance():
    """Given standard deviations, theta and the cells are linear in normals: their Jacobian gives the covariance."""
    factors, weights = _factors(), np.concatenate([np.eye(6), np.full((1, 6), 1 / 6)])
    pm = load_pymc()
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2.5)
        crossed_effects(factors, weights, mu)
    sds = np.linspace(0.2, 1.0, len(factors))
    normals = ["mu", *(f"z_{f.name}" for f in factors)]
    outputs = model.replace_rvs_by_values([model["theta"], model["cells"]])
    function = model.compile_fn(outputs, inputs=model.value_vars, point_fn=True)
    logs = {f"sd_{f.name}_log__": np.log(sd) for f, sd in zip(factors, sds, strict=True)}
    start = {**model.initial_point(), **logs, "mu": 0.0}
    zero = {**start, **{name: np.zeros_like(start[name]) for name in normals}}
    columns = []
    for name in normals:
        for i in range(np.size(zero[name])):
            one = np.zeros(np.size(zero[name]))
            one[i] = 2.5 if name == "mu" else 1.0
            columns.append(np.concatenate(function({**zero, name: one.reshape(np.shape(zero[name]))})))
    jacobian = np.stack(columns, axis=1)
    kernels = Kernels.of(factors, 6).combined(weights)
    studies = np.tensordot(sds**2, kernels.studies, axes=1) + 2.5**2
    cross = np.tensordot(sds**2, kernels.cross, axes=1) + 2.5**2 * kernels.ones[:, None]
    cells = np.tensordot(sds**2, kernels.cells, axes=1) + 2.5**2 * np.outer(kernels.ones, kernels.ones)
    np.testing.assert_allclose(jacobian @ jacobian.T, np.block([[studies, cross.T], [cross, cells]]), atol=1e-12)


@pytest.mark.parametrize("prior", [HalfT(0.3, 4), HalfCauchy(0.3)])
def test_standard_deviations_have_the_prior_of_their_factor(prior):
    pm = load_pymc()
    factors = _factors(agent=prior)
    with pm.Model() as model:
        crossed_effects(factors, np.eye(6), pm.Normal("mu", 0, 2.5))
    at = np.array([0.05, 0.4, 2.0])
    found = pm.logp(model["sd_agent"], at).eval()
    np.testing.assert_allclose(found, prior.log_density(at, np.ones((1, 1))), atol=1e-7)


def test_study_effects_that_are_not_known_are_refused():
    pm = load_pymc()
    with pm.Model(), pytest.raises(InputError, match="study_effects was 'cauchy'; accepted are normal, t or mixture"):
        crossed_effects(_factors(), np.eye(6), pm.Normal("mu", 0, 2.5), study_effects="cauchy")
