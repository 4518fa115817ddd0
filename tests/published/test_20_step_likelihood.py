"""Passive smoking and practice facilitation: the likelihood of step functions at the estimates of metafor."""

from __future__ import annotations

import numpy as np
import pytest

from igfmeta.bayes.biased import Data
from igfmeta.bayes.publication_bias import Steps
from igfmeta.bayes.step_members import StepLikelihood

CASE = "20_selection_models"


@pytest.mark.parametrize(
    ("figure", "cuts"),
    [
        ("hackshaw_3PSM_025_greater", (0.025,)),
        ("hackshaw_step_05_1tail", (0.05,)),
        ("hackshaw_fixed_weights", (0.025, 0.5)),
        ("baskerville_step_05", (0.05,)),
    ],
)
def test_the_likelihood_at_the_estimates(case, figure, cuts):
    rows = case.data[case.data["set"] == figure.split("_")[0]]
    data = Data(rows["yi"].to_numpy(), rows["vi"].to_numpy(), 1.0)
    found = case.values[figure]
    likelihood = StepLikelihood(data, Steps(cuts))
    omega = np.array([found["delta"]])
    ours = likelihood.log_likelihood(np.array([found["est"]]), np.array([found["tau2"] ** 0.5]), omega)
    assert ours[0, 0] == pytest.approx(found["logLik"], rel=1e-10)
