"""Many analyses in one table: each group as `fit` would have it, the same bits whoever computes, no group lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from igfmeta.errors import InputError
from igfmeta.evidence.stream import read_grouped
from igfmeta.parallel import workers
from igfmeta.report.spreadsheet import to_csv
from igfmeta.synthesis import fit_batch as many
from igfmeta.synthesis.fit_batch import Recipe, fit_batch
from igfmeta.synthesis.fitting import fit
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods

EFFECTS = Columns(yi="yi", vi="vi")


def table_of(rng, sizes):
    group = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    v = rng.uniform(0.01, 0.5, len(group))
    return pd.DataFrame({"group": group, "yi": rng.normal(0, np.sqrt(v + 0.1)), "vi": v})


def written(tmp_path, frame):
    path = tmp_path / "many.csv"
    frame.to_csv(path, index=False, float_format="%.17g")
    return path


def answer(path, recipe, *, columns=("yi", "vi"), jobs=1, **reading):
    table = read_grouped(path, numeric=list(columns), group="group", **reading)
    return pd.concat(fit_batch(table, recipe, jobs=jobs), ignore_index=True)


@pytest.mark.parametrize("method", ["REML", "DL", "PM", "CE"])
def test_each_group_is_what_fit_gives(tmp_path, rng, method):
    frame = table_of(rng, [1, 2, 3, 9, 40, 70]).sample(frac=1, random_state=1)
    found = answer(written(tmp_path, frame), Recipe(columns=EFFECTS, method=method)).set_index("group")
    for name, rows in frame.groupby("group"):
        alone = fit(rows, yi="yi", vi="vi", methods=Methods(method=method)).fit
        for field in ("se", "p_value", "tau2", "tau2_ci_upper", "i2", "q", "ci_lower", "pi_upper"):
            expected = getattr(alone, field)
            expected = np.nan if expected is None else expected
            assert found.loc[name, field] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True), field
        assert found.loc[name, "mu"] == pytest.approx(alone.estimate, rel=1e-9)
        assert found.loc[name, "remarks"] == " ".join(alone.remarks)


def test_events_are_on_the_readers_scale_and_corrections_look_at_their_own_group(tmp_path, rng):
    frame = pd.DataFrame({"group": np.repeat(["a", "b", "c"], 4), "n": rng.integers(30, 60, 12)})
    frame["events"] = rng.integers(1, 20, 12)
    frame.loc[1, "events"] = 0
    columns = Columns(events="events", n="n")
    for measure, policy in (("PLO", "if0all"), ("PLO", "only0"), ("PFT", "only0")):
        recipe = Recipe(columns=columns, measure=measure, zero_cells=policy)
        found = answer(written(tmp_path, frame), recipe, columns=("events", "n")).set_index("group")
        for name, rows in frame.groupby("group"):
            alone = fit(rows, columns, measure=measure, zero_cells=policy)
            assert found.loc[name, "estimate"] == pytest.approx(alone.natural(alone.fit.estimate), rel=1e-10)
            assert found.loc[name, "ci_upper"] == pytest.approx(alone.natural(alone.fit.ci_upper), rel=1e-10)


def test_bits_depend_on_neither_workers_nor_reading(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(many, "GROUPS", 16)
    path = written(tmp_path, table_of(rng, rng.integers(1, 50, 60)))
    recipe = Recipe(columns=EFFECTS)
    once = to_csv(answer(path, recipe))
    assert once == to_csv(answer(path, recipe, rows_at_a_time=7))
    with workers("threading"):
        assert once == to_csv(answer(path, recipe, jobs=3))


def test_a_group_that_cannot_be_pooled_is_a_row_with_its_reason(tmp_path):
    path = tmp_path / "many.csv"
    path.write_text(
        "group,yi,vi\ngood,0.1,0.1\nzero,0.1,0\ngood,0.2,0.1\ntext,abc,0.1\nblank,,0.1\ngood,,0.1\n,0.3,0.1\n"
        "\ntiny,0.1,1e-400\nvast,1e308,1e-3\nvast,-1e308,1e-3\n",
        encoding="utf-8",
    )
    found = answer(path, Recipe(columns=EFFECTS)).set_index("group")
    assert list(found.index) == ["good", "zero", "text", "blank", "(blank)", "tiny", "vast"]
    assert found.loc["good", "k"] == 2
    assert found.loc["good", "remarks"] == "1 of 3 rows not used: yi blank."
    assert found.loc["zero", "reason"] == "row 3, column vi: found 0; accepted is a variance above 0."
    assert "row 5, column yi: found 'abc'" in found.loc["text", "reason"]
    assert found.loc["blank", "reason"] == "No row can be used: yi blank."
    assert "row 10, column vi: found 0" in found.loc["tiny", "reason"]
    assert "too far" in found.loc["vast", "reason"]
    for name in ("zero", "text", "blank", "tiny", "vast"):
        assert found.loc[name, "k"] == 0
        assert np.isnan(found.loc[name, "estimate"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (b"group,yi,vi\n", "has a header and no rows"),
        (b"group,yi,vi\na,1\nb,1,2,3\n", "row 3: has 4 cells where the header has 3"),
        (b"group,yi,vi,yi\n", "stands more than once"),
        (b'group,yi,vi\n"a,1,1\n', "look for a quote that is not closed"),
        (b"group,yi,vi\n\xff,1,1\n", "byte 0xff, which is not UTF-8"),
        (b"PK\x03\x04rest", "is not a text file"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_whole(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_bytes(text)
    with pytest.raises(InputError, match=message):
        read_grouped(path, numeric=["yi", "vi"], group="group")


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_of_two_workers_gives_the_same_bits(tmp_path, rng):
    distributed = pytest.importorskip("distributed")
    path, recipe = written(tmp_path, table_of(rng, rng.integers(1, 9, 3 * many.GROUPS // 2))), Recipe(columns=EFFECTS)
    once = to_csv(answer(path, recipe))
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        workers("dask", scheduler=cluster.scheduler_address),
    ):
        assert once == to_csv(answer(path, recipe, jobs=2))
