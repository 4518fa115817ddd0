"""What rests on one cluster alone: without that cluster it has no estimate, and so no variance between clusters.

A robust variance measures how estimates vary from cluster to cluster. The residuals of a cluster that alone determines
a combination of the coefficients are 0 in its direction, whatever the data: its share of the variance is lost, and the
standard error comes out far too small, without a sign.
"""

from __future__ import annotations

import numpy as np

from igfmeta.models.robust.clusters import Clustered
from igfmeta.numerics import Floats, Mask

#: A cluster alone determines a direction where its share of the information in it is this near to 1.
ALL_BUT = 1e-9


def lone_directions(fit: Clustered) -> Floats:
    """Return the combinations of coefficients that vanish from every other cluster's rows, shape (n, p).

    X_j M X_j' has, whitened, the matrix Q_j Q_j'; a singular value of Q_j that is 1 means that the other clusters know
    nothing of its direction v, which is R^-1 v in coefficients.
    """
    found = [np.empty((0, len(fit.beta)))]
    for q in fit.q:
        _, values, vectors = np.linalg.svd(q, full_matrices=False)
        found.append(vectors[values > 1 - ALL_BUT] @ fit.back.T)
    return np.concatenate(found)


def rests_on_one(fit: Clustered, contrasts: Floats) -> Mask:
    """Return which contrasts, shape (q, p), have no estimate without one of the clusters."""
    directions = lone_directions(fit)
    if not len(directions):
        return np.zeros(len(contrasts), dtype=bool)
    se = np.sqrt(np.einsum("qi,ij,qj->q", contrasts, fit.model_vcov, contrasts))
    return np.asarray((np.abs(contrasts @ directions.T) > 1e-6 * se[:, None]).any(axis=1))
