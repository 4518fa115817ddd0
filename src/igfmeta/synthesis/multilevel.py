"""Multilevel and multivariate models of the evidence: outcomes jointly, agents in classes, comparisons in studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from igfmeta.effects.sampling_covariance import joint_covariance
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level, listed
from igfmeta.evidence.tables import Evidence
from igfmeta.models.multilevel.fitting import fit_multilevel as fit_model
from igfmeta.models.multilevel.results import MultilevelFit
from igfmeta.models.multilevel.surrogacy import Surrogacy, surrogacy
from igfmeta.models.multilevel.terms import Term, parse
from igfmeta.models.multilevel.without_terms import without_terms
from igfmeta.numerics import Floats
from igfmeta.synthesis.eligibility import USE_LEVELS, Unused, comparison_of
from igfmeta.synthesis.fit_multilevel import paired
from igfmeta.synthesis.multilevel_results import SWEEP, MultilevelResult, MultilevelRow, Swept
from igfmeta.synthesis.pooling import Which, outcome_vocabulary, usable_effects
from igfmeta.synthesis.questions import Question, questions
from igfmeta.synthesis.remarks import of_transformed_rates
from igfmeta.synthesis.rows_to_effects import RowEffect
from igfmeta.synthesis.shared_arms import control_covariance
from igfmeta.synthesis.studies import Sources, row_label

#: Where each column of a random formula is found in a row of the evidence.
FACTORS = {
    "study": "study_id",
    "class": "agent_class",
    "agent": "agent",
    "tumor": "tumor_type",
    "phase": "phase",
}


@dataclass(frozen=True, eq=False)
class _Rows:
    """The effects of all outcomes, one after the other, and which outcome each is of.

    `others` are measures that the outcomes have too, where none was asked for.
    """

    questions: tuple[Question, ...]
    effects: tuple[RowEffect, ...]
    outcome: tuple[str, ...]
    unused: tuple[Unused, ...]
    others: tuple[str, ...]

    @property
    def measure(self) -> str:
        return self.questions[0].measure

    @property
    def comparison(self) -> list[str]:
        return [" / ".join(comparison_of(effect.row)) for effect in self.effects]


def _rows(
    evidence: Evidence,
    outcomes: Sequence[str],
    measure: str | None,
    use: str,
    criteria: dict[str, Any],
    sources: Sources,
) -> _Rows:
    possible = [questions([name], measure, outcome_vocabulary(evidence)) for name in outcomes]
    asked = [each[0] for each in possible]
    measures = {question.measure for question in asked}
    if len(measures) > 1:
        raise InputError(
            f"The outcomes {listed(outcomes)} are measured as {listed(sorted(measures))}; accepted are outcomes with "
            "one measure, such as os and pfs."
        )
    rows = evidence.select(**criteria).table("trials")
    found = [usable_effects(rows, question, use, criteria, sources) for question in asked]
    empty = [question.name for question, (effects, _) in zip(asked, found, strict=True) if not effects]
    if empty:
        raise NothingToPool(f"There is no usable row of {listed(empty)} in the selection.")
    return _Rows(
        questions=tuple(asked),
        effects=tuple(effect for effects, _ in found for effect in effects),
        outcome=tuple(q.name for q, (effects, _) in zip(asked, found, strict=True) for _ in effects),
        unused=tuple(each for _, unused in found for each in unused),
        others=tuple(question.measure for question in possible[0][1:]),
    )


def _columns(rows: _Rows) -> dict[str, list[str]]:
    """Return the columns that random formulas may name."""
    columns = {name: [str(e.row[key]) for e in rows.effects] for name, key in FACTORS.items()}
    columns["comparison"] = rows.comparison
    columns["outcome"] = list(rows.outcome)
    columns["row"] = [e.row["row_id"] for e in rows.effects]
    return columns


def _default(outcomes: Sequence[str], columns: dict[str, list[str]]) -> list[str]:
    """Return the random terms of a request that names none."""
    if len(outcomes) > 1:
        return ["~ outcome | study"]
    several = len(set(columns["comparison"])) > len(set(columns["study"])) > 1
    return ["~ 1 | study/comparison"] if several else ["~ 1 | study"]


def multilevel(
    evidence: Evidence,
    *,
    outcome: str | Sequence[str] = ("os", "pfs"),
    measure: str | None = None,
    random: Sequence[str] | str | None = None,
    struct: Sequence[str] | str | None = None,
    rho: float = 0.5,
    method: str = "REML",
    test: str = "groups",
    use: str = "primary",
    level: float = 0.95,
    **criteria: Unpack[Which],
) -> MultilevelResult:
    """Fit one or several outcomes of the evidence with nested, crossed or multivariate random effects.

    Contrasts that share a control arm are correlated by its events (or counts); outcomes of one comparison have the
    assumed correlation `rho` of their sampling errors, which the result also varies.

    Parameters
    ----------
    evidence : Evidence
    outcome : str or sequence of str
        Outcomes or families with one measure. Of two, the first is the true outcome and the second its surrogate.
    measure : str, optional
        As of `igfmeta.synthesis.pooling.pool`; logits of rates have normal variances here. Default: HR, or of counts
        the measure of two arms that the outcome has, which a remark then names.
    random : str or sequence of str, optional
        Formulas over study, comparison, outcome, class, agent, tumor, phase and row. Default: `~ outcome | study` for
        several outcomes; for one, `~ 1 | study/comparison` where studies have several comparisons, else `~ 1 | study`.
    struct : str or sequence of str, optional
        Of `inner | outer`; default UN.
    rho : float
        Between outcomes, within the comparison.
    method : {"REML", "ML"}
    test : {"z", "t", "contain", "groups", "satterthwaite"}
    use : {"primary", "sensitivity"}
    level : float
    **criteria
        The selection, as of `igfmeta.synthesis.pooling.pool`.

    Raises
    ------
    InputError
        Options that are not accepted; a model that the rows cannot carry.
    NothingToPool
        An outcome without a usable row.

    Examples
    --------
    >>> import igfmeta as im
    >>> result = multilevel(im.load_evidence(), agent_class="antibody", outcome=["os", "pfs"])
    >>> result.fit.names, [each.rho for each in result.sweep]
    (('os', 'pfs'), [0.0, 0.3, 0.5, 0.7, 0.9])
    """
    use, level = check_choice("use", use, USE_LEVELS), check_level(level)
    outcomes = _distinct([outcome] if isinstance(outcome, str) else list(outcome))
    sources = Sources.of(evidence.table("sources"))
    rows = _rows(evidence, outcomes, measure, use, dict(criteria), sources)
    columns = _columns(rows)
    wanted = [random] if isinstance(random, str) else list(random or _default(outcomes, columns))
    formulas, kinds = paired(wanted, [struct] if isinstance(struct, str) else list(struct or ["UN"]))
    terms = [t for f, kind in zip(formulas, kinds, strict=True) for t in parse(f, columns, struct=kind)]
    labels = [row_label(effect.row, sources) for effect in rows.effects]
    joint = len(outcomes) > 1
    within = control_covariance(rows.effects, rows.outcome, rows.measure)
    fits = _Fits(rows, terms, labels, within, {"method": method, "test": test, "level": level})
    fit = fits.at(rho if joint else 0.0)
    return MultilevelResult(
        title=_title(rows, fit),
        measure=rows.measure,
        random=formulas,
        struct=kinds,
        mods="~ outcome - 1" if joint else None,
        cluster="comparison" if joint else None,
        rho=rho if joint else None,
        fit=fit,
        without=without_terms(fit),
        sweep=tuple(fits.swept(each, fit if each == rho else None) for each in SWEEP) if joint else (),
        surrogacy=fits.line(fit),
        rows=tuple(
            MultilevelRow(label, name, effect.yi, effect.vi, effect.derivation, None, row_id=effect.row["row_id"])
            for label, name, effect in zip(labels, rows.outcome, rows.effects, strict=True)
        ),
        trial=tuple(columns["comparison"]),
        unused=rows.unused,
        remarks=_remarks(rows, columns),
        file=None,
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
    )


def _distinct(outcomes: list[str]) -> list[str]:
    repeated = sorted({name for name in outcomes if outcomes.count(name) > 1})
    if repeated:
        raise InputError(f"The outcome {listed(repeated)} was given twice; accepted are different outcomes.")
    return outcomes


@dataclass(frozen=True, eq=False)
class _Fits:
    """The same rows and terms under any assumed correlation."""

    rows: _Rows
    terms: Sequence[Term]
    labels: Sequence[str]
    within: Floats
    options: dict[str, Any]

    def at(self, rho: float) -> MultilevelFit:
        names = [question.name for question in self.rows.questions]
        joint = len(names) > 1
        x = np.array([[outcome == name for name in names] for outcome in self.rows.outcome], dtype=float)
        v = (
            self.within
            if not joint
            else joint_covariance(self.within, self.rows.outcome, self.rows.comparison, rho=rho)
        )
        return fit_model(
            [effect.yi for effect in self.rows.effects], v, self.terms, x=x if joint else None,
            names=names if joint else None, labels=self.labels, **self.options,
        )  # fmt: skip

    def line(self, fit: MultilevelFit) -> Surrogacy | None:
        """Return the surrogacy line of a bivariate fit; None for other models."""
        names = [question.name for question in self.rows.questions]
        shape = self.terms[0].structure
        if (
            len(names) != 2
            or len(self.terms) != 1
            or shape.kind != "UN"
            or set(self.terms[0].inner_levels) != set(names)
        ):
            return None
        return surrogacy(fit, surrogate=names[1], true=names[0])

    def swept(self, rho: float, known: MultilevelFit | None) -> Swept:
        fit = self.at(rho) if known is None else known
        return Swept(rho, fit, self.line(fit))


def _title(rows: _Rows, fit: MultilevelFit) -> str:
    labels = " and ".join(question.label for question in rows.questions)
    studies = len({effect.row["study_id"] for effect in rows.effects})
    return f"{labels}: multilevel model, {fit.k} effects of {studies} studies"


def _remarks(rows: _Rows, columns: dict[str, list[str]]) -> tuple[str, ...]:
    said = []
    if rows.others:
        said.append(
            f"No measure was named: {rows.measure} is modelled; measure {listed(rows.others)} (--measure) takes the "
            "rates of single arms instead."
        )
    if rows.measure in ("PLO", "PLN"):
        said.append(of_transformed_rates(rows.effects, rows.measure))
    return (*said, *_complete(rows, columns))


def _complete(rows: _Rows, columns: dict[str, list[str]]) -> tuple[str, ...]:
    if len(rows.questions) == 1:
        return ()
    reported: dict[str, set[str]] = {}
    for comparison, outcome in zip(columns["comparison"], rows.outcome, strict=True):
        reported.setdefault(comparison, set()).add(outcome)
    complete = sum(len(found) == len(rows.questions) for found in reported.values())
    return (
        f"{complete} of {len(reported)} comparisons report every outcome; the others take part with what they report.",
    )
