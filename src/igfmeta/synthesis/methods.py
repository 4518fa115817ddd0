"""The statistical choices of one analysis, held together and handed to both engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from igfmeta.bayes.mu_priors import FlatMu, MuPrior

#: The interval of rates that are pooled from their counts, and those that they share with normal effects.
PROFILE = "PL"
_SHARED = ("z", "t")


@dataclass(frozen=True)
class Methods:
    """Estimator, intervals and the prior of mu; each engine validates what is its own."""

    method: str = "REML"
    ci: str = "HK"
    pi: str = "HK"
    tau2_ci: str = "QP"
    level: float = 0.95
    interval: str = "central"
    mu_prior: MuPrior = field(default_factory=FlatMu)

    @property
    def common(self) -> bool:
        """Whether tau2 is held at 0; rates that are pooled from their counts have ML otherwise."""
        return self.method.upper() == "CE"

    @property
    def rate_ci(self) -> str:
        """The interval of rates that are pooled from their counts: z or t where that is asked for."""
        return self.ci.lower() if self.ci.lower() in _SHARED else PROFILE

    def frequentist(self) -> dict[str, Any]:
        """Return the options of `igfmeta.models.pooling.pool`."""
        return {
            "method": self.method,
            "ci": self.ci,
            "pi": self.pi,
            "tau2_ci": self.tau2_ci,
            "level": self.level,
        }

    def bayesian(self) -> dict[str, Any]:
        """Return the options of `igfmeta.bayes.posterior.normal_normal`, the prior of tau apart."""
        return {"mu_prior": self.mu_prior, "level": self.level, "interval": self.interval}
