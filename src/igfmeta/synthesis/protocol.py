"""What a protocol says: the question, what is eligible, outcomes, models, and how certainty is rated. One TOML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from igfmeta.bayes.tau_priors import parse_tau_prior
from igfmeta.effects.dose_bases import MODELS as CURVES
from igfmeta.errors import check_choice, check_level
from igfmeta.models.inference import CI_METHODS
from igfmeta.models.prediction import PI_METHODS
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.synthesis.eligibility import USE_LEVELS
from igfmeta.synthesis.grouping import BY
from igfmeta.synthesis.pool_models import MEASURES, MODEL_NAMES

#: What GRADE looks at, in its order.
DOMAINS = ("risk_of_bias", "inconsistency", "indirectness", "imprecision", "publication_bias")

#: Factors of the hierarchical model.
FACTORS = ("class", "tumor")


def _one_of(option: str, accepted: tuple[str, ...]) -> AfterValidator:
    return AfterValidator(lambda value: check_choice(option, value, accepted))


def _prior(text: str) -> str:
    parse_tau_prior(text)
    return text


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Texts = tuple[Text, ...]
By = Annotated[Text, _one_of("by", BY)]
Factor = Annotated[Text, _one_of("by", FACTORS)]
Method = Annotated[Text, _one_of("method", TAU2_METHODS)]
Ci = Annotated[Text, _one_of("ci", CI_METHODS)]
Pi = Annotated[Text, _one_of("pi", PI_METHODS)]
ModelName = Annotated[Text, _one_of("model", MODEL_NAMES)]
Use = Annotated[Text, _one_of("use", USE_LEVELS)]
Measure = Annotated[Text, _one_of("measure", MEASURES)]
Prior = Annotated[Text, AfterValidator(_prior)]
Level = Annotated[float, AfterValidator(check_level)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Part(BaseModel):
    """A table of a protocol; a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Pico(Part):
    """The question, in the parts that reviewers use."""

    text: Text = Field(description="the question in one sentence")
    intervention: Text = Field(description="what is given, as it stands after 'With' in the answers")
    population: Text | None = Field(None, description="the patients")
    comparison: Text | None = Field(None, description="what it is compared with")
    why: Text | None = Field(None, description="why it is asked")


class Eligibility(Part):
    """Which rows of the evidence can answer; every list is a choice of values of that column."""

    agent_class: Texts | None = Field(None, description="classes of agent")
    agent: Texts | None = Field(None, description="agents")
    tumor: Texts | None = Field(None, description="types of tumour")
    tumor_group: Texts | None = Field(None, description="groups of tumours")
    phase: Texts | None = Field(None, description="phases")
    design: Texts | None = Field(None, description="designs")
    year: Annotated[tuple[int, int], Field(description="from, to")] | None = None
    biomarker: Texts | None = Field(None, description="biomarker selection")
    regimen: Texts | None = Field(None, description="monotherapy or combination")
    partners: Texts | None = Field(None, description="kinds of partner")
    contrast: Texts | None = Field(None, description="what a comparison isolates")
    study: Texts | None = Field(None, description="studies")
    risk_of_bias: Texts | None = Field(None, description="risks of bias: low, some, high, unclear, none")
    use: Use = Field("primary", description="primary, or sensitivity to add the rows marked so")

    def criteria(self) -> dict[str, Any]:
        """Return what `pool` takes, `use` apart."""
        given = {name: getattr(self, name) for name in Eligibility.model_fields if name != "use"}
        return {name: value for name, value in given.items() if value is not None}


class Model(Part):
    """How effects are pooled."""

    by: By = Field("tumor", description="what makes a group")
    method: Method = Field("REML", description="estimator of tau2")
    ci: Ci = Field("HK", description="interval of the pooled effect")
    pi: Pi = Field("HK", description="prediction interval")
    model: ModelName | None = Field(None, description="model: random, or of counts glmm, mh, peto, beta-binomial ...")
    prior: Prior | None = Field(None, description="prior of tau")
    level: Level = Field(0.95, description="level of every interval")
    risk_weights: Mapping[str, Annotated[float, Field(gt=0, le=1)]] | None = Field(
        None, description="weights of studies by risk of bias, such as {some = 0.5}: variances are divided by them"
    )

    def options(self) -> dict[str, Any]:
        """Return what `pool` takes; methods that were not written are left to it, since rates have their own."""
        own = {"method", "ci", "pi"} - self.model_fields_set
        return {name: value for name, value in self.model_dump().items() if name not in own}


class Override(Part):
    """A domain of GRADE rated by a person instead of by rule."""

    downgrade: Annotated[int, Field(ge=0, le=3)] = Field(description="levels down, 0 to 3")
    reason: Text = Field(description="why the rule does not fit here")


class Certainty(Part):
    """Domains of GRADE that a person rated."""

    risk_of_bias: Override | None = None
    inconsistency: Override | None = None
    indirectness: Override | None = None
    imprecision: Override | None = None
    publication_bias: Override | None = None


class Outcome(Part):
    """An outcome with its measure, and what makes its answer matter."""

    name: Text = Field(description="an outcome or family of the evidence")
    measure: Measure = Field(description="effect measure")
    importance: Literal["critical", "important", "limited"] = Field("critical", description="to patients")
    relevant: Fraction | None = Field(None, description="least ratio of benefit that patients would notice, or a rate")
    horizon_months: Annotated[float, Field(gt=0)] | None = Field(
        None, description="time at which events are counted for the absolute effect of a hazard ratio"
    )
    certainty: Certainty = Field(default_factory=Certainty, description="domains of GRADE that a person rated")


class Hierarchy(Part):
    """The hierarchical model of classes and tumours."""

    by: Annotated[tuple[Factor, ...], Field(min_length=1)] = Field(FACTORS, description="class, tumor or both")
    outcomes: Texts | None = Field(None, description="outcomes that are modelled; by default every one of the protocol")
    agent_class: Texts | None = Field(None, description="classes of agent; by default those that are eligible")
    every_class: bool = Field(False, description="whether classes that are not eligible lend their strength")
    priors: Mapping[str, Prior] = Field(default_factory=dict, description="priors of standard deviations by component")
    mcmc: bool = Field(False, description="whether PyMC checks the exact engine")


class Variant(Part):
    """A sensitivity analysis: the same question with other options."""

    name: Text = Field(description="what is different, in words")
    eligibility: Mapping[str, Any] = Field(default_factory=dict, description="keys of eligibility that change")
    model: Mapping[str, Any] = Field(default_factory=dict, description="keys of model that change")
    outcomes: Texts | None = Field(None, description="outcomes concerned; by default all")


class RiskQuestion(Part):
    """A pool of associations of a circulating marker with the risk of cancer."""

    cancer: Texts | None = Field(None, description="cancers; by default all, with by = 'cancer'")
    biomarker: Text = Field("igf1", description="marker")
    subgroup: Texts | None = Field(None, description="subgroups in order of preference")
    per: Literal["sd", "quartile", "unit"] = Field("sd", description="what the ratios are per")
    unit: Text | None = Field(None, description="such as 5 nmol/L")
    by: Literal["cancer"] | None = Field(None, description="one group per cancer")
    design: Literal["prospective", "retrospective", "genetic", "observational"] | None = Field(
        None, description="design"
    )
    use: Use = Field("primary", description="primary or sensitivity")
    compare: bool = Field(False, description="whether published pools stand beside ours")


class DoseQuestion(Part):
    """A dose-response curve."""

    cancer: Text = Field(description="cancer")
    biomarker: Text = Field("igf1", description="marker")
    subgroup: Text | None = Field(None, description="subgroup")
    curve: Annotated[Text, _one_of("curve", tuple(CURVES))] = Field("linear", description="shape")
    stages: Literal["two", "one"] = Field("two", description="stages")
    dose_scale: Literal["reported", "sd", "equal-groups"] = Field("reported", description="scale of the dose")


class TriangulationQuestion(Part):
    """The effects of trials by type of tumour against the risk that a marker means for the same cancers."""

    outcome: Text = Field("os", description="outcome or family of the trials")
    measure: Measure | None = Field(None, description="effect measure")
    marker: Text = Field("igf1", description="marker")
    predictor: Literal["prospective", "observational"] = Field("prospective", description="studies of the marker")


class Protocol(Part):
    """A protocol: one question, or others that it includes."""

    title: Text = Field(description="title")
    authors: Texts = Field(description="authors")
    seed: Annotated[int, Field(ge=0)] = Field(1, description="of everything that is random")
    include: Texts = Field((), description="protocols that this one is made of")
    question: Pico | None = Field(None, description="the question")
    eligibility: Eligibility = Field(default_factory=Eligibility, description="what can answer")
    outcome: tuple[Outcome, ...] = Field((), description="outcomes, the first the main one")
    model: Model = Field(default_factory=Model, description="how effects are pooled")
    hierarchy: Hierarchy | None = Field(None, description="hierarchical model")
    subgroups: tuple[By, ...] = Field((), description="further groupings")
    moderators: Texts = Field((), description="columns for meta-regression")
    sensitivity: tuple[Variant, ...] = Field((), description="sensitivity analyses")
    risk: tuple[RiskQuestion, ...] = Field((), description="pools of associations")
    dose: tuple[DoseQuestion, ...] = Field((), description="dose-response curves")
    triangulation: tuple[TriangulationQuestion, ...] = Field((), description="trials against associations")

    @property
    def tables(self) -> tuple[str, ...]:
        """The main tables of the evidence that it reads."""
        wanted = {
            "trials": self.outcome or self.triangulation,
            "associations": self.risk or self.triangulation,
            "dose_response": self.dose,
        }
        return tuple(name for name, asked in wanted.items() if asked)
