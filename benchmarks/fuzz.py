"""Feeds broken, odd and hostile inputs to every loader and to the command line; writes fuzz.json.

    python benchmarks/fuzz.py                     every target, as recorded
    python benchmarks/fuzz.py --only protocol     one, recorded with the others as they are

An input passes if it is answered, or refused by a sentence (an error of igfmeta's own); anything else raised is a
crash, a minute without an answer is a hang, and an answer that contradicts the input is a wrong acceptance: each target
checks what it accepted by other means. Every input has its own child of one seed, and is kept where it fails.
"""

from __future__ import annotations

import argparse
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

import fuzz_commands  # noqa: E402
import fuzz_files  # noqa: E402
import fuzz_imports  # noqa: E402
from fuzz_commands import call, try_call  # noqa: E402
from fuzz_inputs import EFFECTS, Target, protocol, some_evidence, table  # noqa: E402

from igfmeta.errors import IgfmetaError, InputError  # noqa: E402
from igfmeta.evidence import load_evidence  # noqa: E402
from igfmeta.evidence.columns import read_columns  # noqa: E402
from igfmeta.evidence.stream import read_grouped  # noqa: E402
from igfmeta.synthesis.fitting import fit  # noqa: E402
from igfmeta.synthesis.inputs import FORMS, Columns  # noqa: E402
from igfmeta.synthesis.methods import Methods  # noqa: E402
from igfmeta.synthesis.pooling import pool  # noqa: E402
from igfmeta.synthesis.protocol_files import read_protocol  # noqa: E402

RECORD = Path(__file__).with_name("fuzz.json")
SEED, SECONDS = 20261125, 60


class Hang(BaseException):
    """An input was not answered in time."""


def _alarm(_number: int, _frame: Any) -> None:
    raise Hang


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


TARGETS = {
    "tables, whole and streamed": Target(65_000, table(EFFECTS), try_columns),
    "evidence": Target(15_000, table(some_evidence()), try_evidence),
    "protocols": Target(25_000, protocol, try_protocol),
    "command line": Target(2_500, call, try_call),
    "valid tables, pooled": Target(10_000, valid_table, try_pool),
    "valid evidence, pooled": Target(10_000, valid_evidence, try_pools),
    # Seeds go by position: new targets come last.
    **fuzz_imports.TARGETS,
    **fuzz_files.TARGETS,
    **fuzz_commands.TARGETS,
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
