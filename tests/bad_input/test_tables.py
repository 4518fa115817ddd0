"""Evidence tables that break a rule each, and the message that each must give: file, row, column, found, accepted."""

from __future__ import annotations

import csv
import io

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence

GOOD = {
    "row_id": "a-01", "study_id": "a", "year": "2014", "agent": "x", "agent_class": "drug", "tumor_type": "skin",
    "phase": "2", "design": "randomized", "blinding": "open_label", "regimen": "combination", "partners": "targeted",
    "experimental": "x + y", "control": "y", "contrast": "add_on", "outcome": "os", "measure": "HR", "estimate": "0.80",
    "ci_low": "0.60", "ci_high": "1.10", "ci_level": "95", "p_value": "0.2", "p_sided": "2", "events_exp": "20",
    "n_exp": "50", "events_ctl": "25", "n_ctl": "50", "percent_exp": "", "percent_ctl": "", "median_exp": "8.1",
    "median_ctl": "7.0", "median_unit": "months", "use": "primary", "use_reason": "", "source_id": "s1",
    "extraction": "double",
}  # fmt: skip
SOURCES = "source_id,type,status\ns1,journal_article,ok\nbad,journal_article,retracted\n"


def _text(*changes: dict[str, str]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(GOOD))
    writer.writeheader()
    for i, change in enumerate(changes):
        writer.writerow({**GOOD, "row_id": f"a-{i + 1:02d}", **change})
    return stream.getvalue()


def _problems(tmp_path, text, sources=SOURCES):
    (tmp_path / "trials.csv").write_text(text)
    (tmp_path / "sources.csv").write_text(sources)
    with pytest.raises(InputError) as caught:
        load_evidence(tmp_path, tables=("trials",))
    return caught.value.problems


def test_the_table_that_the_others_are_made_of_is_good(tmp_path):
    (tmp_path / "trials.csv").write_text(_text({}))
    (tmp_path / "sources.csv").write_text(SOURCES)
    assert len(load_evidence(tmp_path).trials) == 1


#: One cell changed, the column that is named, and a part of the message.
CELLS = [
    ({"estimate": "0,80"}, "estimate", "a decimal comma; write 0.80"),
    ({"estimate": "abc"}, "estimate", "found 'abc'; accepted is a number"),
    ({"estimate": "-0.8"}, "estimate", "found '-0.8'; accepted is a number above 0"),
    ({"estimate": "0"}, "estimate", "a number above 0"),
    ({"estimate": "nan"}, "estimate", "found 'nan'"),
    ({"estimate": "inf"}, "estimate", "found 'inf'"),
    ({"estimate": "1_000"}, "estimate", "found '1_000'"),
    ({"estimate": "0.5"}, "estimate", "found 0.5 below ci_low 0.6"),
    ({"estimate": "1.2"}, "estimate", "found 1.2 above ci_high 1.1"),
    ({"estimate": "", "ci_low": "1.2"}, "ci_low", "found 1.2 above ci_high 1.1; accepted is ci_low <= ci_high"),
    ({"ci_level": "0.95"}, "ci_level", "a number above 50"),
    ({"ci_level": "100"}, "ci_level", "a number below 100"),
    ({"ci_level": "50"}, "ci_level", "a number above 50"),
    ({"p_value": "1.5"}, "p_value", "a p-value: a number from 0 to 1"),
    ({"p_value": "-0.1"}, "p_value", "a p-value"),
    ({"p_value": "ns"}, "p_value", "found 'ns'; accepted is a p-value"),
    ({"p_value": "p<0.05"}, "p_value", "a p-value"),
    ({"p_value": "0,05"}, "p_value", "a p-value"),
    ({"p_sided": "two"}, "p_sided", "1, 2 or unknown"),
    ({"p_sided": ""}, "p_sided", "is blank where there is a p-value"),
    ({"events_exp": "51"}, "events_exp", "found 51; accepted is 0 to n_exp, which is 50"),
    ({"events_ctl": "-1"}, "events_ctl", "a number not below 0"),
    ({"events_exp": "1.5"}, "events_exp", "a whole number"),
    ({"n_exp": "0"}, "n_exp", "a number of patients, 1 or more"),
    ({"n_ctl": "many"}, "n_ctl", "found 'many'"),
    ({"percent_exp": "101"}, "percent_exp", "a number up to 100"),
    ({"percent_ctl": "-3"}, "percent_ctl", "a number not below 0"),
    ({"percent_exp": "12 %"}, "percent_exp", "found '12 %'"),
    ({"median_exp": "0"}, "median_exp", "a number above 0"),
    ({"median_unit": "moons"}, "median_unit", "months, weeks, days or years"),
    ({"year": "14"}, "year", "a number not below 1900"),
    ({"year": "2014?"}, "year", "found '2014?'"),
    ({"phase": "IV"}, "phase", "1, 1b, 1/2, 2, 2/3 or 3"),
    ({"design": "random"}, "design", "randomized, single_arm"),
    ({"blinding": "blind"}, "blinding", "open_label, double_blind or unknown"),
    ({"regimen": "mono"}, "regimen", "monotherapy or combination"),
    ({"regimen": ""}, "regimen", "is blank; a value is needed"),
    ({"partners": "chemo"}, "partners", "chemotherapy, endocrine, targeted, other, joined by +"),
    ({"contrast": "versus"}, "contrast", "add_on, head_to_head"),
    ({"measure": "OR"}, "measure", "HR, events or median"),
    ({"outcome": "oss"}, "outcome", "Did you mean 'os'?"),
    ({"outcome": ""}, "outcome", "is blank; a value is needed"),
    ({"use": "yes"}, "use", "primary, sensitivity or exclude"),
    ({"use": "exclude"}, "use_reason", "is blank where use is exclude"),
    ({"use": "sensitivity"}, "use_reason", "is blank where use is sensitivity"),
    ({"source_id": ""}, "source_id", "is blank; a value is needed"),
    ({"source_id": "s9"}, "source_id", "found 's9'; accepted are bad or s1"),
    ({"source_id": "bad"}, "use", "the source 'bad' is retracted; accepted is exclude"),
    ({"extraction": "triple"}, "extraction", "double, single or registry"),
    ({"study_id": ""}, "study_id", "is blank; a value is needed"),
]


@pytest.mark.parametrize(("change", "column", "message"), CELLS, ids=[f"{c}: {m}" for _, c, m in CELLS])
def test_a_broken_cell(tmp_path, change, column, message):
    problems = _problems(tmp_path, _text({}, change))
    assert [(p.file, p.row, p.column) for p in problems] == [("trials.csv", 3, column)]
    assert message in problems[0].message


def test_all_problems_come_at_once(tmp_path):
    changes = [change for change, _, _ in CELLS]
    found = {(p.row, p.column) for p in _problems(tmp_path, _text(*changes))}
    expected = {(i + 2, column) for i, (_, column, _) in enumerate(CELLS)}
    assert expected <= found


#: A whole file, and a part of the message.
FILES = {
    "empty": (b"", "is empty; a header row"),
    "header only": (b"study_id,regimen,contrast,outcome,measure,source_id\n", "has a header and no rows"),
    "utf-16": ("study_id,outcome\n".encode("utf-16"), "is text in UTF-16"),
    "latin-1": ("study_id,note\na,caf\xe9\n".encode("latin-1"), "holds byte 0xe9, which is not UTF-8"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not a text file"),
    "excel as csv": (b"PK\x03\x04\x14\0", "is not a text file"),
    "more cells": (_text({}).replace("double", "double,extra").encode(), "has 36 cells where the header has 35"),
    "fewer cells": (_text({}).replace(",double", "").encode(), "has 34 cells where the header has 35"),
    "column twice": (_text({}).replace("agent_class", "agent").encode(), "the column name 'agent' stands 2 times"),
    "column missing": (_text({}).replace("outcome", "outcom").encode(), "Did you mean 'outcom'?"),
    "quote open": (_text({}).encode() + b'"a,b\n', "look for a quote that is not closed"),
    "same row_id": (_text({}, {"row_id": "a-01"}).encode(), "found 'a-01', which row 2 has too"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_broken_file(tmp_path, name):
    content, message = FILES[name]
    path = tmp_path / "trials.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_evidence(path)
    assert message in str(caught.value)
    assert "trials.csv" in str(caught.value)


def test_places_without_a_table(tmp_path):
    for path, message in (
        (tmp_path / "none.csv", "There is no file or folder"),
        (tmp_path, "holds none of the tables trials.csv"),
    ):
        with pytest.raises(InputError, match=message):
            load_evidence(path)
    (tmp_path / "t.docx").write_text("x")
    with pytest.raises(InputError, match=r"ends in \.docx; accepted are \.csv"):
        load_evidence(tmp_path / "t.docx")
    (tmp_path / "t.parquet").write_text("x")
    with pytest.raises(InputError, match="cannot be read as parquet"):
        load_evidence(tmp_path / "t.parquet")
    (tmp_path / "t.xlsx").write_text("x")
    with pytest.raises(InputError, match="cannot be read as xlsx"):
        load_evidence(tmp_path / "t.xlsx")


def test_two_files_for_one_table(tmp_path):
    (tmp_path / "trials.csv").write_text(_text({}))
    (tmp_path / "trials.tsv").write_text(_text({}))
    with pytest.raises(InputError, match=r"trials\.csv or trials\.tsv; one file"):
        load_evidence(tmp_path)
