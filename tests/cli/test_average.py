"""`igfmeta average` from the command line."""

from __future__ import annotations

import json


def test_a_table_is_averaged_and_drawn(run, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("yi,vi\n0.1,0.02\n0.4,0.03\n0.6,0.05\n")
    drawn = tmp_path / "average.svg"
    arguments = ("--data", table, "--yi", "yi", "--vi", "vi", "--bias", "steps", "--prior", "half-normal(0.3)")
    status, out, said = run("average", *arguments, "--format", "json", "--figure", drawn)
    assert status == 0
    found = json.loads(out)["results"][0]
    assert found["tau_prior"] == "half-normal(0.3)"
    assert len(found["models"]) == 12
    assert "Written" in said
    text = drawn.read_text()
    assert "Publication bias" in text
    assert "One-sided p-value" in text
    again = tmp_path / "again.svg"
    run("average", *arguments, "--figure", again)
    assert again.read_bytes() == drawn.read_bytes()


def test_markdown_and_csv(run):
    status, out, _ = run("average", "--class", "antibody", "--outcome", "os", "--bias", "none", "--format", "markdown")
    assert status == 0
    assert "| An effect |" in out
    status, out, _ = run("average", "--class", "antibody", "--outcome", "os", "--bias", "none", "--format", "csv")
    assert status == 0
    assert out.splitlines()[0].startswith("set,name,effect,heterogeneity,bias,prior,probability,log_marginal")


def test_what_cannot_be_averaged_is_said(run):
    status, _, said = run("average", "--bias", "some")
    assert (status, said.count("accepted are psma, steps or none")) == (2, 1)
    status, _, said = run("average", "--outcome", "orr", "--measure", "PLO", "--bias", "none")
    assert status == 3
    assert "no value that means no effect" in said
