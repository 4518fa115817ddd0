"""`fit --model random`: inverse variance, with the options by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from igfmeta.synthesis.fitting import FitResult, fit
from igfmeta.synthesis.inputs import Columns
from igfmeta.synthesis.methods import Methods

if TYPE_CHECKING:
    import pandas as pd


def fit_random(
    table: pd.DataFrame,
    columns: Columns,
    *,
    measure: str | None = None,
    scale: str | None = None,
    ci_level: float = 0.95,
    zero_cells: str = "only0",
    method: str = "REML",
    ci: str = "HK",
    pi: str = "HK",
    tau2_ci: str = "QP",
    level: float = 0.95,
    study: str | None = None,
    subgroup: str | None = None,
    subgroup_tau2: str = "separate",
    bayes: bool = False,
    prior: str | None = None,
    leave_one_out: bool = False,
    cumulative: bool = False,
) -> FitResult:
    """Pool by inverse variance: `igfmeta.synthesis.fitting.fit` with its methods by name; a prior asks for Bayes."""
    return fit(
        table,
        columns,
        measure=measure,
        scale=scale,
        ci_level=ci_level,
        zero_cells=zero_cells,
        study=study,
        subgroup=subgroup,
        subgroup_tau2=subgroup_tau2,
        leave_one_out=leave_one_out,
        cumulative=cumulative,
        bayes=bayes or prior is not None,
        prior=prior,
        methods=Methods(method=method, ci=ci, pi=pi, tau2_ci=tau2_ci, level=level),
    )
