"""Targets of fuzz.py: the command line, with options set at random and files that are broken, odd or hostile."""

from __future__ import annotations

import contextlib
import io
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fuzz_files
import fuzz_imports
from fuzz_inputs import EFFECTS, ODD, Target, protocol, table

from igfmeta.cli import app as command_line
from igfmeta.cli.commands import build
from igfmeta.errors import IgfmetaError

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
    "study_effects", "permute", "debug", "help", "fetch", "address", "export", "bundle", "cache", "to", "sources",
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

    found: Any = typer.main.get_command(build())
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
    _answered(arguments, places)


def _answered(arguments: list[str], places: Mapping[str, Path]) -> None:
    words = [str(places[word[1:-1]]) if word.startswith("{") and word[1:-1] in places else word for word in arguments]
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["igfmeta", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command_line._run()
    finally:
        sys.argv = before
    # Of `audit` 1 says that an error stands in the evidence.
    assert status in (0, 2, 3) or words[:1] == ["audit"], f"exit status {status}"
    assert status == 0 or (out.getvalue() + err.getvalue()).strip(), f"exit status {status} without a word"
    assert "Traceback" not in err.getvalue()
    assert "\x1b[31m" not in out.getvalue(), "a terminal escape of the input was printed"
    if status:
        raise IgfmetaError(err.getvalue())


#: Commands that the calls above leave out, and what makes the files that they read.
FILE_CALLS: tuple[list[str], ...] = (
    *2 * (["import", "{upload}", "--to", "{to}"],),
    *2 * (["verify", "{report}", "--data", "{evidence}"],),
    ["diff", "{bundle}", "{evidence}"],
    ["diff", "{evidence}", "{trials}"],
    *2 * (["audit", "--data", "{trials}"],),
    ["rob", "--data", "{evidence}"],
    ["evidence", "list", "--data", "{trials}"],
    ["pool", "--data", "{trials}"],
    ["regress", "--data", "{evidence}", "--mods", "~ year"],
    ["multilevel", "--data", "{evidence}"],
    ["fit", "--data", "{broken}", "--yi", "yi", "--vi", "vi", "--mods", "~ gene"],
    ["robust", "--data", "{evidence}"],
    ["average", "--data", "{broken}", "--yi", "yi", "--vi", "vi"],
    ["triangulate"],
    ["km", "{points}", "--at-risk", "{risks}", "--control", "b"],
    ["dose", "--data", "{groups}"],
    ["diagnose", "{draws}"],
    ["protocol", "list", "{evidence}"],
    ["report", "{protocol}", "--data", "{trials}", "-o", "{page}", "--no-mcmc"],
)

MAKERS = {
    "upload": lambda rng: rng.choice((fuzz_imports.record, fuzz_imports.review, fuzz_imports.references,
                                      fuzz_imports.effects))(rng),
    "report": fuzz_files.report, "bundle": fuzz_files.bundle, "trials": fuzz_files.trials,
    "draws": lambda rng: fuzz_files.mutated(fuzz_files.draws(), rng), "groups": lambda rng: fuzz_files.groups(rng)[0],
    "points": lambda rng: fuzz_files.curves(rng)[0], "risks": lambda rng: fuzz_files.curves(rng)[1],
    "broken": table(EFFECTS), "protocol": protocol,
}  # fmt: skip

SUFFIX = {"bundle": ".zip", "draws": ".nc", "report": ".html", "page": ".html", "protocol": ".toml"}


def file_call(rng: random.Random) -> tuple[list[str], dict[str, bytes]]:
    """Return arguments with up to two options set at random, and the files that they name."""
    base = list(rng.choice(FILE_CALLS))
    known = _KNOWN.setdefault(" ".join(base[:2]), _options(base))
    files = {word[1:-1]: MAKERS[word[1:-1]](rng) for word in base if word[1:-1] in MAKERS and word.startswith("{")}
    for _ in range(rng.choice((0, 0, 1, 2))):
        name, valued = rng.choice(known)
        base += [name, rng.choice(VALUES)] if valued else [name]
    return [each.replace("\x00", "") for each in base], files


def try_file_call(made: tuple[list[str], dict[str, bytes]], folder: Path) -> None:
    """As `try_call`; what is written is whole."""
    arguments, files = made
    names = (*MAKERS, "effects", "to", "page")
    places = {name: folder / f"{name}{SUFFIX.get(name, '.csv')}" for name in names} | {"evidence": folder / "evidence"}
    places["effects"].write_text("\n".join(map(",".join, EFFECTS)) + "\n", encoding="utf-8")
    for name, content in files.items():
        places[name].write_bytes(content)
    if not places["evidence"].exists():
        fuzz_files.small_evidence(places["evidence"])
    for name in ("to", "page"):
        places[name].unlink(missing_ok=True)
    try:
        _answered(arguments, places)
    finally:
        assert not [each.name for each in folder.iterdir() if each.name.startswith(".")], "half a file was left"


TARGETS = {"command line: files of every kind": Target(2_000, file_call, try_file_call)}
