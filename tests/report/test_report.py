"""The report: everything in it comes from the fits, the same inputs give the same bytes, and it can be verified."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pandas as pd
import pytest

from igfmeta.cli.commands import build
from igfmeta.evidence import load_evidence
from igfmeta.report.build import build_report
from igfmeta.report.content import DataTable, Picture
from igfmeta.report.html import report_to_html
from igfmeta.report.sections.sensitivity import section as sensitivity
from igfmeta.report.spreadsheet import table_to_csv
from igfmeta.report.verify import compare, read_provenance
from igfmeta.resources import data_folder
from igfmeta.synthesis.analysis import analyse
from igfmeta.synthesis.pooling import pool
from igfmeta.synthesis.protocol_files import protocol_of_texts, read_protocol


def built(name):
    file = read_protocol(name)
    tables = {table for part in file.questions for table in part.protocol.tables}
    return build_report(file, analyse(file, load_evidence(tables=sorted(tables))))


@pytest.fixture(scope="module")
def overview():
    return built("overview")


@pytest.fixture(scope="module")
def page(overview):
    return report_to_html(overview)


class Structure(HTMLParser):
    """Headings, identifiers, references within the page, and everything that would make a request."""

    def __init__(self, text):
        super().__init__()
        self.levels, self.ids, self.places, self.requests = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if "id" in values:
            self.ids.append(values["id"])
        href = values.get("href") or values.get("xlink:href") or ""
        if href.startswith("#"):
            self.places.append(href[1:])
        self.places += (values.get("aria-labelledby") or "").split()
        if tag in ("img", "iframe", "object", "embed", "link", "video", "audio", "source") or "src" in values:
            self.requests.append((tag, values))


@pytest.mark.parametrize("name", ["tki", "triangulation"])
def test_the_same_protocol_and_evidence_give_the_same_bytes_in_another_process(name, tmp_path):
    path = tmp_path / "r.html"
    command = [sys.executable, "-m", "igfmeta", "report", name, "-o", str(path)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert path.read_text(encoding="utf-8") == report_to_html(built(name))


def test_headings_go_down_one_level_at_a_time_and_places_are_there_once(page):
    found = Structure(page)
    assert found.levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(found.levels, found.levels[1:], strict=False))
    assert len(found.ids) == len(set(found.ids))
    assert set(found.places) <= set(found.ids)


def test_nothing_in_it_makes_a_request(page):
    assert Structure(page).requests == []
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_no_section_is_empty(overview):
    for section in overview.walk():
        assert section.blocks or section.sections, section.key


def test_keys_are_unique(overview):
    keys = [block.key for block in overview.blocks() if hasattr(block, "key")] + [s.key for s in overview.walk()]
    assert len(keys) == len(set(keys))


def test_every_picture_has_words_and_the_numbers_behind_it(overview):
    pictures = [block for block in overview.blocks() if isinstance(block, Picture)]
    assert len(pictures) > 10
    for found in pictures:
        assert found.title
        assert found.description
        assert found.data.rows
        assert "<title " in found.svg
        assert "<desc " in found.svg
        assert "<text" in found.svg


def test_the_answer_states_direction_size_uncertainty_and_certainty():
    report = built("antibodies_survival")
    fit = pool(load_evidence(), agent_class="antibody", outcome="os", by="tumor")["os"].overall.fit
    said = report.answers[0]
    assert said.startswith(
        "Overall survival: with antibodies against the IGF-1 receptor there is probably little or no difference"
    )
    assert f"{2.718281828459045**fit.estimate:.2f}, 95 % interval" in said
    assert "8 trials, at least 1,733 patients; moderate certainty, as suggested by rule" in said
    assert "Of 1,000 patients" in said


def test_a_person_overrides_a_domain_with_a_reason():
    text = read_protocol("antibodies_survival").text.replace(
        "horizon_months = 12\n",
        'horizon_months = 12\n[outcome.certainty.indirectness]\ndowngrade = 2\nreason = "Old trials."\n',
        1,
    )
    file = protocol_of_texts("mine", {"mine": text})
    analyses = analyse(file, load_evidence(tables=("trials",)))
    report = build_report(file, analyses)
    assert analyses[0].outcomes[0].rating.level == "very low"
    assert "very low certainty)" in report.answers[0]
    cells = [cell for table in report.tables() for row in table.table.rows for cell in row]
    assert "2 levels down, by a person: Old trials." in cells
    assert "Suggestion: none" in cells


def test_sections_without_content_are_absent():
    file = read_protocol("ligand_antibodies")
    text = file.text[: file.text.index("[[sensitivity]]")]
    analyses = analyse(protocol_of_texts("mine", {"mine": text}), load_evidence(tables=("trials",)))
    assert sensitivity(analyses[0]) is None


def test_studies_lead_to_their_source(overview):
    studies = [t for t in overview.tables() if isinstance(t, DataTable) and t.key.endswith("-studies")]
    places = {fact["id"] for t in overview.tables() if t.key == "sources-table" for fact in t.facts}
    assert studies
    for table in studies:
        for (_, column), link in table.links.items():
            assert column == 0
            assert link.href.removeprefix("#") in places


def test_a_report_is_verified_byte_by_byte_and_a_changed_number_is_found(page):
    assert compare(page, page).holds
    tampered = page.replace("1.07 (0.95, 1.20)", "0.77 (0.65, 0.90)", 1)
    found = compare(tampered, page)
    assert not found.holds
    assert len(found.differences) == 1
    assert "0.77" in found.differences[0][1]
    assert "1.07" in found.differences[0][2]


def test_the_command_writes_verifies_and_refuses(tmp_path, capsys):
    path = tmp_path / "r.html"
    build()(["report", "tki", "-o", str(path)], standalone_mode=False)
    assert capsys.readouterr().out.startswith("Overall survival: with tyrosine kinase inhibitors")
    build()(["verify", str(path)], standalone_mode=False)
    assert "r.html holds:" in capsys.readouterr().out
    assert read_provenance(path.read_text(), "r.html")["stamp"] is None
    path.write_text(path.read_text().replace("139 patients", "193 patients"))
    with pytest.raises(Exception, match=r"r.html does not hold: \d+ differences"):
        build()(["verify", str(path)], standalone_mode=False)
    with pytest.raises(Exception, match="is no report of igfmeta"):
        read_provenance(json.dumps({}), "r.html")
    with pytest.raises(Exception, match=r"accepted is \.html"):
        build()(["report", "tki", "-o", str(tmp_path / "r.pdf")], standalone_mode=False)


def test_a_stamp_is_asked_for_and_survives_verification(tmp_path, capsys):
    path = tmp_path / "r.html"
    build()(["report", "tki", "-o", str(path), "--stamp"], standalone_mode=False)
    assert re.search(r"<dt>Made</dt><dd>\d{4}-\d\d-\d\d", path.read_text())
    build()(["verify", str(path)], standalone_mode=False)
    assert "holds" in capsys.readouterr().out


HOSTILE = "=cmd|' /C calc'!A0\x1b[31m\u202e<script>"


def test_hostile_evidence_stays_text_in_tables_and_on_the_terminal(tmp_path, capsys):
    """In the page: test_browser.py."""
    for table in data_folder().glob("*.csv"):
        shutil.copy(table, tmp_path / table.name)
    trials = pd.read_csv(tmp_path / "trials.csv", dtype=str, keep_default_na=False)
    trials.loc[trials["study_id"] == "langer2014", ["trial_name", "experimental", "population"]] = HOSTILE[:16]
    trials.to_csv(tmp_path / "trials.csv", index=False)
    sources = pd.read_csv(tmp_path / "sources.csv", dtype=str, keep_default_na=False)
    sources.loc[sources["source_id"] == "langer2014", ["first_author", "title"]] = HOSTILE
    sources.to_csv(tmp_path / "sources.csv", index=False)
    build()(["evidence", "show", "langer2014", "--data", str(tmp_path)], standalone_mode=False)
    build()(
        ["pool", "--class", "antibody", "--outcome", "os", "--explain", "--data", str(tmp_path)], standalone_mode=False
    )
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    file = read_protocol("antibodies_survival")
    report = build_report(file, analyse(file, load_evidence(tmp_path, tables=("trials",))))
    cells = [cell for t in report.tables() for row in csv.reader(io.StringIO(table_to_csv(t.table))) for cell in row]
    assert any("cmd" in cell for cell in cells)
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@") or "\x1b" in cell or "\u202e" in cell]


def test_moderators_of_a_protocol_are_regressed_on_and_those_that_cannot_be_say_why():
    text = read_protocol("antibodies_survival").text.replace(
        "seed = 1\n", 'seed = 1\nmoderators = ["year", "n_exp"]\n', 1
    )
    file = protocol_of_texts("mine", {"mine": text.replace('name = "progression"', 'name = "pfs"')})
    report = build_report(file, analyse(file, load_evidence(tables=("trials",))))
    section = next(s for s in report.walk() if s.key == "mine-moderators-os-hr")
    assert any(
        isinstance(b, DataTable) and b.table.title == "Overall survival: regression on year" for b in section.blocks
    )
    assert any("n_exp" in getattr(block, "text", "") for block in section.blocks)
    titles = [getattr(block, "title", getattr(getattr(block, "table", None), "title", "")) for block in section.blocks]
    assert titles.count("Overall survival: regression on year") == 2  # the table of tests, and its figure
    assert "Overall survival: regression on year, posterior" in titles


def test_every_fit_is_there_for_export(overview):
    assert {
        "antibodies-survival-os-hr-pool",
        "antibodies-survival-os-hr-hierarchy",
        "antibodies-survival-os-hr-robust-primary",
    } <= set(overview.fits)
    for name, fit in overview.fits.items():
        assert json.dumps(fit.to_dict(), allow_nan=False), name


def test_evidence_of_your_own_without_a_table_of_sources_keeps_its_links(tmp_path):
    for table in ("trials", "outcomes"):
        shutil.copy(data_folder() / f"{table}.csv", tmp_path)
    file = read_protocol("tki")
    page = report_to_html(build_report(file, analyse(file, load_evidence(tmp_path, tables=("trials",)))))
    found = Structure(page)
    assert set(found.places) <= set(found.ids)
    assert "not in the table of sources" in page
