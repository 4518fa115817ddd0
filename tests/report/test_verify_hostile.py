"""Reports that were edited, cut or made to hurt: `verify` says that they are none, or what differs; it never breaks."""

from __future__ import annotations

import json

import pytest

from igfmeta.errors import InputError
from igfmeta.report import verify

MADE = {
    "version": "1", "evidence": "e", "fingerprint": "f", "files": {"trials.csv": "0"}, "protocol": "p",
    "protocols": {"p": "title = 'x'"}, "protocol_fingerprint": "g", "software": {"igfmeta": "1"}, "mcmc": None,
    "stamp": None,
}  # fmt: skip


def page(made, body="<p>1</p>"):
    embedded = made if isinstance(made, str) else json.dumps(made)
    return f'<script type="application/json" id="{verify.PROVENANCE_ID}">{embedded}</script>{body}'


@pytest.mark.parametrize(
    "made",
    [
        [["protocol"]], "null", "3", '{"protocol"', "[" * 100_000, '"\\ud800"',
        *({**MADE, key: value} for key in MADE for value in (3, [], {"a": []}, [["protocol"]])),
        {**MADE, "protocol": "other"},
        {**MADE, "stamp": "\ud800"},
        {key: value for key, value in MADE.items() if key != "software"},
    ],
)  # fmt: skip
def test_a_provenance_of_other_types_is_no_report(made):
    with pytest.raises(InputError, match="its provenance is not there"):
        verify.read_provenance(page(made), "r.html")


def test_an_edit_never_holds():
    whole = page(MADE)
    assert verify.compare(whole, whole).holds
    for body, said in (("<p>2</p>", "2"), ("<p>1</p><!-- -->", ""), ("<![if x]><p>1</p>", ""), ("<p>1</p" * 3, "")):
        found = verify.compare(page(MADE, body), whole)
        assert not found.holds
        assert found.differences
        assert said in found.differences[0][1]


def test_a_page_of_a_million_texts_is_not_compared_text_by_text():
    found = verify.compare(page(MADE, "<p>1</p>" * 100_000), page(MADE, "<p>1</p>" * 100))
    assert found.differences == (("", "100,000 texts and drawings", "100"),)


@pytest.mark.parametrize("content", [b"\xff\xfe<\x00", b"\x80", b""])
def test_a_page_that_is_no_text_is_said(tmp_path, content):
    (tmp_path / "r.html").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be read as text|its provenance is not there"):
        verify.read_provenance(verify.read_page(tmp_path / "r.html"), "r.html")
