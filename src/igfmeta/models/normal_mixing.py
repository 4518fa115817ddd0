"""The likelihood of studies whose effects are normal around theta: each study's effect is integrated out numerically.

L(theta, t) = integral of f(theta + sqrt(t) z) phi(z) dz, with t = tau2. It solves the heat equation, dL/dt = L''/2 with
' = d/dtheta, so that every derivative in theta and t follows from the ratios A_j = L^(j)/L:

    l_theta = A1, l_theta,theta = A2 - A1^2, l_t = A2/2, l_theta,t = (A3 - A1 A2)/2, l_tt = (A4 - A2^2)/4,

at t = 0 too. By parts, A_j = E[He_j(z)] / tau^j with Hermite polynomials, the expectation over z given the data; or
A_j = E[f^(j)/f]. The first cancels where t is small, the second where a study is large; each is used where it holds.

The integral: f(theta + tau z) phi(z) is log-concave in z and falls at least as fast as phi from its mode m, so that it
lies within m +- 8.5 to 2e-16. z = m + s sinh(u) with s its curvature, and the trapezoidal rule in u, converges
exponentially (Takahasi & Mori 1974; Liu & Pierce 1994, Biometrika 81:624, centre Gauss-Hermite rules likewise).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igfmeta.models.count_kernels import Kernel
from igfmeta.numerics import Floats

#: How far from its mode the integrand reaches, in units of the standard normal z.
REACH = 8.5

#: Most steps of Newton's method towards the mode, and how near, in units of the curvature there, is near enough: the
#: rule is exact wherever it is centred, only better near the mode.
MODE_STEPS, NEAR = 80, 0.05


@dataclass(frozen=True, eq=False)
class Contributions:
    """Log-likelihoods of studies and their derivatives in theta and t = tau2; shape (m,) each."""

    value: Floats
    theta: Floats
    t: Floats
    theta_theta: Floats
    theta_t: Floats
    t_t: Floats


def _modes(kernel: Kernel, theta: Floats, tau: Floats) -> tuple[Floats, Floats]:
    """Return mode and curvature scale of f(theta + tau z) phi(z) in z; the root of tau g'(theta + tau z) - z."""
    first, second = kernel.slopes(theta[:, None])
    end = tau * first[:, 0]  # g' falls in z: the root lies between 0 and this
    low, high = np.minimum(end, 0.0), np.maximum(end, 0.0)
    z = np.zeros_like(theta)
    for _ in range(MODE_STEPS):
        slope, bend = tau * first[:, 0] - z, 1 - tau**2 * second[:, 0]
        low, high = np.where(slope > 0, z, low), np.where(slope > 0, high, z)
        new = z + slope / bend
        new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        near = np.abs(new - z) * np.sqrt(bend) <= NEAR
        z = new
        first, second = kernel.slopes((theta + tau * z)[:, None])
        if near.all():
            break
    return z, 1 / np.sqrt(1 - tau**2 * second[:, 0])


def _derivative_ratios(kernel: Kernel, eta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return f'/f to f''''/f from the derivatives of log f."""
    g1, g2, g3, g4 = kernel.derivatives(eta)
    square = g1 * g1
    return (
        g1,
        g2 + square,
        g3 + g1 * (3 * g2 + square),
        g4 + 4 * g1 * g3 + 3 * g2 * g2 + square * (6 * g2 + square),
    )


def contributions(kernel: Kernel, theta: Floats, t: Floats, *, nodes: int) -> Contributions:
    """Return the log-likelihood of each study and its derivatives.

    Parameters
    ----------
    kernel : Kernel
        m studies.
    theta, t : ndarray of shape (m,)
        Mean effect and between-study variance, for each study.
    nodes : int
        Of the trapezoidal rule.
    """
    m = len(theta)
    value, ratios = np.empty(m), np.empty((4, m))
    mixed = t > 0
    if not mixed.all():
        alone = np.flatnonzero(~mixed)
        part = kernel.take(alone)
        at = on_nodes(part, theta[alone], np.zeros(len(alone)), nodes)
        value[alone], ratios[:, alone] = at.value, theta_ratios(part, at, np.ones(len(alone)))
    if mixed.any():
        some = np.flatnonzero(mixed)
        part, tau = kernel.take(some), np.sqrt(t[some])
        at = on_nodes(part, theta[some], tau, nodes)
        value[some], ratios[:, some] = at.value, theta_ratios(part, at, tau)
    a1, a2, a3, a4 = ratios
    return Contributions(
        value=value,
        theta=a1,
        t=a2 / 2,
        theta_theta=a2 - a1**2,
        theta_t=(a3 - a1 * a2) / 2,
        t_t=(a4 - a2**2) / 4,
    )


@dataclass(frozen=True, eq=False)
class Nodes:
    """Studies' integrals on their nodes: log L, shape (m,); z, eta and weights that add up to 1, shape (m, nodes).

    `vague` are the positions of the studies that say less than the normal around them.
    """

    value: Floats
    z: Floats
    eta: Floats
    weight: Floats
    vague: NDArray[np.intp]

    def mean(self, values: Floats) -> Floats:
        """Return expectations given the data, shape (m,)."""
        return np.asarray((self.weight * values).sum(axis=1))


def on_nodes(kernel: Kernel, theta: Floats, tau: Floats, nodes: int) -> Nodes:
    """Return the integrals of f(theta + tau z) phi(z) and their nodes; with tau = 0 the single node z = 0."""
    if not tau.any():
        eta = theta[:, None]
        zero = np.zeros_like(eta)
        return Nodes(kernel.log_f(eta)[:, 0], zero, eta, zero + 1.0, np.arange(len(theta)))
    mode, scale = _modes(kernel, theta, tau)
    edge = np.arcsinh(REACH / scale)
    u = edge[:, None] * np.linspace(-1.0, 1.0, nodes)
    z = mode[:, None] + scale[:, None] * np.sinh(u)
    eta = theta[:, None] + tau[:, None] * z
    log_w = kernel.log_f(eta) - 0.5 * z * z + np.log(np.cosh(u))
    top = log_w.max(axis=1)
    w = np.exp(log_w - top[:, None])
    total = w.sum(axis=1)
    step = 2 * edge / (nodes - 1)
    value = top + np.log(total * step * scale) - 0.5 * np.log(2 * np.pi)
    return Nodes(value, z, eta, w / total[:, None], np.flatnonzero(scale > np.sqrt(0.5)))


def theta_ratios(kernel: Kernel, at: Nodes, tau: Floats) -> Floats:
    """Return A1 to A4, shape (4, m); from z, or where a study is vague from the derivatives of its own likelihood."""
    ratios = np.zeros((4, len(at.value)))
    if len(at.vague) < len(at.value):
        z, square = at.z, at.z * at.z
        hermite = (z, square - 1, z * (square - 3), square * (square - 6) + 3)
        ratios[:] = np.stack([at.mean(h) for h in hermite]) / tau ** np.arange(1, 5)[:, None]
    if len(at.vague):
        own = _derivative_ratios(kernel.take(at.vague), at.eta[at.vague])
        ratios[:, at.vague] = [(at.weight[at.vague] * ratio).sum(axis=1) for ratio in own]
    return ratios
