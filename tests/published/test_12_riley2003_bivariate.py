"""MYC-N in neuroblastoma (Riley 2003): OS and DFS jointly, the correlation of sampling errors assumed."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse

CASE = "12_riley2003_os_dfs"


def _fit(case, rho, **options):
    columns = {name: case.data[name].tolist() for name in ("study", "outcome")}
    v = assumed_covariance(case.column("vi"), columns["study"], rho=rho)
    x = np.column_stack([case.data["outcome"] == name for name in ("DFS", "OS")]).astype(float)
    terms = parse("~ outcome | study", columns, struct="UN")
    return fit_multilevel(case.column("yi"), v, terms, x=x, names=["DFS", "OS"], test="z", **options)


@pytest.mark.parametrize(("rho", "name"), [(0.0, "biv_rho0"), (0.5, "biv_rho05"), (0.8, "biv_rho08")])
def test_bivariate(case, rho, name):
    fit, expected = _fit(case, rho, intervals=False), case.values[name]
    np.testing.assert_allclose(fit.coef, expected["est"], rtol=1e-8)
    np.testing.assert_allclose(fit.se, expected["se"], rtol=2e-8)
    np.testing.assert_allclose(fit.p_value, expected["pval"], rtol=5e-6)
    np.testing.assert_allclose(np.diag(fit.matrices[0]), expected["tau2"], rtol=1e-7)
    assert fit.qe == pytest.approx(expected["QE"], rel=1e-12)
    assert fit.qm.statistic == pytest.approx(expected["QM"], rel=1e-7)
    # The reference's search stops short of the top, never beyond it.
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-10)
    assert fit.certificate.converged
    assert fit.certificate.gradient < 1e-8


def test_the_correlation_between_studies_is_at_its_limit_unless_that_within_is_high(case):
    assert _fit(case, 0.5, intervals=False).certificate.boundary
    inside = _fit(case, 0.8, intervals=False)
    assert not inside.certificate.boundary
    correlation = inside.components[2]
    assert correlation.kind == "correlation"
    assert correlation.estimate == pytest.approx(case.values["biv_rho08"]["rho_between"], abs=1e-7)


def test_difference_of_the_outcomes(case):
    fit, expected = _fit(case, 0.5, intervals=False), case.values["diff_OS_minus_DFS_rho05"]
    contrast = np.array([-1.0, 1.0])
    assert contrast @ fit.coef == pytest.approx(expected["est"], rel=1e-7)
    assert np.sqrt(contrast @ fit.vcov @ contrast) == pytest.approx(expected["se"], rel=1e-7)


def test_the_interval_of_a_correlation_at_its_limit_ends_there(case):
    correlation = _fit(case, 0.5).components[2]
    assert correlation.ci_upper == pytest.approx(1.0, abs=1e-12)
    assert 0 < correlation.ci_lower < 1
