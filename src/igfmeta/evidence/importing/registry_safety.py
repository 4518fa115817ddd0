"""Adverse events, deaths and participant flow of a registered study -> candidate rows; the rest is listed, each."""

from __future__ import annotations

from collections.abc import Mapping

from igfmeta.evidence.importing.registry_reader import Doubts, Numbers, Reader
from igfmeta.evidence.importing.registry_study import EventTerm, Period
from igfmeta.evidence.importing.vocabulary import normal

EVENTS = "adverse events"
Pairs = Mapping[str, tuple[str, str]]


def add_safety(reader: Reader) -> None:
    """Add people with serious events, single events that an outcome names, and who left for an adverse event."""
    totals = reader.study.totals
    outcomes = reader.vocabulary.outcomes
    serious = {each.title: each.serious for each in totals}
    if any(any(pair) for pair in serious.values()):
        if "sae" in outcomes:
            _add(reader, f"{EVENTS}, serious", "sae", [], serious, compared=True)
        else:
            reader.out.skip(f"{EVENTS}, serious", _words(serious), "the table of outcomes has no key 'sae'.")
    _deaths(reader, {each.title: each.deaths for each in totals})
    other = {each.title: each.other for each in totals}
    if any(any(pair) for pair in other.values()):
        above = f" above {reader.study.threshold} %" if reader.study.threshold else ""
        why = f"counts people with any event that was not serious, of terms{above} only; no outcome is this."
        reader.out.skip(f"{EVENTS}, other", _words(other), why)
    for term in reader.study.terms:
        _term(reader, term)
    for period in reader.study.periods:
        _period(reader, period)


def _add(reader: Reader, place: str, outcome: str, doubts: Doubts, pairs: Pairs, *, compared: bool = False) -> None:
    groups = {f"EG{i:03d}": title for i, title in enumerate(pairs)}
    affected = {g: pairs[title][0] for g, title in groups.items()}
    numbers = Numbers("events", affected, {g: pairs[title][1] for g, title in groups.items()})
    reader.arms(place, {"outcome": outcome, "measure": "events"}, doubts, groups, numbers, compared=compared)


def _words(pairs: Pairs) -> str:
    return " | ".join(f"{title} {affected or '?'} of {n or '?'}" for title, (affected, n) in pairs.items())


def _deaths(reader: Reader, pairs: Pairs) -> None:
    if not any(any(pair) for pair in pairs.values()):
        return
    named = [key for key in (reader.vocabulary.outcome(t)[0] for t in ("All-cause mortality", "Death from any cause"))
             if key]  # fmt: skip
    place = f"{EVENTS}, deaths from any cause"
    if named:
        _add(reader, place, named[0], [], pairs, compared=True)
    else:
        why = "no outcome is death from any cause while adverse events were counted; `ae_death` is death from an event."
        reader.out.skip(place, _words(pairs), why)


def _term(reader: Reader, term: EventTerm) -> None:
    """Add the rows of an event that an outcome names; ask, where it is part of the name of one; else list it."""
    place = f"{EVENTS}, {term.kind}: {term.term}"
    found = f"{term.term} ({term.kind}{', ' + term.system if term.system else ''}): {_words(term.counts)}"
    key, question = reader.vocabulary.outcome(term.term)
    alike = reader.vocabulary.alike(term.term)
    if key and not question:
        _add(
            reader,
            place,
            key,
            [("outcome", found, f"is one term among {term.kind} events: all of {key}?")],
            term.counts,
        )
    elif alike:
        why = f"the registry gives no grade and no cause; is it {', '.join(alike)}?"
        _add(reader, place, "", [("outcome", found, why)], term.counts)
    else:
        reader.out.skip(f"{EVENTS}, {term.kind}", found, "no outcome of the tables is this one event.")


def _period(reader: Reader, period: Period) -> None:
    """Add who left a period for an adverse event; list milestones and other reasons."""
    place = f"participant flow, {period.title or 'one period'}"
    started = period.milestones.get("STARTED", {})
    for reason, counts in period.reasons.items():
        pairs = {title: (count, started.get(title, "")) for title, count in counts.items()}
        if normal(reason) in ("adverse event", "adverse events") and "discontinuation_ae" in reader.vocabulary.outcomes:
            asked = "is who left this period for an adverse event; who stopped the agent may be more."
            _add(reader, f"{place}: {reason}", "discontinuation_ae", [("outcome", _words(pairs), asked)], pairs)
        else:
            reader.out.skip(place, f"left for {reason!r}: {_words(pairs)}", "no outcome is this reason for leaving.")
    for milestone, counts in period.milestones.items():
        words = " | ".join(f"{title} {count}" for title, count in counts.items())
        why = "n_exp and n_ctl are those analysed; with these they are compared." if milestone == "STARTED" else (
            "no column holds a milestone.")  # fmt: skip
        reader.out.skip(place, f"{milestone}: {words}", why)
