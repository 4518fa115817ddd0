"""The evidence tables row by row: columns, types, vocabularies, units. `data/datapackage.json` is made from here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Key = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Text = Annotated[str, StringConstraints(strip_whitespace=True)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
#: More people than there are would be a slip of the keyboard.
Count = Annotated[int, Field(ge=0, le=10_000_000_000)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Level = Annotated[float, Field(gt=50, lt=100, allow_inf_nan=False)]
Year = Annotated[int, Field(ge=1900, le=2100)]
PValue = Annotated[str, StringConstraints(pattern=r"^((<|>|<=|>=)\s*)?(0(\.\d+)?|\.\d+|1(\.0+)?|\d(\.\d+)?[eE]-\d+)$")]
Partner = Literal["chemotherapy", "endocrine", "targeted", "other"]
Partners = Annotated[
    str,
    StringConstraints(pattern=r"^(chemotherapy|endocrine|targeted|other)(\+(chemotherapy|endocrine|targeted|other))*$"),
]

Phase = Literal["1", "1b", "1/2", "2", "2/3", "3"]
Design = Literal["randomized", "single_arm", "dose_escalation", "nonrandomized_cohorts"]
Blinding = Literal["open_label", "double_blind", "unknown"]
Regimen = Literal["monotherapy", "combination"]
Contrast = Literal["add_on", "head_to_head", "confounded", "no_igf_free_control", "none"]
TrialMeasure = Literal["HR", "events", "median"]
Sided = Literal["1", "2", "unknown"]
Use = Literal["primary", "sensitivity", "exclude"]
Extraction = Literal["double", "single", "registry"]
YesNo = Literal["yes", "no"]


class Row(BaseModel):
    """A row of an evidence table; a blank cell takes the default."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class TrialRow(Row):
    """One reported number: a study x comparison x outcome."""

    row_id: Key = Field(description="Identity of the row")
    study_id: Key = Field(description="Identity of the study")
    trial_name: Text = Field("", description="Name or number of the trial")
    nct_id: Text = Field("", description="ClinicalTrials.gov identifiers, separated by '; '")
    year: Year | None = Field(None, description="Year of the report")
    agent: Key = Field(description="Agent")
    agent_class: Key = Field(description="Class of agent")
    tumor_type: Key = Field(description="Type of tumour")
    tumor_subtype: Text = Field("", description="Subtype or stage, as reported")
    phase: Phase | None = Field(None, description="Phase of the trial")
    design: Design | None = Field(None, description="Design of the trial")
    blinding: Blinding | None = Field(None, description="Blinding")
    setting: Text = Field("", description="Line of treatment, as reported")
    population: Text = Field("", description="Patients, as reported; says any biomarker selection")
    regimen: Regimen = Field(description="The agent alone or with partners")
    partners: Partners | None = Field(None, description="Kinds of partner, joined by '+'")
    experimental: Text = Field("", description="Experimental arm")
    control: Text = Field("", description="Control arm; blank for one arm")
    contrast: Contrast = Field(description="What the comparison isolates; none: one arm")
    shared_control: Text = Field("", description="Same value on contrasts that share one control arm")
    outcome: Key = Field(description="Outcome")
    measure: TrialMeasure = Field(description="What was reported: hazard ratio, counts or percentages, medians")
    estimate: Positive | None = Field(None, description="Ratio as reported; below 1 favours the experimental arm")
    ci_low: Positive | None = Field(None, description="Lower limit of its interval")
    ci_high: Positive | None = Field(None, description="Upper limit of its interval")
    ci_level: Level | None = Field(None, description="Level of the interval", json_schema_extra={"unit": "%"})
    p_value: PValue | None = Field(None, description="p-value as reported, a number or an inequality")
    p_sided: Sided | None = Field(None, description="One- or two-sided")
    events_exp: Count | None = Field(None, description="Events in the experimental arm")
    n_exp: Count | None = Field(None, description="Patients analysed in the experimental arm")
    events_ctl: Count | None = Field(None, description="Events in the control arm")
    n_ctl: Count | None = Field(None, description="Patients analysed in the control arm")
    percent_exp: Percent | None = Field(
        None, description="Percentage with the event, experimental arm", json_schema_extra={"unit": "%"}
    )
    percent_ctl: Percent | None = Field(
        None, description="Percentage with the event, control arm", json_schema_extra={"unit": "%"}
    )
    median_exp: Positive | None = Field(None, description="Median time in the experimental arm")
    median_ctl: Positive | None = Field(None, description="Median time in the control arm")
    median_unit: Literal["months", "weeks", "days", "years"] | None = Field(None, description="Unit of the medians")
    use: Use = Field(description="primary: poolable; sensitivity: only in a sensitivity analysis; exclude: never")
    use_reason: Text = Field("", description="Why not primary")
    source_id: Key = Field(description="Where the number was read")
    locator: Text = Field("", description="Where in the source")
    extraction: Extraction | None = Field(
        None,
        description="double: two independent readings agree on every value; registry: a registry's record",
    )
    note: Text = Field("", description="Remarks; the horizon of a rate")


class AssociationRow(Row):
    """One reported association between a circulating marker and the risk of a cancer."""

    row_id: Key = Field(description="Identity of the row")
    study_id: Key = Field(description="Identity of the study")
    cohort_name: Text = Field("", description="Name of the cohort")
    year: Year | None = Field(None, description="Year of the report")
    country: Text = Field("", description="Country")
    design: Literal[
        "prospective_nested_case_control", "prospective_cohort", "population_case_control", "hospital_case_control",
        "case_control_base_not_stated", "pooled_ipd", "pooled_literature", "mendelian_randomization", "candidate_gene",
    ] = Field(description="Design of the study")  # fmt: skip
    cancer: Key = Field(description="Cancer")
    subgroup: Text = Field("", description="Subgroup of cases or participants")
    biomarker: Literal["igf1", "igfbp3", "igf2", "igf1_igfbp3_ratio", "free_igf1", "genetic"] = Field(
        description="Marker"
    )
    contrast: Text = Field("", description="What is compared with what")
    quantiles: Count | None = Field(None, description="Number of quantile groups")
    unit: Text = Field("", description="Unit of a per-unit contrast")
    measure: Literal["OR", "RR", "HR"] = Field(description="Measure of association")
    estimate: Positive | None = Field(None, description="Ratio as reported")
    ci_low: Positive | None = Field(None, description="Lower limit of its interval")
    ci_high: Positive | None = Field(None, description="Upper limit of its interval")
    ci_level: Level | None = Field(None, description="Level of the interval", json_schema_extra={"unit": "%"})
    p_trend: PValue | None = Field(None, description="p-value of the trend, a number or an inequality")
    n_cases: Count | None = Field(None, description="Cases")
    n_controls: Count | None = Field(None, description="Controls or cohort members")
    adjusted_for: Text = Field("", description="Adjustment, as reported")
    population_id: Text = Field("", description="Same value on rows of one underlying population")
    use: Use = Field(description="primary: poolable; sensitivity: only in a sensitivity analysis; exclude: never")
    use_reason: Text = Field("", description="Why not primary")
    source_id: Key = Field(description="Where the number was read")
    locator: Text = Field("", description="Where in the source")
    note: Text = Field("", description="Remarks")


class DoseRow(Row):
    """One exposure group of a dose-response table."""

    study_id: Key = Field(description="Identity of the study")
    cancer: Key = Field(description="Cancer")
    subgroup: Text = Field("", description="Subgroup of cases or participants")
    biomarker: Literal["igf1", "igfbp3", "igf2", "igf1_igfbp3_ratio", "free_igf1", "genetic"] = Field(
        description="Marker"
    )
    group_index: Count = Field(description="Number of the exposure group, from the lowest")
    range_low: Number | None = Field(None, description="Lower bound of the group")
    range_high: Number | None = Field(None, description="Upper bound of the group")
    median_dose: Number | None = Field(None, description="Median exposure of the group")
    dose_unit: Text = Field("", description="Unit of the exposure")
    n_cases: Count | None = Field(None, description="Cases in the group")
    n_controls_or_person_years: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None, description="Controls or person-years of the group"
    )
    estimate: Positive | None = Field(None, description="Ratio against the referent group")
    ci_low: Positive | None = Field(None, description="Lower limit of its interval")
    ci_high: Positive | None = Field(None, description="Upper limit of its interval")
    reference: Literal["0", "1"] = Field(description="1 on the referent group")
    source_id: Key = Field(description="Where the number was read")
    note: Text = Field("", description="Remarks")


class SourceRow(Row):
    """A publication or other source."""

    source_id: Key = Field(description="Identity of the source")
    type: Literal["journal_article", "conference_abstract", "pooled_analysis", "secondary_table", "registry"] = Field(
        description="Kind of source"
    )
    first_author: Text = Field("", description="First author")
    year: Year | None = Field(None, description="Year of publication")
    title: Text = Field("", description="Title")
    journal: Text = Field("", description="Journal")
    volume: Text = Field("", description="Volume and issue")
    pages: Text = Field("", description="Pages or article number")
    pmid: Annotated[str, StringConstraints(pattern=r"^\d+$")] | None = Field(None, description="PubMed identifier")
    doi: Annotated[str, StringConstraints(pattern=r"^10\.\S+$")] | None = Field(None, description="DOI")
    nct_id: Text = Field("", description="ClinicalTrials.gov identifiers, separated by '; '")
    status: Literal["ok", "corrected", "retracted"] = Field(description="Status as seen")


class AgentRow(Row):
    """An agent."""

    agent: Key = Field(description="Key of the agent")
    label: Key = Field(description="Name of the agent")
    agent_class: Key = Field(description="Class of the agent")
    code_names: Text = Field("", description="Other names, separated by '; '")
    molecule: Text = Field("", description="Kind of molecule")
    target: Text = Field("", description="Target")
    sponsor: Text = Field("", description="Sponsor")
    clinical_results: YesNo | None = Field(None, description="Whether the evidence holds clinical results")
    named_in_review: YesNo | None = Field(None, description="Whether the review that the project starts from names it")
    note: Text = Field("", description="Remarks")


class AgentClassRow(Row):
    """A class of agents."""

    agent_class: Key = Field(description="Key of the class")
    label: Key = Field(description="Name of the class")
    description: Text = Field("", description="What the class is")


class TumorRow(Row):
    """A type of tumour."""

    tumor_type: Key = Field(description="Key of the tumour type")
    label: Key = Field(description="Name of the tumour type")
    group: Key = Field(description="Group of tumour types")
    epidemiology_cancer: Text = Field("", description="The cancer of associations that it belongs to")


class OutcomeRow(Row):
    """An outcome."""

    outcome: Key = Field(description="Key of the outcome")
    label: Key = Field(description="Name of the outcome")
    kind: Literal["time_to_event", "binary"] = Field(description="Kind of outcome")
    family: Key = Field(description="Family of outcomes; a study counts once in a family")
    better: Literal["lower", "higher"] = Field(description="Which direction is better for the patient")
    default_measure: Literal["HR", "OR", "RR", "RD"] = Field(description="Measure of a comparison by default")


class RiskOfBiasRow(Row):
    """One judgement of the risk of bias of a trial, in one domain of one tool."""

    study_id: Key = Field(description="Identity of the study in trials")
    tool: Key = Field(description="What the domains are of: RoB 2, ROBINS-I ...; evidence table: derived from trials")
    domain: Key = Field(description="Domain of the tool")
    judgement: Literal["low", "some", "high", "unclear"] = Field(
        description="Risk of bias: low, some concerns, high, or not to be told"
    )
    support: Text = Field("", description="Why, with the words that support it")
    derived: Text = Field(
        "", description="Row of trials that the judgement follows from by rule; blank: judged by people"
    )


def number_columns(table: str) -> list[str]:
    """Return the columns of a table that hold numbers; inequalities count as such."""
    fields = TABLES[table].model_fields
    return [
        name for name, field in fields.items() if _is_number(field.annotation) or name in INEQUALITIES.get(table, ())
    ]


def all_columns(table: str) -> list[str]:
    """Return the columns of a table as `Evidence` has them: its own, numbers as printed, and the row of the file."""
    return [*TABLES[table].model_fields, *(f"{name}_text" for name in KEEP_TEXT.get(table, ())), "file_row"]


def _is_number(annotation: Any) -> bool:
    parts = [annotation, *getattr(annotation, "__args__", ())]
    inner = [each for part in parts for each in (part, *getattr(part, "__args__", ()))]
    return any(part in (int, float) for part in inner)


#: Every table with its row model.
TABLES: dict[str, type[Row]] = {
    "trials": TrialRow,
    "associations": AssociationRow,
    "dose_response": DoseRow,
    "sources": SourceRow,
    "agents": AgentRow,
    "agent_classes": AgentClassRow,
    "tumors": TumorRow,
    "outcomes": OutcomeRow,
    "risk_of_bias": RiskOfBiasRow,
}

PRIMARY_KEYS = {
    "trials": "row_id",
    "associations": "row_id",
    "sources": "source_id",
    "agents": "agent",
    "agent_classes": "agent_class",
    "tumors": "tumor_type",
    "outcomes": "outcome",
}

#: table -> {column: table whose primary key it refers to}.
FOREIGN_KEYS = {
    "trials": {
        "agent": "agents",
        "agent_class": "agent_classes",
        "tumor_type": "tumors",
        "outcome": "outcomes",
        "source_id": "sources",
    },
    "associations": {"source_id": "sources"},
    "dose_response": {"source_id": "sources"},
    "agents": {"agent_class": "agent_classes"},
}

#: Columns that a table must have; the others may be absent and are then blank.
REQUIRED_COLUMNS = {
    "trials": ("study_id", "regimen", "contrast", "outcome", "measure", "source_id"),
    "associations": ("study_id", "cancer", "biomarker", "measure", "estimate", "source_id"),
    "dose_response": ("study_id", "cancer", "biomarker", "group_index", "reference", "source_id"),
    "sources": ("source_id", "status"),
    "agents": ("agent", "label", "agent_class"),
    "agent_classes": ("agent_class", "label"),
    "tumors": ("tumor_type", "label", "group"),
    "outcomes": ("outcome", "label", "kind", "family", "better", "default_measure"),
    "risk_of_bias": ("study_id", "tool", "domain", "judgement"),
}

#: Columns whose text as printed is kept beside the number, as `<column>_text`.
KEEP_TEXT = {
    "trials": (
        "estimate", "ci_low", "ci_high", "ci_level", "p_value", "events_exp", "n_exp", "events_ctl", "n_ctl",
        "percent_exp", "percent_ctl", "median_exp", "median_ctl",
    ),
    "associations": ("estimate", "ci_low", "ci_high", "p_trend"),
    "dose_response": ("estimate", "ci_low", "ci_high"),
}  # fmt: skip

#: Columns that may hold an inequality: the number, or NaN; the text says which.
INEQUALITIES = {"trials": ("p_value",), "associations": ("p_trend",)}
