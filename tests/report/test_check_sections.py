"""Sensitivity to the method, influence and small-study effects in a report: from the fits of the pool that it shows."""

from __future__ import annotations

import pytest

from igfmeta.evidence import load_evidence
from igfmeta.report.content import Paragraph, Picture
from igfmeta.report.sections import choices, influence, small_study
from igfmeta.synthesis.analysis import analyse
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
