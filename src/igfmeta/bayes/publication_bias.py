"""How results come to be missing: not at all, by steps of the p-value, or with an effect that grows with its error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from igfmeta.errors import InputError, check_choice
from igfmeta.numerics import Floats

#: Nodes on each weight of a step function, by how many are free: enough for few studies, and for the search; how many
#: more where mu and tau are not both integrated; and the power by which they are denser near 0.
WEIGHT_NODES, SEARCH_NODES = {1: 32, 2: 16, 3: 11}, {1: 12, 2: 6, 3: 5}
MORE_NODES, GRADING = 6, 3


def weight_nodes(free: int, axes: int, k: int) -> int:
    """Return how many nodes each weight takes: more the narrower k studies make its distribution.

    Where mu and tau are integrated too, their integrals smooth what is left, and nodes are dear.
    """
    root = sqrt(k)
    more = root / 5 if axes == 2 else MORE_NODES + root / 2
    return WEIGHT_NODES[free] + round(more)


@dataclass(frozen=True)
class NoBias:
    """Every result is published as it is."""

    label: str = "none"


@dataclass(frozen=True)
class Steps:
    """A weight function: the chance of publication is constant between cut-points of the p-value.

    From the most to the least significant interval the weights fall: omega_1 = 1, omega_j = theta_j + ... + theta_J,
    theta ~ Dirichlet(alpha) (Vevea & Hedges 1995, Psychometrika 60:419; Maier, Bartos & Wagenmakers 2022, Psychol
    Methods, appendix A).

    Attributes
    ----------
    cuts : tuple of float
        Increasing p-values.
    sides : {1, 2}
        Whether p is one-sided, small for effects in the favoured direction, or two-sided.
    alpha : tuple of float
        One more than cuts; default 1 each.
    """

    cuts: tuple[float, ...]
    sides: Literal[1, 2] = 1
    alpha: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.cuts or len(self.cuts) > max(WEIGHT_NODES) or any(not 0 < c < 1 for c in self.cuts):
            raise InputError(f"The cut-points were {self.cuts}; accepted are one to three p-values between 0 and 1.")
        if any(b <= a for a, b in pairwise(self.cuts)):
            raise InputError(f"The cut-points were {self.cuts}; accepted are p-values in increasing order.")
        if self.sides not in (1, 2):
            raise InputError(f"sides was {self.sides!r}; accepted are 1 and 2.")
        if not self.alpha:
            object.__setattr__(self, "alpha", (1.0,) * (len(self.cuts) + 1))
        if len(self.alpha) != len(self.cuts) + 1 or min(self.alpha) <= 0:
            raise InputError(f"alpha was {self.alpha}; accepted are {len(self.cuts) + 1} numbers above 0.")

    @property
    def label(self) -> str:
        return f"{'one' if self.sides == 1 else 'two'}-sided({', '.join(f'{cut:g}' for cut in self.cuts)})"

    @property
    def critical(self) -> Floats:
        """The z-values that belong to the cut-points, falling."""
        return np.asarray(-special.ndtri(np.array(self.cuts) / self.sides))

    def interval(self, z: Floats) -> NDArray[np.intp]:
        """Return in which interval each z-value falls, 0 for the most significant."""
        size = z if self.sides == 1 else np.abs(z)
        return np.asarray((size[..., None] < self.critical).sum(axis=-1))

    def beyond(self, mean: Floats, sd: Floats) -> Floats:
        """Return P(more significant than each cut-point) for z ~ N(mean, sd^2), and a last 1; shape (..., J)."""
        z = self.critical
        out = special.ndtr((mean[..., None] - z) / sd[..., None])
        if self.sides == 2:
            out = out + special.ndtr((-mean[..., None] - z) / sd[..., None])
        return np.concatenate([out, np.ones((*out.shape[:-1], 1))], axis=-1)

    def nodes(self, n: int) -> tuple[Floats, Floats]:
        """Return weights omega, shape (m, J), and the prior probability of each node, shape (m,).

        omega_{j+1} / omega_j is beta(alpha_{j+1} + ... + alpha_J, alpha_j). Gauss-Jacobi nodes for its root of degree
        `GRADING`: the chance that a study is published, by which the likelihood is divided, may be small where omega
        is, and nodes must be dense there.
        """
        each = []
        for j in range(len(self.cuts)):
            a, b = sum(self.alpha[j + 1 :]), self.alpha[j]
            s, w = special.roots_sh_jacobi(n, GRADING * a + b - 1, GRADING * a)
            w = w * sum(s**i for i in range(GRADING)) ** (b - 1)
            each.append((s**GRADING, w / w.sum()))
        ratios = np.array(list(product(*(x for x, _ in each))))
        weights = np.array(list(product(*(w for _, w in each)))).prod(axis=1)
        return np.concatenate([np.ones((len(ratios), 1)), np.cumprod(ratios, axis=1)], axis=1), weights

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Return weights from their prior, shape (n, J)."""
        theta = rng.dirichlet(self.alpha, n)
        return np.asarray(np.cumsum(theta[:, ::-1], axis=1)[:, ::-1])


@dataclass(frozen=True)
class Regression:
    """The precision-effect test: the effect grows with the standard error (PET) or its square (PEESE).

    y_i ~ N(mu + beta x_i, v_i + tau^2), x_i = sqrt(v_i) or v_i, beta half-Cauchy in the favoured direction (Stanley &
    Doucouliagos 2014, Res Synth Methods 5:60; Bartos et al. 2023, Res Synth Methods 14:99).

    Attributes
    ----------
    kind : {"PET", "PEESE"}
    scale : float
        Of the half-Cauchy prior of beta.
    """

    kind: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("PET", "PEESE"))
        if not 0 < self.scale < np.inf:
            raise InputError(f"The scale of the {self.kind} prior was {self.scale!r}; accepted is a number above 0.")

    @property
    def label(self) -> str:
        return self.kind

    def predictor(self, v: Floats) -> Floats:
        return np.asarray(np.sqrt(v) if self.kind == "PET" else v)

    def log_prior(self, beta: Floats) -> Floats:
        return np.asarray(np.log(2 / (np.pi * self.scale)) - np.log1p((beta / self.scale) ** 2))


Bias = NoBias | Steps | Regression


def psma(*, peese_scale: float = 5.0) -> tuple[tuple[Bias, float], ...]:
    """Return the members of RoBMA-PSMA with their prior probabilities (Bartos et al. 2023, table 1).

    Half no bias; a quarter on six weight functions; an eighth each on PET and PEESE.
    """
    steps = (
        Steps((0.05,), 2), Steps((0.05, 0.1), 2), Steps((0.05,)), Steps((0.025, 0.05)), Steps((0.05, 0.5)),
        Steps((0.025, 0.05, 0.5)),
    )  # fmt: skip
    regressions = (Regression("PET", 1.0), Regression("PEESE", peese_scale))
    return ((NoBias(), 0.5), *((s, 0.25 / len(steps)) for s in steps), *((r, 0.125) for r in regressions))


def original() -> tuple[tuple[Bias, float], ...]:
    """Return the members of the first RoBMA: none, and two two-sided weight functions (Maier et al. 2022)."""
    return ((NoBias(), 0.5), (Steps((0.05,), 2), 0.25), (Steps((0.05, 0.1), 2), 0.25))


#: Sets of models of publication bias, by name.
BIAS_SETS = ("psma", "steps", "none")


def bias_set(name: str, *, peese_scale: float = 5.0) -> tuple[tuple[Bias, float], ...]:
    """Return a set by name: `psma`, the first RoBMA (`steps`), or no bias (`none`).

    Examples
    --------
    >>> [bias.label for bias, _ in bias_set("steps")]
    ['none', 'two-sided(0.05)', 'two-sided(0.05, 0.1)']
    """
    name = check_choice("bias", name, BIAS_SETS)
    if name == "none":
        return ((NoBias(), 1.0),)
    return psma(peese_scale=peese_scale) if name == "psma" else original()


def check_members(members: Sequence[tuple[Bias, float]]) -> tuple[tuple[Bias, float], ...]:
    """Return members of bias whose prior probabilities add up to 1, or raise a sentence."""
    shares = [share for _, share in members]
    if not members or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise InputError(f"The prior probabilities of bias were {shares}; accepted are numbers that add up to 1.")
    if len({bias.label for bias, _ in members}) < len(members):
        raise InputError("The same model of bias is there twice; give it once, with the sum of its probabilities.")
    return tuple(members)
