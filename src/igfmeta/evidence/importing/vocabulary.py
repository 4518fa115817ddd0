"""Words of a file -> keys of agents, tumours and outcomes: only where a name of the tables stands there, and one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from igfmeta.evidence.importing.duplicates import known_sources

#: Words that make a title mean less or more than the outcome it names.
NARROWING = re.compile(r"\b(subgroup|subset|stratum|biomarker|positive|negative|mutant|mutation|wild type|high|low)\b")
FIXED_TIME = re.compile(r"\b(rate|probability|percentage|proportion|percent|at \d+ (weeks?|months?|years?))\b")
ANOTHER_TIME = re.compile(r"\b(duration of|time to)\b")


def normal(text: str) -> str:
    """Return a text without case, accents, punctuation and spelling that vary.

    Examples
    --------
    >>> normal("Progression-Free  Survival (PFS)"), normal("M\u00fcller")
    ('progression free survival pfs', 'muller')
    """
    parted = unicodedata.normalize("NFKD", text.casefold())
    plain = re.sub(r"[^a-z0-9]+", " ", "".join(c for c in parted if not unicodedata.combining(c))).strip()
    return plain.replace("tumour", "tumor").replace("haem", "hem").replace("glycaem", "glycem")


def slug(text: str) -> str:
    """Return a text as part of an identity: `Smith 2001` -> `smith_2001`."""
    return normal(text).replace(" ", "_")


def narrowing(text: str) -> str:
    """Return the word of a text that makes it a subset of the trial, or blank.

    Examples
    --------
    >>> narrowing("Participants with KRAS wild-type tumours"), narrowing("Intention-to-treat population")
    ('wild type', '')
    """
    found = NARROWING.search(normal(text))
    return found.group() if found else ""


@dataclass(frozen=True)
class Vocabulary:
    """Names by key: what the tables of the evidence call agents, tumours and outcomes; `known` names its sources."""

    agents: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, str]
    tumors: Mapping[str, tuple[str, ...]]
    outcomes: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, str]
    known: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, agents: Sequence[Any], tumors: Sequence[Any], outcomes: Sequence[Any], sources: Sequence[Any] = ()
    ) -> Vocabulary:
        """Return the vocabulary of rows of the tables."""
        return cls(
            agents={r["agent"]: _names(re.sub(r"\(.*?\)", "", r["label"]), r["agent"], *r["code_names"].split(";"))
                    for r in agents},
            classes={r["agent"]: r["agent_class"] for r in agents},
            tumors={r["tumor_type"]: _names(r["label"], r["tumor_type"]) for r in tumors
                    if r["tumor_type"] not in ("other", "mixed_solid")},
            outcomes={r["outcome"]: _names(r["label"], r["outcome"]) for r in outcomes},
            kinds={r["outcome"]: r["kind"] for r in outcomes},
            known=known_sources(sources),
        )  # fmt: skip

    def agent(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Return the agents named in texts."""
        return _named(self.agents, texts)

    def tumor(self, texts: Iterable[str]) -> tuple[str, ...]:
        """Return the types of tumour named in texts."""
        return _named(self.tumors, texts)

    def outcome(self, title: str) -> tuple[str, str]:
        """Return the outcome that a title names, or blank; and what makes it doubtful, or blank."""
        found, words = _named(self.outcomes, [title]), normal(title)
        if not found:
            return "", "the title names no outcome of the table of outcomes."
        if len(found) > 1:
            return "", f"the title names {', '.join(found)}; which one is it?"
        key = found[0]
        if self.kinds[key] == "binary" and ANOTHER_TIME.search(words):
            return "", f"the title names {key} within a time; is it another outcome?"
        if self.kinds[key] == "time_to_event" and FIXED_TIME.search(words):
            return "", f"the title names {key}, and a rate or a fixed time; which outcome is it?"
        narrowed = narrowing(title)
        return key, f"the title says {narrowed!r}: the whole trial, or a subset?" if narrowed else ""

    def alike(self, term: str) -> tuple[str, ...]:
        """Return the outcomes of counts in whose names a term stands as a whole, such as Hyperglycaemia."""
        word = f" {normal(term)} "
        return tuple(
            key for key, names in self.outcomes.items()
            if self.kinds[key] == "binary" and any(word in f" {name} " for name in names)
        ) if len(word) > 5 else ()  # fmt: skip


def _names(*names: str) -> tuple[str, ...]:
    return tuple(n for n in dict.fromkeys(normal(name) for name in names) if n)


def _named(keys: Mapping[str, tuple[str, ...]], texts: Iterable[str]) -> tuple[str, ...]:
    """Return the keys one of whose names stands in a text, and not only within a longer name of another key.

    Examples
    --------
    >>> _named({"nsclc": ("non small cell lung cancer",), "sclc": ("small cell lung cancer",)},
    ...        ["Non-small Cell Lung Cancer"])
    ('nsclc',)
    """
    found: set[str] = set()
    for text in texts:
        padded = f" {normal(text)} "
        spans = [
            (at.start(), at.end(), key)
            for key, names in keys.items()
            for name in names
            for at in re.finditer(rf"(?<= ){re.escape(name)}(?= )", padded)
        ]
        found |= {
            key for start, end, key in spans
            if not any(s <= start and end <= e and e - s > end - start and other != key for s, e, other in spans)
        }  # fmt: skip
    return tuple(key for key in keys if key in found)
