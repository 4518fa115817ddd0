"""Several results of one study: where a selection holds them, all of them with robust variances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from igfmeta.errors import NothingToPool
from igfmeta.evidence.tables import Evidence
from igfmeta.numerics import t_quantile
from igfmeta.synthesis.robust import robust
from igfmeta.synthesis.robust_results import RobustResult

#: What stands for the measure of a pool that is of counts: arcsines take arms without an event as they are, where a
#: logit needs a correction that draws the mean up.
STANDS_FOR = {"PLO": "PAS"}


@dataclass(frozen=True, eq=False)
class Dependence:
    """Every usable result of every study of one outcome, or why they cannot be modelled.

    Attributes
    ----------
    use : {"primary", "sensitivity"}
        Which rows of the evidence may take part.
    result : RobustResult or None
    reason : str or None
    """

    use: str
    result: RobustResult | None
    reason: str | None

    def model_interval(self) -> tuple[float, float, float]:
        """Return the interval of the mean by the variance of the working model, and its degrees of freedom.

        The working model CHE is a multilevel model (results in studies, sampling errors correlated); its t interval
        has the degrees of freedom of `multilevel`: studies less 1.
        """
        assert self.result is not None
        fit, df = self.result.fit, float(self.result.fit.clusters - 1)
        half = float(t_quantile(0.5 + fit.level / 2, df)) * fit.coefficients[0].model_se
        return fit.coefficients[0].estimate - half, fit.coefficients[0].estimate + half, df

    @property
    def several(self) -> int:
        """How many studies give several results."""
        return 0 if self.result is None else self.result.several


def dependence_of(
    evidence: Evidence,
    outcome: str,
    measure: str,
    *,
    use: str,
    level: float,
    risk_weights: Mapping[str, float] | None,
    criteria: Mapping[str, Any],
) -> tuple[Dependence, ...]:
    """Return all results at the level of use that was asked for, and with sensitivity rows where these add any."""
    options = {"outcome": outcome, "measure": STANDS_FOR.get(measure, measure), "level": level}
    options |= {"risk_weights": risk_weights, **criteria}
    found = [_at(evidence, use, options)]
    if use == "primary":
        more = _at(evidence, "sensitivity", options)
        if more.result is not None and (found[0].result is None or more.result.fit.k > found[0].result.fit.k):
            found.append(more)
    return tuple(found)


def _at(evidence: Evidence, use: str, options: Mapping[str, Any]) -> Dependence:
    try:
        return Dependence(use, robust(evidence, use=use, **options), None)
    except NothingToPool as error:
        return Dependence(use, None, str(error))
