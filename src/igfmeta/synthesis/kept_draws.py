"""Hierarchies by PyMC whose draws are kept: sampled once, then read."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from igfmeta.bayes.mcmc.sampling import Plan
from igfmeta.bayes.mcmc.store import DrawStore, kept_in
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.analysis import Sampler
from igfmeta.synthesis.hierarchy import hierarchy
from igfmeta.synthesis.hierarchy_results import HierarchyResult
from igfmeta.version import __version__

#: Where draws are kept; safe to delete.
FOLDER = ".igfmeta-cache"

#: What draws depend on beside model and data.
VERSIONS = ("pymc", "pytensor", "numpy", "scipy", "numba")


def key_of(evidence: Evidence, options: dict[str, Any], plan: Plan) -> str:
    """Return a hash of model, data, priors, seed and versions."""
    priors = {name: prior.label for name, prior in options.get("priors", {}).items()}
    sampler = plan.named_sampler()
    depends = {
        "evidence": evidence.fingerprint,
        "options": {name: value for name, value in options.items() if name != "priors"},
        "priors": priors,
        "plan": [plan.draws, plan.tune, plan.chains, plan.target_accept],
        "versions": {"igfmeta": __version__, **{name: version(name) for name in (*VERSIONS, sampler)}},
    }
    return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()


def kept_sampler(folder: Path, *, only: bool = False, progress: bool = False, cores: int = 2) -> Sampler:
    """Return what fits a hierarchy by PyMC with draws kept in a folder.

    Parameters
    ----------
    folder : Path
    only : bool
        Refuse to sample.
    progress : bool
        Show a progress bar.
    cores : int
        Chains sampled at once; the draws do not depend on it.
    """

    def sampled(evidence: Evidence, options: dict[str, Any]) -> HierarchyResult:
        plan = Plan(seed=options["seed"], cores=cores, progress=progress)
        name = f"{options['outcome']} ({options['measure']})"
        with kept_in(DrawStore(folder, key_of(evidence, options, plan), name, only)):
            return hierarchy(evidence, engine="mcmc", plan=plan, **options)

    return sampled
