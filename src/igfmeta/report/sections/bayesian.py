"""The Bayesian side: priors and what they mean, what they predict before any data, posteriors, and diagnostics."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.bayes.posterior import Posterior
from igfmeta.bayes.tau_priors import parse_tau_prior
from igfmeta.plots.prior import prior_figure
from igfmeta.report.content import Block, Paragraph, Points, Section
from igfmeta.report.hierarchy_summary import estimate, model_lines
from igfmeta.report.model_words import methods_line
from igfmeta.report.pictures import picture
from igfmeta.report.sections.parts import by_outcome, key_of, table, words_table
from igfmeta.report.summary import SummaryTable
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.hierarchy_results import HierarchyResult
from igfmeta.synthesis.prior_meaning import PriorContrast, prior_meaning


def section(analysis: Analysis) -> Section | None:
    """Return the priors, the prior predictive and the diagnostics of each outcome."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "bayes"), "Bayesian results", parts)


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    assert outcome.answer is not None
    posterior = outcome.answer.overall.posterior
    said = methods_line(outcome.answer.overall)
    if isinstance(posterior, Posterior):
        said += f" Error of the numerical integration at most {posterior.accuracy:.0e}."
    blocks: list[Block] = [Paragraph(said)]
    model = outcome.hierarchy
    if model is None:
        return blocks
    contrasts = prior_meaning({s.name: parse_tau_prior(s.prior) for s in model.sources}, rates=model.is_rate)
    blocks.append(
        picture(
            key_of(analysis, outcome.key, "prior-predictive"),
            prior_figure(contrasts, rates=model.is_rate),
            title="Prior predictive: how far apart two effects may be before any data",
            description="A density for each pair of effects on a log axis with 50 and 95 % intervals, centred on 1.",
            data=_meaning(contrasts),
        )
    )
    blocks.append(Points(tuple(model_lines(model))))
    if outcome.sampled is not None:
        blocks.append(table(key_of(analysis, outcome.key, "engines"), _engines(model, outcome.sampled)))
        blocks.append(Points(tuple(model_lines(outcome.sampled))))
    return blocks


def _meaning(contrasts: Sequence[PriorContrast]) -> SummaryTable:
    return words_table(
        "What the priors say before any data",
        ("Two effects", "Prior of the standard deviations", "50 % within a factor of", "95 % within a factor of"),
        [(c.name, c.prior, f.number(c.factor_50), f.number(c.factor_95)) for c in contrasts],
        numeric=(2, 3),
    )


def _engines(exact: HierarchyResult, sampled: HierarchyResult) -> SummaryTable:
    pairs = zip((*exact.cells, *exact.averages), (*sampled.cells, *sampled.averages), strict=True)
    rows = [
        (f"{a.agent_class}, {a.tumor}", f"{a.k}", estimate(exact, a.median, a.ci_lower, a.ci_upper),
         estimate(sampled, b.median, b.ci_lower, b.ci_upper))
        for a, b in pairs
    ]  # fmt: skip
    return words_table(
        "The exact engine beside PyMC", ("Cell", "k", "Exact", "PyMC"), rows, numeric=(1, 2, 3),
        notes=("Both fit the same model; what differs is Monte Carlo error.",),
    )  # fmt: skip
