"""How certainty was rated: for each domain the inputs, the rule, the suggestion, and what a person said."""

from __future__ import annotations

from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.report.content import Block, Paragraph, Section
from igfmeta.report.sections.parts import by_outcome, heading_of, key_of, table, words_table
from igfmeta.synthesis.analysis import Analysis, OutcomeAnalysis
from igfmeta.synthesis.certainty import Domain, Input

_DOWN = {0: "none", 1: "1 level down", 2: "2 levels down", 3: "3 levels down"}

#: Inputs that are whole numbers.
COUNTED = ("studies", "patients", "types", "classes", "events", "I2")

LEAD = (
    "GRADE starts randomized comparisons at high certainty and results without a control at low, and takes levels away "
    "by five domains. What stands here is a suggestion by stated rules on computed inputs, not a judgement: a protocol "
    "may rate any domain instead, with its reason."
)


def section(analysis: Analysis) -> Section | None:
    """Return a table of domains for each outcome."""
    parts = [(outcome, _blocks(analysis, outcome)) for outcome, _ in analysis.answered]
    return by_outcome(key_of(analysis, "certainty"), "Certainty", parts, lead=(Paragraph(LEAD, "note"),))


def _blocks(analysis: Analysis, outcome: OutcomeAnalysis) -> Sequence[Block]:
    rating = outcome.rating
    if rating is None:
        return ()
    made = words_table(
        f"{heading_of(outcome)}: starts {rating.start}, ends {rating.level}",
        ("Domain", "Inputs", "Rule", "Suggestion", "Counts"),
        [_row(domain) for domain in rating.domains],
    )
    return [table(key_of(analysis, outcome.key, "grade"), made)]


def _row(domain: Domain) -> tuple[str, ...]:
    counts = _DOWN[domain.rated]
    if domain.reason is not None:
        counts += f", by a person: {domain.reason}"
    return (
        domain.name.replace("_", " ").capitalize(),
        "\n".join(_input(each) for each in domain.inputs),
        domain.rule,
        f"Suggestion: {_DOWN[domain.suggested]}",
        counts,
    )


def _input(given: Input) -> str:
    name, value = given
    if isinstance(value, str):
        return f"{name}: {value}"
    if name.startswith("share"):
        return f"{name}: {f.percent(value)}"
    if name.startswith(COUNTED):
        return f"{name}: {f.count(value)}"
    return f"{name}: {f.small(value) if name.startswith(('tau2', 'p of')) else f.number(value)}"
