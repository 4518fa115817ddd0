"""Whether the numbers of a report still hold: it is made again from what it embeds, and compared text by text."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.report.html import PROVENANCE_ID


@dataclass(frozen=True)
class Verified:
    """What the comparison found.

    Attributes
    ----------
    holds : bool
        The two reports say the same.
    texts : int
        Pieces of text that were compared: cells, paragraphs, labels.
    numbers : int
        How many of them hold a number.
    differences : tuple of (place, was, is)
    changed : tuple of str
        What the report was made from that is different now.
    """

    holds: bool
    texts: int
    numbers: int
    differences: tuple[tuple[str, str, str], ...]
    changed: tuple[str, ...]


class _Reader(HTMLParser):
    """Collects the texts of a page with the heading that they stand under, and the embedded provenance."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[tuple[str, str]] = []
        self.provenance = ""
        self.inside: list[str] = []
        self.heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "style", "h1", "h2", "h3", "h4", "h5"):
            embedded = tag == "script" and values.get("id") == PROVENANCE_ID
            self.inside.append("provenance" if embedded else tag)
            if tag.startswith("h"):
                self.heading = ""
        drawn = [values[name] for name in ("points", "d", "x", "x1", "x2", "width") if values.get(name)]
        if drawn and tag in ("polygon", "path", "rect", "line", "use", "text"):
            self.texts.append((self.heading, f"<{tag} {' '.join(filter(None, drawn))}>"))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "h1", "h2", "h3", "h4", "h5") and self.inside:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        where = self.inside[-1] if self.inside else ""
        if where == "provenance":
            self.provenance += data
            return
        if where in ("script", "style"):
            return
        text = " ".join(data.split())
        if where:
            self.heading = f"{self.heading} {text}".strip()
        if text:
            self.texts.append((self.heading, text))


def read_provenance(page: str, name: str) -> dict[str, Any]:
    """Return what a report embeds.

    Raises
    ------
    InputError
        A file that is no report of igfmeta, or one that was cut.
    """
    reader = _Reader()
    reader.feed(page)
    try:
        found: dict[str, Any] = json.loads(reader.provenance)
        if not {"protocol", "protocols", "fingerprint", "version", "mcmc", "stamp"} <= set(found):
            raise ValueError
        if not isinstance(found["protocols"], dict) or found["protocol"] not in found["protocols"]:
            raise ValueError
    except ValueError:
        message = "is no report of igfmeta, or not a whole one: its provenance is not there."
        raise InputError(Problem(message, file=name)) from None
    return found


def compare(page: str, again: str) -> Verified:
    """Compare a report with one made again from what it embeds."""
    old, new = _Reader(), _Reader()
    old.feed(page)
    new.feed(again)
    then, now = json.loads(old.provenance), json.loads(new.provenance)
    differences = () if page == again else tuple(_differences(old.texts, new.texts))
    if page != again and not differences:
        differences = (("the file", "other markup, style or script", "the same texts and drawings"),)
    return Verified(
        holds=page == again,
        texts=len(old.texts),
        numbers=sum(any(c.isdigit() for c in text) for _, text in old.texts),
        differences=differences,
        changed=tuple(_changed(then, now)),
    )


def _differences(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    out = []
    matcher = difflib.SequenceMatcher(None, [t for _, t in old], [t for _, t in new], autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            place = old[a][0] if a < len(old) else new[c][0] if c < len(new) else ""
            out.append((place, " ".join(t for _, t in old[a:b]), " ".join(t for _, t in new[c:d])))
    return out


def _changed(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return what the two were made from that is not the same."""
    out = []
    if then["fingerprint"] != now["fingerprint"]:
        files = {n for n in {*then["files"], *now["files"]} if then["files"].get(n) != now["files"].get(n)}
        out.append(f"the evidence: {', '.join(sorted(files))}")
    for name, version in then["software"].items():
        if now["software"].get(name) != version:
            out.append(f"{name}: {version} then, {now['software'].get(name, 'not used')} now")
    if then["protocol_fingerprint"] != now["protocol_fingerprint"]:
        out.append("the protocol: its text is not that of its hash")
    return out
