"""The report in a real browser: from disk with the network off, by keyboard, by axe, on paper, with hostile rows."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest

from igfmeta.evidence import load_evidence
from igfmeta.report.build import build_report
from igfmeta.report.html import report_to_html
from igfmeta.resources import data_folder
from igfmeta.synthesis.analysis import analyse
from igfmeta.synthesis.protocol_files import read_protocol

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip

#: A study that would be markup, a link, a formula, and turn the text around, if any of it were not text.
HOSTILE = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\u202e=cmd|' /C calc'!A0 javascript:pwned"


def missing():
    """Return why no browser can be started; None where one can."""
    if shutil.which("chromium") is None:
        return "chromium is not installed"
    return None if find_spec("playwright") else "playwright is not installed"


def written(tmp, evidence):
    file = read_protocol("antibodies_survival")
    path = tmp / "report.html"
    path.write_text(report_to_html(build_report(file, analyse(file, evidence))), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    reason = missing()
    if reason:
        if os.environ.get("CI"):
            pytest.fail(f"CI must run the browser tests: {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return written(tmp_path_factory.mktemp("report"), load_evidence(tables=("trials",)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The report of evidence in which a trial that is pooled has a hostile name, arm, citation and locator."""
    folder = tmp_path_factory.mktemp("evidence")
    for table in data_folder().glob("*.csv"):
        shutil.copy(table, folder / table.name)
    import pandas as pd

    trials = pd.read_csv(folder / "trials.csv", dtype=str, keep_default_na=False)
    chosen = trials["study_id"] == "langer2014"
    trials.loc[chosen, ["experimental", "control", "population", "note"]] = HOSTILE
    trials.loc[chosen, "trial_name"] = "<b>'\"&"
    trials.to_csv(folder / "trials.csv", index=False)
    sources = pd.read_csv(folder / "sources.csv", dtype=str, keep_default_na=False)
    sources.loc[sources["source_id"] == "langer2014", ["title", "journal"]] = HOSTILE
    sources.to_csv(folder / "sources.csv", index=False)
    return written(tmp_path_factory.mktemp("hostile"), load_evidence(folder, tables=("trials",)))


class Opened:
    """A page with everything that it said and asked for."""

    def __init__(self, browser, path, **options):
        self.context = browser.new_context(offline=True, **options)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())


@pytest.fixture
def opened(browser, report):
    found = Opened(browser, report, viewport={"width": 1280, "height": 900})
    yield found
    found.context.close()


def test_it_says_nothing_and_asks_for_nothing(opened, report):
    opened.page.mouse.wheel(0, 20000)
    assert opened.said == []
    assert opened.asked == [report.as_uri()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(browser, report, scheme):
    from axe_playwright_python.sync_playwright import Axe

    found = Opened(browser, report, viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    violations = Axe().run(found.page).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200], len(v["nodes"])) for v in violations] == []
    found.context.close()


@pytest.mark.parametrize("width", [375, 1280])
def test_only_tables_and_figures_scroll_sideways(browser, report, width):
    found = Opened(browser, report, viewport={"width": width, "height": 800})
    sizes = found.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert sizes[0] == sizes[1]
    found.context.close()


def test_the_first_key_reaches_the_skip_link(opened):
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.className") == "igf-skip"
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "content"


def test_a_table_sorts_by_keyboard(opened):
    table = opened.page.locator("#antibodies-survival-os-hr-derivations")
    opened.page.locator("details", has=table).locator("summary").focus()
    opened.page.keyboard.press("Enter")
    heading = table.locator("thead th", has_text="Weight")
    heading.locator("button").focus()
    opened.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    weights = [float(text) for text in table.locator("tbody tr td:last-child").all_inner_texts()]
    assert weights == sorted(weights)
    opened.page.keyboard.press("Space")
    weights = [float(text) for text in table.locator("tbody tr td:last-child").all_inner_texts()]
    assert weights == sorted(weights, reverse=True)


def test_studies_are_filtered_by_keyboard_and_pooled_rows_stay(opened):
    select = opened.page.locator('select[data-filter="tumor"]')
    select.focus()
    opened.page.keyboard.type("pancreatic")
    forest = opened.page.locator("table.igf-forest").first
    shown = forest.locator("tr.igf-study:visible")
    assert shown.count() == 2
    assert "Fuchs 2015" in shown.first.inner_text()
    assert forest.locator("tr.igf-total").is_visible()
    assert "pooled results are of all studies" in opened.page.locator(".igf-controls [role=status]").inner_text()
    select.select_option("")
    assert forest.locator("tr.igf-study:visible").count() == 8


def test_the_source_of_a_study_shows_on_focus_and_on_hover_and_escape_hides_it(opened):
    link = opened.page.locator("a[data-source]", has_text="Fuchs 2015").first
    tip = opened.page.get_by_role("tooltip")
    link.focus()
    assert "ganitumab" in tip.inner_text().lower()
    opened.page.keyboard.press("Escape")
    assert tip.count() == 0
    link.hover()
    assert "ganitumab" in tip.inner_text().lower()


def test_it_works_without_script(browser, report):
    found = Opened(browser, report, java_script_enabled=False)
    assert found.page.locator(".igf-controls").is_hidden()
    assert found.page.locator("table.igf-forest").first.is_visible()
    assert found.page.locator("a[data-source]").first.get_attribute("title")
    found.context.close()


def test_no_table_is_cut_on_a4(opened):
    # 182 mm between the margins of A4 are 688 px.
    opened.page.emulate_media(media="print")
    opened.page.set_viewport_size({"width": 688, "height": 1000})
    widest = opened.page.evaluate(
        "Math.max(...[...document.querySelectorAll('table, svg, pre')].map(e => e.getBoundingClientRect().right))"
    )
    assert widest <= 689
    pdf = opened.page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")


def test_hostile_evidence_stays_text(browser, hostile):
    found = Opened(browser, hostile)
    assert found.page.evaluate("window.pwned === undefined")
    assert found.page.locator("img, b, script[src]").count() == 0
    assert found.page.locator("a[href^='javascript:']").count() == 0
    assert found.said == []
    assert found.asked == [hostile.as_uri()]
    text = hostile.read_text(encoding="utf-8")
    assert "\u202e" not in text
    assert "&lt;script&gt;window.pwned=1&lt;/script&gt;" in text
    found.context.close()
