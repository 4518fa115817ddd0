"""Every format that can be imported, told apart by content and not by the name of the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from igfmeta.errors import InputError, Problem
from igfmeta.evidence import Evidence, load_evidence
from igfmeta.evidence.importing import aact, ctgov, effect_table, references, revman5, revman_web
from igfmeta.evidence.importing.aact_dump import holds_tables, one_study
from igfmeta.evidence.importing.candidates import Collector, Imported
from igfmeta.evidence.importing.duplicates import duplicates
from igfmeta.evidence.importing.registry_rows import add_study
from igfmeta.evidence.importing.registry_study import RegistryStudy, check_nct
from igfmeta.evidence.importing.uploads import Upload, read_upload
from igfmeta.evidence.importing.vocabulary import Vocabulary, normal
from igfmeta.evidence.importing.workbook import is_workbook


@dataclass(frozen=True)
class Format:
    """A format: its name, whether an upload is of it, what adds its rows, and whether it is of registered studies."""

    name: str
    fits: Callable[[Upload], bool]
    add: Callable[[Upload, Vocabulary, Asked, Collector], None]
    is_registry: bool = False


@dataclass(frozen=True)
class Asked:
    """What is asked of a file of registered studies: the title of the control group, one study."""

    control: str | None = None
    study: str | None = None


def _registry(
    studies: Callable[[Upload], Sequence[RegistryStudy]],
) -> Callable[[Upload, Vocabulary, Asked, Collector], None]:
    def add(upload: Upload, vocabulary: Vocabulary, asked: Asked, out: Collector) -> None:
        control = asked.control
        held = studies(upload)
        found = [study for study in held if asked.study in (None, study.nct_id)]
        if not found:
            names = ", ".join(study.nct_id for study in held[:5]) + (" ..." if len(held) > 5 else "")
            raise InputError(Problem(f"holds no study {asked.study or ''}; found are {names or 'none'}.", upload.file))
        titles = {title for study in found for title in study.group_titles()}
        if control is not None and normal(control) not in {normal(title) for title in titles}:
            raise InputError(f"--control named {control!r}; the groups are {' | '.join(sorted(titles)) or 'none'}.")
        for study in found:
            add_study(study, vocabulary, control, out)

    return add


#: In the order in which they are tried; the last takes any table.
FORMATS = (
    Format("ClinicalTrials.gov API v2", ctgov.fits, _registry(ctgov.studies), is_registry=True),
    Format("AACT", aact.fits, _registry(aact.studies), is_registry=True),
    Format("RevMan 5", revman5.fits, lambda u, v, _, out: revman5.add(u, v, out)),
    Format("RIS", references.is_ris, lambda u, _v, _c, out: references.add_ris(u, out)),
    Format("PubMed nbib", references.is_nbib, lambda u, _v, _c, out: references.add_nbib(u, out)),
    Format("RevMan Web data package", revman_web.fits, lambda u, v, _, out: revman_web.add(u, v, out)),
    Format("table of effects", lambda _: True, lambda u, v, _, out: effect_table.add(u, v, out)),
)


def import_file(
    path: str | Path,
    vocabulary: Vocabulary,
    *,
    control: str | None = None,
    sheet: str | None = None,
    study: str | None = None,
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
    study : str, optional
        The one registered study to read, NCT and eight digits; tables of AACT may then be of any size.

    Raises
    ------
    InputError
        A file that cannot be read as what it is; an option that its format does not have.
    """
    path = Path(path)
    if study is not None:
        check_nct("--study", study)
        if holds_tables(path):
            upload = one_study(path, study)
            return import_upload(upload if sheet is None else replace(upload, sheet=sheet), vocabulary, control=control)
    return import_upload(read_upload(path, sheet=sheet), vocabulary, control=control, study=study)


def import_upload(
    upload: Upload, vocabulary: Vocabulary, *, control: str | None = None, study: str | None = None
) -> Imported:
    """Return candidate rows of what was read or fetched; see `import_file`."""
    kind = next(each for each in FORMATS if each.fits(upload))
    read_as = f"{upload.file} was read as {kind.name}."
    if control is not None and not kind.is_registry:
        raise InputError(f"--control names a group of a registered study; {read_as}")
    if study is not None and not kind.is_registry:
        raise InputError(f"--study names one of several registered studies; {read_as}")
    if upload.sheet is not None and not is_workbook(upload):
        raise InputError(f"--sheet names a sheet of a workbook; {read_as}")
    out = Collector()
    kind.add(upload, vocabulary, Asked(control, study), out)
    out.doubts += duplicates(out.sources, vocabulary.known)
    return replace(out.finished(kind.name, upload.file), sha256=upload.fingerprint())


def vocabulary_of(evidence: Evidence) -> Vocabulary:
    """Return the words by which files are read: what the tables of the evidence call things."""
    return Vocabulary.of(*(evidence.table(name) for name in ("agents", "tumors", "outcomes", "sources")))


def import_candidates(
    path: str | Path,
    *,
    data: str | Path | Evidence | None = None,
    control: str | None = None,
    sheet: str | None = None,
    study: str | None = None,
) -> Imported:
    """Return candidate rows of a registry record, a review, a reference list or a table of effects.

    Nothing is guessed: what is ambiguous is listed in `doubts` and left blank, what no column holds in `left_out`, and
    every row carries `use` = exclude until a person has compared it with its source.

    Parameters
    ----------
    path : path
        JSON of ClinicalTrials.gov (API version 2), a folder or zip of AACT tables, RevMan 5 (`.rm5`) or a RevMan Web
        data package, RIS, PubMed nbib, or CSV and Excel named as in metafor, meta or the evidence; told apart by
        content.
    data : path or Evidence, optional
        Evidence whose tables name agents, tumours, outcomes and known sources. Default: the shipped evidence.
    control : str, optional
        Title of the group that is the control, where a record does not say.
    sheet : str, optional
        Of a workbook with several.
    study : str, optional
        Only this registered study, NCT and eight digits; tables of AACT may then be of any size.

    Returns
    -------
    Imported
        Its `to_frame()` has the candidates; draws itself in a notebook.

    Raises
    ------
    InputError
        A file that cannot be read as what it is; an option that its format does not have.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "results.csv")
    ...     _ = path.write_text("study,HR,lower,upper,endpoint\\nSmith 2001,0.8,0.66,0.97,Overall survival\\n")
    ...     found = import_candidates(path)
    >>> found.to_frame().loc[0, ["outcome", "estimate", "use"]].tolist()
    ['os', '0.8', 'exclude']
    >>> [doubt.question for doubt in found.doubts if doubt.column == "ci_level"]
    ['the level of the interval is not said.']
    """
    evidence = data if isinstance(data, Evidence) else load_evidence(data)
    return import_file(path, vocabulary_of(evidence), control=control, sheet=sheet, study=study)
