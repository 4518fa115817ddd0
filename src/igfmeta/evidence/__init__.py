"""Evidence tables in: schema, reading, checking, selecting. Knows columns and provenance, no statistics."""

from igfmeta.evidence.load import load_evidence
from igfmeta.evidence.tables import Evidence

__all__ = ["Evidence", "load_evidence"]
