"""Influence, small-study effects and sensitivity from Python: of a pool that was made, or of any table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from igfmeta.models.inference import CI_METHODS
from igfmeta.models.prediction import PI_METHODS
from igfmeta.models.registry import TAU2_METHODS
from igfmeta.synthesis.bias import BiasOptions, bias_in, bias_of
from igfmeta.synthesis.bias_results import BiasOf, BiasResult
from igfmeta.synthesis.influence import influence_in, influence_of
from igfmeta.synthesis.influence_results import InfluenceOf, InfluenceResult
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods
from igfmeta.synthesis.results import Answer, PoolResult
from igfmeta.synthesis.sensitivity import sensitivity_in, sensitivity_of
from igfmeta.synthesis.sensitivity_results import SensitivityOf, SensitivityResult
from igfmeta.synthesis.set_methods import methods_of_sets
from igfmeta.synthesis.study_sets import StudySet, set_of_answer, set_of_table, sets_of_pool

if TYPE_CHECKING:
    import pandas as pd


def influence(
    source: PoolResult | pd.DataFrame,
    *,
    cumulative: str | None = None,
    gosh: bool = False,
    subsets: int | None = None,
    seed: int = 1,
    methods: Methods | None = None,
    **named: Any,
) -> InfluenceResult:
    """Return what each study, or cluster of studies, does to its pool.

    Parameters
    ----------
    source : PoolResult or DataFrame
        What `pool` returned; or a table, whose columns are named as of `fit`: `yi="yi", vi="vi", study="author"`.
    cumulative : {"year", "precision", "table"}, optional
        Also pool study after study.
    gosh : bool
        Also pool every subset; above 20 studies a sample of `subsets`, drawn from `seed`.
    methods : Methods, optional
        Estimator of tau2, interval, level; those of the pool by default. Rates that are pooled from their counts heed
        method CE, and ci z or t: what differs from the defaults and nothing heeds is refused.
    **named
        `cluster` of a pool: study, agent, class or tumor. Of a table: the columns, and measure, scale, ci_level,
        zero_cells, study, cluster, year, as of `igfmeta.synthesis.study_sets.set_of_table`.

    Raises
    ------
    InputError
        Columns, options or values that cannot be used.
    NothingToPool
        Fewer than three studies.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"y": [0.1, 0.3, 0.8, 0.2], "v": [0.01, 0.02, 0.05, 0.02]})
    >>> influence(table, yi="y", vi="v").to_frame()["rstudent"].round(3).tolist()
    [-0.985, -0.068, 2.665, -0.419]
    """
    sets, chosen = _asked(source, named, methods)
    return influence_in(
        sets,
        chosen,
        cumulative=cumulative,
        with_gosh=gosh or subsets is not None,
        subsets=subsets,
        seed=seed,
    )


def bias(
    source: PoolResult | pd.DataFrame,
    *,
    methods: Methods | None = None,
    options: BiasOptions | None = None,
    **named: Any,
) -> BiasResult:
    """Return the small-study effects of each pool; `options` says what is asked, `source` and `named` as `influence`.

    A set with fewer than ten studies comes back with `refused`, the reason, unless `options.force`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"y": [0.1, 0.3, 0.8, 0.2], "v": [0.01, 0.02, 0.05, 0.02]})
    >>> found = bias(table, yi="y", vi="v", options=BiasOptions(parts=("tests",), tests=("egger",), force=True))
    >>> round(found.sets[0].tests[0][1].p_value, 3)
    0.036
    """
    options = options or BiasOptions()
    return bias_in(*_asked(source, named, methods, approximated=options.force), options)


def sensitivity(
    source: PoolResult | pd.DataFrame, *, methods: Methods | None = None, variants: dict[str, PoolResult] | None = None,
    **named: Any,
) -> SensitivityResult:  # fmt: skip
    """Return the pooled effect under every choice; `source`, `methods` and `named` as of `influence`.

    `variants` are pools of other selections, such as `{"With sensitivity rows": pool(evidence, use="sensitivity")}`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"y": [0.1, 0.3, 0.8, 0.2], "v": [0.01, 0.02, 0.05, 0.02]})
    >>> len(sensitivity(table, yi="y", vi="v").sets[0].choices)
    26
    """
    others = {words: sets_of_pool(other) for words, other in (variants or {}).items()}
    return sensitivity_in(*_asked(source, named, methods, approximated=True), variants=others)


@dataclass(frozen=True, eq=False)
class Checks:
    """What a report says beside a pool; None where there are too few studies.

    Attributes
    ----------
    influence : InfluenceOf or None
        With the pool by year of the studies, where every year is known.
    bias : BiasOf
        `refused` where there are fewer than ten studies.
    sensitivity : SensitivityOf or None
    """

    influence: InfluenceOf | None
    bias: BiasOf
    sensitivity: SensitivityOf | None


def checks_of(answer: Answer, *, origin: str) -> Checks:
    """Return influence, small-study effects and sensitivity of everything that an answer pools, with its methods.

    Examples
    --------
    >>> import igfmeta as im
    >>> result = im.pool(im.load_evidence(), agent_class="antibody", outcome="os")
    >>> found = checks_of(result["os"], origin=result.origin)
    >>> len(found.influence.units), found.bias.refused is not None
    (8, True)
    """
    studies, methods = set_of_answer(answer, origin=origin), _of_fit(answer)
    by_year = "year" if not np.isnan(studies.years).any() else None
    return Checks(
        influence=influence_of(studies, methods, cumulative=by_year) if studies.k > 2 else None,
        bias=bias_of(studies, methods, BiasOptions(parts=("tests", "adjusted", "selection", "significance"))),
        sensitivity=sensitivity_of(studies, methods, {}) if studies.k > 1 else None,
    )


def _asked(
    source: Any, named: dict[str, Any], methods: Methods | None, *, approximated: bool = False
) -> tuple[Sequence[StudySet], Methods]:
    """Return the sets and their methods: those of the pool, or those given, which are refused if nothing heeds them."""
    sets = _sets(source, named)
    if methods is None:
        return sets, _methods_of(source)
    defaults = Methods()
    differing = {name: getattr(methods, name) for name in ("method", "ci", "pi")
                 if getattr(methods, name) != getattr(defaults, name)}  # fmt: skip
    return methods_of_sets(sets, level=methods.level, approximated=approximated, **differing)[0], methods


def _sets(source: Any, named: dict[str, Any]) -> Sequence[StudySet]:
    if isinstance(source, PoolResult):
        return sets_of_pool(source, **named)
    roles = {field.name for field in fields(Columns)} & set(named)
    columns = Columns(**{role: named[role] for role in roles})
    return (set_of_table(source, columns, **{name: value for name, value in named.items() if name not in roles}),)


def _methods_of(source: Any) -> Methods:
    """Return the methods that a pool of normal effects was made with; the defaults for all else."""
    if not isinstance(source, PoolResult):
        return Methods()
    found = [(answer.overall.fit, _of_fit(answer)) for answer in source]
    return next((methods for fit, methods in found if methods.method == fit.method), found[0][1])


def _of_fit(answer: Answer) -> Methods:
    """Return the methods of a pool of normal effects; of one of counts what normal effects share, at its level."""
    fit = answer.overall.fit
    if fit.method in TAU2_METHODS and fit.ci in CI_METHODS and fit.pi in PI_METHODS:
        return Methods(method=fit.method, ci=fit.ci, pi=fit.pi, level=fit.level)
    of_rates = answer.question.counted and answer.question.model == "glmm"
    shared = fit.ci if of_rates and fit.ci in CI_METHODS else Methods().ci
    return Methods(method="CE" if fit.method == "CE" else Methods().method, ci=shared, level=fit.level)
