"""What is said of saved draws: summaries, leave-one-out in closed form, replications, sensitivity, what is missing."""

from __future__ import annotations

import json

import arviz as az
import numpy as np
import pytest
from scipy import stats

from igfmeta.bayes.mcmc.trust import examine, flat, open_draws
from igfmeta.errors import InputError, NothingToPool
from igfmeta.plots.draws_figures import figures
from igfmeta.report.plain import to_plain
from igfmeta.report.trust_summary import tables

Y = np.array([0.3, -0.4, 1.1, 0.2, 0.7, -0.2, 0.5, 0.1])


def _tree(rng, *, prior_sd=100.0, y=Y, groups=()):
    """Draws of the mean of y ~ N(mu, 1), mu ~ N(0, prior_sd^2), which are independent."""
    n, chains, draws = len(y), 4, 1000
    precision = n + prior_sd**-2
    mu = y.sum() / precision + rng.normal(size=(chains, draws)) / np.sqrt(precision)
    noise, more = rng.normal(size=(2, chains, draws))
    dims = {"y": ["unit"], "trials": ["unit"]}
    every = {
        "posterior": {"mu": mu},
        "sample_stats": {"diverging": np.zeros((chains, draws), bool), "energy": 0.5 * noise**2 + more},
        "log_likelihood": {"trials": stats.norm.logpdf(y, mu[..., None])},
        "log_prior": {"mu": stats.norm.logpdf(mu, 0, prior_sd)},
        "posterior_predictive": {"y": mu[..., None] + rng.normal(size=(chains, draws, n))},
        "observed_data": {"y": y},
    }
    kept = {name: value for name, value in every.items() if name not in groups}
    return az.from_dict(kept, dims=dims, coords={"unit": [f"trial {i}" for i in range(n)]})


def test_leave_one_out_is_that_in_closed_form(rng):
    found = examine(_tree(rng)).left_out
    others = (Y.sum() - Y) / (len(Y) - 1)
    exact = stats.norm.logpdf(Y, others, np.sqrt(1 + 1 / (len(Y) - 1))).sum()
    assert found.elpd == pytest.approx(exact, abs=0.02)
    assert found.units == tuple(f"trial {i}" for i in range(8))
    assert found.bad == ()


def test_summaries_have_equal_tails_at_the_level(rng):
    (line,) = examine(_tree(rng), level=0.9).lines
    exact = stats.norm(Y.mean(), 1 / np.sqrt(8))
    assert (line.lower, line.upper) == pytest.approx(exact.interval(0.9), abs=0.03)
    assert line.rhat < 1.01
    assert line.ess_bulk > 2000


def test_a_prior_that_matters_is_seen(rng):
    (vague,) = examine(_tree(rng)).lines
    (strong,) = examine(_tree(rng, prior_sd=0.2)).lines
    assert vague.prior_sensitivity < 0.01
    assert vague.leans == ""
    assert strong.prior_sensitivity > 0.05
    assert strong.leans == "prior and data both matter"


def test_what_does_not_fit_is_a_warning(rng):
    y = np.concatenate([Y[:5], [9.0, -8.0, 7.0]])
    found = examine(_tree(rng, y=y))
    assert {r.name for r in found.outside} >= {"trial 5", "trial 6"}
    assert any("does not fit" in text for text in found.warnings())
    assert "WARNING" in to_plain(tables(found)[0], width=100)
    assert found.replicated[5].below > 0.999


def test_what_the_draws_lack_is_said_and_nothing_else_suffers(rng):
    found = examine(_tree(rng, groups=("log_prior", "log_likelihood", "posterior_predictive")))
    assert len(found.missing) == 4
    assert found.left_out is None
    assert found.replicated == ()
    assert found.lines[0].prior_sensitivity is None
    assert [name for name, _ in figures(found)] == ["rank", "energy", "ess"]
    with pytest.raises(NothingToPool, match="no group log_prior"):
        figures(found, ["psense"])
    with pytest.raises(InputError, match="accepted are rank"):
        figures(found, ["trace"])


def test_names_have_their_coordinates():
    tree = az.from_dict({"posterior": {"sd": np.zeros((2, 5, 2))}}, dims={"sd": ["of"]}, coords={"of": ["a", "b"]})
    assert list(flat(tree["posterior"].to_dataset())) == ["sd[a]", "sd[b]"]


def test_variables_that_are_not_there_are_refused(rng):
    with pytest.raises(InputError, match="no variable sigma; the draws have mu"):
        examine(_tree(rng), variables=["sigma"])


def test_the_command_reads_what_was_saved(run, rng, tmp_path):
    file, drawn = tmp_path / "draws.nc", tmp_path / "f.svg"
    _tree(rng).to_netcdf(file, engine="h5netcdf")
    status, out, _ = run("diagnose", file, "--figure", drawn)
    assert status == 0
    assert "Leave one out" in out
    assert {p.name for p in tmp_path.glob("*.svg")} == {
        f"f-{name}.svg" for name in ("rank", "energy", "ess", "loo", "ppc", "psense")
    }
    status, out, _ = run("diagnose", file, "--format", "json", "--variable", "mu")
    assert json.loads(out)["parameters"][0]["name"] == "mu"
    assert status == 0


def test_a_file_that_holds_no_draws_is_refused(run, tmp_path):
    status, _, said = run("diagnose", tmp_path / "none.nc")
    assert (status, "There is no file" in said) == (2, True)
    broken = tmp_path / "broken.nc"
    broken.write_text("not netCDF")
    status, _, said = run("diagnose", broken)
    assert (status, "cannot be read" in said) == (2, True)
    empty = tmp_path / "empty.nc"
    az.from_dict({"posterior": {"mu": np.zeros((1, 4))}}).to_netcdf(empty, engine="h5netcdf")
    with pytest.raises(InputError, match="sample_stats"):
        open_draws(str(empty))
