"""What a candidate may hold: nothing that contradicts itself, nothing that cannot be seen; every blank is asked."""

from __future__ import annotations

import pandas as pd
import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence


def _asked(found):
    return {(doubt.row_id, doubt.column): doubt.found for doubt in found.doubts}


@pytest.mark.parametrize(
    ("row", "blank"),
    [
        ("A,50,20,3,30", {"events_exp": "50"}),
        ("A,5,0,3,30", {"n_exp": "0"}),
        ("A,5,20,3,0", {"n_ctl": "0"}),
        ("A,-5,20,3.5,30", {"events_exp": "-5", "events_ctl": "3.5"}),
        ("A,1_0,20,3,inf", {"events_exp": "1_0", "n_ctl": "inf"}),
    ],
)
def test_counts_that_cannot_be_are_blank_and_asked(imported, tmp_path, row, blank):
    (tmp_path / "t.csv").write_text(f"slab,ai,n1i,ci,n2i\n{row}\n")
    found = imported(tmp_path / "t.csv")
    for column, cell in blank.items():
        assert found.rows[0][column] == ""
        assert _asked(found)["a-01", column] == cell


def test_an_interval_that_contradicts_the_estimate_is_blank_and_asked(imported, tmp_path):
    (tmp_path / "t.csv").write_text("study,HR,lower,upper\nA,0.8,0.9,0.1\nB,0.8,0.6,\n")
    found = imported(tmp_path / "t.csv")
    a, b = found.rows
    assert (a["estimate"], a["ci_low"], a["ci_high"]) == ("", "", "0.1")
    assert (b["estimate"], b["ci_low"], b["ci_high"]) == ("0.8", "0.6", "")
    assert _asked(found)["a-01", "ci_low"] == "0.9"
    assert _asked(found)["a-01", "estimate"] == "0.8"


def test_an_interval_of_one_limit_is_read(imported, tmp_path):
    (tmp_path / "t.csv").write_text("study,HR,lower\nA,0.8,0.6\n")
    assert _asked(imported(tmp_path / "t.csv"))["a-01", "ci_level"] == "0.6 to blank"


def test_a_p_value_is_asked_for_its_sides(imported, tmp_path):
    (tmp_path / "t.csv").write_text("study,HR,pval\nA,0.8,0.04\n")
    assert ("a-01", "p_sided") in _asked(imported(tmp_path / "t.csv"))


def test_text_is_one_line_that_can_be_seen_and_a_number_is_never_made_of_what_is_none(imported, tmp_path):
    (tmp_path / "t.csv").write_bytes(b'study,HR,lower,upper,note\nA\x1b[31m,0.8,0.6,1\x07.1,"a\n\xe2\x80\xaeb"\n')
    row = imported(tmp_path / "t.csv").rows[0]
    assert (row["trial_name"], row["note"]) == ("A[31m", "a b")
    assert row["ci_high"] == ""


def test_a_study_without_a_reference_is_asked_for_its_source(imported):
    assert _asked(imported("review.rm5"))["brown_2005-01", "source_id"] == "brown_2005"


def test_half_of_a_character_is_refused(imported, tmp_path):
    record = '{"protocolSection": {"identificationModule": {"nctId": "NCT1", "acronym": "\\ud800"}}}'
    (tmp_path / "a.json").write_text(record)
    with pytest.raises(InputError, match="cannot be read as JSON"):
        imported(tmp_path / "a.json")


def test_sources_without_a_name_beside_trials_are_said(tmp_path):
    """A blank key of one table and an unknown one in another are two sentences."""
    pd.DataFrame([{"source_id": "", "type": "registry", "status": "ok"}]).to_csv(tmp_path / "sources.csv", index=False)
    trial = load_evidence(tables=("trials",)).table("trials")[0]
    frame = pd.DataFrame([trial]).drop(columns=[c for c in trial if c.endswith("_text") or c == "file_row"])
    frame.to_csv(tmp_path / "trials.csv", index=False)
    with pytest.raises(InputError, match=r"source_id: is blank(.|\n)*source_id: found"):
        load_evidence(tmp_path, tables=("trials",))
