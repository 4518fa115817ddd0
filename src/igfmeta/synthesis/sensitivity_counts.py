"""Models of the counts of two arms, where a set of studies has them: Mantel-Haenszel, Peto, exact mixed models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from igfmeta.effects.two_arm import two_arm
from igfmeta.models import mantel_haenszel as mh
from igfmeta.models.batch import prepare
from igfmeta.models.glmm import glmm_one
from igfmeta.models.pooling import pool_one
from igfmeta.models.results import Pooled
from igfmeta.models.weighted import typical_variance
from igfmeta.numerics import Floats
from igfmeta.synthesis.study_sets import StudySet

_MANTEL_HAENSZEL = ("OR", "RR", "RD")


def count_models(studies: StudySet, level: float) -> dict[str, Callable[[], Pooled]]:
    """Return, by name, what fits the models of counts that the measure has; empty without counts."""
    counts, measure = studies.counts, studies.measure
    if measure not in (*_MANTEL_HAENSZEL, "PETO") or not np.isfinite(counts).all():
        return {}
    models: dict[str, Callable[[], Pooled]] = {}
    if measure in _MANTEL_HAENSZEL:
        models[f"Mantel-Haenszel {measure}, common effect"] = lambda: _mantel_haenszel(studies, level)
    if measure in ("OR", "PETO"):
        models["Peto, common effect"] = lambda: _peto(studies, level)
        models["Exact conditional mixed model (CM.EL)"] = lambda: _exact(studies, level)
    return models


def _counts(studies: StudySet) -> dict[str, Floats]:
    return dict(zip(("events1", "n1", "events2", "n2"), studies.counts.T, strict=True))


def _mantel_haenszel(studies: StudySet, level: float) -> Pooled:
    everything = np.ones((1, studies.k), dtype=bool)
    fits = mh.fits(studies.measure, _counts(studies), everything, yi=studies.yi, vi=studies.vi, level=level)
    return fits[0].required()


def _peto(studies: StudySet, level: float) -> Pooled:
    effects = two_arm(*studies.counts.T, measure="PETO")
    keep = effects.usable
    return pool_one(effects.yi[keep], effects.vi[keep], method="CE", ci="z", level=level, tau2_ci="none")


def _exact(studies: StudySet, level: float) -> Pooled:
    return glmm_one("OR", "CM.EL", _counts(studies), typical=_typical(studies), level=level).fit


def _typical(studies: StudySet) -> float:
    batch = prepare(studies.yi, studies.vi)
    return float((batch.scale * typical_variance(batch))[0])
