"""Multilevel models: against dense matrices by the definition and the univariate kernel; what must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.effects.sampling_covariance import assumed_covariance
from igfmeta.models.multilevel.fitting import fit_multilevel, scaled_problem
from igfmeta.models.multilevel.layout import arrange, exchangeable
from igfmeta.models.multilevel.likelihood import Likelihood
from igfmeta.models.multilevel.results import likelihood_ratio
from igfmeta.models.multilevel.search import climb, space_of
from igfmeta.models.multilevel.structures import STRUCTURES, Structure
from igfmeta.models.multilevel.terms import parse
from igfmeta.models.pooling import pool_one

K = 40
DESIGNS = {
    "one term": ["~ 1 | study"],
    "three nested": ["~ 1 | region/study/row"],
    "inner and outer": ["~ outcome | study"],
    "inner and outer, crossed with a factor": ["~ outcome | study", "~ 1 | agent"],
    "two nested pairs crossed": ["~ 1 | class/agent", "~ 1 | region/study"],
    "inner and outer with rows": ["~ outcome | study", "~ 1 | study/row"],
    "more inner levels than rows": ["~ row | study"],
}


@pytest.fixture
def table(rng):
    columns = {
        "study": rng.integers(0, 8, K),
        "outcome": rng.integers(0, 3, K),
        "agent": rng.integers(0, 5, K),
        "row": np.arange(K),
    }
    columns["class"], columns["region"] = columns["agent"] // 2, columns["study"] // 3
    vi = rng.uniform(0.5, 2, K)
    y = rng.normal(size=K) + rng.normal(size=8)[columns["study"]] + rng.normal(size=5)[columns["agent"]]
    x = np.column_stack([np.ones(K), rng.normal(size=K)])
    return {name: values.tolist() for name, values in columns.items()}, y, vi, x


def _dense(y, x, v, terms, matrices, *, restricted):
    """Return the log-likelihood, M, b and its covariance, by the definition."""
    m = np.diag(v) if v.ndim == 1 else v.copy()
    for term, g in zip(terms, matrices, strict=True):
        inner = np.zeros(len(y), dtype=int) if term.inner is None else term.inner
        m = m + (term.group[:, None] == term.group) * g[inner[:, None], inner]
    w = np.linalg.inv(m)
    c = np.linalg.inv(x.T @ w @ x)
    b = c @ x.T @ w @ y
    r = y - x @ b
    free = len(y) - x.shape[1] if restricted else len(y)
    value = free * np.log(2 * np.pi) + np.linalg.slogdet(m)[1] + r @ w @ r
    if restricted:
        value += -np.linalg.slogdet(c)[1] - np.linalg.slogdet(x.T @ x)[1]
    return -0.5 * value, m, b, c


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("correlated", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
def test_likelihood_and_slope_are_those_of_the_dense_matrix(rng, table, name, correlated, restricted):
    columns, y, vi, x = table
    v = assumed_covariance(vi, columns["study"], rho=0.4) if correlated else vi
    x = np.linalg.qr(x)[0]
    for struct in ("CS", "ID") if name == "more inner levels than rows" else STRUCTURES:
        terms = [exchangeable(t) for formula in DESIGNS[name] for t in parse(formula, columns, struct=struct)]
        likelihood = Likelihood(arrange(v, terms), x, y, [t.structure for t in terms], restricted=restricted)
        theta = np.abs(rng.normal(size=likelihood.n_parameters)) + 0.2
        value, slope = likelihood.gradient(theta)
        expected, m, _, c = _dense(y, x, v, terms, likelihood.matrices(theta), restricted=restricted)
        assert value == pytest.approx(expected, rel=1e-12)
        steps = 1e-5 * np.eye(len(theta))
        differences = [(likelihood.value(theta + h) - likelihood.value(theta - h)) / 2e-5 for h in steps]
        np.testing.assert_allclose(slope, differences, atol=2e-8)
        found = likelihood.evaluate(theta)
        np.testing.assert_allclose(found.vcov, c, rtol=1e-10)
        weighted = np.linalg.solve(m, np.column_stack([x, y]))[likelihood.layout.order]
        np.testing.assert_allclose(found.weighted, weighted, atol=1e-10)


def test_effects_are_those_of_the_dense_matrix(table):
    columns, y, vi, x = table
    v = assumed_covariance(vi, columns["study"], rho=0.4)
    terms = [t for f in ("~ outcome | study", "~ 1 | agent") for t in parse(f, columns, struct="HCS")]
    fit = fit_multilevel(y, v, terms, x=x, intervals=False)
    m = fit.covariance()
    w = np.linalg.inv(m)
    p = w - w @ x @ fit.vcov @ x.T @ w
    for term, g, effects in zip(terms, fit.matrices, fit.effects, strict=True):
        for i, (group, inner) in enumerate(zip(effects.group, effects.inner, strict=True)):
            rows = np.array([term.levels[c] == group for c in term.group])
            level = term.inner_levels.index(inner) if inner else 0
            codes = np.zeros(K, dtype=int) if term.inner is None else term.inner
            loading = np.where(rows, g[level, codes], 0.0)
            assert effects.estimate[i] == pytest.approx(loading @ w @ (y - x @ fit.coef), abs=1e-9)
            assert effects.se[i] ** 2 == pytest.approx(g[level, level] - loading @ p @ loading, abs=1e-9)


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_one_intercept_for_each_row_is_the_univariate_model(rng, method):
    for _ in range(20):
        vi = rng.uniform(0.01, 0.4, 12)
        y = rng.normal(0, np.sqrt(vi + rng.choice([0.0, 0.02, 0.3])))
        fit = fit_multilevel(
            y, vi, parse("~ 1 | row", {"row": range(12)}), method=method, test="z", intervals=False
        )  # fmt: skip
        one = pool_one(y, vi, method=method, ci="z")
        assert fit.components[0].estimate == pytest.approx(one.tau2, rel=1e-8, abs=1e-10)
        assert fit.coef[0] == pytest.approx(one.estimate, rel=1e-8, abs=1e-10)
        assert fit.se[0] == pytest.approx(one.se, rel=1e-8)
        assert fit.qe == pytest.approx(one.q, rel=1e-10)


def test_profile_interval_of_one_variance_is_that_of_the_univariate_model(rng):
    vi = rng.uniform(0.01, 0.4, 15)
    y = rng.normal(0, np.sqrt(vi + 0.2))
    found = fit_multilevel(y, vi, parse("~ 1 | row", {"row": range(15)})).components[0]
    one = pool_one(y, vi, tau2_ci="PL")
    assert found.ci_lower == pytest.approx(one.tau2_ci_lower, rel=1e-8)
    assert found.ci_upper == pytest.approx(one.tau2_ci_upper, rel=1e-8)


def test_unit_scale_classes_of_the_univariate_model_hold(rng):
    """Tiny and huge variances, a large common value, variances over many decades, one study that is all but exact."""
    classes = ((1e-8, 0.0, 0.5, 1), (1e4, 0.0, 0.5, 1), (1.0, 1e6, 0.5, 1), (1.0, 0.0, 5.0, 1), (1.0, 0.0, 0.5, 1e-12))
    for scale, shift, spread, first in classes:
        vi = scale * np.exp(rng.normal(0, spread, 10))
        vi[0] *= first
        y = shift + rng.normal(0, np.sqrt(vi + scale))
        fit = fit_multilevel(y, vi, parse("~ 1 | row", {"row": range(10)}), intervals=False)
        tau2 = pool_one(y, vi, tau2_ci="none").tau2
        assert abs(fit.components[0].estimate - tau2) < 1e-7 * max(tau2, np.median(vi))


def test_nested_terms_may_be_written_as_crossed_ones(table):
    columns, y, vi, x = table
    columns = {**columns, "pair": [f"{a}-{b}" for a, b in zip(columns["region"], columns["study"], strict=True)]}
    nested = fit_multilevel(y, vi, parse("~ 1 | region/study", columns), x=x)
    apart = fit_multilevel(y, vi, [*parse("~ 1 | pair", columns), *parse("~ 1 | region", columns)], x=x)
    np.testing.assert_allclose(apart.coef, nested.coef, rtol=1e-9)
    for ours, theirs in zip(reversed(apart.components), nested.components, strict=True):
        assert ours.estimate == pytest.approx(theirs.estimate, rel=1e-8, abs=1e-12)
        assert ours.ci_upper == pytest.approx(theirs.ci_upper, rel=1e-7)


def test_order_of_rows_and_names_of_levels_do_not_matter(rng, table):
    columns, y, vi, x = table
    v = assumed_covariance(vi, columns["study"], rho=0.3)
    order = rng.permutation(K)
    names = {"study": rng.permutation(8), "outcome": rng.permutation(3), "agent": rng.permutation(5)}
    other = {
        name: [f"level {labels[value]}" for value in np.array(columns[name])[order]] for name, labels in names.items()
    }
    formulas = ("~ outcome | study", "~ 1 | agent")
    fits = []
    for cols, rows in ((columns, slice(None)), (other, order)):
        terms = [t for f in formulas for t in parse(f, cols, struct="UN")]
        fits.append(fit_multilevel(y[rows], v[rows][:, rows], terms, x=x[rows], intervals=False))
    a, b = fits
    assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(a.coef, b.coef, rtol=1e-7)
    levels = [names["outcome"][int(level)] for level in a.terms[0].inner_levels]
    np.testing.assert_allclose(a.matrices[0], b.matrices[0][np.ix_(levels, levels)], rtol=1e-5, atol=1e-7)


def test_rescaled_and_shifted_effects_give_rescaled_and_shifted_fits(table):
    columns, y, vi, x = table
    terms = parse("~ 1 | region/study", columns)
    one = fit_multilevel(y, vi, terms, x=x, test="satterthwaite")
    other = fit_multilevel(100 * y + 7e4, 1e4 * vi, terms, x=x * [1, 1e-3], test="satterthwaite")
    np.testing.assert_allclose(other.coef, [100 * one.coef[0] + 7e4, 1e5 * one.coef[1]], rtol=1e-8)
    np.testing.assert_allclose(other.df, one.df, rtol=1e-5)
    for ours, theirs in zip(other.components, one.components, strict=True):
        assert ours.estimate == pytest.approx(1e4 * theirs.estimate, rel=1e-7, abs=1e-6)
        assert ours.ci_upper == pytest.approx(1e4 * theirs.ci_upper, rel=1e-7)
    assert [h.i2 for h in other.heterogeneity] == pytest.approx([h.i2 for h in one.heterogeneity], abs=1e-5)


def test_the_certificate_shows_a_maximum(table):
    columns, y, vi, x = table
    terms = [t for f in ("~ outcome | study", "~ 1 | agent") for t in parse(f, columns, struct="HCS")]
    fit = fit_multilevel(y, vi, terms, x=x, intervals=False)
    assert fit.certificate.converged
    assert fit.certificate.gradient < 1e-8
    assert np.isfinite(fit.certificate.condition)
    rivals = [
        [g * factor for g, factor in zip(fit.matrices, pair, strict=True)]
        for pair in ((1.1, 1), (0.9, 1), (1, 1.1), (1, 0.9))
    ]
    for matrices in rivals:
        assert _dense(y, x, fit.v, terms, matrices, restricted=True)[0] <= fit.log_likelihood + 1e-10


@pytest.mark.parametrize("struct", ["UN", "HAR"])
def test_no_climb_from_anywhere_ends_higher(struct):
    """Few rows and correlated effects: likelihoods with several maxima."""
    rng = np.random.default_rng(11)
    several = 0
    for _ in range(4):
        k = 24
        columns = {"study": np.repeat(np.arange(8), 3).tolist(), "outcome": [0, 1, 2] * 8}
        vi = np.exp(rng.normal(-3, 1.5, k))
        y = rng.normal(0, np.sqrt(vi)) + 0.3 * rng.normal(size=k)
        fit = fit_multilevel(y, vi, parse("~ outcome | study", columns, struct=struct), intervals=False)
        problem = scaled_problem(y, vi, np.ones((k, 1)))
        shape = fit.terms[0].structure
        likelihood = Likelihood(arrange(problem.v, fit.terms), problem.x, problem.y, [shape], restricted=True)
        ours = fit.log_likelihood + (k - 1) * np.log(problem.unit)
        tops = []
        for _ in range(8):
            start = np.concatenate([np.exp(rng.normal(0, 1.5, 3)), rng.uniform(0.2, 2.9, shape.n_angles)])
            tops.append(climb(likelihood.gradient, start, space_of(likelihood))[1])
        assert max(tops) <= ours + 1e-7
        several += min(tops) < ours - 1e-3
    assert several


def test_satterthwaite_is_that_of_the_dense_matrix(table):
    columns, y, vi, x = table
    y = y + np.array([3.0, -2.0, 1.0])[columns["region"]] + 1.5 * np.array([1, -1] * 4)[columns["study"]]
    terms = parse("~ 1 | region/study", columns)
    fit = fit_multilevel(y, vi, terms, x=x, test="satterthwaite", intervals=False)
    assert not fit.certificate.boundary
    sigma2 = np.array([c.estimate for c in fit.components])

    def at(values):
        return _dense(y, x, fit.v, terms, [np.array([[value]]) for value in values], restricted=True)

    h = 1e-3 * np.eye(2)
    information = -np.array(
        [[(at(sigma2 + a + b)[0] - at(sigma2 + a - b)[0] - at(sigma2 - a + b)[0] + at(sigma2 - a - b)[0]) / 4e-6
          for a in h] for b in h]
    )  # fmt: skip
    for i in range(2):
        slope = np.array([(at(sigma2 + a)[3][i, i] - at(sigma2 - a)[3][i, i]) / 2e-3 for a in h])
        expected = 2 * fit.vcov[i, i] ** 2 / (slope @ np.linalg.solve(information, slope))
        assert fit.df[i] == pytest.approx(expected, rel=1e-4)


def test_likelihood_ratio_of_one_variance_knows_the_boundary(table):
    columns, y, vi, x = table
    full = fit_multilevel(y, vi, parse("~ 1 | region/study", columns), x=x, intervals=False)
    reduced = fit_multilevel(y, vi, parse("~ 1 | study", columns), x=x, intervals=False)
    # Another label for the same grouping: the term that is new is the region.
    found = likelihood_ratio(full, reduced)
    assert found.df == 1
    assert found.statistic >= 0
    with pytest.raises(ValueError, match="smaller one second"):
        likelihood_ratio(reduced, full)
    with pytest.raises(ValueError, match="same fixed effects"):
        likelihood_ratio(full, fit_multilevel(y, vi, parse("~ 1 | study", columns), intervals=False))


@pytest.mark.parametrize("kind", STRUCTURES)
def test_structures_return_the_parameters_that_they_were_made_of(kind):
    structure = Structure(kind, 3, (0.0, 1.0, 2.5) if kind == "CAR" else ())
    sd = [1.0, 2.0, 0.5][: structure.n_sd]
    theta = structure.theta(sd, [0.3])
    g = structure.matrix(theta)
    assert np.linalg.eigvalsh(g)[0] > 0
    for natural in structure.naturals():
        value = structure.value(natural, theta)
        if natural.name == "variance":
            assert value == pytest.approx(g[(natural.levels or (0,))[0]][(natural.levels or (0,))[0]])
        else:
            i, j = natural.levels or (0, 1)
            assert value == pytest.approx(g[i, j] / np.sqrt(g[i, i] * g[j, j]))


def test_a_correlation_of_un_is_its_own_parameter_in_the_right_order(rng):
    structure = Structure("UN", 4)
    theta = np.concatenate([rng.uniform(0.5, 2, 4), rng.uniform(0.5, 2.5, 6)])
    g = structure.matrix(theta)
    for natural in structure.naturals():
        other, moved = structure.in_order(theta, natural.order)
        np.testing.assert_allclose(other.matrix(moved), g, atol=1e-12)


BAD = {
    "singular V": ("~ 1 | study", "singular_v", r"V of trial 1, trial 2 is singular"),
    "V that is no covariance": (
        "~ 1 | study",
        "indefinite_v",
        r"of trial 1, trial 2, trial 3 is not positive definite",
    ),
    "asymmetric V": ("~ 1 | study", "asymmetric_v", r"not symmetric: between trial 1 and trial 2"),
    "zero variance": ("~ 1 | study", "zero_v", r"sampling variance of trial 3 was 0"),
    "wrong shape": ("~ 1 | study", "short_v", r"accepted are 6 variances or a matrix of 6 by 6"),
    "unknown column": ("~ 1 | centre", None, r"no column 'centre'; the columns are study, one, outcome or row"),
    "unreadable": ("study", None, r"accepted are formulas such as"),
    "one level": ("~ 1 | one", None, r"'one' has one level, 'a'; its variance"),
    "one inner level": ("~ one | study", None, r"inner factor 'one' has one level"),
    "same grouping twice": ("~ 1 | study/study", None, r"group the rows alike"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_fitted_is_refused_in_a_sentence(name):
    formula, v, message = BAD[name]
    columns = {"study": list("aabbcc"), "one": list("aaaaaa"), "outcome": list("xyxyxz"), "row": list(range(6))}
    vi = np.full(6, 0.1)
    block = np.diag(vi)
    matrices = {
        "singular_v": assumed_covariance(vi, list("aabbcc"), rho=0.3),
        "indefinite_v": block.copy(),
        "asymmetric_v": block.copy(),
        "zero_v": np.where(np.arange(6) == 2, 0.0, vi),
        "short_v": vi[:4],
    }
    matrices["singular_v"][:2, :2] = 0.1
    matrices["indefinite_v"][:3, :3] += 0.09 * np.array([[0, 1, -1], [1, 0, 1], [-1, 1, 0]])
    matrices["asymmetric_v"][0, 1] = 0.05
    with pytest.raises(ValueError, match=message):
        fit_multilevel(
            np.arange(6.0), vi if v is None else matrices[v], parse(formula, columns),
            labels=[f"trial {i + 1}" for i in range(6)],
        )  # fmt: skip


def test_unstructured_covariances_that_the_data_cannot_carry_are_refused():
    columns = {"study": list("aabbcc"), "outcome": list("xyxyxz"), "many": list("xyzuvw")}
    y, vi = np.arange(6.0), np.full(6, 0.1)
    with pytest.raises(ValueError, match="no group has z with y"):
        fit_multilevel(y, vi, parse("~ outcome | study", columns, struct="UN"))
    with pytest.raises(ValueError, match="have 7 variances and correlations, and 6 rows"):
        fit_multilevel(y, vi, parse("~ many | study", columns, struct="HCS"))
    with pytest.raises(ValueError, match="struct was 'XX'; accepted are ID, DIAG"):
        parse("~ outcome | study", columns, struct="XX")


def test_designs_that_cannot_be_fitted_are_refused(table):
    columns, y, vi, x = table
    terms = parse("~ 1 | study", columns)
    with pytest.raises(ValueError, match="The columns x3 of the design follow"):
        fit_multilevel(y, vi, terms, x=np.column_stack([x, x[:, 0] + 2 * x[:, 1]]))
    with pytest.raises(ValueError, match="test was 'kr'; accepted are z, t, contain, groups or satterthwaite"):
        fit_multilevel(y, vi, terms, test="kr")
    with pytest.raises(ValueError, match="method was 'DL'; accepted are REML or ML"):
        fit_multilevel(y, vi, terms, method="DL")
