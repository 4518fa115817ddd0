"""`igfmeta risk` and `igfmeta dose` as a user meets them: answers, formats, figures, and every error a sentence."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

CASES = Path(__file__).parents[1] / "published" / "cases" / "data"
ALCOHOL = str(CASES / "39_dosresmeta_alcohol_cvd.csv")
COFFEE = str(CASES / "40_dose_response_rcs.csv")


@pytest.fixture
def answered(run):
    """Return a function that gives the output of a command that has to succeed without a word on standard error."""

    def answer(*arguments):
        status, out, err = run(*arguments)
        assert (status, err) == (0, "")
        return out

    return answer


def flat(text):
    return " ".join(text.split())


def schema(name):
    return json.loads(resources.files("igfmeta").joinpath(f"schemas/{name}.schema.json").read_text())


def test_each_stratum_has_its_pool_and_each_row_its_rule(answered):
    text = answered("risk", "--cancer", "prostate")
    said = flat(text)
    for part in (
        "igf1 and prostate cancer: ratio per SD",
        "Prospective 7 3,620 1.19 (1.07, 1.32)",
        "Prospective studies: what was pooled, per SD",
        "Mendelian randomization: what was pooled, per SD",
        "log ratio x 0.393",
        "the disease taken to be rare (Prospective studies: 5 OR, 2 RR)",
        "Candidate genes: a stratum of its own",
        "half-normal(0.2)",
        "9 pools of several studies",
        "sha256",
    ):
        assert part in said
    assert max(map(len, text.splitlines())) <= 100


def test_explain_lists_the_alternatives_to_each_row_that_speaks(answered):
    said = flat(answered("risk", "--cancer", "prostate", "--explain"))
    assert "Rows in no pool" in said
    assert "allen2007-01" in said
    assert "price2012-01" in said


def test_by_cancer_shows_the_pools_and_the_hierarchy(answered):
    text = answered("risk", "--by", "cancer")
    said = flat(text)
    for part in (
        "hierarchical",
        "Between cancers: Q = 6.68, df = 4",
        "Average of the",
        "Pareto k",
        "prior half-normal",
    ):
        assert part in said
    assert max(map(len, text.splitlines())) <= 101


def test_compare_alone_shows_published_pools_beside_ours_and_what_differs(answered):
    text = answered("risk", "--compare")
    said = flat(text)
    for part in ("Renehan 2004", "Rowlands 2009", "Roddam 2008", "Travis 2016", "Key 2010", "What differs",
                 "The table does not list its members", "as wide on the log scale"):  # fmt: skip
        assert part in said
    assert "what was pooled" not in said
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cancer", "breast", "--compare", "--design", "observational"),
        ("--by", "cancer", "--per", "quartile", "--exposure-sd", "uk_biobank=5.7 nmol/L"),
        ("--cancer", "prostate", "--per", "unit"),
        ("--cancer", "colon", "--method", "CE", "--ci", "z", "--pi", "z"),
    ],
)
def test_json_is_as_its_schema_says(answered, arguments):
    payload = json.loads(answered("risk", *arguments, "--format", "json"))
    jsonschema.validate(payload, schema("risk"))


def test_json_carries_the_rule_of_each_row_and_the_reason_of_each_row_left_out(answered):
    payload = json.loads(answered("risk", "--cancer", "prostate", "--format", "json"))
    studies = [study for group in payload["groups"] for study in group["studies"]]
    assert all(study["derivation"] and study["reported"] and study["population"] for study in studies)
    assert all(item["reason"] for item in payload["not_used"])
    assert payload["per"] == {"amount": 1.0, "unit": "SD", "label": "per SD"}


def test_csv_markdown_and_html(answered, tmp_path):
    rows = list(csv.DictReader(io.StringIO(answered("risk", "--cancer", "prostate", "--format", "csv"))))
    assert [row["k"] for row in rows if row["kind"] == "pooled"] == ["7.0", "2.0"]
    assert "| Mendelian randomization |" in answered("risk", "--cancer", "prostate", "--format", "markdown")
    page = answered("risk", "--by", "cancer", "--format", "html")
    assert page.startswith("<!DOCTYPE html>")
    assert "<svg" in page
    assert answered("risk", "--compare", "--cancer", "breast", "--format", "html").count("<table") >= 5


def test_a_forest_has_the_strata_as_groups(run, tmp_path):
    for suffix in ("svg", "txt"):
        status, _, err = run("risk", "--cancer", "breast", "--forest", tmp_path / f"f.{suffix}")
        assert (status, err) == (0, f"Written: {tmp_path / f'f.{suffix}'}\n")
        drawn = (tmp_path / f"f.{suffix}").read_text()
        for part in ("Prospective studies", "Retrospective studies", "Mendelian randomization", "Candidate genes",
                     "Higher risk", "Prediction interval"):  # fmt: skip
            assert part in drawn


def test_one_file_of_associations_is_enough(run, answered, tmp_path):
    header = "row_id,study_id,design,cancer,biomarker,contrast,measure,estimate,ci_low,ci_high,ci_level,use,source_id"
    rows = [f"r{i},s{i},prospective_cohort,brain,igf1,per_sd,HR,1.{i},1.0,1.5,95,primary,x" for i in (1, 2, 3)]
    table = tmp_path / "mine.csv"
    table.write_text("\n".join([header, *rows]) + "\n")
    payload = json.loads(answered("risk", "--data", table, "--cancer", "brain", "--format", "json"))
    assert (payload["groups"][0]["k"], payload["groups"][0]["measure"]) == (3, "HR")
    table.write_text("\n".join([header, *rows]).replace("1.2,1.0", "1.2,x") + "\n")
    status, _, err = run("risk", "--data", table, "--cancer", "brain")
    assert status == 2
    assert "mine.csv, row 3, column ci_low" in err


def test_dose_reproduces_the_published_curve_from_a_table(answered):
    text = answered("dose", "--data", ALCOHOL, "--model", "quadratic")
    for part in ("6 studies, 19 contrasts", "Greenland- Longnecker", "Linearity: chi2 = 2.37, df = 1, p = 0.124",
                 "Goodness of fit", "0.0302"):  # fmt: skip
        assert part in flat(text)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data", ALCOHOL, "--model", "fp", "--degree", "1"),
        ("--data", COFFEE, "--model", "rcs", "--knots", "0,2,6.5", "--stages", "one", "--covariance", "hamling"),
        ("--cancer", "prostate", "--biomarker", "igf1", "--dose-scale", "sd", "--at", "-1,0,1"),
    ],
)
def test_dose_json_is_as_its_schema_says(answered, arguments):
    jsonschema.validate(json.loads(answered("dose", *arguments, "--format", "json")), schema("dose"))


def test_a_curve_is_drawn_with_its_reference(run, tmp_path):
    status, *_ = run("dose", "--data", COFFEE, "--model", "rcs", "--reference", "2", "--figure", tmp_path / "c.svg")
    assert status == 0
    drawn = (tmp_path / "c.svg").read_text()
    assert "against 2 (dotted line)" in drawn
    assert "(22 studies)" in drawn


#: Arguments, exit status, and a part of the message.
WRONG = [
    (("risk",), 2, "No cancer was named; accepted are any, breast"),
    (("risk", "--cancer", "prostata"), 2, "cancer was 'prostata'; accepted are any, breast"),
    (("risk", "--cancer", "lung"), 3, "no usable row"),
    (("risk", "--cancer", "prostate", "--per", "inch"), 2, "accepted are sd, quartile or unit"),
    (("risk", "--cancer", "prostate", "--by", "country"), 2, "accepted are cancer"),
    (("risk", "--cancer", "prostate", "--measures", "same"), 2, "5 OR, 2 RR"),
    (("risk", "--cancer", "prostate", "--exposure-sd", "uk_biobank"), 2, "NAME=AMOUNT UNIT"),
    (("risk", "--cancer", "prostate", "--exposure-sd", "nobody=4 nmol/L"), 2, "'nobody'; accepted are"),
    (("risk", "--cancer", "prostate", "--format", "xml"), 2, "table, json, csv, markdown or html"),
    (("risk", "--cancer", "prostate", "--forest", "x.jpg"), 2, "accepted are .svg"),
    (("risk", "--compare", "--forest", "x.svg"), 2, "add --cancer or --by cancer"),
    (("risk", "--cancer", "prostate", "--data", "none.csv"), 2, "There is no file or folder none.csv"),
    (("risk", "--cancer", "prostate", "--prior", "flat"), 2, "half-normal"),
    (("dose",), 2, "cancer is missing"),
    (("dose", "--cancer", "prostate", "--biomarker", "igf1"), 3, "--dose-scale sd"),
    (("dose", "--data", ALCOHOL, "--model", "cubic"), 2, "accepted are linear, quadratic, rcs or fp"),
    (("dose", "--data", ALCOHOL, "--cases", "dead"), 2, "dead"),
    (("dose", "--data", ALCOHOL, "--at", "0,x"), 2, "accepted are numbers"),
    (("dose", "--data", ALCOHOL, "--figure", "x.html"), 2, "accepted are .svg, .pdf, .png"),
    (("dose", "--data", "none.csv"), 2, "There is no file none.csv"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), WRONG, ids=[" ".join(w[0])[-50:] for w in WRONG])
def test_what_cannot_be_answered_is_said(run, arguments, status, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, out, err = run(*arguments)
    assert found == status
    assert message in flat(err)
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option(answered):
    text = answered("risk", "--help")
    rows = ("cancer", "biomarker", "subgroup", "per", "unit", "by", "compare", "design", "measures", "use", "data")
    model = ("exposure-sd", "method", "ci", "pi", "prior", "level", "seed", "format", "output", "explain", "forest")
    assert [option for option in (*rows, *model) if f"--{option}" not in text] == []
    assert "risk" in answered("--help")


def test_a_pool_of_associations_loads_no_heavy_library():
    program = (
        "import sys; sys.argv = ['igfmeta', 'risk', '--cancer', 'prostate']\n"
        "from igfmeta.cli.app import _run\nassert _run() == 0\n"
        "heavy = ('pymc', 'arviz', 'matplotlib', 'jinja2', 'scipy.stats', 'scipy.optimize', 'pandas')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
