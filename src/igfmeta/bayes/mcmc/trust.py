"""Whether saved draws can be trusted, and what they lean on: summaries, leave-one-out, replications, power-scaling."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.bayes.importance import PARETO_K_LIMIT
from igfmeta.bayes.mcmc.diagnostics import Diagnostics, diagnose
from igfmeta.errors import InputError, check_level, listed
from igfmeta.files import content_of
from igfmeta.numerics import Floats

if TYPE_CHECKING:
    import xarray as xr

#: What is shown where nothing is named, in this order; effects of single studies and what they are made of are not.
PARAMETERS = (
    "mu", "tau", "sd", "correlation", "study_df", "outlying_share", "outlying_spread", "beta", "omega", "cells",
)  # fmt: skip

#: Change of a distribution per unit of the logarithm of the power from which it counts as sensitive (Kallioinen,
#: Paananen, Buerkner & Vehtari 2024, Stat Comput 34:57).
SENSITIVE = 0.05

#: Variables of the log likelihood: of everything at once, for power-scaling; of each unit, for leave-one-out.
JOINT, BY_UNIT = ("joint",), ("trials", "counts")


#: Groups whose numbers are looked at.
NUMBERS = ("posterior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive", "observed_data")


@dataclass(frozen=True)
class Line:
    """The summary of one parameter.

    `prior_sensitivity` and `likelihood_sensitivity` say how much its distribution changes when prior or likelihood
    are raised to a power; None where the draws lack the log density.
    """

    name: str
    mean: float
    sd: float
    median: float
    lower: float
    upper: float
    rhat: float | None
    ess_bulk: float
    ess_tail: float
    mcse_mean: float
    prior_sensitivity: float | None
    likelihood_sensitivity: float | None

    @property
    def leans(self) -> str:
        """What the sensitivities mean, in words; "" where there is nothing to say."""
        if self.prior_sensitivity is None or self.likelihood_sensitivity is None:
            return ""
        if self.prior_sensitivity < SENSITIVE:
            return ""
        if self.likelihood_sensitivity < SENSITIVE:
            return "prior dominates"
        return "prior and data both matter"


@dataclass(frozen=True)
class LeftOut:
    """Leave-one-out cross-validation by Pareto-smoothed importance sampling (Vehtari, Gelman & Gabry 2017).

    Attributes
    ----------
    elpd, se, p_loo : float
        Expected log predictive density, its standard error, effective number of parameters.
    units : tuple of str
    pareto_k : tuple of float
        Of each unit; above 0.7 its contribution is not reliable.
    """

    elpd: float
    se: float
    p_loo: float
    units: tuple[str, ...]
    pareto_k: tuple[float, ...]

    @property
    def bad(self) -> tuple[str, ...]:
        return tuple(u for u, k in zip(self.units, self.pareto_k, strict=True) if not k <= PARETO_K_LIMIT)


@dataclass(frozen=True)
class Replicated:
    """One observation among replications of it: `below` is P(replication < observed) + P(equal) / 2."""

    variable: str
    name: str
    observed: float
    median: float
    lower: float
    upper: float
    below: float


@dataclass(frozen=True, eq=False)
class Trust:
    """What is to be said of draws.

    Attributes
    ----------
    lines : tuple of Line
    diagnostics : Diagnostics
    left_out : LeftOut or None
    replicated : tuple of Replicated
    missing : tuple of str
        A sentence for each check that the draws cannot answer.
    level : float
    draws : dict of str to ndarray of shape (chains, draws)
        Of each parameter.
    energy : ndarray of shape (chains, draws)
    """

    lines: tuple[Line, ...]
    diagnostics: Diagnostics
    left_out: LeftOut | None
    replicated: tuple[Replicated, ...]
    missing: tuple[str, ...]
    level: float
    draws: dict[str, Floats]
    energy: Floats

    @property
    def outside(self) -> tuple[Replicated, ...]:
        """Observations outside the interval of their replications."""
        return tuple(r for r in self.replicated if not r.lower <= r.observed <= r.upper)

    def warnings(self) -> tuple[str, ...]:
        """Return a sentence for everything that speaks against the draws or the model."""
        out = list(self.diagnostics.warnings)
        if self.left_out is not None and self.left_out.bad:
            out.append(
                f"Pareto k is above {PARETO_K_LIMIT} when {listed(self.left_out.bad)} is left out: leave-one-out is "
                "not reliable there, and the posterior depends much on it."
            )
        expected = (1 - self.level) * len(self.replicated)
        if len(self.outside) > expected + 3 * np.sqrt(max(expected * self.level, 1e-12)):
            out.append(
                f"{len(self.outside)} of {len(self.replicated)} observations lie outside the {100 * self.level:g} % "
                f"interval of their replications, where {expected:.1f} are expected: the model does not fit."
            )
        return tuple(out)

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers, strings and lists."""

        def plain(thing: Any) -> dict[str, Any]:
            return {name: list(v) if isinstance(v, tuple) else v for name, v in thing.__dict__.items()}

        return {
            "level": self.level,
            "parameters": [{**plain(line), "leans": line.leans} for line in self.lines],
            "diagnostics": self.diagnostics.to_dict(),
            "loo": None if self.left_out is None else plain(self.left_out),
            "replicated": [plain(r) for r in self.replicated],
            "missing": list(self.missing),
            "warnings": list(self.warnings()),
        }


def open_draws(path: str) -> xr.DataTree:
    """Return the draws in a netCDF file.

    Raises
    ------
    InputError
        A file that is not there, is no netCDF, or holds no draws.
    """
    import arviz as az
    import h5py

    content = content_of(Path(path))
    try:
        # What is damaged stops here: the library above this one complains once more when it is collected.
        with h5py.File(io.BytesIO(content), "r") as file:
            file.visititems(_read_through)
        tree: xr.DataTree = az.from_netcdf(io.BytesIO(content)).load()
    except Exception as error:  # whatever the libraries below make of a damaged file
        raise InputError(f"{path} cannot be read as netCDF ({type(error).__name__}).") from error
    if not {"posterior", "sample_stats"} <= set(tree.children):
        found = listed(sorted(tree.children)) if tree.children else "none"
        raise InputError(f"{path} has the groups {found}; needed are posterior and sample_stats.")
    _check(tree, path)
    return tree


def _read_through(_name: str, part: Any) -> None:
    """Read the attributes of a part of a file, and its values if it has any."""
    dict(part.attrs)
    if hasattr(part, "shape"):
        part[()]


def _check(tree: xr.DataTree, path: str) -> None:
    """Refuse draws that no sampler makes: not by chain and draw, not finite, without their energy."""
    posterior, stats = (tree[name].to_dataset() for name in ("posterior", "sample_stats"))
    drawn = all({"chain", "draw"} <= set(x.dims) and x.dtype.kind in "iuf" for x in posterior.values())
    if not drawn or not len(posterior.data_vars) or "energy" not in stats:
        raise InputError(f"{path} holds no draws by chain and draw with their energy; accepted is what --save wrote.")
    parts = [tree[name].to_dataset() for name in NUMBERS if name in tree.children]
    wrong = [str(name) for part in parts for name, x in part.items() if x.dtype.kind == "f" and not _moderate(x.values)]
    if wrong:
        raise InputError(f"{path} holds values of {listed(wrong)} that are not finite; it was damaged.")


def _moderate(values: Any) -> bool:
    """Return whether values and their squares are finite."""
    return bool((np.abs(values) < 1e150).all())


def examine(tree: xr.DataTree, *, variables: Sequence[str] | None = None, level: float = 0.95) -> Trust:
    """Return summaries, convergence, leave-one-out, replications and sensitivity of draws.

    Parameters
    ----------
    tree : xarray.DataTree
        With the groups posterior and sample_stats; log_likelihood, log_prior, posterior_predictive and observed_data
        where they are there.
    variables : sequence of str, optional
        Default those of `PARAMETERS` that are there.
    level : float
        Of the intervals, with equal tails.

    Raises
    ------
    InputError
        Variables that are not there.
    """
    level = check_level(level)
    posterior = tree["posterior"].to_dataset()
    chosen = list(variables or [name for name in PARAMETERS if name in posterior] or map(str, posterior))
    unknown = [name for name in chosen if name not in posterior]
    if unknown:
        raise InputError(f"There is no variable {listed(unknown)}; the draws have {listed(map(str, posterior))}.")
    missing: list[str] = []
    return Trust(
        lines=tuple(_lines(tree, chosen, level, missing)),
        diagnostics=diagnose(tree, watch=chosen),
        left_out=_left_out(tree, missing),
        replicated=tuple(_replicated(tree, level, missing)),
        missing=tuple(missing),
        level=level,
        draws=flat(posterior[chosen]),
        energy=np.asarray(tree["sample_stats"].to_dataset()["energy"].values, dtype=float),
    )


def flat(dataset: xr.Dataset) -> dict[str, Floats]:
    """Return each scalar of the variables by a name such as `sd[tumor]`; arrays of shape (chains, draws)."""
    out: dict[str, Floats] = {}
    for name, values in dataset.items():
        array = values.transpose("chain", "draw", ...)
        rest = array.dims[2:]
        labels = [[str(x) for x in array.coords[d].values] if d in array.coords else None for d in rest]
        for place in np.ndindex(*array.shape[2:]):
            words = [str(i) if found is None else found[i] for found, i in zip(labels, place, strict=True)]
            out[f"{name}[{', '.join(words)}]" if words else str(name)] = np.asarray(
                array.values[(slice(None), slice(None), *place)], dtype=float
            )
    return out


def _lines(tree: xr.DataTree, names: list[str], level: float, missing: list[str]) -> list[Line]:
    import arviz as az

    found = az.summary(tree, var_names=names, ci_prob=level, ci_kind="eti", round_to="none")
    drawn = flat(tree["posterior"].to_dataset()[names])
    prior = _sensitivity(tree, names, "prior", missing)
    likelihood = _sensitivity(tree, names, "likelihood", missing)
    lower, upper = (column for column in found.columns if column.startswith("eti"))
    out = []
    for (name, values), (_, row) in zip(drawn.items(), found.iterrows(), strict=True):
        rhat = float(row["r_hat"])
        out.append(
            Line(
                name=name,
                mean=float(row["mean"]),
                sd=float(row["sd"]),
                median=float(np.median(values)),
                lower=float(row[lower]),
                upper=float(row[upper]),
                rhat=rhat if np.isfinite(rhat) else None,
                ess_bulk=float(row["ess_bulk"]),
                ess_tail=float(row["ess_tail"]),
                mcse_mean=float(row["mcse_mean"]),
                prior_sensitivity=prior.get(name),
                likelihood_sensitivity=likelihood.get(name),
            )
        )
    return out


def _sensitivity(tree: xr.DataTree, names: list[str], part: str, missing: list[str]) -> dict[str, float]:
    """Return the power-scaling sensitivity of each parameter to prior or likelihood; empty where it is not known."""
    import arviz as az

    group = f"log_{part}"
    if group not in tree.children or not len(tree[group].data_vars):
        missing.append(f"Sensitivity to the {part}: the draws have no group {group}.")
        return {}
    densities = [str(name) for name in tree[group].data_vars]
    joint = [name for name in densities if name in JOINT]
    found = az.psense(tree, var_names=names, group=part, group_var_names=joint or densities)
    scaled = {name: values.expand_dims(chain=1, draw=1) for name, values in found.data_vars.items()}
    return {name: float(values[0, 0]) for name, values in flat(found.assign(scaled)[names]).items()}


def _left_out(tree: xr.DataTree, missing: list[str]) -> LeftOut | None:
    import warnings

    import arviz as az

    densities = [str(n) for n in tree["log_likelihood"].data_vars] if "log_likelihood" in tree.children else []
    units = [name for name in densities if name in BY_UNIT] or [name for name in densities if name not in JOINT]
    if len(units) != 1:
        missing.append("Leave-one-out: the draws have no log likelihood of single trials.")
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of large Pareto k, which are reported here
        found = az.loo(tree, var_name=units[0], pointwise=True)
    k = found.pareto_k
    names = [str(x) for x in k.coords[k.dims[0]].values] if k.dims[0] in k.coords else [str(i) for i in range(k.size)]
    shapes = tuple(float(x) for x in k.values.ravel())
    return LeftOut(float(found.elpd), float(found.se), float(found.p), tuple(names), shapes)


def _replicated(tree: xr.DataTree, level: float, missing: list[str]) -> list[Replicated]:
    if not {"posterior_predictive", "observed_data"} <= set(tree.children):
        missing.append("Replications: the draws have no posterior predictive draws.")
        return []
    observed = tree["observed_data"].to_dataset()
    out = []
    for name, values in tree["posterior_predictive"].to_dataset().items():
        if name not in observed:
            continue
        seen = np.asarray(observed[name].values, dtype=float).ravel()
        for (label, drawn), value in zip(flat(values.to_dataset(name="y")).items(), seen, strict=True):
            median, lower, upper = np.quantile(drawn, (0.5, 0.5 - level / 2, 0.5 + level / 2))
            below = float((drawn < value).mean() + 0.5 * (drawn == value).mean())
            word = label[2:-1] or str(name)
            out.append(Replicated(str(name), word, float(value), float(median), float(lower), float(upper), below))
    return out
