"""Analyses -> the report as a tree: the sections of the registry, in order, with provenance."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version as version_of
from typing import Any

from igfmeta.report.content import Block, Paragraph, Provenance, Report, Section
from igfmeta.report.registry import AFTER, BEFORE, LAST, OF_A_QUESTION
from igfmeta.report.sections.findings import sentences
from igfmeta.report.sections.parts import key_of
from igfmeta.synthesis.analysis import Analysis
from igfmeta.synthesis.protocol_files import ProtocolFile
from igfmeta.version import __version__

#: What computes the numbers; the last three only where hierarchies were sampled.
SOFTWARE = ("numpy", "scipy", "pandas", "matplotlib", "jinja2")
SAMPLERS = ("pymc", "pytensor", "arviz")


def build_report(
    file: ProtocolFile, analyses: Sequence[Analysis], *, mcmc: bool | None = None, stamp: str | None = None
) -> Report:
    """Return the report of a protocol.

    Parameters
    ----------
    file : ProtocolFile
    analyses : sequence of Analysis
        Of its questions.
    mcmc : bool or None
        As it was given to `analyse`.
    stamp : str or None
        When it is made; None keeps the time of day out, so that the same inputs give the same bytes.
    """
    provenance = _provenance(file, analyses, mcmc, stamp)
    sections = [
        *_present(make(analyses) for make in BEFORE),
        *_questions(analyses),
        *_present(make(analyses) for make in AFTER),
        *(make(provenance) for make in LAST),
    ]
    protocol = file.protocol
    asked = protocol.question or (analyses[0].protocol.question if len(analyses) == 1 else None)
    return Report(
        title=protocol.title,
        question=asked.text if asked else "",
        authors=protocol.authors,
        answers=tuple(text for analysis in analyses for text in sentences(analysis)),
        sections=tuple(sections),
        fits=_fits(analyses),
        provenance=provenance,
    )


def _present(sections: Iterable[Section | None]) -> list[Section]:
    return [section for section in sections if section is not None]


def _questions(analyses: Sequence[Analysis]) -> list[Section]:
    """Return the sections of each question: at the top where there is one question, under its title otherwise."""
    found = [(analysis, _present(make(analysis) for make in OF_A_QUESTION)) for analysis in analyses]
    if len(found) == 1:
        return found[0][1]
    return [Section(key_of(a, "question"), a.protocol.title, _asked(a), tuple(below)) for a, below in found]


def _asked(analysis: Analysis) -> tuple[Block, ...]:
    question = analysis.protocol.question
    if question is None:
        return ()
    why = [Paragraph(question.why, "note")] if question.why else []
    return (Paragraph(question.text), *why)


def _fits(analyses: Sequence[Analysis]) -> dict[str, Any]:
    fits: dict[str, Any] = {}
    for analysis in analyses:
        for outcome in analysis.outcomes:
            key = key_of(analysis, outcome.key)
            named: dict[str, Any] = {"pool": outcome.answer, "hierarchy": outcome.hierarchy, "mcmc": outcome.sampled}
            named |= {f"robust-{each.use}": each.result for each in outcome.dependence if each.several}
            fits |= {f"{key}-{name}": fit for name, fit in named.items() if fit is not None}
        for name, results in (("risk", analysis.risks), ("dose", analysis.doses),
                              ("triangulation", analysis.triangulations)):  # fmt: skip
            fits |= {key_of(analysis, f"{name}-{i + 1}"): result for i, result in enumerate(results)}
    return fits


def _provenance(file: ProtocolFile, analyses: Sequence[Analysis], mcmc: bool | None, stamp: str | None) -> Provenance:
    evidence = analyses[0].evidence
    sampled = any(outcome.sampled is not None for analysis in analyses for outcome in analysis.outcomes)
    names = (*SOFTWARE, *(SAMPLERS if sampled else ()))
    return Provenance(
        version=__version__,
        evidence=evidence.origin,
        fingerprint=evidence.fingerprint,
        files=dict(evidence.files),
        protocol=file.name,
        protocols=file.texts,
        protocol_fingerprint=file.fingerprint,
        software={"igfmeta": __version__, "Python": platform.python_version(), **{n: version_of(n) for n in names}},
        mcmc=mcmc,
        stamp=stamp,
    )
