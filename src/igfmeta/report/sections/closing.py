"""What every report ends with: limits, sources, extraction, protocol, software, how to reproduce it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from igfmeta import formatting as f
from igfmeta.evidence.explain import citation_of
from igfmeta.report.content import DataTable, Link, Paragraph, Points, Provenance, Section, Verbatim
from igfmeta.report.sections.parts import words_table
from igfmeta.synthesis.analysis import Analysis
from igfmeta.synthesis.eligibility import Row


def _rows(analyses: Sequence[Analysis]) -> list[Row]:
    """Return the rows that any pool or model of all results used, in the order of the tables."""
    used = {i for a in analyses for _, answer in a.answered for s in answer.overall.studies for i in s.row_ids}
    used |= {study.row_id for a in analyses for result in a.risks for g in result.everything() for study in g.studies}
    shown = [each.result for a in analyses for outcome, _ in a.answered for each in outcome.dependence if each.several]
    used |= {row.row_id for result in shown if result is not None for row in result.rows}
    evidence = analyses[0].evidence
    rows = (*evidence.table("trials"), *evidence.table("associations"))
    return [row for row in rows if row["row_id"] in used]


def limits(analyses: Sequence[Analysis]) -> Section:
    """Return what the reader should hold against the report, counted where it can be."""
    rows = _rows(analyses)
    single = sum(row.get("extraction") == "single" for row in rows if "extraction" in row)
    trials = [row for row in rows if "extraction" in row]
    said = ["Trial-level data: no individual patients, no survival curves; what a source does not print is not here."]
    if trials:
        said.append(f"{single} of {len(trials)} rows of trials that were used were read by one person only.")
    medians = [o for a in analyses for o, _ in a.answered if o.absolute and o.absolute.horizon_months is not None]
    if medians:
        said.append(
            "Absolute effects on times to an event suppose constant hazards in control arms and proportional hazards."
        )
    few = [f"{answer.question.label} ({a.protocol.title})" for a in analyses for _, answer in a.answered
           if answer.overall.fit.k < 5]  # fmt: skip
    if few:
        said.append(f"Fewer than 5 studies, so that tau2 is hardly estimable: {'; '.join(few)}.")
    said += [
        f"{answer.question.label} ({a.protocol.title}): {text[:1].lower()}{text[1:]}"
        for a in analyses
        for _, answer in a.answered
        for text in answer.overall.remarks
        if text.startswith("The schools part")
    ]
    missing = [o.missing.reason for a in analyses for o in a.outcomes if o.missing is not None]
    said += [f"No answer: {reason}" for reason in missing]
    said.append("Certainty is suggested by rules; risk of bias within trials was not assessed by a reader.")
    return Section("limits", "Limits", (Points(tuple(dict.fromkeys(said))),))


def sources(analyses: Sequence[Analysis]) -> Section | None:
    """Return every source of a number that was used, with its identifiers; one without an entry by its identity."""
    uses = Counter(row["source_id"] for row in _rows(analyses))
    if not uses:
        return None
    table = {source["source_id"]: source for source in analyses[0].evidence.table("sources")}
    known = [source_id for source_id in table if source_id in uses]
    order = [*known, *sorted(set(uses) - set(known))]
    links, lines = {}, []
    for i, source_id in enumerate(order):
        source = table.get(source_id)
        if source is None:
            lines.append((source_id, "", "", "", "not in the table of sources", f.count(uses[source_id])))
            continue
        doi, pmid = source["doi"], source["pmid"]
        lines.append((citation_of(source), doi or "", pmid or "", source["nct_id"] or "", source["status"],
                      f.count(uses[source_id])))  # fmt: skip
        if doi:
            links[i, 1] = Link(f"https://doi.org/{doi}")
        if pmid:
            links[i, 2] = Link(f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/")
    made = words_table(
        f"{len(order)} sources of the numbers in this report",
        ("Source", "DOI", "PubMed", "Registration", "Status", "Rows used"),
        lines,
        numeric=(5,),
    )
    facts = tuple({"id": f"source-{source_id}"} for source_id in order)
    return Section("sources", "Sources", (DataTable("sources-table", made, sortable=True, facts=facts, links=links),))


def extraction(analyses: Sequence[Analysis]) -> Section | None:
    """Return how the numbers were read: by two people who agree, or by one."""
    rows = [row for row in _rows(analyses) if "extraction" in row]
    if not rows:
        return None
    outcomes = sorted({row["outcome"] for row in rows})
    names = {row["outcome"]: row["label"] for row in analyses[0].evidence.table("outcomes")}

    def line(label: str, own: Sequence[Row]) -> tuple[str, ...]:
        double = sum(row["extraction"] == "double" for row in own)
        single = sum(row["extraction"] == "single" for row in own)
        registry = sum(row["extraction"] == "registry" for row in own)
        other = len(own) - double - single - registry
        return label, f"{len(own)}", f"{double}", f"{single}", f"{registry}", f"{other}", f.percent(double / len(own))

    lines = [line(names.get(o, o), [row for row in rows if row["outcome"] == o]) for o in outcomes]
    made = words_table(
        "Rows used, by how they were read",
        (
            "Outcome",
            "Rows",
            "Two readings agree on every value",
            "One reading",
            "Registry record",
            "Not stated",
            "Share agreed",
        ),
        [*lines, line("All", rows)],
        numeric=(1, 2, 3, 4, 5, 6),
        apart=frozenset({len(lines)}),
    )
    return Section("extraction", "Agreement of extraction", (DataTable("extraction-table", made),))


def protocol(provenance: Provenance) -> Section:
    """Return the protocol verbatim, and those that it includes."""
    texts = [Verbatim(f"protocol-{name.replace('_', '-')}", f"{name}.toml", text)
             for name, text in provenance.protocols.items()]  # fmt: skip
    lead = Paragraph(f"SHA-256 of the protocol and of all that it includes: {provenance.protocol_fingerprint}.", "note")
    return Section("protocol", "Protocol", (lead, *texts))


def software(provenance: Provenance) -> Section:
    """Return the versions of what computed the report, and the hashes of what it read."""
    versions = words_table("Versions", ("Software", "Version"), list(provenance.software.items()))
    files = words_table(
        f"Evidence: {provenance.evidence}, SHA-256 {provenance.fingerprint}",
        ("Table", "SHA-256"),
        list(provenance.files.items()),
    )
    return Section(
        "software", "Software and data", (DataTable("software-table", versions), DataTable("files-table", files))
    )


def reproduce(provenance: Provenance) -> Section:
    """Return the two commands that make and check this report."""
    name, own = provenance.protocol, provenance.evidence != "shipped evidence"
    chosen = {None: "", True: " --mcmc", False: " --no-mcmc"}[provenance.mcmc]
    options = chosen + (f" --data {provenance.evidence}" if own else "")
    data = f" --data {provenance.evidence}" if own else ""
    commands = f"igfmeta report {name}.toml{options} -o report.html\nigfmeta verify report.html{data}"
    said = Paragraph(
        f"With igfmeta {provenance.version}, the same protocol and the same evidence the first command gives this file "
        "byte by byte. The second reads the hashes and the protocol in this file, computes everything again and says "
        "whether every number still holds."
    )
    return Section("reproduce", "How to reproduce this report", (said, Verbatim("commands", "Two commands", commands)))
