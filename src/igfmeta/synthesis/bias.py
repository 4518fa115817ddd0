"""Small-study effects in a pool: tests of asymmetry, adjusted effects, selection models, significance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from igfmeta.errors import IgfmetaError, NothingToPool, check_choice
from igfmeta.models.bias.adjusted import Adjusted
from igfmeta.models.bias.copas import Copas, copas
from igfmeta.models.bias.excess import ALTERNATIVES, Excess, excess_significance
from igfmeta.models.bias.failsafe import FailSafe, check_target, fail_safe
from igfmeta.models.bias.funnel import Asymmetry, Funnel, funnel
from igfmeta.models.bias.limit import LimitMeta, limit_meta
from igfmeta.models.bias.p_curve import p_curve
from igfmeta.models.bias.pet_peese import peese, pet, pet_peese
from igfmeta.models.bias.registry import FEWEST, RATE_TESTS, TEST_NAMES, TESTS, missing, run_test
from igfmeta.models.bias.selection.model import (
    PRECISIONS,
    SelectionModel,
    checked_steps,
    checked_weights,
    selection_model,
)  # fmt: skip
from igfmeta.models.bias.selection.registry import SELECTION_NAMES, WEIGHTS
from igfmeta.models.bias.trim_and_fill import ESTIMATORS, SIDES, TrimAndFill, trim_and_fill
from igfmeta.models.bias.waap import waap
from igfmeta.models.pooling import pool_one
from igfmeta.models.results import Pooled
from igfmeta.synthesis.bias_results import BiasOf, BiasResult
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.pool_models import PROPORTIONS
from igfmeta.synthesis.rate_pools import rate_fits
from igfmeta.synthesis.study_sets import StudySet

#: What there is to say of regressions on the standard error of a rate, and who said it.
SE_OF_A_RATE = "The standard error of a rate depends on the rate itself"
HUNTER = "Hunter et al. 2014, J Clin Epidemiol 67:897"

PARTS = ("tests", "adjusted", "selection", "copas", "significance")


@dataclass(frozen=True)
class BiasOptions:
    """What is asked of a funnel.

    Attributes
    ----------
    parts : tuple of str
        Of `PARTS`.
    tests : tuple of str or None
        Of the registry; None means all for which the studies have the data, the others being named.
    selection : tuple of str
        Selection models.
    steps, weights : tuple of float
        Cut points of the step function; its weights, where they are given and not estimated.
    alternative : {"auto", "greater", "less", "two-sided"}
        Which effects make small p-values; "auto": those that favour the experimental arm, or the side of the pool.
    precision : {"none", "sei", "vi"}
        Whether selection weakens with precision.
    side : {"left", "right"} or None
        Where trim and fill looks for missing studies.
    target : float or None
        Orwin's negligible effect, on the analysis scale.
    force : bool
        Also what is not advised: with fewer than ten studies, and for rates what rests on their standard errors.
    """

    parts: tuple[str, ...] = PARTS
    tests: tuple[str, ...] | None = None
    selection: tuple[str, ...] = SELECTION_NAMES
    steps: tuple[float, ...] = (0.025,)
    weights: tuple[float, ...] | None = None
    alternative: str = "auto"
    precision: str = "none"
    side: str | None = None
    target: float | None = None
    force: bool = False

    def checked(self) -> BiasOptions:
        """Return the options with every name as it is spelled in the registries."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["parts"] = tuple(check_choice("show", name, PARTS) for name in self.parts)
        if self.tests is not None:
            values["tests"] = tuple(check_choice("test", name, TEST_NAMES) for name in self.tests)
        values["selection"] = tuple(check_choice("selection", name, SELECTION_NAMES) for name in self.selection)
        values["alternative"] = check_choice("alternative", self.alternative, ("auto", *ALTERNATIVES))
        values["precision"] = check_choice("precision", self.precision, PRECISIONS)
        if self.side is not None:
            values["side"] = check_choice("side", self.side, SIDES)
        check_target(self.target)
        checked_weights(self.weights, "step", len(checked_steps(self.steps)) + 1)
        return BiasOptions(**values)


def bias_in(sets: Sequence[StudySet], methods: Methods, options: BiasOptions) -> BiasResult:
    """Return the small-study effects of each set; sets that are too small are named.

    Raises
    ------
    InputError
        Options that are not accepted.
    """
    options = options.checked()
    return BiasResult(tuple(bias_of(each, methods, options) for each in sets), methods)


def refuse_if_all_are_small(result: BiasResult) -> None:
    """Raise `NothingToPool` where no set has been tested."""
    reasons = [each.refused for each in result.sets]
    if all(reason is not None for reason in reasons):
        raise NothingToPool("\n".join(str(reason) for reason in reasons))


def funnel_of(studies: StudySet) -> Funnel:
    """Return the funnel of a set of studies."""
    rates = np.column_stack(studies.rates) if studies.counted else None
    return funnel(
        studies.yi, studies.vi, counts=studies.counts, sizes=studies.sizes, events=studies.events, rates=rates
    )


def why_too_few(studies: StudySet, force: bool) -> str | None:
    """Return why the tests are not run, if they are not."""
    word = "study" if studies.k == 1 else "studies"
    if studies.k < 3:
        return f"{studies.label}: {studies.k} {word}; a funnel takes 3 at least."
    if studies.k < FEWEST and not force:
        return (
            f"{studies.label}: {studies.k} {word}. Under {FEWEST} small-study effects cannot be told from chance, and "
            "tests of them are not advised (Sterne et al. 2011, BMJ 343:d4002). --force runs them all the same."
        )
    return None


def bias_of(studies: StudySet, methods: Methods, options: BiasOptions) -> BiasOf:
    """Return the small-study effects of one set."""
    logits = pool_one(studies.yi, studies.vi, **{**methods.frequentist(), "tau2_ci": "none"})
    fit = _of_counts(studies, methods) if studies.counted else logits
    alternative, why = _alternative(studies, fit, options.alternative)
    refused = why_too_few(studies, options.force)
    if refused is not None:
        return BiasOf(studies, fit, alternative, refused=refused, notes=())
    data = funnel_of(studies)
    found = _Findings(studies, data, methods, options, alternative)
    return BiasOf(
        studies,
        fit,
        alternative,
        logits=logits if studies.counted and options.force else None,
        tests=found.tests() if "tests" in options.parts else (),
        trim_and_fill=found.trim_and_fill() if found.adjusts else (),
        adjusted=found.adjusted() if found.adjusts else (),
        limit=found.limit() if found.adjusts else None,
        selection=found.selection() if "selection" in options.parts and found.has_null else (),
        copas=found.copas() if "copas" in options.parts and found.by_se else None,
        excess=found.excess() if "significance" in options.parts and found.has_null else None,
        p_curve=p_curve(data) if "significance" in options.parts and found.has_null else None,
        fail_safe=found.fail_safe() if "significance" in options.parts and found.has_null else None,
        not_run=tuple(found.not_run),
        hints=found.hints(),
        notes=(*found.notes(), *((why,) if why and studies.has_null else ())),
    )


def _of_counts(studies: StudySet, methods: Methods) -> Pooled:
    """Return the pool of rates as `pool` makes it."""
    everyone = np.ones((1, studies.k), dtype=bool)
    return rate_fits(*studies.rates, everyone, level=methods.level, common=methods.common, ci=methods.rate_ci)[0]


def _alternative(studies: StudySet, fit: Pooled, asked: str) -> tuple[str, str | None]:
    """Return the direction of small p-values, and a sentence where it was chosen here."""
    if asked != "auto":
        return asked, None
    if studies.favoured is not None:
        return studies.favoured, "One-sided p-values are small where the effect favours the experimental arm."
    side = "greater" if fit.estimate >= 0 else "less"
    return side, f"One-sided p-values are small for effects on the side of the pool ({side}); --alternative changes it."


class _Findings:
    """Runs each part and keeps, in words, what had no answer and why."""

    def __init__(
        self, studies: StudySet, data: Funnel, methods: Methods, options: BiasOptions, alternative: str
    ) -> None:
        self.studies, self.data, self.methods, self.options = studies, data, methods, options
        self.alternative = alternative
        self.has_null = studies.has_null
        #: Whether what rests on the standard errors of the effects is given; of rates only where it is asked for.
        self.by_se = options.force or not studies.counted
        self.adjusts = "adjusted" in options.parts and self.by_se
        self.not_run: list[str] = []

    def _try[T](self, name: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except IgfmetaError as error:
            self.not_run.append(f"{name}: {error}")
            return None

    def tests(self) -> tuple[tuple[str, Asymmetry], ...]:
        if self.options.tests is not None:
            return tuple((name, run_test(name, self.data)) for name in self.options.tests)
        # Of rates those by the likelihood of their counts, of all other effects all others.
        others = [name for name in TEST_NAMES if name not in RATE_TESTS]
        own = [*(RATE_TESTS if self.studies.counted else ()), *others]
        lacking: dict[str, list[str]] = {}
        if self.by_se:
            for name in own:
                if needs := missing(name, self.data):
                    lacking.setdefault(" and ".join(needs), []).append(name)
        else:
            own = list(RATE_TESTS)
        self.not_run += [f"Not run without the {needs} of every study: {', '.join(n)}." for needs, n in lacking.items()]
        possible = [name for name in own if not missing(name, self.data)]
        found = [(name, self._try(TESTS[name].label, lambda name=name: run_test(name, self.data)))  # type: ignore[misc]
                 for name in possible]  # fmt: skip
        return tuple((name, result) for name, result in found if result is not None)

    def trim_and_fill(self) -> tuple[TrimAndFill, ...]:
        pooled = self.methods.frequentist()
        found = [
            self._try(
                f"Trim and fill {name}",
                lambda name=name: trim_and_fill(  # type: ignore[misc]
                    self.data, estimator=name, side=self.options.side, **pooled
                ),
            )
            for name in ESTIMATORS
        ]
        return tuple(result for result in found if result is not None)

    def adjusted(self) -> tuple[tuple[str, Adjusted], ...]:
        level = self.methods.level
        kinds: dict[str, Callable[..., Adjusted]] = {"PET": pet, "PEESE": peese}
        if self.has_null:
            kinds |= {"PET-PEESE": pet_peese, "WAAP": waap}
        found = [(name, self._try(name, lambda work=work: work(self.data, level=level)))  # type: ignore[misc]
                 for name, work in kinds.items()]  # fmt: skip
        return tuple((name, result) for name, result in found if result is not None)

    def limit(self) -> LimitMeta | None:
        options = {"method": self.methods.method, "level": self.methods.level}
        return self._try("Limit meta-analysis", lambda: limit_meta(self.data, **options))  # type: ignore[arg-type]

    def selection(self) -> tuple[SelectionModel, ...]:
        options = self.options
        found = []
        for kind in options.selection:
            takes = kind != "step" and WEIGHTS[kind].takes_precision
            own: dict[str, Any] = {"precision": options.precision if takes else "none"}
            if kind == "step":
                own |= {"steps": options.steps, "weights": options.weights}
            label = "Step function" if kind == "step" else f"Weights {WEIGHTS[kind].label}"
            found.append(
                self._try(
                    label,
                    lambda kind=kind, own=own: selection_model(  # type: ignore[misc]
                        self.data, kind, alternative=self.alternative, level=self.methods.level, **own
                    ),
                )
            )
        return tuple(result for result in found if result is not None)

    def copas(self) -> Copas | None:
        return self._try("Copas", lambda: copas(self.data, level=self.methods.level))

    def excess(self) -> Excess | None:
        return self._try("Excess significance", lambda: excess_significance(self.data))

    def fail_safe(self) -> FailSafe | None:
        return self._try("Fail-safe N", lambda: fail_safe(self.data, target=self.options.target))

    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.data.k < FEWEST:
            notes.append(f"Only {self.data.k} studies: tests of asymmetry have hardly any power (--force was given).")
        if self.studies.counted:
            if self.studies.rates[1].max() < 4 * self.studies.rates[1].min():
                notes.append(
                    "The largest study has less than four times the patients of the smallest: little to compare."
                )
        elif self.data.vi.max() < 4 * self.data.vi.min():
            notes.append(
                "The largest standard error is less than twice the smallest: there are hardly any small and large "
                "studies to compare."
            )
        if self.studies.counted:
            notes += self._of_rates()
        elif self.studies.measure in ("PLN", "PR"):
            notes.append(f"{SE_OF_A_RATE}: trust regressions on the number of patients ({HUNTER}).")
        elif self.studies.measure in ("OR", "RR", "RD", "PETO"):
            notes.append(
                "Effects made of counts go with their standard errors, so that Egger's tests reject too often; trust "
                "Harbord's, Peters' or Schwarzer's (Sterne et al. 2011)."
            )
        if self.studies.measure in PROPORTIONS:
            notes += self._without_weight()
        if not self.has_null:
            notes.append("A rate has no value of no effect: nothing here that rests on significance is given.")
        return (*notes, *self.studies.remarks())

    def _of_rates(self) -> list[str]:
        """Return what stands with rates: what is not given and why, or what to think of it where it is."""
        notes = []
        if self.by_se or self.options.tests is not None:
            notes.append(
                f"{SE_OF_A_RATE}: whatever rests on it finds asymmetry where there is none ({HUNTER}); trust "
                f"{' and '.join(RATE_TESTS)}."
            )
        else:
            notes.append(
                f"{SE_OF_A_RATE}. Tests that rest on it (Egger's, Begg's) find asymmetry where there is none, and are "
                f"not given ({HUNTER})."
            )
        if not self.by_se and {"adjusted", "copas"} & set(self.options.parts):
            notes.append("Trim and fill, PET, PEESE, limit meta-analysis and Copas rest on it too, and are not given.")
        return notes

    def hints(self) -> tuple[str, ...]:
        """Return how what was not given may be had."""
        if self.by_se or self.options.tests is not None:
            return ()
        return ("--test NAME runs one of them all the same, --force everything, on logits with 1/2 added to zeros.",)

    def _without_weight(self) -> list[str]:
        """Return how many studies two tests leave out: their weights e (n - e)/n are 0 at either end."""
        events, n = self.studies.rates
        ends = int(((events == 0) | (events == n)).sum())
        run = {"peters", "macaskill-fpv"} & set(self.options.tests or (TEST_NAMES if self.by_se else ()))
        if not ends or not run or "tests" not in self.options.parts:
            return []
        return [
            f"Peters' test and Macaskill's FPV give no weight to the {ends} studies in which nobody, or everybody, "
            "responded."
        ]
