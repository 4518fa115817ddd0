"""Every format that can be imported, told apart by content and not by the name of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from igfmeta.errors import InputError
from igfmeta.evidence.importing import aact, ctgov, effect_table, references, revman5
from igfmeta.evidence.importing.candidates import Collector, Imported
from igfmeta.evidence.importing.registry_rows import add_study
from igfmeta.evidence.importing.registry_study import RegistryStudy
from igfmeta.evidence.importing.uploads import Upload, read_upload
from igfmeta.evidence.importing.vocabulary import Vocabulary, normal


@dataclass(frozen=True)
class Format:
    """A format: its name, whether an upload is of it, and what adds its rows; `control` names the control group."""

    name: str
    fits: Callable[[Upload], bool]
    add: Callable[[Upload, Vocabulary, str | None, Collector], None]
    has_groups: bool = False


def _registry(
    studies: Callable[[Upload], Sequence[RegistryStudy]],
) -> Callable[[Upload, Vocabulary, str | None, Collector], None]:
    def add(upload: Upload, vocabulary: Vocabulary, control: str | None, out: Collector) -> None:
        found = studies(upload)
        titles = {title for study in found for title in study.group_titles()}
        if control is not None and normal(control) not in {normal(title) for title in titles}:
            raise InputError(f"--control named {control!r}; the groups are {' | '.join(sorted(titles)) or 'none'}.")
        for study in found:
            add_study(study, vocabulary, control, out)

    return add


#: In the order in which they are tried; the last takes any table.
FORMATS = (
    Format("ClinicalTrials.gov API v2", ctgov.fits, _registry(ctgov.studies), has_groups=True),
    Format("AACT", aact.fits, _registry(aact.studies), has_groups=True),
    Format("RevMan 5", revman5.fits, lambda u, v, _, out: revman5.add(u, v, out)),
    Format("RIS", references.is_ris, lambda u, _v, _c, out: references.add_ris(u, out)),
    Format("PubMed nbib", references.is_nbib, lambda u, _v, _c, out: references.add_nbib(u, out)),
    Format(
        "RevMan Web data package",
        lambda u: any(name.casefold().endswith("data-rows.csv") for name in u.members),
        lambda u, v, _, out: effect_table.add(u, v, out),
    ),
    Format("table of effects", lambda _: True, lambda u, v, _, out: effect_table.add(u, v, out)),
)


def import_file(
    path: str | Path, vocabulary: Vocabulary, *, control: str | None = None, sheet: str | None = None
) -> Imported:
    """Return candidate rows of a file or folder.

    Parameters
    ----------
    path : path
        A file of one of `FORMATS`, or a folder with the tables of AACT.
    vocabulary : Vocabulary
        What the tables of the evidence call agents, tumours and outcomes.
    control : str, optional
        Title of the group that is the control, for records that do not say.
    sheet : str, optional
        Of a workbook with several.

    Raises
    ------
    InputError
        A file that cannot be read as what it is; an option that its format does not have.
    """
    return import_upload(read_upload(Path(path), sheet=sheet), vocabulary, control=control)


def import_upload(upload: Upload, vocabulary: Vocabulary, *, control: str | None = None) -> Imported:
    """Return candidate rows of what was read or fetched; see `import_file`."""
    kind = next(each for each in FORMATS if each.fits(upload))
    if control is not None and not kind.has_groups:
        raise InputError(f"--control names a group of a registered study; {upload.file} was read as {kind.name}.")
    if upload.sheet is not None and not any(name.endswith("xl/workbook.xml") for name in upload.members):
        raise InputError(f"--sheet names a sheet of a workbook; {upload.file} was read as {kind.name}.")
    out = Collector()
    kind.add(upload, vocabulary, control, out)
    return out.finished(kind.name, upload.file)
