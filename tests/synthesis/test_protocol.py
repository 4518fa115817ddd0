"""A protocol is a file: it is read whole, and everything that is wrong with it is said at once."""

from __future__ import annotations

import pytest

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.synthesis.analysis import analyse
from igfmeta.synthesis.pooling import pool
from igfmeta.synthesis.protocol_check import check_against
from igfmeta.synthesis.protocol_files import protocol_of_texts, read_protocol, shipped_protocols

GOOD = """
title = "A question"
authors = ["A. Body"]
[question]
text = "Does it help?"
intervention = "it"
[[outcome]]
name = "os"
measure = "HR"
"""


def problems(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_protocol(path)
    return [str(problem) for problem in refused.value.problems]


def test_every_shipped_protocol_reads_and_names_what_the_evidence_holds():
    evidence = load_evidence()
    for file in shipped_protocols():
        check_against(file, evidence)


def test_the_overview_includes_every_other_shipped_protocol():
    names = {file.name for file in shipped_protocols()} - {"overview"}
    assert {part.name for part in read_protocol("overview").questions} == names


def test_a_protocol_from_its_texts_is_the_one_of_its_file():
    file = read_protocol("overview")
    again = protocol_of_texts("overview", file.texts)
    assert again.fingerprint == file.fingerprint
    assert again.protocol == file.protocol


def test_all_problems_come_at_once_with_file_key_and_what_is_accepted(tmp_path):
    text = GOOD.replace('"HR"', '"HRR"').replace("authors", "autors") + '[model]\nby = "tumour"\n'
    found = problems(tmp_path, text)
    assert len(found) == 4
    assert any(p.startswith("mine.toml, authors: is missing") for p in found)
    assert any(p.startswith("mine.toml, autors: there is no such key; accepted are title") for p in found)
    assert any(p.startswith("mine.toml, outcome[1].measure: measure was 'HRR'; accepted are HR, OR") for p in found)
    assert any(p.startswith("mine.toml, model.by: by was 'tumour'; accepted are class, agent, tumor") for p in found)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ('[[outcome]]\nname = "os"\nmeasure = "HR"\n', "outcome[2]"),
        ('[hierarchy]\noutcomes = ["pfs"]\n', "hierarchy.outcomes"),
        ('[[sensitivity]]\nname = "x"\neligibility = { phse = ["3"] }\n', "sensitivity[1].eligibility.phse"),
        ('[[sensitivity]]\nname = "x"\nmodel = { method = "REM" }\n', "sensitivity[1].model.method"),
        ("[outcome.certainty.imprecision]\ndowngrade = 1\n", "outcome[1].certainty.imprecision.reason"),
    ],
)
def test_keys_must_fit_each_other(tmp_path, change, key):
    found = problems(tmp_path, GOOD + change)
    assert [p.split(": ")[0] for p in found] == [f"mine.toml, {key}"]


def test_what_is_included_must_be_there_and_not_include_back(tmp_path):
    (tmp_path / "other.toml").write_text('title = "t"\nauthors = ["a"]\ninclude = ["mine"]\n')
    found = problems(tmp_path, 'title = "t"\nauthors = ["a"]\ninclude = ["other", "gone"]\n')
    assert any("includes this protocol in turn" in p for p in found)
    assert any("there is no gone.toml" in p for p in found)


def test_no_toml_and_no_file_are_sentences(tmp_path):
    assert problems(tmp_path, "title = ")[0].startswith("mine.toml: is not TOML:")
    with pytest.raises(InputError, match="or the name of a shipped one: antibodies_response"):
        read_protocol(tmp_path / "none.toml")


def test_values_that_the_evidence_does_not_hold_are_refused_with_those_it_does(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"os"', '"oss"') + '[eligibility]\nagent_class = ["antibodi"]\n')
    with pytest.raises(InputError) as refused:
        check_against(read_protocol(path), load_evidence())
    found = [str(problem) for problem in refused.value.problems]
    assert found[0].startswith("mine.toml, eligibility: agent_class was 'antibodi'; accepted are antibody")
    assert found[1].startswith("mine.toml, outcome[1]: outcome was 'oss'; accepted are os, pfs")


def test_a_protocol_may_weight_studies_by_their_risk_of_bias(tmp_path):
    path, evidence = tmp_path / "mine.toml", load_evidence()
    estimates = []
    for model in ("", "[model]\nrisk_weights = {some = 0.5}\n"):
        path.write_text(GOOD + model)
        protocol = read_protocol(path).protocol
        found = pool(evidence, outcome="os", agent_class="antibody", **protocol.model.options())
        estimates.append(found.answers[0].overall.fit.estimate)
    assert estimates[0] != estimates[1]
    path.write_text(GOOD + "[model]\nrisk_weights = {some = 0.5}\n[hierarchy]\nby = ['class']\n")
    (outcome,) = analyse(read_protocol(path), evidence)[0].outcomes
    for found in (outcome.hierarchy, outcome.answer):
        assert any("Weights by risk of bias: some concerns 0.5" in remark for remark in found.remarks)
    text = GOOD + "[model]\nrisk_weights = {some = 1.5}\n"
    assert any("risk_weights" in line for line in problems(tmp_path, text))
