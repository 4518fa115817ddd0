"""Reads what `igfmeta report --bundle` or `--export` wrote, evidence, fits and provenance, to compare two of them."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from igfmeta.errors import InputError
from igfmeta.evidence import load_evidence
from igfmeta.evidence.load import MAIN_TABLES
from igfmeta.evidence.tables import Evidence
from igfmeta.report.export import PROVENANCE
from igfmeta.synthesis.effect_diff import Diff, PooledEffect, compared
from igfmeta.synthesis.fit_diff import effects_of_fit
from igfmeta.text import plain

#: The most that is unpacked of evidence and fits: a bundle of every protocol is far smaller.
MOST_BYTES = 500_000_000


@dataclass(frozen=True, eq=False)
class Bundle:
    """What a bundle holds.

    Attributes
    ----------
    name : str
    evidence : Evidence
    effects : mapping of str to PooledEffect
        Of every pool, hierarchy, dose-response curve and triangulation that the report shows, by key.
    protocol_fingerprint, version : str
    """

    name: str
    evidence: Evidence
    effects: Mapping[str, PooledEffect]
    protocol_fingerprint: str
    version: str


def is_bundle(path: Path) -> bool:
    """Return whether a path is that of a bundle: a zip file, or a folder with a provenance."""
    return path.suffix.lower() == ".zip" or (path / PROVENANCE).is_file()


def read_bundle(path: Path) -> Bundle:
    """Read a bundle, zipped or as a folder.

    Raises
    ------
    InputError
        No bundle, or not a whole one; or its evidence cannot be used.
    """
    try:
        files = dict(_zipped(path) if path.is_file() else _folder(path))
        made = json.loads(files[PROVENANCE])
        effects = _effects(files)
        fingerprint, version = str(made["protocol_fingerprint"]), str(made["version"])
        names, tables = dict(made["files"]), [name for name in files if name.startswith("evidence/")]
        if not tables or set(names) != {name.removeprefix("evidence/") for name in tables}:
            raise KeyError
        if any(hashlib.sha256(files[f"evidence/{name}"]).hexdigest() != known for name, known in names.items()):
            raise ValueError
    except Exception:  # whatever zip, JSON or a missing key make of a file that is not what was written
        raise InputError(
            f"{path} is no bundle of igfmeta, or not a whole one; give what report --bundle or --export wrote."
        ) from None
    return Bundle(path.name, _evidence(path.name, files, tables), effects, fingerprint, version)


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        wanted = [entry for entry in archive.infolist() if _wanted(entry.filename)]
        if sum(entry.file_size for entry in wanted) > MOST_BYTES or len({e.filename for e in wanted}) < len(wanted):
            raise ValueError
        for entry in wanted:
            yield entry.filename, archive.read(entry)


def _folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and _wanted(name):
            yield name, file.read_bytes()


def _wanted(name: str) -> bool:
    """Return whether a file is read; no other name is ever written to disk."""
    folder, _, rest = name.rpartition("/")
    return name == PROVENANCE or (folder in ("evidence", "fits") and rest not in ("", ".", "..") and "\\" not in rest)


def _effects(files: Mapping[str, bytes]) -> dict[str, PooledEffect]:
    """Return the effects of the fits: pools, cells of hierarchies, dose-response curves, slopes of triangulations."""
    found: dict[str, PooledEffect] = {}
    for name in sorted(files):
        if not name.startswith("fits/"):
            continue
        fit: dict[str, Any] = json.loads(files[name], parse_constant=_no_number)
        found |= {f"{name}: {key}": _sound(effect) for key, effect in effects_of_fit(fit).items()}
    return _told_apart(found)


def _no_number(name: str) -> float:
    raise ValueError(name)


def _sound(effect: PooledEffect) -> PooledEffect:
    """Return an effect if every part of it is of its type, numbers finite; a fit may have been edited."""
    for part in fields(effect):
        value, text = getattr(effect, part.name), part.name in ("question", "measure", "group")
        if text != isinstance(value, str) or isinstance(value, bool):
            raise ValueError(part.name)
        if not text and not (value is None and part.name != "k") and not math.isfinite(value):
            raise ValueError(part.name)
    return effect


def _told_apart(effects: Mapping[str, PooledEffect]) -> dict[str, PooledEffect]:
    """Return effects whose words differ: those of one question and group in several fits are named after their fit."""
    words = Counter((effect.question, effect.group) for effect in effects.values())
    several = {question for (question, _), times in words.items() if times > 1}
    return {
        key: replace(effect, question=f"{Path(key.partition(':')[0]).stem}, {effect.question}")
        if effect.question in several
        else effect
        for key, effect in effects.items()
    }


def _evidence(name: str, files: Mapping[str, bytes], tables: list[str]) -> Evidence:
    with tempfile.TemporaryDirectory() as folder:
        for table in tables:
            (Path(folder) / table.removeprefix("evidence/")).write_bytes(files[table])
        known = [each for each in MAIN_TABLES if any(Path(table).stem == each for table in tables)]
        place = Path(folder) if known else Path(folder) / Path(tables[0]).name
        evidence = load_evidence(place, tables=known or ("trials",))
    return replace(evidence, origin=plain(name))


def compare_bundles(old: Bundle, new: Bundle) -> Diff:
    """Compare the evidence and the pooled effects of two bundles."""
    asked = "The effects of the two bundles, as they hold them: pools, hierarchies, curves and slopes."
    if old.protocol_fingerprint != new.protocol_fingerprint:
        asked += " Their protocols differ."
    if old.version != new.version:
        asked += f" igfmeta {old.version} then, {new.version} now."
    return compared(old.evidence, new.evidence, old.effects, new.effects, asked)
