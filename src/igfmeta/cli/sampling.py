"""The options of every command that PyMC may draw for, written once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from igfmeta.cli.request import Weighted
from igfmeta.cli.unheard import Needs

if TYPE_CHECKING:
    from igfmeta.bayes.mcmc.sampling import Plan


def sampling(text: str, metavar: str = "NUMBER") -> Any:
    """Return an option of the panel on sampling."""
    return typer.Option(help=text, rich_help_panel="Sampling by PyMC", metavar=metavar)


#: Options that say nothing where PyMC does not draw.
SAMPLING = ("draws", "tune", "chains", "cores", "target_accept", "sampler")


@dataclass
class Drawn(Weighted):
    """How PyMC draws."""

    seed: Annotated[int, typer.Option(help="The same seed gives the same numbers.", metavar="NUMBER")] = 1
    draws: Annotated[int, sampling("Draws of each chain.")] = 1000
    tune: Annotated[int, sampling("Draws of each chain that are thrown away first.")] = 1000
    chains: Annotated[int, sampling("Chains.")] = 4
    cores: Annotated[int, sampling("Chains sampled at once.")] = 2
    target_accept: Annotated[float, sampling("Nearer to 1: smaller steps, fewer divergences.")] = 0.95
    sampler: Annotated[str | None, sampling("pymc or nutpie. Default: nutpie where it is installed.", "NAME")] = None

    def needs_of_sampling(self, *, mcmc: bool) -> Needs:
        """Return that these options, the seed apart, say nothing where PyMC is not asked for."""
        return Needs(SAMPLING, mcmc, "--mcmc")

    def plan(self) -> Plan:
        """Return how to sample; a progress bar where a person looks on."""
        from igfmeta.bayes.mcmc.sampling import Plan

        return Plan(
            draws=self.draws,
            tune=self.tune,
            chains=self.chains,
            cores=self.cores,
            seed=self.seed,
            target_accept=self.target_accept,
            sampler=self.sampler,
            progress=sys.stderr.isatty(),
        )
