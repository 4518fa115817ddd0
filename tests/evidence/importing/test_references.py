"""Reference lists: identifiers, what became of a paper, and sources that stand twice."""

from __future__ import annotations

import pytest

from igfmeta.evidence import load_evidence
from igfmeta.evidence.importing import import_file
from igfmeta.evidence.importing.vocabulary import Vocabulary


@pytest.fixture
def ris(imported, tmp_path):
    """Return a function that imports references, each given by the lines between TY and ER."""

    def go(*references):
        text = "".join(f"TY  - JOUR\nAU  - Smith, Anna\nPY  - 2001\n{lines}\nER  - \n" for lines in references)
        (tmp_path / "a.ris").write_text(text)
        return imported(tmp_path / "a.ris")

    return go


@pytest.fixture
def nbib(imported, tmp_path):
    def go(lines):
        (tmp_path / "a.nbib").write_text(f"PMID- 11\nTI  - A trial\nAU  - Smith A\nPT  - Journal Article\n{lines}\n")
        return imported(tmp_path / "a.nbib")

    return go


@pytest.mark.parametrize(
    ("lines", "pmid"),
    [
        ("U1  - 12345678[pmid]", "12345678"),
        ("UR  - https://pubmed.ncbi.nlm.nih.gov/12345678/", "12345678"),
        ("UR  - http://www.ncbi.nlm.nih.gov/pubmed/12345678", "12345678"),
        ("N1  - PMID: 12345678", "12345678"),
        ("DB  - PubMed\nAN  - 12345678", "12345678"),
        ("DB  - Embase\nAN  - 12345678", ""),
        ("AN  - 12345678", ""),
    ],
)
def test_the_pubmed_identifier_of_ris_where_it_is_marked_as_one(ris, lines, pmid):
    assert ris(lines).sources[0]["pmid"] == pmid


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("TI  - RETRACTED: A trial", "retracted"),
        ("TI  - [Retracted article] A trial", "retracted"),
        ("TI  - Retracted Article: A trial", "retracted"),
        ("TI  - A trial\nM3  - Retracted Publication", "retracted"),
        ("TI  - Retracted needles in trials", ""),
        ("TI  - A trial", ""),
    ],
)
def test_ris_says_retracted_only_in_words_and_is_asked_about_in_any_case(ris, lines, status):
    found = ris(lines)
    assert found.sources[0]["status"] == status
    assert [d.column for d in found.doubts if d.column == "status"] == ["status"]


@pytest.mark.parametrize(
    ("lines", "status", "column", "said"),
    [
        ("RIN - J Trials. 2003;1:1", "retracted", None, ""),
        ("EIN - J Trials. 2003;1:1", "corrected", None, ""),
        ("ECI - J Trials. 2003;1:1", "ok", "status", "expressed concern"),
        ("ROF - Smith A. J Trials. 2001", "ok", "type", "notice of a retraction"),
        ("EFR - Smith A. J Trials. 2001", "ok", "type", "notice of an erratum"),
    ],
)
def test_medline_says_what_became_of_a_paper(nbib, lines, status, column, said):
    found = nbib(lines)
    assert found.sources[0]["status"] == status
    asked = [d for d in found.doubts if d.row_id == found.sources[0]["source_id"]]
    assert [d.column for d in asked] == ([column] if column else [])
    assert all(said in d.question for d in asked)


def test_registered_trials_are_found_in_keywords_and_notes(ris):
    assert ris("KW  - NCT00000001\nN1  - ClinicalTrials.gov NCT00000002").sources[0]["nct_id"] == (
        "NCT00000001; NCT00000002"
    )


def test_sources_with_one_identifier_are_named(ris):
    found = ris("DO  - 10.1000/ABC", "DO  - https://doi.org/10.1000/abc\nKW  - NCT00000001", "KW  - NCT00000001")
    asked = [(d.row_id, d.column, d.question) for d in found.doubts if d.column in ("doi", "nct_id")]
    assert asked == [
        ("smith2001_2", "doi", "is also of smith2001: one source?"),
        ("smith2001_3", "nct_id", "is also of smith2001_2: two reports of one trial, whose people count once?"),
    ]


def test_sources_of_the_evidence_are_recognised(tmp_path):
    evidence = load_evidence()
    sources = evidence.table("sources")
    words = Vocabulary.of(*(evidence.table(n) for n in ("agents", "tumors", "outcomes")), sources)
    one = next(source for source in sources if source["doi"] and source["pmid"])
    (tmp_path / "a.ris").write_text(
        f"TY  - JOUR\nAU  - A\nDO  - {one['doi'].upper()}\nU1  - {one['pmid']}[pmid]\nER  - \n"
    )
    found = import_file(tmp_path / "a.ris", words)
    asked = {d.column for d in found.doubts if one["source_id"] in d.question}
    assert {"doi", "pmid"} <= asked
