"""`igfmeta report --export --bundle`: what is written, and what is refused before any work is done."""

from __future__ import annotations

import json

PROTOCOL = """
title = "Small"
authors = ["A. Author"]
[question]
text = "Does ganitumab prolong survival?"
intervention = "ganitumab"
[eligibility]
agent = ["ganitumab"]
[[outcome]]
name = "os"
measure = "HR"
"""


def test_files_and_bundle_are_written_and_compare_as_the_same(run, tmp_path):
    protocol, folder, bundle = tmp_path / "small.toml", tmp_path / "out", tmp_path / "out.zip"
    protocol.write_text(PROTOCOL)
    status, out, err = run("report", protocol, "--export", folder, "--bundle", bundle)
    assert status == 0
    assert out.startswith("Overall survival")
    assert err.count("Written: ") == 2
    for name in ("report.html", "report.md", "provenance.json", "protocols/small.toml", "evidence/trials.csv"):
        assert (folder / name).is_file(), name
    assert json.loads((folder / "fits" / "small-os-hr-pool.json").read_text())["outcome"] == "os"
    assert "say the same" in run("diff", folder, bundle)[1]
    status, _, err = run("diff", folder, bundle, "--class", "antibody")
    assert status == 2
    assert "are for evidence" in err
    status, _, err = run("report", protocol, "--export", folder)
    assert status == 2
    assert "holds files already" in err


def test_what_cannot_be_written_is_said_first(run, tmp_path):
    for options, said in (
        ((), "Nothing would be written"),
        (("--bundle", tmp_path / "out.tar"), "accepted is .zip"),
        (("--export", tmp_path / "no" / "folder"), "there is no folder"),
        (("-o", tmp_path / "out.pdf"), "accepted is .html"),
    ):
        status, _, err = run("report", "tki", *options)
        assert status == 2
        assert said in err
