"""A registered study -> its source and its candidate rows."""

from __future__ import annotations

from igfmeta.evidence.importing.candidates import Collector
from igfmeta.evidence.importing.registry_measures import add_measure
from igfmeta.evidence.importing.registry_reader import reader_of
from igfmeta.evidence.importing.registry_safety import add_safety
from igfmeta.evidence.importing.registry_study import RegistryStudy
from igfmeta.evidence.importing.vocabulary import Vocabulary


def add_study(study: RegistryStudy, vocabulary: Vocabulary, control: str | None, out: Collector) -> None:
    """Add the candidate rows and the source of a study."""
    source = study.nct_id.casefold()
    out.source({"source_id": source, "type": "registry", "year": study.year, "title": study.title,
                "journal": "ClinicalTrials.gov", "nct_id": study.nct_id, "status": "ok"})  # fmt: skip
    before = len(out.rows) + len(out.left_out)
    reader = reader_of(study, vocabulary, control, out)
    for measure in study.measures:
        add_measure(reader, measure)
    add_safety(reader)
    if len(out.rows) + len(out.left_out) == before:
        out.skip(study.nct_id, "the study", "it has no results section.")
    for each in study.unread:
        out.skip(study.nct_id, each, "not read: no column holds it.")
