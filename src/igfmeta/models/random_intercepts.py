"""Two arms with normal intercepts and normal effects, independent of each other (UM.RS): a two-dimensional integral.

In study i the linear predictors of the arms are alpha + theta + sigma z0 + tau z1/2 and alpha + sigma z0 - tau z1/2
(Jackson et al. 2018, Stat Med 37:1059, model 6 with uncorrelated effects; metafor's UM.RS, which by lme4 integrates by
Laplace's approximation). With an effect for each group of studies, alpha and the variances are those of all. Here the
integral is by Gauss-Hermite quadrature around the mode, a product rule in its principal axes (Liu & Pierce 1994,
Biometrika 81:624).

With s the score of a study's complete likelihood and H its Hessian, the score is E(s) given the data and the Hessian
E(H) + Var(s) (Louis 1982, J R Stat Soc B 44:226): both come from the nodes, and Newton's method finds the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.count_kernels import Binomial, Poisson
from igfmeta.models.fixed_intercepts import arms_of
from igfmeta.models.newton import Functions, climb
from igfmeta.numerics import Floats, Mask, concatenated

#: Nodes in each direction: while maxima are sought, in the answer, and of the finer rule that certifies it.
SCOUTS, NODES, FINER = 7, 21, 41

#: First guesses of sigma and tau: the likelihood may have several maxima.
STARTS = ((0.7, 0.5), (1.5, 0.1), (0.3, 1.5))

#: tau below this, where the likelihood is no lower at 0, is 0.
NIL = 1e-4

#: Elements (studies of a batch x nodes) that are held at once.
CHUNK = 1_000_000

Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class RandomIntercepts:
    """The fits, arrays of shape (batch,) unless said otherwise.

    Attributes
    ----------
    theta, se : ndarray of shape (batch, groups)
        The effect, or that of each group of studies.
    alpha, tau2, sigma2, se_tau2 : ndarray
        se_tau2 is NaN where tau2 is 0.
    log_likelihood, log_likelihood_common : ndarray
        Of the model, and with tau2 = 0.
    theta_common : ndarray of shape (batch, groups)
    gradient, condition, accuracy : ndarray
    converged : ndarray of bool
    """

    theta: Floats
    se: Floats
    alpha: Floats
    tau2: Floats
    sigma2: Floats
    se_tau2: Floats
    log_likelihood: Floats
    log_likelihood_common: Floats
    theta_common: Floats
    gradient: Floats
    condition: Floats
    accuracy: Floats
    converged: Mask


@dataclass(frozen=True, eq=False)
class _Model:
    """The studies of a batch of data sets in one row: both arms, data set and group of each, and the rule."""

    first: Binomial | Poisson
    second: Binomial | Poisson
    owner: Index
    group: Index
    rule: tuple[Floats, Floats]

    def of(self, rows: Index) -> _Model:
        """Return the studies of the data sets `rows`, which may repeat, numbered as there."""
        size = np.bincount(self.owner, minlength=int(rows.max(initial=0)) + 1)
        first = np.cumsum(size) - size
        owner = np.repeat(np.arange(len(rows)), size[rows])
        before = np.cumsum(size[rows]) - size[rows]
        index = np.arange(len(owner)) - before[owner] + first[rows][owner]
        return replace(self, first=self.first.take(index), second=self.second.take(index), owner=owner,
                       group=self.group[index])  # fmt: skip

    def by(self, nodes: int) -> _Model:
        """Return the same studies under another rule."""
        return replace(self, rule=_rule(nodes))

    def totals(self, p: Floats) -> tuple[Floats, Floats, Floats]:
        """Return log-likelihoods, scores and Hessians of data sets in (alpha, theta_1 ..., sigma, tau)."""
        groups = p.shape[1] - 3
        # Where alpha, the effect of a study's own group, sigma and tau stand among the parameters.
        place = np.stack(np.broadcast_arrays(0, 1 + self.group, groups + 1, groups + 2), axis=1)
        value, score, hessian = self._each(np.take_along_axis(p[self.owner], place, axis=1))
        gradients, hessians = np.zeros_like(p), np.zeros((*p.shape, p.shape[1]))
        np.add.at(gradients, (self.owner[:, None], place), score)
        np.add.at(hessians, (self.owner[:, None, None], place[:, :, None], place[:, None, :]), hessian)
        return np.bincount(self.owner, value, len(p)), gradients, hessians

    def _each(self, p: Floats) -> tuple[Floats, Floats, Floats]:
        """Return log-likelihoods, scores (m, 4) and Hessians (m, 4, 4) of studies in (alpha, theta, sigma, tau)."""
        x, w = self.rule
        mode, root = self._modes(p)
        grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
        z = mode[:, None, :] + np.einsum("kij,nj->kni", root, grid)
        z0, z1 = z[:, :, 0], z[:, :, 1]
        one, two = _predictors(p, z0, z1)
        log_w = np.log(np.outer(w, w)).ravel() + 0.5 * (grid**2).sum(axis=1) - 0.5 * (z**2).sum(axis=2)
        height = self.first.log_f(one) + self.second.log_f(two) + log_w
        top = height.max(axis=1)
        weight = np.exp(height - top[:, None])
        total = weight.sum(axis=1)
        value = top + np.log(total) + np.log(root[:, 0, 0] * root[:, 1, 1]) - 2 * np.log(w.sum())
        weight /= total[:, None]
        (f1, f2), (g1, g2) = self.first.slopes(one), self.second.slopes(two)
        # d predictor / d parameter in arm 1 and in arm 2.
        lift1 = np.stack([np.ones_like(z0), np.ones_like(z0), z0, 0.5 * z1], axis=2)
        lift2 = np.stack([np.ones_like(z0), np.zeros_like(z0), z0, -0.5 * z1], axis=2)
        complete = lift1 * f1[:, :, None] + lift2 * g1[:, :, None]
        score = np.einsum("kn,kni->ki", weight, complete)
        bends = _outer(lift1, weight * f2) + _outer(lift2, weight * g2)
        return value, score, bends + _outer(complete, weight) - score[:, :, None] * score[:, None, :]

    def _modes(self, p: Floats) -> tuple[Floats, Floats]:
        """Return modes of the integrand, shape (m, 2), and Cholesky factors of its covariance there, (m, 2, 2)."""
        sigma, tau = p[:, 2], p[:, 3]
        z = np.zeros((len(p), 2))
        # Predictor of each arm in (z0, z1).
        lift = np.stack([np.stack([sigma, 0.5 * tau], axis=1), np.stack([sigma, -0.5 * tau], axis=1)], axis=1)
        for _ in range(60):
            one, two = _predictors(p, z[:, :1], z[:, 1:])
            (f1, f2), (g1, g2) = self.first.slopes(one), self.second.slopes(two)
            first, second = np.hstack([f1, g1]), np.hstack([f2, g2])
            gradient = np.einsum("ka,kai->ki", first, lift) - z
            precision = np.einsum("ka,kai,kaj->kij", -second, lift, lift) + np.eye(2)
            step = np.linalg.solve(precision, gradient[:, :, None])[:, :, 0]
            step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-300))
            z = z + step
            if np.abs(step).max(initial=0.0) < 1e-8:
                break
        return z, np.linalg.cholesky(np.linalg.inv(precision))


def _outer(parts: Floats, weight: Floats) -> Floats:
    """Return sums over nodes of weight x part_i x part_j; shape (m, 4, 4)."""
    return np.asarray(np.swapaxes(parts, 1, 2) @ (weight[:, :, None] * parts))


def _predictors(p: Floats, z0: Floats, z1: Floats) -> tuple[Floats, Floats]:
    alpha, theta, sigma, tau = (p[:, i, None] for i in range(4))
    level, half = alpha + sigma * z0, 0.5 * tau * z1
    return level + theta + half, level - half


def _rule(nodes: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return x, w


def fit(
    measure: str,
    counts: dict[str, Floats],
    *,
    common: bool = False,
    mask: Mask | None = None,
    group: Index | None = None,
) -> RandomIntercepts:
    """Return the maximum-likelihood fits, one for each row of a mask.

    Parameters
    ----------
    measure : {"OR", "IRR"}
    counts : dict of ndarray of shape (k,)
        events1, n1, events2, n2; or events1, time1, events2, time2.
    common : bool
        Hold tau2 at 0.
    mask : ndarray of bool, shape (batch, k), optional
        Which studies each fit takes, two or more; by default one fit takes all.
    group : ndarray of int, shape (k,), optional
        Number of the group of each study, from 0: an effect for each, the rest shared. By default one group.
    """
    k = len(next(iter(counts.values())))
    mask = np.ones((1, k), dtype=bool) if mask is None else mask
    group = np.zeros(k, dtype=np.intp) if group is None else group
    step = max(1, CHUNK // (k * NODES**2))
    parts = [_fit(measure, counts, mask[i : i + step], group, common=common) for i in range(0, len(mask), step)]
    return concatenated(parts)


def _fit(measure: str, counts: dict[str, Floats], mask: Mask, group: Index, *, common: bool) -> RandomIntercepts:
    owner, column = np.nonzero(mask)
    first, second, guess = arms_of(measure, {role: values[column] for role, values in counts.items()})
    model = _Model(first, second, owner, group[column], _rule(NODES))
    size, groups = len(mask), int(group.max()) + 1
    level = np.bincount(owner, guess, size) / np.bincount(owner, minlength=size)
    blank = np.column_stack([level, np.zeros((size, groups + 2))])
    at_zero, low, _ = _maximum(model, [_with(blank, s, 0.0) for s, _ in STARTS[:2]], held=True)
    best, value = at_zero.copy(), low.copy()
    converged = np.ones(size, dtype=bool)
    if not common:
        inside, height, converged = _maximum(model, [_with(at_zero, s, t) for s, t in STARTS], held=False)
        above = (np.abs(inside[:, -1]) > NIL) & (height > low)
        best[above], value[above] = inside[above], height[above]
        converged = converged | ~above
    best[:, -2:] = np.abs(best[:, -2:])
    _, gradient, hessian = model.totals(best)
    fixed = best[:, -2:] <= NIL
    gradient, information = _free(gradient, -hessian, fixed)
    covariance = np.linalg.inv(information)
    variances = np.diagonal(covariance, axis1=1, axis2=2)
    return RandomIntercepts(
        theta=best[:, 1:-2],
        se=np.sqrt(variances[:, 1:-2]),
        alpha=best[:, 0],
        tau2=best[:, -1] ** 2,
        sigma2=best[:, -2] ** 2,
        se_tau2=np.where(fixed[:, 1], np.nan, 2 * best[:, -1] * np.sqrt(variances[:, -1])),
        log_likelihood=value,
        log_likelihood_common=low,
        theta_common=at_zero[:, 1:-2],
        gradient=np.abs(gradient).max(axis=1),
        condition=np.array([_condition(matrix, held) for matrix, held in zip(information, fixed, strict=True)]),
        accuracy=np.abs(model.by(FINER).totals(best)[0] - value),
        converged=converged,
    )


def _with(p: Floats, sigma: float, tau: float) -> Floats:
    """Return parameters with other standard deviations."""
    p = p.copy()
    p[:, -2:] = sigma, tau
    return p


def _free(gradient: Floats, information: Floats, fixed: Mask) -> tuple[Floats, Floats]:
    """Return gradients and information with the standard deviations that are 0 taken out: 1 on their diagonal."""
    gradient, information = gradient.copy(), information.copy()
    for place, held in ((-2, fixed[:, 0]), (-1, fixed[:, 1])):
        gradient[held, place] = 0.0
        information[held, :, place] = information[held, place, :] = 0.0
        information[held, place, place] = 1.0
    return gradient, information


def _condition(information: Floats, fixed: Mask) -> float:
    keep = np.append(np.ones(len(information) - 2, dtype=bool), ~fixed)
    return float(np.linalg.cond(information[np.ix_(keep, keep)]))


def _maximum(model: _Model, starts: list[Floats], *, held: bool) -> tuple[Floats, Floats, Mask]:
    """Return where each likelihood is highest from several starts, its value, and whether the search ended.

    Every start is followed under a coarse rule, the best of them under the rule of the answer. `held` leaves tau at 0.
    """
    size = len(starts[0])
    data_set = np.tile(np.arange(size), len(starts))
    found, height, _ = climb(_totals(model.by(SCOUTS), data_set, held=held), np.concatenate(starts))
    best = height.reshape(len(starts), size).argmax(axis=0) * size + np.arange(size)
    return climb(_totals(model, np.arange(size), held=held), found[best])


def _totals(model: _Model, data_set: Index, *, held: bool) -> Functions:
    def f(p: Floats, rows: Index) -> tuple[Floats, Floats, Floats]:
        value, gradient, hessian = model.of(data_set[rows]).totals(p)
        if held:
            gradient[:, -1] = 0.0
            hessian[:, :, -1] = hessian[:, -1, :] = 0.0
            hessian[:, -1, -1] = -1.0
        return value, gradient, hessian

    return f
