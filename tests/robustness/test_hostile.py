"""Text of an input stays text: in a terminal, a spreadsheet, a page, a drawing; a protocol reads and runs nothing."""

from __future__ import annotations

import csv
import io
import re

import pytest

from igfmeta.errors import InputError
from igfmeta.synthesis.protocol_files import DEEPEST, read_protocol

HOSTILE = "=cmd()|<script>alert(1)</script><svg onload=x>\"'&\x1b[31m\x07\u202e"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [["study", "g", "yi", "vi"], [HOSTILE, HOSTILE, 0.1, 0.02], ["B", "b", 0.4, 0.03], ["C", "b", 0.2, 0.03]]
        )
    return path


def given(table):
    return "fit", "--data", table, "--yi", "yi", "--vi", "vi"


@pytest.mark.parametrize("shape", ["table", "csv", "markdown", "html"])
def test_no_format_passes_a_terminal_escape_or_a_tag(run, table, shape):
    status, out, err = run(*given(table), "--study", "study", "--subgroup", "g", "--leave-one-out", "--format", shape)
    assert status == 0, err
    assert "cmd()" in out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", out)
    if shape in ("html", "markdown"):
        assert "<script>alert" not in out
        assert "<svg onload" not in out


def test_a_spreadsheet_runs_nothing(run, table):
    for more in (("--study", "study", "--format", "csv"), ("--batch", "study")):
        out = run(*given(table), *more)[1]
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row]
        assert not [cell for cell in cells if cell[:1] in "=@\t\r" and cell]
        assert any(cell.startswith("'=cmd()") for cell in cells)


@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_a_drawing_runs_nothing(run, table, tmp_path, suffix):
    from defusedxml.ElementTree import fromstring

    path = tmp_path / f"f.{suffix}"
    status, _, err = run(*given(table), "--study", "study", "--forest", path)
    assert status == 0, err
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "<svg onload" not in text
    assert "\x1b" not in text
    if suffix == "svg":
        tags = {element.tag.rpartition("}")[2] for element in fromstring(text).iter()}
        assert "script" not in tags


def test_messages_hold_no_terminal_escape(run, table):
    for arguments in (("--yi", "\x1b[31mno", "--vi", "vi"), ("--yi", "study", "--vi", "vi")):
        status, _, err = run("fit", "--data", table, *arguments)
        assert status == 2
        assert "\x1b" not in err.replace("\\x1b", "")


PROTOCOL = 'title = "t"\nauthors = ["a"]\nseed = 1\ninclude = [{}]\n'


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", "a\\b", "", "."])
def test_a_protocol_includes_only_what_stands_beside_it(tmp_path, name):
    (tmp_path / "secret.toml").write_text('title = "secret"\n')
    folder = tmp_path / "protocols"
    folder.mkdir()
    path = folder / "p.toml"
    path.write_text(PROTOCOL.format(repr(name)))
    with pytest.raises(InputError, match=r"include\[1\]: found .*; accepted is the name of a protocol"):
        read_protocol(path)


def test_protocols_that_include_each_other_end(tmp_path):
    # Two at each of forty levels would be read 2 ** 40 times.
    for i in range(40):
        for side in "ab":
            (tmp_path / f"{side}{i}.toml").write_text(PROTOCOL.format(f'"a{i + 1}", "b{i + 1}"'))
    with pytest.raises(InputError, match=f"include each other {DEEPEST} deep"):
        read_protocol(tmp_path / "a0.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("seed = " + "9" * 5_000, "cannot be read as TOML|seed"),
        ('title = "{{ 7 * 7 }}"\n__import__ = "os"', "__import__"),
    ],
)
def test_a_protocol_that_is_meant_to_hurt_is_refused(tmp_path, text, message):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_protocol(path)


def test_the_included_must_be_text(tmp_path):
    (tmp_path / "p.toml").write_text(PROTOCOL.format('"q"'))
    (tmp_path / "q.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"q\.toml: is not UTF-8 text"):
        read_protocol(tmp_path / "p.toml")


def test_templates_come_from_the_package(monkeypatch, tmp_path):
    from jinja2 import TemplateNotFound

    from igfmeta.report.html import environment

    (tmp_path / "report.html.j2").write_text("mine")
    monkeypatch.chdir(tmp_path)
    made = environment()
    assert made.get_template("report.html.j2").filename != str(tmp_path / "report.html.j2")
    for name in ("../templates/report.html.j2", "/etc/passwd", "../../pyproject.toml"):
        with pytest.raises(TemplateNotFound):
            made.get_template(name)
