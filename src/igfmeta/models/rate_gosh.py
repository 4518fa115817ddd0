"""GOSH for rates of single arms: every subset, or a sample of the subsets, pooled by the binomial model."""

from __future__ import annotations

import numpy as np

from igfmeta.models.count_fits import CountStudies
from igfmeta.models.glmm import of_likelihood
from igfmeta.models.gosh import Gosh, all_subsets, sample_of_subsets, unpacked
from igfmeta.models.mixed_likelihood import maximize
from igfmeta.numerics import Floats, Mask

#: All subsets up to this many studies, and the size of a sample above: each subset is a maximum-likelihood fit.
MOST_STUDIES, SAMPLE = 10, 1_000

#: Studies of subsets that are fitted at once.
CHUNK = 4_000


def rate_gosh(
    studies: CountStudies,
    *,
    common: bool = False,
    subsets: int | None = None,
    rng: np.random.Generator | None = None,
) -> Gosh:
    """Pool every subset of two arms and more by the logit-normal model of the counts; see `igfmeta.models.gosh`.

    Parameters
    ----------
    studies : CountStudies
        Of measure PLO.
    common : bool
        Hold tau2 at 0.
    subsets : int, optional
        Size of a random sample; by default all subsets where k <= 10, and a sample of 1,000 above.
    rng : Generator, optional
        Draws the sample; required for one.

    Returns
    -------
    Gosh
        The estimate is infinite, tau2 and I2 are NaN, where nobody in a subset responded, or everybody.

    Examples
    --------
    >>> counts = {"events": np.array([0.0, 3.0, 0.0]), "n": np.array([24.0, 20.0, 31.0])}
    >>> found = rate_gosh(CountStudies("PLO", counts, np.array([-3.9, -1.7, -4.1]), np.array([2.0, 0.4, 2.0])))
    >>> found.estimate.round(3).tolist()
    [-3.308, -inf, -3.037, -4.492]
    """
    events, n = studies.counts["events"], studies.counts["n"]
    exhaustive = subsets is None and studies.k <= MOST_STUDIES
    members = (
        all_subsets(studies.k)
        if exhaustive
        else sample_of_subsets(studies.k, SAMPLE if subsets is None else subsets, rng)
    )
    mask = unpacked(members, studies.k)
    responses, patients = mask @ events, mask @ n
    with np.errstate(divide="ignore"):
        estimate = np.log(responses) - np.log(patients - responses)  # infinite where it stays so
    tau2 = np.full(len(mask), np.nan)
    inside = np.flatnonzero((responses > 0) & (responses < patients))
    step = max(1, CHUNK // studies.k)
    for start in range(0, len(inside), step):
        rows = inside[start : start + step]
        estimate[rows], tau2[rows] = _fits(studies, mask[rows], common)
    typical = np.full(len(mask), np.nan)
    typical[inside] = studies.typical(mask[inside])
    size = mask.sum(axis=1).astype(np.int16)
    return Gosh(members, size, estimate, tau2, 100 * tau2 / (tau2 + typical), exhaustive, "CE" if common else "ML",
                "numpy")  # fmt: skip


def _fits(studies: CountStudies, mask: Mask, common: bool) -> tuple[Floats, Floats]:
    data, start = of_likelihood("PLO", "logit-normal", studies.counts, mask)
    found = maximize(data, start, level=0.95, common=common, profile=False)
    return found.theta, found.tau2
