"""Feeds broken, odd and hostile inputs to every loader and to the command line; writes fuzz.json.

    python benchmarks/fuzz.py                     every target, as recorded
    python benchmarks/fuzz.py --only protocol     one, recorded with the others as they are

An input passes if it is answered, or refused by a sentence (an error of igfmeta's own); anything else raised is a
crash, a minute without an answer is a hang, and an answer that contradicts the input is a wrong acceptance: each target
checks what it accepted by other means. Every input has its own child of one seed, and is kept where it fails.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import tomllib
import warnings
from pathlib import Path
from typing import Any

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (after the number of threads is set)
import pandas as pd  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_inputs import ODD, Target, mutated, table  # noqa: E402

from igfmeta.cli import app as command_line  # noqa: E402
from igfmeta.errors import IgfmetaError, InputError  # noqa: E402
from igfmeta.evidence import load_evidence  # noqa: E402
from igfmeta.evidence.columns import read_columns  # noqa: E402
from igfmeta.evidence.stream import read_grouped  # noqa: E402
from igfmeta.synthesis.fitting import fit  # noqa: E402
from igfmeta.synthesis.inputs import FORMS, Columns  # noqa: E402
from igfmeta.synthesis.methods import Methods  # noqa: E402
from igfmeta.synthesis.pooling import pool  # noqa: E402
from igfmeta.synthesis.protocol_files import read_protocol  # noqa: E402

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("fuzz.json")
SEED, SECONDS = 20261125, 60


class Hang(BaseException):
    """An input was not answered in time."""


def _alarm(_number: int, _frame: Any) -> None:
    raise Hang


EFFECTS = [["study", "gene", "yi", "vi"], *([f"S{i}", "ab"[i % 2], f"{0.1 * i - 0.3:.2f}", "0.04"] for i in range(6))]


def try_columns(data: bytes, folder: Path) -> None:
    """Two readers, one of whole tables and one of streams, must agree on what a table holds."""
    path = folder / "t.csv"
    path.write_bytes(data)
    named: dict[str, Any] = {"numeric": ["yi", "vi"]}
    try:
        stream = read_grouped(path, **named, group="gene", rows_at_a_time=3)
    except InputError:
        stream = None
    try:
        whole = read_columns(path, **named, text=["gene"])
    except InputError:
        assert stream is None or stream.unreadable, "read as a stream, refused whole"
        raise
    if stream is None or stream.unreadable:
        assert not len(whole), "read whole, refused as a stream"
        return
    assert whole.index.tolist() == stream.row.tolist()
    for name in ("yi", "vi"):
        assert np.array_equal(whole[name].to_numpy(), stream.numbers[name], equal_nan=True)
        assert not np.isinf(stream.numbers[name]).any()
    assert [stream.groups[i] for i in stream.group] == [each or "(blank)" for each in whole["gene"]]


def _some_evidence() -> list[list[str]]:
    with (ROOT / "data" / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    return [rows[0], *rows[1:60:12]]


def try_evidence(data: bytes, folder: Path) -> None:
    """What is accepted must be in order: limits about the estimate, events among patients, names once."""
    path = folder / "trials.csv"
    path.write_bytes(data)
    trials = load_evidence(folder, tables=("trials",)).trials
    frame = pd.DataFrame({name: trials[name].to_numpy() for name in trials.columns}) if len(trials) else None
    if frame is None:
        return
    assert frame["row_id"].is_unique
    number = {name: pd.to_numeric(frame[name]) for name in NUMBERS if name in frame}
    for values in number.values():
        assert not np.isinf(values).any()
    with np.errstate(invalid="ignore"):
        assert not (number["ci_low"] > number["ci_high"]).any()
        for arm in ("exp", "ctl"):
            assert not (number[f"events_{arm}"] > number[f"n_{arm}"]).any()
            assert not (number[f"n_{arm}"] < 0).any()
        assert not ((number["p_value"] < 0) | (number["p_value"] > 1)).any()


NUMBERS = (
    "estimate", "ci_low", "ci_high", "p_value", "events_exp", "n_exp", "events_ctl", "n_ctl", "percent_exp",
    "percent_ctl", "median_exp", "median_ctl",
)  # fmt: skip

PROTOCOL_TEXTS = [path.read_bytes() for path in sorted((ROOT / "analyses").glob("*.toml"))]


def protocol(rng: random.Random) -> bytes:
    """Return a shipped protocol with changes: of bytes, or of the value of a key."""
    text = rng.choice(PROTOCOL_TEXTS)
    if rng.random() < 0.5:
        return mutated(text, rng)
    lines = text.split(b"\n")
    at = rng.randrange(len(lines))
    key, equals, _ = lines[at].partition(b"=")
    odd = rng.choice(ODD).encode("utf-8", "surrogatepass")
    lines[at] = key + equals + rng.choice((odd, b'"' + odd + b'"', b"[" + odd + b"]", b"{}", b"1979-05-27", b"true"))
    return b"\n".join(lines)


def try_protocol(data: bytes, folder: Path) -> None:
    """What is accepted must be TOML whose keys all count."""
    path = folder / "p.toml"
    path.write_bytes(data)
    found = read_protocol(path)
    given = tomllib.loads(data.decode())
    known = {*type(found.protocol).model_fields, "include"}
    assert set(given) <= known, set(given) - known


def _numbers(rng: random.Random, role: str, size: int) -> list[float]:
    """Return a column of valid numbers, some of them far out."""
    scale = rng.choice((1e-6, 0.01, 1.0, 1.0, 1.0, 30.0, 1e6))
    if role in ("vi", "sei", "sd1", "sd2"):
        return [scale * rng.lognormvariate(0, 1.5) for _ in range(size)]
    if role in ("n1", "n2", "n"):
        return [float(rng.choice((4, 5, 10, 50, 400, 10_000))) for _ in range(size)]
    if role in ("time1", "time2", "time"):
        return [rng.lognormvariate(4, 2) for _ in range(size)]
    if role == "r":
        return [rng.uniform(-0.999, 0.999) for _ in range(size)]
    return [scale * rng.gauss(0, 1) for _ in range(size)]


MEASURES = {
    "events of two arms": ("OR", "RR", "RD", "PETO", "AS"),
    "events of one arm": ("PLO", "PLN", "PR", "PAS", "PFT"),
    "events and person-time of two arms": ("IRR", "IRD"),
    "events and person-time of one arm": ("IRLN", "IR", "IRS"),
    "means of two arms": ("MD", "SMD", "ROM"),
    "correlations": ("ZCOR", "COR"),
}


def valid_table(rng: random.Random) -> tuple[pd.DataFrame, Columns, dict[str, Any]]:
    """Return a table that breaks no rule, of any form and size, with options that are accepted."""
    form = rng.choice(list(FORMS))
    roles, size = FORMS[form], rng.choice((1, 2, 2, 3, 4, 5, 8, 15, 40))
    column = {role: _numbers(rng, role, size) for role in roles}
    for arm in ("", "1", "2"):
        if f"events{arm}" in column:
            most = column.get(f"n{arm}", [30.0] * size)
            column[f"events{arm}"] = [float(rng.choice((0, int(n), rng.randint(0, int(n))))) for n in most]
    if "mean1" in column:
        for role in ("mean1", "mean2"):
            column[role] = [abs(value) + 1e-9 for value in column[role]]
    if "lower" in column:
        column["estimate"] = [abs(value) + 1e-9 for value in column["estimate"]]
        width = [rng.uniform(1.01, 4) for _ in range(size)]
        column["lower"] = [e / w for e, w in zip(column["estimate"], width, strict=True)]
        column["upper"] = [e * w for e, w in zip(column["estimate"], width, strict=True)]
    if rng.random() < 0.2:
        column[rng.choice(roles)][rng.randrange(size)] = math.nan
    options: dict[str, Any] = {"methods": Methods(
        method=rng.choice(("CE", "DL", "DL2", "CA2", "HE", "HS", "HSK", "SJ", "ML", "REML", "EB", "PM", "PMM", "GENQ")),
        ci=rng.choice(("z", "t", "HK", "HK-floor", "KR")),
        pi=rng.choice(("z", "V", "HTS", "HK", "HK-PR", "KR", "KR-PR")),
        level=rng.choice((0.5, 0.8, 0.95, 0.999)),
    )}  # fmt: skip
    if form in MEASURES:
        options["measure"] = rng.choice(MEASURES[form])
    elif form == "estimates with intervals":
        options["scale"] = "log"
    options["leave_one_out"] = size <= 8 and rng.random() < 0.2
    return pd.DataFrame(column), Columns(**{role: role for role in roles}), options


def try_pool(made: tuple[pd.DataFrame, Columns, dict[str, Any]], folder: Path) -> None:
    """A pool of valid numbers is finite and in order, or a sentence says why there is none."""
    frame, columns, options = made
    result = fit(frame, columns, **options)
    pooled = result.fit
    assert math.isfinite(pooled.estimate)
    assert math.isfinite(pooled.se)
    assert pooled.ci_lower <= pooled.estimate <= pooled.ci_upper
    assert abs(pooled.weights.sum() - 100) < 1e-6 or options["methods"].method == "GENQ"
    if pooled.k == 1:
        assert pooled.tau2 is None
        assert pooled.remarks
    else:
        assert 0 <= (math.inf if pooled.tau2 is None else pooled.tau2) < math.inf
        assert pooled.pi_lower is None or pooled.pi_lower <= pooled.estimate <= pooled.pi_upper
    json.dumps(result.to_dict(), allow_nan=False)
    assert len(result.studies) == len(frame)
    assert not folder.joinpath("out").exists()


#: Columns of a trials table that stay the same, and the sources that it names.
TRIAL = {
    "agent": "x", "agent_class": "drug", "phase": "2", "blinding": "open_label", "regimen": "monotherapy",
    "partners": "", "experimental": "x", "control": "y", "contrast": "add_on", "p_sided": "2", "median_unit": "months",
    "use": "primary", "use_reason": "", "source_id": "s1", "extraction": "double",
}  # fmt: skip
SOURCES = "source_id,type,status\ns1,journal_article,ok\n"


def valid_evidence(rng: random.Random) -> tuple[bytes, dict[str, Any]]:
    """Return a trials table that breaks no rule, and a question to it."""
    rows = [_trial(rng, i) for i in range(rng.choice((1, 2, 3, 4, 6, 10, 25)))]
    stream = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, names, restval="")
    writer.writeheader()
    writer.writerows(rows)
    question = {
        "outcome": rng.choice(("os", "progression", "orr")),
        "by": rng.choice(("tumor", "phase", "agent", None)),
        "level": rng.choice((0.5, 0.8, 0.95, 0.99)),
    }
    return stream.getvalue().encode(), question


def _trial(rng: random.Random, i: int) -> dict[str, Any]:
    """Return one row: a hazard ratio with interval or p-value, or counts of one arm or two."""
    row = {
        **TRIAL, "row_id": f"r{i}", "study_id": f"s{i}", "year": rng.randint(1990, 2026),
        "tumor_type": rng.choice(("skin", "lung", "bone")),
    }  # fmt: skip
    if rng.random() < 0.5:
        estimate, width = math.exp(rng.gauss(0, rng.choice((0.3, 3)))), rng.uniform(1.02, 6)
        row |= {"design": "randomized", "outcome": rng.choice(("os", "pfs", "ttp")), "measure": "HR", "ci_level": 95,
                "estimate": f"{estimate:.6g}", "ci_low": f"{estimate / width:.6g}",
                "ci_high": f"{estimate * width:.6g}"}  # fmt: skip
        return row
    arms = ("exp", "ctl") if rng.random() < 0.4 else ("exp",)
    row |= {"design": "randomized" if len(arms) == 2 else "single_arm", "outcome": "orr", "measure": "events"}
    if len(arms) == 1:
        row |= {"control": "", "contrast": "none"}
    for arm in arms:
        n = rng.choice((1, 5, 20, 60, 400))
        row |= {f"n_{arm}": n, f"events_{arm}": rng.choice((0, n, rng.randint(0, n)))}
    return row


def try_pools(made: tuple[bytes, dict[str, Any]], folder: Path) -> None:
    """Every pool of valid evidence is finite and in order, or a sentence says why there is none."""
    data, question = made
    (folder / "trials.csv").write_bytes(data)
    (folder / "sources.csv").write_text(SOURCES)
    result = pool(load_evidence(folder, tables=("trials",)), **question)
    json.dumps(result.to_dict(), allow_nan=False)
    for answer in result.answers:
        for group in (answer.overall, *answer.groups):
            posterior, at = group.posterior, (group.fit.ci_lower, group.fit.estimate, group.fit.ci_upper)
            # On the reader's scale: the logit of a rate of 0 is infinite, the rate is not.
            lower, estimate, upper = map(group.natural, at)
            assert math.isfinite(lower + estimate + upper)
            assert lower <= estimate <= upper
            if posterior is not None:
                assert posterior.ci_lower <= posterior.mu_median <= posterior.ci_upper


#: Base calls of the command line, and the commands whose options are mixed in.
CALLS: tuple[list[str], ...] = (
    ["fit", "--data", "{effects}", "--yi", "yi", "--vi", "vi"],
    ["fit", "--data", "{effects}", "--yi", "yi", "--vi", "vi", "--batch", "gene"],
    *3 * (["fit", "--data", "{broken}", "--yi", "yi", "--vi", "vi"],),
    ["influence", "--data", "{effects}", "--yi", "yi", "--vi", "vi"],
    ["bias", "--data", "{effects}", "--yi", "yi", "--vi", "vi", "--force"],
    ["sensitivity", "--data", "{effects}", "--yi", "yi", "--vi", "vi"],
    ["pool", "--class", "antibody"],
    ["pool", "--data", "{broken}"],
    ["forest", "--class", "antibody", "--outcome", "os"],
    ["risk", "--cancer", "prostate"],
    ["evidence", "list"],
    ["evidence", "show", "fuchs2015"],
    ["protocol", "check", "{protocol}"],
    ["protocol", "list"],
    ["dose", "--data", "{broken}"],
    *2 * (["fit", "--data", "{broken}", "--yi", "yi", "--vi", "vi", "--study", "study", "--subgroup", "gene"],),
    ["km", "{broken}", "--at-risk", "{effects}"],
)

#: Options that sample, write, open a browser or start workers are left out; what is fuzzed is what is read.
_LEFT_OUT = {
    "mcmc", "save", "output", "forest", "figure", "figure_prior", "jobs", "backend", "scheduler", "gosh", "bayes",
    "prior",
    "study_effects", "permute", "debug", "help",
}  # fmt: skip

VALUES = (
    *ODD, "REML", "dl", "HK", "KR", "CE", "PM", "OR", "RR", "PLO", "log",
    "identity", "none", "all", "0.95", "0.5", "yi", "vi",
    "study", "gene", "os", "pfs", "orr", "os,pfs", "antibody", "tki", "nsclc", "class", "tumor", "2014",
    "2015-2010", "json",
    "csv", "markdown", "html", "table", "jsonl", "random", "mh", "peto", "glmm", "year", "precision",
    "half-normal(0.5)",
    "half-normal(-1)", "~ 1 | study", "~ gene", "~ __import__('os').system('true')",
)  # fmt: skip


def _options(words: list[str]) -> list[tuple[str, bool]]:
    """Return the options of a command, and whether each takes a value."""
    import typer.main

    found: Any = typer.main.get_command(command_line.app)
    for word in words:
        if word in getattr(found, "commands", {}):
            found = found.commands[word]
    return [
        (p.opts[0], not getattr(p, "is_flag", False))
        for p in found.params
        if p.opts[0].startswith("-") and p.name not in _LEFT_OUT
    ]


_KNOWN: dict[str, list[tuple[str, bool]]] = {}


def call(rng: random.Random) -> tuple[list[str], bytes, bytes]:
    """Return arguments with up to three options set at random, a broken table and a broken protocol."""
    base = list(rng.choice(CALLS))
    known = _KNOWN.setdefault(" ".join(base[:2]), _options(base))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        kind = rng.random()
        if kind < 0.8 and known:
            name, valued = rng.choice(known)
            base += [name, rng.choice(VALUES)] if valued else [name]
        elif kind < 0.9:
            base.append(rng.choice(VALUES))
        elif len(base) > 1:
            del base[rng.randrange(1, len(base))]
    return [each.replace("\x00", "") for each in base], table(EFFECTS)(rng), protocol(rng)


def try_call(made: tuple[list[str], bytes, bytes], folder: Path) -> None:
    """The command line answers, or refuses by a sentence; never a traceback, never a control character."""
    arguments, broken, toml = made
    places = {"effects": folder / "effects.csv", "broken": folder / "broken.csv", "protocol": folder / "p.toml"}
    places["effects"].write_text("\n".join(map(",".join, EFFECTS)) + "\n", encoding="utf-8")
    places["broken"].write_bytes(broken)
    places["protocol"].write_bytes(toml)
    words = [str(places[word[1:-1]]) if word.startswith("{") and word[1:-1] in places else word for word in arguments]
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["igfmeta", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command_line._run()
    finally:
        sys.argv = before
    assert status in (0, 2, 3), f"exit status {status}"
    assert status == 0 or (out.getvalue() + err.getvalue()).strip(), f"exit status {status} without a word"
    assert "Traceback" not in err.getvalue()
    assert "\x1b[31m" not in out.getvalue(), "a terminal escape of the input was printed"
    if status:
        raise IgfmetaError(err.getvalue())


TARGETS = {
    "tables, whole and streamed": Target(65_000, table(EFFECTS), try_columns),
    "evidence": Target(15_000, table(_some_evidence()), try_evidence),
    "protocols": Target(25_000, protocol, try_protocol),
    "command line": Target(2_500, call, try_call),
    "valid tables, pooled": Target(10_000, valid_table, try_pool),
    "valid evidence, pooled": Target(10_000, valid_evidence, try_pools),
}


def run(name: str, *, inputs: int | None = None, minutes: float = math.inf) -> dict[str, Any]:
    """Return the record of one target; after so many minutes, of the inputs tried until then."""
    target, number = TARGETS[name], list(TARGETS).index(name)
    counts = {"inputs": 0, "answered": 0, "refused": 0, "crashes": 0, "hangs": 0, "wrong": 0}
    failures: list[str] = []
    end = time.monotonic() + 60 * minutes
    signal.signal(signal.SIGALRM, _alarm)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for i in range(inputs or target.inputs):
            if time.monotonic() > end:
                break
            counts["inputs"] += 1
            made = target.make(random.Random(f"{SEED}/{number}/{i}"))
            kind = _outcome(target, made, folder, failures, i)
            counts[kind] += 1
    return {**counts, "failures": failures}


def _outcome(target: Target, made: Any, folder: Path, failures: list[str], i: int) -> str:
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            target.attempt(made, folder)
    except IgfmetaError:
        return "refused"
    except AssertionError as error:
        kind, said = "wrong", str(error)
    except Hang:
        kind, said = "hangs", ""
    except Exception as error:
        kind, said = "crashes", f"{type(error).__name__}: {error}"
    else:
        return "answered"
    finally:
        signal.alarm(0)
    failures.append(f"input {i}, {kind}: {said[:300]}")
    print(failures[-1], repr(made)[:1500], file=sys.stderr, flush=True)
    return kind


def main() -> None:
    """Run the targets that are asked for, and write each as it is done."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", default="", help="a text that the names of the targets contain")
    asked.add_argument("--inputs", type=int, help="instead of the number that is recorded for each target")
    asked.add_argument("--minutes", type=float, default=math.inf, help="stop each target after so long, as it stands")
    asked.add_argument("--output", type=Path, default=RECORD)
    given = asked.parse_args()
    for name in [name for name in TARGETS if given.only in name]:
        found = run(name, inputs=given.inputs, minutes=given.minutes)
        before = json.loads(given.output.read_text()) if given.output.is_file() else {"targets": {}}
        targets = {key: value for key, value in {**before["targets"], name: found}.items() if key in TARGETS}
        record = {
            "seed": SEED,
            "seconds_allowed": SECONDS,
            "targets": {key: targets[key] for key in TARGETS if key in targets},
        }
        given.output.write_text(json.dumps(record, indent=1) + "\n")
        print(name, {key: value for key, value in found.items() if key != "failures"}, flush=True)


if __name__ == "__main__":
    main()
