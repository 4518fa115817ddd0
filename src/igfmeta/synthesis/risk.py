"""Pools associations of a circulating marker with the risk of cancer: on one scale, by design or by cancer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from igfmeta.bayes.tau_priors import TauPrior, parse_tau_prior
from igfmeta.effects.contrasts import SD, Distance, target_of, unit_distance
from igfmeta.errors import InputError, NothingToPool, check_choice, check_level, listed
from igfmeta.evidence.selection import Choice
from igfmeta.evidence.tables import Evidence
from igfmeta.options import several
from igfmeta.synthesis.eligibility import USE_LEVELS, Row
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.risk_compare import compare as compared
from igfmeta.synthesis.risk_fits import (
    Part,
    between,
    default_risk_prior,
    groups_of,
    studies_of,
    unused_of,
)
from igfmeta.synthesis.risk_hierarchy import risk_hierarchy
from igfmeta.synthesis.risk_inputs import (
    MEASURES,
    OBSERVATIONAL,
    STRATA,
    WHOLE,
    Asked,
    rows_about,
    select,
    subgroup_of,
)
from igfmeta.synthesis.risk_remarks import assumptions, measures_in, nothing, remarks
from igfmeta.synthesis.risk_results import RiskGroup, RiskResult, RiskStudy
from igfmeta.synthesis.studies import Sources
from igfmeta.version import __version__

BY = ("cancer",)
DESIGNS = (*STRATA, "observational")

#: The cancer of rows that count any: it holds the others, and is none to compare them with.
ANY_CANCER = "any"


def _choices(name: str, wanted: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    accepted = sorted(set(found))
    return tuple(dict.fromkeys(check_choice(name, value, accepted) for value in wanted))


def _cancers(rows: Sequence[Row], biomarker: str, wanted: Choice, *, by: str | None, compare: bool) -> tuple[str, ...]:
    """Return the cancers asked for; all but "any" where they are compared."""
    found = sorted({row["cancer"] for row in rows if row["biomarker"] == biomarker})
    if by is not None:
        found = [cancer for cancer in found if cancer != ANY_CANCER]
    if wanted is not None:
        return _choices("cancer", several(wanted, parted=False), found)
    if by is None and not compare:
        raise InputError(f"No cancer was named; accepted are {listed(found)}, or by 'cancer' for all of them.")
    return tuple(found)


def _subgroups(rows: Sequence[Row], wanted: Choice) -> tuple[str, ...]:
    found = [subgroup_of(row) for row in rows]
    return WHOLE if wanted is None else _choices("subgroup", several(wanted, parted=False), found)


def exposure_sds(rows: Sequence[Row], given: Mapping[str, str]) -> dict[str, Distance]:
    """Return the standard deviations that a user gives, such as {"uk_biobank": "5.7 nmol/L"}."""
    known = {row["population_id"] for row in rows} | {row["study_id"] for row in rows}
    out = {}
    for name, text in given.items():
        check_choice("population or study of a standard deviation", name, sorted(filter(None, known)))
        found = unit_distance(f"per {text}")
        if isinstance(found, str) or found.unit == SD:
            raise InputError(
                f"The standard deviation of {name} was {text!r}; accepted is an amount and a unit, such as 4 nmol/L."
            )
        out[name] = found
    return out


def _target(rows: Sequence[Row], per: str, unit: str | None, sds: Mapping[str, Distance]) -> Distance:
    """Return what ratios are to be per; a unit that is not named is that of most rows."""
    if per != "unit":
        return target_of(per, unit)
    steps = [unit_distance(row["unit"]) for row in rows if row["contrast"] == "per_unit"]
    printed = Counter(step.label for step in steps if isinstance(step, Distance) and step.unit != SD)
    if unit is None and not printed:
        raise NothingToPool("No row is per a unit of measurement; say which is meant, such as unit '5 nmol/L'.")
    target = target_of("unit", unit or max(printed, key=lambda label: (printed[label], label)))
    known = {step.unit for step in (*steps, *sds.values()) if isinstance(step, Distance)}
    check_choice("unit of the exposure", target.unit, sorted(known - {SD}))
    return target


def risk(
    evidence: Evidence,
    *,
    cancer: Choice = None,
    biomarker: str = "igf1",
    subgroup: Choice = None,
    per: str = "sd",
    unit: str | None = None,
    by: str | None = None,
    design: str | None = None,
    measures: str = "any",
    use: str = "primary",
    exposure_sd: Mapping[str, str] | None = None,
    method: str = "REML",
    ci: str = "HK",
    pi: str = "HK",
    prior: str | TauPrior | None = None,
    level: float = 0.95,
    seed: int = 1,
    compare: bool = False,
) -> RiskResult:
    """Pool the associations of a biomarker with the risk of a cancer, in both statistical schools.

    Each population counts once (see `igfmeta.synthesis.risk_inputs`), by one row put on the scale asked for.
    Prospective studies, retrospective studies and Mendelian randomization are strata of their own; pools that others
    published are never pooled with their members.

    Parameters
    ----------
    evidence : Evidence
        With a table of associations.
    cancer : str or sequence of str, optional
        May be left out with `by` and `compare`, which then take all.
    biomarker : str
    subgroup : str or sequence of str, optional
        In order of preference. Default: whole studies, or those whom they recruited by sex, menopausal status, smoking.
    per : {"sd", "quartile", "unit"}
        What the ratios are per: a standard deviation of the exposure, the means of its outer quarters, or `unit`.
    unit : str, optional
        Such as "5 nmol/L"; default: the one that most rows print.
    by : {"cancer"}, optional
        One group per cancer, the test between them, and the hierarchical model of all.
    design : {"prospective", "retrospective", "genetic", "observational"}, optional
        Default: every stratum, each by itself; prospective with `by`. "observational" also pools the first two.
    measures : {"any", "same", "OR", "RR", "HR"}
        "any" pools odds, risk and hazard ratios together, which takes the disease to be rare; "same" refuses to; a
        measure keeps its rows.
    use : {"primary", "sensitivity"}
        "sensitivity" adds rows that the evidence marks so.
    exposure_sd : mapping, optional
        Standard deviation of the exposure by population or study, such as {"uk_biobank": "5.7 nmol/L"}: it puts rows
        per unit on the scale of SDs, and the reverse.
    method, ci, pi : str
        Estimator of tau2, methods of the intervals.
    prior : str or prior, optional
        Of tau; default half-normal, 0.2 per SD, stated in the result.
    level : float
    seed : int
        Of the hierarchical model.
    compare : bool
        Also put the published pools of the table beside ours.

    Raises
    ------
    InputError
        An option that is not accepted, or measures that were not to be mixed.
    NothingToPool
        No usable row.

    Examples
    --------
    >>> import igfmeta as im
    >>> result = risk(im.load_evidence(tables=("associations",)), cancer="prostate")
    >>> [(group.key, group.fit.k) for group in result.groups]
    [('prospective', 7), ('genetic', 2)]
    """
    table = evidence.table("associations")
    if not table:
        raise InputError(f"{evidence.origin} holds no table of associations; name it associations.csv.")
    methods = Methods(method=method, ci=ci, pi=pi, level=check_level(level))
    by = None if by is None else check_choice("by", by, BY)
    design = None if design is None else check_choice("design", design, DESIGNS)
    biomarker = check_choice("biomarker", biomarker, sorted({row["biomarker"] for row in table}))
    cancers = _cancers(table, biomarker, cancer, by=by, compare=compare)
    asked = Asked(
        cancers=cancers,
        biomarker=biomarker,
        target=Distance(1.0, SD),
        strata=_strata(by, design),
        use=check_choice("use", use, USE_LEVELS),
        measures=check_choice("measures", measures, MEASURES),
        sds=exposure_sds(table, exposure_sd or {}),
    )
    about = rows_about(table, asked)
    asked = replace(asked, subgroups=_subgroups(about, subgroup), target=_target(about, per, unit, asked.sds))
    sources = Sources.of(evidence.table("sources"))
    only_compare = cancer is None and by is None
    effects, left = ([], []) if only_compare else select(table, asked)
    if not effects and not only_compare:
        raise NothingToPool(nothing(asked, left))
    studies = studies_of(effects, sources, level=methods.level)
    tau_prior = parse_tau_prior(prior) if isinstance(prior, str) else prior or default_risk_prior(asked.target)
    groups = groups_of(_parts(studies, asked, by), methods, tau_prior)
    overall = _overall(studies, design, by, methods, tau_prior)
    _refuse_mixing([*groups, *([overall] if overall else [])], asked)
    unused = unused_of(left, sources)
    compared_with = groups if by else groups if overall else []
    return RiskResult(
        biomarker=biomarker,
        cancers=cancers,
        subgroups=() if subgroup is None else asked.subgroups,
        target=asked.target,
        by=by,
        design=design,
        groups=tuple(groups),
        overall=overall,
        between=between(compared_with),
        hierarchy=risk_hierarchy(groups, asked.target, level=methods.level, seed=seed) if by else None,
        unused=unused,
        comparisons=compared(table, asked, sources, methods) if compare else (),
        assumptions=assumptions(effects, groups, asked),
        remarks=remarks(studies, unused, asked, by),
        options={"cancer": list(several(cancer, parted=False)), "biomarker": biomarker,
                 "subgroup": list(several(subgroup, parted=False)),
                 "per": per, "unit": unit, "by": by, "design": design, "measures": asked.measures, "use": asked.use,
                 "exposure_sd": dict(exposure_sd or {}), "compare": compare},
        origin=evidence.origin,
        fingerprint=evidence.fingerprint,
        version=__version__,
    )  # fmt: skip


def _strata(by: str | None, design: str | None) -> tuple[str, ...]:
    if design == "observational":
        return OBSERVATIONAL
    if design is not None:
        return (design,)
    return tuple(STRATA) if by is None else ("prospective",)


def _parts(studies: Sequence[RiskStudy], asked: Asked, by: str | None) -> list[Part]:
    """Return key, label and studies of each group: the strata in their order, or the cancers, largest first."""
    if by is None:
        return [(key, STRATA[key], [s for s in studies if s.stratum == key]) for key in asked.strata]
    members = {cancer: each_once([s for s in studies if s.cancer == cancer]) for cancer in asked.cancers}
    parts = [(cancer, cancer.replace("_", " ").capitalize(), own) for cancer, own in members.items()]
    return sorted(parts, key=lambda part: (-len(part[2]), part[0]))


def each_once(studies: Sequence[RiskStudy]) -> list[RiskStudy]:
    """Return studies of several strata without those retrospective ones whose population is there prospectively."""
    prospective = {(s.population, s.cancer) for s in studies if s.stratum == "prospective"}
    return [s for s in studies if s.stratum != "retrospective" or (s.population, s.cancer) not in prospective]


def _overall(
    studies: Sequence[RiskStudy], design: str | None, by: str | None, methods: Methods, tau_prior: TauPrior
) -> RiskGroup | None:
    if design != "observational" or by is not None:
        return None
    parts = [("observational", "Prospective and retrospective", each_once(studies))]
    return groups_of(parts, methods, tau_prior)[0]


def _refuse_mixing(groups: Sequence[RiskGroup], asked: Asked) -> None:
    mixed = [group for group in groups if group.measure == "LOG"]
    if asked.measures == "same" and mixed:
        counts = "; ".join(f"{group.label}: {measures_in(group.studies)}" for group in mixed)
        raise InputError(
            f"measures was 'same', and the studies have several ({counts}); accepted then is one of OR, RR or HR, or "
            "'any', which takes the disease to be rare."
        )
