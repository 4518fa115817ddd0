"""Whether draws can be trusted: R-hat, effective sample size, divergences, energy; a sentence for each that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

#: Limits (Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, Bayesian Anal 16:667; Betancourt 2016 for the energy).
RHAT_LIMIT, ESS_LIMIT, BFMI_LIMIT = 1.01, 400, 0.3


@dataclass(frozen=True)
class Diagnostics:
    """The worst of each diagnostic, with the variable that has it.

    Attributes
    ----------
    chains, draws : int
    rhat, ess_bulk, ess_tail : float
        The largest R-hat and the smallest effective sample sizes; NaN with a single chain for R-hat.
    rhat_of, ess_of : str
        Whose they are.
    divergences : int
    bfmi : float
        The smallest Bayesian fraction of missing information of a chain.
    warnings : tuple of str
        A sentence for each limit that is not kept; empty where all is well.
    """

    chains: int
    draws: int
    rhat: float
    rhat_of: str
    ess_bulk: float
    ess_tail: float
    ess_of: str
    divergences: int
    bfmi: float
    warnings: tuple[str, ...]

    @property
    def trusted(self) -> bool:
        return not self.warnings

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings; what is not defined is None."""
        out = {name: None if value != value else value for name, value in self.__dict__.items()}
        return {**out, "warnings": list(self.warnings)}

    def line(self) -> str:
        """Return the diagnostics in one sentence."""
        return (
            f"{self.chains} chains of {self.draws} draws: largest R-hat {self.rhat:.4f}, smallest effective sample "
            f"size {min(self.ess_bulk, self.ess_tail):.0f}, divergences {self.divergences}."
        )


def _extreme(found: xr.Dataset, largest: bool) -> tuple[float, str]:
    """Return the largest or smallest value, and the variable that has it; NaN (of constants) is passed by."""
    best, name = np.nan, ""
    for variable, values in found.items():
        finite = values.values[np.isfinite(values.values)]
        if finite.size:
            value = float(finite.max() if largest else finite.min())
            if not name or (value > best if largest else value < best):
                best, name = value, str(variable)
    return best, name


def diagnose(tree: xr.DataTree, *, watch: Sequence[str] | None = None) -> Diagnostics:
    """Return the diagnostics of draws.

    Parameters
    ----------
    tree : xarray.DataTree
        With the groups posterior and sample_stats.
    watch : sequence of str, optional
        Variables to judge; default all.
    """
    import arviz as az

    posterior = tree["posterior"].to_dataset()
    if watch is not None:
        posterior = posterior[list(watch)]
    chains, draws = posterior.sizes["chain"], posterior.sizes["draw"]
    rhat, rhat_of = _extreme(az.rhat(posterior), largest=True) if chains > 1 else (np.nan, "")
    bulk, bulk_of = _extreme(az.ess(posterior, method="bulk"), largest=False)
    tail, tail_of = _extreme(az.ess(posterior, method="tail"), largest=False)
    ess_of = bulk_of if bulk <= tail else tail_of
    stats = tree["sample_stats"].to_dataset()
    divergences = int(stats["diverging"].values.sum())
    bfmi = float(np.min(az.bfmi(tree)["energy"].values))
    found = _sentences(rhat, rhat_of, min(bulk, tail), ess_of, divergences, bfmi, chains * draws)
    return Diagnostics(chains, draws, rhat, rhat_of, bulk, tail, ess_of, divergences, bfmi, tuple(found))


def _sentences(
    rhat: float, rhat_of: str, ess: float, ess_of: str, divergences: int, bfmi: float, total: int
) -> list[str]:
    out = []
    if not rhat <= RHAT_LIMIT:
        found = f"R-hat of {rhat_of} is {rhat:.4f}" if rhat_of else "R-hat needs two chains and there is one"
        out.append(f"{found} (limit {RHAT_LIMIT}): the chains have not agreed. Do not use these numbers; draw more.")
    if ess < ESS_LIMIT:
        out.append(
            f"The effective sample size of {ess_of} is {ess:.0f} (limit {ESS_LIMIT}): its summaries are too noisy. "
            "Draw more."
        )
    if divergences:
        out.append(
            f"{divergences} of {total} transitions diverged: part of the posterior may not have been reached. "
            "Raise target_accept or tighten the priors."
        )
    if bfmi < BFMI_LIMIT:
        out.append(
            f"The fraction of missing information is {bfmi:.2f} (limit {BFMI_LIMIT}): energy is explored slowly."
        )
    return out
