"""What the rows of a registered study share, which of its groups is the control, and the numbers of its arms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from igfmeta.evidence.importing.candidates import Collector, Doubt, of_study
from igfmeta.evidence.importing.registry_study import Counts, RegistryStudy
from igfmeta.evidence.importing.vocabulary import Vocabulary, normal

PHASES = {"phase1": "1", "phase1/phase2": "1/2", "phase2": "2", "phase2/phase3": "2/3", "phase3": "3"}
CONTROLS = ("active_comparator", "placebo_comparator", "sham_comparator", "no_intervention")
UNITS = {"month": "months", "months": "months", "week": "weeks", "weeks": "weeks", "day": "days", "days": "days",
         "year": "years", "years": "years"}  # fmt: skip
Row = dict[str, str]
Doubts = list[tuple[str, str, str]]


@dataclass(frozen=True)
class Numbers:
    """One number for each group: what it is (median, events, percent), the people analysed, what stands beside it."""

    kind: str
    values: Counts
    analysed: Counts
    unit: str = ""
    beside: Counts = field(default_factory=dict)

    def cells(self, group: str, arm: str) -> Row:
        """Return the cells of an arm (`exp` or `ctl`); a value that was not posted is blank."""
        value = self.values.get(group, "")
        out = {f"n_{arm}": self.analysed.get(group, ""), f"{self.kind}_{arm}": value if is_posted(value) else ""}
        return out | ({"median_unit": UNITS.get(normal(self.unit), "")} if self.kind == "median" else {})

    def note(self, groups: Mapping[str, str]) -> str:
        """Return what is posted beside the values, by arm, for the remarks of a row."""
        return "; ".join(f"{arm}: {self.beside[group]}" for group, arm in groups.items() if self.beside.get(group))

    def doubts(self, groups: Mapping[str, str]) -> Doubts:
        """Return the cells that are blank because no value was posted."""
        return [
            (f"{self.kind}_{arm}", f"{self.values[group]} {self.beside.get(group, '')}".strip(),
             "no number was posted; the cell stays blank.")
            for group, arm in groups.items()
            if self.values.get(group) and not is_posted(self.values[group])
        ]  # fmt: skip


def is_posted(value: str) -> bool:
    """Return whether a value is there: not blank, not `NA`.

    Examples
    --------
    >>> is_posted("7.2"), is_posted("NA"), is_posted("Not reached")
    (True, False, False)
    """
    return normal(value) not in ("na", "n a", "nr", "not reached", "not estimable", "ne", "")


def without_placebo(text: str) -> list[str]:
    """Return the parts of a name of arm or intervention that are no placebo of what they name.

    Examples
    --------
    >>> without_placebo("FOLFIRI + placebo ganitumab"), without_placebo("Ganitumab + placebo")
    (['FOLFIRI '], ['Ganitumab '])
    """
    return [part for part in re.split(r"[+/,;&]| and | plus ", text) if not re.search(r"(?i)placebo|sham|dummy", part)]


@dataclass(frozen=True)
class Reader:
    """Where rows of one study go, and the words by which they are read."""

    study: RegistryStudy
    vocabulary: Vocabulary
    control: str | None
    out: Collector
    shared: Mapping[str, str]

    def role(self, title: str) -> str:
        """Return experimental, control, or blank where the record does not say."""
        if self.control is not None:
            return "control" if normal(title) == normal(self.control) else "experimental"
        kinds = {arm.kind.casefold().replace(" ", "_") for arm in self.study.arms if normal(arm.label) == normal(title)}
        if kinds == {"experimental"}:
            return "experimental"
        return "control" if len(kinds) == 1 and kinds <= set(CONTROLS) else ""

    def outcome(self, title: str) -> tuple[str, Doubts]:
        """Return the outcome that a title names, or blank; and what makes it doubtful."""
        key, why = self.vocabulary.outcome(title)
        return key, [("outcome", title, why)] if why else []

    def of_pair(self, experimental: str, control: str) -> Doubts:
        """Return the doubts about a pair of groups: whether the agent is given to the first and not to the second."""
        agent = self.shared.get("agent")
        if not agent:
            return []
        given, also = (agent in self._agents_of(title) for title in (experimental, control))
        found = f"{experimental} v {control}"
        if also:
            return [("experimental", found, f"both arms name {agent}; which comparison isolates it?")]
        return [] if given else [("experimental", found, f"the record does not say that this arm is given {agent}.")]

    def _agents_of(self, title: str) -> tuple[str, ...]:
        given = [drug for arm in self.study.arms if normal(arm.label) == normal(title) for drug in arm.interventions]
        return self.vocabulary.agent(part for text in (title, *given) for part in without_placebo(text))

    def fewer(self, groups: Mapping[str, str], analysed: Counts) -> Doubts:
        """Return the arms whose people analysed are not all who started; `groups` gives the arm of each group."""
        started = {normal(title): count for title, count in self.study.started.items()}
        odd = [
            (title, analysed[group], started[normal(title)])
            for group, title in groups.items()
            if analysed.get(group) and started.get(normal(title), analysed[group]) != analysed[group]
        ]
        if not odd:
            return []
        found = "; ".join(f"{title}: {n} of {all_}" for title, n, all_ in odd)
        return [("n_exp", found, "people analysed differ from those who started: a subset? Which n is meant?")]

    def arms(
        self,
        place: str,
        cells: Row,
        doubts: Doubts,
        groups: Mapping[str, str],
        numbers: Numbers,
        *,
        compared: bool = True,
    ) -> None:
        """Add a row for each experimental group against the one control, or for each group if roles are not clear.

        `compared` asks about people analysed who are not all who started.
        """
        for g, title in groups.items():
            if g in numbers.values and normal(title) == "total":
                self.out.skip(place, f"{title}: {numbers.values[g]}", "is of all groups together, which have rows.")
        groups = {g: title for g, title in groups.items() if g in numbers.values and normal(title) != "total"}
        roles = {g: self.role(title) for g, title in groups.items()}
        controls = [g for g, role in roles.items() if role == "control"]
        tested = [g for g, role in roles.items() if role == "experimental"]
        if len(controls) == 1 and tested and len(tested) + 1 == len(groups):
            shared = f"{self.study.nct_id.casefold()}_{controls[0].casefold()}" if len(tested) > 1 else ""
            for g in tested:
                pair = {g: groups[g], controls[0]: groups[controls[0]]}
                own = {"experimental": groups[g], "control": pair[controls[0]], "shared_control": shared}
                both = numbers.cells(g, "exp") | numbers.cells(controls[0], "ctl")
                more = [*self.of_pair(*pair.values()), *(self.fewer(pair, numbers.analysed) if compared else [])]
                self._add(place, cells, own | both, [*doubts, *more], numbers, {g: "exp", controls[0]: "ctl"})
            return
        for g, title in groups.items():
            own = {"experimental": title, **numbers.cells(g, "exp")}
            more = self.fewer({g: title}, numbers.analysed) if compared else []
            if len(groups) == 1:
                own["contrast"] = "none"
            else:
                others = " | ".join(t for k, t in groups.items() if k != g)
                more.append(
                    ("control", others, "the record does not say which group is the control; name it by --control.")
                )
            self._add(place, cells, own, [*doubts, *more], numbers, {g: "exp"})

    def _add(
        self, place: str, cells: Row, own: Row, doubts: Doubts, numbers: Numbers, groups: Mapping[str, str]
    ) -> None:
        note = "; ".join(text for text in (cells.get("note", ""), numbers.note(groups)) if text)
        self.out.row(place, {**self.shared, **cells, **own, "note": note}, [*doubts, *numbers.doubts(groups)])


def reader_of(study: RegistryStudy, vocabulary: Vocabulary, control: str | None, out: Collector) -> Reader:
    """Return the reader of a study: the cells that all its rows share, with what is not plain listed."""
    cells = {
        "study_id": study.nct_id.casefold(), "trial_name": study.name, "nct_id": study.nct_id, "year": study.year,
        "source_id": study.nct_id.casefold(), "extraction": "registry",
    }  # fmt: skip

    def one(column: str, found: tuple[str, ...], words: tuple[str, ...]) -> None:
        if len(found) == 1:
            cells[column] = found[0]
            return
        why = f"{', '.join(found)} are named; which one?" if found else "no name of the tables is among these words."
        out.doubts.append(Doubt(of_study(cells["study_id"]), column, study.nct_id, "; ".join(words), why))

    one("agent", vocabulary.agent(study.interventions), study.interventions)
    one("tumor_type", vocabulary.tumor(study.conditions), study.conditions)
    cells["agent_class"] = vocabulary.classes.get(cells.get("agent", ""), "")
    _coded(cells, study, out)
    return Reader(study, vocabulary, control, out, cells)


def _coded(cells: Row, study: RegistryStudy, out: Collector) -> None:
    phase = re.sub(r"phase +", "phase", re.sub(r"[^a-z0-9/]+", " ", study.phase.casefold()))
    masking, allocation = normal(study.masking), normal(study.allocation)
    found = {
        "phase": PHASES.get(phase.replace(" ", ""), ""),
        "design": "randomized" if allocation == "randomized" else "",
        "blinding": "open_label" if masking.startswith(("none", "open label"))
        else "double_blind" if masking.startswith(("double", "triple", "quadruple")) else "",
    }  # fmt: skip
    for column, text in (("phase", study.phase), ("design", study.allocation), ("blinding", study.masking)):
        cells[column] = found[column]
        if text and not found[column]:
            question = "no value of the column says just this."
            out.doubts.append(Doubt(of_study(cells["study_id"]), column, study.nct_id, text, question))
