"""Binomial counts in PyMC models, their likelihood to a power where a study counts for less; counts drawn anew."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from igfmeta.numerics import Floats


def observed_counts(
    pm: Any, name: str, events: Floats, n: Floats, logits: Any, share: Floats, dims: str | None = None
) -> None:
    """Add counts to the PyMC model whose context is open: binomial(n, expit(logits)) to the power `share`.

    Where a share is below 1, replications are still those of n patients.
    """
    given = {"observed": events.astype(int), "dims": dims}
    patients = n.astype(int)
    if np.all(share == 1):
        pm.Binomial(name, n=patients, logit_p=logits, **given)
        return

    def counts(n: Any, logits: Any, size: Any) -> Any:
        return pm.Binomial.dist(n=n, logit_p=logits, size=size)

    def to_the_power(value: Any, n: Any, logits: Any) -> Any:
        return share * pm.logp(pm.Binomial.dist(n=n, logit_p=logits), value)

    pm.CustomDist(name, patients, logits, dist=counts, logp=to_the_power, dtype="int64", **given)


def log_binomial(events: Any, n: Any, logits: Floats) -> Floats:
    """Return the log binomial probability of events at given logits."""
    constant = special.gammaln(n + 1) - special.gammaln(events + 1) - special.gammaln(n - events + 1)
    return np.asarray(constant + events * logits - n * np.logaddexp(0, logits))


def replicated(rng: np.random.Generator, n: Floats, logits: Floats) -> Floats:
    """Return events of n patients drawn anew at given logits."""
    return np.asarray(rng.binomial(n.astype(int), special.expit(logits)))
