"""What a triangulation holds: types of tumour with both kinds of evidence, and what two schools make of the slope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from igfmeta.bayes.slope import SDS, SlopePosterior
from igfmeta.models.errors_in_variables import ErrorsInVariables
from igfmeta.numerics import t_quantile
from igfmeta.synthesis.display import Pictured
from igfmeta.synthesis.questions import Question
from igfmeta.synthesis.results import finite
from igfmeta.synthesis.risk_results import RiskStudy, ratio
from igfmeta.synthesis.studies import Study

if TYPE_CHECKING:
    import pandas as pd

    from igfmeta.bayes.mcmc.sampling import Sampled


@dataclass(frozen=True)
class Unit:
    """A cancer of epidemiology with the trials of its tumour types, both on the log scale.

    Attributes
    ----------
    cancer, label : str
    tumors : tuple of str
        Tumour types whose trials are in, in words.
    x, x_se : float
        Log ratio of risk per standard deviation of the exposure.
    y, y_se : float
        Effect of the trials.
    studies : tuple of RiskStudy
    trials : tuple of Study
    """

    cancer: str
    label: str
    tumors: tuple[str, ...]
    x: float
    x_se: float
    y: float
    y_se: float
    studies: tuple[RiskStudy, ...]
    trials: tuple[Study, ...]

    def interval(self, axis: str, level: float) -> tuple[float, float]:
        """Return the normal limits of x or y."""
        middle, se = (self.x, self.x_se) if axis == "x" else (self.y, self.y_se)
        half = float(t_quantile(0.5 + level / 2, math.inf)) * se
        return middle - half, middle + half

    def to_dict(self, level: float) -> dict[str, Any]:
        x, y = self.interval("x", level), self.interval("y", level)
        return {
            "cancer": self.cancer,
            "label": self.label,
            "tumors": list(self.tumors),
            "predictor": {"k": len(self.studies), "log": self.x, "se": self.x_se, "estimate": ratio(self.x),
                          "ci_lower": ratio(x[0]), "ci_upper": ratio(x[1]),
                          "rows": [study.row_id for study in self.studies]},
            "trials": {"k": len(self.trials), "log": self.y, "se": self.y_se, "estimate": ratio(self.y),
                       "ci_lower": ratio(y[0]), "ci_upper": ratio(y[1]),
                       "rows": [row for trial in self.trials for row in trial.row_ids]},
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class PredictorFit:
    """The slope of trial effects on one kind of predictor.

    Attributes
    ----------
    key, label : str
        prospective, observational or genetic; and in words.
    units : tuple of Unit
    predictor_tau2, trial_tau2 : float
        Between studies, and between trials, of a unit; common to the units (REML).
    line : ErrorsInVariables or None
    posterior : SlopePosterior or None
    sampled : Sampled or None
        Everything drawn, where PyMC drew it.
    level : float
    better : {"lower", "higher"}
        Which direction of effect favours the experimental arm.
    missing : tuple of (str, str)
        Tumour types with trials that are not in, and why.
    sentences : tuple of str
        What can be said, and how little.
    """

    key: str
    label: str
    units: tuple[Unit, ...]
    predictor_tau2: float
    trial_tau2: float
    line: ErrorsInVariables | None
    posterior: SlopePosterior | None
    sampled: Sampled | None
    level: float
    better: str
    missing: tuple[tuple[str, str], ...]
    sentences: tuple[str, ...]

    @property
    def p_better(self) -> float | None:
        """Posterior probability that the treatment works better where the marker matters more."""
        if self.posterior is None:
            return None
        below = self.posterior.below(0.0)
        return below if self.better == "lower" else 1 - below

    def to_dict(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "label": self.label,
            "units": [unit.to_dict(self.level) for unit in self.units],
            "predictor_tau2": self.predictor_tau2,
            "trial_tau2": self.trial_tau2,
            "errors_in_variables": None if self.line is None else _line_to_dict(self.line),
            "bayes": None if self.posterior is None else self._posterior_to_dict(self.posterior),
            "not_in": [{"tumor": tumor, "reason": reason} for tumor, reason in self.missing],
            "sentences": list(self.sentences),
        }

    def _posterior_to_dict(self, posterior: SlopePosterior) -> dict[str, Any]:
        tails = (0.5, 0.5 - self.level / 2, 0.5 + self.level / 2)
        return {
            "engine": "importance sampling" if self.sampled is None else self.sampled.sampler,
            "prior_sd": posterior.prior_sd,
            **dict(zip(("slope", "ci_lower", "ci_upper"), map(posterior.quantile, tails), strict=True)),
            "sd": posterior.sd,
            "learned": posterior.learned,
            "p_better": self.p_better,
            "sds": {
                name: dict(zip(("median", "ci_lower", "ci_upper"), values, strict=True))
                for name, values in zip(SDS, posterior.sd_quantiles(tails), strict=True)
            },
            "effective_draws": posterior.effective_size,
            "pareto_k": finite(posterior.pareto_k),
            "reliable": bool(posterior.reliable),
            "diagnostics": None if self.sampled is None else self.sampled.diagnostics.to_dict(),
        }


def _line_to_dict(line: ErrorsInVariables) -> dict[str, Any]:
    names = ("k", "slope", "ci_lower", "ci_upper", "predictor_variance", "tau2", "reliability", "explained",
             "log_likelihood", "naive_slope", "naive_lower", "naive_upper")  # fmt: skip
    return {**{name: finite(getattr(line, name)) for name in names}, "bounded": line.bounded}


@dataclass(frozen=True, eq=False)
class Triangulation(Pictured):
    """Trials and epidemiology read together.

    Attributes
    ----------
    question : Question
        Of the trials.
    marker : str
    predictors : tuple of PredictorFit
        Observational studies, and Mendelian randomization as an independent second look.
    priors : mapping
        Of the slope and of the standard deviations, in words.
    remarks : tuple of str
    options : mapping
        How the question was asked, defaults included.
    origin, fingerprint, version : str
    """

    question: Question
    marker: str
    predictors: tuple[PredictorFit, ...]
    priors: Mapping[str, str]
    remarks: tuple[str, ...]
    options: Mapping[str, Any]
    level: float
    origin: str
    fingerprint: str
    version: str

    @property
    def title(self) -> str:
        """What is read together, in words."""
        return f"{self.question.label} against {self.marker.replace('_', ' ')} and the risk of the same cancer"

    @property
    def drawable(self) -> bool:
        """Whether a predictor has two cancers, so that there is something to draw."""
        return any(fit.posterior is not None for fit in self.predictors)

    def _repr_html_(self) -> str:
        return super()._repr_html_() if self.drawable else f"<p>{escape(self.predictors[0].sentences[0])}</p>"

    def __getitem__(self, key: str) -> PredictorFit:
        """Return the fit of a predictor by its key, such as "prospective" or "genetic"."""
        for fit in self.predictors:
            if fit.key == key:
                return fit
        raise KeyError(key)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, dictionaries, strings and numbers (JSON)."""
        return {
            "igfmeta": self.version,
            "evidence": {"origin": self.origin, "sha256": self.fingerprint},
            "question": dict(self.options),
            "outcome": self.question.name,
            "measure": self.question.measure,
            "better": self.question.better,
            "marker": self.marker,
            "per": "SD",
            "level": self.level,
            "priors": dict(self.priors),
            "predictors": [fit.to_dict() for fit in self.predictors],
            "remarks": list(self.remarks),
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per unit and predictor, ratios with their intervals."""
        import pandas as pd

        rows = []
        for fit in self.predictors:
            for unit in fit.units:
                x, y = unit.interval("x", fit.level), unit.interval("y", fit.level)
                rows.append(
                    {"predictor": fit.key, "cancer": unit.cancer, "tumors": "; ".join(unit.tumors),
                     "studies": len(unit.studies), "risk": ratio(unit.x), "risk_ci_lower": ratio(x[0]),
                     "risk_ci_upper": ratio(x[1]), "trials": len(unit.trials), "effect": ratio(unit.y),
                     "effect_ci_lower": ratio(y[0]), "effect_ci_upper": ratio(y[1])}
                )  # fmt: skip
        return pd.DataFrame(rows)
