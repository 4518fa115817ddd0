"""`fit --model`: one registry says what exists; a model refuses the options that it does not heed."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pandas as pd
import pytest
from typer.testing import CliRunner

import igfmeta as im
from igfmeta.cli.commands import build
from igfmeta.report import of_fit
from igfmeta.report.markdown import table_to_markdown
from igfmeta.synthesis.models_of_fit import MODELS, options_of, refuse_unheeded


@pytest.fixture
def effects():
    return pd.DataFrame({"yi": [-0.4, -0.1, -0.3], "vi": [0.04, 0.02, 0.05]})


@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_the_registry_loads_and_states_its_options(model):
    assert "level" in options_of(model)
    assert MODELS[model].label
    assert MODELS[model].paper


def test_a_model_by_name_is_the_fit_that_it_names(effects):
    by_name = im.fit_with("random", effects, yi="yi", vi="vi", method="PM", ci="z")
    plain = im.fit(effects, yi="yi", vi="vi", methods=im.Methods(method="PM", ci="z"))
    assert by_name.to_dict() == plain.to_dict()


def test_q_of_a_risk_difference_is_the_same_for_events_and_for_their_absence():
    arms = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2"}
    counts = pd.DataFrame({"a": [0, 3, 12], "n1": [15, 20, 12], "c": [0, 5, 14], "n2": [16, 22, 14]})
    counts = pd.concat([counts, pd.DataFrame({"a": [7], "n1": [31], "c": [4], "n2": [29]})])
    absent = counts.assign(a=counts.n1 - counts.a, c=counts.n2 - counts.c)
    one, other = (im.fit_with("mh", table, **arms, measure="RD").fit for table in (counts, absent))
    assert one.estimate == pytest.approx(-other.estimate, rel=1e-12)
    assert one.q == pytest.approx(other.q, rel=1e-12)
    assert one.q_df == other.q_df == 1


def test_what_does_not_exist_is_refused(effects):
    with pytest.raises(im.InputError, match=r"model was 'x'; accepted are random"):
        im.fit_with("x", effects, yi="yi", vi="vi")
    with pytest.raises(im.InputError, match="nonsense says nothing to model random; its options are measure"):
        im.fit_with("random", effects, yi="yi", vi="vi", nonsense=1)
    with pytest.raises(im.InputError, match="--no-such says nothing to model random; its options are --measure"):
        refuse_unheeded("random", ["no_such"], written=lambda name: f"--{name.replace('_', '-')}")


COUNTS = pd.DataFrame({"a": [1, 0, 5, 7], "n1": [40, 25, 60, 80], "c": [4, 3, 9, 7], "n2": [41, 30, 58, 75],
                       "name": ["A", "B", "C", "D"], "group": ["x", "x", "y", "y"]})  # fmt: skip
TWO_ARMS = {"events1": "a", "n1": "n1", "events2": "c", "n2": "n2", "study": "name"}
OF_COUNTS = [("mh", {"measure": "OR"}), ("peto", {}), ("glmm", {"measure": "OR"}), ("glmm", {"measure": "OR",
             "variant": "UM.RS"}), ("beta-binomial", {"measure": "OR"}), ("logistic", {"measure": "OR"}),
             ("firth", {})]  # fmt: skip


def _payload(result):
    schema = json.loads(resources.files("igfmeta").joinpath("schemas/fit.schema.json").read_text())
    payload = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    jsonschema.validate(payload, schema)
    return payload


@pytest.mark.parametrize(("model", "options"), OF_COUNTS, ids=str)
def test_models_of_counts_give_json_tables_forest_and_frame(model, options):
    result = im.fit_with(model, COUNTS, **TWO_ARMS, **options)
    payload = _payload(result)
    assert payload["model"] == model
    assert payload["details"]
    text = "\n".join(map(table_to_markdown, of_fit.tables(result)))
    assert "All studies" in text
    assert "## Model" in text
    assert list(result.to_frame()["label"])[:4] == ["A", "B", "C", "D"]
    assert result.forest().named[0][0] == "fit"


@pytest.mark.parametrize(("model", "options"), OF_COUNTS, ids=str)
def test_models_of_counts_pool_groups_and_without_each_study_and_study_after_study(model, options):
    result = im.fit_with(model, COUNTS, **TWO_ARMS, subgroup="group", leave_one_out=True, cumulative=True, **options)
    payload = _payload(result)
    assert [group["group"] for group in payload["subgroups"]] == ["x", "y"]
    assert [step["study"] for step in payload["leave_one_out"]] == ["A", "B", "C", "D"]
    assert [step["k"] for step in payload["cumulative"]] == [1, 2, 3, 4]
    assert payload["cumulative"][-1]["estimate"] == pytest.approx(payload["estimate"], rel=1e-7)
    assert payload["between_groups"]["test"] == ("Wald" if model in ("glmm", "beta-binomial") else "Q")
    text = "\n".join(map(table_to_markdown, of_fit.tables(result)))
    for title in ("## Subgroups", "## Without one study", "## Cumulative", "Between groups: "):
        assert title in text
    kinds = result.to_frame()["kind"].value_counts()
    assert (kinds["subgroup"], kinds["leave_one_out"], kinds["cumulative"]) == (2, 4, 4)
    assert "Between groups: " in "\n".join(result.forest().named[0][1].lines)
    assert "igfmeta-fit" in result._repr_html_()


@pytest.mark.parametrize(("model", "measure"), [("glmm", "OR"), ("beta-binomial", "PLO"), ("beta-binomial", "OR")])
def test_groups_with_one_between_study_variance_are_compared_by_the_likelihood_ratio(model, measure):
    columns = TWO_ARMS if measure == "OR" else {"events": "c", "n": "n2", "study": "name"}
    result = im.fit_with(model, COUNTS, **columns, measure=measure, subgroup="group", subgroup_tau2="common")
    between = _payload(result)["between_groups"]
    assert (between["test"], between["tau2"], between["df"]) == ("LR", "common", 1)
    assert "likelihood ratio of an effect for each group" in "\n".join(map(table_to_markdown, of_fit.tables(result)))


SPARSE = pd.DataFrame({"a": [0, 0, 2, 3, 4], "n1": [40, 25, 60, 31, 44], "c": [4, 3, 9, 0, 2],
                       "n2": [41, 30, 58, 30, 45], "name": list("ABCDE"), "group": list("xxyzz")})  # fmt: skip


@pytest.mark.parametrize(
    ("model", "reason"),
    [("mh", "odds ratio is 0"), ("glmm", "the effect is infinite"), ("logistic", "the effect is infinite"),
     ("beta-binomial", "the estimate is infinite")],
)  # fmt: skip
def test_a_set_of_studies_without_an_answer_is_a_row_with_its_reason(model, reason):
    result = im.fit_with(model, SPARSE, **TWO_ARMS, measure="OR", subgroup="group", cumulative=True)
    payload = _payload(result)
    for silent in (payload["subgroups"][0], payload["cumulative"][1]):
        assert silent["estimate"] is None
        assert silent["natural"]["estimate"] is None
        assert reason in silent["remarks"][0]
    assert payload["between_groups"]["df"] == 1
    subgroups, cumulative = of_fit.tables(result)[2:]
    assert "(without x)" in subgroups.notes[0]
    assert any(note.startswith("A, B: ") and reason in note for note in cumulative.notes)
    frame = result.to_frame().query("kind == 'subgroup'")
    assert reason in frame["reason"].iloc[0]
    assert frame["reason"].iloc[1:].isna().all()
    assert "no finite effect" in result._repr_html_()


def test_a_group_in_which_no_arm_varies_has_no_standard_error_and_is_in_no_test():
    table = SPARSE.assign(a=[0, 0, 2, 3, 4], c=[0, 0, 9, 0, 2])
    result = im.fit_with("mh", table, **TWO_ARMS, measure="RD", subgroup="group")
    payload = _payload(result)
    assert (payload["subgroups"][0]["estimate"], payload["subgroups"][0]["se"]) == (0, 0)
    assert payload["between_groups"]["df"] == 1
    notes = " ".join(of_fit.tables(result)[2].notes)
    assert "(without x)" in notes
    assert "x: No arm varies" in notes


@pytest.mark.parametrize("model", ["mh", "peto", "glmm", "logistic", "firth", "beta-binomial"])
def test_one_study_alone_is_pooled_without_a_warning(model):
    measure = {} if model in ("peto", "firth") else {"measure": "OR"}
    result = im.fit_with(model, COUNTS.iloc[:1], **TWO_ARMS, **measure, leave_one_out=True, subgroup="group")
    assert result.subgroups.q_between is None
    assert result.leave_one_out[0].fit.estimate is None


def test_one_study_without_itself_is_no_study():
    result = im.fit_with("peto", COUNTS.iloc[:1], **TWO_ARMS, leave_one_out=True)
    assert result.leave_one_out[0].fit.remarks == ("No study is left.",)


def test_the_command_line_answers_and_refuses(tmp_path):
    table = tmp_path / "t.csv"
    COUNTS.to_csv(table, index=False)
    base = ["fit", "--data", str(table), "--events1", "a", "--n1", "n1", "--events2", "c", "--n2", "n2"]
    runner = CliRunner()
    done = runner.invoke(build(), [*base, "--model", "glmm", "--measure", "OR", "--format", "json"])
    assert json.loads(done.stdout)["details"]["gradient"]["value"] < 1e-8
    for arguments, message in (
        (["--model", "mh", "--measure", "OR", "--prior", "half-normal(1)"], "--prior says nothing to model mh"),
        (["--model", "nope"], "--model was 'nope'; accepted are random, mh, peto"),
        (["--model", "glmm", "--measure", "OR", "--variant", "x"], "accepted are CM.EL, CM.AL, UM.FS or UM.RS"),
        (["--model", "peto", "--subgroup-tau2", "common"], "--subgroup-tau2 says nothing to model peto"),
        (["--model", "firth", "--subgroup", "nope"], "there is no column 'nope'"),
        (
            ["--model", "glmm", "--measure", "OR", "--subgroup", "group", "--subgroup-tau2", "both"],
            "accepted are separate or common",
        ),
        (
            ["--model", "glmm", "--measure", "OR", "--subgroup", "group", "--subgroup-tau2", "common", "--ci", "PL"],
            "ci (with a common tau2) was 'PL'; accepted are z or t",
        ),
    ):
        refused = runner.invoke(build(), [*base, *arguments])
        assert isinstance(refused.exception, im.InputError)
        assert message in str(refused.exception)
    shown = runner.invoke(build(), ["fit", "--help"])
    assert all(model in shown.stdout for model in MODELS)
