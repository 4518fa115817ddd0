"""Sensitivity to the method, influence and small-study effects in a report: from the fits of the pool that it shows."""

from __future__ import annotations

import pytest

from igfmeta.evidence import load_evidence
from igfmeta.report.content import DataTable, ForestPlot, Paragraph, Picture
from igfmeta.report.sections import choices, influence, several_results, small_study
from igfmeta.synthesis.analysis import analyse
from igfmeta.synthesis.multilevel import multilevel
from igfmeta.synthesis.protocol_files import read_protocol


@pytest.fixture(scope="module")
def analysis():
    return analyse(read_protocol("antibodies_survival"), load_evidence(tables=("trials",)))[0]


@pytest.mark.parametrize("module", [choices, influence, small_study])
def test_each_section_has_tables_and_figures_with_keys_of_their_own(analysis, module):
    found = list(module.section(analysis).walk())
    blocks = [block for each in found for block in each.blocks]
    keys = [each.key for each in found] + [block.key for block in blocks if hasattr(block, "key")]
    assert len(keys) == len(set(keys))
    assert any(isinstance(block, Picture) and block.svg.startswith("<svg") for block in blocks)


def test_the_checks_are_of_the_pool_that_is_shown(analysis):
    for outcome, answer in analysis.answered:
        fit = outcome.checks.influence.influence.fit
        assert fit.estimate == pytest.approx(answer.overall.fit.estimate, rel=1e-12)
        assert outcome.checks.sensitivity.fit.estimate == pytest.approx(answer.overall.fit.estimate, rel=1e-12)


def test_under_ten_studies_the_funnel_stands_with_the_reason_why_nothing_was_tested(analysis):
    first = small_study.section(analysis).sections[0]
    assert isinstance(first.blocks[0], Paragraph)
    assert "not advised" in first.blocks[0].text
    assert "--force" not in first.blocks[0].text
    assert [type(block).__name__ for block in first.blocks] == ["Paragraph", "Picture"]


def test_all_results_of_every_study_stand_beside_the_answer_that_takes_one_of_each(analysis):
    survival, progression = several_results.section(analysis).sections
    made, forest = survival.blocks
    assert isinstance(made, DataTable)
    assert isinstance(forest, ForestPlot)
    assert [row[0] for row in made.table.rows] == [
        "The answer (REML, HK)",
        "All primary results: robust variance CR2",
        "All primary results: multilevel model",
    ]
    assert "No two results are of the same patients: the assumed correlation plays no part." in made.table.notes
    words = [row[0] for row in progression.blocks[0].table.rows]
    assert words[3] == "All results, sensitivity rows too: robust variance CR2"
    assert any("From 0 to 0.9 the mean of 16 results stays 1.08" in note for note in progression.blocks[0].table.notes)
    places = [row.href for group in forest.forest.groups for row in group.rows]
    assert len(places) == 10
    assert all(place.startswith("#source-") for place in places)


def test_the_multilevel_line_is_the_model_that_multilevel_fits(analysis):
    found = analysis.outcomes[0].dependence[0]
    criteria = analysis.protocol.eligibility.criteria()
    fit = multilevel(analysis.evidence, outcome="os", random=["~ 1 | study", "~ 1 | row"], **criteria).fit
    expected = (float(fit.ci_lower[0]), float(fit.ci_upper[0]), float(fit.df[0]))
    assert found.model_interval() == pytest.approx(expected, rel=1e-6)


def test_rates_stand_on_a_scale_that_needs_no_correction_of_zeros():
    file = read_protocol("antibodies_response")
    found = analyse(file, load_evidence(tables=("trials",)))[0]
    made = several_results.section(found).blocks[1].table
    assert [row[:4] for row in made.rows] == [
        ("The answer (ML, PL)", "33", "21", "3.0 (1.5, 4.9)"),
        ("All primary results: robust variance CR2", "33", "21", "2.6 (1.0, 5.0)"),
        ("All primary results: multilevel model", "33", "21", "2.6 (1.0, 5.0)"),
    ]
    assert made.notes[-1].startswith("Rates: the answer is of the counts themselves")


def test_where_every_study_gives_one_result_the_report_says_so():
    file = read_protocol("tki")
    sections = several_results.section(analyse(file, load_evidence(tables=("trials",)))[0]).sections
    said = [block.text for each in sections for block in each.blocks]
    assert several_results.ALONE in said
    assert any(text.startswith("Not modelled: 1 cluster cannot carry") for text in said)
