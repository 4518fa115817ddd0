"""Pools clinical-trial results with frequentist and Bayesian models side by side.

>>> import igfmeta as im
>>> evidence = im.load_evidence()
>>> result = im.pool(evidence, agent_class="antibody", outcome="os", by="tumor")
>>> result["os"].overall.fit.method
'REML'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from igfmeta.errors import IgfmetaError, InputError, NothingToPool
from igfmeta.synthesis.display import register
from igfmeta.version import __version__

if TYPE_CHECKING:
    from igfmeta.bayes.averaging import average_models
    from igfmeta.evidence import load_evidence
    from igfmeta.evidence.importing import import_candidates
    from igfmeta.synthesis.audit.run import audit
    from igfmeta.synthesis.averages import average
    from igfmeta.synthesis.bias import BiasOptions
    from igfmeta.synthesis.checks import bias, influence, sensitivity
    from igfmeta.synthesis.dose import dose_response
    from igfmeta.synthesis.fitting import fit
    from igfmeta.synthesis.hierarchy import hierarchy
    from igfmeta.synthesis.inputs import Columns
    from igfmeta.synthesis.joint import joint
    from igfmeta.synthesis.methods import Methods
    from igfmeta.synthesis.models_of_fit import fit_with
    from igfmeta.synthesis.multilevel import multilevel
    from igfmeta.synthesis.pooling import pool
    from igfmeta.synthesis.regress import regress
    from igfmeta.synthesis.risk import risk
    from igfmeta.synthesis.robust import robust
    from igfmeta.synthesis.survival_curves import survival_curves as km
    from igfmeta.synthesis.triangulation import triangulate

#: Public names and where they live (`module`, or `module:name` under another name); loaded when first used, so that
#: `import igfmeta` costs nothing.
_WHERE = {
    "BiasOptions": "igfmeta.synthesis.bias",
    "Columns": "igfmeta.synthesis.inputs",
    "Methods": "igfmeta.synthesis.methods",
    "audit": "igfmeta.synthesis.audit.run",
    "average": "igfmeta.synthesis.averages",
    "average_models": "igfmeta.bayes.averaging",
    "bias": "igfmeta.synthesis.checks",
    "dose_response": "igfmeta.synthesis.dose",
    "fit": "igfmeta.synthesis.fitting",
    "fit_with": "igfmeta.synthesis.models_of_fit",
    "hierarchy": "igfmeta.synthesis.hierarchy",
    "import_candidates": "igfmeta.evidence.importing",
    "influence": "igfmeta.synthesis.checks",
    "joint": "igfmeta.synthesis.joint",
    "km": "igfmeta.synthesis.survival_curves:survival_curves",
    "load_evidence": "igfmeta.evidence",
    "multilevel": "igfmeta.synthesis.multilevel",
    "pool": "igfmeta.synthesis.pooling",
    "regress": "igfmeta.synthesis.regress",
    "risk": "igfmeta.synthesis.risk",
    "robust": "igfmeta.synthesis.robust",
    "sensitivity": "igfmeta.synthesis.checks",
    "triangulate": "igfmeta.synthesis.triangulation",
}

# Results draw themselves, and what draws them stands above them: it is named here and loaded when first needed.
register(lambda: import_module("igfmeta.plots.drawn"))

__all__ = [
    "BiasOptions",
    "Columns",
    "IgfmetaError",
    "InputError",
    "Methods",
    "NothingToPool",
    "__version__",
    "audit",
    "average",
    "average_models",
    "bias",
    "dose_response",
    "fit",
    "fit_with",
    "hierarchy",
    "import_candidates",
    "influence",
    "joint",
    "km",
    "load_evidence",
    "multilevel",
    "pool",
    "regress",
    "risk",
    "robust",
    "sensitivity",
    "triangulate",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'igfmeta' has no attribute {name!r}")
    module, _, other = _WHERE[name].partition(":")
    return getattr(import_module(module), other or name)


def __dir__() -> list[str]:
    return sorted(__all__)
