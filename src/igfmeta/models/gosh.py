"""GOSH: the pool of every subset of the studies, or of a seeded sample of the subsets where they are too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igfmeta.datasets import checked
from igfmeta.errors import InputError, check_choice, listed
from igfmeta.models import heterogeneity
from igfmeta.models.batch import Batch, prepare
from igfmeta.models.registry import ESTIMATORS, TAU2_METHODS
from igfmeta.models.weighted import typical_variance, weigh_at
from igfmeta.numerics import Floats, Mask

#: All subsets up to this many studies: 2^20 of them.
MOST_STUDIES = 20

#: A sample holds so many subsets by default.
SAMPLE = 100_000

#: Subsets fitted at once by the NumPy kernel.
CHUNK = 20_000

Engine = Literal["auto", "numpy", "compiled"]
ENGINES = ("auto", "numpy", "compiled")

#: Estimators that are compiled.
COMPILED = ("REML", "DL", "CE")

#: From so many subsets on, loading the compiled kernel costs less than it saves.
WORTH_COMPILING = 100_000


@dataclass(frozen=True, eq=False)
class Gosh:
    """Pools of subsets.

    Attributes
    ----------
    members : ndarray of uint8, shape (subsets, bytes)
        Which studies a subset holds, as packed bits (`member` unpacks one study).
    k, estimate, tau2, i2 : ndarray of shape (subsets,)
        Number of studies; pooled effect on the analysis scale; between-study variance; I2 in percent (from tau2; for
        the common-effect model from Q).
    exhaustive : bool
        All subsets of two studies and more, rather than a sample.
    method : str
    engine : str
        "numpy" or "compiled".
    """

    members: NDArray[np.uint8]
    k: NDArray[np.int16]
    estimate: Floats
    tau2: Floats
    i2: Floats
    exhaustive: bool
    method: str
    engine: str

    def __len__(self) -> int:
        return len(self.estimate)

    def member(self, study: int) -> Mask:
        """Return which subsets hold a study."""
        return np.asarray((self.members[:, study // 8] >> (7 - study % 8)) & 1 == 1)


def gosh(
    yi: Any,
    vi: Any,
    *,
    method: str = "REML",
    subsets: int | None = None,
    rng: np.random.Generator | None = None,
    engine: Engine = "auto",
) -> Gosh:
    """Pool every subset of two studies and more (Olkin, Dahabreh & Trikalinos 2012, Res Synth Methods 3:214).

    Parameters
    ----------
    yi, vi : array_like of shape (k,)
    method : str
        Estimator of tau2.
    subsets : int, optional
        Size of a random sample of subsets, each study in or out by a fair coin; by default all subsets where
        k <= 20, and a sample of 100,000 above.
    rng : Generator, optional
        Draws the sample; required for one.
    engine : {"auto", "numpy", "compiled"}
        The compiled kernel does REML, DL and CE; "auto" takes it for many subsets, where it wins.

    Raises
    ------
    InputError
        Values or options that cannot be used; fewer than three studies.

    Examples
    --------
    >>> found = gosh([0.1, 0.3, 0.8], [0.01, 0.02, 0.05], method="CE")
    >>> len(found), found.estimate.round(4).tolist()
    (4, [0.4429, 0.2167, 0.1667, 0.2412])
    """
    y, v, _ = checked(yi, vi)
    k = y.shape[1]
    method = check_choice("method", method, TAU2_METHODS)
    engine = check_choice("engine", engine, ENGINES)  # type: ignore[assignment]
    if len(y) != 1 or k < 3:
        raise InputError(f"GOSH takes one data set of 3 studies or more; this has shape {np.shape(yi)}.")
    if engine == "compiled" and method not in COMPILED:
        raise InputError(f"engine was 'compiled' with method {method!r}; the compiled kernel does {listed(COMPILED)}.")
    exhaustive = subsets is None and k <= MOST_STUDIES
    members = all_subsets(k) if exhaustive else sample_of_subsets(k, SAMPLE if subsets is None else subsets, rng)
    compiled = engine == "compiled" or (
        engine == "auto" and method in COMPILED and len(members) >= WORTH_COMPILING
    )  # fmt: skip
    size = np.bitwise_count(members).sum(axis=1).astype(np.int16)
    estimate, tau2, i2 = (np.empty(len(members)) for _ in range(3))
    if compiled:
        from igfmeta.models.gosh_compiled import KINDS, pool_subsets

        whole = prepare(y, v)
        pool_subsets(whole.yi[0], whole.vi[0], members, KINDS[method], estimate, tau2, i2)
        estimate = whole.centre[0] + np.sqrt(whole.scale[0]) * estimate
        tau2 = whole.scale[0] * tau2
    else:
        for rows in _chunks(len(members)):
            estimate[rows], tau2[rows], i2[rows] = _pooled(y, v, unpacked(members[rows], k), method)
    return Gosh(members, size, estimate, tau2, i2, exhaustive, method, "compiled" if compiled else "numpy")


def _chunks(n: int) -> Iterator[slice]:
    yield from (slice(start, start + CHUNK) for start in range(0, n, CHUNK))


def unpacked(members: NDArray[np.uint8], k: int) -> Mask:
    """Return which of k studies each subset holds, shape (subsets, k)."""
    return np.unpackbits(members, axis=1, count=k).astype(bool)


def all_subsets(k: int) -> NDArray[np.uint8]:
    """Return every subset of two studies and more: the binary numbers, the first study the highest bit."""
    numbers = np.arange(1 << k, dtype=np.uint32)
    numbers = numbers[np.bitwise_count(numbers) >= 2]
    shifted = (numbers << np.uint32(32 - k)).astype(">u4")
    return np.ascontiguousarray(shifted.view(np.uint8).reshape(-1, 4)[:, : (k + 7) // 8])


def sample_of_subsets(k: int, subsets: int, rng: np.random.Generator | None) -> NDArray[np.uint8]:
    """Return random subsets, uniform over those of two studies and more; a subset may come twice."""
    if isinstance(subsets, bool) or not isinstance(subsets, int) or not 1 <= subsets <= 10_000_000:
        raise InputError(f"subsets was {subsets!r}; accepted is a whole number from 1 to 10,000,000.")
    if rng is None:
        raise InputError("rng is missing: a sample of subsets needs a generator, such as numpy.random.default_rng(1).")
    drawn = np.empty((0, (k + 7) // 8), dtype=np.uint8)
    while len(drawn) < subsets:
        more = np.packbits(rng.integers(0, 2, (subsets - len(drawn), k), dtype=np.uint8), axis=1)
        drawn = np.concatenate([drawn, more[np.bitwise_count(more).sum(axis=1) >= 2]])
    return drawn


def _pooled(y: Floats, v: Floats, mask: Mask, method: str) -> tuple[Floats, Floats, Floats]:
    """Return pooled effects, tau2 and I2 of a chunk of subsets."""
    batch = prepare(y, v, mask)
    tau2 = ESTIMATORS[method].compute(batch).tau2
    mu = weigh_at(batch, tau2).mu
    return batch.centre + np.sqrt(batch.scale) * mu, batch.scale * tau2, _i2(batch, tau2, method)


def _i2(batch: Batch, tau2: Floats, method: str) -> Floats:
    if method == "CE":
        return heterogeneity.i2_from_q(heterogeneity.cochran_q(batch)[0], batch.k)
    return heterogeneity.i2_from_tau2(tau2, typical_variance(batch))
