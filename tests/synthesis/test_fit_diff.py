"""What bundles hold beside pools is compared too: each number is that of the fit."""

from __future__ import annotations

import json

import pytest

import igfmeta as im
from igfmeta.report.bundle import _sound
from igfmeta.synthesis.effect_diff import EffectChange
from igfmeta.synthesis.fit_diff import effects_of_fit


@pytest.fixture(scope="module")
def evidence():
    return im.load_evidence()


def _read(result):
    """Return the effects of a fit as they are read from its JSON, and sound."""
    found = effects_of_fit(json.loads(json.dumps(result.to_dict(), allow_nan=False)))
    return [_sound(effect) for effect in found.values()]


def test_every_cell_of_a_hierarchy_is_an_effect(evidence):
    model = im.hierarchy(evidence, outcome="os", by="class")
    found = _read(model)
    assert len(found) == len(model.cells) + len(model.averages)
    for cell, effect in zip((*model.cells, *model.averages), found, strict=True):
        assert (effect.group, effect.k, effect.null) == (f"{cell.agent_class}, {cell.tumor}", cell.k, 1.0)
        assert (effect.posterior_median, effect.posterior_lower) == (cell.median, cell.ci_lower)
        assert (effect.pi_upper, effect.probability) == (cell.pi_upper, cell.p_benefit)
        assert effect.estimate is None
    less = im.hierarchy(evidence, outcome="os", by="class", risk_weights={"some": 0.5})
    changes = [EffectChange(a, b) for a, b in zip(found, _read(less), strict=True)]
    assert not all(change.same for change in changes)
    assert all(EffectChange(a, a).same for a in found)


def test_rates_of_a_hierarchy_have_no_null(evidence):
    found = _read(im.hierarchy(evidence, outcome="orr", by="class"))
    assert {effect.null for effect in found} == {None}
    assert {effect.probability for effect in found} == {None}


def test_a_curve_is_compared_dose_by_dose(evidence):
    curve = im.dose_response(evidence, cancer="prostate", biomarker="igf1", dose_scale="sd")
    found = _read(curve)
    assert [effect.estimate for effect in found] == curve.at.rr.tolist()
    assert {effect.k for effect in found} == {curve.fit.k}
    assert len({effect.group for effect in found}) == len(found)


def test_the_slope_of_a_triangulation_is_an_effect(evidence):
    line = im.triangulate(evidence, outcome="os")
    found = _read(line)
    assert [effect.group for effect in found] == [each.label for each in line.predictors]
    first = line.predictors[0]
    assert found[0].null == 0.0
    assert found[0].k == len(first.units)
    assert found[0].estimate == (None if first.line is None else first.line.slope)
    assert found[0].posterior_median == (None if first.posterior is None else first.posterior.quantile(0.5))


def test_other_fits_have_none(evidence):
    assert effects_of_fit({"coefficients": []}) == {}
    assert len(effects_of_fit(im.pool(evidence, outcome="os", by="none")["os"].to_dict())) == 1
