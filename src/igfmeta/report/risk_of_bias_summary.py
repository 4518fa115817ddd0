"""Risk of bias as a table: one line per study, one column per domain."""

from __future__ import annotations

from igfmeta.evidence.risk_of_bias import JUDGEMENTS, WORDS
from igfmeta.report.summary import Column, SummaryTable
from igfmeta.synthesis.risk_of_bias import OVERALL, RiskOfBias


def _shown(judgement: str) -> str:
    return WORDS[judgement] if judgement in JUDGEMENTS else ""


def tables(result: RiskOfBias, title: str = "Risk of bias") -> tuple[SummaryTable, ...]:
    """Return the judgements of each study with the numbers of each below, and what supports them."""
    domains = (*result.domains, OVERALL)
    rows = [(study.label, *(_shown(result.judgement(study, name)) for name in domains)) for study in result.studies]
    counted = [
        ", ".join(f"{n} {WORDS[name]}" for name, n in result.counts(domain).items() if n and name in JUDGEMENTS)
        for domain in domains
    ]
    notes = [f"Tool: {', '.join(result.tools)}. {result.rule}"]
    if result.all_derived:
        notes.append("Every judgement follows from the evidence table by rule; this is no assessment by people.")
    if result.not_judged:
        notes.append(f"{result.not_judged} selected studies were not judged.")
    headings = ("Study", *(name.replace("_", " ").capitalize() for name in domains))
    found = SummaryTable(
        title=title,
        columns=tuple(Column(heading, numeric=False) for heading in headings),
        rows=(*rows, (f"{len(rows)} studies", *counted)),
        set_apart=frozenset({len(rows)}),
        notes=tuple(notes),
    )
    return (found, _support(result))


def _support(result: RiskOfBias) -> SummaryTable:
    lines = [
        (study.label, name.replace("_", " "), WORDS[value], study.support[name], study.derived[name])
        for study in result.studies
        for name, value in study.judgements.items()
    ]
    lines += [
        (study.label, OVERALL, WORDS[study.overall], study.given, "")
        for study in result.studies
        if study.given is not None
    ]
    return SummaryTable(
        title="What supports each judgement",
        columns=tuple(
            Column(h, numeric=False) for h in ("Study", "Domain", "Judgement", "Support", "Derived from row")
        ),
        rows=tuple(lines),
        set_apart=frozenset(),
        notes=(f"{result.origin}, sha256 {result.fingerprint[:12]}",),
    )
