"""Periodontal surgery (Berkey 1998): two outcomes of five trials, sampling covariances known."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.models.multilevel.fitting import fit_multilevel
from igfmeta.models.multilevel.results import likelihood_ratio
from igfmeta.models.multilevel.terms import parse

CASE = "berkey1998_bivariate"


def _fit(case, struct="UN", year=False, **options):
    data = case.data
    v = np.zeros((len(data), len(data)))
    for rows in data.groupby("trial").indices.values():
        v[np.ix_(rows, rows)] = data[["v1i", "v2i"]].to_numpy()[rows]
    x = np.column_stack([data["outcome"] == name for name in ("AL", "PD")]).astype(float)
    names = ["AL", "PD"]
    if year:
        x = np.column_stack([x, x * (case.column("year") - 1983)[:, None]])
        names += ["AL:year", "PD:year"]
    columns = {name: data[name].tolist() for name in ("trial", "outcome")}
    terms = parse("~ outcome | trial", columns, struct=struct)
    return fit_multilevel(case.column("yi"), v, terms, x=x, names=names, **{"test": "z", **options})


def _check(fit, expected):
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-10)
    np.testing.assert_allclose(fit.coef, expected["est"], rtol=2e-7, atol=1e-9)
    np.testing.assert_allclose(fit.se, expected["se"], rtol=2e-7)
    np.testing.assert_allclose(fit.vcov, expected["vcov"], rtol=5e-7)
    np.testing.assert_allclose(np.diag(fit.matrices[0]), expected["tau2"], rtol=1e-6)
    assert fit.qe == pytest.approx(expected["QE"], rel=1e-10)
    assert fit.qm.statistic == pytest.approx(expected["QM"], rel=5e-7)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("UN_REML", {}),
        ("UN_ML", {"method": "ML"}),
        ("UN_ML_year", {"method": "ML", "year": True}),
        ("DIAG_REML", {"struct": "DIAG"}),
    ],
)
def test_model(case, name, options):
    _check(_fit(case, intervals=False, **options), case.values[name])


def test_containment(case):
    fit, expected = _fit(case, test="contain", intervals=False), case.values["UN_t_contain"]
    assert fit.df.tolist() == expected["ddf"]
    np.testing.assert_allclose(fit.p_value, expected["pval"], rtol=1e-6)


def test_profile_likelihood_intervals(case):
    found = {(c.kind, c.of): c for c in _fit(case).components}
    for key, name in (
        (("variance", ("AL",)), "ci_tau2_1"),
        (("variance", ("PD",)), "ci_tau2_2"),
        (("correlation", ("AL", "PD")), "ci_rho"),
    ):
        _, lower, upper = case.values[name]
        assert found[key].ci_lower == pytest.approx(lower, rel=1e-6)
        assert found[key].ci_upper == pytest.approx(upper, rel=1e-6)


def test_likelihood_ratio(case):
    found = likelihood_ratio(_fit(case, intervals=False), _fit(case, "DIAG", intervals=False))
    assert found.statistic == pytest.approx(case.values["LRT"]["LRT"], rel=1e-7)
    assert found.p_value == pytest.approx(case.values["LRT"]["p"], rel=1e-7)
    assert found.p_value_boundary is None


def test_effects_of_the_trials(case):
    effects = _fit(case, intervals=False).effects[0]
    expected = case.values["blup"]
    at = {f"{inner} | {group}": i for i, (group, inner) in enumerate(zip(effects.group, effects.inner, strict=True))}
    order = [at[label] for label in expected["label"]]
    np.testing.assert_allclose(effects.estimate[order], expected["estimate"], atol=2e-7)
    np.testing.assert_allclose(effects.se[order], expected["se"], rtol=1e-6)
