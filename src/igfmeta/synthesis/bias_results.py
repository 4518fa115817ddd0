"""What `bias` holds: everything that its tables, figures and JSON need."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.models.bias.adjusted import Adjusted
from igfmeta.models.bias.copas import Copas
from igfmeta.models.bias.excess import Excess
from igfmeta.models.bias.failsafe import ADVICE, FailSafe
from igfmeta.models.bias.funnel import Asymmetry
from igfmeta.models.bias.limit import LimitMeta
from igfmeta.models.bias.p_curve import PCurve
from igfmeta.models.bias.registry import TESTS
from igfmeta.models.bias.selection.model import SelectionModel
from igfmeta.models.bias.trim_and_fill import TrimAndFill
from igfmeta.models.results import Pooled
from igfmeta.synthesis.display import Plotted
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.study_sets import StudySet, sets_to_dict

if TYPE_CHECKING:
    import pandas as pd

_ON_SCALE = ("estimate", "ci_lower", "ci_upper")


def _plain(value: Any) -> Any:
    """Return what JSON can hold: None for NaN and infinity, lists for arrays and tuples."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(each) for each in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True, eq=False)
class BiasOf:
    """The small-study effects of one set of studies.

    Attributes
    ----------
    studies : StudySet
    fit : Pooled
        Without any adjustment: the pool itself, of rates that of their counts.
    alternative : {"greater", "less", "two-sided"}
        Direction of one-sided p-values.
    logits : Pooled or None
        Of rates, where adjustments were forced: the normal approximation that these adjust.
    tests : tuple of (name, Asymmetry)
    trim_and_fill : tuple of TrimAndFill
    adjusted : tuple of (name, Adjusted)
    limit, copas, excess, p_curve, fail_safe
        None where not asked for, or without an answer.
    selection : tuple of SelectionModel
    not_run : tuple of str
        What had no answer and why.
    notes : tuple of str
    hints : tuple of str
        How what was not given may be had from the command line.
    refused : str or None
        Why nothing was run.
    """

    studies: StudySet
    fit: Pooled
    alternative: str
    logits: Pooled | None = None
    tests: tuple[tuple[str, Asymmetry], ...] = ()
    trim_and_fill: tuple[TrimAndFill, ...] = ()
    adjusted: tuple[tuple[str, Adjusted], ...] = ()
    limit: LimitMeta | None = None
    selection: tuple[SelectionModel, ...] = ()
    copas: Copas | None = None
    excess: Excess | None = None
    p_curve: PCurve | None = None
    fail_safe: FailSafe | None = None
    not_run: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    refused: str | None = None

    def estimates(self) -> list[tuple[str, float, float, float, float, str]]:
        """Return every pooled effect: name, estimate, limits, p-value and a detail; the unadjusted first."""
        unadjusted = [(self.fit, "binomial likelihood" if self.studies.counted else "")]
        unadjusted += [(self.logits, "normal approximation, as all below")] if self.logits is not None else []
        rows = [
            (f"Unadjusted ({fit.method}, {fit.ci})", fit.estimate, fit.ci_lower, fit.ci_upper,
             math.nan if fit.p_value is None else fit.p_value, detail)
            for fit, detail in unadjusted
        ]  # fmt: skip
        for filled in self.trim_and_fill:
            p_value = math.nan if filled.fit.p_value is None else filled.fit.p_value
            detail = f"{filled.missing} filled in on the {filled.side}"
            rows.append((f"Trim and fill {filled.estimator}", filled.fit.estimate, filled.fit.ci_lower,
                         filled.fit.ci_upper, p_value, detail))  # fmt: skip
        named = [*self.adjusted, *([("Limit meta-analysis", self.limit.adjusted)] if self.limit else [])]
        rows += [(name, a.estimate, a.ci_lower, a.ci_upper, a.p_value, a.detail) for name, a in named]
        return rows

    def to_dict(self) -> dict[str, Any]:
        studies = self.studies

        def effect(found: dict[str, Any]) -> dict[str, Any]:
            return {**found, "natural": {name: studies.natural(found[name]) for name in _ON_SCALE}}

        out: dict[str, Any] = {
            **studies.head(),
            **studies.pooled_by(self.fit),
            "alternative": self.alternative,
            "refused": self.refused,
        }
        unadjusted = {name: getattr(self.fit, name) for name in (*_ON_SCALE, "p_value", "tau2")}
        out["unadjusted"] = effect(unadjusted if studies.has_null else unadjusted | {"p_value": None})
        out["tests"] = [
            {"test": name, "label": TESTS[name].label, "paper": TESTS[name].paper, **asdict(found)}
            for name, found in self.tests
        ]
        out["trim_and_fill"] = [
            effect(
                {
                    "estimator": t.estimator, "side": t.side, "missing": t.missing, "se_missing": t.se_missing,
                    "p_missing": t.p_value, "filled_yi": t.filled_yi, "filled_vi": t.filled_vi,
                    "estimate": t.fit.estimate, "ci_lower": t.fit.ci_lower, "ci_upper": t.fit.ci_upper,
                    "p_value": t.fit.p_value, "tau2": t.fit.tau2, "converged": t.converged,
                }
            )
            for t in self.trim_and_fill
        ]  # fmt: skip
        out["adjusted"] = [{"method": name, **effect(asdict(found))} for name, found in self.adjusted]
        if self.limit is not None:
            limit = asdict(self.limit)
            out["limit_meta"] = {**limit, "adjusted": effect(limit["adjusted"])}
        out["selection"] = [effect(asdict(found)) for found in self.selection]
        if self.copas is not None:
            steps = [effect(asdict(step)) for step in self.copas.steps]
            out["copas"] = {"steps": steps, "adequate": self.copas.adequate}
        for name in ("excess", "p_curve"):
            found = getattr(self, name)
            if found is not None:
                out[name] = asdict(found)
        if self.fail_safe is not None:
            out["fail_safe"] = {**asdict(self.fail_safe), "advice": ADVICE}
        plain: dict[str, Any] = _plain({**out, "not_run": self.not_run, "notes": self.notes})
        return plain


@dataclass(frozen=True, eq=False)
class BiasResult(Plotted):
    """The small-study effects of each set of studies."""

    sets: tuple[BiasOf, ...]
    methods: Methods

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries, strings and numbers (JSON)."""
        return sets_to_dict(self.sets, self.methods)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per test and per adjusted effect, effects on the reader's scale."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for each in self.sets:
            first = {"set": each.studies.name, "k": each.studies.k}
            for name, test in each.tests:
                kept = {"statistic": test.statistic, "df": test.df, "p_value": test.p_value, "slope": test.slope}
                rows.append({**first, "kind": "test", "name": name, **kept})
            effects = [
                *each.estimates(),
                *((f"selection {m.kind}", m.estimate, m.ci_lower, m.ci_upper, m.p_value, "") for m in each.selection),
            ]
            for name, estimate, lower, upper, p_value, _ in effects:
                scaled = [each.studies.natural(value) for value in (estimate, lower, upper)]
                on_scale = dict(zip(_ON_SCALE, scaled, strict=True))
                rows.append({**first, "kind": "effect", "name": name, "p_value": p_value, **on_scale})
        return pd.DataFrame(rows)
