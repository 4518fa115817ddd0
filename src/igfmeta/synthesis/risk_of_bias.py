"""Judgements of the risk of bias, study by study and domain by domain, for tables and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from igfmeta.errors import NothingToPool
from igfmeta.evidence.risk_of_bias import JUDGEMENTS, NOT_JUDGED, is_overall, overall
from igfmeta.evidence.selection import Criteria
from igfmeta.evidence.tables import Evidence
from igfmeta.synthesis.studies import Sources, row_label
from igfmeta.version import __version__

if TYPE_CHECKING:
    import pandas as pd

OVERALL = "overall"


@dataclass(frozen=True)
class Judged:
    """One study: its judgement in each domain, what supports each, and the judgement of the study as a whole.

    `given` is what supports that one where it was made; None where it is the worst of the domains.
    """

    study_id: str
    label: str
    judgements: Mapping[str, str]
    support: Mapping[str, str]
    derived: Mapping[str, str]
    overall: str
    given: str | None


@dataclass(frozen=True)
class RiskOfBias:
    """The risk of bias of studies.

    Attributes
    ----------
    domains : tuple of str
        With the tool before it where there is more than one.
    studies : tuple of Judged
    not_judged : int
        How many selected studies have no judgement.
    tools : tuple of str
    origin, fingerprint : str
    """

    domains: tuple[str, ...]
    studies: tuple[Judged, ...]
    not_judged: int
    tools: tuple[str, ...]
    origin: str
    fingerprint: str

    @property
    def all_derived(self) -> bool:
        """Whether every judgement follows from the evidence table by rule."""
        return all(
            study.given is None and all(study.derived[name] for name in study.judgements) for study in self.studies
        )

    @property
    def rule(self) -> str:
        """What the overall judgement is, in a sentence."""
        given = [study.given is not None for study in self.studies]
        if self.lenient:
            better = f"better than their worst domain: {', '.join(self.lenient[:5])}"
            more = f" and {len(self.lenient) - 5} more" if len(self.lenient) > 5 else ""
            return f"Overall: as it was judged; of {len(self.lenient)} studies {better}{more}."
        if all(given):
            return "Overall: as it was judged."
        return "Overall: as it was judged, or else the worst of the domains." if any(given) else (
            "Overall: the worst of the domains.")  # fmt: skip

    @property
    def lenient(self) -> tuple[str, ...]:
        """Studies that were judged better as a whole than in their worst domain, which no tool of Cochrane allows."""
        return tuple(
            study.label
            for study in self.studies
            if any(JUDGEMENTS.index(study.overall) < JUDGEMENTS.index(each) for each in study.judgements.values())
        )

    def counts(self, domain: str) -> dict[str, int]:
        """Return how many studies have each judgement in a domain (or `overall`), and how many none."""
        found = Counter(self.judgement(study, domain) for study in self.studies)
        return {name: found[name] for name in (*JUDGEMENTS, NOT_JUDGED)}

    @staticmethod
    def judgement(study: Judged, domain: str) -> str:
        """Return a study's judgement in a domain; "none" where there is none."""
        return study.overall if domain == OVERALL else study.judgements.get(domain, NOT_JUDGED)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values (JSON)."""
        return {
            "igfmeta": __version__,
            "origin": self.origin,
            "sha256": self.fingerprint,
            "tools": list(self.tools),
            "domains": list(self.domains),
            "not_judged": self.not_judged,
            "studies": [
                {
                    "study_id": study.study_id,
                    "label": study.label,
                    "overall": study.overall,
                    "overall_was_judged": study.given is not None,
                    "domains": {
                        name: {"judgement": value, "support": study.support[name], "derived": study.derived[name]}
                        for name, value in study.judgements.items()
                    },
                }
                for study in self.studies
            ],
            "counts": {name: self.counts(name) for name in (*self.domains, OVERALL)},
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row per study and domain."""
        import pandas as pd

        columns = ["study_id", "label", "domain", "judgement", "support", "derived"]
        rows = [
            (s.study_id, s.label, name, value, s.support[name], s.derived[name])
            for s in self.studies
            for name, value in s.judgements.items()
        ]
        return pd.DataFrame(rows, columns=columns)


def risk_of_bias(
    evidence: Evidence, *, only: Collection[str] | None = None, **criteria: Unpack[Criteria]
) -> RiskOfBias:
    """Return the judgements of the studies that a selection leaves, in the order of the trials table.

    Parameters
    ----------
    evidence : Evidence
    only : collection of str, optional
        Studies by their study_id.
    **criteria
        Of `Evidence.select`.

    Raises
    ------
    NothingToPool
        No selected study was judged.

    Examples
    --------
    >>> from igfmeta.evidence import load_evidence
    >>> found = risk_of_bias(load_evidence(), agent_class="antibody", outcome="os")
    >>> found.counts("blinding")["low"]
    4
    """
    sources = Sources.of(evidence.table("sources"))
    labels = {row["study_id"]: row_label(row, sources) for row in reversed(evidence.select(**criteria).table("trials"))}
    wanted = [study for study in reversed(labels) if only is None or study in only]
    rows = [row for row in evidence.table("risk_of_bias") if row["study_id"] in set(wanted)]
    if not rows:
        raise NothingToPool("No selected study has a judgement of the risk of bias (risk_of_bias.csv).")
    tools = tuple(dict.fromkeys(row["tool"] for row in rows))
    worst = overall(rows)
    own: dict[str, dict[str, Mapping[str, Any]]] = {}
    given: dict[str, str] = {}
    for row in rows:
        own.setdefault(row["study_id"], {})
        if is_overall(row["domain"]):
            given[row["study_id"]] = "; ".join(text for text in (given.get(row["study_id"]), row["support"]) if text)
            continue
        domain = row["domain"] if len(tools) == 1 else f"{row['tool']}: {row['domain']}"
        own[row["study_id"]][domain] = row
    return RiskOfBias(
        domains=tuple(dict.fromkeys(domain for found in own.values() for domain in found)),
        studies=tuple(
            _judged(study, labels[study], own[study], worst[study], given.get(study))
            for study in wanted
            if study in own
        ),
        not_judged=sum(study not in own for study in wanted),
        tools=tools,
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
    )


def _judged(study: str, label: str, rows: Mapping[str, Mapping[str, Any]], worst: str, given: str | None) -> Judged:
    def column(name: str) -> dict[str, str]:
        return {domain: row[name] for domain, row in rows.items()}

    return Judged(study, label, column("judgement"), column("support"), column("derived"), worst, given)
