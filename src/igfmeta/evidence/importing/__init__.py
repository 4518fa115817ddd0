"""Registry records, RevMan files, reference lists and effect tables -> candidate rows, with what was ambiguous."""

from __future__ import annotations

from igfmeta.evidence.importing.candidates import Doubt, Imported, LeftOut
from igfmeta.evidence.importing.formats import FORMATS, import_candidates, import_file

__all__ = ["FORMATS", "Doubt", "Imported", "LeftOut", "import_candidates", "import_file"]
