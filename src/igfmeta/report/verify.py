"""Whether the numbers of a report still hold: it is made again from what it embeds, and compared text by text."""

from __future__ import annotations

import difflib
import json
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from igfmeta.errors import InputError, Problem
from igfmeta.files import content_of
from igfmeta.report.html import PROVENANCE_ID

#: A page of more texts than this for each one of the report is not compared text by text, which could take for ever.
MOST_TEXTS = 5


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


#: What a report embeds, and of which type.
_EMBEDDED: dict[str, tuple[type, ...]] = {
    "version": (str,), "evidence": (str,), "fingerprint": (str,), "files": (dict,), "protocol": (str,),
    "protocols": (dict,), "protocol_fingerprint": (str,), "software": (dict,), "mcmc": (bool, type(None)),
    "stamp": (str, type(None)),
}  # fmt: skip


def read_page(path: Path) -> str:
    """Return the text of a report.

    Raises
    ------
    InputError
        A file that cannot be read, or is not text in UTF-8.
    """
    try:
        return content_of(path).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} cannot be read as text in UTF-8; give a report of igfmeta.") from None


def read_provenance(page: str, name: str) -> dict[str, Any]:
    """Return what a report embeds.

    Raises
    ------
    InputError
        A file that is no report of igfmeta, or one that was cut.
    """
    try:
        embedded: Any = json.loads(_read(page).provenance)
        found: dict[str, Any] = {name: embedded[name] for name in _EMBEDDED}
        if not all(isinstance(found[name], kinds) for name, kinds in _EMBEDDED.items()):
            raise ValueError
        texts = [text for key in ("files", "protocols", "software") for text in found[key].values()]
        if found["protocol"] not in found["protocols"] or not all(isinstance(text, str) for text in texts):
            raise ValueError
        json.dumps(found, ensure_ascii=False).encode()  # refuses half of a character
    except (ValueError, KeyError, TypeError, RecursionError):
        message = "is no report of igfmeta, or not a whole one: its provenance is not there."
        raise InputError(Problem(message, file=name)) from None
    return found


def _read(page: str) -> _Reader:
    """Return what a page holds; of one that is no HTML, what came before."""
    reader = _Reader()
    with suppress(AssertionError):  # how html.parser refuses some declarations
        reader.feed(page)
    return reader


def compare(page: str, again: str) -> Verified:
    """Compare a report with one made again from what it embeds."""
    old, new = _read(page), _read(again)
    then, now = read_provenance(page, "the report"), read_provenance(again, "the report made again")
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
    if len(old) > MOST_TEXTS * (len(new) + 1):
        return [("", f"{len(old):,} texts and drawings", f"{len(new):,}")]
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
