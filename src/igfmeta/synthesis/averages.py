"""Averages over models of a set of studies: is there an effect, heterogeneity, publication bias, and how large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from igfmeta.bayes.averaged import Averaged, Spiked
from igfmeta.bayes.averaging import FAVOURS, average_models
from igfmeta.bayes.mu_priors import MuPrior, NormalMu, parse_mu_prior
from igfmeta.bayes.publication_bias import BIAS_SETS, NoBias, bias_set
from igfmeta.bayes.tau_priors import TauPrior, default_tau_prior, parse_tau_prior
from igfmeta.effects.scales import label_of, null_value
from igfmeta.errors import NothingToPool, check_choice, check_level
from igfmeta.models import pooling
from igfmeta.models.results import Pooled
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.results import PoolResult
from igfmeta.synthesis.study_sets import StudySet, sets_of_pool
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

#: Below this many studies models of publication bias say next to nothing.
FEW = 10

#: Standard deviation of the prior of the effect by measure: 1 for log ratios and effects of unknown scale; less where
#: the measure itself is bounded.
_MU_SD = {"RD": 0.25, "AS": 0.25}


def default_mu_prior(measure: str) -> MuPrior:
    """Return the prior of the effect where none is named: normal around no effect, its sd by the measure.

    Examples
    --------
    >>> default_mu_prior("HR").label, default_mu_prior("RD").label
    ('normal(0, 1)', 'normal(0, 0.25)')
    """
    return NormalMu(0, _MU_SD.get(measure, 1.0))


@dataclass(frozen=True, eq=False)
class AverageOf:
    """The average over models of one set of studies.

    Attributes
    ----------
    studies : StudySet
    averaged : Averaged
        On the analysis scale.
    fit : Pooled
        The frequentist pool of the same studies, which knows no bias.
    remarks : tuple of str
    """

    studies: StudySet
    averaged: Averaged
    fit: Pooled
    remarks: tuple[str, ...]

    @property
    def without_bias(self) -> Spiked:
        """The effect given that there is one and that nothing is missing."""
        parts = [(m.probability, m.fit.mu) for m in self.averaged.members if m.effect and isinstance(m.bias, NoBias)]
        return Spiked.given(parts)

    @property
    def p_benefit(self) -> float | None:
        """Probability, over all models, that the effect favours the experimental arm; None where none is favoured."""
        if self.studies.favoured is None:
            return None
        mu = self.averaged.mu
        below = float(mu.cdf([0.0])[0]) - mu.spike
        return below if self.studies.favoured == "less" else 1 - below - mu.spike

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        found = self.averaged.to_dict()
        for name in ("mu", "mu_given_effect"):
            scaled = {key: self.studies.natural(found[name][key]) for key in ("median", "lower", "upper")}
            found[name] = {**found[name], "natural": scaled}
        return {
            **self.studies.head(),
            **found,
            "p_benefit": self.p_benefit,
            "without_bias": self.without_bias.summary(self.averaged.level).__dict__,
            "studies": [
                {"study": label, "yi": float(y), "vi": float(v)}
                for label, y, v in zip(self.studies.labels, self.studies.yi, self.studies.vi, strict=True)
            ],
            "unused": list(self.studies.unused),
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True, eq=False)
class AverageResult:
    """Averages of several sets of studies, and a sentence for each set that has none."""

    parts: tuple[AverageOf, ...]
    skipped: tuple[str, ...]

    def __iter__(self) -> Iterator[AverageOf]:
        return iter(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": __version__, "results": [part.to_dict() for part in self.parts], "skipped": list(self.skipped)
        }  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """Return the models, one row each."""
        import pandas as pd

        return pd.DataFrame(
            [{"set": part.studies.name, **row} for part in self.parts for row in part.averaged.to_dict()["models"]]
        )


def average_of(
    studies: StudySet,
    methods: Methods | None = None,
    *,
    bias: str = "psma",
    favours: str | None = None,
    mu_prior: str | MuPrior | None = None,
    tau_prior: str | TauPrior | None = None,
    peese_scale: float = 5.0,
    p_effect: float = 0.5,
    p_heterogeneity: float = 0.5,
) -> AverageOf:
    """Average over models of the studies.

    Parameters
    ----------
    studies : StudySet
        Of a measure for which there is such a thing as no effect.
    methods : Methods, optional
        Of the frequentist pool beside it, and the level of every interval.
    bias : {"psma", "steps", "none"}
        Models of publication bias: see `igfmeta.bayes.publication_bias.bias_set`.
    favours : {"higher", "lower"}, optional
        Which effects are more likely to be published. By default those that favour the experimental arm; of a table,
        the higher ones.
    mu_prior, tau_prior : str or prior, optional
        Defaults by `default_mu_prior` and `default_tau_prior`.
    peese_scale : float
        Of the half-Cauchy prior of the slope of PEESE, in units of effect per variance; that of PET is 1.
    p_effect, p_heterogeneity : float
        Prior probabilities.
    """
    methods = methods or Methods()
    level = check_level(methods.level)
    favours = favours or {"less": "lower"}.get(studies.favoured or "", "higher")
    mu = parse_mu_prior(mu_prior) if isinstance(mu_prior, str) else mu_prior or default_mu_prior(studies.measure)
    tau = parse_tau_prior(tau_prior) if isinstance(tau_prior, str) else tau_prior
    averaged = average_models(
        studies.yi,
        studies.vi,
        mu_prior=mu,
        tau_prior=tau or default_tau_prior(studies.measure),
        bias=bias_set(bias, peese_scale=peese_scale),
        favours=check_choice("favours", favours, tuple(FAVOURS)),
        p_effect=p_effect,
        p_heterogeneity=p_heterogeneity,
        level=level,
    )
    fit = pooling.pool_one(studies.yi, studies.vi, **methods.frequentist())
    return AverageOf(studies, averaged, fit, tuple(_remarks(averaged)))


def _remarks(averaged: Averaged) -> Iterator[str]:
    several = any(not isinstance(m.bias, NoBias) for m in averaged.members)
    if several and averaged.k < FEW:
        yield (
            f"With {averaged.k} {'study' if averaged.k == 1 else 'studies'} the data can hardly tell models of "
            "publication bias apart: the result leans on the prior probabilities."
        )
    if averaged.accuracy > 1e-2:
        yield f"The integrals are accurate only to {averaged.accuracy:.1g} in the log marginal likelihood."


def average_in(sets: Sequence[StudySet], methods: Methods | None = None, **options: Any) -> AverageResult:
    """Average over models of each set; a set of rates, for which no effect is not defined, is skipped with a sentence.

    Raises
    ------
    NothingToPool
        No set has an average.
    """
    check_choice("bias", options.get("bias", "psma"), BIAS_SETS)
    parts, skipped = [], []
    for studies in sets:
        if null_value(studies.measure) is None:
            skipped.append(
                f"{studies.label}: of a {label_of(studies.measure)} there is no value that means no effect, so that "
                "models with and without an effect cannot be compared."
            )
        else:
            parts.append(average_of(studies, methods, **options))
    if not parts:
        raise NothingToPool("\n".join(skipped) or "There is no study to average over.")
    return AverageResult(tuple(parts), tuple(skipped))


def average(result: PoolResult, methods: Methods | None = None, **options: Any) -> AverageResult:
    """Average over models of the studies of each answer of a pool; by group where the pool was made by group.

    Parameters
    ----------
    result : PoolResult
        Of `igfmeta.pool`; with `by="none"` all studies together.
    methods : Methods, optional
    **options
        Of `average_of`: bias, favours, mu_prior, tau_prior, peese_scale, p_effect, p_heterogeneity.

    Examples
    --------
    >>> import igfmeta as im
    >>> pooled = im.pool(im.load_evidence(), agent_class="antibody", outcome="os", by="none")
    >>> (found,) = average(pooled, bias="none")
    >>> round(found.averaged.inclusion("effect").bf, 2)
    0.13
    """
    return average_in(sets_of_pool(result), methods, **options)
