"""`igfmeta km` as a user meets it."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pytest

import igfmeta as im

POINTS = "arm,time,surv\nnew,2,0.9\nnew,6,0.7\nnew,9,0.6\nold,1,0.8\nold,4,0.5\nold,7,0.3\n"
RISK = "arm,time,at_risk\nnew,0,20\nnew,5,18\nold,0,20\nold,5,9\n"


@pytest.fixture
def files(tmp_path):
    points, risk = tmp_path / "points.csv", tmp_path / "risk.csv"
    points.write_text(POINTS)
    risk.write_text(RISK)
    return points, risk


def test_the_answer_as_json_with_figure_and_people(run, files, tmp_path):
    points, risk = files
    figure = tmp_path / "km.svg"
    status, out, err = run("km", points, "--at-risk", risk, "--control", "old", "--events", "new=8", "--format", "json",
                           "--figure", figure)  # fmt: skip
    assert status == 0
    result = json.loads(out)
    assert [arm["arm"] for arm in result["arms"]] == ["new", "old"]
    assert result["arms"][0]["events"] == 8
    assert result["arms"][0]["median"]["estimate"] is None
    assert result["comparison"]["estimate"] < 1
    assert "Written" in err
    assert "At risk (reconstructed)" in figure.read_text()
    status, out, _ = run("km", points, "--at-risk", risk, "--control", "old", "--format", "csv")
    assert status == 0
    assert out.splitlines()[0] == "arm,treat,time,status"
    assert len(out.splitlines()) == 41


@pytest.mark.parametrize("options", [["--control", "old"], [], ["--events", "new=8", "--level", "0.9"]])
def test_json_is_as_its_schema_says(run, files, options):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/km.schema.json").read_text())
    status, out, err = run("km", files[0], "--at-risk", files[1], *options, "--format", "json")
    assert status == 0, err
    jsonschema.validate(json.loads(out), schema)


def test_from_python_as_from_the_command(run, files):
    _, out, _ = run("km", files[0], "--at-risk", files[1], "--control", "old", "--format", "json")
    found = im.km(*files, control="old")
    assert found.to_dict() == json.loads(out)
    assert "<svg" in found._repr_html_()


def test_the_table_names_its_doubts(run, files):
    points, risk = files
    status, out, _ = run("km", points, "--at-risk", risk)
    assert status == 0
    assert "not reached" in out
    assert "no total of events" in out
    assert "Hazard ratio" not in out


@pytest.mark.parametrize(
    ("points", "risk", "options", "message"),
    [
        (POINTS, RISK, ["--control", "nobody"], "control named the arm 'nobody'"),
        (POINTS, RISK, ["--events", "new"], "accepted is ARM=NUMBER"),
        (POINTS, RISK, ["--control", "old", "--ties", "exact"], "ties was 'exact'"),
        (POINTS, RISK, ["--level", "95"], "level was 95"),
        (POINTS, RISK, ["--tau", "99"], "tau was 99"),
        (POINTS, RISK, ["--format", "xml"], "--format was 'xml'"),
        (POINTS, RISK, ["--figure", "a.gif"], ".svg, .pdf, .png"),
        (POINTS.replace("surv", "S"), RISK, [], "lacks the column surv"),
        (POINTS.replace("0.7", "x"), RISK, [], "row 3, column surv: was 'x'"),
        (POINTS.replace("0.9", "9"), RISK, [], "say whether heights are a proportion or percent"),
        (POINTS, RISK.replace("old,", "other,"), [], "has no numbers at risk of the arm 'old'"),
        (POINTS, RISK.replace("new,5,18", "new,5,21"), [], "never rise"),
        ("arm,time,surv\n", RISK, [], "holds no rows"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(run, tmp_path, points, risk, options, message):
    (tmp_path / "points.csv").write_text(points)
    (tmp_path / "risk.csv").write_text(risk)
    status, out, err = run("km", tmp_path / "points.csv", "--at-risk", tmp_path / "risk.csv", *options)
    assert status == 2
    assert message in err
    assert out == ""
