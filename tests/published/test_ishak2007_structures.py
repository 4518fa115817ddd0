"""Deep-brain stimulation (Ishak 2007): four times, autocorrelated sampling errors, every covariance structure."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.sampling_covariance import autocorrelated_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.terms import parse

CASE = "ishak2007_structures"


@pytest.mark.parametrize("struct", ["ID", "DIAG", "CS", "HCS", "AR", "HAR", "CAR", "UN"])
def test_structure(case, struct):
    columns = {name: case.data[name].tolist() for name in ("study", "time")}
    time = case.column("time")
    v = autocorrelated_covariance(case.column("vi"), columns["study"], time, phi=0.97)
    x = np.column_stack([time == t for t in (1, 2, 3, 4)]).astype(float)
    terms = parse("~ time | study", columns, struct=struct)
    fit = fit_multilevel(case.column("yi"), v, terms, x=x, test="z", intervals=False)
    expected = case.values[struct]
    # A higher likelihood is right: the reference stops up to 1e-9 short.
    assert -1e-11 < fit.log_likelihood - expected["logLik"] < 1e-8
    np.testing.assert_allclose(fit.coef, expected["est"], rtol=2e-6)
    np.testing.assert_allclose(fit.se, expected["se"], rtol=2e-6)
    variances = np.unique([c.estimate for c in fit.components if c.kind == "variance"])
    np.testing.assert_allclose(variances, np.unique(expected["tau2"]), rtol=2e-5)
    correlations = [c.estimate for c in fit.components if c.kind == "correlation"]
    if correlations:
        np.testing.assert_allclose(correlations, np.atleast_1d(expected["rho"])[_order(struct)], rtol=1e-5)
    assert fit.certificate.converged


def _order(struct):
    """The reference lists pairs column by column, we row by row."""
    return [0, 1, 3, 2, 4, 5] if struct == "UN" else slice(None)
