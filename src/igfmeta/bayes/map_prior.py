"""What past studies say of a new one, as a prior: a mixture of normals, made robust, and its worth in patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from igfmeta.bayes.posterior import Posterior
from igfmeta.errors import InputError
from igfmeta.numerics import Floats

#: Steps of the fit at the most, and the gain in divergence at which it ends.
STEPS, GAIN = 5000, 1e-12

#: Densities below this are taken as 0: their ratios would be noise.
SMALLEST = 1e-200


@dataclass(frozen=True, eq=False)
class MapPrior:
    """A mixture of normals: the meta-analytic-predictive prior of a new study's parameter.

    Attributes
    ----------
    weights, means, sds : ndarray of shape (components,)
        In the order of the weights.
    divergence : float
        Kullback-Leibler divergence of the mixture from the predictive distribution that it stands for.
    """

    weights: Floats
    means: Floats
    sds: Floats
    divergence: float = 0.0

    def density(self, x: Floats) -> Floats:
        """Return the density at each x."""
        return _mixture(np.atleast_1d(np.asarray(x, dtype=float)), self.weights, self.means, self.sds)

    def effective_size(self, unit_sd: float) -> float:
        """Return how many patients the prior is worth: its expected local information ratio (ELIR).

        The Fisher information of the prior over that of one patient, whose standard deviation on this scale is
        `unit_sd` (Neuenschwander, Weber, Schmidli & O'Hagan 2020, Biometrics 76:578).
        """
        if not unit_sd > 0:
            raise InputError(f"unit_sd was {unit_sd!r}; accepted is a number above 0.")
        x, w = _grid(float(self.weights @ self.means), float(np.exp(self.weights @ np.log(self.sds))))
        each = _components(x, self.means, self.sds) * self.weights
        density = each.sum(axis=1)
        slope = -(each * (x[:, None] - self.means) / self.sds**2).sum(axis=1)
        seen = density > SMALLEST
        return float(unit_sd**2 * np.sum(w[seen] * slope[seen] ** 2 / density[seen]))

    def robust(self, weight: float, mean: float, unit_sd: float) -> MapPrior:
        """Return the prior mixed with one patient's worth of information around `mean` (Schmidli et al. 2014).

        Parameters
        ----------
        weight : float
            Of the vague component, such as 0.2: how likely it is that the new study is unlike the others.
        mean : float
        unit_sd : float
            Standard deviation of one patient.
        """
        if not 0 < weight < 1:
            raise InputError(f"weight was {weight!r}; accepted is a number between 0 and 1.")
        return MapPrior(
            weights=np.concatenate([(1 - weight) * self.weights, [weight]]),
            means=np.concatenate([self.means, [mean]]),
            sds=np.concatenate([self.sds, [unit_sd]]),
            divergence=self.divergence,
        )


def _components(x: Floats, means: Floats, sds: Floats) -> Floats:
    z = (x[:, None] - means) / sds
    return np.asarray(np.exp(-0.5 * z * z) / (sds * np.sqrt(2 * np.pi)))


def _mixture(x: Floats, weights: Floats, means: Floats, sds: Floats) -> Floats:
    return np.asarray(_components(x, means, sds) @ weights)


def _grid(centre: float, scale: float) -> tuple[Floats, Floats]:
    """Return points, dense around the centre and sparse far out, and their weights in an integral."""
    u: Floats = np.linspace(-9, 9, 3601)
    return np.asarray(centre + scale * np.sinh(u)), np.asarray(scale * np.cosh(u) * (u[1] - u[0]))


def exact(posterior: Posterior) -> MapPrior:
    """Return the predictive distribution itself, which is a mixture of as many normals as there were nodes.

    Examples
    --------
    >>> from igfmeta.bayes.posterior import normal_normal_one
    >>> prior = exact(normal_normal_one([-1.0, -0.8, -1.3], [0.05, 0.04, 0.06]))
    >>> round(prior.effective_size(2.0))
    48
    """
    grid = posterior.grid
    kept = grid.weight[0] > 1e-15
    sd = np.sqrt(grid.variance[0] + grid.tau2[0])
    weights = grid.weight[0][kept] / grid.weight[0][kept].sum()
    return MapPrior(weights, grid.mean[0][kept] + grid.centre[0], sd[kept])


def fit_map_prior(posterior: Posterior, *, components: int = 3) -> MapPrior:
    """Return the mixture of a few normals nearest to the predictive distribution of a new study.

    It minimizes the Kullback-Leibler divergence by expectation maximization on a grid, without draws.

    Parameters
    ----------
    posterior : Posterior
        Of the past studies, such as control arms on the logit scale.
    components : int
        1 to 6.

    References
    ----------
    Schmidli, Gsteiger, Roychoudhury, O'Hagan, Spiegelhalter & Neuenschwander 2014, Biometrics 70:1023.

    Examples
    --------
    >>> from igfmeta.bayes.posterior import normal_normal_one
    >>> prior = fit_map_prior(normal_normal_one([-1.0, -0.8, -1.3], [0.05, 0.04, 0.06]))
    >>> len(prior.weights), prior.divergence < 1e-3
    (3, True)
    """
    if isinstance(components, bool) or not isinstance(components, int) or not 1 <= components <= 6:
        raise InputError(f"components was {components!r}; accepted is a whole number from 1 to 6.")
    target = exact(posterior)
    centre = float(target.weights @ target.means)
    scale = float(np.exp(target.weights @ np.log(target.sds)))
    x, w = _grid(centre, scale)
    p = target.density(x) * w
    means: Floats = np.full(components, centre)
    sds: Floats = np.asarray(scale * 2.0 ** np.arange(components))
    weights: Floats = 0.5 ** np.arange(1.0, components + 1)
    weights = np.asarray(weights / weights.sum())
    last = np.inf
    for _ in range(STEPS):
        each = _components(x, means, sds) * weights
        total = each.sum(axis=1)
        seen = (p > SMALLEST) & (total > SMALLEST)
        divergence = float(np.sum(p[seen] * np.log(p[seen] / (w[seen] * total[seen]))))
        if last - divergence < GAIN:
            break
        last = divergence
        share = np.zeros_like(each)
        share[seen] = p[seen, None] * each[seen] / total[seen, None]
        weights = np.asarray(share.sum(axis=0))
        means = np.asarray(share.T @ x / weights)
        sds = np.sqrt(np.einsum("nc,nc->c", share, (x[:, None] - means) ** 2) / weights)
        weights = np.asarray(weights / weights.sum())
    order = np.argsort(-weights)
    return MapPrior(weights[order], means[order], sds[order], divergence=max(last, 0.0))
