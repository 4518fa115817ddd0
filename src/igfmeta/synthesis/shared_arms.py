"""Covariances that shared control arms make among the effects of rows of the evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from igfmeta.effects.shared_control import shared_covariance
from igfmeta.numerics import Floats
from igfmeta.synthesis.rows_to_effects import RowEffect


def control_covariance(effects: Sequence[RowEffect], outcome: Sequence[str], measure: str) -> Floats:
    """Return the covariance matrix of effects, those of one outcome correlated by the control arm that they share.

    Parameters
    ----------
    effects : sequence of RowEffect
    outcome : sequence of str
        Of each effect; between outcomes the matrix holds 0.
    measure : str
    """
    v = np.zeros((len(effects), len(effects)))
    for name in dict.fromkeys(outcome):
        at = [i for i, each in enumerate(outcome) if each == name]
        own = [effects[i] for i in at]
        keys = ("study_id", "shared_control", "tumor_type", "tumor_subtype")
        groups = ["/".join(str(e.row[key]) for key in keys) if e.row["shared_control"] else "" for e in own]
        v[np.ix_(at, at)] = shared_covariance(
            [e.vi for e in own], groups, measure=measure, events_ctl=[e.counts[2] for e in own],
            n_ctl=[e.counts[3] for e in own],
        )[0]  # fmt: skip
    return v
