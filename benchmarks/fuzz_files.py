"""Targets of fuzz.py: reports, bundles, judgements, curves, exposure groups, draws, priors, evidence to compare."""

from __future__ import annotations

import io
import json
import math
import random
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_inputs import ODD, ROOT, Target, mutated, numbers, some_evidence, spoiled, table, with_odd_member, zipped

from igfmeta.bayes.mcmc.store import DrawStore
from igfmeta.bayes.mcmc.trust import examine, open_draws
from igfmeta.bayes.mu_priors import parse_mu_prior
from igfmeta.bayes.tau_priors import parse_tau_prior
from igfmeta.cli.dose import _table
from igfmeta.errors import IgfmetaError, InputError
from igfmeta.evidence import load_evidence
from igfmeta.evidence.risk_of_bias import JUDGEMENTS
from igfmeta.report.bundle import compare_bundles, read_bundle
from igfmeta.report.html import PROVENANCE_ID
from igfmeta.report.verify import compare, read_page, read_provenance
from igfmeta.synthesis.audit.run import audit
from igfmeta.synthesis.dose import dose_response
from igfmeta.synthesis.dose_inputs import USUAL_NAMES
from igfmeta.synthesis.effect_diff import diff
from igfmeta.synthesis.protocol_files import protocol_of_texts
from igfmeta.synthesis.risk_of_bias import risk_of_bias
from igfmeta.synthesis.survival_curves import survival_curves

PROTOCOL = """title = "Small"
authors = ["A. Author"]
[question]
text = "Does it prolong survival?"
intervention = "it"
[eligibility]
contrast = ["add_on"]
[[outcome]]
name = "os"
measure = "HR"
"""


def small_evidence(folder: Path) -> Path:
    """Write five trials of the shipped evidence that report survival, and their sources."""
    import csv

    folder.mkdir(exist_ok=True)
    with (ROOT / "data" / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    trials = [row for row in rows if (row["outcome"], row["measure"], row["use"]) == ("os", "HR", "primary")][:5]
    wanted = {row["source_id"] for row in trials}
    with (ROOT / "data" / "sources.csv").open(encoding="utf-8", newline="") as stream:
        sources = [row for row in csv.DictReader(stream) if row["source_id"] in wanted]
    for name, rows in (("trials", trials), ("sources", sources)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@cache
def small_report() -> tuple[str, dict[str, bytes]]:
    """Return a small report as its page and as its files."""
    import tempfile

    from igfmeta.report.build import build_report
    from igfmeta.report.export import evidence_files, files_of
    from igfmeta.synthesis.analysis import analyse

    with tempfile.TemporaryDirectory() as place:
        evidence = load_evidence(small_evidence(Path(place)), tables=("trials",))
        file = protocol_of_texts("small", {"small": PROTOCOL})
        answers = analyse(file, evidence, mcmc=False, sampler=None, progress=lambda _: None)
        made = build_report(file, answers, mcmc=False, stamp=None)
        files = files_of(made, evidence_files(Path(place), made.provenance.files))
    return files["report.html"].decode(), files


def report(rng: random.Random) -> bytes:
    """Return a report with changed bytes, a changed text, or another provenance."""
    whole, _ = small_report()
    start = whole.index("{", whole.index(f'id="{PROVENANCE_ID}"'))
    end = whole.index("</script>", start)
    kind = rng.random()
    if kind < 0.2:
        return mutated(whole.encode(), rng)
    if kind < 0.7:
        changed = json.dumps(spoiled(json.loads(whole[start:end]), rng), ensure_ascii=rng.random() < 0.5)
        return (whole[:start] + changed + whole[end:]).encode("utf-8", "surrogatepass")
    odd = rng.choice((*ODD, "<!--", "<![CDATA[", "<!x", "</script>", "<svg", "</h2>", "&#0;"))
    at, gone = rng.randrange(len(whole)), rng.choice((0, 1, 9))
    return (whole[:at] + odd * rng.choice((1, 1, 1000)) + whole[at + gone :]).encode("utf-8", "surrogatepass")


def try_report(data: bytes, folder: Path) -> None:
    """Only the bytes that were written hold; the protocol that is embedded is read as protocols are."""
    path = folder / "r.html"
    path.write_bytes(data)
    text = read_page(path)
    made = read_provenance(text, path.name)
    protocol_of_texts(made["protocol"], made["protocols"])
    whole, _ = small_report()
    found = compare(text, whole)
    assert found.holds == (text == whole)
    assert found.holds or found.differences


def bundle(rng: random.Random) -> bytes:
    """Return a bundle with a fit or the provenance spoiled, a member or the archive changed."""
    _, files = small_report()
    members = {name: files[name] for name in files if name.startswith(("evidence/", "fits/", "provenance"))}
    kind = rng.random()
    if kind < 0.6:
        name = rng.choice([name for name in members if name.endswith(".json")])
        members[name] = json.dumps(spoiled(json.loads(members[name]), rng)).encode()
    elif kind < 0.8:
        members = with_odd_member(members, rng)
    made = zipped(members)
    return made if kind < 0.8 else mutated(made, rng)


def try_bundle(data: bytes, folder: Path) -> None:
    """What is read compares with what was written; numbers are finite, and no file is written outside."""
    path, whole = folder / "b.zip", folder / "whole.zip"
    path.write_bytes(data)
    _, files = small_report()
    if not whole.exists():
        whole.write_bytes(zipped(files))
    found = read_bundle(path)
    made = compare_bundles(read_bundle(whole), found)
    json.dumps(made.to_dict(), allow_nan=False)
    from igfmeta.report.diff_summary import tables

    assert tables(made, everything=True)
    same = read_bundle(whole).effects == found.effects
    assert made.same or not same or found.evidence.fingerprint != read_bundle(whole).evidence.fingerprint


RISK = [
    ["study_id", "tool", "domain", "judgement", "support", "derived"],
    *([study, "igfmeta", domain, judgement, "r1", "1"]
      for study, judgement in (("s0", "low"), ("s1", "high")) for domain in ("blinding", "retraction", "subset")),
]  # fmt: skip
TWO_TRIALS = (
    "row_id,study_id,year,agent,agent_class,tumor_type,design,regimen,contrast,outcome,measure,estimate,ci_low,ci_high,ci_level,"
    "use,source_id\n"
    "r0,s0,2001,x,drug,skin,randomized,combination,add_on,os,HR,0.8,0.6,1.1,95,primary,a\n"
    "r1,s1,2002,x,drug,skin,randomized,combination,add_on,os,HR,0.9,0.7,1.2,95,primary,a\n"
)


def try_judgements(data: bytes, folder: Path) -> None:
    """Judgements are of the words that are accepted, once for a domain, and the overall one is the worst."""
    (folder / "trials.csv").write_text(TWO_TRIALS)
    (folder / "risk_of_bias.csv").write_bytes(data)
    found = risk_of_bias(load_evidence(folder, tables=("trials",)))
    json.dumps(found.to_dict(), allow_nan=False)
    assert {study.study_id for study in found.studies} <= {"s0", "s1"}
    assert len(found.studies) + found.not_judged == 2
    for study in found.studies:
        assert set(study.judgements.values()) <= set(JUDGEMENTS)
        assert study.overall == max(study.judgements.values(), key=JUDGEMENTS.index)


def curves(rng: random.Random) -> tuple[bytes, bytes, dict[str, Any]]:
    """Return points of two curves and numbers at risk, one of the two broken, and options."""
    points = [["arm", "time", "surv"]]
    risks = [["arm", "time", "at_risk"]]
    for arm, rate in (("a", 0.05), ("b", 0.08)):
        points += [[arm, str(t), f"{math.exp(-rate * t):.3f}"] for t in range(0, 24, 2)]
        risks += [[arm, str(t), str(round(60 * math.exp(-rate * t)))] for t in (0, 8, 16)]
    broken, whole = (points, risks) if rng.random() < 0.6 else (risks, points)
    made = numbers(broken)(rng), "\n".join(map(",".join, whole)).encode()
    options = {
        "control": rng.choice((None, "b", "b", "c")), "heights": rng.choice((None, None, "percent", "proportion")),
        "events": rng.choice((None, None, {"a": rng.choice((0, 1, 40, 60, 10**9))})),
        "tau": rng.choice((None, None, None, None, 12.0, 0.0, -1.0, 1e9, math.nan)),
        "conf_type": rng.choice(("log", "log-log", "plain")),
    }  # fmt: skip
    return (*(made if broken is points else made[::-1]), options)


def try_curves(made: tuple[bytes, bytes, dict[str, Any]], folder: Path) -> None:
    """People are as many as were at risk at first, events no more; means lie within the horizon."""
    points, risks, options = made
    (folder / "points.csv").write_bytes(points)
    (folder / "risks.csv").write_bytes(risks)
    found = survival_curves(folder / "points.csv", folder / "risks.csv", **options)
    json.dumps(found.to_dict(), allow_nan=False)
    frame = found.to_frame()
    assert np.isfinite(frame["time"]).all()
    assert (frame["time"] >= 0).all()
    assert frame["status"].isin([0, 1]).all()
    for arm in found.arms:
        assert 0 <= arm.found.events <= arm.found.n == len(arm.found.time)
        assert arm.found.n == arm.found.at_risk[0]
        assert -1e-9 <= arm.rmst <= found.tau * (1 + 1e-9)
    if found.comparison is not None:
        assert found.comparison.ci_lower <= found.comparison.log_hr <= found.comparison.ci_upper


GROUPS = [
    ["id", "type", "dose", "cases", "n", "rr", "lower", "upper"],
    *([f"s{i}", "cc", str(10 * j), str(30 + 5 * j), str(100 + 7 * i), *(("1", "1", "1") if j == 0 else (
        f"{1 + 0.1 * j + 0.02 * i:.2f}", f"{0.8 + 0.1 * j:.2f}", f"{1.5 + 0.2 * j:.2f}"))]
      for i in range(4) for j in range(3)),
]  # fmt: skip


def groups(rng: random.Random) -> tuple[bytes, dict[str, Any]]:
    """Return exposure groups that are broken, and a model."""
    options = {
        "model": rng.choice(("linear", "linear", "quadratic", "rcs")), "stages": rng.choice(("two", "two", "one")),
        "method": rng.choice(("reml", "mm", "fixed")), "covariance": rng.choice(("gl", "hamling", "independent")),
        "dose_scale": rng.choice(("reported", "reported", "sd")),
    }  # fmt: skip
    return numbers(GROUPS)(rng), options


def try_groups(made: tuple[bytes, dict[str, Any]], folder: Path) -> None:
    """A curve is finite, and the studies are used or named with the reason."""
    data, options = made
    path = folder / "dose.csv"
    path.write_bytes(data)
    found = dose_response(_table(path, dict.fromkeys(USUAL_NAMES)), **options)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert text


def try_audit(data: bytes, folder: Path) -> None:
    """Evidence that loads is audited; findings name rows that are there, and nothing is changed."""
    path = folder / "trials.csv"
    path.write_bytes(data)
    evidence = load_evidence(folder, tables=("trials",))
    found = audit(evidence)
    json.dumps(found.to_dict("note"), allow_nan=False)
    rows = {row["row_id"] for row in evidence.table("trials")} | {""}
    assert {finding.row_id for finding in found.findings} <= rows
    assert path.read_bytes() == data


def try_diff(data: bytes, folder: Path) -> None:
    """Evidence differs from itself in nothing, and from what it was made of exactly where cells do."""
    old, new = folder / "old", folder / "new"
    if not old.exists():
        small_evidence(old)
        new.mkdir()
        (new / "sources.csv").write_bytes((old / "sources.csv").read_bytes())
    (new / "trials.csv").write_bytes(data)
    one, other = load_evidence(old, tables=("trials",)), load_evidence(new, tables=("trials",))
    assert diff(other, other, by=("none",)).same
    found = diff(one, other, by=("none",))
    json.dumps(found.to_dict(), allow_nan=False)

    def cells(evidence: Any) -> Any:
        return [{k: str(v) for k, v in row.items() if k != "file_row"} for row in evidence.table("trials")]

    assert bool(found.evidence.rows) <= (cells(one) != cells(other))


@cache
def small_trials() -> list[list[str]]:
    """Return the table of `small_evidence`."""
    import csv

    _, files = small_report()
    return list(csv.reader(io.StringIO(files["evidence/trials.csv"].decode(), newline="")))


def trials(rng: random.Random) -> bytes:
    """Return that table broken."""
    made: bytes = table(small_trials())(rng)
    return made


@cache
def draws() -> bytes:
    """Return draws as netCDF, with what `diagnose` looks at."""
    import xarray as xr

    rng = np.random.default_rng(1)
    shape = ("chain", "draw")
    posterior = xr.Dataset({"mu": (shape, rng.normal(size=(2, 50))), "sd": (shape, rng.gamma(2, size=(2, 50)))})
    stats = xr.Dataset({"energy": (shape, rng.normal(size=(2, 50))), "diverging": (shape, np.zeros((2, 50), bool))})
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    return bytes(tree.to_netcdf(engine="h5netcdf"))


def try_draws(data: bytes, folder: Path) -> None:
    """A file of draws is examined, or refused; among kept draws no other bytes than those that were kept are used."""
    store = DrawStore(folder, "k", "os")
    store.path.write_bytes(data)
    assert store.load() is None
    path = folder / "d.nc"
    path.write_bytes(data)
    json.dumps(examine(open_draws(str(path))).to_dict())


PRIORS = (
    "half-normal(0.5)", "half-cauchy(0.5)", "half-t(0.5, 4)", "uniform", "uniform(0, 2)", "turner(mortality; x)",
    "normal(0, 1)", "t(0, 0.5, 4)", "exponential(1)", "inverse-gamma(1, 0.1)", "log-normal(-2, 1)",
    "half-normal(1e400)",
)  # fmt: skip


def prior(rng: random.Random) -> str:
    """Return the text of a prior with changes."""
    return mutated(rng.choice(PRIORS).encode(), rng).decode("utf-8", "replace")


def try_prior(text: str, _folder: Path) -> None:
    """A prior that is read is read from its label too, as the same; its density is a number."""
    found: list[Any] = []
    for parse in (parse_tau_prior, parse_mu_prior):
        try:
            made = parse(text)
        except InputError:
            continue
        found.append(made)
        again = parse(made.label)
        assert again.label == made.label
        if parse is parse_tau_prior:
            density = np.asarray(made.log_density(np.array([0.1, 1.0]), np.array([0.04, 0.1])))
            assert not np.isnan(density).any()
    if not found:
        raise IgfmetaError(text)


TARGETS = {
    "verify: reports": Target(2_000, report, try_report),
    "diff: bundles": Target(2_000, bundle, try_bundle),
    "rob: judgements of the risk of bias": Target(2_000, table(RISK), try_judgements),
    "km: digitised curves": Target(2_000, curves, try_curves),
    "dose: exposure groups": Target(2_000, groups, try_groups),
    "audit: evidence": Target(2_000, table(some_evidence()), try_audit),
    "diff: evidence": Target(2_000, trials, try_diff),
    "diagnose: draws": Target(1_000, lambda rng: mutated(draws(), rng), try_draws),
    "priors": Target(20_000, prior, try_prior),
}
