"""The command line as a user meets it: answers, formats, files, pipes, and every error a sentence with its status."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

CASES = Path(__file__).parents[1] / "published" / "cases" / "data"
BCG = str(CASES / "01_bcg_rr_tau2_estimators.csv")


def run(*arguments, **options):
    """Run the command line in a process of its own, as a user does."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100", "NO_COLOR": "1"}
    command = [sys.executable, "-W", "error", "-m", "igfmeta", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, encoding="utf-8", env=environment, **options
    )


def answered(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_main_job():
    text = answered("pool", "--class", "antibody")
    for part in ("Overall survival: hazard ratio", "Progression: hazard ratio", "Objective response", "All studies",
                 "Not used:", "half-normal(0.5)", "sha256", "P(HR<1)"):  # fmt: skip
        assert part in text
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text


def test_json_is_as_its_schema_says():
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/pool.schema.json").read_text())
    payload = json.loads(answered("pool", "--class", "antibody", "--outcome", "os", "--format", "json"))
    jsonschema.validate(payload, schema)
    assert payload["answers"][0]["overall"]["k"] == 8


def test_csv_has_the_same_names_as_python():
    rows = list(
        csv.DictReader(io.StringIO(answered("pool", "--class", "antibody", "--outcome", "os", "--format", "csv")))
    )
    assert rows[0]["group"] == "all"
    assert float(rows[0]["ci_lower"]) < float(rows[0]["estimate"]) < float(rows[0]["ci_upper"])


def test_markdown_and_html():
    assert "| **All studies** |" in answered("pool", "--class", "antibody", "--outcome", "os", "--format", "markdown")
    page = answered("pool", "--class", "antibody", "--outcome", "os", "--format", "html", "--explain")
    assert page.startswith("<!DOCTYPE html>")
    assert "what was reported, the rule, the result" in page


def test_explain_lists_each_number_and_each_row_not_used():
    text = answered("pool", "--class", "antibody", "--outcome", "progression", "--explain")
    assert "p_value" in text
    assert "rows not used" in text
    assert max(map(len, text.splitlines())) <= 110


def test_repeated_and_comma_separated_options_are_the_same():
    first = answered("pool", "--tumor", "nsclc", "--tumor", "sclc", "--outcome", "os")
    assert first == answered("pool", "--tumor", "nsclc,sclc", "--outcome", "os")


def test_output_goes_to_a_file_whole(tmp_path):
    target = tmp_path / "pool.json"
    done = run("pool", "--class", "antibody", "--format", "json", "-o", target)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"Written: {target}\n")
    assert json.loads(target.read_text())["igfmeta"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_run_leaves_the_old_file(tmp_path):
    target = tmp_path / "pool.json"
    target.write_text("old")
    assert run("pool", "--class", "antibody", "--agent", "nobody", "-o", target).returncode == 2
    assert target.read_text() == "old"
    assert run("pool", "--class", "antibody", "-o", tmp_path).returncode == 2
    assert run("pool", "--class", "antibody", "-o", tmp_path / "no" / "x").returncode == 2
    assert list(tmp_path.iterdir()) == [target]


def test_forests_come_with_a_pool_and_alone(tmp_path):
    done = run("pool", "--class", "antibody", "--outcome", "os", "--forest", tmp_path / "a.svg")
    assert done.returncode == 0
    assert run("forest", "--class", "antibody", "--outcome", "os", "-o", tmp_path / "b.svg").returncode == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert run("forest", "--class", "antibody", "-o", tmp_path / "c.txt", "--no-bayes").returncode == 0
    assert sorted(p.name for p in tmp_path.glob("c*")) == ["c-orr.txt", "c-os.txt", "c-progression.txt"]


def test_evidence_lists_filters_and_shows():
    assert "329 rows of 120 studies" in answered("evidence", "list")
    rows = json.loads(answered("evidence", "list", "--agent", "linsitinib", "--format", "json"))["rows"]
    assert len(rows) == 22
    shown = answered("evidence", "show", "fuchs2015")
    assert shown.count("  source: Fuchs") == 6
    assert "10.1093/annonc" in shown or "doi" in shown
    assert "fuchs2015-01" in answered("evidence", "show", "fuchs2015-01")


def test_fit_prints_names_that_others_read():
    payload = json.loads(answered("fit", "--data", BCG, "--yi", "yi", "--vi", "vi", "--format", "json"))
    names = ("k", "estimate", "se", "ci_lower", "ci_upper", "tau2", "tau2_ci_lower", "tau2_ci_upper", "se_tau2", "i2",
             "h2", "q", "q_df", "q_pvalue", "pi_lower", "pi_upper", "natural")  # fmt: skip
    assert [name for name in names if name not in payload] == []
    assert payload["estimate"] == pytest.approx(-0.71453234215814, rel=1e-8)


def test_fit_with_everything():
    text = answered("fit", "--data", BCG, "--yi", "yi", "--vi", "vi", "--study", "author", "--subgroup", "alloc",
                    "--leave-one-out", "--cumulative", "--bayes")  # fmt: skip
    for part in (
        "■",
        "Pooled",
        "Posterior",
        "Subgroups",
        "Without one study",
        "Cumulative",
        "Between groups: Q = 1.86",
    ):
        assert part in text


@pytest.mark.parametrize("shape", ["csv", "markdown", "html"])
def test_fit_in_every_format(shape):
    assert "TPT Madras" in answered("fit", "--data", BCG, "--yi", "yi", "--vi", "vi", "--study", "author",
                                    "--leave-one-out", "--format", shape)  # fmt: skip


def test_fit_from_events(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("study;a;n1;c;n2\nA;4;20;8;22\nB;0;25;3;24\nC;0;18;0;20\n")
    arguments = (
        "fit",
        "--data",
        table,
        "--events1",
        "a",
        "--n1",
        "n1",
        "--events2",
        "c",
        "--n2",
        "n2",
        "--study",
        "study",
    )
    payload = json.loads(answered(*arguments, "--measure", "OR", "--format", "json"))
    assert payload["k"] == 2
    assert "no event in either arm" in payload["studies"][2]["reason"]
    assert "Not used: C (row 4)" in answered(*arguments, "--measure", "OR").replace("\n", " ")


def test_help_names_every_option():
    text = answered("pool", "--help")
    options = (
        "class agent tumor regimen outcome by measure method ci pi prior use level data format output explain forest"
    )
    for option in options.split():
        assert f"--{option}" in text
    assert "fit" in answered("--help")
    assert answered("--version").startswith("igfmeta ")


@pytest.mark.parametrize("command", ["pool", "fit"])
def test_help_lists_every_method(command):
    from igfmeta.models.inference import CI_METHODS
    from igfmeta.models.prediction import PI_METHODS
    from igfmeta.models.registry import TAU2_METHODS

    words = set(answered(command, "--help").replace(",", " ").replace(".", " ").split())
    assert {*TAU2_METHODS, *CI_METHODS, *PI_METHODS} <= words


def test_no_command_shows_the_help():
    done = run()
    assert done.returncode == 2
    assert "Usage" in done.stdout + done.stderr


#: Arguments, exit status, and a part of the message.
WRONG = [
    (("pool", "--class", "antibodies"), 2, "Did you mean antibody?"),
    (("pool", "--method", "REMLX"), 2, "accepted are CE, DL"),
    (("pool", "--by", "country"), 2, "accepted are class, agent"),
    (("pool", "--format", "xml"), 2, "accepted are table, json, csv, markdown or html"),
    (("pool", "--level", "95"), 2, "such as 0.95"),
    (("pool", "--level", "high"), 2, "--level"),
    (("pool", "--prior", "normal(1)"), 2, "half-normal(0.5)"),
    (("pool", "--year", "20-10"), 2, "year"),
    (("pool", "--year", "soon"), 2, "accepted are a year (2014) or a range"),
    (("pool", "--outcome", "death"), 2, "outcome was 'death'"),
    (("pool", "--use", "all"), 2, "primary or sensitivity"),
    (("pool", "--tumor", ","), 2, "without a value"),
    (("pool", "--data", "no/such/folder"), 2, "There is no file or folder"),
    (("pool", "--fromat", "json"), 2, "No such option"),
    (("pool", "--agent", "biib022", "--outcome", "os"), 3, "no usable row"),
    (("pool", "--class", "antibody", "--forest", "x.jpg"), 2, "accepted are .svg"),
    (("poool",), 2, "No such command"),
    (("evidence", "show", "fuchs15"), 2, "Did you mean fuchs2015"),
    (("evidence", "list", "--agent", "biib022", "--outcome", "os"), 3, "No row of the evidence"),
    (("fit", "--data", "none.csv", "--yi", "y", "--vi", "v"), 2, "There is no file none.csv"),
    (("fit", "--data", BCG), 2, "The columns named were none"),
    (("fit", "--data", BCG, "--yi", "yi", "--vi", "v"), 2, "there is no column 'v'"),
    (("fit", "--data", BCG, "--yi", "author", "--vi", "vi"), 2, "row 2, column author: found 'Aronson'"),
    (("fit", "--data", BCG, "--yi", "yi", "--vi", "vi", "--measure", "OR"), 2, "it is for events"),
    (
        ("fit", "--data", BCG, "--yi", "yi", "--vi", "vi", "--tau2-ci", "PL", "--method", "DL"),
        2,
        "needs method ML or REML",
    ),
    (("fit", "--data", BCG, "--yi", "yi", "--vi", "yi"), 2, "a variance above 0"),
    (("fit", "--yi", "yi"), 2, "Missing option"),
    (("forest", "--class", "antibody"), 2, "Missing option"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), WRONG, ids=[" ".join(w[0])[:60] for w in WRONG])
def test_what_cannot_be_answered_is_said(arguments, status, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_ours_is_told_apart_and_debug_shows_where(tmp_path):
    code = (
        "import sys, igfmeta.evidence.load as load\n"
        "def broken(*a, **k): raise RuntimeError('boom')\n"
        "load.table_of_bytes = broken\n"
        "from igfmeta.cli.app import main\n"
        "sys.argv = ['igfmeta', *sys.argv[1:]]\nmain()\n"
    )
    quiet = subprocess.run([sys.executable, "-c", code, "pool"], capture_output=True, text=True, check=False)
    assert quiet.returncode == 1
    assert "a fault of igfmeta" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    loud = subprocess.run([sys.executable, "-c", code, "--debug", "pool"], capture_output=True, text=True, check=False)
    assert "Traceback" in loud.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a POSIX shell")
def test_a_reader_that_stops_reading_is_no_error():
    command = f'"{sys.executable}" -m igfmeta evidence list | head -1; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_terminal_escapes_in_a_table_do_not_reach_the_terminal(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("label,y,v\n\x1b[31mred,0.1,0.1\n=cmd(),0.2,0.1\n")
    arguments = ("fit", "--data", table, "--yi", "y", "--vi", "v", "--study", "label")
    assert "\x1b" not in answered(*arguments)
    assert "'=cmd()" in answered(*arguments, "--format", "csv")


def test_a_console_without_unicode_gets_ascii_drawings():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:replace"}
    command = [sys.executable, "-m", "igfmeta", "fit", "--data", BCG, "--yi", "yi", "--vi", "vi"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert "#" in done.stdout
    assert "?" not in done.stdout.split("Pooled")[0]
